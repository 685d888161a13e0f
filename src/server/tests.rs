//! The core with a clock of its own: what goes when memory runs out, what it does between requests, what it makes of
//! broken disks, and how it loads.

mod eviction;
mod faults;
mod loading;
mod replicas;
mod scripts;
mod upkeep;
