//! What outlives the process: values as bytes, and the files they are in.
//!
//! Nothing here opens a file or knows a client. Values come from the keyspace and go there as data; bytes come from any
//! `Read` and go to any `Write`.

pub mod crc64;
pub mod lzf;
pub mod rdb;
