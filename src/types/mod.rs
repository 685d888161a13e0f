//! The data structures behind the values. They know nothing of clients, replies or keys.

pub mod packed;
