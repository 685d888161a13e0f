//! Values to JSON.

use super::{Invalid, Settings};
use crate::format::number;
use crate::scripting::library::native::{self, Breath, Raise};
use crate::scripting::library::pairs::{self, Pairs};
use crate::scripting::library::{FIRST_ROOM, OUTPUT_MAX, STACK_MAX};
use mlua::{Lua, Table, Value};

pub fn encode(lua: &Lua, value: &Value, settings: &Settings) -> Result<Vec<u8>, Raise> {
    let mut encoder = Encoder {
        settings,
        out: Vec::with_capacity(FIRST_ROOM),
        frames: Vec::new(),
        slots: 1,
    };
    encoder.begin(value)?;
    let mut breath = Breath::default();
    while encoder.step()? {
        breath.step(lua)?;
    }
    Ok(encoder.out)
}

struct Encoder<'a> {
    settings: &'a Settings,
    out: Vec<u8>,
    frames: Vec<Frame>,
    /// How many values Redis's library would have on its stack.
    slots: usize,
}

/// A table that is half written.
enum Frame {
    /// An array, with the index of the element that is next, and the last one's.
    Array(Table, i32, i32),
    /// An object, and whether no pair has been written yet.
    Object(Pairs, bool),
}

impl Frame {
    /// How many values are on the stack for this table while one in it is written.
    fn slots(&self) -> usize {
        match self {
            Frame::Array(..) => 1,
            Frame::Object(..) => 2,
        }
    }
}

impl Encoder<'_> {
    /// Writes the next value of the innermost table, or its end. False if there is no table.
    fn step(&mut self) -> Result<bool, Raise> {
        let Some(frame) = self.frames.last_mut() else {
            return Ok(false);
        };
        let value = match frame {
            Frame::Array(table, index, last) if *index <= *last => {
                if *index > 1 {
                    self.out.push(b',');
                }
                let value: Value = table.raw_get(*index)?;
                match index.checked_add(1) {
                    Some(following) => *index = following,
                    None => *last = 0,
                }
                value
            }
            Frame::Array(..) => return Ok(self.end(b']')),
            Frame::Object(pairs, first) => match pairs.next()? {
                Some((key, value)) => {
                    if !std::mem::take(first) {
                        self.out.push(b',');
                    }
                    self.key(&key)?;
                    value
                }
                None => return Ok(self.end(b'}')),
            },
        };
        self.begin(&value)?;
        Ok(true)
    }

    fn end(&mut self, bracket: u8) -> bool {
        self.out.push(bracket);
        let ended = self.frames.pop();
        self.slots -= ended.map_or(0, |frame| frame.slots());
        true
    }

    /// Writes a value, of a table only the bracket.
    fn begin(&mut self, value: &Value) -> Result<(), Raise> {
        if self.out.len() > OUTPUT_MAX {
            return Err(Raise::text(format!("Cannot serialise, more than {OUTPUT_MAX} bytes")));
        }
        match value {
            Value::String(text) => self.text(&text.as_bytes()),
            Value::Integer(integer) => self.number(*integer as f64)?,
            Value::Number(number) => self.number(*number)?,
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Table(table) => self.table(table)?,
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::LightUserData(null) if null.0.is_null() => self.out.extend_from_slice(b"null"),
            _ => return Err(cannot(value, "type not supported")),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table) -> Result<(), Raise> {
        let depth = self.frames.len() + 1;
        if depth > self.settings.encode_max_depth as usize || self.slots + 3 > STACK_MAX {
            return Err(Raise::text(format!("Cannot serialise, excessive nesting ({depth})")));
        }
        let len = self.array_length(table)?;
        let frame = if len > 0 {
            Frame::Array(table.clone(), 1, len)
        } else {
            Frame::Object(Pairs::of(table), true)
        };
        self.out.push(if len > 0 { b'[' } else { b'{' });
        self.slots += frame.slots();
        self.frames.push(frame);
        Ok(())
    }

    /// The highest index if all keys are integers from one up and there are not too many holes; else none, or less than
    /// one. An index beyond 2^31 becomes the lowest number on its way to an `int`, so that it makes an object.
    fn array_length(&self, table: &Table) -> Result<i32, Raise> {
        let mut highest = 0_i32;
        let mut elements = 0_i32;
        for key in pairs::keys(table) {
            let key = match key? {
                Value::Integer(key) => key as f64,
                Value::Number(key) => key,
                _ => return Ok(-1),
            };
            if key < 1.0 || key.floor() != key {
                return Ok(-1);
            }
            if key > f64::from(highest) {
                highest = if key > f64::from(i32::MAX) {
                    i32::MIN
                } else {
                    key as i32
                };
            }
            elements = elements.wrapping_add(1);
        }
        let settings = self.settings;
        let dense = elements.wrapping_mul(settings.sparse_ratio);
        if settings.sparse_ratio > 0 && highest > dense && highest > settings.sparse_safe {
            if settings.sparse_convert {
                return Ok(-1);
            }
            return Err(cannot(&Value::Table(table.clone()), "excessively sparse array"));
        }
        Ok(highest)
    }

    fn key(&mut self, key: &Value) -> Result<(), Raise> {
        match key {
            Value::String(text) => self.text(&text.as_bytes()),
            Value::Integer(_) | Value::Number(_) => {
                self.out.push(b'"');
                self.begin(key)?;
                self.out.push(b'"');
            }
            _ => return Err(cannot(key, "table key must be a number or string")),
        }
        self.out.push(b':');
        Ok(())
    }

    fn number(&mut self, value: f64) -> Result<(), Raise> {
        if !value.is_finite() {
            match self.settings.encode_invalid {
                Invalid::Error => return Err(cannot(&Value::Number(value), "must not be NaN or Inf")),
                Invalid::Null => self.out.extend_from_slice(b"null"),
                Invalid::Text if value.is_nan() => self.out.extend_from_slice(b"nan"),
                Invalid::Text => self.out.extend_from_slice(if value > 0.0 { b"inf" } else { b"-inf" }),
            }
            return Ok(());
        }
        let precision = self.settings.precision as usize;
        self.out
            .extend_from_slice(number::double_g(value, precision).as_bytes());
        Ok(())
    }

    fn text(&mut self, text: &[u8]) {
        self.out.reserve(text.len() + 2);
        self.out.push(b'"');
        let mut rest = text;
        while let Some(plain) = rest.iter().position(|&byte| is_escaped(byte)) {
            self.out.extend_from_slice(&rest[..plain]);
            self.escape(rest[plain]);
            rest = &rest[plain + 1..];
        }
        self.out.extend_from_slice(rest);
        self.out.push(b'"');
    }

    fn escape(&mut self, byte: u8) {
        let letter = match byte {
            b'"' | b'\\' | b'/' => byte,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0C => b'f',
            b'\r' => b'r',
            _ => return self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        };
        self.out.extend_from_slice(&[b'\\', letter]);
    }
}

fn is_escaped(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | b'/' | ..=0x1F | 0x7F)
}

fn cannot(value: &Value, why: &str) -> Raise {
    Raise::text(format!("Cannot serialise {}: {why}", native::type_name(value)))
}
