//! `bit`: operations on the 32 bits of a number.
//!
//! A number stands for its value modulo 2^32, and each result is a signed number again. The way from one to the other
//! is that of Mike Pall's BitOp: a large constant is added to the double, so that the wanted bits become the lowest
//! of its fraction. That defines what fractions (rounded to even) and numbers beyond 2^51 (of little use) stand for.

use super::native::{self, Arguments, Raise};
use mlua::{IntoLuaMulti, Lua, Table};

/// 2^52 + 2^51.
const SHIFTER: f64 = 6_755_399_441_055_744.0;

pub fn install(lua: &Lua, globals: &Table) -> mlua::Result<()> {
    let library = lua.create_table()?;
    for (name, operation) in UNARY {
        let body = move |lua: &Lua, arguments: &Arguments| answer(lua, operation(bits(lua, arguments, 1)?));
        library.raw_set(*name, native::function(lua, body)?)?;
    }
    for (name, operation) in FOLDED {
        let body = move |lua: &Lua, arguments: &Arguments| answer(lua, fold(lua, arguments, *operation)?);
        library.raw_set(*name, native::function(lua, body)?)?;
    }
    for (name, operation) in SHIFTS {
        let body = move |lua: &Lua, arguments: &Arguments| {
            let value = bits(lua, arguments, 1)?;
            answer(lua, operation(value, bits(lua, arguments, 2)? & 31))
        };
        library.raw_set(*name, native::function(lua, body)?)?;
    }
    library.raw_set("tohex", native::function(lua, to_hex)?)?;
    globals.raw_set("bit", library)
}

type Unary = fn(u32) -> u32;
type Binary = fn(u32, u32) -> u32;

const UNARY: &[(&str, Unary)] = &[
    ("tobit", |value| value),
    ("bnot", |value| !value),
    ("bswap", u32::swap_bytes),
];

const FOLDED: &[(&str, Binary)] = &[
    ("band", |left, right| left & right),
    ("bor", |left, right| left | right),
    ("bxor", |left, right| left ^ right),
];

const SHIFTS: &[(&str, Binary)] = &[
    ("lshift", |value, by| value << by),
    ("rshift", |value, by| value >> by),
    ("arshift", |value, by| ((value as i32) >> by) as u32),
    ("rol", u32::rotate_left),
    ("ror", u32::rotate_right),
];

fn answer(lua: &Lua, bits: u32) -> native::Returned {
    Ok((bits as i32).into_lua_multi(lua)?)
}

fn bits(lua: &Lua, arguments: &Arguments, position: usize) -> Result<u32, Raise> {
    Ok((arguments.number(lua, position)? + SHIFTER).to_bits() as u32)
}

/// The first argument with each of the others. Of several that are no numbers the last is reported, unless the first is
/// one of them.
fn fold(lua: &Lua, arguments: &Arguments, operation: Binary) -> Result<u32, Raise> {
    let first = bits(lua, arguments, 1)?;
    (2..=arguments.len()).rev().try_fold(first, |value, position| {
        Ok(operation(value, bits(lua, arguments, position)?))
    })
}

/// `tohex(value, digits)`: the last eight digits or fewer, in capitals if their number is negative.
fn to_hex(lua: &Lua, arguments: &Arguments) -> native::Returned {
    let value = bits(lua, arguments, 1)?;
    let digits = if arguments.len() < 2 {
        8
    } else {
        bits(lua, arguments, 2)? as i32
    };
    let shown = digits.unsigned_abs().min(8) as usize;
    let text = if digits < 0 {
        format!("{value:08X}")
    } else {
        format!("{value:08x}")
    };
    Ok(text[8 - shown..].into_lua_multi(lua)?)
}
