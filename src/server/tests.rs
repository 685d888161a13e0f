//! The core with a clock of its own: what goes when memory runs out, and what it does between requests.

mod eviction;
mod upkeep;
