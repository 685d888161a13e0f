//! HSCAN, SSCAN and ZSCAN: the elements of one value, a few at a time.
//!
//! A packed value is told whole in one call, whatever COUNT says: it is small, and its order has no place that a cursor
//! could name. A table is walked in hash order like the keyspace, with the same guarantee: what is there throughout is
//! told at least once.

use super::expiry::syntax_error;
use super::handlers::Family;
use super::scan::{DEFAULT_COUNT, STEPS_PER_KEY, parse_cursor};
use crate::format::glob;
use crate::format::number::double_17;
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::{Context, Outcome};
use crate::types::hash::HashRef;
use crate::types::listpack::Element;
use crate::types::set::SetRef;
use crate::types::zset::ZsetRef;
use crate::types::zset::packed;

pub const COMMANDS: Family = &[("hscan", hscan), ("sscan", sscan), ("zscan", zscan)];

struct Options<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    /// Fields without their values, or members without their scores.
    is_bare: bool,
}

impl<'a> Options<'a> {
    /// Reads `[MATCH pattern] [COUNT count]` from `args[3]` on, and the word that leaves out half of each pair.
    fn parse(args: Args<'a>, bare: &[u8]) -> Result<Self, Failure> {
        let mut options = Options {
            pattern: None,
            count: DEFAULT_COUNT,
            is_bare: false,
        };
        let mut at = 3;
        while let Some(option) = args.get(at) {
            match (&option.to_ascii_lowercase()[..], args.get(at + 1)) {
                (b"match", Some(pattern)) => options.pattern = Some(pattern).filter(|pattern| *pattern != b"*"),
                (b"count", Some(count)) => {
                    options.count = match usize::try_from(integer(count)?) {
                        Ok(count) if count > 0 => count,
                        _ => return syntax_error(),
                    }
                }
                (b"novalues", _) if bare != b"novalues" => {
                    return Err("ERR NOVALUES option can only be used in HSCAN".into());
                }
                (b"noscores", _) if bare != b"noscores" => {
                    return Err("ERR NOSCORES option can only be used in ZSCAN".into());
                }
                (b"novalues" | b"noscores", _) => {
                    options.is_bare = true;
                    at += 1;
                    continue;
                }
                _ => return syntax_error(),
            }
            at += 2;
        }
        Ok(options)
    }

    fn fits(&self, element: Element<'_>) -> bool {
        let Some(pattern) = self.pattern else { return true };
        glob::matches(pattern, element.text(&mut itoa::Buffer::new()), false)
    }
}

/// What was found, as it will be replied.
#[derive(Default)]
struct Found {
    elements: Reply,
    count: usize,
}

impl Found {
    fn add(&mut self, element: Element<'_>) {
        self.elements.element(element);
        self.count += 1;
    }

    fn reply(self, cursor: u64, reply: &mut Reply) {
        reply.array(2);
        reply.bulk(itoa::Buffer::new().format(cursor));
        reply.array(self.count);
        reply.bytes.extend_from_slice(&self.elements.bytes);
    }
}

/// Walks a table from `cursor` until about `count` elements were seen; gives the next cursor.
fn walk(mut cursor: u64, count: usize, mut step: impl FnMut(u64, &mut usize) -> u64) -> u64 {
    let mut seen = 0;
    for _ in 0..count.saturating_mul(STEPS_PER_KEY) {
        cursor = step(cursor, &mut seen);
        if cursor == 0 || seen >= count {
            break;
        }
    }
    cursor
}

fn nothing(ctx: &mut Context<'_>) -> Outcome {
    Found::default().reply(0, ctx.reply);
    Ok(())
}

/// HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]
fn hscan(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let cursor = parse_cursor(args.at(2))?;
    let key = ctx.key(&args, 1);
    let Some(hash) = ctx.core.read_as::<HashRef>(ctx.database, key)? else {
        return nothing(ctx);
    };
    let options = Options::parse(args, b"novalues")?;
    let mut found = Found::default();
    let mut tell = |field: Element<'_>, value: Element<'_>| {
        if options.fits(field) {
            found.add(field);
            if !options.is_bare {
                found.add(value);
            }
        }
    };
    let next = match hash {
        HashRef::Packed(_) | HashRef::TimedPacked(_) => {
            hash.iter().for_each(|(field, value)| tell(field, value));
            0
        }
        HashRef::Table(table) => walk(cursor, options.count, |cursor, seen| {
            table.scan(cursor, |field, value| {
                *seen += 1;
                tell(Element::Str(field), Element::Str(value));
            })
        }),
        HashRef::TimedTable(table) => walk(cursor, options.count, |cursor, seen| {
            table.scan(cursor, |field, value| {
                *seen += 1;
                tell(Element::Str(field), Element::Str(value));
            })
        }),
    };
    found.reply(next, ctx.reply);
    Ok(())
}

/// SSCAN key cursor [MATCH pattern] [COUNT count]
fn sscan(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let cursor = parse_cursor(args.at(2))?;
    let key = ctx.key(&args, 1);
    let Some(set) = ctx.core.read_as::<SetRef>(ctx.database, key)? else {
        return nothing(ctx);
    };
    let options = Options::parse(args, b"")?;
    let mut found = Found::default();
    let mut tell = |member: Element<'_>| {
        if options.fits(member) {
            found.add(member);
        }
    };
    let next = match set {
        SetRef::Intset(_) | SetRef::Packed(_) => {
            set.iter().for_each(tell);
            0
        }
        SetRef::Table(table) => walk(cursor, options.count, |cursor, seen| {
            table.scan(cursor, |member| {
                *seen += 1;
                tell(Element::Str(member));
            })
        }),
    };
    found.reply(next, ctx.reply);
    Ok(())
}

/// ZSCAN key cursor [MATCH pattern] [COUNT count] [NOSCORES]
fn zscan(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let cursor = parse_cursor(args.at(2))?;
    let key = ctx.key(&args, 1);
    let Some(zset) = ctx.core.read_as::<ZsetRef>(ctx.database, key)? else {
        return nothing(ctx);
    };
    let options = Options::parse(args, b"noscores")?;
    let mut found = Found::default();
    let mut tell = |member: Element<'_>, score: Element<'_>| {
        if options.fits(member) {
            found.add(member);
            if !options.is_bare {
                found.add(score);
            }
        }
    };
    let next = match zset {
        // The text of a score is that of its form: the one in the listpack, or all 17 digits.
        ZsetRef::Packed(bytes) => {
            packed::stored_pairs(bytes).for_each(|(member, score)| tell(member, score));
            0
        }
        ZsetRef::Table(table) => walk(cursor, options.count, |cursor, seen| {
            table.scan(cursor, |member, score| {
                *seen += 1;
                tell(Element::Str(member), Element::Str(double_17(score).as_bytes()));
            })
        }),
    };
    found.reply(next, ctx.reply);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::persistence::rdb::{Version, payload};
    use crate::server::testing::Server;
    use crate::types::listpack::{self, Element};

    /// The elements that an iteration with small steps tells, with `between` run after each call.
    fn all(server: &mut Server, command: &str, mut between: impl FnMut(&mut Server)) -> BTreeSet<String> {
        let (mut cursor, mut told) = ("0".to_owned(), BTreeSet::new());
        loop {
            let reply = server.ask(&command.replace("CURSOR", &cursor));
            let words: Vec<&str> = reply.split('|').collect();
            told.extend(
                words[4..]
                    .iter()
                    .filter(|word| word.contains(':'))
                    .map(|word| (*word).to_owned()),
            );
            cursor = words[2].to_owned();
            if cursor == "0" {
                return told;
            }
            between(server);
        }
    }

    #[test]
    fn what_stays_is_told_however_the_table_changes() {
        for (add, scan, remove) in [
            ("HSET k NAME v", "HSCAN k CURSOR COUNT 5", "HDEL k NAME"),
            ("SADD k NAME", "SSCAN k CURSOR COUNT 5", "SREM k NAME"),
            ("ZADD k 1 NAME", "ZSCAN k CURSOR COUNT 5", "ZREM k NAME"),
        ] {
            let mut server = Server::start();
            (0..600).for_each(|n| drop(server.ask(&add.replace("NAME", &format!("stays:{n}")))));
            let mut added = 0;
            let told = all(&mut server, scan, |server| {
                for _ in 0..100 {
                    server.ask(&add.replace("NAME", &format!("comes:{added}")));
                    added += 1;
                }
                if added > 4000 {
                    (0..added).for_each(|n| drop(server.ask(&remove.replace("NAME", &format!("comes:{n}")))));
                }
            });
            let stayed = told.iter().filter(|name| name.starts_with("stays:")).count();
            assert_eq!(stayed, 600, "{scan}");
        }
    }

    #[test]
    fn small_values_are_told_whole() {
        let mut server = Server::start();
        server.ask("HSET h a:1 x b:1 y");
        assert_eq!(server.ask("HSCAN h 0 COUNT 1 MATCH a*"), "*2|$1|0|*2|$3|a:1|$1|x|");
        assert_eq!(server.ask("HSCAN h 0 NOVALUES"), "*2|$1|0|*2|$3|a:1|$3|b:1|");
        server.ask("ZADD z 1 a:1 2 b:1");
        assert_eq!(server.ask("ZSCAN z 0 COUNT 1 NoScores"), "*2|$1|0|*2|$3|a:1|$3|b:1|");
        for (scan, word, only) in [
            ("ZSCAN z 0 NOVALUES", "NOVALUES", "HSCAN"),
            ("HSCAN h 0 NOSCORES", "NOSCORES", "ZSCAN"),
        ] {
            let error = format!("-ERR {word} option can only be used in {only}|");
            assert_eq!(server.ask(scan), error);
        }
        assert_eq!(server.ask("SSCAN nothing 0 NOSUCH"), "*2|$1|0|*0|");
    }

    /// Redis 7.0 packs scores with all 17 digits. ZSCAN tells a packed score as it is stored, the other commands as a
    /// number.
    #[test]
    fn packed_scores_are_told_as_they_are_stored() {
        const SORTED_SET_IN_LISTPACK: u8 = 17;
        let pack = listpack::from_elements([Element::Str(b"a"), Element::Str(b"1.6999999999999999e+308")]);
        let mut payload = [&[SORTED_SET_IN_LISTPACK, pack.len() as u8][..], &pack].concat();
        payload::seal(&mut payload, Version::REDIS_7_0);
        let mut server = Server::start();
        assert_eq!(server.run(&[b"RESTORE", b"z", b"0", &payload]), "+OK|");
        assert_eq!(server.ask("ZSCAN z 0"), "*2|$1|0|*2|$1|a|$23|1.6999999999999999e+308|");
        assert_eq!(server.ask("ZSCORE z a"), "$8|1.7e+308|");
        assert_eq!(server.ask("ZRANGE z 0 -1 WITHSCORES"), "*2|$1|a|$8|1.7e+308|");
        assert_eq!(server.ask("ZRANDMEMBER z 1 WITHSCORES"), "*2|$1|a|$8|1.7e+308|");
        // Another member leaves the text alone; another score does not.
        server.ask("ZADD z 1 b 1.7e+308 a");
        assert!(server.ask("ZSCAN z 0").ends_with("$23|1.6999999999999999e+308|"));
        server.ask("ZADD z 2.5 a 1.7e+308 a");
        assert!(server.ask("ZSCAN z 0").ends_with("$8|1.7e+308|"));
    }
}
