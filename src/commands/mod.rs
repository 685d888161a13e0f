//! Commands: what clients may ask for, and the translation between requests and values.
//!
//! `table` has the facts of every command, `handlers` ties each to its function, and the functions stand in one file a
//! family.

pub mod connection;
pub mod debug;
pub mod expiry;
pub mod handlers;
pub mod introspect;
pub mod keys;
pub mod latency;
pub mod lcs;
pub mod lolwut;
pub mod memory;
pub mod object;
pub mod scan;
pub mod server;
pub mod slowlog;
pub mod strings;
pub mod table;
pub mod ttl;
