//! Scripts in Lua.
//!
//! A script runs in the midst of commands and may call them, from wherever it stands. Here it never reaches into the
//! server to do so: it *asks*, and waits on a stack of its own until it is answered. So nothing of the server is lent to
//! the interpreter, a script can be stopped for others to have their turn, and whether a command was called from a
//! `pcall` in a comparison of `table.sort` makes no difference.
//!
//! - [`fiber`] is that stack.
//! - [`engine`] puts an interpreter on it; its comment says how functions are compiled and called. Start there.
//! - [`sandbox`] is what a script sees of Lua, [`api`] the table `redis`, [`library`] what else there is.
//! - [`convert`] makes Lua's values of replies and replies of Lua's values, [`errors`] makes errors of Rust functions
//!   what scripts expect.
//! - [`shebang`] reads the first line of scripts, [`functions`] keeps libraries of them.
//!
//! This folder knows nothing of clients and keys. What a running script may do, and what others may meanwhile, is decided in
//! [`crate::server::scripts`].

mod api;
mod convert;
pub mod engine;
#[cfg(test)]
mod engine_tests;
pub mod errors;
mod fiber;
pub mod functions;
pub mod library;
mod random;
mod sandbox;
pub mod shebang;

pub use api::{REPL_ALL, REPL_AOF, REPL_REPLICA};

/// For what an interpreter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// EVAL and its like.
    Scripts,
    /// FUNCTION and FCALL.
    Functions,
}

/// The digest of a script as its name: hexadecimal digits.
pub fn hex(digest: &[u8; 20]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    digest
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
