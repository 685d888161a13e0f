//! The data structures behind the values. They know nothing of clients, replies or keys.

mod cells;
pub mod hash;
pub mod intset;
pub mod list;
pub mod listpack;
pub mod packed;
pub mod set;
#[cfg(test)]
pub(crate) mod testing;
