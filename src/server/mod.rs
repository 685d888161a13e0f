//! The server core: commands on keyspace and sessions, without any I/O.

mod access;
pub mod append_only;
pub mod blocking;
pub mod call;
pub mod client_line;
pub mod client_memory;
pub mod command_log;
pub mod context;
pub mod core;
pub mod dispatch;
mod divergence;
mod express;
pub mod failure;
mod functions;
pub mod info;
pub mod latency;
pub mod loading;
pub mod memory_limit;
pub mod migration;
pub mod monitor;
pub mod notify;
pub mod observers;
pub mod os;
pub mod own_deadlines;
pub mod owned;
pub mod pause;
pub mod propagation;
pub mod pubsub;
pub mod replay;
pub mod replication;
pub mod scripts;
pub mod session;
pub mod shutdown;
pub mod snapshots;
pub mod stats;
pub mod stopwatch;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod tracking;
pub mod transaction;
pub mod upkeep;

pub use self::context::Context;
pub use self::core::{Core, Effect};
pub use self::failure::{Failure, Outcome};
pub use self::session::{Session, SessionIndex};
