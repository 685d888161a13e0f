//! List commands. Lists are pushed and popped at both ends and read by ranges of positions, negative ones counting from
//! the tail.

use super::handlers::Family;
use super::ranges::{self, position};
use super::table::errors::wrong_arity;
use super::values::{ListMut, delete_emptied, new_list};
use crate::keyspace::Key;
use crate::resp::request::Args;
use crate::server::context::{integer, positive};
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::list::{Direction, End, ListRef};

pub const COMMANDS: Family = &[
    ("lindex", lindex),
    ("llen", llen),
    ("lpop", lpop),
    ("lpush", lpush),
    ("lpushx", lpushx),
    ("lrange", lrange),
    ("rpop", rpop),
    ("rpush", rpush),
    ("rpushx", rpushx),
];

/// What an element of a few bytes takes in a reply, for reserving room.
const REPLY_BYTES: usize = 16;
/// Most bytes reserved before an element is looked at.
const RESERVE_MAX: usize = 1 << 20;

/// Whether a push to an absent key makes a list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Absent {
    Create,
    Ignore,
}

fn push(ctx: &mut Context<'_>, args: Args<'_>, end: End, absent: Absent) -> Outcome {
    let key = ctx.key(&args, 1);
    let texts = args.from(2).iter();
    let len = match ctx.core.write_as::<ListMut>(ctx.database, key)? {
        Some(mut list) => list.push(end, texts.clone()),
        None if absent == Absent::Ignore => {
            ctx.reply.int(0);
            return Ok(());
        }
        None => {
            let list = new_list(end, texts.clone(), &ctx.core.settings);
            ctx.core.create(ctx.database, key, list);
            texts.len()
        }
    };
    let event = match end {
        End::Head => "lpush",
        End::Tail => "rpush",
    };
    ctx.changed_times(texts.len(), Class::LIST, event, key.bytes);
    ctx.reply.len(len);
    Ok(())
}

/// LPUSH key element [element ...]
fn lpush(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    push(ctx, args, End::Head, Absent::Create)
}

/// RPUSH key element [element ...]
fn rpush(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    push(ctx, args, End::Tail, Absent::Create)
}

/// LPUSHX key element [element ...]: only onto a list that is there.
fn lpushx(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    push(ctx, args, End::Head, Absent::Ignore)
}

/// RPUSHX key element [element ...]
fn rpushx(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    push(ctx, args, End::Tail, Absent::Ignore)
}

fn pop(ctx: &mut Context<'_>, args: Args<'_>, end: End) -> Outcome {
    if args.len() > 3 {
        return Err(wrong_arity(ctx.spec.name).into());
    }
    let count = args.get(2).map(positive).transpose()?;
    let key = ctx.key(&args, 1);
    match count {
        Some(count) => pop_many(ctx, key, end, count as usize),
        None => pop_one(ctx, key, end),
    }
}

/// The command that pops from an end without waiting, which stands in records for all that do.
pub fn pop_name(end: End) -> &'static [u8] {
    match end {
        End::Head => b"LPOP",
        End::Tail => b"RPOP",
    }
}

pub fn pop_one(ctx: &mut Context<'_>, key: Key<'_>, end: End) -> Outcome {
    let Some(mut list) = ctx.core.write_as::<ListMut>(ctx.database, key)? else {
        ctx.reply.null();
        return Ok(());
    };
    let reply = &mut ctx.reply;
    list.pop_with(end, |element| reply.element(element));
    let emptied = list.view().is_empty();
    list.shrink();
    popped(ctx, key, end, 1, emptied);
    Ok(())
}

/// Pops up to `count` elements; answers with an array, or the null one when there is no list.
pub fn pop_many(ctx: &mut Context<'_>, key: Key<'_>, end: End, count: usize) -> Outcome {
    let Some(mut list) = ctx.core.write_as::<ListMut>(ctx.database, key)? else {
        ctx.reply.null_array();
        return Ok(());
    };
    let len = list.view().len();
    let count = count.min(len);
    ctx.reply.array(count);
    if count == 0 {
        return Ok(());
    }
    let (first, direction) = match end {
        End::Head => (0, Direction::Forward),
        End::Tail => (len - 1, Direction::Backward),
    };
    let reply = &mut ctx.reply;
    list.view()
        .walk(first, direction)
        .show(count, |element| reply.element(element));
    if count < len {
        let cut = list.remove_at(end, count);
        list.shrink();
        let (_, graveyard, _) = ctx.core.writer(ctx.database);
        graveyard.bury(cut.map(|list| list as _));
    }
    popped(ctx, key, end, count, count == len);
    Ok(())
}

/// What follows the removal of `count` elements at an end. A list that was emptied goes, with its last elements if
/// they are still in it.
fn popped(ctx: &mut Context<'_>, key: Key<'_>, end: End, count: usize, emptied: bool) {
    let event = match end {
        End::Head => "lpop",
        End::Tail => "rpop",
    };
    ctx.changed_times(count, Class::LIST, event, key.bytes);
    if emptied {
        delete_emptied(ctx, key);
    }
}

/// LPOP key [count]
fn lpop(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    pop(ctx, args, End::Head)
}

/// RPOP key [count]
fn rpop(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    pop(ctx, args, End::Tail)
}

/// LLEN key
fn llen(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let list = ctx.core.read_as::<ListRef>(ctx.database, key)?;
    ctx.reply.len(list.map_or(0, ListRef::len));
    Ok(())
}

/// LINDEX key index
fn lindex(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let Some(list) = ctx.core.read_as::<ListRef>(ctx.database, key)? else {
        ctx.reply.null();
        return Ok(());
    };
    let index = integer(args.at(2))?;
    match position(index, list.len()).and_then(|index| list.get(index)) {
        Some(element) => ctx.reply.element(element),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// LRANGE key start stop
fn lrange(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (start, stop) = (integer(args.at(2))?, integer(args.at(3))?);
    let key = ctx.key(&args, 1);
    let Some(list) = ctx.core.read_as::<ListRef>(ctx.database, key)? else {
        ctx.reply.array(0);
        return Ok(());
    };
    let range = ranges::positions(start, stop, list.len());
    let reply = &mut ctx.reply;
    reply.bytes.reserve((range.len() * REPLY_BYTES).min(RESERVE_MAX));
    reply.array(range.len());
    list.walk(range.start, Direction::Forward)
        .show(range.len(), |element| reply.element(element));
    Ok(())
}
