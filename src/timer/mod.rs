//! Deadlines: a hierarchical timer wheel, and the millisecond it counts in.
//!
//! Everything that happens "later" goes through one kind of structure: keys with a TTL, clients blocked
//! until a timeout, the server's own periodic chores. Redis samples its volatile keys at random and so learns
//! of an expired key late, or only when somebody asks for it; a heap would know the next deadline exactly but
//! costs O(log n) cache misses for every `EXPIRE`. A timer wheel (Varghese and Lauck, "Hashed and Hierarchical
//! Timing Wheels", 1987) inserts in constant time, touches an item at most once a level on its way down, and
//! still knows what is due at any millisecond.
//!
//! `wheel` has the wheel itself, `place` its geometry, `blocks` the memory its slots are made of.

mod blocks;
mod millis;
mod place;
mod wheel;

pub use millis::Millis;
pub use place::Place;
pub use wheel::{TimerWheel, Verdict, Visit};
