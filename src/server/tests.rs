//! The core with a clock of its own: what goes when memory runs out, what it does between requests, what it makes of
//! broken disks, and how it loads, at the start and again.

mod access;
mod eviction;
mod express;
mod faults;
mod importing;
mod loading;
mod reloading;
mod replicas;
mod scripts;
mod upkeep;
