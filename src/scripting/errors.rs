//! Errors that functions written in Rust raise in Lua.
//!
//! The interpreter's binding raises whatever a function returns as `Err` as an object that Lua code can do nothing with.
//! So whoever catches errors ([`super::sandbox`] replaces `pcall` and its like) turns it into what the function meant
//! first: a string, as `luaL_error` raises, or the table with `err` that `redis.call` does.

use std::fmt;

use mlua::{Error, Lua, Table, Value};

/// What is meant by an error of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raised {
    /// A string.
    Text(Vec<u8>),
    /// A table with the text as its `err`.
    Reply {
        text: Vec<u8>,
        /// Whether the error was counted when the command failed.
        is_counted: bool,
    },
    /// The end of a script that is killed.
    Killed,
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Raised::Text(text) | Raised::Reply { text, .. } => f.write_str(&String::from_utf8_lossy(text)),
            Raised::Killed => f.write_str(KILLED),
        }
    }
}

impl std::error::Error for Raised {}

const KILLED: &str = "ERR Script killed by user with SCRIPT KILL...";

/// An error with a string behind the place of the call in the script, as `luaL_error` makes it. To be returned by functions
/// that Lua calls.
pub fn text_error(lua: &Lua, text: impl AsRef<[u8]>) -> Error {
    let mut whole = place(lua).into_bytes();
    whole.extend_from_slice(text.as_ref());
    Error::external(Raised::Text(whole))
}

/// The error with which Lua's own functions refuse an argument: `bad argument #1 to 'name' (why)`.
pub fn argument_error(lua: &Lua, position: usize, function: &str, why: &str) -> Error {
    text_error(lua, format!("bad argument #{position} to '{function}' ({why})"))
}

/// An error with a table, of `text` that begins with its code.
pub fn reply_error(text: impl AsRef<[u8]>, is_counted: bool) -> Error {
    Error::external(Raised::Reply {
        text: text.as_ref().to_vec(),
        is_counted,
    })
}

/// Where the function that runs was called: `source:line: `, or nothing if that is not in Lua.
fn place(lua: &Lua) -> String {
    let place = lua.inspect_stack(1, |debug| {
        let line = debug.current_line()?;
        let source = debug.source().short_src?.into_owned();
        Some(format!("{source}:{line}: "))
    });
    place.flatten().unwrap_or_default()
}

/// What Lua is to see of an error that was caught.
pub fn plain(lua: &Lua, caught: Value) -> mlua::Result<Value> {
    let Value::Error(error) = caught else {
        return Ok(caught);
    };
    match raised(&error) {
        Some(Raised::Text(text)) => lua.create_string(text).map(Value::String),
        Some(Raised::Reply { text, is_counted }) => reply_table(lua, text, *is_counted).map(Value::Table),
        Some(Raised::Killed) => reply_table(lua, KILLED.as_bytes(), false).map(Value::Table),
        // Of the binding itself.
        None => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            let line = line.strip_prefix("runtime error: ").unwrap_or(line);
            lua.create_string(line).map(Value::String)
        }
    }
}

/// Whether an error is the end of a script that is killed.
pub fn is_final(caught: &Value) -> bool {
    matches!(caught, Value::Error(error) if matches!(raised(error), Some(Raised::Killed)))
}

/// The table of an error reply.
pub fn reply_table(lua: &Lua, text: &[u8], is_counted: bool) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("err", lua.create_string(text)?)?;
    if is_counted {
        table.raw_set("ignore_error_stats_update", true)?;
    }
    Ok(table)
}

fn raised(error: &Error) -> Option<&Raised> {
    match error {
        Error::CallbackError { cause, .. } => raised(cause),
        Error::ExternalError(external) => external.downcast_ref(),
        _ => None,
    }
}

/// The form of an error reply's text in a table: with `ERR` as its code if it has none.
pub fn with_code(line: &[u8]) -> Vec<u8> {
    let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let (code, text) = match memchr::memchr(b' ', line) {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (&b"ERR"[..], line),
    };
    let start = text.iter().position(|byte| !is_break(byte)).unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|byte| !is_break(byte))
        .map_or(start, |last| last + 1);
    [code, b" ", &text[start..end]].concat()
}

/// The handler of errors that end a script: makes a table of what was raised, with the place where it was. That is the
/// function which raised it, or who called that if it is none of Lua's.
pub fn located(lua: &Lua, caught: Value) -> mlua::Result<Value> {
    let place = raising_place(lua);
    let table = match plain(lua, caught)? {
        Value::Table(table) => table,
        Value::String(text) => reply_table(lua, &[b"ERR ", &*text.as_bytes()].concat(), false)?,
        other => reply_table(lua, format!("ERR {}", other.to_string()?).as_bytes(), false)?,
    };
    if let Some((source, line)) = place {
        table.set("source", source)?;
        table.set("line", line)?;
    }
    Ok(Value::Table(table))
}

/// Source and line of the function that has raised an error, to its handler.
fn raising_place(lua: &Lua) -> Option<(String, i64)> {
    let look = |level| {
        lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let line = debug.current_line().map_or(-1, |line| line as i64);
            let name = source.source.map(|name| name.into_owned()).unwrap_or_default();
            (source.what == "C", name, line)
        })
    };
    // Level 0 is the handler itself.
    let mut level = 1;
    if look(level)?.0 {
        level = 2;
    }
    // The sandbox raises errors in the name of scripts.
    loop {
        let (_, name, line) = look(level)?;
        if name != "=prelude" {
            return Some((name, line));
        }
        level += 1;
    }
}
