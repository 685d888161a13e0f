//! The data structures behind the values. They know nothing of clients, replies or keys.

pub mod bits;
mod cells;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod intset;
pub mod list;
pub mod listpack;
pub mod packed;
pub mod set;
pub mod stream;
#[cfg(test)]
pub(crate) mod testing;
pub mod vector_set;
pub mod zset;
