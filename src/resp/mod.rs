//! The wire: bytes to argument slices, values to RESP2 or RESP3.

pub mod encode;
pub mod pool;
pub mod reply;
pub mod request;
