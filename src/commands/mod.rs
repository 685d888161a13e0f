//! Commands: what clients may ask for, and the translation between requests and values.
//!
//! `table` has the facts of every command, `handlers` ties each to its function, and the functions stand in one file a
//! family.

pub mod connection;
pub mod expiry;
pub mod handlers;
pub mod hashes;
pub mod introspect;
pub mod lists;
pub mod ranges;
pub mod sets;
pub mod sorted_sets;
pub mod streams;
pub mod strings;
pub mod table;
pub mod values;
