//! How functions of the libraries take their arguments and fail.
//!
//! They are as functions in C would be, to the texts of the errors: `bad argument #2 to 'pack' (number expected, got nil)`,
//! behind the place of the call. What is raised so is a string to the script, see [`errors`](crate::scripting::errors).

use crate::scripting::engine;
use crate::scripting::errors::{Raised, text_error};
use mlua::{Error, Function, Lua, MultiValue, Value};

/// What a function raises instead of returning.
pub enum Raise {
    /// A text, behind the place of the call.
    Text(Vec<u8>),
    /// A text alone.
    Bare(Vec<u8>),
    /// What is wrong with an argument, counted from one.
    Argument(usize, Vec<u8>),
    /// What the interpreter said, or has no memory for.
    Lua(Error),
}

impl Raise {
    pub fn text(text: impl Into<Vec<u8>>) -> Raise {
        Raise::Text(text.into())
    }

    pub fn argument(position: usize, text: impl Into<Vec<u8>>) -> Raise {
        Raise::Argument(position, text.into())
    }
}

impl From<Error> for Raise {
    fn from(error: Error) -> Raise {
        Raise::Lua(error)
    }
}

/// What a function returns.
pub type Returned = Result<MultiValue, Raise>;

/// Makes a function for scripts of `body`.
pub fn function(lua: &Lua, body: impl Fn(&Lua, &Arguments) -> Returned + 'static) -> mlua::Result<Function> {
    lua.create_function(move |lua, arguments: MultiValue| {
        let arguments = Arguments(arguments.into_iter().collect());
        body(lua, &arguments).map_err(|raise| raised(lua, raise))
    })
}

fn raised(lua: &Lua, raise: Raise) -> Error {
    match raise {
        Raise::Text(text) => text_error(lua, text),
        Raise::Argument(position, text) => text_error(lua, about_argument(lua, position, &text)),
        Raise::Bare(text) => Error::external(Raised::Text(text)),
        Raise::Lua(Error::StackError) => Error::external(Raised::Text(b"stack overflow".to_vec())),
        Raise::Lua(error) => error,
    }
}

fn about_argument(lua: &Lua, position: usize, text: &[u8]) -> Vec<u8> {
    let named = lua.inspect_stack(0, |callee| {
        let names = callee.names();
        (
            names.name.map(|name| name.into_owned()),
            names.name_what == Some("method"),
        )
    });
    let (name, method) = named.unwrap_or_default();
    let name = name.unwrap_or_else(|| "?".to_owned());
    let mut about = match (method, position) {
        (true, 1) => format!("calling '{name}' on bad self ("),
        (true, _) => format!("bad argument #{} to '{name}' (", position - 1),
        (false, _) => format!("bad argument #{position} to '{name}' ("),
    }
    .into_bytes();
    about.extend_from_slice(text);
    about.push(b')');
    about
}

/// A call's arguments, counted from one, taken as Lua's own functions take theirs: numbers pass for text, and text that
/// reads as a number passes for one.
pub struct Arguments(Vec<Value>);

impl Arguments {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Value> {
        self.0.iter()
    }

    pub fn get(&self, position: usize) -> Option<&Value> {
        self.0.get(position.wrapping_sub(1))
    }

    /// Whether there is nothing, or nil.
    pub fn is_nil(&self, position: usize) -> bool {
        self.get(position).is_none_or(Value::is_nil)
    }

    pub fn string(&self, lua: &Lua, position: usize) -> Result<mlua::LuaString, Raise> {
        match self.get(position) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(number @ (Value::Integer(_) | Value::Number(_))) => lua
                .coerce_string(number.clone())?
                .ok_or_else(|| self.not_a("string", position)),
            _ => Err(self.not_a("string", position)),
        }
    }

    pub fn number(&self, lua: &Lua, position: usize) -> Result<f64, Raise> {
        match self.get(position).and_then(|value| number(lua, value)) {
            Some(number) => Ok(number),
            None => Err(self.not_a("number", position)),
        }
    }

    pub fn integer(&self, lua: &Lua, position: usize) -> Result<i64, Raise> {
        self.number(lua, position).map(to_i64)
    }

    pub fn integer_or(&self, lua: &Lua, position: usize, default: i64) -> Result<i64, Raise> {
        if self.is_nil(position) {
            Ok(default)
        } else {
            self.integer(lua, position)
        }
    }

    /// Which of `options` the argument names.
    pub fn option(&self, lua: &Lua, position: usize, options: &[&str]) -> Result<usize, Raise> {
        let text = self.string(lua, position)?;
        // As text in C, which ends at a zero byte.
        let text = c_text(&text.as_bytes()).to_vec();
        match options.iter().position(|option| option.as_bytes() == text) {
            Some(index) => Ok(index),
            None => Err(Raise::argument(
                position,
                [b"invalid option '", &text[..], b"'"].concat(),
            )),
        }
    }

    /// That the argument is of another type than the one `expected`.
    pub fn not_a(&self, expected: &str, position: usize) -> Raise {
        let found = self.get(position).map_or("no value", type_name);
        Raise::argument(position, format!("{expected} expected, got {found}"))
    }
}

/// Steps between breaths.
const STRIDE: u32 = 4096;

/// The breath of a long loop, which says so for each of its steps.
#[derive(Default)]
pub struct Breath(u32);

impl Breath {
    pub fn step(&mut self, lua: &Lua) -> Result<(), Raise> {
        self.0 += 1;
        if self.0 < STRIDE {
            return Ok(());
        }
        self.0 = 0;
        Ok(engine::breathe(lua)?)
    }
}

/// The bytes before the first that is zero.
pub fn c_text(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// The value as a number, if it is one or text that reads as one.
pub fn number(lua: &Lua, value: &Value) -> Option<f64> {
    match value {
        Value::Integer(integer) => Some(*integer as f64),
        Value::Number(number) => Some(*number),
        Value::String(_) => lua.coerce_number(value.clone()).ok().flatten(),
        _ => None,
    }
}

/// A double as x86 converts it to a signed integer: what does not fit becomes the lowest.
pub fn to_i64(number: f64) -> i64 {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if (-BEYOND..BEYOND).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

/// What Lua calls the type of a value.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "boolean",
        Value::Integer(_) | Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Table(_) => "table",
        Value::Function(_) => "function",
        Value::Thread(_) => "thread",
        _ => "userdata",
    }
}
