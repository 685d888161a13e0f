//! Settings: the command line, the configuration file, and `CONFIG GET`, `SET` and `REWRITE`.
//!
//! One table ([`settings`]) says everything about a setting once: its names, the field of [`Settings`] that holds it,
//! its type, default and range, whether it may change while the server runs, and whether it does anything yet. All
//! else is derived from the table: parsing, error texts, `CONFIG` replies, the rewritten file and
//! `docs/configuration.md`. Were these written by hand per setting, the server would sooner or later accept a value it
//! cannot print back, and a rewritten file would not load.
//!
//! - [`quoting`]: how a line becomes words, and a value becomes a quoted word again;
//! - [`value`], [`choice`] and [`compound`]: the types a setting may have;
//! - [`table`]: the shape of a row, and the macro that makes rows and fields from one list;
//! - [`settings`]: the list;
//! - [`access`]: `CONFIG GET` and an atomic `CONFIG SET`;
//! - [`file`](mod@file): the configuration file, line by line, with Redis's error texts;
//! - [`command_line`]: arguments to configuration text, as Redis concatenates them;
//! - [`rewrite`]: the changed settings back into the file, its comments kept.
//!
//! Nothing here opens a socket, changes directory or logs: the server applies what changed. The only I/O is reading
//! configuration files, resolving the working directory, and replacing the file in a rewrite.

pub mod access;
pub mod choice;
pub mod command_line;
pub mod compound;
pub mod file;
pub mod quoting;
pub mod rewrite;
pub mod settings;
pub mod table;
pub mod value;

#[cfg(test)]
mod tests;

pub use access::{SetError, Setter};
pub use command_line::{Startup, load};
pub use file::{RenamedCommand, StartError};
pub use settings::Settings;
pub use value::Text;

/// The Redis release whose behaviour this server matches, as `INFO` and fatal configuration errors name it.
pub const REDIS_VERSION: &str = "7.2.0";
