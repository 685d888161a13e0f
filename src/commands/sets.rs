//! Set commands.

use super::expiry::syntax_error;
use super::handlers::Family;
use super::values::{SetMut, delete_emptied, new_set};
use crate::keyspace::Key;
use crate::resp::request::Args;
use crate::server::context::positive;
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::set::SetRef;

pub const COMMANDS: Family = &[
    ("sadd", sadd),
    ("scard", scard),
    ("sismember", sismember),
    ("smembers", smembers),
    ("smismember", smismember),
    ("spop", spop),
    ("srem", srem),
];

/// SADD key member [member ...]
fn sadd(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let members = args.from(2).iter();
    let added = match ctx.core.write_as::<SetMut>(ctx.database, key)? {
        Some(mut set) => {
            set.expect(members.len());
            members.filter(|member| set.add(member)).count()
        }
        None => {
            let (set, added) = new_set(members, &ctx.core.settings);
            ctx.core.create(ctx.database, key, set);
            added
        }
    };
    if added > 0 {
        ctx.changed_times(added, Class::SET, "sadd", key.bytes);
    }
    ctx.reply.len(added);
    Ok(())
}

/// SREM key member [member ...]
fn srem(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let Some(mut set) = ctx.core.write_as::<SetMut>(ctx.database, key)? else {
        ctx.reply.int(0);
        return Ok(());
    };
    let removed = args.from(2).iter().filter(|member| set.remove(member)).count();
    let emptied = set.view().is_empty();
    if removed > 0 {
        ctx.changed_times(removed, Class::SET, "srem", key.bytes);
    }
    if emptied {
        delete_emptied(ctx, key);
    }
    ctx.reply.len(removed);
    Ok(())
}

/// SCARD key
fn scard(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let set = ctx.core.read_as::<SetRef>(ctx.database, key)?;
    ctx.reply.len(set.map_or(0, SetRef::len));
    Ok(())
}

/// SISMEMBER key member
fn sismember(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let set = ctx.core.read_as::<SetRef>(ctx.database, key)?;
    let is_member = set.is_some_and(|set| set.contains(args.at(2)));
    ctx.reply.int(i64::from(is_member));
    Ok(())
}

/// SMISMEMBER key member [member ...]
fn smismember(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let set = ctx.core.read_as::<SetRef>(ctx.database, key)?;
    let members = args.from(2).iter();
    ctx.reply.array(members.len());
    for member in members {
        let is_member = set.is_some_and(|set| set.contains(member));
        ctx.reply.int(i64::from(is_member));
    }
    Ok(())
}

/// SMEMBERS key
fn smembers(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let Some(set) = ctx.core.read_as::<SetRef>(ctx.database, key)? else {
        ctx.reply.set(0);
        return Ok(());
    };
    ctx.reply.set(set.len());
    set.iter().for_each(|member| ctx.reply.element(member));
    Ok(())
}

/// SPOP key [count]
fn spop(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 3 {
        return syntax_error();
    }
    let count = args.get(2).map(positive).transpose()?;
    let key = ctx.key(&args, 1);
    match count {
        Some(count) => pop_many(ctx, key, count as usize),
        None => pop_one(ctx, key),
    }
}

fn pop_one(ctx: &mut Context<'_>, key: Key<'_>) -> Outcome {
    let mut random = ctx.core.random.fork();
    let Some(mut set) = ctx.core.write_as::<SetMut>(ctx.database, key)? else {
        ctx.reply.null();
        return Ok(());
    };
    let reply = &mut ctx.reply;
    set.pop_with(&mut || random.u64(..), |member| reply.element(member));
    let emptied = set.view().is_empty();
    popped(ctx, key, 1, emptied);
    Ok(())
}

fn pop_many(ctx: &mut Context<'_>, key: Key<'_>, count: usize) -> Outcome {
    let mut random = ctx.core.random.fork();
    let Some(mut set) = ctx.core.write_as::<SetMut>(ctx.database, key)? else {
        ctx.reply.set(0);
        return Ok(());
    };
    let len = set.view().len();
    let count = count.min(len);
    let reply = &mut ctx.reply;
    reply.set(count);
    if count == 0 {
        return Ok(());
    }
    if count == len {
        // All of them: read them where they are, and delete the key as a whole.
        set.view().iter().for_each(|member| reply.element(member));
    } else {
        for _ in 0..count {
            set.pop_with(&mut || random.u64(..), |member| reply.element(member));
        }
    }
    popped(ctx, key, count, count == len);
    Ok(())
}

fn popped(ctx: &mut Context<'_>, key: Key<'_>, count: usize, emptied: bool) {
    ctx.changed_times(count, Class::SET, "spop", key.bytes);
    if emptied {
        delete_emptied(ctx, key);
    }
}
