//! Bitmap commands: strings read and written bit by bit.

use std::ops::Range;

use super::expiry::syntax_error;
use super::handlers::Family;
use super::values::{StringMut, Text, built_string};
use crate::config::Settings;
use crate::format::number::parse_i64;
use crate::keyspace::Key;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::bits::{self, Combination};
use crate::types::packed::PackedBuf;

pub const COMMANDS: Family = &[
    ("bitcount", bitcount),
    ("bitop", bitop),
    ("bitpos", bitpos),
    ("getbit", getbit),
    ("setbit", setbit),
];

/// Checks the place of a bit, which must be within the longest string there may be.
pub fn check_offset(offset: Option<i64>, settings: &Settings) -> Result<u64, Failure> {
    match offset {
        Some(offset) if offset >= 0 && offset >> 3 < settings.proto_max_bulk_len => Ok(offset as u64),
        _ => Err("ERR bit offset is not an integer or out of range".into()),
    }
}

/// SETBIT key offset value
fn setbit(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let offset = check_offset(parse_i64(args.at(2)), &ctx.core.settings)?;
    let value = match parse_i64(args.at(3)) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err("ERR bit is not an integer or out of range".into()),
    };
    let key = ctx.key(&args, 1);
    let len = (offset / 8) as usize + 1;
    let (old, grown) = match ctx.core.write_as::<StringMut>(ctx.database, key)? {
        Some(mut text) => {
            let grown = text.grow(len);
            let old = bits::bit(text.bytes(), offset);
            bits::set_bit(text.bytes_mut(), offset, value);
            (old, grown)
        }
        None => {
            let mut text = vec![0; len];
            bits::set_bit(&mut text, offset, value);
            ctx.core.create(ctx.database, key, built_string(text));
            (false, true)
        }
    };
    if grown || old != value {
        ctx.changed(Class::STRING, "setbit", key.bytes);
    }
    ctx.reply.int(old.into());
    Ok(())
}

/// GETBIT key offset
fn getbit(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let offset = check_offset(parse_i64(args.at(2)), &ctx.core.settings)?;
    let key = ctx.key(&args, 1);
    let text = ctx.core.read_as::<Text>(ctx.database, key)?;
    let bit = text.is_some_and(|mut text| bits::bit(text.bytes(), offset));
    ctx.reply.int(bit.into());
    Ok(())
}

/// The part of a string that a command is about: from `start` to `end`, both included and counted from the end of the
/// string when negative.
#[derive(Clone, Copy)]
struct Part {
    start: i64,
    end: Option<i64>,
    unit: Unit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Byte,
    Bit,
}

impl Unit {
    fn parse(text: &[u8]) -> Result<Self, Failure> {
        if text.eq_ignore_ascii_case(b"bit") {
            Ok(Unit::Bit)
        } else if text.eq_ignore_ascii_case(b"byte") {
            Ok(Unit::Byte)
        } else {
            syntax_error()
        }
    }
}

impl Part {
    const WHOLE: Part = Part {
        start: 0,
        end: None,
        unit: Unit::Byte,
    };

    /// Reads `[start [end [BYTE | BIT]]]`, the unit before the end.
    fn parse(args: Args<'_>) -> Result<Self, Failure> {
        match args.len() {
            0 => Ok(Part::WHOLE),
            1..=3 => Ok(Part {
                start: integer(args.at(0))?,
                unit: args.get(2).map_or(Ok(Unit::Byte), Unit::parse)?,
                end: args.get(1).map(integer).transpose()?,
            }),
            _ => syntax_error(),
        }
    }

    /// The bits this means of a string of `len` bytes.
    fn bits(self, len: usize) -> Range<u64> {
        let scale = if self.unit == Unit::Bit { 1 } else { 8 };
        let units = len as i64 * 8 / scale;
        let from_end = |at: i64| if at < 0 { (at + units).max(0) } else { at };
        let start = from_end(self.start);
        let end = from_end(self.end.unwrap_or(-1)).min(units - 1);
        if start > end {
            return 0..0;
        }
        (start * scale) as u64..((end + 1) * scale) as u64
    }

    /// Whether it ends before it starts, both counted from the end.
    fn is_backwards(self) -> bool {
        self.end
            .is_some_and(|end| self.start < 0 && end < 0 && self.start > end)
    }
}

/// BITCOUNT key [start end [BYTE | BIT]]
fn bitcount(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    if args.len() == 3 {
        return start_without_end(ctx, key);
    }
    let part = Part::parse(args.from(2))?;
    let count = match ctx.core.read_as::<Text>(ctx.database, key)? {
        Some(mut text) if !part.is_backwards() => {
            let bytes = text.bytes();
            bits::count_range(bytes, part.bits(bytes.len()))
        }
        _ => 0,
    };
    ctx.reply.int(count as i64);
    Ok(())
}

/// BITCOUNT wants both ends or neither, but of an absent key it counts nothing whatever the range.
fn start_without_end(ctx: &mut Context<'_>, key: Key<'_>) -> Outcome {
    if ctx.core.read_as::<Text>(ctx.database, key)?.is_some() {
        return syntax_error();
    }
    ctx.reply.int(0);
    Ok(())
}

/// BITPOS key bit [start [end [BYTE | BIT]]]
fn bitpos(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let wanted = match integer(args.at(2))? {
        0 => false,
        1 => true,
        _ => return Err("ERR The bit argument must be 1 or 0.".into()),
    };
    let part = Part::parse(args.from(3))?;
    let key = ctx.key(&args, 1);
    let found = match ctx.core.read_as::<Text>(ctx.database, key)? {
        Some(mut text) => {
            let bytes = text.bytes();
            let range = part.bits(bytes.len());
            match bits::find(bytes, wanted, range.clone()) {
                Some(at) => at as i64,
                // Unless an end is given, the string goes on with zeros, of which the first is right behind it.
                None if !wanted && part.end.is_none() && !range.is_empty() => range.end as i64,
                None => -1,
            }
        }
        None if wanted => -1,
        None => 0,
    };
    ctx.reply.int(found);
    Ok(())
}

/// BITOP AND | OR | XOR | NOT destkey key [key ...]
fn bitop(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let named = |name: &[u8]| args.at(1).eq_ignore_ascii_case(name);
    let how = if named(b"and") {
        Some(Combination::And)
    } else if named(b"or") {
        Some(Combination::Or)
    } else if named(b"xor") {
        Some(Combination::Xor)
    } else if !named(b"not") {
        return syntax_error();
    } else if args.len() != 4 {
        return Err("ERR BITOP NOT must be called with a single source key.".into());
    } else {
        None
    };
    let result = combine_keys(ctx, args, how)?;
    let (target, len) = (ctx.key(&args, 2), result.len());
    if len > 0 {
        ctx.core.replace(ctx.database, target, built_string(result));
        ctx.changed(Class::STRING, "set", target.bytes);
    } else if ctx.core.delete_live(ctx.database, target) {
        ctx.changed(Class::GENERIC, "del", target.bytes);
    }
    ctx.reply.len(len);
    Ok(())
}

/// The strings of BITOP's source keys combined, or the only one inverted. O(bytes of all).
fn combine_keys(ctx: &mut Context<'_>, args: Args<'_>, how: Option<Combination>) -> Result<Vec<u8>, Failure> {
    const FIRST_SOURCE: usize = 3;
    let mut result = Vec::new();
    for index in FIRST_SOURCE..args.len() {
        let key = ctx.key(&args, index);
        let mut text = ctx.core.read_as::<Text>(ctx.database, key)?;
        let bytes = text.as_mut().map_or(&b""[..], |text| text.bytes());
        match how {
            Some(how) if index > FIRST_SOURCE => bits::combine(&mut result, how, bytes),
            _ => result.extend_from_slice(bytes),
        }
    }
    if how.is_none() {
        bits::invert(&mut result);
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use crate::server::testing::Server;

    #[test]
    fn bits_are_set_and_read() {
        let mut server = Server::start();
        assert_eq!(server.ask("SETBIT a 7 1"), ":0|");
        assert_eq!(server.ask("GET a"), "$1|\u{1}|");
        assert_eq!(server.ask("SETBIT a 7 1"), ":1|");
        assert_eq!(server.ask("SETBIT a 100000 1"), ":0|");
        assert_eq!(server.ask("STRLEN a"), ":12501|");
        assert_eq!(server.ask("GETBIT a 100000"), ":1|");
        assert_eq!(server.ask("GETBIT a 100001"), ":0|");
        assert_eq!(server.ask("GETBIT a 4294967295"), ":0|");
        assert_eq!(server.ask("BITCOUNT a"), ":2|");
        assert_eq!(server.ask("BITPOS a 1 1"), ":100000|");
    }

    #[test]
    fn a_bit_far_behind_a_long_string_keeps_it() {
        let mut server = Server::start();
        server.ask(&format!("SET a {}", "x".repeat(5000)));
        assert_eq!(server.ask("SETBIT a 80000000 1"), ":0|");
        assert_eq!(server.ask("STRLEN a"), ":10000001|");
        assert_eq!(server.ask("GETRANGE a 4998 5000"), "$3|xx\0|");
        assert_eq!(server.ask("BITPOS a 1 5000"), ":80000000|");
    }

    #[test]
    fn an_integer_is_edited_as_text() {
        let mut server = Server::start();
        server.ask("SET a 12");
        assert_eq!(server.ask("BITCOUNT a"), ":6|");
        assert_eq!(server.ask("SETBIT a 7 1"), ":1|");
        assert_eq!(server.ask("OBJECT ENCODING a"), "$3|raw|");
        assert_eq!(server.ask("SETBIT a 6 1"), ":0|");
        assert_eq!(server.ask("GET a"), "$2|32|");
    }

    #[test]
    fn the_limit_of_offsets_follows_the_setting() {
        const ERROR: &str = "-ERR bit offset is not an integer or out of range|";
        let mut server = Server::start();
        assert_eq!(server.ask("SETBIT a 4294967296 1"), ERROR);
        server.core.settings.proto_max_bulk_len = 1 << 20;
        assert_eq!(server.ask("SETBIT a 8388608 1"), ERROR);
        assert_eq!(server.ask("SETBIT a 8388607 1"), ":0|");
        assert_eq!(server.ask("EXISTS b"), ":0|");
    }

    #[test]
    fn combining_makes_and_deletes_keys() {
        let mut server = Server::start();
        server.ask("SET a abc");
        server.ask("RPUSH l x");
        assert_eq!(server.ask("BITOP OR d a nosuch"), ":3|");
        assert_eq!(server.ask("GET d"), "$3|abc|");
        assert_eq!(server.ask("OBJECT ENCODING d"), "$3|raw|");
        assert_eq!(server.ask("BITOP AND d a nosuch"), ":3|");
        assert_eq!(server.ask("GET d"), "$3|\0\0\0|");
        assert!(server.ask("BITOP XOR d a l").starts_with("-WRONGTYPE"));
        assert_eq!(server.ask("EXISTS d"), ":1|");
        assert_eq!(server.ask("BITOP NOT l nosuch"), ":0|");
        assert_eq!(server.ask("EXISTS l"), ":0|");
    }

    #[test]
    fn only_what_changes_is_told() {
        let mut server = Server::start();
        server.listen();
        let told = server.ask("SETBIT a 3 0");
        assert!(told.contains("new") && told.contains("setbit"), "{told}");
        assert_eq!(server.ask("SETBIT a 3 0"), ":0|");
        assert!(server.ask("BITOP NOT b a").contains("__keyevent@0__:set|"));
        assert!(server.ask("BITOP NOT b nosuch").contains("__keyevent@0__:del|"));
    }
}
