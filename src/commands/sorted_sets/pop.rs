//! Taking members off either end: ZPOPMIN, ZPOPMAX and ZMPOP, and the same for clients that wait until a member comes
//! (see [`crate::server::blocking`]).

use std::ops::Range;

use super::Shape;
use crate::commands::expiry::syntax_error;
use crate::commands::values::{ZsetMut, delete_emptied};
use crate::format::number::parse_i64;
use crate::keyspace::{Key, Type};
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::blocking::{Wait, timeout_seconds};
use crate::server::context::positive;
use crate::server::failure::Failure;
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::timer::Millis;

/// Which end of a sorted set is popped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extreme {
    Min,
    Max,
}

impl Extreme {
    fn parse(text: &[u8]) -> Option<Self> {
        if text.eq_ignore_ascii_case(b"min") {
            Some(Extreme::Min)
        } else if text.eq_ignore_ascii_case(b"max") {
            Some(Extreme::Max)
        } else {
            None
        }
    }

    /// The command that pops there without waiting, which stands in records for all that do.
    fn command(self) -> &'static [u8] {
        match self {
            Extreme::Min => b"ZPOPMIN",
            Extreme::Max => b"ZPOPMAX",
        }
    }
}

/// ZPOPMIN key [count]
pub(super) fn zpopmin(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    pop(ctx, args, Extreme::Min)
}

/// ZPOPMAX key [count]
pub(super) fn zpopmax(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    pop(ctx, args, Extreme::Max)
}

fn pop(ctx: &mut Context<'_>, args: Args<'_>, extreme: Extreme) -> Outcome {
    if args.len() > 3 {
        return syntax_error();
    }
    let count = args.get(2).map(positive).transpose()?;
    // Without a count even RESP3 gets one member and its score side by side.
    let shape = match count {
        Some(_) => Shape::with_scores(ctx.reply),
        None => Shape::Flat,
    };
    let (key, most) = (ctx.key(&args, 1), count.unwrap_or(1) as usize);
    let begin = |reply: &mut Reply, popped| shape.begin(reply, popped);
    if !pop_from(ctx, key, extreme, most, count.is_some(), shape, begin)? {
        ctx.reply.array(0);
    }
    Ok(())
}

/// Takes up to `most` members off one end and writes them, after what `begin` writes, which is told how many come. False if
/// there is no such key. `counts` says whether the record has a count, also of one.
fn pop_from(
    ctx: &mut Context<'_>,
    key: Key<'_>,
    extreme: Extreme,
    most: usize,
    counts: bool,
    shape: Shape,
    begin: impl FnOnce(&mut Reply, usize),
) -> Result<bool, Failure> {
    let Some(mut zset) = ctx.core.write_as::<ZsetMut>(ctx.database, key)? else {
        return Ok(false);
    };
    let len = zset.view().len();
    let popped = len.min(most);
    let reply = &mut ctx.reply;
    begin(reply, popped);
    if popped == 0 {
        return Ok(true);
    }
    let (ranks, reverse, event) = match extreme {
        Extreme::Min => (0..popped, false, "zpopmin"),
        Extreme::Max => (len - popped..len, true, "zpopmax"),
    };
    if popped == len {
        // All of them: read them where they are, and delete the key as a whole.
        let members = zset.view().iter(ranks, reverse);
        members.for_each(|(member, score)| shape.member(reply, member, score));
    } else {
        zset.pop_ranks(ranks, reverse, |member, score| shape.member(reply, member, score));
    }
    ctx.changed_times(popped, Class::ZSET, event, key.bytes);
    if popped == len {
        delete_emptied(ctx, key);
    }
    let (name, mut digits) = (extreme.command(), itoa::Buffer::new());
    match counts {
        false => ctx.record(&[name, key.bytes]),
        true => ctx.record(&[name, key.bytes, digits.format(popped).as_bytes()]),
    }
    Ok(true)
}

/// What ZMPOP and BZMPOP are asked for.
struct ManyPop {
    /// Which arguments are keys.
    keys: Range<usize>,
    extreme: Extreme,
    most: usize,
}

impl ManyPop {
    /// Reads `numkeys key [key ...] <MIN | MAX> [COUNT count]` from argument `at` on.
    fn parse(args: Args<'_>, at: usize) -> Result<Self, Failure> {
        let first = at + 1;
        let keys = at_least_one(args.at(at), "ERR numkeys should be greater than 0")?;
        let behind = keys.saturating_add(first);
        let Some(extreme) = args.get(behind).and_then(Extreme::parse) else {
            return syntax_error();
        };
        let mut most = None;
        let mut at = behind + 1;
        while let Some(option) = args.get(at) {
            match args.get(at + 1) {
                Some(count) if most.is_none() && option.eq_ignore_ascii_case(b"count") => {
                    most = Some(at_least_one(count, "ERR count should be greater than 0")?);
                }
                _ => return syntax_error(),
            }
            at += 2;
        }
        Ok(ManyPop {
            keys: first..behind,
            extreme,
            most: most.unwrap_or(1),
        })
    }

    /// Pops from the first key that is there; false if none is.
    fn serve(&self, ctx: &mut Context<'_>, args: Args<'_>) -> Result<bool, Failure> {
        for index in self.keys.clone() {
            let key = ctx.key(&args, index);
            let begin = |reply: &mut Reply, popped| {
                reply.array(2);
                reply.bulk(key.bytes);
                reply.array(popped);
            };
            if pop_from(ctx, key, self.extreme, self.most, true, Shape::Pairs, begin)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A number above zero; anything else is answered with one error, whatever is wrong with it.
fn at_least_one(text: &[u8], error: &'static str) -> Result<usize, Failure> {
    match parse_i64(text) {
        Some(number) if number > 0 => Ok(number as usize),
        _ => Err(error.into()),
    }
}

/// ZMPOP numkeys key [key ...] <MIN | MAX> [COUNT count]
pub(super) fn zmpop(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let asked = ManyPop::parse(args, 1)?;
    if !asked.serve(ctx, args)? {
        ctx.reply.null_array();
    }
    Ok(())
}

/// BZPOPMIN key [key ...] timeout
pub(super) fn bzpopmin(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    blocking_pop(ctx, args, Extreme::Min)
}

/// BZPOPMAX key [key ...] timeout
pub(super) fn bzpopmax(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    blocking_pop(ctx, args, Extreme::Max)
}

fn blocking_pop(ctx: &mut Context<'_>, args: Args<'_>, extreme: Extreme) -> Outcome {
    let last = args.len() - 1;
    let timeout = timeout_seconds(args.at(last), ctx.now())?;
    for index in 1..last {
        let key = ctx.key(&args, index);
        let begin = |reply: &mut Reply, _| {
            reply.array(3);
            reply.bulk(key.bytes);
        };
        if pop_from(ctx, key, extreme, 1, false, Shape::Flat, begin)? {
            return Ok(());
        }
    }
    wait(ctx, args.range(1..last), timeout)
}

/// BZMPOP timeout numkeys key [key ...] <MIN | MAX> [COUNT count]
pub(super) fn bzmpop(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let asked = ManyPop::parse(args, 2)?;
    let timeout = timeout_seconds(args.at(1), ctx.now())?;
    if asked.serve(ctx, args)? {
        return Ok(());
    }
    wait(ctx, args.range(asked.keys), timeout)
}

fn wait(ctx: &mut Context<'_>, keys: Args<'_>, timeout: Option<Millis>) -> Outcome {
    ctx.wait(Wait::for_value(
        keys.iter().map(Box::from).collect(),
        Type::Zset,
        timeout,
    ))
}
