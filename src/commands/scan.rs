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

pub const DEFAULT_COUNT: usize = 10;
/// Steps of the iteration per key asked for; a step through a sparse part of a table may find none.
pub const STEPS_PER_KEY: usize = 10;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::testing::Server;
    use std::collections::BTreeSet;

    /// One call: the next cursor and the keys.
    fn call(server: &mut Server, cursor: &str, rest: &str) -> (String, Vec<String>) {
        let reply = server.ask(format!("SCAN {cursor} {rest}").trim_end());
        let words: Vec<String> = reply.split('|').map(str::to_owned).collect();
        let keys = words[4..]
            .iter()
            .filter(|word| !word.is_empty() && !word.starts_with('$'));
        (words[2].clone(), keys.cloned().collect())
    }

    /// All keys an iteration tells, with `between` run after each call.
    fn all(server: &mut Server, rest: &str, mut between: impl FnMut(&mut Server)) -> BTreeSet<String> {
        let (mut cursor, mut told) = ("0".to_owned(), BTreeSet::new());
        loop {
            let (next, keys) = call(server, &cursor, rest);
            told.extend(keys);
            if next == "0" {
                return told;
            }
            cursor = next;
            between(server);
        }
    }

    #[test]
    fn cursors_are_read_as_strtoul_reads() {
        let cases: [(&[u8], Option<u64>); 11] = [
            (b"0", Some(0)),
            (b"", Some(0)),
            (b"+17", Some(17)),
            (b"-1", Some(u64::MAX)),
            (b"18446744073709551615", Some(u64::MAX)),
            (b"18446744073709551616", None),
            (b"5\0x", Some(5)),
            (b" 5", None),
            (b"5 ", None),
            (b"-", None),
            (b"+-5", None),
        ];
        for (text, cursor) in cases {
            assert_eq!(parse_cursor(text).ok(), cursor, "{text:?}");
        }
    }

    #[test]
    fn a_key_that_stays_is_told_however_the_table_changes() {
        let mut server = Server::start();
        (0..500).for_each(|n| drop(server.ask(&format!("SET stays:{n} x"))));
        let mut added = 0;
        let told = all(&mut server, "COUNT 7", |server| {
            for _ in 0..200 {
                server.ask(&format!("SET added:{added} x"));
                added += 1;
            }
            if added > 8000 {
                (0..added).for_each(|n| drop(server.ask(&format!("DEL added:{n}"))));
            }
        });
        let stayed = told.iter().filter(|key| key.starts_with("stays:")).count();
        assert_eq!(stayed, 500);
    }

    #[test]
    fn a_call_looks_at_about_count_keys_whether_they_match_or_not() {
        let mut server = Server::start();
        (0..10_000).for_each(|n| drop(server.ask(&format!("SET {n} x"))));
        let (_, keys) = call(&mut server, "0", "COUNT 100");
        assert!((100..120).contains(&keys.len()), "{}", keys.len());
        let mut calls = 1;
        let told = all(&mut server, "COUNT 100 MATCH 77*7", |_| calls += 1);
        assert_eq!(told.len(), 1 + 10);
        assert!((80..=100).contains(&calls), "{calls}");
    }

    #[test]
    fn expired_keys_are_deleted_on_the_way() {
        let mut server = Server::start();
        (0..100).for_each(|n| drop(server.ask(&format!("SET dies:{n} x PX 10"))));
        server.ask("SET stays x");
        let told = all(server.at(10), "TYPE string", |_| ());
        assert_eq!(told.into_iter().collect::<Vec<_>>(), ["stays"]);
        assert_eq!(server.ask("DBSIZE"), ":1|");
        assert_eq!(server.core.stats.expired_keys, 100);
    }

    #[test]
    fn types_are_matched_by_name() {
        let mut server = Server::start();
        server.ask("SET a x");
        assert_eq!(server.ask("SCAN 0 TYPE StRing"), "*2|$1|0|*1|$1|a|");
        assert_eq!(server.ask("SCAN 0 TYPE list"), "*2|$1|0|*0|");
        assert_eq!(server.ask("SCAN 0 TYPE nosuch"), "*2|$1|0|*0|");
    }

    #[test]
    fn errors_are_those_of_redis() {
        let mut server = Server::start();
        let cases = [
            ("SCAN x COUNT x", "-ERR invalid cursor|"),
            ("SCAN 0 COUNT x", "-ERR value is not an integer or out of range|"),
            ("SCAN 0 COUNT 0", "-ERR syntax error|"),
            ("SCAN 0 COUNT", "-ERR syntax error|"),
            ("SCAN 0 NOSUCH x", "-ERR syntax error|"),
        ];
        for (command, reply) in cases {
            assert_eq!(server.ask(command), reply);
        }
    }
}
