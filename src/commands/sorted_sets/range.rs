//! What concerns ranges of a sorted set: reading, storing, counting and removing them.
//!
//! All that read a range are one command here, since they are so in what they mean: ZRANGE with options, and older names
//! for some of its combinations. A range, whatever it is given by, comes down to a range of ranks.

use std::ops::Range;

use super::Shape;
use crate::commands::expiry::syntax_error;
use crate::commands::ranges;
use crate::commands::values::{ViewMut, ZsetBuilder, ZsetMut, delete_emptied, store_result};
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::zset::{LexRange, ScoreRange, ZsetRef};

/// What a range is given by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// A range as it is asked for.
enum Bounds<'a> {
    Rank(i64, i64),
    Score(ScoreRange),
    Lex(LexRange<'a>),
}

/// What a range command was asked for beyond its bounds.
#[derive(Clone, Copy, Debug)]
struct RangeOptions {
    by: By,
    reverse: bool,
    with_scores: bool,
    /// LIMIT: how many members of the range to skip, and how many to give at most; negative for all.
    offset: i64,
    limit: i64,
}

impl RangeOptions {
    /// Reads the options from argument `at` on. `by` and `reverse` are set by the older commands' names, and then not options.
    fn parse(
        args: Args<'_>,
        mut at: usize,
        by: Option<By>,
        reverse: Option<bool>,
        store: bool,
    ) -> Result<Self, Failure> {
        let (mut chosen_by, mut chosen_reverse) = (by, reverse);
        let (mut with_scores, mut offset, mut limit) = (false, 0, -1);
        while let Some(option) = args.get(at) {
            at += 1;
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            if is(b"withscores") && !store {
                with_scores = true;
            } else if is(b"limit")
                && let (Some(first), Some(second)) = (args.get(at), args.get(at + 1))
            {
                (offset, limit) = (integer(first)?, integer(second)?);
                at += 2;
            } else if is(b"rev") && chosen_reverse.is_none() {
                chosen_reverse = Some(true);
            } else if is(b"bylex") && chosen_by.is_none() {
                chosen_by = Some(By::Lex);
            } else if is(b"byscore") && chosen_by.is_none() {
                chosen_by = Some(By::Score);
            } else {
                return syntax_error();
            }
        }
        let options = RangeOptions {
            by: chosen_by.unwrap_or(By::Rank),
            reverse: chosen_reverse.unwrap_or(false),
            with_scores,
            offset,
            limit,
        };
        options.check()?;
        Ok(options)
    }

    fn check(self) -> Outcome {
        if self.limit != -1 && self.by == By::Rank {
            return Err("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX".into());
        }
        if self.with_scores && self.by == By::Lex {
            return Err("ERR syntax error, WITHSCORES not supported in combination with BYLEX".into());
        }
        Ok(())
    }

    /// Reads the bounds. Backwards, ranges of scores and texts are given from the upper end.
    fn bounds<'a>(self, first: &'a [u8], second: &'a [u8]) -> Result<Bounds<'a>, Failure> {
        if self.reverse && self.by != By::Rank {
            Bounds::parse(self.by, second, first)
        } else {
            Bounds::parse(self.by, first, second)
        }
    }

    /// The ranks within the bounds and the limit.
    fn ranks(self, zset: ZsetRef<'_>, bounds: &Bounds<'_>) -> Range<usize> {
        let ranks = bounds.ranks(zset);
        if self.by == By::Rank {
            let len = zset.len();
            return if self.reverse {
                len - ranks.end..len - ranks.start
            } else {
                ranks
            };
        }
        let skipped = usize::try_from(self.offset).map_or(ranks.len(), |offset| offset.min(ranks.len()));
        let left = ranks.len() - skipped;
        let given = usize::try_from(self.limit).map_or(left, |limit| limit.min(left));
        if self.reverse {
            let end = ranks.end - skipped;
            end - given..end
        } else {
            let start = ranks.start + skipped;
            start..start + given
        }
    }
}

impl<'a> Bounds<'a> {
    fn parse(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Self, Failure> {
        match by {
            By::Rank => Ok(Bounds::Rank(integer(min)?, integer(max)?)),
            By::Score => match ranges::scores(min, max) {
                Some(range) => Ok(Bounds::Score(range)),
                None => Err("ERR min or max is not a float".into()),
            },
            By::Lex => match ranges::texts(min, max) {
                Some(range) => Ok(Bounds::Lex(range)),
                None => Err("ERR min or max not valid string range item".into()),
            },
        }
    }

    /// The ranks within the bounds. O(log n), in a listpack O(n).
    fn ranks(&self, zset: ZsetRef<'_>) -> Range<usize> {
        match self {
            Bounds::Rank(start, stop) => ranges::positions(*start, *stop, zset.len()),
            Bounds::Score(range) => zset.score_ranks(range),
            Bounds::Lex(range) => zset.lex_ranks(range),
        }
    }
}

fn range(ctx: &mut Context<'_>, args: Args<'_>, by: Option<By>, reverse: Option<bool>) -> Outcome {
    let options = RangeOptions::parse(args, 4, by, reverse, false)?;
    let bounds = options.bounds(args.at(2), args.at(3))?;
    let key = ctx.key(&args, 1);
    let Some(zset) = ctx.core.read_as::<ZsetRef>(ctx.database, key)? else {
        ctx.reply.array(0);
        return Ok(());
    };
    let ranks = options.ranks(zset, &bounds);
    let reply = &mut ctx.reply;
    let shape = if options.with_scores {
        Shape::with_scores(reply)
    } else {
        Shape::Members
    };
    shape.begin(reply, ranks.len());
    for (member, score) in zset.iter(ranks, options.reverse) {
        shape.member(reply, member, score);
    }
    Ok(())
}

/// ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]
pub(super) fn zrange(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    range(ctx, args, None, None)
}

/// ZREVRANGE key start stop [WITHSCORES]
pub(super) fn zrevrange(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    range(ctx, args, Some(By::Rank), Some(true))
}

/// ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]
pub(super) fn zrangebyscore(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    range(ctx, args, Some(By::Score), Some(false))
}

/// ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]
pub(super) fn zrevrangebyscore(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    range(ctx, args, Some(By::Score), Some(true))
}

/// ZRANGEBYLEX key min max [LIMIT offset count]
pub(super) fn zrangebylex(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    range(ctx, args, Some(By::Lex), Some(false))
}

/// ZREVRANGEBYLEX key max min [LIMIT offset count]
pub(super) fn zrevrangebylex(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    range(ctx, args, Some(By::Lex), Some(true))
}

/// ZRANGESTORE destination source start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count]
pub(super) fn zrangestore(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let options = RangeOptions::parse(args, 5, None, None, true)?;
    let bounds = options.bounds(args.at(3), args.at(4))?;
    let (destination, source) = (ctx.key(&args, 1), ctx.key(&args, 2));
    let limits = ZsetMut::limits(&ctx.core.settings);
    let zset = ctx.core.read_as::<ZsetRef>(ctx.database, source)?;
    let ranks = zset.map_or(0..0, |zset| options.ranks(zset, &bounds));
    let count = ranks.len();
    let stored = zset.filter(|_| count > 0).map(|zset| {
        // Only a range by rank is known beforehand to be too large for a listpack; any other outgrows it.
        let expected = if options.by == By::Rank { count } else { 0 };
        let mut builder = ZsetBuilder::new(expected, 0, limits);
        let mut digits = itoa::Buffer::new();
        // In the order asked for: a listpack does not keep the sign of a zero, so it matters when it is outgrown.
        for (member, score) in zset.iter(ranks, options.reverse) {
            builder.update(member.text(&mut digits), |_| Some(score));
        }
        builder.finish()
    });
    store_result(ctx, destination, stored, 1, (Class::ZSET, "zrangestore"));
    ctx.reply.len(count);
    Ok(())
}

/// ZCOUNT key min max
pub(super) fn zcount(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    count(ctx, args, By::Score)
}

/// ZLEXCOUNT key min max
pub(super) fn zlexcount(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    count(ctx, args, By::Lex)
}

fn count(ctx: &mut Context<'_>, args: Args<'_>, by: By) -> Outcome {
    let bounds = Bounds::parse(by, args.at(2), args.at(3))?;
    let key = ctx.key(&args, 1);
    let zset = ctx.core.read_as::<ZsetRef>(ctx.database, key)?;
    ctx.reply.len(zset.map_or(0, |zset| bounds.ranks(zset).len()));
    Ok(())
}

/// ZREMRANGEBYRANK key start stop
pub(super) fn zremrangebyrank(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    remove(ctx, args, By::Rank, "zremrangebyrank")
}

/// ZREMRANGEBYSCORE key min max
pub(super) fn zremrangebyscore(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    remove(ctx, args, By::Score, "zremrangebyscore")
}

/// ZREMRANGEBYLEX key min max
pub(super) fn zremrangebylex(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    remove(ctx, args, By::Lex, "zremrangebylex")
}

fn remove(ctx: &mut Context<'_>, args: Args<'_>, by: By, event: &str) -> Outcome {
    let bounds = Bounds::parse(by, args.at(2), args.at(3))?;
    let key = ctx.key(&args, 1);
    let Some(mut zset) = ctx.core.write_as::<ZsetMut>(ctx.database, key)? else {
        ctx.reply.int(0);
        return Ok(());
    };
    let (ranks, len) = (bounds.ranks(zset.view()), zset.view().len());
    let removed = ranks.len();
    ctx.reply.len(removed);
    if removed == 0 {
        return Ok(());
    }
    if removed < len {
        let old = zset.remove_ranks(ranks);
        ctx.core.keyspace.graveyard.bury(old);
    }
    ctx.changed_times(removed, Class::ZSET, event, key.bytes);
    if removed == len {
        delete_emptied(ctx, key);
    }
    Ok(())
}
