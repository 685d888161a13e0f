//! Commands on keys whatever their type: deleting, renaming, copying, listing, and on whole databases.
//!
//! What they share with every other command, and what makes them subtle, is that a key past its deadline is not there:
//! they look keys up through the core, which expires such a key on the way. DBSIZE alone counts entries as they stand,
//! like Redis; thanks to the timer wheel that count is late by a millisecond, not by seconds.

use super::expiry::syntax_error;
use super::handlers::Family;
use crate::format::glob;
use crate::keyspace::{EntryRef, Key};
use crate::resp::request::Args;
use crate::server::context::int32;
use crate::server::failure::{Failure, NO_SUCH_KEY};
use crate::server::notify::Class;
use crate::server::{Context, Core, Outcome};

pub const COMMANDS: Family = &[
    ("copy", copy),
    ("dbsize", dbsize),
    ("del", del),
    ("exists", exists),
    ("flushall", flushall),
    ("flushdb", flushdb),
    ("keys", keys),
    ("move", move_key),
    ("randomkey", randomkey),
    ("rename", rename),
    ("renamenx", renamenx),
    ("swapdb", swapdb),
    ("touch", touch),
    ("type", type_of),
    ("unlink", del),
];

const NO_SUCH_DATABASE: &str = "ERR DB index is out of range";
const SAME_OBJECT: &str = "ERR source and destination objects are the same";

/// DEL key [key ...], and UNLINK, which here is the same: every deletion leaves large values to be freed in slices.
fn del(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mut deleted = 0;
    for index in 1..args.len() {
        let key = ctx.key(&args, index);
        if ctx.core.delete_live(ctx.database, key) {
            ctx.changed(Class::GENERIC, "del", key.bytes);
            deleted += 1;
        }
    }
    ctx.reply.int(deleted);
    Ok(())
}

/// EXISTS key [key ...]: counts a key as often as it is named.
fn exists(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mut found = 0;
    for index in 1..args.len() {
        let key = ctx.key(&args, index);
        found += i64::from(ctx.core.inspect(ctx.database, key, |_| ()).is_some());
    }
    ctx.reply.int(found);
    Ok(())
}

/// TYPE key
fn type_of(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let found = ctx.core.inspect(ctx.database, key, |entry| entry.value_type());
    ctx.reply.simple(found.map_or("none", |value_type| value_type.name()));
    Ok(())
}

/// TOUCH key [key ...]: an access and nothing else.
fn touch(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mut found = 0;
    for index in 1..args.len() {
        let key = ctx.key(&args, index);
        found += i64::from(ctx.core.read(ctx.database, key).is_some());
    }
    ctx.reply.int(found);
    Ok(())
}

/// Whether an entry is past its deadline at the time of the present tick.
pub fn is_expired(core: &Core, entry: EntryRef<'_>) -> bool {
    entry.deadline().is_some_and(|at| at <= core.moment.now)
}

/// KEYS pattern. O(keys): everybody waits for it, which is why SCAN exists.
fn keys(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let pattern = args.at(1);
    let core = &*ctx.core;
    let shown = |entry: &EntryRef<'_>| {
        (pattern == b"*" || glob::matches(pattern, entry.key(), false)) && !is_expired(core, *entry)
    };
    let entries = core.keyspace.db(ctx.database).iter().filter(shown);
    ctx.reply.deferred(
        |reply, len| reply.array(len),
        |reply| entries.map(|entry| reply.bulk(entry.key())).count(),
    );
    Ok(())
}

/// RANDOMKEY. A key found to be past its deadline is deleted and another drawn, so the draws end: with a key or with an
/// empty database.
fn randomkey(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    loop {
        let Core {
            keyspace,
            random,
            moment,
            ..
        } = &mut *ctx.core;
        let Some(entry) = keyspace.db(ctx.database).random(&mut || random.u64(..)) else {
            ctx.reply.null();
            return Ok(());
        };
        if entry.deadline().is_none_or(|at| at > moment.now) {
            ctx.reply.bulk(entry.key());
            return Ok(());
        }
        let name = entry.key().to_vec();
        ctx.core.expire_now(ctx.database, Key::new(&name));
    }
}

/// What RENAME does when there is a key of the new name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IfTaken {
    Overwrite,
    Refuse,
}

/// Renames; false when it was refused. A key renamed to its own name is left alone, which for RENAMENX is a refusal.
fn rename_key(ctx: &mut Context<'_>, args: Args<'_>, if_taken: IfTaken) -> Result<bool, Failure> {
    let (from, to) = (ctx.key(&args, 1), ctx.key(&args, 2));
    if ctx.core.write(ctx.database, from).is_none() {
        return Err(NO_SUCH_KEY.into());
    }
    if from.bytes == to.bytes {
        return Ok(if_taken == IfTaken::Overwrite);
    }
    if if_taken == IfTaken::Refuse && ctx.core.exists(ctx.database, to) {
        return Ok(false);
    }
    ctx.core.delete_live(ctx.database, to);
    let (db, _, moment) = ctx.core.writer(ctx.database);
    db.rename(from, to, moment.now);
    ctx.notify(Class::NEW, "new", to.bytes);
    ctx.notify(Class::GENERIC, "rename_from", from.bytes);
    ctx.changed(Class::GENERIC, "rename_to", to.bytes);
    Ok(true)
}

/// RENAME key newkey
fn rename(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    rename_key(ctx, args, IfTaken::Overwrite)?;
    ctx.reply.ok();
    Ok(())
}

/// RENAMENX key newkey
fn renamenx(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let renamed = rename_key(ctx, args, IfTaken::Refuse)?;
    ctx.reply.int(i64::from(renamed));
    Ok(())
}

/// The database an argument names by its number.
fn database_argument(ctx: &Context<'_>, text: &[u8]) -> Result<usize, Failure> {
    let index = int32(text)?;
    existing_database(ctx, index)
}

fn existing_database(ctx: &Context<'_>, index: i32) -> Result<usize, Failure> {
    let index = usize::try_from(index).ok();
    index
        .filter(|&index| index < ctx.core.keyspace.len())
        .ok_or_else(|| NO_SUCH_DATABASE.into())
}

/// COPY source destination [DB destination-db] [REPLACE]
fn copy(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (mut database, mut replace) = (ctx.database, false);
    let mut at = 3;
    while let Some(option) = args.get(at) {
        if option.eq_ignore_ascii_case(b"replace") {
            replace = true;
            at += 1;
        } else if option.eq_ignore_ascii_case(b"db")
            && let Some(index) = args.get(at + 1)
        {
            database = database_argument(ctx, index)?;
            at += 2;
        } else {
            return syntax_error();
        }
    }
    let (source, target) = (ctx.key(&args, 1), ctx.key(&args, 2));
    if database == ctx.database && source.bytes == target.bytes {
        return Err(SAME_OBJECT.into());
    }
    let present = ctx.core.read(ctx.database, source).is_some();
    if !present || (!replace && ctx.core.exists(database, target)) {
        ctx.reply.int(0);
        return Ok(());
    }
    ctx.core.delete_live(database, target);
    let Core { keyspace, moment, .. } = &mut *ctx.core;
    keyspace.copy((ctx.database, source), (database, target), moment);
    ctx.core.dirty += 1;
    ctx.core.notify(Class::NEW, "new", target.bytes, database);
    ctx.core.notify(Class::GENERIC, "copy_to", target.bytes, database);
    ctx.reply.int(1);
    Ok(())
}

/// MOVE key db
fn move_key(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, from) = (ctx.key(&args, 1), ctx.database);
    let to = database_argument(ctx, args.at(2))?;
    if from == to {
        return Err(SAME_OBJECT.into());
    }
    if ctx.core.write(from, key).is_none() || ctx.core.write(to, key).is_some() {
        ctx.reply.int(0);
        return Ok(());
    }
    let now = ctx.now();
    ctx.core.keyspace.move_key(key, from, to, now);
    ctx.core.notify(Class::NEW, "new", key.bytes, to);
    ctx.changed(Class::GENERIC, "move_from", key.bytes);
    ctx.core.notify(Class::GENERIC, "move_to", key.bytes, to);
    ctx.reply.int(1);
    Ok(())
}

/// DBSIZE
fn dbsize(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    let keys = ctx.core.keyspace.db(ctx.database).len();
    ctx.reply.len(keys);
    Ok(())
}

/// Checks the `[ASYNC | SYNC]` of the FLUSH commands. Both mean the same here: the keys are gone at once, and their
/// memory follows in slices, since freeing it in one go would stop the only thread there is.
fn check_flush_mode(args: Args<'_>) -> Outcome {
    let known = |mode: &[u8]| mode.eq_ignore_ascii_case(b"async") || mode.eq_ignore_ascii_case(b"sync");
    match args.get(1) {
        Some(mode) if args.len() > 2 || !known(mode) => syntax_error(),
        _ => Ok(()),
    }
}

/// FLUSHDB [ASYNC | SYNC]
fn flushdb(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    check_flush_mode(args)?;
    ctx.core.dirty += ctx.core.keyspace.flush(ctx.database) as u64;
    ctx.reply.ok();
    Ok(())
}

/// FLUSHALL [ASYNC | SYNC]
fn flushall(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    check_flush_mode(args)?;
    for index in 0..ctx.core.keyspace.len() {
        ctx.core.dirty += ctx.core.keyspace.flush(index) as u64;
    }
    ctx.reply.ok();
    Ok(())
}

/// SWAPDB index1 index2. O(1): the databases change places, their keys stay.
fn swapdb(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let first = int32(args.at(1)).map_err(|_| Failure::from("ERR invalid first DB index"))?;
    let second = int32(args.at(2)).map_err(|_| Failure::from("ERR invalid second DB index"))?;
    let (first, second) = (existing_database(ctx, first)?, existing_database(ctx, second)?);
    ctx.core.keyspace.swap(first, second);
    ctx.core.dirty += 1;
    ctx.reply.ok();
    Ok(())
}
