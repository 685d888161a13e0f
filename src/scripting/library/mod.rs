//! What scripts may use besides Lua's own libraries: `cjson`, `cmsgpack`, `struct` and `bit`.
//!
//! Each has a module with `pub fn install(lua: &Lua, globals: &Table) -> mlua::Result<()>`, to be called from [`install`].
//!
//! What such a function reports with [`mlua::Error`] reaches Lua as an opaque object, and scripts want strings that they
//! can compare. So functions that can fail give `(false, message)` or `(true, results...)`, and [`raising`] makes of them
//! ones that raise the message like `luaL_error` does, with the place of the call in front.

use mlua::{Function, Lua, Table};

/// Adds all libraries to `globals`.
pub fn install(_lua: &Lua, _globals: &Table) -> mlua::Result<()> {
    Ok(())
}

/// A function that gives what `inner` gives behind `true`, and raises the message that it gives behind `false`.
///
/// # Errors
/// If there is no memory.
pub fn raising(lua: &Lua, inner: Function) -> mlua::Result<Function> {
    let make: Function = lua.load(RAISING).set_name("=library").call(())?;
    make.call(inner)
}

/// `check` is called as a tail call, which Lua counts as a level: 3 is whoever called the library's function.
const RAISING: &str = "
local error = error
local function check(ok, ...)
  if ok then return ... end
  error((...), 3)
end
return function(inner)
  return function(...) return check(inner(...)) end
end";
