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

/// Whether nothing of an entry is left at the time of the present tick.
pub fn is_expired(core: &Core, entry: EntryRef<'_>) -> bool {
    entry.has_expired(core.moment.expired_by)
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
    // While expiry is paused, keys past their deadline stay: if there may be nothing else, one of them must do.
    let mut tries = 100;
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
        if !entry.has_expired(moment.expired_by) || tries == 0 {
            ctx.reply.bulk(entry.key());
            return Ok(());
        }
        let name = entry.key().to_vec();
        let stays = !ctx.core.expire_now(ctx.database, Key::new(&name));
        let db = ctx.core.keyspace.db(ctx.database);
        if stays && db.volatile() + db.timed() >= db.len() {
            tries -= 1;
        }
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
    ctx.core.touched(ctx.database, from.bytes);
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
    ctx.core.touched(database, target.bytes);
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
    ctx.core.touched(to, key.bytes);
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
    ctx.core.before_flush(ctx.database);
    ctx.core.dirty += ctx.core.keyspace.flush(ctx.database) as u64;
    ctx.core.invalidate_all();
    ctx.reply.ok();
    Ok(())
}

/// FLUSHALL [ASYNC | SYNC]
fn flushall(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    check_flush_mode(args)?;
    ctx.core.dirty += ctx.core.empty_keyspace() as u64;
    ctx.core.save_emptiness();
    ctx.reply.ok();
    Ok(())
}

/// SWAPDB index1 index2. O(1): the databases change places, their keys stay.
fn swapdb(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let first = int32(args.at(1)).map_err(|_| Failure::from("ERR invalid first DB index"))?;
    let second = int32(args.at(2)).map_err(|_| Failure::from("ERR invalid second DB index"))?;
    let (first, second) = (existing_database(ctx, first)?, existing_database(ctx, second)?);
    // Swapped with itself a database is the same: whoever watches its keys has missed nothing.
    if first != second {
        ctx.core.before_swap(first, second);
        ctx.core.keyspace.swap(first, second);
    }
    ctx.core.dirty += 1;
    ctx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::keyspace::{Key, NewValue};
    use crate::server::testing::{START, Server};
    use crate::timer::Millis;
    use crate::types::list::{End, List};
    use crate::types::stream::{NodeLimits, Stream, StreamId};

    #[test]
    fn deleting_counts_only_keys_that_live() {
        let mut server = Server::start();
        server.ask("MSET a 1 b 2 c 3");
        server.ask("PEXPIRE a 10");
        assert_eq!(server.at(10).ask("DEL a b b nosuch"), ":1|");
        assert_eq!(server.core.stats.expired_keys, 1);
        assert_eq!(server.core.dirty, 3 + 1 + 1);
        assert_eq!(server.ask("UNLINK c"), ":1|");
        assert_eq!(server.ask("DBSIZE"), ":0|");
    }

    #[test]
    fn expired_keys_are_not_listed_but_stand_until_found() {
        let mut server = Server::start();
        server.ask("MSET a 1 b 2");
        server.ask("PEXPIRE a 10");
        server.at(10);
        assert_eq!(server.ask("KEYS *"), "*1|$1|b|");
        assert_eq!(server.ask("DBSIZE"), ":2|");
        assert_eq!(server.ask("EXISTS a b b"), ":2|");
        assert_eq!(server.ask("DBSIZE"), ":1|");
    }

    #[test]
    fn random_keys_are_alive() {
        let mut server = Server::start();
        for n in 0..200 {
            server.ask(&format!("SET {n} x PX 10"));
        }
        server.ask("SET alive x");
        for _ in 0..100 {
            assert_eq!(server.at(10).ask("RANDOMKEY"), "$5|alive|");
        }
        server.ask("DEL alive");
        assert_eq!(server.ask("RANDOMKEY"), "$-1|");
        assert_eq!(server.ask("DBSIZE"), ":0|");
    }

    #[test]
    fn renaming_takes_value_and_deadline_along() {
        let mut server = Server::start();
        server.ask("SET a text PX 500");
        server.ask("SET b other PX 900");
        server.listen();
        let told = server.ask("RENAME a b");
        let events: Vec<&str> = told.split("__keyevent@0__:").skip(1).collect();
        let names: Vec<&str> = events.iter().filter_map(|event| event.split('|').next()).collect();
        assert_eq!(names, ["new", "rename_from", "rename_to"]);
        assert_eq!(server.ask("PTTL b"), ":500|");
        assert!(server.ask("GET a").starts_with("_|"));
        assert_eq!(server.ask("RENAMENX b b"), ":0|");
        assert_eq!(server.ask("RENAME nosuch nosuch"), "-ERR no such key|");
        assert_eq!(server.core.keyspace.db(0).volatile(), 1);
        assert!(server.at(500).expire_due().contains("__keyevent@0__:expired|$1|b|"));
        assert_eq!(server.ask("DBSIZE"), ":0|");
    }

    #[test]
    fn keys_move_and_swap_between_databases() {
        let mut server = Server::start();
        server.ask("SET a 1 PX 100");
        assert_eq!(
            server.ask("MOVE a 0"),
            "-ERR source and destination objects are the same|"
        );
        assert_eq!(server.ask("MOVE a 16"), "-ERR DB index is out of range|");
        assert_eq!(server.ask("MOVE a 3"), ":1|");
        assert_eq!(server.ask("EXISTS a"), ":0|");
        server.ask("SET a 2");
        assert_eq!(server.ask("MOVE a 3"), ":0|");
        assert_eq!(server.ask("SWAPDB 0 3"), "+OK|");
        assert_eq!(server.ask("PTTL a"), ":100|");
        // What stands in the way has expired, so it does not.
        assert_eq!(server.ask("SWAPDB 0 3"), "+OK|");
        assert_eq!(server.at(100).ask("MOVE a 3"), ":1|");
        assert_eq!(server.core.keyspace.db(3).volatile(), 0);
    }

    #[test]
    fn copies_share_nothing() {
        let mut server = Server::start();
        server.ask("SET a text PX 100");
        assert_eq!(
            server.ask("COPY a a"),
            "-ERR source and destination objects are the same|"
        );
        assert_eq!(server.ask("COPY a a DB 1"), ":1|");
        assert_eq!(server.ask("COPY a a DB 1"), ":0|");
        assert_eq!(server.ask("COPY a a REPLACE DB 1"), ":1|");
        assert_eq!(server.ask("COPY a b"), ":1|");
        server.ask("APPEND a more");
        assert_eq!(server.ask("GET b"), "$4|text|");
        assert_eq!(server.ask("PTTL b"), ":100|");
        assert_eq!(server.at(100).ask("COPY a b"), ":0|");
    }

    #[test]
    fn large_values_are_copied_whole() {
        let mut server = Server::start();
        let mut list = List::new(crate::types::list::Fill::from_setting(-2));
        (0..5000).for_each(|n: i32| list.push(End::Tail, n.to_string().as_bytes()));
        let mut stream = Stream::new();
        let limits = NodeLimits::default();
        for n in 1..300 {
            let fields = std::iter::once((&b"f"[..], &b"v"[..]));
            stream.append(StreamId::new(n, 0), fields, limits).expect("ids grow");
        }
        stream.create_group(b"g", StreamId::new(5, 0), None);
        let (db, graveyard, moment) = server.core.writer(0);
        let deadline = crate::keyspace::Deadline::At(Millis(START + 50));
        db.set(
            Key::new(b"list"),
            NewValue::boxed(Box::new(list)),
            deadline,
            moment,
            graveyard,
        );
        db.set(
            Key::new(b"stream"),
            NewValue::boxed(Box::new(stream)),
            deadline,
            moment,
            graveyard,
        );
        assert_eq!(server.ask("COPY list list2"), ":1|");
        assert_eq!(server.ask("COPY stream stream2"), ":1|");
        assert_eq!(server.ask("DEL list stream"), ":2|");
        while server.core.housekeep() {}
        let copy = server
            .core
            .write(0, Key::new(b"list2"))
            .and_then(|entry| entry.into_boxed::<List>());
        assert_eq!(
            copy.map(|list| (list.len(), list.get(4321).map(|e| e.to_vec()))),
            Some((5000, Some(b"4321".to_vec())))
        );
        let copy = server
            .core
            .write(0, Key::new(b"stream2"))
            .and_then(|entry| entry.into_boxed::<Stream>());
        let copy = copy.expect("copied above");
        assert_eq!(
            (copy.len(), copy.groups().len(), copy.last_id),
            (299, 1, StreamId::new(299, 0))
        );
        server.at(50).expire_due();
        assert!(server.core.keyspace.is_empty());
    }

    #[test]
    fn flushed_databases_are_empty_at_once_and_freed_in_slices() {
        let mut server = Server::start();
        for n in 0..5000 {
            server.ask(&format!("SET {n} x EX 100"));
        }
        server.ask("COPY 7 7 DB 9");
        // With save points, FLUSHALL saves, and nothing is unsaved after it.
        server.core.settings.save.0.clear();
        server.core.dirty = 0;
        assert_eq!(server.ask("FLUSHALL ASYNC SYNC"), "-ERR syntax error|");
        assert_eq!(server.ask("FLUSHALL"), "+OK|");
        assert_eq!(server.core.dirty, 5001);
        assert_eq!((server.ask("DBSIZE").as_str(), server.core.next_due()), (":0|", None));
        assert_eq!(server.core.keyspace.graveyard.pending(), 5001);
        server.ask("SET 7 new PX 10");
        while server.core.housekeep() {}
        assert!(server.core.keyspace.graveyard.is_empty());
        assert_eq!(server.ask("GET 7"), "$3|new|");
        server.at(10).expire_due();
        assert_eq!(server.core.stats.expired_keys, 1);
    }

    #[test]
    fn questions_about_keys_count_as_lookups_but_not_as_accesses() {
        let mut server = Server::start();
        server.ask("SET a 1");
        server.at(5000);
        for question in [
            "EXISTS a b",
            "TYPE a",
            "TTL a",
            "OBJECT ENCODING a",
            "OBJECT ENCODING b",
        ] {
            server.ask(question);
        }
        assert_eq!(
            (server.core.stats.keyspace_hits, server.core.stats.keyspace_misses),
            (4, 2)
        );
        assert_eq!(server.ask("OBJECT IDLETIME a"), ":5|");
        server.ask("TOUCH a");
        assert_eq!(server.ask("OBJECT IDLETIME a"), ":0|");
        server.listen();
        assert!(server.ask("TYPE b").contains("__keyevent@0__:keymiss|$1|b|"));
        assert!(server.ask("GET b").contains("keymiss"));
        assert!(!server.ask("OBJECT ENCODING b").contains("keymiss"));
    }
}
