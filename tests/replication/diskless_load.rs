//! `repl-diskless-load`: a snapshot that never touches the replica's disk, and data that are served until it is loaded.

use super::support::server::{Binary, Server};
use super::support::wait_until;
use super::{Load, follow, info, must_agree, number, start, wait_until_up};

const OURS: Binary = Binary::UnderTest;

/// A replica of `primary` that stores no snapshot of it.
fn replica_of(primary: &Server, mode: &str) -> Server {
    let replica = start(
        OURS,
        &[
            ("repl-diskless-load", mode),
            ("save", ""),
            ("repl-backlog-size", "512mb"),
        ],
    );
    follow(&replica, primary);
    replica
}

fn has_snapshot(server: &Server) -> bool {
    server.dir().join("dump.rdb").exists()
}

#[test]
fn the_snapshot_never_touches_the_disk() {
    for (binary, mode, diskless) in [
        (OURS, "on-empty-db", "yes"),
        (OURS, "swapdb", "no"),
        (Binary::Redis, "swapdb", "yes"),
        (Binary::Redis, "on-empty-db", "no"),
    ] {
        if !binary.available() {
            return;
        }
        let primary = start(
            binary,
            &[("repl-diskless-sync", diskless), ("repl-backlog-size", "512mb")],
        );
        let load = Load::on(&primary, 3);
        load.wait_for(1000);
        let replica = replica_of(&primary, mode);
        wait_until_up(&replica);
        let offset = number(&mut replica.connect(), "master_repl_offset");
        wait_until("the stream goes on", || {
            number(&mut replica.connect(), "master_repl_offset") > offset
        });
        load.stop();
        must_agree(&primary, &replica);
        assert!(!has_snapshot(&replica), "{binary:?} {mode}");
    }
}

#[test]
fn with_keys_to_lose_the_snapshot_is_stored_first() {
    let primary = start(OURS, &[]);
    primary.connect().ask("SET some data");
    let replica = start(OURS, &[("repl-diskless-load", "on-empty-db"), ("save", "")]);
    replica.connect().ask("SET old data");
    follow(&replica, &primary);
    wait_until_up(&replica);
    must_agree(&primary, &replica);
    assert!(has_snapshot(&replica));
}

/// A replica that has been cut off for so long that the primary does not remember, and slow to load what it gets instead.
fn left_behind(primary: &Server) -> Server {
    let mut client = primary.connect();
    client.ask("SET some old");
    client.ask("SET gone soon");
    let replica = replica_of(primary, "swapdb");
    wait_until_up(&replica);
    must_agree(primary, &replica);
    let mut other = replica.connect();
    assert_eq!(other.ask("CONFIG SET key-load-delay 2000"), "+OK\r\n");
    // Nobody listens there.
    assert_eq!(other.ask("REPLICAOF 127.0.0.1 1"), "+OK\r\n");
    client.ask("SET some new");
    client.ask("DEL gone");
    for n in 0..2000 {
        client.ask(&format!("SET filling:{n} {}", "x".repeat(3000)));
    }
    replica
}

#[test]
fn old_data_of_the_same_history_are_served_until_the_new_are_loaded() {
    let primary = start(OURS, &[("repl-backlog-size", "16kb")]);
    let replica = left_behind(&primary);
    let (mut client, mut watcher) = (replica.connect(), replica.connect());
    assert_eq!(watcher.ask("WATCH gone"), "+OK\r\n");
    follow(&replica, &primary);
    wait_until("new data are loaded", || info(&mut client, "async_loading") == "1");
    assert_eq!(info(&mut client, "loading"), "0");
    assert_eq!(client.ask("GET some"), "$3\r\nold\r\n");
    assert_eq!(client.ask("GET gone"), "$4\r\nsoon\r\n");
    assert!(client.ask("BGSAVE").starts_with("-LOADING"));
    wait_until_up(&replica);
    assert_eq!(info(&mut client, "async_loading"), "0");
    assert_eq!(client.ask("GET some"), "$3\r\nnew\r\n");
    assert_eq!(watcher.ask("MULTI"), "+OK\r\n");
    assert_eq!(watcher.ask("PING"), "+QUEUED\r\n");
    assert_eq!(watcher.ask("EXEC"), "*-1\r\n", "the key it watched is another");
    must_agree(&primary, &replica);
}

#[test]
fn the_role_stays_while_new_data_are_loaded() {
    let primary = start(OURS, &[("repl-backlog-size", "16kb")]);
    let replica = left_behind(&primary);
    let mut client = replica.connect();
    follow(&replica, &primary);
    wait_until("new data are loaded", || {
        replica.log().contains("Loading DB in memory") && info(&mut client, "async_loading") == "1"
    });
    // Sentinel, too, has to wait for the end of that.
    assert!(client.ask("REPLICAOF NO ONE").starts_with("-LOADING"));
    wait_until_up(&replica);
    must_agree(&primary, &replica);
}

#[test]
fn a_link_that_is_lost_while_its_snapshot_is_loaded_goes_on_behind_it() {
    let primary = start(OURS, &[]);
    let mut client = primary.connect();
    for n in 0..2000 {
        client.ask(&format!("SET filling:{n} {n}"));
    }
    for mode in ["disabled", "swapdb"] {
        let replica = start(
            OURS,
            &[("repl-diskless-load", mode), ("save", ""), ("key-load-delay", "1000")],
        );
        let full = number(&mut client, "sync_full");
        follow(&replica, &primary);
        wait_until("it loads", || replica.log().contains("Loading DB in memory"));
        assert_eq!(client.ask("CLIENT KILL TYPE replica"), ":1\r\n");
        wait_until_up(&replica);
        client.ask("SET written afterwards");
        must_agree(&primary, &replica);
        assert_eq!(number(&mut client, "sync_full"), full + 1, "{}", replica.log());
    }
}
