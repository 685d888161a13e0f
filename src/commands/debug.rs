//! DEBUG: a look behind the scenes, and levers for tests.
//!
//! Only what tests of clients and operators use every day is here. `enable-debug-command` must allow it; the dispatcher
//! sees to that before any other check, as Redis does.

use std::fmt::Write;
use std::time::Duration;

use super::debug_populate::populate;
use super::debug_protocol::protocol;
use super::digest;
use super::handlers::Family;
use super::object::encoding_of;
use super::table::{errors, help};
use crate::config::rewrite::Extent;
use crate::config::value::parse_memory;
use crate::keyspace::Key;
use crate::persistence::loader::Duplicates;
use crate::persistence::rdb::encode::Options;
use crate::persistence::rdb::payload;
use crate::resp::request::Args;
use crate::server::blocking::Wait;
use crate::server::context::integer;
use crate::server::dispatch::LOADING;
use crate::server::failure::{Failure, NO_SUCH_KEY};
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[("debug", debug)];

/// DEBUG subcommand [argument ...]
fn debug(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let subcommand = args.at(1).to_ascii_lowercase();
    match (subcommand.as_slice(), args.len()) {
        (b"aof-flush-sleep", 3) => delay_log(ctx, args.at(2)),
        (b"change-repl-id", 2) => change_replication_id(ctx),
        (b"config-rewrite-force-all", 2) => rewrite_all_settings(ctx),
        (b"digest", 2) => digest_of_everything(ctx),
        (b"digest-value", 2..) => digests_of_values(ctx, args),
        (b"error", 3) => Err(Failure(args.at(2).to_vec().into())),
        (b"help", 2) => {
            help::help_reply(args.at(0), HELP, ctx.reply);
            Ok(())
        }
        (b"htstats", 3) => table_statistics(ctx, args.at(2)),
        (b"loadaof", 2) | (b"populate", 3..=5) | (b"reload", 2..) if ctx.core.is_loading() || ctx.core.is_replaying => {
            // What they do to the data would get mixed up with what is loaded.
            Err(LOADING.into())
        }
        (b"loadaof", 2) => load_log(ctx),
        (b"log", 3) => log(ctx, args.at(2)),
        (b"object", 3) => object(ctx, args.at(2)),
        (b"panic", 2) => panic!("somebody asked for it with DEBUG PANIC"),
        (b"pause-cron", 3) => pause_cron(ctx, args.at(2)),
        (b"populate", 3..=5) => populate(ctx, args),
        (b"protocol", 3) => protocol(args.at(2), ctx.reply),
        (b"quicklist-packed-threshold", 3) => quicklist_packed_threshold(ctx, args.at(2)),
        (b"reload", 2..) => reload(ctx, args),
        (b"replicate", 3..) => replicate(ctx, args),
        (b"replybuffer", 4) if args.at(2).eq_ignore_ascii_case(b"resizing") => {
            // Reply buffers go from client to client and are never resized while a client has one.
            ctx.reply.ok();
            Ok(())
        }
        (b"segfault", 2) => {
            crate::crash::fault();
            Ok(())
        }
        (b"set-active-expire", 3) => set_active_expire(ctx, args.at(2)),
        (b"set-skip-checksum-validation", 3) => {
            ctx.core.checksums_count = leading_number(args.at(2)).trunc() == 0.0;
            ctx.reply.ok();
            Ok(())
        }
        (b"set-disable-deny-scripts", 3) => {
            ctx.core.scripts.denies_nothing = leading_number(args.at(2)).trunc() != 0.0;
            ctx.reply.ok();
            Ok(())
        }
        (b"sleep", 3) => sleep(ctx, args.at(2)),
        _ => Err(errors::unusable_subcommand(&args.to_vec()).into()),
    }
}

const HELP: &[&str] = &[
    "AOF-FLUSH-SLEEP <microseconds>",
    "    Sleeps before each write to the append-only file.",
    "CHANGE-REPL-ID",
    "    Draws a new replication ID.",
    "CONFIG-REWRITE-FORCE-ALL",
    "    Writes every setting to the configuration file, also those with their default.",
    "DIGEST",
    "    Tells a digest of all data, the same for the same data on any server.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Tells digests of the values of keys.",
    "ERROR <string>",
    "    Answers with the error <string>.",
    "HTSTATS <dbid>",
    "    Describes the hash table of a database.",
    "LOADAOF",
    "    Writes what the append-only file lacks, empties all databases and loads it again.",
    "LOG <message>",
    "    Writes <message> to the log.",
    "OBJECT <key>",
    "    Shows how <key> and its value are stored.",
    "PANIC",
    "    Crashes the server as a mistake in its program would.",
    "PAUSE-CRON <0|1>",
    "    With 1, what is done once a second is not done: idle clients and soft limits of output are not looked at.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Makes <count> strings named key:<number>, or <prefix>:<number>, of <size> bytes.",
    "PROTOCOL <type>",
    "    Answers with an example of a type: string, integer, double, bignum, null, array, set, map, attrib, push,",
    "    verbatim, true or false.",
    "QUICKLIST-PACKED-THRESHOLD <size>",
    "    Lets elements of <size> bytes and more have nodes of their own in lists; 0 leaves it to the settings.",
    "RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
    "    Saves a snapshot (unless NOSAVE), empties all databases (unless NOFLUSH) and loads the snapshot again. With",
    "    MERGE its keys take the place of those that are there; without, a key that is there is an error.",
    "REPLICATE <command> [<argument> ...]",
    "    Tells replicas to run a command that is not run here, which makes their data differ.",
    "REPLYBUFFER RESIZING <0|1>",
    "    Changes nothing: a client between requests has no reply buffer that could be resized.",
    "SEGFAULT",
    "    Crashes the server with the signal of an invalid access to memory.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    With 0, keys expire only when somebody looks at them.",
    "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
    "    With 1, the checksums of snapshots and of RESTORE's values may be wrong.",
    "SLEEP <seconds>",
    "    Stops the whole server for <seconds>, which may have decimals.",
];

/// DEBUG AOF-FLUSH-SLEEP microseconds
fn delay_log(ctx: &mut Context<'_>, micros: &[u8]) -> Outcome {
    ctx.core.append_only.write_delay = Duration::from_micros(leading_number(micros).max(0.0) as u64);
    ctx.reply.ok();
    Ok(())
}

/// DEBUG CHANGE-REPL-ID
fn change_replication_id(ctx: &mut Context<'_>) -> Outcome {
    crate::log::notice("Changing the replication ID because DEBUG CHANGE-REPL-ID was called");
    ctx.core.replication.id = ctx.core.random_hex(40);
    ctx.reply.ok();
    Ok(())
}

/// DEBUG REPLICATE command [argument ...]
fn replicate(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.core.record_for_replicas(ctx.database, &args.from(2).to_vec());
    ctx.reply.ok();
    Ok(())
}

/// DEBUG DIGEST
fn digest_of_everything(ctx: &mut Context<'_>) -> Outcome {
    ctx.reply.simple(digest::of_keyspace(&ctx.core.keyspace).to_hex());
    Ok(())
}

/// DEBUG DIGEST-VALUE key [key ...]: keys past their deadline included, as long as they stand. No key is all zeros.
fn digests_of_values(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let keys = args.from(2);
    ctx.reply.array(keys.len());
    for key in keys.iter() {
        let found = ctx.core.keyspace.db(ctx.database).find(Key::new(key));
        let digest = found.map(digest::of_value).unwrap_or_default();
        ctx.reply.simple(digest.to_hex());
    }
    Ok(())
}

/// DEBUG LOG message
fn log(ctx: &mut Context<'_>, message: &[u8]) -> Outcome {
    crate::log::warning(&format!("DEBUG LOG: {}", String::from_utf8_lossy(message)));
    ctx.reply.ok();
    Ok(())
}

/// DEBUG SET-ACTIVE-EXPIRE number. What is no number is 0, as for C's `atoi`.
fn set_active_expire(ctx: &mut Context<'_>, number: &[u8]) -> Outcome {
    ctx.core.active_expire = leading_number(number).trunc() != 0.0;
    ctx.reply.ok();
    Ok(())
}

/// DEBUG PAUSE-CRON number
fn pause_cron(ctx: &mut Context<'_>, number: &[u8]) -> Outcome {
    ctx.core.rounds_paused = leading_number(number).trunc() != 0.0;
    ctx.reply.ok();
    Ok(())
}

/// The largest DEBUG QUICKLIST-PACKED-THRESHOLD: a megabyte short of what a listpack can count.
const PACKED_THRESHOLD_MAX: u64 = (1 << 32) - (1 << 20);

/// DEBUG QUICKLIST-PACKED-THRESHOLD size
fn quicklist_packed_threshold(ctx: &mut Context<'_>, size: &[u8]) -> Outcome {
    let Some(size) = parse_memory(size).filter(|&size| size <= PACKED_THRESHOLD_MAX) else {
        return Err("ERR argument must be a memory value bigger than 1 and smaller than 4gb".into());
    };
    crate::types::list::set_large_from(size as usize);
    ctx.reply.ok();
    Ok(())
}

/// DEBUG RELOAD [MERGE] [NOFLUSH] [NOSAVE]. The whole server waits.
fn reload(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (mut merge, mut flush, mut save) = (false, true, true);
    for option in args.from(2).iter() {
        match option.to_ascii_lowercase().as_slice() {
            b"merge" => merge = true,
            b"noflush" => flush = false,
            b"nosave" => save = false,
            _ => return Err("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.".into()),
        }
    }
    if save {
        ctx.core.save().map_err(|_| "ERR")?;
    }
    if flush {
        ctx.core.empty_keyspace();
        ctx.core.drop_functions();
    }
    let duplicates = match merge {
        true => Duplicates::Replace,
        false => Duplicates::Refuse,
    };
    let reloaded = ctx.core.reload(duplicates);
    reloaded.map_err(|_| "ERR Error trying to load the RDB dump, check server logs.")?;
    crate::log::warning("DB reloaded by DEBUG RELOAD");
    ctx.reply.ok();
    Ok(())
}

/// DEBUG LOADAOF. The client waits while the log is played in slices, and the command runs again when it has been; in a
/// transaction, or where the primary has sent it, the whole server waits.
fn load_log(ctx: &mut Context<'_>) -> Outcome {
    let cannot_wait = ctx.core.in_transaction || ctx.core.replication.is_primary(ctx.session);
    let loaded = match ctx.core.take_reloaded() {
        Some(loaded) => loaded,
        // A primary's snapshot that is loaded beside the data will take their place anyway.
        None if ctx.core.loading.is_some() => return Err(LOADING.into()),
        None if cannot_wait => ctx.core.reload_log(),
        None => match ctx.core.begin_reload_log(ctx.session) {
            Ok(true) => return ctx.wait(Wait::elsewhere()),
            ended => ended.map(drop),
        },
    };
    loaded.map_err(|_| "ERR Error trying to load the AOF files, check server logs.")?;
    ctx.reply.ok();
    Ok(())
}

/// DEBUG CONFIG-REWRITE-FORCE-ALL
fn rewrite_all_settings(ctx: &mut Context<'_>) -> Outcome {
    super::config::rewrite_file(ctx.core, Extent::All)
        .map_err(|reason| format!("ERR CONFIG-REWRITE-FORCE-ALL failed: {reason}"))?;
    ctx.reply.ok();
    Ok(())
}

/// DEBUG SLEEP seconds. The whole server sleeps, which is the point.
fn sleep(ctx: &mut Context<'_>, seconds: &[u8]) -> Outcome {
    if let Ok(duration) = Duration::try_from_secs_f64(leading_number(seconds)) {
        std::thread::sleep(duration);
    }
    ctx.reply.ok();
    Ok(())
}

/// The decimal number that a text begins with, whatever follows; 0 if there is none.
fn leading_number(text: &[u8]) -> f64 {
    let end = text
        .iter()
        .position(|b| !b"+-.0123456789".contains(b))
        .unwrap_or(text.len());
    let digits = std::str::from_utf8(&text[..end]).unwrap_or_default();
    (0..=digits.len())
        .rev()
        .find_map(|end| digits[..end].parse().ok())
        .unwrap_or(0.0)
}

/// DEBUG HTSTATS dbid. O(keys): every probe is counted.
fn table_statistics(ctx: &mut Context<'_>, database: &[u8]) -> Outcome {
    let index = usize::try_from(integer(database)?).ok();
    let Some(index) = index.filter(|&index| index < ctx.core.keyspace.len()) else {
        return Err("ERR Out of range database".into());
    };
    let db = ctx.core.keyspace.db(index);
    let stats = db.table_stats();
    let mut out = String::from("[Dictionary HT]\n");
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "Hash table 0 stats (main hash table):\n table size: {}\n number of elements: {}\n segments: {}\n \
         directory size: {}\n load: {:.2}\n avg probe length: {:.2}\n max probe length: {}\n bytes: {}\n",
        stats.buckets,
        stats.entries,
        stats.segments,
        stats.directory,
        stats.load,
        stats.mean_probe,
        stats.longest_probe,
        stats.memory
    );
    let _ = write!(
        out,
        "[Expires HT]\n number of elements: {}\n bytes: {}\n",
        db.volatile(),
        db.wheel_bytes()
    );
    ctx.reply.verbatim("txt", out);
    Ok(())
}

/// DEBUG OBJECT key
///
fn object(ctx: &mut Context<'_>, key: &[u8]) -> Outcome {
    let clock = ctx.core.moment.clock;
    let compress = ctx.core.settings.rdbcompression;
    // Also a key past its deadline, as long as it stands.
    let Some(entry) = ctx.core.keyspace.db(ctx.database).find(Key::new(key)) else {
        return Err(NO_SUCH_KEY.into());
    };
    let options = Options {
        compress,
        ..Options::default()
    };
    let line = format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}",
        entry.key().as_ptr(),
        encoding_of(entry),
        payload::value_len(entry.value(), options),
        entry.clock(),
        clock.idle_ms(entry.clock()) / 1000
    );
    ctx.reply.simple(&line);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::choice::Permission;
    use crate::server::testing::Server;

    #[test]
    fn numbers_are_read_as_far_as_they_go() {
        let cases: [(&str, f64); 8] = [
            ("0.5", 0.5),
            ("1x", 1.0),
            ("1.5.2", 1.5),
            ("-2", -2.0),
            (".5", 0.5),
            ("abc", 0.0),
            ("", 0.0),
            ("1-1", 1.0),
        ];
        for (text, want) in cases {
            assert_eq!(leading_number(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn an_expired_key_is_shown_while_it_stands() {
        let mut server = Server::start();
        server.core.settings.enable_debug_command = Permission::Yes;
        server.ask("SET k v PX 10");
        server.at(11);
        assert!(server.ask("DEBUG OBJECT k").starts_with("+Value at:"));
        assert_eq!(server.ask("EXISTS k"), ":0|");
        assert_eq!(server.ask("DEBUG OBJECT k"), "-ERR no such key|");
    }

    #[test]
    fn populating_leaves_what_is_there() {
        let mut server = Server::start();
        server.core.settings.enable_debug_command = Permission::Yes;
        server.ask("SET p:1 own");
        assert_eq!(server.ask("DEBUG POPULATE 3 p"), "+OK|");
        assert_eq!(
            server.ask("MGET p:0 p:1 p:2 p:3"),
            "*4|$7|value:0|$3|own|$7|value:2|$-1|"
        );
        assert_eq!(server.ask("DEBUG POPULATE 1 q 3"), "+OK|");
        assert_eq!(server.ask("GET q:0"), "$3|val|");
        assert_eq!(server.ask("DEBUG POPULATE 1 r 10"), "+OK|");
        assert_eq!(server.ask("GET r:0"), "$10|value:0\0\0\0|");
        for wrong in ["-1", "x", "1 p -5"] {
            let reply = server.ask(&format!("DEBUG POPULATE {wrong}"));
            assert_eq!(reply, "-ERR value is out of range, must be positive|");
        }
    }

    #[test]
    fn a_paused_round_closes_nobody() {
        let mut server = Server::start();
        server.core.settings.enable_debug_command = Permission::Yes;
        server.ask("CONFIG SET timeout 1");
        server.ask("DEBUG PAUSE-CRON 1");
        server.at(10_000).core.each_second();
        assert!(server.core.effects.is_empty());
        server.core.rounds_paused = false;
        server.core.each_second();
        assert_eq!(server.core.effects.len(), 1);
    }

    #[test]
    fn debug_must_be_allowed() {
        let mut server = Server::start();
        assert!(server.ask("DEBUG HELP").starts_with("-ERR DEBUG command not allowed."));
        assert_eq!(
            server.ask("DEBUG"),
            "-ERR wrong number of arguments for 'debug' command|"
        );
        server.core.settings.enable_debug_command = Permission::Yes;
        assert_eq!(server.ask("DEBUG SET-ACTIVE-EXPIRE 0"), "+OK|");
        assert!(!server.core.active_expire);
        assert_eq!(
            server.ask("DEBUG CONFIG-REWRITE-FORCE-ALL"),
            "-ERR CONFIG-REWRITE-FORCE-ALL failed: the server is running without a config file|"
        );
        assert_eq!(
            server.ask("DEBUG QUICKLIST-PACKED-THRESHOLD 5gb"),
            "-ERR argument must be a memory value bigger than 1 and smaller than 4gb|"
        );
        assert_eq!(server.ask("DEBUG QUICKLIST-PACKED-THRESHOLD 100b"), "+OK|");
        assert_eq!(server.ask("DEBUG QUICKLIST-PACKED-THRESHOLD 0"), "+OK|");
        assert_eq!(server.ask("DEBUG ERROR oops"), "-oops|");
        assert_eq!(server.ask("DEBUG OBJECT k"), "-ERR no such key|");
        assert_eq!(server.ask("DEBUG HTSTATS 16"), "-ERR Out of range database|");
        assert_eq!(
            server.ask("DEBUG SLEEP 1 2"),
            "-ERR unknown subcommand or wrong number of arguments for 'SLEEP'. Try DEBUG HELP.|"
        );
    }
}
