//! Scripts in Lua.

pub mod library;
