//! Hash commands.

use super::handlers::Family;
use super::table::errors::wrong_arity;
use super::values::{HashMut, delete_emptied, new_hash};
use crate::resp::request::Args;
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::hash::HashRef;

pub const COMMANDS: Family = &[
    ("hdel", hdel),
    ("hexists", hexists),
    ("hget", hget),
    ("hgetall", hgetall),
    ("hkeys", hkeys),
    ("hlen", hlen),
    ("hmget", hmget),
    ("hmset", hmset),
    ("hset", hset),
    ("hvals", hvals),
];

/// Sets fields and gives how many are new.
fn set_pairs(ctx: &mut Context<'_>, args: Args<'_>) -> Result<usize, crate::server::failure::Failure> {
    let pairs = args.from(2).iter();
    if pairs.len() % 2 == 1 {
        return Err(wrong_arity(ctx.spec.name).into());
    }
    let key = ctx.key(&args, 1);
    let count = pairs.len() / 2;
    let created = match ctx.core.write_as::<HashMut>(ctx.database, key)? {
        Some(mut hash) => hash.set_all(pairs),
        None => {
            let (hash, created) = new_hash(pairs, &ctx.core.settings);
            ctx.core.create(ctx.database, key, hash);
            created
        }
    };
    ctx.changed_times(count, Class::HASH, "hset", key.bytes);
    Ok(created)
}

/// HSET key field value [field value ...]
fn hset(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let created = set_pairs(ctx, args)?;
    ctx.reply.len(created);
    Ok(())
}

/// HMSET key field value [field value ...]: the older HSET, which does not tell what is new.
fn hmset(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set_pairs(ctx, args)?;
    ctx.reply.ok();
    Ok(())
}

/// HDEL key field [field ...]
fn hdel(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let Some(mut hash) = ctx.core.write_as::<HashMut>(ctx.database, key)? else {
        ctx.reply.int(0);
        return Ok(());
    };
    let removed = args.from(2).iter().filter(|field| hash.remove(field)).count();
    let emptied = hash.view().is_empty();
    if removed > 0 {
        ctx.changed_times(removed, Class::HASH, "hdel", key.bytes);
    }
    if emptied {
        delete_emptied(ctx, key);
    }
    ctx.reply.len(removed);
    Ok(())
}

/// HGET key field
fn hget(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let hash = ctx.core.read_as::<HashRef>(ctx.database, key)?;
    match hash.and_then(|hash| hash.get(args.at(2))) {
        Some(value) => ctx.reply.element(value),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// HMGET key field [field ...]
fn hmget(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let hash = ctx.core.read_as::<HashRef>(ctx.database, key)?;
    let fields = args.from(2).iter();
    ctx.reply.array(fields.len());
    for field in fields {
        match hash.and_then(|hash| hash.get(field)) {
            Some(value) => ctx.reply.element(value),
            None => ctx.reply.null(),
        }
    }
    Ok(())
}

/// HEXISTS key field
fn hexists(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let hash = ctx.core.read_as::<HashRef>(ctx.database, key)?;
    let exists = hash.is_some_and(|hash| hash.contains(args.at(2)));
    ctx.reply.int(i64::from(exists));
    Ok(())
}

/// HLEN key
fn hlen(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let hash = ctx.core.read_as::<HashRef>(ctx.database, key)?;
    ctx.reply.len(hash.map_or(0, HashRef::len));
    Ok(())
}

/// HGETALL key
fn hgetall(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let Some(hash) = ctx.core.read_as::<HashRef>(ctx.database, key)? else {
        ctx.reply.map(0);
        return Ok(());
    };
    ctx.reply.map(hash.len());
    for (field, value) in hash.iter() {
        ctx.reply.element(field);
        ctx.reply.element(value);
    }
    Ok(())
}

/// HKEYS key
fn hkeys(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let Some(hash) = ctx.core.read_as::<HashRef>(ctx.database, key)? else {
        ctx.reply.array(0);
        return Ok(());
    };
    ctx.reply.array(hash.len());
    hash.iter().for_each(|(field, _)| ctx.reply.element(field));
    Ok(())
}

/// HVALS key
fn hvals(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let Some(hash) = ctx.core.read_as::<HashRef>(ctx.database, key)? else {
        ctx.reply.array(0);
        return Ok(());
    };
    ctx.reply.array(hash.len());
    hash.iter().for_each(|(_, value)| ctx.reply.element(value));
    Ok(())
}
