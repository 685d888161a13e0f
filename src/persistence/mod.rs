//! What outlives the process: values as bytes, and the files they are in.
//!
//! - [`rdb`] is Redis's format of values and snapshots, between any `Read` or `Write` and the keyspace;
//! - [`snapshot`] makes files of it on a [`crate::host::Host`], whole or not at all;
//! - [`loader`] puts what they hold into a keyspace;
//! - [`crc64`] and [`lzf`] are the checksum and the compression both use.
//!
//! Nothing here knows a client or asks a clock.

pub mod aof;
pub mod crc64;
pub mod loader;
pub mod lzf;
pub mod rdb;
pub mod snapshot;
