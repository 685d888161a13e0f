//! Aeolus: a Redis server on one thread.
//!
//! `docs/architecture.md` has the map; the life of a request is in `reactor::tick`.
#![deny(unsafe_code)]

pub mod format;
pub mod hashing;
pub mod memory;
pub mod resp;
pub mod table;
pub mod types;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;
