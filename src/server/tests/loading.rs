//! Clients are answered while data is loaded, also amid a single value of any size.

use crate::commands::digest;
use crate::config::choice::MaxmemoryPolicy;
use crate::host::memory::MemoryHost;
use crate::server::testing::Server;

pub(super) fn figure(server: &mut Server, field: &str) -> u64 {
    let text = server.ask("INFO");
    let line = text
        .split('|')
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// Adds `count` elements to a value that these words change, with `#` for a number.
fn grow(server: &mut Server, line: &str, count: usize) {
    for chunk in 0..count / 1000 {
        let mut words: Vec<String> = Vec::new();
        let (head, element) = line.split_once(" | ").expect("a command and an element");
        words.extend(head.split(' ').map(str::to_owned));
        for n in 0..1000 {
            let n = (chunk * 1000 + n).to_string();
            words.extend(element.split(' ').map(|word| word.replace('#', &n)));
        }
        let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        let reply = server.run(&words);
        assert!(!reply.starts_with('-'), "{head}: {reply}");
    }
}

/// One key, so that all slices but one end amid its value.
fn check(host: &MemoryHost, before: &str, appendonly: bool, what: &str) {
    let mut server = Server::on(host.clone());
    server.core.settings.appendonly = appendonly;
    server.core.begin_loading().expect("there is data");
    let (mut slices, mut furthest) = (0, 0);
    while server.core.load_slice().expect("it is whole") {
        slices += 1;
        assert_eq!(server.ask("GET x"), "-LOADING Redis is loading the dataset in memory|");
        let loaded = figure(&mut server, "loading_loaded_bytes");
        // A slice may end amid a long argument, which counts when all of it is there.
        assert!(loaded >= furthest, "{what}: slices go on where the last one ended");
        furthest = loaded;
        assert_eq!(figure(&mut server, "loading"), 1);
    }
    assert!(slices >= 2, "{what}: {slices} slices");
    let digest = digest::of_keyspace(&server.core.keyspace).to_hex().to_string();
    assert_eq!(digest, before, "{what}");
}

#[test]
fn one_value_is_loaded_in_slices() {
    for (line, count) in [
        ("RPUSH k | element:#", 1_000_000),
        ("SADD k | member:#", 300_000),
        ("HSET k | field:# value", 300_000),
        ("ZADD k | # member:#", 200_000),
    ] {
        let mut server = Server::start();
        grow(&mut server, line, count);
        let before = digest::of_keyspace(&server.core.keyspace).to_hex().to_string();
        assert_eq!(server.ask("SAVE"), "+OK|");
        check(&server.host, &before, false, line);
    }
}

#[test]
fn a_log_is_played_in_slices() {
    let host = MemoryHost::default();
    let mut server = Server::on(host.clone());
    server.core.settings.appendonly = true;
    server.core.begin_loading().expect("a log is begun");
    grow(&mut server, "ZADD k | # member:#", 200_000);
    // Long arguments have buffers of their own.
    let long: Vec<u8> = (0..700_000_u32).flat_map(u32::to_be_bytes).collect();
    for words in [
        &[&b"SET"[..], b"string", &long, b"EX", b"1000"][..],
        &[b"RPUSH", b"list", &long[1..], b"short", &long[2..]],
        &[b"MSET", &long[3..], &long[4..], b"last", b"1"],
    ] {
        assert!(!server.run(words).starts_with('-'));
    }
    assert_eq!(server.core.propagate(), Ok(()));
    let before = digest::of_keyspace(&server.core.keyspace).to_hex().to_string();
    check(&host, &before, true, "requests");
    // The same from a base of requests.
    server.core.settings.aof_use_rdb_preamble = false;
    server.ask("BGREWRITEAOF");
    server.core.look_at_child();
    check(&host, &before, true, "a base");
}

/// A machine with a log that takes several slices, and the digest of its data.
fn with_long_log() -> (MemoryHost, String) {
    let host = MemoryHost::default();
    let mut server = Server::on(host.clone());
    server.core.settings.appendonly = true;
    server.core.begin_loading().expect("a log is begun");
    grow(&mut server, "ZADD k | # member:#", 200_000);
    assert_eq!(server.core.propagate(), Ok(()));
    (host, digest::of_keyspace(&server.core.keyspace).to_hex().to_string())
}

/// A server that has loaded some of its log.
fn amid(host: MemoryHost) -> Server {
    let mut server = Server::on(host);
    server.core.settings.appendonly = true;
    server.core.begin_loading().expect("there is data");
    assert_eq!(server.core.load_slice(), Ok(true));
    server
}

#[test]
fn a_pause_holds_nothing_of_a_log_back() {
    let (host, before) = with_long_log();
    let mut server = amid(host);
    assert_eq!(server.ask("CLIENT PAUSE 100000"), "+OK|");
    while server.core.load_slice().expect("it is whole") {}
    let loaded = digest::of_keyspace(&server.core.keyspace).to_hex().to_string();
    assert_eq!(loaded, before);
}

#[test]
fn nothing_is_evicted_from_what_is_loaded() {
    let (host, before) = with_long_log();
    let mut server = amid(host);
    server.core.settings.maxmemory_policy = MaxmemoryPolicy::AllkeysRandom;
    server.core.settings.maxmemory = 1;
    server.core.make_room_soon();
    server.core.make_wanted_room();
    server.core.evicting = true;
    assert_eq!(server.ask("GET k"), "-LOADING Redis is loading the dataset in memory|");
    server.core.housekeep();
    while server.core.load_slice().expect("it is whole") {}
    let loaded = digest::of_keyspace(&server.core.keyspace).to_hex().to_string();
    assert_eq!(loaded, before);
    server.ask("GET k");
    assert_eq!(server.core.stats.evicted_keys, 1);
}

#[test]
fn replicas_hear_of_what_has_expired_before_a_restart() {
    let mut server = Server::start();
    server.core.replication.stream.begin(1000);
    server.core.propagation.offset = 1000;
    for n in 0..300 {
        server.ask(&format!("SELECT {}", n % 2));
        server.ask(&format!("SET volatile:{n} 1 PX 10"));
    }
    server.ask("SET stays 1");
    assert_eq!(server.ask("SAVE"), "+OK|");
    let (host, id) = (server.host.clone(), server.core.replication.id.clone());

    let mut server = Server::on(host);
    server.at(11).core.begin_loading().expect("there is data");
    while server.core.load_slice().expect("it is whole") {}
    assert_eq!(server.core.propagate(), Ok(()));
    assert_eq!(figure(&mut server, "rdb_last_load_keys_expired"), 300);
    assert_eq!(figure(&mut server, "rdb_last_load_keys_loaded"), 1);
    assert_eq!(
        server.core.keyspace.databases().map(|(_, db)| db.len()).sum::<usize>(),
        1
    );
    let replication = &server.core.replication;
    assert_eq!(replication.former.as_ref().map(|former| &former.id), Some(&id));
    assert_eq!(replication.stream.first(), 1000);
    let said = String::from_utf8_lossy(replication.stream.at(1000).expect("it is kept")).into_owned();
    assert_eq!(said.matches("DEL\r\n").count(), 300, "{said}");
    assert_eq!(said.matches("SELECT\r\n").count(), 2, "{said}");
    assert_eq!(server.core.propagation.offset, replication.stream.end());
}
