//! ZRANDMEMBER.

use std::collections::HashSet;

use super::Shape;
use crate::commands::drawing::{Selection, is_walk, make_room};
use crate::commands::expiry::syntax_error;
use crate::hashing;
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::context::with_magnitude;
use crate::server::{Context, Outcome};
use crate::types::listpack::Element;
use crate::types::zset::{Zset, ZsetRef};

/// ZRANDMEMBER key [count [WITHSCORES]]
pub(super) fn zrandmember(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let Some(count) = args.get(2) else {
        return one(ctx, args);
    };
    let count = with_magnitude(count)?;
    let with_scores = match args.get(3) {
        Some(option) if args.len() == 4 && option.eq_ignore_ascii_case(b"withscores") => true,
        Some(_) => return syntax_error(),
        None => false,
    };
    if with_scores && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err("ERR value is out of range".into());
    }
    let key = ctx.key(&args, 1);
    let mut random = ctx.core.random.fork();
    let rng = &mut || random.u64(..);
    let zset = ctx.core.read_as::<ZsetRef>(ctx.database, key)?;
    let reply = &mut ctx.reply;
    let shape = match with_scores {
        true => Shape::with_scores(reply),
        false => Shape::Members,
    };
    let Some(zset) = zset.filter(|_| count != 0) else {
        reply.array(0);
        return Ok(());
    };
    if count < 0 {
        return with_repeats(reply, shape, zset, count.unsigned_abs() as usize, rng);
    }
    let wanted = (count as usize).min(zset.len());
    shape.begin(reply, wanted);
    distinct(zset, count as usize, rng, |member, score| {
        shape.member(reply, member, score)
    });
    Ok(())
}

fn one(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let mut random = ctx.core.random.fork();
    let zset = ctx.core.read_as::<ZsetRef>(ctx.database, key)?;
    match zset.and_then(|zset| zset.random(&mut || random.u64(..))) {
        Some((member, _)) => ctx.reply.element(member),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// `count` members, each drawn from all. O(count), and O(n) more in a listpack.
fn with_repeats(
    reply: &mut Reply,
    shape: Shape,
    zset: ZsetRef<'_>,
    count: usize,
    rng: &mut impl FnMut() -> u64,
) -> Outcome {
    make_room(reply, count)?;
    shape.begin(reply, count);
    match zset {
        ZsetRef::Packed(_) => {
            let members: Vec<_> = zset.iter(0..zset.len(), false).collect();
            for _ in 0..count {
                let (member, score) = members[(rng() % members.len() as u64) as usize];
                shape.member(reply, member, score);
            }
        }
        ZsetRef::Table(zset) => {
            for (member, score) in (0..count).filter_map(|_| zset.random(rng)) {
                shape.member(reply, Element::Str(member), score);
            }
        }
    }
    Ok(())
}

/// Up to `count` members, none of them twice. O(count), in a listpack O(n).
fn distinct(zset: ZsetRef<'_>, count: usize, rng: &mut impl FnMut() -> u64, mut f: impl FnMut(Element<'_>, f64)) {
    let len = zset.len();
    match zset {
        _ if count == 1 => {
            if let Some((member, score)) = zset.random(rng) {
                f(member, score);
            }
        }
        // All of them: Redis gives these from the last to the first.
        _ if count >= len => zset.iter(0..len, true).for_each(|(member, score)| f(member, score)),
        ZsetRef::Table(zset) if !is_walk(count, len) => draw(zset, count, rng, f),
        _ => pass_over(zset, count, rng, f),
    }
}

/// Draws until `count` different members have come up. Each draw is a new one with a chance of two in three at least, as
/// so few are asked for.
fn draw(zset: &Zset, count: usize, rng: &mut impl FnMut() -> u64, mut f: impl FnMut(Element<'_>, f64)) {
    // Members are told apart by where they are.
    let mut drawn = HashSet::with_capacity_and_hasher(count, hashing::state());
    while drawn.len() < count
        && let Some((member, score)) = zset.random(rng)
    {
        if drawn.insert(member.as_ptr()) {
            f(Element::Str(member), score);
        }
    }
}

/// Draws `count` different members in one walk. O(n).
fn pass_over(zset: ZsetRef<'_>, count: usize, rng: &mut impl FnMut() -> u64, mut f: impl FnMut(Element<'_>, f64)) {
    let mut selection = Selection::new(count, zset.len());
    for (member, score) in zset.iter(0..zset.len(), false) {
        if selection.takes(rng) {
            f(member, score);
        }
    }
}
