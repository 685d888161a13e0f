//! SCAN: the keys of a database, a few at a time.
//!
//! The cursor is a place in hash order and says all there is to say about an iteration: the server keeps nothing, and
//! a key that is there from the first call to the last is told at least once however the table grows or shrinks
//! meanwhile (see [`crate::table::Table::scan`]). One call looks at about COUNT keys, whether or not they match.

use super::expiry::syntax_error;
use super::handlers::Family;
use super::keys::is_expired;
use crate::format::glob;
use crate::keyspace::Key;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[("scan", scan)];

const DEFAULT_COUNT: usize = 10;
/// Steps of the iteration per key asked for; a step through a sparse part of a table may find none.
const STEPS_PER_KEY: usize = 10;

/// Reads a cursor as C's `strtoul` does, which is what Redis accepts: a sign, and only what stands before a NUL. An
/// empty text is 0, and a negative number wraps around.
pub fn parse_cursor(text: &[u8]) -> Result<u64, Failure> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if text.is_empty() {
        return Ok(0);
    }
    let value = std::str::from_utf8(digits)
        .ok()
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse::<u64>().ok())
        .ok_or("ERR invalid cursor")?;
    Ok(if negative { value.wrapping_neg() } else { value })
}

/// What a call of SCAN is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Options<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    type_name: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    /// Reads `[MATCH pattern] [COUNT count] [TYPE type]` from `args[2]` on.
    fn parse(args: Args<'a>) -> Result<Self, Failure> {
        let mut options = Options {
            pattern: None,
            count: DEFAULT_COUNT,
            type_name: None,
        };
        for at in (2..args.len()).step_by(2) {
            let (option, Some(value)) = (args.at(at), args.get(at + 1)) else {
                return syntax_error();
            };
            if option.eq_ignore_ascii_case(b"match") {
                options.pattern = Some(value).filter(|pattern| *pattern != b"*");
            } else if option.eq_ignore_ascii_case(b"type") {
                options.type_name = Some(value);
            } else if option.eq_ignore_ascii_case(b"count") {
                options.count = match usize::try_from(integer(value)?) {
                    Ok(count) if count > 0 => count,
                    _ => return syntax_error(),
                };
            } else {
                return syntax_error();
            }
        }
        Ok(options)
    }
}

/// SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]. A type there is not matches no key.
fn scan(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mut cursor = parse_cursor(args.at(1))?;
    let options = Options::parse(args)?;
    let (core, database) = (&*ctx.core, ctx.database);
    let db = core.keyspace.db(database);
    let (mut found, mut expired) = (Vec::new(), Vec::new());
    let mut seen = 0;
    for _ in 0..options.count.saturating_mul(STEPS_PER_KEY) {
        cursor = db.scan(cursor, |entry| {
            seen += 1;
            let key = entry.key();
            if options
                .pattern
                .is_some_and(|pattern| !glob::matches(pattern, key, false))
            {
                return;
            }
            if is_expired(core, entry) {
                expired.push(key.to_vec());
                return;
            }
            let named = |name: &[u8]| name.eq_ignore_ascii_case(entry.value_type().name().as_bytes());
            if options.type_name.is_none_or(named) {
                found.push(key);
            }
        });
        if cursor == 0 || seen >= options.count {
            break;
        }
    }
    ctx.reply.array(2);
    ctx.reply.bulk(itoa::Buffer::new().format(cursor));
    ctx.reply.array(found.len());
    found.iter().for_each(|key| ctx.reply.bulk(key));
    for key in expired {
        ctx.core.expire_now(database, Key::new(&key));
    }
    Ok(())
}
