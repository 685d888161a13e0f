//! Commands about what is on the disk: SAVE, BGSAVE, LASTSAVE, BGREWRITEAOF.

use std::io;

use super::expiry::syntax_error;
use super::handlers::Family;
use crate::log;
use crate::resp::request::Args;
use crate::server::blocking::Wait;
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[
    ("bgrewriteaof", bgrewriteaof),
    ("bgsave", bgsave),
    ("lastsave", lastsave),
    ("save", save),
];

const IN_PROGRESS: &str = "ERR Background save already in progress";
const OTHER_CHILD: &str = "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.";

/// SAVE. Everybody waits until the file is on the disk, which is the point.
fn save(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    if ctx.core.snapshots.running.is_some() {
        return Err(IN_PROGRESS.into());
    }
    ctx.core.save().map_err(|_| "ERR")?;
    ctx.reply.ok();
    Ok(())
}

/// BGSAVE [SCHEDULE | CANCEL]
fn bgsave(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let schedule = match args.get(1) {
        None => false,
        Some(word) if args.len() == 2 && word.eq_ignore_ascii_case(b"schedule") => true,
        Some(word) if args.len() == 2 && word.eq_ignore_ascii_case(b"cancel") => return cancel_save(ctx),
        Some(_) => return syntax_error(),
    };
    if ctx.core.snapshots.running.is_some() {
        return Err(IN_PROGRESS.into());
    }
    let in_transaction = ctx.core.in_transaction;
    if ctx.core.has_child() || in_transaction {
        if !schedule && !in_transaction {
            return Err(OTHER_CHILD.into());
        }
        ctx.core.snapshots.is_scheduled = true;
        ctx.reply.simple("Background saving scheduled");
        return Ok(());
    }
    ctx.core.save_in_background().map_err(|_| "ERR")?;
    ctx.reply.simple("Background saving started");
    Ok(())
}

/// BGSAVE CANCEL
fn cancel_save(ctx: &mut Context<'_>) -> Outcome {
    if ctx.core.snapshots.running.is_some() {
        log::notice("Background saving will be aborted due to user request");
        ctx.core.stop_snapshot();
        ctx.reply.simple("Background saving cancelled");
    } else if std::mem::take(&mut ctx.core.snapshots.is_scheduled) {
        ctx.reply.simple("Scheduled background saving cancelled");
    } else {
        return Err("ERR Background saving is currently not in progress or scheduled".into());
    }
    Ok(())
}

/// BGREWRITEAOF. Its client waits until the child is there, which is the disk's affair; nobody else does.
fn bgrewriteaof(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    if let Some(begun) = ctx.core.append_only.begun.take() {
        return rewrite_begun(ctx, begun);
    }
    if ctx.core.append_only.rewriting.is_some() {
        return Err("ERR Background append only file rewriting already in progress".into());
    }
    if ctx.core.has_child() || ctx.core.in_transaction {
        ctx.core.append_only.is_scheduled = true;
        ctx.reply.simple("Background append only file rewriting scheduled");
        return Ok(());
    }
    let begun = ctx.core.rewrite_log();
    if ctx.core.let_asker_wait(ctx.session) {
        return ctx.wait(Wait::elsewhere());
    }
    rewrite_begun(ctx, begun)
}

fn rewrite_begun(ctx: &mut Context<'_>, begun: io::Result<()>) -> Outcome {
    begun.map_err(
        |_| "ERR Can't execute an AOF background rewriting. Please check the server logs for more information.",
    )?;
    ctx.reply.simple("Background append only file rewriting started");
    Ok(())
}

/// LASTSAVE
fn lastsave(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    ctx.reply.int(ctx.core.snapshots.last_save.as_secs());
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::config::choice::{AppendFsync, Permission};
    use crate::host::memory::MemoryHost;
    use crate::server::testing::Server;

    #[test]
    fn a_save_in_the_background_can_be_called_off() {
        let mut server = Server::start();
        let nothing = "-ERR Background saving is currently not in progress or scheduled|";
        assert_eq!(server.ask("BGSAVE CANCEL"), nothing);
        server.ask("SET a 1");
        assert_eq!(server.ask("BGSAVE"), "+Background saving started|");
        assert_eq!(server.ask("BGSAVE CANCEL"), "+Background saving cancelled|");
        server.core.look_at_child();
        let text = server.ask("INFO persistence");
        assert!(text.contains("|rdb_bgsave_in_progress:0|") && text.contains("|rdb_last_bgsave_status:ok|"));
        assert_eq!(server.core.dirty, 1, "nothing was saved");
        assert_eq!(server.ask("BGSAVE CANCEL"), nothing);
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let mut server = Server::start();
        server.ask("SET s hello");
        server.ask("RPUSH l a b c");
        server.ask("SELECT 3");
        server.ask("SET volatile x PX 5000");
        server.ask("SET late x PX 10");
        assert_eq!(server.core.dirty, 6);
        assert_eq!(server.at(20).ask("SAVE"), "+OK|");
        assert_eq!(server.core.dirty, 0);
        let digest = crate::commands::digest::of_keyspace(&server.core.keyspace);

        let mut again = Server::on(server.host.clone());
        again.core.begin_loading().expect("the file that was just written");
        assert_eq!(again.ask("GET s"), "-LOADING Redis is loading the dataset in memory|");
        assert!(again.ask("INFO persistence").contains("|loading_total_bytes:"));
        // Where the data comes from cannot change now; what comes first among the arguments is told.
        let loading = "-LOADING Redis is loading the dataset in memory|";
        assert_eq!(again.ask("CONFIG SET loglevel debug"), "+OK|");
        assert_eq!(again.ask("CONFIG SET loglevel notice appendonly yes nosuch x"), loading);
        assert!(
            again
                .ask("CONFIG SET nosuch x dir /")
                .starts_with("-ERR Unknown option")
        );
        again.at(20);
        while again.core.load_slice().expect("the file is whole") {}
        assert_eq!(again.ask("LRANGE l 0 -1"), "*3|$1|a|$1|b|$1|c|");
        again.ask("SELECT 3");
        assert_eq!(again.ask("PTTL volatile"), ":4980|");
        assert_eq!(again.ask("DBSIZE"), ":1|");
        assert_eq!(again.core.last_load.expired, 1);
        server.at(30).ask("EXISTS late");
        assert_ne!(crate::commands::digest::of_keyspace(&again.core.keyspace), digest);
    }

    #[test]
    fn a_failed_save_leaves_the_last_one() {
        let mut server = Server::start();
        server.ask("SET s hello");
        assert_eq!(server.ask("SAVE"), "+OK|");
        let before = server.host.bytes("dump.rdb");
        server.host.set_room(100);
        server.run(&[b"SET", b"s", &b"x".repeat(1000)[..]]);
        server.ask("CONFIG SET rdbcompression no");
        assert_eq!(server.ask("SAVE"), "-ERR|");
        assert_eq!(server.host.bytes("dump.rdb"), before);
        assert_eq!(server.host.bytes("temp-1.rdb"), None);
        // Only a background save that fails stops writes.
        assert_eq!(server.ask("SET s y"), "+OK|");
        assert_eq!(server.ask("BGSAVE"), "+Background saving started|");
    }

    #[test]
    fn writes_stop_while_snapshots_cannot_be_saved() {
        let mut server = Server::start();
        server.host.set_room(10);
        assert_eq!(server.ask("SET s hello"), "+OK|");
        assert_eq!(server.ask("BGSAVE"), "+Background saving started|");
        assert!(server.ask("INFO persistence").contains("|rdb_bgsave_in_progress:1|"));
        assert_eq!(server.ask("BGSAVE"), "-ERR Background save already in progress|");
        assert_eq!(server.ask("SAVE"), "-ERR Background save already in progress|");
        server.core.look_at_child();
        assert!(server.ask("INFO persistence").contains("|rdb_last_bgsave_status:err|"));
        for line in ["SET s y", "PING", "DEL s"] {
            assert!(
                server.ask(line).starts_with("-MISCONF Redis is configured to save RDB"),
                "{line}"
            );
        }
        assert_eq!(server.ask("GET s"), "$5|hello|");
        server.host.set_room(1000);
        assert_eq!(server.ask("BGSAVE"), "+Background saving started|");
        server.core.look_at_child();
        assert_eq!(server.ask("SET s y"), "+OK|");
        assert_eq!(server.core.dirty, 1);
    }

    #[test]
    fn save_points_save() {
        let mut server = Server::start();
        server.ask("CONFIG SET save 10,2");
        assert!(server.ask("CONFIG SET save x").starts_with('-'));
        assert_eq!(server.run(&[b"CONFIG", b"SET", b"save", b"10 2"]), "+OK|");
        server.ask("SET a 1");
        server.at(60_000).core.save_when_due();
        assert!(!server.core.has_child());
        server.ask("SET b 1");
        server.core.save_when_due();
        assert!(server.core.has_child());
        server.ask("SET c 1");
        server.core.look_at_child();
        assert_eq!(server.core.dirty, 1);
        assert!(server.host.bytes("dump.rdb").is_some());
    }

    #[test]
    fn a_log_that_a_transaction_switches_on_begins_behind_it() {
        let mut server = Server::start();
        for line in ["MULTI", "SET a 1", "CONFIG SET appendonly yes", "SET b 1"] {
            server.ask(line);
        }
        assert_eq!(server.ask("EXEC"), "*3|+OK|+OK|+OK|");
        let info = server.ask("INFO persistence");
        assert!(
            info.contains("|aof_rewrite_in_progress:0|aof_rewrite_scheduled:1|"),
            "{info}"
        );
        server.core.tend_log();
        let info = server.ask("INFO persistence");
        assert!(
            info.contains("|aof_rewrite_in_progress:1|aof_rewrite_scheduled:0|"),
            "{info}"
        );
    }

    #[test]
    fn a_key_that_lived_on_behind_the_base_is_played_though_its_old_deadline_is_past() {
        let host = MemoryHost::default();
        let mut server = Server::logging(&host, 0, AppendFsync::Everysec);
        server.ask("SET a x PX 1000");
        server.ask("BGREWRITEAOF");
        server.core.look_at_child();
        server.ask("PERSIST a");
        assert_eq!(server.core.propagate(), Ok(()));
        let mut again = Server::logging(&host, 5000, AppendFsync::Everysec);
        assert_eq!(again.ask("GET a"), "$1|x|");
    }

    #[test]
    fn a_base_of_requests_says_when_it_was_written_if_records_do() {
        let host = MemoryHost::default();
        let mut server = Server::logging(&host, 0, AppendFsync::Everysec);
        server.ask("CONFIG SET aof-use-rdb-preamble no aof-timestamp-enabled yes");
        server.ask("SET a x");
        server.at(3000).ask("BGREWRITEAOF");
        server.core.look_at_child();
        let base = server.host.bytes("appendonlydir/appendonly.aof.2.base.aof");
        let base = base.expect("the rewrite succeeded");
        let annotation = format!("#TS:{}\r\n*2\r\n$6\r\nSELECT", server.core.moment.now.as_secs());
        assert!(base.starts_with(annotation.as_bytes()), "{}", base.escape_ascii());
        assert_eq!(
            Server::logging(&host, 5000, AppendFsync::Everysec).ask("GET a"),
            "$1|x|"
        );
    }

    #[test]
    fn rewrites_that_keep_failing_are_put_off_from_the_first_that_would_begin_by_itself() {
        let mut server = Server::logging(&MemoryHost::default(), 0, AppendFsync::Everysec);
        server.ask("CONFIG SET auto-aof-rewrite-min-size 1 auto-aof-rewrite-percentage 100");
        server.run(&[b"SET", b"s", &b"x".repeat(10_000)[..]]);
        assert_eq!(server.core.propagate(), Ok(()));
        server.ask("CONFIG SET rdbcompression no");
        let is_rewriting = |server: &Server| server.core.append_only.rewriting.is_some();
        server.host.set_room(0);
        for _ in 0..3 {
            assert!(server.ask("BGREWRITEAOF").starts_with("-ERR Can't execute"));
        }
        server.host.set_room(1 << 20);
        // However long ago they failed.
        for (at, begins) in [(100_000, false), (159_000, false), (160_000, true)] {
            server.at(at).core.tend_log();
            assert_eq!(is_rewriting(&server), begins, "{at}");
        }
        server.core.look_at_child();
        assert_eq!(server.core.append_only.failures, 0);
    }

    #[test]
    fn saving_leaves_the_base_that_a_child_has_just_written() {
        let mut server = Server::start();
        server.host.put("temp-rewriteaof-bg-9.aof", b"");
        server.host.put("temp-9.rdb", b"");
        assert_eq!(server.ask("SAVE"), "+OK|");
        assert!(server.host.bytes("temp-rewriteaof-bg-9.aof").is_some());
        assert!(server.host.bytes("temp-9.rdb").is_none());
    }

    #[test]
    fn what_is_loaded_takes_no_more_memory_than_it_did() {
        let mut server = Server::start();
        server.core.settings.enable_debug_command = Permission::Yes;
        let mixed: Vec<u8> = (0..150_000_u32)
            .flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes())
            .collect();
        let texts = [&b"y".repeat(4000)[..], &mixed[..4000], &b"y".repeat(300_000), &mixed];
        let names = ["packed", "plain", "packed:large", "plain:large"];
        for (name, text) in names.into_iter().zip(texts) {
            assert_eq!(server.run(&[b"SET", name.as_bytes(), text]), "+OK|");
        }
        let usage = |server: &mut Server| names.map(|name| server.ask(&format!("MEMORY USAGE {name}")));
        let before = usage(&mut server);
        assert_eq!(server.ask("DEBUG RELOAD"), "+OK|");
        assert_eq!(usage(&mut server), before);
    }

    #[test]
    fn reloading_keeps_everything() {
        let mut server = Server::start();
        server.core.settings.enable_debug_command = Permission::Yes;
        server.ask("SET s hello PX 100000");
        server.ask("SADD set 1 2 3");
        let digest = crate::commands::digest::of_keyspace(&server.core.keyspace);
        assert_eq!(server.ask("DEBUG RELOAD"), "+OK|");
        assert!(crate::commands::digest::of_keyspace(&server.core.keyspace) == digest);
        assert_eq!(
            server.ask("DEBUG RELOAD NOFLUSH"),
            "-ERR Error trying to load the RDB dump, check server logs.|"
        );
        server.ask("SET s other");
        server.ask("SET more x");
        assert_eq!(server.ask("DEBUG RELOAD NOSAVE NOFLUSH MERGE"), "+OK|");
        assert_eq!(server.ask("GET s"), "$5|hello|");
        assert_eq!(server.ask("GET more"), "$1|x|");
        assert!(
            server
                .ask("DEBUG RELOAD x")
                .starts_with("-ERR DEBUG RELOAD only supports")
        );
    }
}
