//! What scripts may use besides Lua's own libraries: `cjson`, `cmsgpack`, `struct` and `bit`.
//!
//! They say what Redis's say, to the byte, errors and all. Each has a module with
//! `pub fn install(lua: &Lua, globals: &Table) -> mlua::Result<()>` that sets its table in `globals`, and is called here.
//! `globals` is open then; the sandbox closes it and all tables in it afterwards, deeply. [`native`] has what the functions
//! share: their arguments and their errors.
//!
//! A script may hand them anything. So nothing here recurses (a table within a table is an entry on a list of frames,
//! not a call within a call), and what grows with more than its input is bounded. An `mlua` value costs a slot of at most
//! 8,000 while it lives, so a table is read an element at a time.

mod bit;
mod cjson;
mod cmsgpack;
mod native;
mod pairs;
mod structs;

use mlua::{Lua, Table};

/// How many values a function in C may have on its stack. What Redis's libraries nest in the values on theirs can be no
/// deeper than that, and so it is here.
const STACK_MAX: usize = 8000;
/// Of these, how many a function keeps free that returns as many values as it can: a callback's answer takes a few more.
const SLOTS_KEPT: usize = 8;
/// The longest text that an encoder makes, as long as the longest value. Tables that contain one another many times
/// could make it grow without end.
const OUTPUT_MAX: usize = 512 << 20;
/// Bytes that an encoder has room for at first: most texts need no more.
const FIRST_ROOM: usize = 256;

/// Adds all libraries to `globals`.
pub fn install(lua: &Lua, globals: &Table) -> mlua::Result<()> {
    bit::install(lua, globals)?;
    cjson::install(lua, globals)?;
    cmsgpack::install(lua, globals)?;
    structs::install(lua, globals)
}
