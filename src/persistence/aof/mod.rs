//! The append-only file: every change as the request that makes it, in several files since Redis 7.
//!
//! ```text
//! appendonlydir/appendonly.aof.manifest        which of the others count, and in which order
//! appendonlydir/appendonly.aof.2.base.rdb      the data at some moment: a snapshot, or requests
//! appendonlydir/appendonly.aof.2.incr.aof      what was changed since, as requests
//! appendonlydir/appendonly.aof.3.incr.aof      the same, newer; changes are appended to the last
//! ```
//!
//! *Rewriting* replaces base and increments by a new base. First a new increment is begun, then a child writes the base
//! from memory as it was at that moment; when it is whole, a new manifest names base and new increment, and the old files
//! are removed. The manifest is replaced in one step, so at any moment it names files that together are all the data.
//!
//! - [`manifest`] is that list; [`reader`] takes requests from a file; [`rewrite`] writes a base as requests.

pub mod manifest;
pub mod reader;
pub mod rewrite;

pub use manifest::Manifest;
