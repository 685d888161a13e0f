//! `cjson`: JSON, as Mark Pulford's Lua CJSON reads and writes it.
//!
//! A table is an array if its keys are integers from one up, not many of them missing; an empty one is an object. Null is
//! a userdata of its own, `cjson.null`, since a table holds no nil. The settings belong to the library's table, so
//! `cjson.new()` makes one with settings of its own.

mod decode;
mod encode;

use crate::scripting::library::native::{self, Arguments, Raise};
use mlua::{IntoLua, Lua, MultiValue, Table, Value};
use std::cell::RefCell;
use std::rc::Rc;

pub fn install(lua: &Lua, globals: &Table) -> mlua::Result<()> {
    globals.raw_set("cjson", library(lua)?)
}

/// What can be set.
struct Settings {
    /// Whether an array with too many holes is written as an object; else it is an error.
    sparse_convert: bool,
    /// How many places an array may have for each element; zero is any number.
    sparse_ratio: i32,
    /// The length up to which an array may have any holes.
    sparse_safe: i32,
    encode_max_depth: i32,
    decode_max_depth: i32,
    encode_invalid: Invalid,
    /// Whether to read infinities, not-a-number and hexadecimal.
    decode_invalid: bool,
    /// Significant digits written.
    precision: i32,
    /// Kept for its answer. There is no buffer that outlives a call here.
    keep_buffer: bool,
}

/// What infinities and not-a-number are written as.
#[derive(Clone, Copy)]
enum Invalid {
    Error,
    Text,
    Null,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            sparse_convert: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_max_depth: 1000,
            decode_max_depth: 1000,
            encode_invalid: Invalid::Error,
            decode_invalid: true,
            precision: 14,
            keep_buffer: true,
        }
    }
}

/// A function that sets something and answers what is set.
type Setter = fn(&Call, &mut Settings) -> Result<Vec<Value>, Raise>;

/// These functions, with how many arguments each takes.
const SETTERS: &[(&str, usize, Setter)] = &[
    ("encode_sparse_array", 3, |call, settings| {
        let convert = call.switch(&mut settings.sparse_convert)?;
        let ratio = call.integer(2, &mut settings.sparse_ratio, 0, i32::MAX)?;
        let safe = call.integer(3, &mut settings.sparse_safe, 0, i32::MAX)?;
        Ok(vec![convert, ratio, safe])
    }),
    ("encode_max_depth", 1, |call, settings| {
        Ok(vec![call.integer(1, &mut settings.encode_max_depth, 1, i32::MAX)?])
    }),
    ("decode_max_depth", 1, |call, settings| {
        Ok(vec![call.integer(1, &mut settings.decode_max_depth, 1, i32::MAX)?])
    }),
    ("encode_number_precision", 1, |call, settings| {
        Ok(vec![call.integer(1, &mut settings.precision, 1, 14)?])
    }),
    ("encode_keep_buffer", 1, |call, settings| {
        Ok(vec![call.switch(&mut settings.keep_buffer)?])
    }),
    ("encode_invalid_numbers", 1, |call, settings| {
        Ok(vec![call.invalid(&mut settings.encode_invalid)?])
    }),
    ("decode_invalid_numbers", 1, |call, settings| {
        Ok(vec![call.switch(&mut settings.decode_invalid)?])
    }),
];

/// A call of a setter. What is nil is left as it is.
struct Call<'a> {
    lua: &'a Lua,
    arguments: &'a Arguments,
}

impl Call<'_> {
    fn integer(&self, position: usize, setting: &mut i32, low: i32, high: i32) -> Result<Value, Raise> {
        if !self.arguments.is_nil(position) {
            // As C takes a long integer for an `int`.
            let value = self.arguments.integer(self.lua, position)? as i32;
            if !(low..=high).contains(&value) {
                return Err(Raise::argument(1, format!("expected integer between {low} and {high}")));
            }
            *setting = value;
        }
        Ok(Value::Integer(i64::from(*setting)))
    }

    fn switch(&self, setting: &mut bool) -> Result<Value, Raise> {
        match self.arguments.get(1) {
            None | Some(Value::Nil) => {}
            Some(Value::Boolean(value)) => *setting = *value,
            Some(_) => *setting = self.arguments.option(self.lua, 1, &["off", "on"])? == 1,
        }
        Ok(Value::Boolean(*setting))
    }

    fn invalid(&self, setting: &mut Invalid) -> Result<Value, Raise> {
        match self.arguments.get(1) {
            None | Some(Value::Nil) => {}
            Some(Value::Boolean(false)) => *setting = Invalid::Error,
            Some(Value::Boolean(true)) => *setting = Invalid::Text,
            Some(_) => {
                let options = [Invalid::Error, Invalid::Text, Invalid::Null];
                *setting = options[self.arguments.option(self.lua, 1, &["off", "on", "null"])?];
            }
        }
        match setting {
            Invalid::Error => Ok(Value::Boolean(false)),
            Invalid::Text => Ok(Value::Boolean(true)),
            Invalid::Null => Ok("null".into_lua(self.lua)?),
        }
    }
}

/// A library with settings of its own.
fn library(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    let settings = Rc::new(RefCell::new(Settings::default()));
    for &(name, most, set) in SETTERS {
        let settings = settings.clone();
        let body = move |lua: &Lua, arguments: &Arguments| {
            if arguments.len() > most {
                return Err(Raise::argument(most + 1, "found too many arguments"));
            }
            let answers = set(&Call { lua, arguments }, &mut settings.borrow_mut())?;
            Ok(MultiValue::from_vec(answers))
        };
        library.raw_set(name, native::function(lua, body)?)?;
    }
    let shared = settings.clone();
    let encode = move |lua: &Lua, arguments: &Arguments| {
        let text = encode::encode(lua, only(arguments)?, &shared.borrow())?;
        returned(Value::String(lua.create_string(text)?))
    };
    library.raw_set("encode", native::function(lua, encode)?)?;
    let decode = move |lua: &Lua, arguments: &Arguments| {
        only(arguments)?;
        returned(decode::decode(
            lua,
            &arguments.string(lua, 1)?.as_bytes(),
            &settings.borrow(),
        )?)
    };
    library.raw_set("decode", native::function(lua, decode)?)?;
    let new = |lua: &Lua, _: &Arguments| returned(Value::Table(self::library(lua)?));
    library.raw_set("new", native::function(lua, new)?)?;
    library.raw_set("null", Value::NULL)?;
    library.raw_set("_NAME", "cjson")?;
    library.raw_set("_VERSION", "2.1.0")?;
    Ok(library)
}

fn returned(value: Value) -> native::Returned {
    Ok(MultiValue::from_iter([value]))
}

/// The one argument there must be.
fn only(arguments: &Arguments) -> Result<&Value, Raise> {
    match (arguments.len(), arguments.get(1)) {
        (1, Some(value)) => Ok(value),
        _ => Err(Raise::argument(1, "expected 1 argument")),
    }
}
