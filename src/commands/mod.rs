//! Commands: what clients may ask for, and the translation between requests and values.
//!
//! `table` has the facts of every command, `handlers` ties each to its function, and the functions stand in one file a
//! family.

pub mod acl;
pub mod bitfields;
pub mod bitmaps;
pub mod blocking_lists;
pub mod client;
mod client_filter;
pub mod cluster;
pub mod command_log;
#[cfg(test)]
mod compatibility_page;
pub mod config;
pub mod connection;
pub mod debug;
mod debug_populate;
mod debug_protocol;
pub mod digest;
pub mod drawing;
pub mod dump;
pub mod expiry;
pub mod field_expiry;
pub mod functions;
pub mod geo;
pub mod handlers;
pub mod hash_random;
pub mod hashes;
pub mod hyperloglogs;
pub mod introspect;
pub mod keys;
pub mod latency;
pub mod lcs;
pub mod list_edits;
pub mod list_moves;
pub mod lists;
pub mod lolwut;
pub mod memory;
mod migrate;
pub mod modules;
pub mod object;
pub mod pubsub;
pub mod ranges;
pub mod replication;
pub mod saving;
pub mod scan;
pub mod scan_values;
pub mod scripts;
pub mod server;
pub mod set_algebra;
mod set_options;
pub mod sets;
pub mod sort;
pub mod sorted_sets;
pub mod streams;
pub mod strings;
pub mod table;
pub mod tracking;
pub mod transactions;
pub mod ttl;
pub mod values;
pub mod vectors;
pub mod waiting;
