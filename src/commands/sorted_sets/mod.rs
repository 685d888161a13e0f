//! Sorted set commands.
//!
//! What they share stands here, with the commands that concern single members; the rest has a file a topic: [`add`], [`pop`],
//! [`range`], [`combine`] for unions, intersections and differences, and [`random`].

pub mod add;
mod combine;
mod pop;
mod random;
mod range;
#[cfg(test)]
mod tests;

use super::expiry::syntax_error;
use super::handlers::Family;
use super::table::errors::wrong_arity;
use super::values::{ZsetMut, delete_emptied};
use crate::resp::reply::{Protocol, Reply};
use crate::resp::request::Args;
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::listpack::Element;
use crate::types::zset::ZsetRef;

pub const COMMANDS: Family = &[
    ("bzmpop", pop::bzmpop),
    ("bzpopmax", pop::bzpopmax),
    ("bzpopmin", pop::bzpopmin),
    ("zadd", add::zadd),
    ("zcard", zcard),
    ("zcount", range::zcount),
    ("zdiff", combine::zdiff),
    ("zdiffstore", combine::zdiffstore),
    ("zincrby", add::zincrby),
    ("zinter", combine::zinter),
    ("zintercard", combine::zintercard),
    ("zinterstore", combine::zinterstore),
    ("zlexcount", range::zlexcount),
    ("zmpop", pop::zmpop),
    ("zmscore", zmscore),
    ("zpopmax", pop::zpopmax),
    ("zpopmin", pop::zpopmin),
    ("zrandmember", random::zrandmember),
    ("zrange", range::zrange),
    ("zrangebylex", range::zrangebylex),
    ("zrangebyscore", range::zrangebyscore),
    ("zrangestore", range::zrangestore),
    ("zrank", zrank),
    ("zrem", zrem),
    ("zremrangebylex", range::zremrangebylex),
    ("zremrangebyrank", range::zremrangebyrank),
    ("zremrangebyscore", range::zremrangebyscore),
    ("zrevrange", range::zrevrange),
    ("zrevrangebylex", range::zrevrangebylex),
    ("zrevrangebyscore", range::zrevrangebyscore),
    ("zrevrank", zrevrank),
    ("zscore", zscore),
    ("zunion", combine::zunion),
    ("zunionstore", combine::zunionstore),
];

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

/// ZMSCORE key member [member ...]
fn zmscore(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let zset = ctx.core.read_as::<ZsetRef>(ctx.database, key)?;
    let members = args.from(2).iter();
    ctx.reply.array(members.len());
    for member in members {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => ctx.reply.double(score),
            None => ctx.reply.null(),
        }
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
