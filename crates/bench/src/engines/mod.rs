//! One file for each store.

pub(crate) mod ours;
pub(crate) mod sqlite;
