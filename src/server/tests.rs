//! The core with a clock of its own: what goes when memory runs out, what it does between requests, and what it makes of
//! broken disks.

mod eviction;
mod faults;
mod upkeep;
