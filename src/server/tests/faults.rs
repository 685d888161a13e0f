//! Disks that are full or broken, and machines that lose power: what was promised is kept, and nothing half-written is
//! taken for whole.

use crate::config::choice::AppendFsync;
use crate::host::memory::{self, Faults, MemoryHost};
use crate::server::testing::Server;

const INCREMENT: &str = "appendonlydir/appendonly.aof.1.incr.aof";

/// What this system calls a broken disk.
fn broken() -> String {
    crate::format::reason(&memory::broken())
}

fn digest(server: &Server) -> String {
    let digest = crate::commands::digest::of_keyspace(&server.core.keyspace);
    digest.to_hex().to_string()
}

/// Whole numbers by lot (Knuth's MMIX generator), the same in every run.
struct Lots(u64);

impl Lots {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// A write of some kind; every one of them counts.
fn write(server: &mut Server, lots: &mut Lots) {
    let n = lots.below(50);
    let line = match lots.below(6) {
        0 => format!("SET string:{n} {n}"),
        1 => format!("RPUSH list:{} {}", n % 5, "x".repeat(n)),
        2 => format!("SADD set {n}"),
        3 => format!("ZINCRBY zset 1.5 member:{n}"),
        4 => format!("HSET hash:{} field:{n} value", n % 3),
        _ => format!("XADD stream * n {n}"),
    };
    for line in ["MULTI", &line, "INCR n", "EXEC"] {
        let reply = server.ask(line);
        assert!(!reply.starts_with('-'), "{line}: {reply}");
    }
}

fn count(server: &mut Server) -> i64 {
    let reply = server.ask("GET n");
    reply.split('|').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// A machine that loses power keeps some of what was not synced, to any byte. Under `always` all that was answered was
/// synced; a rewrite may go on.
#[test]
fn power_may_fail_at_any_moment_under_always() {
    let (host, mut lots, mut now) = (MemoryHost::default(), Lots(1), 0);
    for round in 0..150 {
        let mut server = Server::logging(&host, now, AppendFsync::Always);
        for _ in 0..lots.below(30) {
            now += 100;
            server.at(now);
            for _ in 0..lots.below(4) {
                write(&mut server, &mut lots);
            }
            match lots.below(20) {
                0 => {
                    // One that waits may wait for ever.
                    let asker = server.connect();
                    server.ask_as(asker, "BGREWRITEAOF");
                }
                1 => server.core.look_at_child(),
                2 => drop(server.ask("BGSAVE")),
                lot @ (3 | 4) => host.set_faults(Faults {
                    hold_errands: lot == 3,
                    ..Faults::default()
                }),
                _ => {}
            }
            assert_eq!(server.core.propagate(), Ok(()));
        }
        let answered = digest(&server);
        // One more that was not answered, all or nothing of which is kept.
        let unanswered = lots.below(2) == 0;
        if unanswered {
            write(&mut server, &mut lots);
            host.set_faults(Faults {
                fail_syncs: true,
                ..Faults::default()
            });
            assert!(server.core.propagate().is_err());
            host.set_faults(Faults::default());
        }
        let with_last = digest(&server);
        host.crash(|unsynced| lots.below(unsynced + 1));
        let kept = digest(&Server::logging(&host, now, AppendFsync::Always));
        assert!(
            kept == answered || kept == with_last,
            "round {round}, unanswered: {unanswered}"
        );
    }
}

/// A sync begins every second and is at its end a tick later.
#[test]
fn power_that_fails_under_everysec_takes_the_last_second() {
    const TICK: i64 = 100;
    let (host, mut lots, mut now) = (MemoryHost::default(), Lots(2), 0);
    for round in 0..100 {
        let mut server = Server::logging(&host, now, AppendFsync::Everysec);
        let mut counts = Vec::new();
        for tick in 1..lots.below(50) {
            now += TICK;
            server.at(now);
            write(&mut server, &mut lots);
            if tick % 10 == 0 {
                server.core.tend_log();
            }
            if lots.below(30) == 0 {
                server.ask("BGREWRITEAOF");
                server.core.look_at_child();
            }
            assert_eq!(server.core.propagate(), Ok(()));
            counts.push(count(&mut server));
        }
        let written = counts.last().copied().unwrap_or(0);
        // What was there before this start had been synced by then, or was lost.
        let safe = counts.len().checked_sub(11).map_or(0, |tick| counts[tick]);
        host.crash(|unsynced| lots.below(unsynced + 1));
        let kept = count(&mut Server::logging(&host, now, AppendFsync::Everysec));
        assert!(
            counts.is_empty() || (safe..=written).contains(&kept),
            "round {round}: {kept} of {written}, {safe} of them over a second old"
        );
        // From here on all is on the disk.
        host.crash(|unsynced| unsynced);
    }
}

#[test]
fn a_write_that_fails_under_always_ends_the_server() {
    for (faults, reason) in [
        (
            Faults {
                fail_after: Some(0),
                ..Faults::default()
            },
            "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...",
        ),
        (
            Faults {
                fail_after: Some(20),
                ..Faults::default()
            },
            "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...",
        ),
        (
            Faults {
                fail_syncs: true,
                ..Faults::default()
            },
            &format!(
                "Can't persist AOF for fsync error when the AOF fsync policy is 'always': {}. Exiting...",
                broken()
            ),
        ),
    ] {
        let host = MemoryHost::default();
        let mut server = Server::logging(&host, 0, AppendFsync::Always);
        server.ask("SET a 1");
        assert_eq!(server.core.propagate(), Ok(()));
        let (before, whole) = (digest(&server), host.bytes(INCREMENT));
        server.ask("SET a 2");
        host.set_faults(faults);
        assert_eq!(server.core.propagate().err().as_deref(), Some(reason));
        if !faults.fail_syncs {
            // What was written in part was taken back.
            assert_eq!(host.bytes(INCREMENT), whole);
            assert_eq!(digest(&Server::logging(&host, 0, AppendFsync::Always)), before);
        }
    }
}

/// Wherever a write breaks off, whole records stay, and what was answered is written once the disk is well again.
#[test]
fn a_broken_disk_stops_writes_until_it_is_mended() {
    for fail_after in 0..60 {
        for fail_truncating in [false, true] {
            let host = MemoryHost::default();
            let mut server = Server::logging(&host, 0, AppendFsync::Everysec);
            host.set_faults(Faults {
                fail_after: Some(fail_after),
                fail_truncating,
                write_most: Some(7),
                ..Faults::default()
            });
            server.ask("SET a 1");
            server.ask("RPUSH l a b c");
            assert_eq!(server.core.propagate(), Ok(()));
            assert_eq!(
                server.ask("SET b 1"),
                format!("-MISCONF Errors writing to the AOF file: {}|", broken())
            );
            assert_eq!(server.ask("GET a"), "$1|1|");
            assert!(server.ask("INFO persistence").contains("|aof_last_write_status:err|"));
            if !fail_truncating {
                // A crash now loses what was not written, and no more.
                assert_eq!(host.bytes(INCREMENT).expect("the increment"), b"");
            }
            host.set_faults(Faults::default());
            server.at(1000).core.tend_log();
            assert_eq!(server.ask("SET b 1"), "+OK|");
            assert!(server.ask("INFO persistence").contains("|aof_last_write_status:ok|"));
            assert_eq!(server.core.propagate(), Ok(()));
            let again = Server::logging(&host, 1000, AppendFsync::Everysec);
            assert_eq!(digest(&again), digest(&server), "{fail_after} {fail_truncating}");
        }
    }
}

/// A sync that failed is tried again, and only its success lets clients write again.
#[test]
fn a_sync_that_fails_aside_stops_writes_until_one_succeeds() {
    let host = MemoryHost::default();
    let mut server = Server::logging(&host, 0, AppendFsync::Everysec);
    let refusal = format!("-MISCONF Errors writing to the AOF file: {}|", broken());
    server.ask("SET a 1");
    assert_eq!(server.core.propagate(), Ok(()));
    host.set_faults(Faults {
        fail_syncs: true,
        ..Faults::default()
    });
    server.at(1000).core.tend_log();
    server.at(1100);
    assert_eq!(server.core.propagate(), Ok(()));
    assert_eq!(server.ask("SET b 1"), refusal);
    server.at(2000).core.tend_log();
    assert_eq!(server.core.propagate(), Ok(()));
    assert_eq!(server.ask("SET b 1"), refusal);
    host.set_faults(Faults::default());
    server.at(3000).core.tend_log();
    assert_eq!(server.ask("SET b 1"), refusal);
    assert_eq!(server.core.propagate(), Ok(()));
    assert_eq!(server.ask("SET b 1"), "+OK|");
    // The same where a rewrite has begun another increment meanwhile.
    assert_eq!(server.core.propagate(), Ok(()));
    host.set_faults(Faults {
        hold_syncs: true,
        ..Faults::default()
    });
    server.at(4000).core.tend_log();
    server.ask("BGREWRITEAOF");
    server.core.look_at_child();
    host.set_faults(Faults {
        fail_syncs: true,
        ..Faults::default()
    });
    server.at(5000).core.tend_log();
    assert_eq!(server.ask("SET c 1"), refusal);
    host.set_faults(Faults::default());
    server.at(6000).core.tend_log();
    server.at(7000).core.tend_log();
    assert_eq!(server.core.propagate(), Ok(()));
    assert_eq!(server.ask("SET c 1"), "+OK|");
}

/// Whatever byte of a snapshot the disk does not take, the last one stays, and nothing else does.
#[test]
fn a_save_that_breaks_off_anywhere_leaves_the_last_one() {
    let mut server = Server::start();
    server.ask("SET a 1");
    assert_eq!(server.ask("SAVE"), "+OK|");
    server.ask("RPUSH l a b c");
    server.ask("ZADD z 1 a 2 b");
    let before = server.host.bytes("dump.rdb");
    for command in ["SAVE", "BGSAVE"] {
        for fail_after in 0.. {
            server.host.set_faults(Faults {
                fail_after: Some(fail_after),
                write_most: Some(11),
                ..Faults::default()
            });
            server.ask(command);
            server.core.look_at_child();
            let is_saved = server.core.dirty == 0;
            assert_eq!(server.host.names(), ["dump.rdb"]);
            assert_eq!(is_saved, server.host.bytes("dump.rdb") != before, "{fail_after}");
            if is_saved {
                assert!(fail_after > 100);
                break;
            }
            let status = server.ask("INFO persistence");
            let failed = command == "BGSAVE" && !status.contains("|rdb_last_bgsave_status:ok|");
            assert!(command == "SAVE" || failed, "{fail_after}");
        }
        server.host.set_faults(Faults {
            fail_syncs: true,
            ..Faults::default()
        });
        let saved = server.host.bytes("dump.rdb");
        server.core.dirty = 1;
        server.ask(command);
        server.core.look_at_child();
        assert_eq!(server.core.dirty, 1);
        assert_eq!((server.host.bytes("dump.rdb"), server.host.names().len()), (saved, 1));
        let mut again = Server::on(server.host.clone());
        again.core.begin_loading().expect("a snapshot");
        while again.core.load_slice().expect("it is whole") {}
        assert_eq!(digest(&again), digest(&server));
        server.host.put("dump.rdb", before.as_deref().unwrap_or_default());
        server.core.snapshots.is_ok = true;
    }
}

/// The same for a rewrite, whose every file is written anew: base, increment, manifest.
#[test]
fn a_rewrite_that_breaks_off_anywhere_leaves_a_whole_log() {
    for as_snapshot in [true, false] {
        for fail_after in 0.. {
            let host = MemoryHost::default();
            let mut server = Server::logging(&host, 0, AppendFsync::Always);
            server.core.settings.aof_use_rdb_preamble = as_snapshot;
            for line in ["SET a 1", "RPUSH l a b c", "HSET h f v"] {
                server.ask(line);
            }
            assert_eq!(server.core.propagate(), Ok(()));
            host.set_faults(Faults {
                fail_after: Some(fail_after),
                ..Faults::default()
            });
            server.ask("BGREWRITEAOF");
            server.core.look_at_child();
            let done = server.core.append_only.rewrites == 1;
            host.set_faults(Faults::default());
            server.ask("SET b 1");
            assert_eq!(server.core.propagate(), Ok(()));
            let before = digest(&server);
            host.crash(|_| 0);
            let mut again = Server::logging(&host, 0, AppendFsync::Always);
            assert_eq!(digest(&again), before, "{fail_after}");
            // And on from there.
            again.ask("BGREWRITEAOF");
            again.core.look_at_child();
            assert_eq!(again.core.append_only.rewrites, 1);
            again.ask("SET c 1");
            assert_eq!(again.core.propagate(), Ok(()));
            let before = digest(&again);
            let again = Server::logging(&host, 0, AppendFsync::Always);
            assert_eq!(digest(&again), before, "{fail_after}");
            assert_eq!(host.names().len(), 3, "{:?}", host.names());
            if done {
                assert!(fail_after > 200);
                break;
            }
        }
    }
}

/// What a rewrite syncs is synced aside: until that is done changes go to the old increment, and nobody waits.
#[test]
fn a_rewrite_waits_for_its_errands_and_nobody_else_does() {
    let hold = |host: &MemoryHost, hold_errands| {
        host.set_faults(Faults {
            hold_errands,
            ..Faults::default()
        });
    };
    let host = MemoryHost::default();
    let mut server = Server::logging(&host, 0, AppendFsync::Always);
    let second = "appendonlydir/appendonly.aof.2.incr.aof";
    hold(&host, true);
    server.ask("SET a 1");
    let asker = server.connect();
    let unanswered = Some(String::new());
    assert_eq!(server.ask_as(asker, "BGREWRITEAOF"), unanswered);
    assert!(
        server
            .ask("BGREWRITEAOF")
            .starts_with("-ERR Background append only file rewriting already")
    );
    assert!(server.ask("BGSAVE").starts_with("-ERR Another child process is active"));
    server.ask("SET b 1");
    assert_eq!(server.core.propagate(), Ok(()));
    assert!(server.core.is_sync_awaited());
    assert_eq!(host.bytes(second).as_deref(), Some(&b""[..]));
    assert!(server.ask("INFO persistence").contains("|aof_rewrite_in_progress:1|"));
    // The switch: what the tick has changed still goes to the old one, and is in the base.
    hold(&host, false);
    server.ask("SET c 1");
    assert_eq!(server.take_reply_of(asker), "");
    assert_eq!(server.core.propagate(), Ok(()));
    assert!(
        server
            .take_reply_of(asker)
            .starts_with("+Background append only file rewriting started")
    );
    server.ask("SET d 1");
    hold(&host, true);
    server.core.look_at_child();
    assert_eq!(server.core.propagate(), Ok(()));
    let text = |name| String::from_utf8_lossy(&host.bytes(name).unwrap_or_default()).into_owned();
    assert!(text(INCREMENT).contains("\nc\r") && !text(INCREMENT).contains("\nd\r"));
    assert!(text(second).contains("\nd\r") && !text(second).contains("\nc\r"));
    assert!(server.ask("INFO persistence").contains("|aof_rewrite_in_progress:1|"));
    assert_eq!(server.core.append_only.rewrites, 0);
    hold(&host, false);
    assert_eq!(server.core.propagate(), Ok(()));
    assert_eq!(server.core.append_only.rewrites, 1);
    assert!(!server.core.is_sync_awaited());
    assert_eq!(host.bytes(INCREMENT), None);
    let before = digest(&server);
    host.crash(|_| 0);
    assert_eq!(digest(&Server::logging(&host, 0, AppendFsync::Always)), before);
}

/// Whoever switches the log off while a rewrite is being prepared leaves nothing of it, and one that is being taken over
/// is whole.
#[test]
fn errands_end_before_the_log_is_switched_off() {
    for child_has_ended in [false, true] {
        let host = MemoryHost::default();
        let mut server = Server::logging(&host, 0, AppendFsync::Everysec);
        server.ask("SET a 1");
        assert_eq!(server.core.propagate(), Ok(()));
        let (names, asker) = (host.names(), server.connect());
        if child_has_ended {
            server.ask_as(asker, "BGREWRITEAOF");
        }
        host.set_faults(Faults {
            hold_errands: true,
            ..Faults::default()
        });
        if child_has_ended {
            server.core.look_at_child();
        } else {
            server.ask_as(asker, "BGREWRITEAOF");
        }
        assert!(server.core.append_only.rewriting.is_some());
        server.core.settings.appendonly = false;
        server.core.switch_log().expect("it is only switched off");
        assert!(server.core.append_only.rewriting.is_none());
        let reply = server.take_reply_of(asker);
        assert_eq!(
            reply.starts_with("-ERR Can't execute an AOF"),
            !child_has_ended,
            "{reply}"
        );
        assert_eq!(host.names() == names, !child_has_ended, "{:?}", host.names());
        assert_eq!(server.core.append_only.rewrites, u64::from(child_has_ended));
        host.set_faults(Faults::default());
        let again = Server::logging(&host, 0, AppendFsync::Always);
        assert_eq!(digest(&again), digest(&server));
    }
}
