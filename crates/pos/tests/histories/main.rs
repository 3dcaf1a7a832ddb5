//! Random histories of a shop against a plain model of it: what a shopkeeper with pencil and paper
//! would have allowed, and what would be on the shelf, in the drawer and on the receipts (`goods`),
//! on gift cards, accounts and customers' cards (`money`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod goods;
mod money;
mod shop;
