//! `cmsgpack`: MessagePack, JSON's values in fewer bytes.
//!
//! A value begins with a byte that says what it is and, for small ones, all of it:
//!
//! ```text
//! 00-7f  80-8f  90-9f  a0-bf   e0-ff      integer, map of so many pairs, array, text of so many bytes, negative integer
//! c0  c2  c3                              nil, false, true
//! ca  cb                                  float, double
//! cc cd ce cf   d0 d1 d2 d3               integers of 1, 2, 4 and 8 bytes, without and with a sign
//! d9 da db   dc dd   de df                text, arrays and maps whose lengths have 1, 2 and 4, or 2 and 4 bytes
//! ```
//!
//! A table is an array if its keys are the integers from one up, else a map. Tables are packed to a depth of sixteen;
//! what is deeper is nil, which also ends cycles. What is unpacked may be nested as deep as Redis's C stack of Lua
//! values allows.

use super::native::{self, Arguments, Breath, Raise};
use super::pairs::{self, Pairs};
use super::{FIRST_ROOM, OUTPUT_MAX, SLOTS_KEPT, STACK_MAX};
use mlua::{IntoLua, IntoLuaMulti, Lua, MultiValue, Table, Value};

/// How deep tables are packed.
const DEPTH_MAX: usize = 16;

pub fn install(lua: &Lua, globals: &Table) -> mlua::Result<()> {
    let library = lua.create_table()?;
    library.raw_set("pack", native::function(lua, pack)?)?;
    library.raw_set("unpack", native::function(lua, unpack_all)?)?;
    library.raw_set("unpack_one", native::function(lua, unpack_one)?)?;
    library.raw_set("unpack_limit", native::function(lua, unpack_limit)?)?;
    library.raw_set("_NAME", "cmsgpack")?;
    library.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    library.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    library.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    globals.raw_set("cmsgpack", library)
}

fn pack(lua: &Lua, arguments: &Arguments) -> native::Returned {
    if arguments.is_empty() {
        return Err(Raise::argument(0, "MessagePack pack needs input."));
    }
    if arguments.len() * 2 > STACK_MAX {
        return Err(Raise::argument(0, "Too many arguments for MessagePack pack."));
    }
    let mut packer = Packer {
        lua,
        out: Vec::with_capacity(FIRST_ROOM),
        frames: Vec::new(),
        breath: Breath::default(),
    };
    for value in arguments.iter() {
        packer.pack(value)?;
    }
    Ok(lua.create_string(packer.out)?.into_lua_multi(lua)?)
}

struct Packer<'a> {
    lua: &'a Lua,
    out: Vec<u8>,
    frames: Vec<Packing>,
    breath: Breath,
}

/// Something that is half packed, and how many tables it is within.
struct Packing {
    level: usize,
    what: Half,
}

enum Half {
    /// An array, with the index of the element that is next, and the last one's.
    Array(Table, usize, usize),
    Map(Pairs),
    /// The value whose key is being packed.
    Value(Value),
}

impl Packer<'_> {
    fn pack(&mut self, value: &Value) -> Result<(), Raise> {
        self.begin(value, 0)?;
        while let Some(frame) = self.frames.last_mut() {
            self.breath.step(self.lua)?;
            let within = frame.level + 1;
            let (value, level) = match &mut frame.what {
                Half::Array(table, next, last) if *next <= *last => {
                    *next += 1;
                    (table.raw_get(*next - 1)?, within)
                }
                Half::Array(..) => {
                    self.frames.pop();
                    continue;
                }
                Half::Map(pairs) => match pairs.next()? {
                    Some((key, value)) => {
                        self.frames.push(Packing {
                            level: within,
                            what: Half::Value(value),
                        });
                        (key, within)
                    }
                    None => {
                        self.frames.pop();
                        continue;
                    }
                },
                Half::Value(value) => {
                    let (value, level) = (std::mem::replace(value, Value::Nil), frame.level);
                    self.frames.pop();
                    (value, level)
                }
            };
            self.begin(&value, level)?;
        }
        Ok(())
    }

    /// Packs a value, of a table only the head.
    fn begin(&mut self, value: &Value, level: usize) -> Result<(), Raise> {
        if self.out.len() > OUTPUT_MAX {
            return Err(Raise::text(format!("More than {OUTPUT_MAX} bytes of output.")));
        }
        match value {
            Value::String(text) => self.text(&text.as_bytes()),
            Value::Boolean(value) => self.out.push(if *value { 0xC3 } else { 0xC2 }),
            Value::Integer(integer) => self.integer(*integer),
            Value::Number(number) => self.number(*number),
            Value::Table(table) if level < DEPTH_MAX => return self.table(table, level),
            _ => self.out.push(0xC0),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table, level: usize) -> Result<(), Raise> {
        let what = match shape(table)? {
            Shape::Array(len) => {
                self.head(len, (0x90, 15), &[], [0xDC, 0xDD]);
                Half::Array(table.clone(), 1, len)
            }
            Shape::Map(len) => {
                self.head(len, (0x80, 15), &[], [0xDE, 0xDF]);
                Half::Map(Pairs::of(table))
            }
        };
        self.frames.push(Packing { level, what });
        Ok(())
    }

    fn text(&mut self, text: &[u8]) {
        self.head(text.len(), (0xA0, 31), &[0xD9], [0xDA, 0xDB]);
        self.out.extend_from_slice(text);
    }

    /// A length: within the byte `small` if it is at most the maximum beside it, else behind the byte for a length of
    /// one byte (if there is one), two or four.
    fn head(&mut self, len: usize, small: (u8, usize), one: &[u8], more: [u8; 2]) {
        let bytes = (len as u32).to_be_bytes();
        match (one, len) {
            _ if len <= small.1 => self.out.push(small.0 | len as u8),
            ([one], ..=0xFF) => self.out.extend_from_slice(&[*one, len as u8]),
            (_, ..=0xFFFF) => self.out.extend_from_slice(&[more[0], bytes[2], bytes[3]]),
            _ => {
                self.out.push(more[1]);
                self.out.extend_from_slice(&bytes);
            }
        }
    }

    fn number(&mut self, number: f64) {
        let integer = native::to_i64(number);
        if integer as f64 == number {
            return self.integer(integer);
        }
        let short = number as f32;
        if f64::from(short) == number {
            self.out.push(0xCA);
            self.out.extend_from_slice(&short.to_be_bytes());
        } else {
            self.out.push(0xCB);
            self.out.extend_from_slice(&number.to_be_bytes());
        }
    }

    /// In the fewest bytes.
    fn integer(&mut self, integer: i64) {
        let (kind, len) = match integer {
            -32..=0x7F => return self.out.push(integer as u8),
            0x80..=0xFF => (0xCC, 1),
            0x100..=0xFFFF => (0xCD, 2),
            0x1_0000..=0xFFFF_FFFF => (0xCE, 4),
            0x1_0000_0000.. => (0xCF, 8),
            -0x80..=-33 => (0xD0, 1),
            -0x8000..=-0x81 => (0xD1, 2),
            -0x8000_0000..=-0x8001 => (0xD2, 4),
            ..=-0x8000_0001 => (0xD3, 8),
        };
        self.out.push(kind);
        self.out.extend_from_slice(&integer.to_be_bytes()[8 - len..]);
    }
}

/// What a table is packed as, and how long.
enum Shape {
    Array(usize),
    Map(usize),
}

fn shape(table: &Table) -> Result<Shape, Raise> {
    let mut len = 0;
    let mut highest = 0;
    let mut array = true;
    for key in pairs::keys(table) {
        len += 1;
        match key? {
            Value::Integer(key @ 1..=0x7FFF_FFFF) => highest = highest.max(key as usize),
            _ => array = false,
        }
    }
    Ok(if array && highest == len {
        Shape::Array(len)
    } else {
        Shape::Map(len)
    })
}

fn unpack_all(lua: &Lua, arguments: &Arguments) -> native::Returned {
    unpack(lua, arguments, arguments.len(), 0, 0)
}

fn unpack_one(lua: &Lua, arguments: &Arguments) -> native::Returned {
    let offset = arguments.integer_or(lua, 2, 0)?;
    unpack(lua, arguments, 1, 1, offset)
}

fn unpack_limit(lua: &Lua, arguments: &Arguments) -> native::Returned {
    let limit = arguments.integer(lua, 2)?;
    let offset = arguments.integer_or(lua, 3, 0)?;
    unpack(lua, arguments, 1, limit, offset)
}

/// Unpacks up to `limit` values behind `offset`, or all of them if both are zero. Unless it is all, what comes first is
/// where the next one begins, or -1 at the end. `held` arguments share the stack with the values.
fn unpack(lua: &Lua, arguments: &Arguments, held: usize, limit: i64, offset: i64) -> native::Returned {
    let text = arguments.string(lua, 1)?;
    let text = text.as_bytes();
    let len = text.len();
    // Both texts have their numbers as C's `int`. That the first tells the length as the limit is what Redis does.
    let (shown_offset, shown_len) = (offset as i32, len as i32);
    if offset < 0 || limit < 0 {
        let text = format!("Invalid request to unpack with offset of {shown_offset} and limit of {shown_len}.");
        return Err(Raise::text(text));
    }
    let Some(input) = text.get(offset as usize..) else {
        let text = format!("Start offset {shown_offset} greater than input length {shown_len}.");
        return Err(Raise::text(text));
    };
    let all = limit == 0 && offset == 0;
    let limit = if all { i64::from(i32::MAX) } else { limit };
    let mut unpacker = Unpacker {
        lua,
        input,
        frames: Vec::new(),
        slots: held + SLOTS_KEPT,
        breath: Breath::default(),
    };
    let mut values = Vec::new();
    while !unpacker.input.is_empty() && (values.len() as i64) < limit {
        values.push(unpacker.value()?);
        unpacker.slots += 1;
    }
    if !all {
        unpacker.room(0, "in function mp_unpack_full")?;
        let left = unpacker.input.len();
        let next = if left == 0 { -1 } else { (len - left) as i64 };
        values.insert(0, next.into_lua(lua)?);
    }
    Ok(MultiValue::from_vec(values))
}

struct Unpacker<'a> {
    lua: &'a Lua,
    input: &'a [u8],
    frames: Vec<Unpacking>,
    /// How many values Redis's library would have on its stack, which bounds how many there may be, and how deep.
    slots: usize,
    breath: Breath,
}

/// A table that is half unpacked.
struct Unpacking {
    table: Table,
    /// Elements or pairs to come.
    left: usize,
    part: Part,
    /// The slots that it takes.
    slots: usize,
}

/// What comes next in a table.
enum Part {
    /// The element of this index.
    Element(usize),
    Key,
    /// The value of this key.
    Value(Value),
}

impl Unpacking {
    /// How many values are on the stack beside the table while the next part of it is unpacked.
    fn beside(&self) -> usize {
        if matches!(self.part, Part::Key) { 0 } else { 1 }
    }

    fn put(&mut self, value: Value) -> Result<(), Raise> {
        self.part = match std::mem::replace(&mut self.part, Part::Key) {
            Part::Key => {
                self.part = Part::Value(value);
                return Ok(());
            }
            Part::Element(index) => {
                self.table.raw_set(index, value)?;
                Part::Element(index + 1)
            }
            Part::Value(Value::Nil) => return Err(Raise::Bare(b"table index is nil".to_vec())),
            Part::Value(Value::Number(key)) if key.is_nan() => {
                return Err(Raise::Bare(b"table index is NaN".to_vec()));
            }
            Part::Value(key) => {
                self.table.raw_set(key, value)?;
                Part::Key
            }
        };
        self.left -= 1;
        Ok(())
    }
}

impl Unpacker<'_> {
    /// Unpacks one value with all that it contains.
    fn value(&mut self) -> Result<Value, Raise> {
        loop {
            self.breath.step(self.lua)?;
            let mut whole = self.read()?;
            // A value may be the last of its table, and that the last of the table around it.
            loop {
                match (whole, self.frames.last_mut()) {
                    (Some(value), None) => return Ok(value),
                    (Some(value), Some(frame)) => frame.put(value)?,
                    (None, _) => {}
                }
                match self.frames.pop_if(|frame| frame.left == 0) {
                    Some(ended) => {
                        self.slots -= ended.slots;
                        whole = Some(Value::Table(ended.table));
                    }
                    None => break,
                }
            }
        }
    }

    /// Takes a value from the input. Of a table it takes only the head, and leaves a frame for the rest.
    fn read(&mut self) -> Result<Option<Value>, Raise> {
        let Some(&kind) = self.input.first() else {
            return Err(missing());
        };
        let beside = self.frames.last().map_or(0, Unpacking::beside);
        self.room(
            beside,
            "too many return values at once; use unpack_one or unpack_limit instead.",
        )?;
        let small = usize::from(kind);
        let value = match kind {
            0..=0x7F | 0xE0.. => {
                self.take::<0>()?;
                Value::Integer(i64::from(kind as i8))
            }
            0x80..=0x8F => return self.table(small & 0xF, Part::Key),
            0x90..=0x9F => return self.table(small & 0xF, Part::Element(1)),
            0xA0..=0xBF => return self.text::<0>(small & 0x1F),
            0xC0 => {
                self.take::<0>()?;
                Value::Nil
            }
            0xC2 | 0xC3 => {
                self.take::<0>()?;
                Value::Boolean(kind == 0xC3)
            }
            0xCA => Value::Number(f64::from(f32::from_be_bytes(self.take()?))),
            0xCB => Value::Number(f64::from_be_bytes(self.take()?)),
            0xCC => Value::Number(f64::from(u8::from_be_bytes(self.take()?))),
            0xCD => Value::Number(f64::from(u16::from_be_bytes(self.take()?))),
            0xCE => Value::Number(f64::from(u32::from_be_bytes(self.take()?))),
            // What does not fit a signed integer comes out negative.
            0xCF => Value::Number(i64::from_be_bytes(self.take()?) as f64),
            0xD0 => Value::Number(f64::from(i8::from_be_bytes(self.take()?))),
            0xD1 => Value::Number(f64::from(i16::from_be_bytes(self.take()?))),
            0xD2 => Value::Number(f64::from(i32::from_be_bytes(self.take()?))),
            0xD3 => Value::Number(i64::from_be_bytes(self.take()?) as f64),
            0xD9 => return self.text::<1>(0),
            0xDA => return self.text::<2>(0),
            0xDB => return self.text::<4>(0),
            0xDC => return self.long_table::<2>(Part::Element(1)),
            0xDD => return self.long_table::<4>(Part::Element(1)),
            0xDE => return self.long_table::<2>(Part::Key),
            0xDF => return self.long_table::<4>(Part::Key),
            _ => return Err(Raise::text("Bad data format in input.")),
        };
        Ok(Some(value))
    }

    /// That there is a slot for one value more, with so many beside what is counted.
    fn room(&self, beside: usize, why: &str) -> Result<(), Raise> {
        if self.slots + beside < STACK_MAX {
            return Ok(());
        }
        Err(Raise::text(format!("stack overflow ({why})")))
    }

    /// Takes the first byte and the `N` behind it.
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Raise> {
        let (bytes, rest) = self
            .input
            .get(1..)
            .and_then(|rest| rest.split_first_chunk())
            .ok_or_else(missing)?;
        self.input = rest;
        Ok(*bytes)
    }

    /// Takes a length of `N` bytes behind the first byte.
    fn length<const N: usize>(&mut self) -> Result<usize, Raise> {
        Ok(self
            .take::<N>()?
            .iter()
            .fold(0, |len, &byte| len << 8 | usize::from(byte)))
    }

    /// Takes text, whose length is what the first byte says or the `N` behind it.
    fn text<const N: usize>(&mut self, small: usize) -> Result<Option<Value>, Raise> {
        let len = self.length::<N>()? + small;
        let (text, rest) = self.input.split_at_checked(len).ok_or_else(missing)?;
        self.input = rest;
        Ok(Some(Value::String(self.lua.create_string(text)?)))
    }

    fn long_table<const N: usize>(&mut self, part: Part) -> Result<Option<Value>, Raise> {
        let len = self.length::<N>()?;
        self.frame(len, part)
    }

    fn table(&mut self, len: usize, part: Part) -> Result<Option<Value>, Raise> {
        self.take::<0>()?;
        self.frame(len, part)
    }

    fn frame(&mut self, left: usize, part: Part) -> Result<Option<Value>, Raise> {
        let slots = 1 + self.frames.last().map_or(0, Unpacking::beside);
        self.slots += slots;
        if matches!(part, Part::Element(_)) {
            self.room(0, "in function mp_decode_to_lua_array")?;
        }
        let table = self.lua.create_table()?;
        self.frames.push(Unpacking {
            table,
            left,
            part,
            slots,
        });
        Ok(None)
    }
}

fn missing() -> Raise {
    Raise::text("Missing bytes in input.")
}
