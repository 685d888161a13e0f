//! String commands: GET, SET and all that treats a value as bytes or as a number.

use super::expiry::{DeadlineForm, syntax_error};
use super::handlers::Family;
use super::set_options::{Condition, SetOptions};
use super::ttl::{record_deadline, record_past};
use super::values::{StringMut, Text, built_string, string_value};
use crate::format::long_double::LongDouble;
use crate::format::number::parse_i64;
use crate::keyspace::{Deadline, EntryRef, Key, Kind, NewValue, STRING_INLINE_MAX, ValueRef};
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::{Failure, NOT_INTEGER, WRONG_TYPE};
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::packed::PackedBuf;

pub const COMMANDS: Family = &[
    ("append", append),
    ("decr", decr),
    ("decrby", decrby),
    ("delifeq", delifeq),
    ("get", get),
    ("getdel", getdel),
    ("getex", getex),
    ("getrange", getrange),
    ("getset", getset),
    ("incr", incr),
    ("incrby", incrby),
    ("incrbyfloat", incrbyfloat),
    ("mget", mget),
    ("mset", mset),
    ("msetex", msetex),
    ("msetnx", msetnx),
    ("psetex", psetex),
    ("set", set),
    ("setex", setex),
    ("setnx", setnx),
    ("setrange", setrange),
    ("strlen", strlen),
    ("substr", getrange),
];

/// The most keys of one MSETEX.
const MOST_PAIRS: i64 = i32::MAX as i64;

#[inline]
fn reply_string(reply: &mut Reply, entry: EntryRef<'_>) -> Outcome {
    match entry.value() {
        ValueRef::Str(bytes) => reply.bulk(bytes),
        ValueRef::Int(value) => reply.bulk_int(value),
        _ => return Err(WRONG_TYPE.into()),
    }
    Ok(())
}

fn reply_string_or_null(reply: &mut Reply, entry: Option<EntryRef<'_>>) -> Outcome {
    match entry {
        Some(entry) => reply_string(reply, entry),
        None => {
            reply.null();
            Ok(())
        }
    }
}

/// GET key
fn get(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let entry = ctx.core.read(ctx.database, key);
    reply_string_or_null(ctx.reply, entry)
}

/// SET key value [NX | XX | IFEQ comparison] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]
fn set(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    if args.len() == 3 {
        store_argument(ctx, key, args.at(2), Deadline::Clear);
        ctx.changed(Class::STRING, "set", key.bytes);
        ctx.reply.ok();
        return Ok(());
    }
    let options = SetOptions::of_one(args.from(3))?;
    let deadline = options.deadline(ctx.now(), "set")?;
    let is_met = if options.get {
        let entry = ctx.core.read(ctx.database, key);
        reply_string_or_null(ctx.reply, entry)?;
        options.condition.is_met_by(entry)?
    } else {
        is_met(ctx, key, options.condition)?
    };
    if !is_met {
        if !options.get {
            ctx.reply.null();
        }
        return Ok(());
    }
    store_argument(ctx, key, args.at(2), deadline);
    ctx.changed(Class::STRING, "set", key.bytes);
    if let Deadline::At(_) = deadline {
        ctx.notify(Class::GENERIC, "expire", key.bytes);
    }
    if matches!(deadline, Deadline::At(_)) || matches!(options.condition, Condition::Equal(_)) {
        record_set(ctx, key, args.at(2), deadline);
    }
    if !options.get {
        ctx.reply.ok();
    }
    Ok(())
}

/// Whether a key is as a command wants it, which is looked at only if there is anything to want.
fn is_met(ctx: &mut Context<'_>, key: Key<'_>, condition: Condition<'_>) -> Result<bool, Failure> {
    match condition {
        Condition::None => Ok(true),
        _ => condition.is_met_by(ctx.core.peek(ctx.database, key)),
    }
}

/// Records that a key got a value and a deadline, however both were asked for, in words that every server knows.
fn record_set(ctx: &mut Context<'_>, key: Key<'_>, value: &[u8], deadline: Deadline) {
    match deadline {
        Deadline::Clear => ctx.record(&[b"SET", key.bytes, value]),
        Deadline::Keep => ctx.record(&[b"SET", key.bytes, value, b"KEEPTTL"]),
        Deadline::At(at) => {
            let mut digits = itoa::Buffer::new();
            let at = digits.format(at.0).as_bytes();
            ctx.record(&[b"SET", key.bytes, value, b"PXAT", at]);
        }
    }
}

/// The same for several keys.
fn record_pairs(ctx: &mut Context<'_>, pairs: Args<'_>, deadline: Deadline) {
    if !ctx.core.propagation.is_on {
        return;
    }
    if let Deadline::Clear = deadline {
        let words: Vec<&[u8]> = [&b"MSET"[..]].into_iter().chain(pairs.iter()).collect();
        return ctx.record(&words);
    }
    for index in (0..pairs.len()).step_by(2) {
        record_set(ctx, Key::new(pairs.at(index)), pairs.at(index + 1), deadline);
    }
}

/// Stores an argument, taking its buffer over if it has one of its own.
fn store_argument(ctx: &mut Context<'_>, key: Key<'_>, text: &[u8], deadline: Deadline) {
    match ctx.big.take() {
        Some(buffer) => ctx
            .core
            .put(ctx.database, key, NewValue::boxed(Box::new(buffer)), deadline),
        None => ctx.core.put(ctx.database, key, string_value(text), deadline),
    }
}

fn set_if_absent(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let absent = !ctx.core.exists(ctx.database, key);
    if absent {
        ctx.core
            .put(ctx.database, key, string_value(args.at(2)), Deadline::Clear);
        ctx.changed(Class::STRING, "set", key.bytes);
    }
    ctx.reply.int(i64::from(absent));
    Ok(())
}

/// SETNX key value
fn setnx(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set_if_absent(ctx, args)
}

fn set_with_deadline(ctx: &mut Context<'_>, args: Args<'_>, form: DeadlineForm) -> Outcome {
    let key = ctx.key(&args, 1);
    let deadline = form.positive_deadline(args.at(2), ctx.now(), ctx.spec.name)?;
    let deadline = Deadline::At(deadline);
    ctx.core.put(ctx.database, key, string_value(args.at(3)), deadline);
    ctx.changed(Class::STRING, "set", key.bytes);
    ctx.notify(Class::GENERIC, "expire", key.bytes);
    record_set(ctx, key, args.at(3), deadline);
    ctx.reply.ok();
    Ok(())
}

/// SETEX key seconds value
fn setex(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set_with_deadline(ctx, args, DeadlineForm::EX)
}

/// PSETEX key milliseconds value
fn psetex(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set_with_deadline(ctx, args, DeadlineForm::PX)
}

/// GETSET key value
fn getset(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let entry = ctx.core.read(ctx.database, key);
    reply_string_or_null(ctx.reply, entry)?;
    ctx.core
        .put(ctx.database, key, string_value(args.at(2)), Deadline::Clear);
    ctx.changed(Class::STRING, "set", key.bytes);
    ctx.record(&[b"SET", key.bytes, args.at(2)]);
    Ok(())
}

/// GETDEL key
fn getdel(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let entry = ctx.core.read(ctx.database, key);
    let present = entry.is_some();
    reply_string_or_null(ctx.reply, entry)?;
    if present {
        ctx.core.delete(ctx.database, key);
        ctx.changed(Class::GENERIC, "del", key.bytes);
        ctx.record(&[b"DEL", key.bytes]);
    }
    Ok(())
}

/// DELIFEQ key value
fn delifeq(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let is_equal = is_met(ctx, key, Condition::Equal(args.at(2)))?;
    if is_equal {
        ctx.core.delete(ctx.database, key);
        ctx.changed(Class::GENERIC, "del", key.bytes);
        ctx.record(&[b"DEL", key.bytes]);
    }
    ctx.reply.int(i64::from(is_equal));
    Ok(())
}

/// GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]
fn getex(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (mut persist, mut deadline) = (false, None);
    let mut at = 2;
    while let Some(option) = args.get(at) {
        if option.eq_ignore_ascii_case(b"persist") && deadline.is_none() {
            persist = true;
            at += 1;
        } else if let (Some(form), Some(value)) = (DeadlineForm::parse(option), args.get(at + 1))
            && deadline.is_none_or(|(earlier, _)| earlier == form)
            && !persist
        {
            deadline = Some((form, value));
            at += 2;
        } else {
            return syntax_error();
        }
    }
    let key = ctx.key(&args, 1);
    let (now, gone_by) = (ctx.now(), ctx.core.gone_by());
    let Some(entry) = ctx.core.read(ctx.database, key) else {
        ctx.reply.null();
        return Ok(());
    };
    let volatile = entry.deadline().is_some();
    Text::of_entry(entry)?;
    let deadline = deadline
        .map(|(form, value)| form.positive_deadline(value, now, "getex"))
        .transpose()?;
    reply_string(ctx.reply, entry)?;
    match deadline {
        Some(at) if at <= gone_by => {
            ctx.core.delete(ctx.database, key);
            ctx.changed(Class::GENERIC, "del", key.bytes);
            record_past(ctx, key);
        }
        Some(at) => {
            ctx.core.set_deadline(ctx.database, key, Some(at));
            ctx.changed(Class::GENERIC, "expire", key.bytes);
            record_deadline(ctx, key, at);
        }
        None if persist && volatile => {
            ctx.core.set_deadline(ctx.database, key, None);
            ctx.changed(Class::GENERIC, "persist", key.bytes);
            ctx.record(&[b"PERSIST", key.bytes]);
        }
        None => {}
    }
    Ok(())
}

/// MGET key [key ...]
fn mget(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.reply.array(args.len() - 1);
    for index in 1..args.len() {
        let key = ctx.key(&args, index);
        let entry = ctx.core.read(ctx.database, key);
        if entry.is_none_or(|entry| reply_string(ctx.reply, entry).is_err()) {
            ctx.reply.null();
        }
    }
    Ok(())
}

/// MSET key value [key value ...]
fn mset(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len().is_multiple_of(2) {
        return Err("ERR wrong number of arguments for 'mset' command".into());
    }
    set_pairs(ctx, args);
    ctx.reply.ok();
    Ok(())
}

/// MSETNX key value [key value ...]: all or none.
fn msetnx(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len().is_multiple_of(2) {
        return Err("ERR wrong number of arguments for 'msetnx' command".into());
    }
    for index in (1..args.len()).step_by(2) {
        let key = ctx.key(&args, index);
        if ctx.core.exists(ctx.database, key) {
            ctx.reply.int(0);
            return Ok(());
        }
    }
    set_pairs(ctx, args);
    ctx.reply.int(1);
    Ok(())
}

fn set_pairs(ctx: &mut Context<'_>, args: Args<'_>) {
    for index in (1..args.len()).step_by(2) {
        let key = ctx.key(&args, index);
        ctx.core
            .put(ctx.database, key, string_value(args.at(index + 1)), Deadline::Clear);
        ctx.changed(Class::STRING, "set", key.bytes);
    }
}

/// MSETEX numkeys key value [key value ...] [NX | XX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]: all or none.
fn msetex(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = parse_i64(args.at(1)).filter(|count| (1..=MOST_PAIRS).contains(count));
    let count = count.ok_or("ERR invalid numkeys value or out of range")? as usize;
    if args.len() < 2 + 2 * count {
        return syntax_error();
    }
    let (pairs, options) = (args.range(2..2 + 2 * count), args.from(2 + 2 * count));
    let options = SetOptions::of_many(options)?;
    let deadline = options.deadline(ctx.now(), "msetex")?;
    for index in (0..pairs.len()).step_by(2) {
        let key = Key::new(pairs.at(index));
        if !is_met(ctx, key, options.condition)? {
            ctx.reply.int(0);
            return Ok(());
        }
    }
    for index in (0..pairs.len()).step_by(2) {
        let (key, value) = (Key::new(pairs.at(index)), pairs.at(index + 1));
        ctx.core.put(ctx.database, key, string_value(value), deadline);
        ctx.changed(Class::STRING, "set", key.bytes);
        if let Deadline::At(_) = deadline {
            ctx.notify(Class::GENERIC, "expire", key.bytes);
        }
    }
    record_pairs(ctx, pairs, deadline);
    ctx.reply.int(1);
    Ok(())
}

/// STRLEN key
fn strlen(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let len = match ctx.core.read(ctx.database, key) {
        Some(entry) => Text::of_entry(entry)?.bytes().len(),
        None => 0,
    };
    ctx.reply.len(len);
    Ok(())
}

/// GETRANGE key start end, and its old name SUBSTR. Negative positions count from the end.
fn getrange(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (start, end) = (integer(args.at(2))?, integer(args.at(3))?);
    let key = ctx.key(&args, 1);
    let Some(entry) = ctx.core.read(ctx.database, key) else {
        ctx.reply.bulk(b"");
        return Ok(());
    };
    let mut text = Text::of_entry(entry)?;
    let bytes = text.bytes();
    match byte_range(bytes.len(), start, end) {
        Some(range) => ctx.reply.bulk(&bytes[range]),
        None => ctx.reply.bulk(b""),
    }
    Ok(())
}

fn byte_range(len: usize, start: i64, end: i64) -> Option<std::ops::Range<usize>> {
    if start < 0 && end < 0 && start > end {
        return None;
    }
    let len = len as i64;
    let from_end = |at: i64| if at < 0 { (at + len).max(0) } else { at };
    let (start, end) = (from_end(start), from_end(end).min(len - 1));
    (start <= end && len > 0).then(|| start as usize..end as usize + 1)
}

/// Redis's limit for strings that commands build: `proto-max-bulk-len`.
fn check_length(ctx: &Context<'_>, len: u128) -> Outcome {
    if len > ctx.core.settings.proto_max_bulk_len as u128 {
        return Err("ERR string exceeds maximum allowed size (proto-max-bulk-len)".into());
    }
    Ok(())
}

/// SETRANGE key offset value
fn setrange(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (offset, patch) = (integer(args.at(2))?, args.at(3));
    if offset < 0 {
        return Err("ERR offset is out of range".into());
    }
    let key = ctx.key(&args, 1);
    let old = match ctx.core.peek(ctx.database, key) {
        Some(entry) => Text::of_entry(entry)?.bytes().len(),
        None => 0,
    };
    if patch.is_empty() {
        ctx.reply.len(old);
        return Ok(());
    }
    check_length(ctx, offset as u128 + patch.len() as u128)?;
    let (start, end) = (offset as usize, offset as usize + patch.len());
    let len = match ctx.core.write_as::<StringMut>(ctx.database, key)? {
        Some(mut text) => {
            text.grow(end);
            text.bytes_mut()[start..end].copy_from_slice(patch);
            text.bytes().len()
        }
        None => {
            let mut text = vec![0; end];
            text[start..].copy_from_slice(patch);
            ctx.core.create(ctx.database, key, built_string(text));
            end
        }
    };
    ctx.changed(Class::STRING, "setrange", key.bytes);
    ctx.reply.len(len);
    Ok(())
}

/// APPEND key value
fn append(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, tail) = (ctx.key(&args, 1), args.at(2));
    let old = match ctx.core.peek(ctx.database, key) {
        Some(entry) => Text::of_entry(entry)?.bytes().len(),
        None => {
            ctx.core.put(ctx.database, key, string_value(tail), Deadline::Clear);
            ctx.changed(Class::STRING, "append", key.bytes);
            ctx.reply.len(tail.len());
            return Ok(());
        }
    };
    check_length(ctx, old as u128 + tail.len() as u128)?;
    if let Some(mut text) = ctx.core.write_as::<StringMut>(ctx.database, key)? {
        text.append(tail);
    }
    ctx.changed(Class::STRING, "append", key.bytes);
    ctx.reply.len(old + tail.len());
    Ok(())
}

fn add(ctx: &mut Context<'_>, key: Key<'_>, by: i64) -> Outcome {
    const OVERFLOW: &str = "ERR increment or decrement would overflow";
    let new = match ctx.core.write(ctx.database, key) {
        Some(mut entry) => {
            let old = match entry.as_ref().value() {
                ValueRef::Int(value) => value,
                ValueRef::Str(text) => parse_i64(text).ok_or(NOT_INTEGER)?,
                _ => return Err(WRONG_TYPE.into()),
            };
            let new = old.checked_add(by).ok_or(OVERFLOW)?;
            match entry.kind() {
                Kind::Int => entry.set_int(new),
                _ => entry.convert(NewValue::Int(new)),
            }
            new
        }
        None => {
            ctx.core.put(ctx.database, key, NewValue::Int(by), Deadline::Clear);
            by
        }
    };
    ctx.changed(Class::STRING, "incrby", key.bytes);
    ctx.reply.int(new);
    Ok(())
}

/// INCR key
fn incr(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    add(ctx, key, 1)
}

/// DECR key
fn decr(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    add(ctx, key, -1)
}

/// INCRBY key increment
fn incrby(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let by = integer(args.at(2))?;
    let key = ctx.key(&args, 1);
    add(ctx, key, by)
}

/// DECRBY key decrement
fn decrby(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let by = integer(args.at(2))?;
    let by = by.checked_neg().ok_or("ERR decrement would overflow")?;
    let key = ctx.key(&args, 1);
    add(ctx, key, by)
}

/// INCRBYFLOAT key increment. The sum is computed in 80-bit floats, as Redis does on x86.
fn incrbyfloat(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    const NOT_FLOAT: &str = crate::server::failure::NOT_FLOAT;
    let key = ctx.key(&args, 1);
    let old = match ctx.core.write(ctx.database, key) {
        Some(entry) => LongDouble::parse(Text::of_entry(entry.as_ref())?.bytes()).ok_or(NOT_FLOAT)?,
        None => LongDouble::parse(b"0").ok_or(NOT_FLOAT)?,
    };
    let by = LongDouble::parse(args.at(2)).ok_or(NOT_FLOAT)?;
    let sum = old + by;
    if !sum.is_finite() {
        return Err("ERR increment would produce NaN or Infinity".into());
    }
    let text = sum.to_text();
    let value = if text.len() <= STRING_INLINE_MAX {
        NewValue::Str(text.as_bytes())
    } else {
        NewValue::boxed(Box::new(text.clone().into_bytes()))
    };
    ctx.core.put(ctx.database, key, value, Deadline::Keep);
    ctx.changed(Class::STRING, "incrbyfloat", key.bytes);
    // Other machines may add floats otherwise.
    ctx.record(&[b"SET", key.bytes, text.as_bytes(), b"KEEPTTL"]);
    ctx.reply.bulk(text.as_bytes());
    Ok(())
}
