//! `struct`: numbers and text in the layouts of C.
//!
//! A format is a sequence of options, each of which packs or unpacks one value:
//!
//! ```text
//! b h l i     signed, of 1, 2, 8 and 4 bytes (iN: of N, up to 32)      x    a byte of padding
//! B H L I     unsigned                                                  cN   N bytes of text (c0: all of it)
//! T           unsigned, of the size of a pointer                        s    text, and a zero byte
//! f d         floating point, of 4 and 8 bytes                          > < ! N   big endian, little endian, alignment
//! ```
//!
//! Integers wrap around as on x86, where Redis's answers come from.

use super::native::{self, Arguments, Raise};
use super::{SLOTS_KEPT, STACK_MAX};
use mlua::{IntoLua, IntoLuaMulti, Lua, MultiValue, Table, Value};

/// The largest integer, in bytes.
const INTEGER_MAX: usize = 32;
/// What `!` aligns to without a number.
const ALIGN_MAX: usize = 8;

pub fn install(lua: &Lua, globals: &Table) -> mlua::Result<()> {
    let library = lua.create_table()?;
    library.raw_set("pack", native::function(lua, pack)?)?;
    library.raw_set("unpack", native::function(lua, unpack)?)?;
    library.raw_set("size", native::function(lua, size)?)?;
    globals.raw_set("struct", library)
}

/// A format on its way, with the byte order and alignment that hold so far.
struct Format<'a> {
    rest: &'a [u8],
    little: bool,
    align: usize,
}

impl<'a> Format<'a> {
    fn new(text: &'a [u8]) -> Self {
        Format {
            rest: native::c_text(text),
            little: cfg!(target_endian = "little"),
            align: 1,
        }
    }

    /// The next option and its size in bytes; zero if it has none of its own.
    fn next(&mut self) -> Result<Option<(u8, usize)>, Raise> {
        let Some((&option, rest)) = self.rest.split_first() else {
            return Ok(None);
        };
        self.rest = rest;
        let size = match option {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'f' => 4,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'c' => self.number(1)?,
            b'i' | b'I' => {
                let size = self.number(4)?;
                if size > INTEGER_MAX {
                    let text = format!("integral size {size} is larger than limit of {INTEGER_MAX}");
                    return Err(Raise::text(text));
                }
                size
            }
            _ => 0,
        };
        Ok(Some((option, size)))
    }

    /// The number that follows in the format.
    fn number(&mut self, default: usize) -> Result<usize, Raise> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Ok(default);
        }
        let (digits, rest) = self.rest.split_at(digits);
        self.rest = rest;
        digits
            .iter()
            .try_fold(0_i32, |number, digit| {
                number.checked_mul(10)?.checked_add(i32::from(digit - b'0'))
            })
            .map(|number| number as usize)
            .ok_or_else(|| Raise::text("integral size overflow"))
    }

    /// How many bytes of padding an option of `size` needs at `position`. Sizes that are no powers of two are aligned to
    /// whatever the same sum makes of them.
    fn padding(&self, position: usize, option: u8, size: usize) -> usize {
        if size == 0 || option == b'c' {
            return 0;
        }
        let size = size.min(self.align);
        size.wrapping_sub(position & (size - 1)) & (size - 1)
    }

    /// An option that packs nothing.
    fn control(&mut self, option: u8) -> Result<(), Raise> {
        match option {
            b' ' => {}
            b'>' => self.little = false,
            b'<' => self.little = true,
            b'!' => {
                let align = self.number(ALIGN_MAX)?;
                if !align.is_power_of_two() {
                    return Err(Raise::text(format!("alignment {align} is not a power of 2")));
                }
                self.align = align;
            }
            _ => {
                return Err(Raise::argument(
                    1,
                    [b"invalid format option '", &[option][..], b"'"].concat(),
                ));
            }
        }
        Ok(())
    }

    /// Bytes in the native order turned to the one that holds, or back.
    fn ordered<const N: usize>(&self, mut bytes: [u8; N]) -> [u8; N] {
        if self.little != cfg!(target_endian = "little") {
            bytes.reverse();
        }
        bytes
    }
}

fn pack(lua: &Lua, arguments: &Arguments) -> native::Returned {
    let text = arguments.string(lua, 1)?;
    let text = text.as_bytes();
    let mut format = Format::new(&text);
    let mut packed = Vec::new();
    let mut values = Values {
        lua,
        arguments,
        next: 2,
    };
    while let Some((option, size)) = format.next()? {
        let padding = format.padding(packed.len(), option, size);
        packed.resize(packed.len() + padding, 0);
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                put_integer(&mut packed, to_integer(values.number()?), format.little, size);
            }
            b'x' => packed.push(0),
            b'f' => packed.extend_from_slice(&format.ordered((values.number()? as f32).to_ne_bytes())),
            b'd' => packed.extend_from_slice(&format.ordered(values.number()?.to_ne_bytes())),
            b'c' | b's' => {
                let text = values.string()?;
                let text = text.as_bytes();
                let size = if size == 0 { text.len() } else { size };
                let Some(taken) = text.get(..size) else {
                    return Err(Raise::argument(values.next, "string too short"));
                };
                packed.extend_from_slice(taken);
                if option == b's' {
                    packed.push(0);
                }
            }
            _ => format.control(option)?,
        }
    }
    Ok(lua.create_string(packed)?.into_lua_multi(lua)?)
}

/// The values to pack, one after the other.
struct Values<'a> {
    lua: &'a Lua,
    arguments: &'a Arguments,
    /// The position of the next one.
    next: usize,
}

impl Values<'_> {
    fn number(&mut self) -> Result<f64, Raise> {
        let position = self.take("number")?;
        self.arguments.number(self.lua, position)
    }

    fn string(&mut self) -> Result<mlua::LuaString, Raise> {
        let position = self.take("string")?;
        self.arguments.string(self.lua, position)
    }

    /// Behind the last value Redis's library finds a nil, which it has put there itself.
    fn take(&mut self, expected: &str) -> Result<usize, Raise> {
        let position = self.next;
        self.next += 1;
        if position > self.arguments.len() {
            return Err(Raise::argument(position, format!("{expected} expected, got nil")));
        }
        Ok(position)
    }
}

/// A number as an integer of 64 bits, signed if it is negative.
fn to_integer(number: f64) -> u64 {
    const TOP: f64 = 9_223_372_036_854_775_808.0;
    // What is not below the top, or no number, is converted less the top, which then returns as the highest bit.
    if number >= TOP {
        return native::to_i64(number - TOP) as u64 ^ (1 << 63);
    }
    native::to_i64(number) as u64
}

/// Appends an integer of `size` bytes; those above the eighth are zero.
fn put_integer(packed: &mut Vec<u8>, value: u64, little: bool, size: usize) {
    let mut bytes = [0; INTEGER_MAX];
    bytes[..8].copy_from_slice(&value.to_le_bytes());
    let bytes = &mut bytes[..size];
    if !little {
        bytes.reverse();
    }
    packed.extend_from_slice(bytes);
}

fn unpack(lua: &Lua, arguments: &Arguments) -> native::Returned {
    let text = arguments.string(lua, 1)?;
    let text = text.as_bytes();
    let mut format = Format::new(&text);
    let data = arguments.string(lua, 2)?;
    let data = data.as_bytes();
    // A negative offset is one far behind the end.
    let offset = arguments.integer_or(lua, 3, 1)? as u64 as usize;
    if offset == 0 {
        return Err(Raise::argument(3, "offset must be 1 or greater"));
    }
    let mut position = offset - 1;
    let mut values: Vec<Value> = Vec::new();
    let held = |position: usize, size: usize| -> Result<&[u8], Raise> {
        let end = position.checked_add(size);
        end.and_then(|end| data.get(position..end))
            .ok_or_else(|| Raise::argument(2, "data string too short"))
    };
    while let Some((option, size)) = format.next()? {
        position = position.wrapping_add(format.padding(position, option, size));
        let bytes = held(position, size)?;
        if arguments.len() + values.len() + 2 + SLOTS_KEPT > STACK_MAX {
            return Err(Raise::text("stack overflow (too many results)"));
        }
        let mut taken = size;
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let integer = get_integer(bytes, format.little, option.is_ascii_lowercase());
                values.push(integer.into_lua(lua)?);
            }
            b'x' => {}
            b'f' => values.push(f64::from(f32::from_ne_bytes(format.ordered(array(bytes)))).into_lua(lua)?),
            b'd' => values.push(f64::from_ne_bytes(format.ordered(array(bytes))).into_lua(lua)?),
            b'c' => {
                if size == 0 {
                    let previous = values.pop().and_then(|value| native::number(lua, &value));
                    let Some(previous) = previous else {
                        return Err(Raise::text("format 'c0' needs a previous size"));
                    };
                    taken = to_integer(previous) as usize;
                }
                values.push(lua.create_string(held(position, taken)?)?.into_lua(lua)?);
            }
            b's' => {
                let rest = data.get(position..).unwrap_or_default();
                let Some(len) = memchr::memchr(0, rest) else {
                    return Err(Raise::text("unfinished string in data"));
                };
                values.push(lua.create_string(&rest[..len])?.into_lua(lua)?);
                taken = len + 1;
            }
            _ => format.control(option)?,
        }
        position += taken;
    }
    values.push((position.wrapping_add(1) as i64).into_lua(lua)?);
    Ok(MultiValue::from_vec(values))
}

/// The first `N` bytes, of as many at least.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

/// An integer of any number of bytes, of which the lowest eight count.
fn get_integer(bytes: &[u8], little: bool, signed: bool) -> f64 {
    let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    let value = if little {
        bytes.iter().rev().fold(0, add)
    } else {
        bytes.iter().fold(0, add)
    };
    if !signed {
        return value as f64;
    }
    // The sign's place wraps around where there are more than eight bytes, as a shift does on x86.
    let upper = u64::MAX.wrapping_shl((bytes.len() as u32 * 8).wrapping_sub(1));
    let value = if value & upper != 0 { value | upper } else { value };
    value as i64 as f64
}

fn size(lua: &Lua, arguments: &Arguments) -> native::Returned {
    let text = arguments.string(lua, 1)?;
    let text = text.as_bytes();
    let mut format = Format::new(&text);
    let mut total = 0_usize;
    while let Some((option, size)) = format.next()? {
        total = total.wrapping_add(format.padding(total, option, size));
        match option {
            b's' => return Err(Raise::argument(1, "option 's' has no fixed size")),
            b'c' if size == 0 => return Err(Raise::argument(1, "option 'c0' has no fixed size")),
            _ if !option.is_ascii_alphanumeric() => format.control(option)?,
            _ => {}
        }
        total = total.wrapping_add(size);
    }
    Ok((total as f64).into_lua_multi(lua)?)
}
