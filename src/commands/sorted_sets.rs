//! Sorted set commands.
//!
//! All that read a range are one command here, since they are so in what they mean: ZRANGE with options, and older names
//! for some of its combinations. A range, whatever it is given by, comes down to a range of ranks.

use std::ops::Range;

use super::expiry::syntax_error;
use super::handlers::Family;
use super::ranges;
use super::table::errors::wrong_arity;
use super::values::{ZsetBuilder, ZsetMut, delete_emptied};
use crate::format::number::{parse_double, parse_i64};
use crate::resp::reply::{Protocol, Reply};
use crate::resp::request::Args;
use crate::server::context::{integer, positive};
use crate::server::failure::{Failure, NOT_FLOAT};
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::listpack::Element;
use crate::types::zset::{LexRange, ScoreRange, ZsetRef};

pub const COMMANDS: Family = &[
    ("zadd", zadd),
    ("zcard", zcard),
    ("zincrby", zincrby),
    ("zpopmax", zpopmax),
    ("zpopmin", zpopmin),
    ("zrange", zrange),
    ("zrangebylex", zrangebylex),
    ("zrangebyscore", zrangebyscore),
    ("zrank", zrank),
    ("zrem", zrem),
    ("zrevrange", zrevrange),
    ("zrevrangebylex", zrevrangebylex),
    ("zrevrangebyscore", zrevrangebyscore),
    ("zrevrank", zrevrank),
    ("zscore", zscore),
];

/// Scores up to this magnitude are read as integers first, which is quicker; doubles hold all of them.
const EXACT_INTEGERS: u64 = 1 << 53;

fn parse_score(text: &[u8]) -> Result<f64, Failure> {
    match parse_i64(text) {
        Some(value) if value.unsigned_abs() <= EXACT_INTEGERS => Ok(value as f64),
        _ => parse_double(text).ok_or_else(|| NOT_FLOAT.into()),
    }
}

/// ZADD's options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct AddOptions {
    only_absent: bool,
    only_present: bool,
    only_greater: bool,
    only_less: bool,
    count_changed: bool,
    increment: bool,
}

/// What became of one member.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Added {
    New(f64),
    Changed(f64),
    Same(f64),
    /// An option kept it from being written.
    Skipped,
    /// An increment of one infinity by the other.
    NotANumber,
}

impl AddOptions {
    /// Reads options from the third argument on, beyond those given; says also where the scores begin.
    fn parse(mut options: AddOptions, args: Args<'_>) -> (Self, usize) {
        let mut at = 2;
        while let Some(option) = args.get(at) {
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            if is(b"nx") {
                options.only_absent = true;
            } else if is(b"xx") {
                options.only_present = true;
            } else if is(b"gt") {
                options.only_greater = true;
            } else if is(b"lt") {
                options.only_less = true;
            } else if is(b"ch") {
                options.count_changed = true;
            } else if is(b"incr") {
                options.increment = true;
            } else {
                break;
            }
            at += 1;
        }
        (options, at)
    }

    fn check(self, pairs: usize) -> Outcome {
        if self.only_absent && self.only_present {
            return Err("ERR XX and NX options at the same time are not compatible".into());
        }
        let exclusive = [self.only_greater, self.only_less, self.only_absent];
        if exclusive.into_iter().filter(|&chosen| chosen).count() > 1 {
            return Err("ERR GT, LT, and/or NX options at the same time are not compatible".into());
        }
        if self.increment && pairs > 1 {
            return Err("ERR INCR option supports a single increment-element pair".into());
        }
        Ok(())
    }

    /// What becomes of a member that has the score `old`, if it has one, and is given `score`.
    fn apply(self, old: Option<f64>, score: f64) -> Added {
        let Some(old) = old else {
            return if self.only_present {
                Added::Skipped
            } else {
                Added::New(score)
            };
        };
        if self.only_absent {
            return Added::Skipped;
        }
        let score = if self.increment { old + score } else { score };
        if score.is_nan() {
            return Added::NotANumber;
        }
        if self.only_greater && score <= old || self.only_less && score >= old {
            return Added::Skipped;
        }
        if score == old {
            Added::Same(score)
        } else {
            Added::Changed(score)
        }
    }
}

impl Added {
    /// The score to write.
    fn written(self) -> Option<f64> {
        match self {
            Added::New(score) | Added::Changed(score) => Some(score),
            Added::Same(_) | Added::Skipped | Added::NotANumber => None,
        }
    }
}

/// ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]
fn zadd(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    add(ctx, args, AddOptions::default())
}

/// ZINCRBY key increment member. An increment that is spelt like an option of ZADD is taken for one, as Redis does.
fn zincrby(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let options = AddOptions {
        increment: true,
        ..AddOptions::default()
    };
    add(ctx, args, options)
}

fn add(ctx: &mut Context<'_>, args: Args<'_>, options: AddOptions) -> Outcome {
    let (options, first) = AddOptions::parse(options, args);
    let rest = args.len() - first;
    if rest == 0 || rest % 2 == 1 {
        return syntax_error();
    }
    options.check(rest / 2)?;
    add_pairs(ctx, args, options, first)
}

/// Adds the pairs from argument `first` on, or none of them if a score is no number.
fn add_pairs(ctx: &mut Context<'_>, args: Args<'_>, options: AddOptions, first: usize) -> Outcome {
    let pairs = (first..args.len()).step_by(2);
    // Scores are read twice, which costs less than a place to keep them, and a single one only once.
    let score_of_first = parse_score(args.at(first))?;
    let mut longest = args.at(first + 1).len();
    for at in pairs.clone().skip(1) {
        parse_score(args.at(at))?;
        longest = longest.max(args.at(at + 1).len());
    }
    let score = |at: usize| {
        if at == first {
            score_of_first
        } else {
            parse_score(args.at(at)).unwrap_or_default()
        }
    };
    let (mut new, mut changed, mut last) = (0, 0, Added::Skipped);
    let mut decide = |old: Option<f64>, at: usize| {
        last = options.apply(old, score(at));
        match last {
            Added::New(_) => new += 1,
            Added::Changed(_) => changed += 1,
            Added::Same(_) | Added::Skipped | Added::NotANumber => {}
        }
        last.written()
    };
    let key = ctx.key(&args, 1);
    match ctx.core.write_as::<ZsetMut>(ctx.database, key)? {
        Some(mut zset) => {
            zset.expect(pairs.len(), longest);
            pairs.for_each(|at| zset.update(args.at(at + 1), |old| decide(old, at)));
        }
        None if options.only_present => {}
        None => {
            let mut zset = ZsetBuilder::new(pairs.len(), longest, &ctx.core.settings);
            pairs.for_each(|at| zset.update(args.at(at + 1), |old| decide(old, at)));
            ctx.core.create(ctx.database, key, zset.finish());
        }
    }
    if new + changed > 0 {
        let event = if options.increment { "zincr" } else { "zadd" };
        ctx.changed_times(new + changed, Class::ZSET, event, key.bytes);
    }
    match last {
        Added::NotANumber => return Err("ERR resulting score is not a number (NaN)".into()),
        Added::New(score) | Added::Changed(score) | Added::Same(score) if options.increment => ctx.reply.double(score),
        Added::Skipped if options.increment => ctx.reply.null(),
        Added::New(_) | Added::Changed(_) | Added::Same(_) | Added::Skipped if options.count_changed => {
            ctx.reply.len(new + changed);
        }
        Added::New(_) | Added::Changed(_) | Added::Same(_) | Added::Skipped => ctx.reply.len(new),
    }
    Ok(())
}

/// ZREM key member [member ...]
fn zrem(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let Some(mut zset) = ctx.core.write_as::<ZsetMut>(ctx.database, key)? else {
        ctx.reply.int(0);
        return Ok(());
    };
    let removed = args.from(2).iter().filter(|member| zset.remove(member)).count();
    let emptied = zset.view().is_empty();
    if removed > 0 {
        ctx.changed_times(removed, Class::ZSET, "zrem", key.bytes);
    }
    if emptied {
        delete_emptied(ctx, key);
    }
    ctx.reply.len(removed);
    Ok(())
}

/// Which end of a sorted set is popped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extreme {
    Min,
    Max,
}

/// ZPOPMIN key [count]
fn zpopmin(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    pop(ctx, args, Extreme::Min)
}

/// ZPOPMAX key [count]
fn zpopmax(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    pop(ctx, args, Extreme::Max)
}

fn pop(ctx: &mut Context<'_>, args: Args<'_>, extreme: Extreme) -> Outcome {
    if args.len() > 3 {
        return syntax_error();
    }
    let count = args.get(2).map(positive).transpose()?;
    let key = ctx.key(&args, 1);
    let Some(mut zset) = ctx.core.write_as::<ZsetMut>(ctx.database, key)? else {
        ctx.reply.array(0);
        return Ok(());
    };
    let len = zset.view().len();
    let popped = len.min(count.unwrap_or(1) as usize);
    if popped == 0 {
        ctx.reply.array(0);
        return Ok(());
    }
    let (ranks, reverse, event) = match extreme {
        Extreme::Min => (0..popped, false, "zpopmin"),
        Extreme::Max => (len - popped..len, true, "zpopmax"),
    };
    // Without a count even RESP3 gets one member and its score side by side.
    let shape = match count {
        Some(_) => Shape::with_scores(&ctx.reply),
        None => Shape::Flat,
    };
    let reply = &mut ctx.reply;
    shape.begin(reply, popped);
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
    Ok(())
}

/// How members and scores are laid out in a reply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Members alone.
    Members,
    /// Members and scores in turn.
    Flat,
    /// A pair for each member.
    Pairs,
}

impl Shape {
    /// Members with scores, as the protocol has them.
    fn with_scores(reply: &Reply) -> Self {
        match reply.protocol {
            Protocol::Resp2 => Shape::Flat,
            Protocol::Resp3 => Shape::Pairs,
        }
    }

    fn begin(self, reply: &mut Reply, members: usize) {
        match self {
            Shape::Members | Shape::Pairs => reply.array(members),
            Shape::Flat => reply.array(members * 2),
        }
    }

    #[inline]
    fn member(self, reply: &mut Reply, member: Element<'_>, score: f64) {
        if self == Shape::Pairs {
            reply.array(2);
        }
        reply.element(member);
        if self != Shape::Members {
            reply.double(score);
        }
    }
}

/// ZCARD key
fn zcard(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let zset = ctx.core.read_as::<ZsetRef>(ctx.database, key)?;
    ctx.reply.len(zset.map_or(0, ZsetRef::len));
    Ok(())
}

/// ZSCORE key member
fn zscore(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let zset = ctx.core.read_as::<ZsetRef>(ctx.database, key)?;
    match zset.and_then(|zset| zset.score(args.at(2))) {
        Some(score) => ctx.reply.double(score),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// ZRANK key member [WITHSCORE]
fn zrank(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    rank(ctx, args, false)
}

/// ZREVRANK key member [WITHSCORE]
fn zrevrank(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    rank(ctx, args, true)
}

fn rank(ctx: &mut Context<'_>, args: Args<'_>, reverse: bool) -> Outcome {
    if args.len() > 4 {
        return Err(wrong_arity(ctx.spec.name).into());
    }
    let with_score = match args.get(3) {
        Some(option) if option.eq_ignore_ascii_case(b"withscore") => true,
        Some(_) => return syntax_error(),
        None => false,
    };
    let (key, member) = (ctx.key(&args, 1), args.at(2));
    let zset = ctx.core.read_as::<ZsetRef>(ctx.database, key)?;
    let found = zset.and_then(|zset| {
        let rank = zset.rank(member)?;
        Some((if reverse { zset.len() - 1 - rank } else { rank }, zset))
    });
    match found {
        Some((rank, zset)) if with_score => {
            ctx.reply.array(2);
            ctx.reply.len(rank);
            ctx.reply.double(zset.score(member).unwrap_or_default());
        }
        Some((rank, _)) => ctx.reply.len(rank),
        None if with_score => ctx.reply.null_array(),
        None => ctx.reply.null(),
    }
    Ok(())
}

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
    /// Reads the options behind the bounds. `by` and `reverse` are set by the older commands' names, and then not options.
    fn parse(args: Args<'_>, by: Option<By>, reverse: Option<bool>) -> Result<Self, Failure> {
        let (mut chosen_by, mut chosen_reverse) = (by, reverse);
        let (mut with_scores, mut offset, mut limit) = (false, 0, -1);
        let mut at = 4;
        while let Some(option) = args.get(at) {
            at += 1;
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            if is(b"withscores") {
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
    fn bounds<'a>(self, args: Args<'a>) -> Result<Bounds<'a>, Failure> {
        let (first, second) = (args.at(2), args.at(3));
        let (min, max) = if self.reverse { (second, first) } else { (first, second) };
        match self.by {
            By::Rank => Ok(Bounds::Rank(integer(first)?, integer(second)?)),
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

    /// The ranks within the bounds and the limit.
    fn ranks(self, zset: ZsetRef<'_>, bounds: &Bounds<'_>) -> Range<usize> {
        let ranks = match bounds {
            Bounds::Rank(start, stop) => {
                let (positions, len) = (ranges::positions(*start, *stop, zset.len()), zset.len());
                return if self.reverse {
                    len - positions.end..len - positions.start
                } else {
                    positions
                };
            }
            Bounds::Score(range) => zset.score_ranks(range),
            Bounds::Lex(range) => zset.lex_ranks(range),
        };
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

fn range(ctx: &mut Context<'_>, args: Args<'_>, by: Option<By>, reverse: Option<bool>) -> Outcome {
    let options = RangeOptions::parse(args, by, reverse)?;
    let bounds = options.bounds(args)?;
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
fn zrange(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    range(ctx, args, None, None)
}

/// ZREVRANGE key start stop [WITHSCORES]
fn zrevrange(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    range(ctx, args, Some(By::Rank), Some(true))
}

/// ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]
fn zrangebyscore(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    range(ctx, args, Some(By::Score), Some(false))
}

/// ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]
fn zrevrangebyscore(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    range(ctx, args, Some(By::Score), Some(true))
}

/// ZRANGEBYLEX key min max [LIMIT offset count]
fn zrangebylex(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    range(ctx, args, Some(By::Lex), Some(false))
}

/// ZREVRANGEBYLEX key max min [LIMIT offset count]
fn zrevrangebylex(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    range(ctx, args, Some(By::Lex), Some(true))
}
