//! Values on their way between Lua and RESP.

use mlua::{Lua, Table, Value};

use super::errors::{reply_table, with_code};
use crate::format::number::{double, parse_i64};
use crate::resp::reply::{Protocol, Reply};

/// How deep a value may be nested that becomes a reply: half as deep as in Redis. A table may hold itself.
const DEEPEST: usize = 3900;

/// A reply's bytes, of which values are taken one after the other.
pub struct Incoming<'a> {
    bytes: &'a [u8],
}

impl<'a> Incoming<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Incoming { bytes }
    }

    /// Takes the next line, without its end.
    fn line(&mut self) -> &'a [u8] {
        let end = memchr::memchr(b'\r', self.bytes).unwrap_or(self.bytes.len());
        let (line, rest) = self.bytes.split_at(end);
        self.bytes = rest.get(2..).unwrap_or_default();
        line
    }

    /// Takes as many bytes and the end of line behind them.
    fn bulk(&mut self, len: usize) -> &'a [u8] {
        let (bulk, rest) = self.bytes.split_at(len.min(self.bytes.len()));
        self.bytes = rest.get(2..).unwrap_or_default();
        bulk
    }

    /// Takes the next value as what a script sees of it. The server's own replies are whole and well formed.
    ///
    /// # Errors
    /// If Lua has no memory for it.
    pub fn value(&mut self, lua: &Lua) -> mlua::Result<Value> {
        let line = self.line();
        let Some((&kind, text)) = line.split_first() else {
            return Ok(Value::Nil);
        };
        let number = || parse_i64(text).unwrap_or(0);
        let len = || usize::try_from(number()).unwrap_or(0);
        Ok(match kind {
            b'$' | b'*' if text == b"-1" => Value::Boolean(false),
            b'$' => Value::String(lua.create_string(self.bulk(len()))?),
            b':' => Value::Number(number() as f64),
            b'+' => single(lua, "ok", lua.create_string(text)?)?,
            b'-' => Value::Table(reply_table(lua, &with_code(text), true)?),
            b'*' | b'>' => self.array(lua, len())?,
            b'%' => self.map(lua, len())?,
            b'~' => self.set(lua, len())?,
            b'#' => Value::Boolean(text == b"t"),
            b',' => {
                let number = crate::format::number::parse_double(text).unwrap_or(f64::NAN);
                single(lua, "double", Value::Number(number))?
            }
            b'(' => single(lua, "big_number", lua.create_string(text)?)?,
            b'=' => self.verbatim(lua, len())?,
            b'|' => {
                for _ in 0..2 * len() {
                    self.value(lua)?;
                }
                self.value(lua)?
            }
            _ => Value::Nil,
        })
    }

    fn array(&mut self, lua: &Lua, len: usize) -> mlua::Result<Value> {
        let table = lua.create_table_with_capacity(len, 0)?;
        for index in 1..=len {
            let value = self.value(lua)?;
            table.raw_set(index, value)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, lua: &Lua, pairs: usize) -> mlua::Result<Value> {
        let table = lua.create_table_with_capacity(0, pairs)?;
        for _ in 0..pairs {
            let (key, value) = (self.value(lua)?, self.value(lua)?);
            table.raw_set(key, value)?;
        }
        single(lua, "map", table)
    }

    fn set(&mut self, lua: &Lua, len: usize) -> mlua::Result<Value> {
        let table = lua.create_table_with_capacity(0, len)?;
        for _ in 0..len {
            let member = self.value(lua)?;
            table.raw_set(member, true)?;
        }
        single(lua, "set", table)
    }

    /// Three letters of a format and a colon stand before the text.
    fn verbatim(&mut self, lua: &Lua, len: usize) -> mlua::Result<Value> {
        let whole = self.bulk(len);
        let (format, text) = whole.split_at(whole.len().min(4));
        let table = lua.create_table()?;
        table.raw_set("string", lua.create_string(text)?)?;
        table.raw_set("format", lua.create_string(&format[..format.len().min(3)])?)?;
        single(lua, "verbatim_string", table)
    }
}

fn single(lua: &Lua, name: &str, value: impl mlua::IntoLua) -> mlua::Result<Value> {
    let table = lua.create_table()?;
    table.raw_set(name, value)?;
    Ok(Value::Table(table))
}

/// A script's result on its way to the client.
pub struct Outgoing<'a> {
    pub reply: &'a mut Reply,
    /// What the script has set, which decides what becomes of its booleans.
    pub protocol: Protocol,
    /// Whether an error in the result has been counted already.
    pub is_counted: bool,
}

impl Outgoing<'_> {
    /// Writes a value as a reply.
    ///
    /// # Errors
    /// If Lua has no room to look at it.
    pub fn value(&mut self, value: &Value, depth: usize) -> mlua::Result<()> {
        match value {
            Value::String(text) => self.reply.bulk(text.as_bytes()),
            Value::Boolean(value) if self.protocol == Protocol::Resp3 => self.reply.bool(*value),
            Value::Boolean(true) => self.reply.int(1),
            Value::Integer(value) => self.reply.int(*value),
            Value::Number(value) => self.reply.int(truncated(*value)),
            Value::Table(_) if depth >= DEEPEST => self.reply.error("ERR reached lua stack limit"),
            Value::Table(table) => self.table(table, depth)?,
            _ => self.reply.null(),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table, depth: usize) -> mlua::Result<()> {
        if let Value::String(text) = table.raw_get("err")? {
            self.is_counted = table.raw_get::<Value>("ignore_error_stats_update")? == Value::Boolean(true);
            self.reply.error(text.as_bytes());
            return Ok(());
        }
        if let Value::String(text) = table.raw_get("ok")? {
            let text: Vec<u8> = text.as_bytes().iter().map(|&byte| spaced(byte)).collect();
            self.reply.simple(text);
            return Ok(());
        }
        if let Some(number) = as_number(&table.raw_get("double")?) {
            self.reply.double(number);
            return Ok(());
        }
        if let Value::String(digits) = table.raw_get("big_number")? {
            let digits: Vec<u8> = digits.as_bytes().iter().map(|&byte| spaced(byte)).collect();
            self.reply.big_number(&String::from_utf8_lossy(&digits));
            return Ok(());
        }
        if let Value::Table(verbatim) = table.raw_get("verbatim_string")?
            && let (Value::String(format), Value::String(text)) =
                (verbatim.raw_get("format")?, verbatim.raw_get("string")?)
        {
            self.verbatim(&format.as_bytes(), &text.as_bytes());
            return Ok(());
        }
        if let Value::Table(map) = table.raw_get("map")? {
            return self.deferred(Reply::map, |out| {
                let mut len = 0;
                for pair in map.pairs::<Value, Value>() {
                    let (key, value) = pair?;
                    out.value(&key, depth + 1)?;
                    out.value(&value, depth + 1)?;
                    len += 1;
                }
                Ok(len)
            });
        }
        if let Value::Table(set) = table.raw_get("set")? {
            return self.deferred(Reply::set, |out| {
                let mut len = 0;
                for pair in set.pairs::<Value, Value>() {
                    out.value(&pair?.0, depth + 1)?;
                    len += 1;
                }
                Ok(len)
            });
        }
        self.deferred(Reply::array, |out| {
            for len in 0.. {
                let element: Value = table.raw_get(len + 1)?;
                if element == Value::Nil {
                    return Ok(len);
                }
                out.value(&element, depth + 1)?;
            }
            Ok(0)
        })
    }

    /// Writes what `body` does behind its number.
    fn deferred(
        &mut self,
        announce: impl Fn(&mut Reply, usize),
        body: impl FnOnce(&mut Self) -> mlua::Result<usize>,
    ) -> mlua::Result<()> {
        let start = self.reply.bytes.len();
        let len = body(self)?;
        let end = self.reply.bytes.len();
        announce(self.reply, len);
        let header = self.reply.bytes.len() - end;
        self.reply.bytes[start..].rotate_right(header);
        Ok(())
    }

    /// The format is three letters; a shorter one is filled up.
    fn verbatim(&mut self, format: &[u8], text: &[u8]) {
        let mut letters = [b' '; 3];
        for (letter, byte) in letters.iter_mut().zip(format) {
            *letter = *byte;
        }
        self.reply.verbatim(&String::from_utf8_lossy(&letters), text);
    }
}

/// Line breaks would end a line of the protocol.
fn spaced(byte: u8) -> u8 {
    match byte {
        b'\r' | b'\n' => b' ',
        byte => byte,
    }
}

fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Integer(number) => Some(*number as f64),
        _ => None,
    }
}

/// The integer that C makes of a double: what fits none becomes the lowest.
fn truncated(value: f64) -> i64 {
    if value.is_finite() && value.abs() < 9_223_372_036_854_775_808.0 {
        value as i64
    } else {
        i64::MIN
    }
}

/// Adds a number as commands get it: an integer if it is one, else in the shortest form that says which it is, as Redis
/// 7.2 does.
pub fn push_number(into: &mut Vec<u8>, value: f64) {
    let limit = (i64::MAX / 2) as f64;
    if value == value.trunc() && value.abs() <= limit {
        let mut digits = itoa::Buffer::new();
        into.extend_from_slice(digits.format(value as i64).as_bytes());
    } else {
        into.extend_from_slice(double(value).as_bytes());
    }
}
