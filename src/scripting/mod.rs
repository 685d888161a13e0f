//! Scripts in Lua.

pub mod errors;
mod fiber;
pub mod library;
