//! SAVE, BGSAVE, save points, and loading at the start.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::support::client::Client;
use super::support::os::Signal;
#[cfg(target_os = "linux")]
use super::support::os::limit_file_size;
use super::support::server::{Binary, Server};
use super::{DEBUGGING, digest, fill, info, wait_for};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/rdb");
/// Files whose every value has a place in version 10 of the format.
const FILES: [&str; 7] = [
    "redis-2.8",
    "redis-3.2",
    "redis-4.0",
    "redis-5.0",
    "redis-6.2",
    "redis-7.0",
    "redis-7.2",
];
/// A directory with a snapshot in it.
fn directory_with(snapshot: &[u8]) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("dump.rdb"), snapshot).expect("the directory is writable");
    dir
}

fn temporary_files(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).expect("the directory is there");
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.starts_with("temp-")).collect()
}

#[test]
fn files_of_old_servers_are_kept_whole() {
    for name in FILES {
        let file = fs::read(format!("{FIXTURES}/{name}.rdb")).expect("the fixture is there");
        let server = Server::start_in(Binary::UnderTest, &[DEBUGGING], directory_with(&file));
        let loaded = digest(&server);
        assert_ne!(loaded, format!("+{}\r\n", "0".repeat(40)), "{name}");
        assert_eq!(server.connect().ask("SAVE"), "+OK\r\n");
        let saved = fs::read(server.dir().join("dump.rdb")).expect("it was just saved");
        let again = Server::start_in(Binary::UnderTest, &[DEBUGGING], server.kill());
        assert_eq!(digest(&again), loaded, "{name}");
        if Binary::Redis.available() {
            let redis = Server::start_in(Binary::Redis, &[DEBUGGING], directory_with(&saved));
            assert_eq!(digest(&redis), loaded, "{name}");
        }
    }
}

/// Deletes the hashes with a field that has a deadline, which Redis 7.0 does not know.
fn delete_timed_hashes(client: &mut Client) {
    let mut deleted = 0;
    for database in 0..16 {
        client.ask(&format!("SELECT {database}"));
        for key in bulks(&client.ask("KEYS *")) {
            if client.ask(&format!("TYPE {key}")) != "+hash\r\n" {
                continue;
            }
            let fields = bulks(&client.ask(&format!("HKEYS {key}")));
            let timed = fields.iter().any(|field| {
                let field = field.as_bytes();
                let reply = client.call(&[b"HPTTL".as_slice(), key.as_bytes(), b"FIELDS", b"1", field]);
                reply.is_ok_and(|reply| reply != b"*1\r\n:-1\r\n")
            });
            if timed {
                assert_eq!(client.ask(&format!("DEL {key}")), ":1\r\n");
                deleted += 1;
            }
        }
    }
    assert!(deleted > 0);
}

/// The texts of an array of bulk strings without line ends.
fn bulks(reply: &str) -> Vec<String> {
    let lines = reply.split("\r\n").skip(2).step_by(2);
    lines.map(str::to_owned).filter(|text| !text.is_empty()).collect()
}

/// Deadlines of fields have no form in version 10: with them a file is of version 12, without them it is not.
#[test]
fn fields_with_deadlines_are_kept() {
    for name in ["redis-7.4", "redis-8.0", "valkey-9.1"] {
        let file = fs::read(format!("{FIXTURES}/{name}.rdb")).expect("the fixture is there");
        let server = Server::start_in(Binary::UnderTest, &[DEBUGGING], directory_with(&file));
        let loaded = digest(&server);
        assert_eq!(server.connect().ask("SAVE"), "+OK\r\n");
        let saved = fs::read(server.dir().join("dump.rdb")).expect("it was just saved");
        assert!(saved.starts_with(b"REDIS0012"), "{name}");
        let again = Server::start_in(Binary::UnderTest, &[DEBUGGING], server.kill());
        assert_eq!(digest(&again), loaded, "{name}");
        // Without the hashes that have any, all the rest has its place in version 10.
        delete_timed_hashes(&mut again.connect());
        let rest = digest(&again);
        assert_eq!(again.connect().ask("SAVE"), "+OK\r\n");
        let saved = fs::read(again.dir().join("dump.rdb")).expect("it was just saved");
        assert!(saved.starts_with(b"REDIS0010"), "{name}");
        if Binary::Redis.available() {
            let redis = Server::start_in(Binary::Redis, &[DEBUGGING], directory_with(&saved));
            assert_eq!(digest(&redis), rest, "{name}");
        }
    }
    let server = Server::start_with(Binary::UnderTest, &[DEBUGGING]);
    let mut client = server.connect();
    for limit in [0, 128] {
        client.ask(&format!("CONFIG SET hash-max-listpack-entries {limit}"));
        client.ask(&format!("HSET h:{limit} a 1 b 2 c 3"));
        client.ask(&format!("HPEXPIREAT h:{limit} 4000000000000 FIELDS 1 a"));
        client.ask(&format!("HEXPIRE h:{limit} 1000 FIELDS 1 b"));
    }
    let before = digest(&server);
    client.ask("SAVE");
    let server = Server::start_in(Binary::UnderTest, &[DEBUGGING], server.kill());
    let mut client = server.connect();
    assert_eq!(digest(&server), before);
    for limit in [0, 128] {
        let deadlines = client.ask(&format!("HPEXPIRETIME h:{limit} FIELDS 2 a c"));
        assert_eq!(deadlines, "*2\r\n:4000000000000\r\n:-1\r\n");
        client.ask(&format!("HPERSIST h:{limit} FIELDS 2 a b"));
    }
    client.ask("SAVE");
    let saved = fs::read(server.dir().join("dump.rdb")).expect("it was just saved");
    assert!(saved.starts_with(b"REDIS0010"));
    let before = digest(&server);
    let server = Server::start_in(Binary::UnderTest, &[DEBUGGING], server.kill());
    assert_eq!(digest(&server), before);
}

#[test]
fn the_version_of_a_snapshot_is_a_setting() {
    let server = Server::start_with(Binary::UnderTest, &[DEBUGGING]);
    let mut client = server.connect();
    fill(&mut client);
    let before = digest(&server);
    for version in ["10", "11", "12"] {
        client.ask(&format!("CONFIG SET rdb-version {version}"));
        assert_eq!(client.ask("SAVE"), "+OK\r\n");
        let file = fs::read(server.dir().join("dump.rdb")).expect("it was just saved");
        assert_eq!(&file[..9], format!("REDIS00{version}").as_bytes());
        client.ask("FLUSHALL");
        assert_eq!(client.ask("DEBUG RELOAD NOSAVE"), "+OK\r\n");
        assert_eq!(digest(&server), before, "{version}");
    }
    assert!(client.ask("CONFIG SET rdb-version 9").starts_with('-'));
}

#[test]
fn snapshots_go_back_and_forth() {
    for peer in [Binary::Redis, Binary::Valkey] {
        if !peer.available() {
            continue;
        }
        let ours = Server::start_with(Binary::UnderTest, &[DEBUGGING]);
        fill(&mut ours.connect());
        let digest_here = digest(&ours);
        ours.connect().ask("SAVE");
        let theirs = Server::start_in(peer, &[DEBUGGING], ours.kill());
        assert_eq!(digest(&theirs), digest_here);
        let mut client = theirs.connect();
        client.ask("SET more data");
        client.ask("SAVE");
        let digest_there = digest(&theirs);
        let ours = Server::start_in(Binary::UnderTest, &[DEBUGGING], theirs.kill());
        assert_eq!(digest(&ours), digest_there);
    }
}

#[test]
fn a_child_saves_the_data_as_it_was() {
    let server = Server::start_with(Binary::UnderTest, &[DEBUGGING, ("rdb-key-save-delay", "1000")]);
    let mut client = server.connect();
    fill(&mut client);
    let before = digest(&server);
    assert_eq!(client.ask("BGSAVE"), "+Background saving started\r\n");
    assert_eq!(client.ask("BGSAVE"), "-ERR Background save already in progress\r\n");
    client.ask("FLUSHDB");
    client.ask("SET new 1");
    assert_eq!(info(&mut client, "rdb_bgsave_in_progress"), "1");
    assert_eq!(info(&mut client, "current_save_keys_total"), "317");
    wait_for("the child ends", || info(&mut client, "rdb_bgsave_in_progress") == "0");
    assert_eq!(info(&mut client, "rdb_last_bgsave_status"), "ok");
    // What was changed after the fork is not saved yet.
    assert_eq!(info(&mut client, "rdb_changes_since_last_save"), "317");
    assert!(info(&mut client, "rdb_last_cow_size") != "0");
    let again = Server::start_in(Binary::UnderTest, &[DEBUGGING], server.kill());
    assert_eq!(digest(&again), before);
}

#[test]
fn a_kill_leaves_the_last_snapshot() {
    let settings = [DEBUGGING, ("rdb-key-save-delay", "1000")];
    let server = Server::start_with(Binary::UnderTest, &settings);
    let mut client = server.connect();
    client.ask("SET saved 1");
    client.ask("SAVE");
    let saved = digest(&server);
    fill(&mut client);
    client.ask("BGSAVE");
    wait_for("the child begins", || !temporary_files(server.dir()).is_empty());
    let dir = server.kill();
    // The child goes with its server, and the next server cleans up after both.
    let again = Server::start_in(Binary::UnderTest, &settings, dir);
    assert_eq!(digest(&again), saved);
    wait_for("leftovers are removed", || {
        let left = temporary_files(again.dir());
        left.is_empty() || {
            again.connect().ask("DEBUG RELOAD");
            false
        }
    });
}

#[test]
fn an_exit_saves_if_snapshots_are_asked_for() {
    for (save, signal) in [("3600 1", Signal::TERM), ("3600 1", Signal::INT), ("", Signal::TERM)] {
        let mut server = Server::start_with(Binary::UnderTest, &[("save", save)]);
        let mut client = server.connect();
        client.ask("SET a 1");
        server.signal(signal).expect("it runs");
        let status = server
            .wait_for_exit(Duration::from_secs(30))
            .expect("it was started here");
        assert!(status.expect("it exits").success(), "{}", server.log());
        assert_eq!(server.dir().join("dump.rdb").exists(), !save.is_empty(), "{save}");
        // Once is enough.
        let saves = server.log().matches("DB saved on disk").count();
        assert_eq!(saves, usize::from(!save.is_empty()), "{}", server.log());
    }
}

#[test]
fn a_second_signal_cuts_the_last_save_short() {
    // A minute a key.
    let settings = [("save", "3600 1"), ("rdb-key-save-delay", "60000000")];
    let mut server = Server::start_with(Binary::UnderTest, &settings);
    server.connect().ask("SET a 1");
    server.signal(Signal::INT).expect("it runs");
    wait_for("the save begins", || !temporary_files(server.dir()).is_empty());
    server.signal(Signal::INT).expect("it runs");
    let status = server
        .wait_for_exit(Duration::from_secs(30))
        .expect("it was started here");
    assert_eq!(status.and_then(|status| status.code()), Some(1), "{}", server.log());
    assert!(temporary_files(server.dir()).is_empty() && !server.dir().join("dump.rdb").exists());
}

#[test]
fn clients_are_told_while_data_is_loaded() {
    let server = Server::start_with(Binary::UnderTest, &[]);
    let mut client = server.connect();
    client.ask("DEBUG POPULATE 1");
    fill(&mut client);
    client.ask("SAVE");
    let dir = server.kill();
    // Some 300 ms, during which every tick loads a few keys.
    let settings = [("key-load-delay", "1000")];
    let server = Server::start_loading(Binary::UnderTest, &settings, dir);
    let mut client = server.connect();
    let mut refused = 0;
    wait_for("the data is loaded", || match client.ask("GET string:1").as_str() {
        "-LOADING Redis is loading the dataset in memory\r\n" => {
            refused += 1;
            // It may have ended since.
            assert!(["0", "1"].contains(&info(&mut client, "loading").as_str()));
            assert!(client.ask("CLIENT ID").starts_with(':'));
            false
        }
        reply => {
            assert_eq!(reply, "$7\r\nvalue:1\r\n");
            true
        }
    });
    assert!(refused > 0);
    assert_eq!(info(&mut client, "rdb_last_load_keys_loaded"), "317");
}

#[test]
fn a_file_that_is_not_whole_stops_the_start() {
    let file = fs::read(format!("{FIXTURES}/redis-7.0.rdb")).expect("the fixture is there");
    let mut flipped = file.clone();
    *flipped.last_mut().expect("it is not empty") ^= 1;
    let (terminating, fatal) = (
        "Terminating server after rdb file reading failure.",
        "Fatal error loading the DB",
    );
    let twice = b"REDIS0011\x10\x06broken\x17\x17\0\0\0\x04\0\x82a\0\x03\x82b\0\x03\x82a\0\x03\x82d\0\x03\xff";
    for (bytes, message, end) in [
        (&file[..file.len() / 2], "Short read or OOM loading DB", terminating),
        (&file[..20], "Short read or OOM loading DB", terminating),
        (
            b"nonsense that is long enough",
            "Wrong signature trying to load DB from file",
            fatal,
        ),
        (b"REDIS9999 and so on", "Can't handle RDB format version 9999", fatal),
        (&flipped, "Wrong RDB checksum", terminating),
        (
            twice,
            "reading key 'broken' of type 16 in database 0: corrupt data: Hash integrity check failed",
            terminating,
        ),
    ] {
        let dir = directory_with(bytes);
        let args = ["--port", "0", "--unixsocket", "socket"];
        let output = Binary::UnderTest.run_to_exit(dir.path(), &args).expect("it exits");
        let log = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{log}");
        assert!(log.contains(message) && log.contains(end), "{log}");
        assert_eq!(fs::read(dir.path().join("dump.rdb")).expect("it is there"), bytes);
    }
}

/// Wherever a file is cut, and whichever of its bytes is another.
#[test]
fn the_offset_of_what_is_wrong_is_told() {
    let server = Server::start_with(Binary::UnderTest, &[]);
    let mut client = server.connect();
    for line in ["SET a x", "RPUSH l a 1", "HSET h f v", "ZADD z 1 m", "XADD s 1-1 f v"] {
        client.ask(line);
    }
    client.ask("SAVE");
    let whole = fs::read(server.dir().join("dump.rdb")).expect("it was just saved");
    let dir = server.kill();
    let file = dir.path().join("dump.rdb");
    let offset = |text: &str| -> Option<usize> {
        let (_, rest) = text.split_once("offset ")?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        for bytes in [&whole[..at], &flipped] {
            fs::write(&file, bytes).expect("it is writable");
            let args: &[&str] = match at % 2 {
                0 => &["--port", "0", "--unixsocket", "socket"],
                _ => &["check-rdb", "dump.rdb"],
            };
            let output = Binary::UnderTest.run_to_exit(dir.path(), args).expect("it exits");
            let log = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(output.status.code(), Some(1), "{at}: {log}");
            assert!(offset(&log).is_some_and(|offset| offset <= whole.len()), "{at}: {log}");
            assert_eq!(output.stderr, b"", "{at}");
        }
    }
}

#[test]
fn keys_of_empty_collections_are_passed_over_and_told() {
    // A set of no members, then a string.
    let file = b"REDIS0009\x02\x05empty\0\0\x01k\x01v\xff\0\0\0\0\0\0\0\0";
    let server = Server::start_in(Binary::UnderTest, &[], directory_with(file));
    let mut client = server.connect();
    assert_eq!(client.ask("KEYS *"), "*1\r\n$1\r\nk\r\n");
    let log = server.log();
    for told in [
        "skipping empty key: empty\n",
        "keys loaded: 1, keys expired: 0, empty keys skipped: 1.\n",
    ] {
        assert!(log.contains(told), "{log}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_forgotten() {
    let server = Server::start_with(Binary::UnderTest, &[DEBUGGING, ("save", "3600 1")]);
    let mut client = server.connect();
    fill(&mut client);
    client.ask("SAVE");
    let saved = fs::read(server.dir().join("dump.rdb")).expect("it was just saved");
    limit_file_size(server.pid(), 1000).expect("limits of one's own children may be lowered");
    client.ask("SET more data");
    assert_eq!(client.ask("SAVE"), "-ERR\r\n");
    client.ask("BGSAVE");
    wait_for("the child fails", || {
        info(&mut client, "rdb_last_bgsave_status") == "err"
    });
    assert!(client.ask("SET x y").starts_with("-MISCONF "));
    assert_eq!(client.ask("GET more"), "$4\r\ndata\r\n");
    assert_eq!(fs::read(server.dir().join("dump.rdb")).expect("it is there"), saved);
    assert!(temporary_files(server.dir()).is_empty());
    limit_file_size(server.pid(), u64::MAX).expect("the hard limit was not lowered");
    client.ask("BGSAVE");
    wait_for("the child saves", || {
        info(&mut client, "rdb_last_bgsave_status") == "ok"
    });
    assert_eq!(client.ask("SET x y"), "+OK\r\n");
}
