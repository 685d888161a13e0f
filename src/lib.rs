//! Aeolus: a Redis server on one thread.
//!
//! `docs/architecture.md` has the map; the life of a request is in `reactor::tick`.
#![deny(unsafe_code)]

pub mod acl;
pub mod commands;
pub mod config;
pub mod crash;
pub mod format;
pub mod hashing;
pub mod host;
pub mod keyspace;
pub mod log;
pub mod memory;
pub mod persistence;
pub mod processor;
pub mod reactor;
pub mod resp;
pub mod scripting;
pub mod server;
pub mod table;
pub mod timer;
pub mod tls;
pub mod tools;
pub mod types;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;
