//! BITFIELD: integers of any width at any bit of a string.

use super::bitmaps::check_offset;
use super::expiry::syntax_error;
use super::handlers::Family;
use super::values::{StringMut, Text, built_string};
use crate::config::Settings;
use crate::format::number::parse_i64;
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::bits::{FieldType, Overflow};
use crate::types::packed::PackedBuf;

pub const COMMANDS: Family = &[("bitfield", bitfield), ("bitfield_ro", bitfield_ro)];

/// One of the operations that a command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Operation {
    field: FieldType,
    /// The field's first bit.
    at: u64,
    action: Action,
    overflow: Overflow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Get,
    Set(i64),
    Add(i64),
}

impl Operation {
    /// Reads the operations from the third argument on.
    fn parse_all(args: Args<'_>, settings: &Settings) -> Result<Vec<Operation>, Failure> {
        let mut operations = Vec::with_capacity(args.len() / 3);
        let mut overflow = Overflow::default();
        let mut at = 2;
        while let Some(name) = args.get(at) {
            let left = args.len() - at - 1;
            let is = |other: &[u8], arguments: usize| name.eq_ignore_ascii_case(other) && left >= arguments;
            if is(b"overflow", 1) {
                overflow = parse_overflow(args.at(at + 1))?;
                at += 2;
                continue;
            }
            let (reads, adds) = (is(b"get", 2), is(b"incrby", 3));
            if !reads && !adds && !is(b"set", 3) {
                return syntax_error();
            }
            let field = parse_type(args.at(at + 1))?;
            let place = parse_place(args.at(at + 2), field, settings)?;
            let action = match reads {
                true => Action::Get,
                false if adds => Action::Add(integer(args.at(at + 3))?),
                false => Action::Set(integer(args.at(at + 3))?),
            };
            operations.push(Operation {
                field,
                at: place,
                action,
                overflow,
            });
            at += if reads { 3 } else { 4 };
        }
        Ok(operations)
    }

    /// The bit behind the field, if the operation may write.
    fn writes_up_to(&self) -> Option<u64> {
        (self.action != Action::Get).then(|| self.at + self.field.width())
    }

    fn get(&self, bytes: &[u8]) -> i64 {
        self.field.read(bytes, self.at)
    }

    /// Runs the operation on a string that is long enough; says whether the field was given another value.
    fn run(&self, bytes: &mut [u8], reply: &mut Reply) -> Ran {
        let old = self.get(bytes);
        let new = match self.action {
            Action::Get => {
                reply.int(old);
                return Ran::WithoutWriting;
            }
            Action::Set(value) => self.field.assigned(value, self.overflow),
            Action::Add(increment) => self.field.added(old, increment, self.overflow),
        };
        let Some(new) = new else {
            reply.null();
            return Ran::WithoutWriting;
        };
        self.field.write(bytes, self.at, new);
        reply.int(if matches!(self.action, Action::Add(_)) {
            new
        } else {
            old
        });
        if new == old { Ran::WithoutChange } else { Ran::Changed }
    }
}

/// What an operation came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ran {
    WithoutWriting,
    /// It wrote what was there already.
    WithoutChange,
    Changed,
}

fn parse_overflow(text: &[u8]) -> Result<Overflow, Failure> {
    let known: [(&[u8], Overflow); 3] = [
        (b"wrap", Overflow::Wrap),
        (b"sat", Overflow::Saturate),
        (b"fail", Overflow::Fail),
    ];
    let found = known.into_iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
    found
        .map(|(_, overflow)| overflow)
        .ok_or_else(|| "ERR Invalid OVERFLOW type specified".into())
}

/// A type is `i` or `u`, in lower case, and a width. Redis reads it up to a NUL byte.
fn parse_type(text: &[u8]) -> Result<FieldType, Failure> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or(text);
    let (signed, width) = match text {
        [b'i', width @ ..] => (true, parse_i64(width)),
        [b'u', width @ ..] => (false, parse_i64(width)),
        _ => (false, None),
    };
    width.and_then(|width| FieldType::new(signed, width)).ok_or_else(|| {
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.".into()
    })
}

/// A place is a bit, or `#` and the number of a field in an array of such fields. Redis lets a number that is too large
/// wrap around before it looks whether the bit exists.
fn parse_place(text: &[u8], field: FieldType, settings: &Settings) -> Result<u64, Failure> {
    let bit = match text {
        [b'#', number @ ..] => parse_i64(number).map(|number| number.wrapping_mul(field.width() as i64)),
        number => parse_i64(number),
    };
    check_offset(bit, settings)
}

/// BITFIELD key [GET type offset | [OVERFLOW WRAP | SAT | FAIL] SET type offset value | INCRBY type offset increment ...]
fn bitfield(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let operations = Operation::parse_all(args, &ctx.core.settings)?;
    match operations.iter().filter_map(Operation::writes_up_to).max() {
        Some(bits) => write_fields(ctx, args, &operations, bits.div_ceil(8) as usize),
        None => read_fields(ctx, args, &operations),
    }
}

/// BITFIELD_RO key [GET type offset ...]
fn bitfield_ro(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let operations = Operation::parse_all(args, &ctx.core.settings)?;
    if operations.iter().any(|operation| operation.action != Action::Get) {
        return Err("ERR BITFIELD_RO only supports the GET subcommand".into());
    }
    read_fields(ctx, args, &operations)
}

fn read_fields(ctx: &mut Context<'_>, args: Args<'_>, operations: &[Operation]) -> Outcome {
    let key = ctx.key(&args, 1);
    let mut text = ctx.core.read_as::<Text>(ctx.database, key)?;
    let bytes = text.as_mut().map_or(&b""[..], |text| text.bytes());
    ctx.reply.array(operations.len());
    operations
        .iter()
        .for_each(|operation| ctx.reply.int(operation.get(bytes)));
    Ok(())
}

/// Runs operations of which at least one may write. The string is made long enough for all of them first, even if all
/// of them should fail.
fn write_fields(ctx: &mut Context<'_>, args: Args<'_>, operations: &[Operation], len: usize) -> Outcome {
    let key = ctx.key(&args, 1);
    let (mut changed, mut written) = (0, 0);
    let reply = &mut ctx.reply;
    let mut run = |bytes: &mut [u8]| {
        reply.array(operations.len());
        for operation in operations {
            let ran = operation.run(bytes, reply);
            changed += usize::from(ran == Ran::Changed);
            written += usize::from(ran != Ran::WithoutWriting);
        }
    };
    let grown = match ctx.core.write_as::<StringMut>(ctx.database, key)? {
        Some(mut text) => {
            let grown = text.grow(len);
            run(text.bytes_mut());
            grown
        }
        None => {
            let mut text = vec![0; len];
            run(&mut text);
            ctx.core.create(ctx.database, key, built_string(text));
            true
        }
    };
    // In a string that has grown, every write counts.
    let changes = if grown { written } else { changed };
    // Where every write has failed nobody is told, though the string may be longer now.
    if changes > 0 {
        ctx.changed_times(changes, Class::STRING, "setbit", key.bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::server::testing::Server;

    #[test]
    fn fields_are_read_written_and_counted_up() {
        let mut server = Server::start();
        assert_eq!(server.ask("BITFIELD a INCRBY i5 100 1 GET u4 0"), "*2|:1|:0|");
        assert_eq!(server.ask("STRLEN a"), ":14|");
        assert_eq!(
            server.ask("BITFIELD a SET u8 #1 255 INCRBY u8 #1 10 GET u8 8"),
            "*3|:0|:9|:9|"
        );
        assert_eq!(
            server.ask("BITFIELD a OVERFLOW SAT INCRBY u8 #1 1000 OVERFLOW FAIL INCRBY u8 #1 1"),
            "*2|:255|$-1|"
        );
        assert_eq!(server.ask("BITFIELD a"), "*0|");
        assert_eq!(server.ask("BITFIELD_RO a GET u8 #1 GET i8 #1"), "*2|:255|:-1|");
    }

    #[test]
    fn a_line_with_a_mistake_does_nothing() {
        let mut server = Server::start();
        let type_error =
            "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.|";
        let offset_error = "-ERR bit offset is not an integer or out of range|";
        let cases = [
            ("GET u64 0", type_error),
            ("GET I8 0", type_error),
            ("GET i0 0", type_error),
            ("GET i8 -1", offset_error),
            ("GET i8 #-1", offset_error),
            ("GET i8 4294967296", offset_error),
            ("OVERFLOW NOSUCH", "-ERR Invalid OVERFLOW type specified|"),
            ("OVERFLOW", "-ERR syntax error|"),
            ("SET i8 0", "-ERR syntax error|"),
            ("SET i8 0 x", "-ERR value is not an integer or out of range|"),
        ];
        for (operation, error) in cases {
            assert_eq!(server.ask(&format!("BITFIELD a SET u8 0 1 {operation}")), error);
        }
        assert_eq!(
            server.ask("BITFIELD_RO a SET u8 0 1"),
            "-ERR BITFIELD_RO only supports the GET subcommand|"
        );
        assert_eq!(server.ask("EXISTS a"), ":0|");
    }

    #[test]
    fn failed_writes_leave_zeros_behind() {
        let mut server = Server::start();
        server.listen();
        let told = server.ask("BITFIELD a OVERFLOW FAIL SET u8 32 256");
        assert!(told.starts_with("*1|_|") && !told.contains("setbit"), "{told}");
        assert_eq!(server.ask("GET a"), "$5|\0\0\0\0\0|");
        assert!(server.ask("BITFIELD a SET u8 40 0").contains("setbit"));
        assert_eq!(server.ask("BITFIELD a SET u8 40 0"), "*1|:0|");
    }

    /// What a string holds by single bits, and what an operation does to it: slow, and without any of the code above.
    struct Model(Vec<bool>);

    impl Model {
        fn run(&mut self, name: &str, signed: bool, width: usize, at: usize, value: i64, overflow: &str) -> String {
            let end = at + width;
            if name != "GET" && self.0.len() < end {
                self.0.resize(end.div_ceil(8) * 8, false);
            }
            let bits = (at..end).map(|at| self.0.get(at).copied().unwrap_or(false));
            let modulus = 1i128 << width;
            let mut old = bits.fold(0i128, |number, bit| number * 2 + i128::from(bit));
            if signed && old >= modulus / 2 {
                old -= modulus;
            }
            let (low, high) = match signed {
                true => (-modulus / 2, modulus / 2 - 1),
                false => (0, modulus - 1),
            };
            let wide = match name {
                "GET" => return format!(":{old}|"),
                "SET" if !signed && value < 0 => i128::from(value) + (1 << 64),
                "SET" => i128::from(value),
                _ => old + i128::from(value),
            };
            let new = match overflow {
                _ if (low..=high).contains(&wide) => wide,
                "SAT" if name == "SET" && width < 64 && high - wide > i64::MAX.into() => high,
                "SAT" => wide.clamp(low, high),
                "FAIL" => return "$-1|".into(),
                _ => (wide - low).rem_euclid(modulus) + low,
            };
            for (index, at) in (at..end).rev().enumerate() {
                self.0[at] = new >> index & 1 == 1;
            }
            format!(":{}|", if name == "SET" { old } else { new })
        }

        fn text(&self) -> Vec<u8> {
            let byte = |bits: &[bool]| bits.iter().fold(0, |byte, &bit| byte << 1 | u8::from(bit));
            self.0.chunks(8).map(byte).collect()
        }
    }

    #[test]
    fn random_operations_agree_with_single_bits() {
        let mut random = fastrand::Rng::with_seed(5);
        let mut server = Server::start();
        let mut model = Model(Vec::new());
        for round in 0..20_000 {
            if round % 50 == 0 {
                server.ask("DEL a");
                model.0.clear();
            }
            let (mut line, mut want) = (String::from("BITFIELD a"), String::new());
            let count = random.usize(1..5);
            let mut overflow = "WRAP";
            for _ in 0..count {
                if random.bool() {
                    overflow = random.choice(["WRAP", "SAT", "FAIL"]).unwrap_or_default();
                    line += &format!(" OVERFLOW {overflow}");
                }
                let name = random.choice(["GET", "SET", "INCRBY"]).unwrap_or_default();
                let signed = random.bool();
                let width = random.usize(1..=if signed { 64 } else { 63 });
                // At times beyond what a string in its key's entry has room for.
                let most = if random.u8(..) < 3 { 12_000 } else { 300 };
                let (at, place) = match random.bool() {
                    true => (most / width * width, format!("#{}", most / width)),
                    false => {
                        let at = random.usize(0..most);
                        (at, at.to_string())
                    }
                };
                let value = random.i64(..) >> random.u32(0..64);
                let letter = if signed { 'i' } else { 'u' };
                line += &format!(" {name} {letter}{width} {place}");
                if name != "GET" {
                    line += &format!(" {value}");
                }
                want += &model.run(name, signed, width, at, value, overflow);
            }
            // The string is made long enough for all operations before the first of them runs; the model grows as it
            // goes, so what is read in between must not depend on it: bits behind the end are zeros either way.
            assert_eq!(server.ask(&line), format!("*{count}|{want}"), "{line}");
            if round % 10 == 0 {
                let text = model.text();
                let want = format!("${}|{}|", text.len(), String::from_utf8_lossy(&text));
                assert_eq!(
                    server.ask("GET a"),
                    if text.is_empty() {
                        "$-1|".into()
                    } else {
                        want.replace("\r\n", "|")
                    }
                );
            }
        }
    }
}
