//! One file for each store.

pub(crate) mod fjall;
pub(crate) mod ours;
pub(crate) mod redb;
mod rows;
pub(crate) mod sqlite;
pub(crate) mod tephra;
pub(crate) mod umadb;
