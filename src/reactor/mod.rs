//! Sockets, signals, the clock and the poll. Knows bytes and tokens, no commands.

mod alarm;
pub mod batch;
mod channel;
pub mod connection;
mod dialer;
pub mod listener;
mod patience;
pub mod process;
mod secured;
pub mod tick;

pub use tick::Reactor;
