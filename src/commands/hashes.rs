//! Hash commands.

use super::handlers::Family;
use super::table::errors::wrong_arity;
use super::values::{FieldDeadline, HashMut, delete_emptied, new_hash};
use crate::format::long_double::LongDouble;
use crate::format::number::parse_i64;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::{Failure, NOT_FLOAT};
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::hash::HashRef;
use crate::types::listpack::Element;

pub const COMMANDS: Family = &[
    ("hdel", hdel),
    ("hexists", hexists),
    ("hget", hget),
    ("hgetall", hgetall),
    ("hincrby", hincrby),
    ("hincrbyfloat", hincrbyfloat),
    ("hkeys", hkeys),
    ("hlen", hlen),
    ("hmget", hmget),
    ("hmset", hmset),
    ("hset", hset),
    ("hsetnx", hsetnx),
    ("hstrlen", hstrlen),
    ("hvals", hvals),
];

/// Sets fields and gives how many are new.
fn set_pairs(ctx: &mut Context<'_>, args: Args<'_>) -> Result<usize, Failure> {
    let pairs = args.from(2).iter();
    if pairs.len() % 2 == 1 {
        return Err(wrong_arity(ctx.spec.name).into());
    }
    let key = ctx.key(&args, 1);
    let count = pairs.len() / 2;
    ctx.core.expire_named(ctx.database, key, pairs.clone().step_by(2));
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

/// HSETNX key field value
fn hsetnx(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let hash = ctx.core.write_as::<HashMut>(ctx.database, key)?;
    if hash.is_some_and(|mut hash| hash.view().contains(args.at(2))) {
        ctx.reply.int(0);
        return Ok(());
    }
    set_pairs(ctx, args)?;
    ctx.reply.int(1);
    Ok(())
}

/// What a field has now, if it is there.
fn present_value(ctx: &mut Context<'_>, args: Args<'_>) -> Result<Option<Vec<u8>>, Failure> {
    let key = ctx.key(&args, 1);
    let mut hash = ctx.core.write_as::<HashMut>(ctx.database, key)?;
    let value = hash.as_mut().and_then(|hash| hash.view().get(args.at(2)));
    Ok(value.map(Element::to_vec))
}

/// Sets one field that a computation has given a new value; its deadline stays.
fn set_computed(ctx: &mut Context<'_>, args: Args<'_>, value: &[u8], event: &str) -> Outcome {
    let (key, field) = (ctx.key(&args, 1), args.at(2));
    ctx.core.expire_named(ctx.database, key, [field].into_iter());
    match ctx.core.write_as::<HashMut>(ctx.database, key)? {
        Some(mut hash) => {
            hash.set(field, value, FieldDeadline::Keep);
        }
        None => {
            let (hash, _) = new_hash([field, value].into_iter(), &ctx.core.settings);
            ctx.core.create(ctx.database, key, hash);
        }
    }
    ctx.changed(Class::HASH, event, key.bytes);
    Ok(())
}

/// HINCRBY key field increment
fn hincrby(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let by = integer(args.at(3))?;
    let old = match present_value(ctx, args)? {
        Some(text) => parse_i64(&text).ok_or("ERR hash value is not an integer")?,
        None => 0,
    };
    let new = old.checked_add(by).ok_or("ERR increment or decrement would overflow")?;
    set_computed(ctx, args, itoa::Buffer::new().format(new).as_bytes(), "hincrby")?;
    ctx.reply.int(new);
    Ok(())
}

/// HINCRBYFLOAT key field increment. The sum is computed in 80-bit floats, as Redis does on x86.
fn hincrbyfloat(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let by = LongDouble::parse(args.at(3)).ok_or(NOT_FLOAT)?;
    if !by.is_finite() {
        return Err("ERR value is NaN or Infinity".into());
    }
    let old = present_value(ctx, args)?.unwrap_or_else(|| b"0".to_vec());
    let old = LongDouble::parse(&old).ok_or("ERR hash value is not a float")?;
    let sum = old + by;
    if !sum.is_finite() {
        return Err("ERR increment would produce NaN or Infinity".into());
    }
    let text = sum.to_text();
    set_computed(ctx, args, text.as_bytes(), "hincrbyfloat")?;
    record_sum(ctx, args, text.as_bytes());
    ctx.reply.bulk(&text);
    Ok(())
}

/// Records the sum, as other machines may add floats otherwise. HSET would clear the field's deadline.
fn record_sum(ctx: &mut Context<'_>, args: Args<'_>, sum: &[u8]) {
    let (key, field) = (ctx.key(&args, 1), args.at(2));
    let hash = ctx.core.view_as::<HashRef>(ctx.database, key);
    match hash.and_then(|hash| hash.deadline(field)).flatten() {
        None => ctx.record(&[b"HSET", key.bytes, field, sum]),
        Some(_) => ctx.record(&[b"HSETEX", key.bytes, b"KEEPTTL", b"FIELDS", b"1", field, sum]),
    }
}

/// HSTRLEN key field
fn hstrlen(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let hash = ctx.core.read_as::<HashRef>(ctx.database, key)?;
    let value = hash.and_then(|hash| hash.get(args.at(2)));
    let len = value.map_or(0, |value| value.text(&mut itoa::Buffer::new()).len());
    ctx.reply.len(len);
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
    let emptied = hash.is_emptied();
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
