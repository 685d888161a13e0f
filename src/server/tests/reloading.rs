//! DEBUG LOADAOF plays the log in slices: its client waits, everybody else is told, and nobody changes the data meanwhile.

use super::loading::figure;
use super::replicas::{answer, as_replica, primary};
use crate::commands::digest;
use crate::config::choice::{AppendFsync, Permission};
use crate::host::memory::MemoryHost;
use crate::resp::encode;
use crate::server::core::Effect;
use crate::server::migration::ChannelId;
use crate::server::session::SessionIndex;
use crate::server::testing::{START, Server};
use crate::timer::Millis;

const CLIENT: SessionIndex = SessionIndex(0);
const MANIFEST: &str = "appendonlydir/appendonly.aof.manifest";
const INCREMENTS: [&str; 2] = [
    "appendonlydir/appendonly.aof.1.incr.aof",
    "appendonlydir/appendonly.aof.2.incr.aof",
];
const LOADING: &str = "-LOADING Redis is loading the dataset in memory|";
const ERROR: &str = "-ERR Error trying to load the AOF files, check server logs.|";
/// Takes several slices, and holds back who may ask while data is loaded.
const SLOW: &str = "redis.call('SET', KEYS[1], 'y') for i = 1, 20000000 do end";

fn say(log: &mut Vec<u8>, words: &[&str]) {
    encode::request(log, words.len(), words.iter().map(|word| word.as_bytes()));
}

/// A log with these lines, and a slow script where one says so.
fn log_of(lines: &[&str]) -> Vec<u8> {
    let mut log = Vec::new();
    say(&mut log, &["SELECT", "0"]);
    for line in lines {
        match *line {
            "slow" => say(&mut log, &["EVAL", SLOW, "1", "slow"]),
            line => say(&mut log, &line.split(' ').collect::<Vec<_>>()),
        }
    }
    log
}

/// A log with many short requests, which hold nobody back.
fn long_log() -> Vec<u8> {
    let mut log = log_of(&["SET first 1"]);
    for n in 0..100_000 {
        say(&mut log, &["INCR", &format!("key:{}", n % 70_000)]);
    }
    log
}

fn put_log(host: &MemoryHost, log: &[u8]) {
    host.put(MANIFEST, b"file appendonly.aof.1.incr.aof seq 1 type i\n");
    host.put(INCREMENTS[0], log);
}

/// A server that has started from a log, and goes on with it.
fn with_log(log: &[u8]) -> Server {
    let host = MemoryHost::default();
    put_log(&host, log);
    let mut server = Server::logging(&host, 0, AppendFsync::Everysec);
    server.core.settings.enable_debug_command = Permission::Yes;
    server
}

/// Lets the client load the log again, up to somewhere within it.
fn begin(server: &mut Server) {
    assert_eq!(server.ask("DEBUG LOADAOF"), "", "it waits");
    assert_eq!(server.core.load_slice(), Ok(true));
    assert!(server.core.loading.is_some());
}

/// Lets the load come to its end, and gives what its client is told.
fn finish(server: &mut Server) -> String {
    while server.core.load_slice().expect("the server goes on") {}
    assert!(server.core.loading.is_none());
    server.take_reply_of(CLIENT)
}

fn digest(server: &Server) -> String {
    digest::of_keyspace(&server.core.keyspace).to_hex().to_string()
}

fn recorded(server: &Server) -> String {
    String::from_utf8_lossy(&server.core.propagation.stream).replace("\r\n", "|")
}

#[test]
fn a_log_is_loaded_again_in_slices() {
    let mut log = long_log();
    log.extend(log_of(&["slow", "INCR counter"]));
    let mut server = with_log(&log);
    server.run(&[
        b"FUNCTION",
        b"LOAD",
        b"#!lua name=l\nredis.register_function('f', function() return 1 end)",
    ]);
    server.ask("SET late 1");
    let (before, other) = (digest(&server), server.connect());
    let (id, offset) = (server.core.replication.id.clone(), server.core.propagation.offset);
    assert_eq!(server.ask("DEBUG LOADAOF"), "");
    let written = server.host.bytes(INCREMENTS[0]).expect("the log");
    assert!(written.ends_with(b"late\r\n$1\r\n1\r\n"), "it was written before");
    let (mut slices, mut furthest) = (0, 0);
    while server.core.load_slice().expect("it is whole") {
        assert_eq!(server.ask_as(other, "GET first").as_deref(), Some(LOADING));
        let loaded = server.core.loading.as_ref().expect("it goes on").loaded();
        if server.core.scripts.is_running() {
            continue;
        }
        assert!(loaded > furthest, "slices go on where the last one ended");
        (slices, furthest) = (slices + 1, loaded);
        let info = server.ask_as(other, "INFO persistence").expect("nothing holds it back");
        assert!(info.contains("|loading:1|"), "{info}");
        assert!(info.contains(&format!("|loading_loaded_bytes:{loaded}|")), "{info}");
    }
    assert!(slices >= 2, "{slices} slices");
    assert_eq!(server.take_reply_of(CLIENT), "+OK|");
    assert!(server.core.effects.contains(&Effect::Resume(CLIENT)));
    assert_eq!(digest(&server), before);
    assert_eq!(server.core.dirty, 0);
    assert_eq!(server.core.replication.id, id);
    assert_eq!(server.core.propagation.offset, offset);
    assert_eq!(figure(&mut server, "loading"), 0);
    assert_eq!(server.ask("FCALL f 0"), ":1|");
    // The log goes on where it was.
    assert_eq!(server.core.propagate(), Ok(()));
    assert_eq!(server.host.bytes(INCREMENTS[0]).as_ref(), Some(&written));
    server.ask("INCR counter");
    assert_eq!(server.core.propagate(), Ok(()));
    let now = server.host.bytes(INCREMENTS[0]).expect("the log");
    assert!(now.starts_with(&written) && now.len() > written.len());
    let again = Server::logging(&server.host, 0, AppendFsync::Everysec);
    assert_eq!(digest(&again), digest(&server));
}

#[test]
fn nobody_else_touches_what_is_loaded() {
    let mut server = with_log(&log_of(&["SET a 1", "slow", "INCR a"]));
    let (before, other) = (digest(&server), server.connect());
    begin(&mut server);
    for line in [
        "GET a",
        "SET a 2",
        "FLUSHALL",
        "SWAPDB 0 1",
        "SAVE",
        "BGSAVE",
        "BGREWRITEAOF",
        "REPLICAOF 127.0.0.1 7000",
        "PSYNC ? -1",
        "EVAL x 0",
        "BLPOP l 0",
        "FUNCTION FLUSH",
        "SCRIPT FLUSH",
        "SCRIPT KILL",
        "PING",
    ] {
        assert_eq!(server.ask_as(other, line).as_deref(), Some(LOADING), "{line}");
    }
    // The others wait until the script has ended, or hear that it runs.
    let busy = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.|";
    assert_eq!(server.ask_as(other, "DEBUG LOADAOF"), None);
    server.core.settings.busy_reply_threshold = 1;
    server.at(10).core.load_slice().expect("it is whole");
    assert!(server.core.effects.contains(&Effect::Resume(other)));
    assert_eq!(server.ask_as(other, "DEBUG LOADAOF").as_deref(), Some(busy));
    assert_eq!(finish(&mut server), "+OK|");
    assert_eq!(digest(&server), before);
}

#[test]
fn there_is_one_load_at_a_time() {
    let mut server = with_log(&long_log());
    let (before, other, queueing) = (digest(&server), server.connect(), server.connect());
    for line in ["MULTI", "DEBUG LOADAOF"] {
        assert!(server.ask_as(queueing, line).is_some());
    }
    begin(&mut server);
    for line in [
        "DEBUG LOADAOF",
        "DEBUG RELOAD",
        "DEBUG RELOAD NOSAVE",
        "DEBUG POPULATE 10",
        "CONFIG SET appendonly no",
    ] {
        assert_eq!(server.ask_as(other, line).as_deref(), Some(LOADING), "{line}");
    }
    assert_eq!(server.ask_as(queueing, "EXEC"), Some(format!("*1|{LOADING}")));
    assert_eq!(server.host.bytes("dump.rdb"), None);
    assert_eq!(finish(&mut server), "+OK|");
    assert_eq!(digest(&server), before);
    assert_eq!(server.ask_as(other, "DEBUG LOADAOF").as_deref(), Some(""));
    assert_eq!(finish(&mut server), "");
    assert_eq!(server.take_reply_of(other), "+OK|");
    assert_eq!(digest(&server), before);
}

#[test]
fn in_a_transaction_the_log_is_played_in_one_go() {
    let mut server = with_log(&log_of(&["SET a 1", "slow", "INCR a"]));
    let before = digest(&server);
    for line in ["MULTI", "DEBUG LOADAOF", "GET a"] {
        server.ask(line);
    }
    assert_eq!(server.ask("EXEC"), "*2|+OK|$1|2|");
    assert!(server.core.loading.is_none());
    assert_eq!(digest(&server), before);
}

#[test]
fn a_broken_log_is_no_reason_to_end() {
    let mut server = with_log(&log_of(&["SET a 1"]));
    put_log(&server.host, &log_of(&["SET a 2", "slow", "NOSUCH", "SET b 1"]));
    begin(&mut server);
    assert_eq!(finish(&mut server), ERROR);
    // What was loaded stays.
    assert_eq!(server.ask("MGET a slow b"), "*3|$1|2|$1|y|$-1|");
    assert_eq!(figure(&mut server, "loading"), 0);
    assert_eq!(server.ask("SET b 2"), "+OK|");
    server.host.put(MANIFEST, b"nonsense\n");
    assert_eq!(server.ask("DEBUG LOADAOF"), ERROR);
    assert_eq!(server.ask("GET b"), "$1|2|");
}

#[test]
fn where_there_is_no_log_there_is_nothing_to_wait_for() {
    let mut server = Server::start();
    server.core.settings.enable_debug_command = Permission::Yes;
    server.ask("SET a 1");
    assert_eq!(server.ask("DEBUG LOADAOF"), "+OK|");
    assert_eq!(server.ask("DBSIZE"), ":0|");
}

#[test]
fn whoever_hangs_up_is_told_nothing() {
    let mut server = with_log(&long_log());
    let (before, other) = (digest(&server), server.connect());
    begin(&mut server);
    assert_eq!(server.ask_as(other, "CLIENT UNBLOCK 1").as_deref(), Some(":0|"));
    assert_eq!(server.ask_as(other, "CLIENT KILL ID 1").as_deref(), Some(":1|"));
    server.core.close(CLIENT);
    server.core.open(CLIENT);
    assert_eq!(finish(&mut server), "");
    assert!(server.core.waiting.is_empty());
    assert_eq!(digest(&server), before);
    // A failure is nobody's either.
    put_log(&server.host, &log_of(&["slow", "NOSUCH"]));
    begin(&mut server);
    server.core.close(CLIENT);
    server.core.open(CLIENT);
    assert_eq!(finish(&mut server), "");
    assert_eq!(server.ask("GET slow"), "$1|y|");
}

#[test]
fn who_waits_for_a_key_gets_nothing_of_the_past() {
    let past = ["RPUSH l stale", "slow", "LPOP l"];
    for in_transaction in [false, true] {
        let mut server = with_log(&log_of(&past));
        let (before, waiter) = (digest(&server), server.connect());
        assert_eq!(server.ask_as(waiter, "BLPOP l 0").as_deref(), Some(""));
        if in_transaction {
            server.ask("MULTI");
            server.ask("DEBUG LOADAOF");
            assert_eq!(server.ask("EXEC"), "*1|+OK|");
        } else {
            begin(&mut server);
            server.core.serve_waiting();
            assert_eq!(finish(&mut server), "+OK|");
        }
        assert_eq!(server.take_reply_of(waiter), "");
        assert_eq!(digest(&server), before);
        // What is there in the end is there for it.
        put_log(&server.host, &log_of(&[&past[..], &["RPUSH l fresh"]].concat()));
        begin(&mut server);
        assert_eq!(finish(&mut server), "+OK|");
        assert_eq!(server.take_reply_of(waiter), "*2|$1|l|$5|fresh|");
        assert!(recorded(&server).ends_with("*2|$4|LPOP|$1|l|"), "{}", recorded(&server));
        assert_eq!(server.ask("EXISTS l"), ":0|");
    }
}

#[test]
fn what_was_watched_meanwhile_has_changed() {
    let mut server = with_log(&long_log());
    let other = server.connect();
    begin(&mut server);
    assert_eq!(server.ask_as(other, "WATCH first").as_deref(), Some("+OK|"));
    assert_eq!(finish(&mut server), "+OK|");
    for line in ["MULTI", "GET first"] {
        server.ask_as(other, line);
    }
    assert_eq!(server.ask_as(other, "EXEC").as_deref(), Some("*-1|"));
}

#[test]
fn keys_expire_again_when_all_is_loaded() {
    let volatile = format!("SET v 1 PXAT {}", START + 1000);
    let mut server = with_log(&log_of(&[&volatile, "slow", "APPEND v 2"]));
    begin(&mut server);
    server.at(2000);
    assert_eq!(server.core.next_due(), None);
    assert_eq!(server.expire_due(), "");
    assert_eq!(finish(&mut server), "+OK|");
    assert_eq!(server.ask("DBSIZE"), ":2|", "it was there when it was appended to");
    assert!(server.core.next_due() <= Some(Millis(START + 2000)));
    server.expire_due();
    assert_eq!(server.ask("DBSIZE"), ":1|");
    assert!(recorded(&server).ends_with("*2|$3|DEL|$1|v|"), "{}", recorded(&server));
}

#[test]
fn a_rewrite_that_ends_meanwhile_takes_nothing_away() {
    let host = MemoryHost::default();
    let manifest = "file appendonly.aof.1.incr.aof seq 1 type i\nfile appendonly.aof.2.incr.aof seq 2 type i\n";
    host.put(MANIFEST, manifest.as_bytes());
    host.put(INCREMENTS[0], &log_of(&["SET a 1", "slow"]));
    host.put(INCREMENTS[1], &log_of(&["INCR a"]));
    let mut server = Server::logging(&host, 0, AppendFsync::Everysec);
    server.core.settings.enable_debug_command = Permission::Yes;
    assert!(server.ask("BGREWRITEAOF").starts_with('+'));
    server.ask("SET b 1");
    let before = digest(&server);
    begin(&mut server);
    server.core.look_at_child();
    assert_eq!(INCREMENTS.map(|path| host.bytes(path)), [None, None]);
    assert_eq!(finish(&mut server), "+OK|");
    assert_eq!(digest(&server), before);
    let again = Server::logging(&host, 0, AppendFsync::Everysec);
    assert_eq!(digest(&again), before);
}

#[test]
fn what_another_server_has_taken_goes_when_all_is_loaded() {
    let mut server = with_log(&log_of(&["SET a 1", "slow", "INCR a"]));
    let other = server.connect();
    assert_eq!(server.ask_as(other, "MIGRATE h 7000 a 0 1000").as_deref(), Some(""));
    // Writes to the key are held back, but not those of the log.
    begin(&mut server);
    server.core.channel_heard(ChannelId(1), b"+OK\r\n+OK\r\n");
    server.core.tend_migrations();
    assert_eq!(server.take_reply_of(other), "");
    assert_eq!(finish(&mut server), "+OK|");
    assert_eq!(server.ask("GET a"), "$1|2|");
    server.core.tend_migrations();
    assert_eq!(server.take_reply_of(other), "+OK|");
    assert_eq!(server.ask("EXISTS a"), ":0|");
    assert!(recorded(&server).ends_with("*2|$3|DEL|$1|a|"), "{}", recorded(&server));
}

#[test]
fn half_of_the_data_is_not_saved_before_an_exit() {
    let mut server = with_log(&long_log());
    assert_eq!(server.run(&[b"CONFIG", b"SET", b"save", b"900 1"]), "+OK|");
    let other = server.connect();
    begin(&mut server);
    server.at(5000).core.each_second();
    assert!(!server.core.has_child());
    server.ask_as(other, "SHUTDOWN SAVE");
    assert!(
        server
            .core
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Shutdown))
    );
    assert_eq!(server.host.bytes("dump.rdb"), None);
}

#[test]
fn replicas_have_the_data_already() {
    let mut server = with_log(&log_of(&["SET a 1", "slow", "INCR a"]));
    server.core.replication.stream.begin(server.core.propagation.offset);
    let (replica, late) = (server.connect(), server.connect());
    let known = format!(
        "PSYNC {} {}",
        server.core.replication.id,
        server.core.propagation.offset + 1
    );
    assert_eq!(server.ask_as(replica, &known).as_deref(), Some("+CONTINUE|"));
    begin(&mut server);
    assert_eq!(server.ask_as(late, &known).as_deref(), Some(LOADING), "it tries again");
    assert_eq!(server.core.propagate(), Ok(()));
    assert_eq!(finish(&mut server), "+OK|");
    assert_eq!(server.core.propagate(), Ok(()));
    let stream = &server.core.replication.stream;
    assert_eq!(stream.end(), server.core.propagation.offset);
    assert_eq!(stream.end(), stream.first());
    assert_eq!(server.core.replication.replicas, [replica]);
    assert_eq!(server.ask_as(late, &known).as_deref(), Some("+CONTINUE|"));
}

/// A replica that has a log of its own, which its client loads.
fn loading_replica() -> (Server, SessionIndex) {
    let (mut server, link) = as_replica();
    server.core.settings.enable_debug_command = Permission::Yes;
    put_log(&server.host, &long_log());
    begin(&mut server);
    (server, link)
}

#[test]
fn the_primarys_stream_goes_on_behind_the_log() {
    let (mut server, link) = loading_replica();
    let id = server.core.replication.id.clone();
    assert_eq!(server.ask_as(link, "INCR first"), None, "it is held back");
    assert_eq!(finish(&mut server), "+OK|");
    assert!(server.core.effects.contains(&Effect::Resume(link)));
    assert_eq!(server.ask_as(link, "INCR first").as_deref(), Some(""));
    assert_eq!(server.ask("GET first"), "$1|2|");
    assert!(server.core.replication.is_link_up());
    assert_eq!(server.core.replication.id, id);
}

#[test]
fn a_primarys_snapshot_comes_behind_the_log() {
    let mut former = Server::start();
    former.ask("SET theirs 1");
    former.ask("SAVE");
    let snapshot = former.host.bytes("dump.rdb").expect("it was saved");
    let (mut server, _) = loading_replica();
    server.core.drop_link("the test wants another snapshot");
    let head = format!("+FULLRESYNC {} 0\r\n${}\r\n", "2".repeat(40), snapshot.len());
    answer(&mut server, &head);
    server.core.take_from_primary(&snapshot);
    for _ in 0..10 {
        server.core.store_snapshot();
    }
    assert_eq!(server.core.replication.id, "1".repeat(40));
    assert_eq!(finish(&mut server), "+OK|");
    assert_eq!(server.ask("GET first"), "$1|1|");
    while server.core.loading.is_none() {
        server.core.store_snapshot();
    }
    while server.core.load_slice().expect("it is whole") {}
    assert_eq!(server.ask("KEYS *"), "*1|$6|theirs|");
}

#[test]
fn a_change_of_role_leaves_the_load_alone() {
    let (mut server, _) = loading_replica();
    server.core.become_primary();
    server.core.replicate(primary("another"));
    assert!(server.core.loading.is_some());
    let told = finish(&mut server);
    assert!(told.starts_with("-UNBLOCKED "), "{told}");
    assert_eq!(server.core.keyspace.db(0).len(), 70_001);
    assert!(server.core.replication.is_replica());
}
