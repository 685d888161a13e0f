//! Which keys each `maxmemory-policy` lets go.

use crate::server::testing::Server;

/// Keys of each half before memory is short.
const HALF: usize = 1000;

/// A server with 2000 keys of 200 bytes, half of them (`v:0` ...) volatile with deadlines in the order of their numbers
/// and some in another database, and memory counted exactly.
fn filled(policy: &str) -> Server {
    crate::memory::claim_serving_thread();
    let mut server = Server::start();
    assert_eq!(server.ask(&format!("config set maxmemory-policy {policy}")), "+OK|");
    server.core.random = fastrand::Rng::with_seed(7);
    let value = "x".repeat(200);
    for n in 0..HALF {
        server.ask(&format!("select {}", n % 3 / 2));
        server.ask(&format!("set p:{n} {value}"));
        server.ask(&format!("set v:{n} {value} ex {}", 100_000 + n * 10));
    }
    server.ask("select 0");
    server
}

/// Sets the limit to what is in use, and writes `count` more keys of the same size.
fn squeeze(server: &mut Server, count: usize) {
    let limit = crate::memory::used();
    server.core.settings.maxmemory = limit as u64;
    let value = "y".repeat(200);
    for n in 0..count {
        assert_eq!(server.ask(&format!("set new:{n} {value}")), "+OK|");
        while server.core.housekeep() {}
    }
    // What the last command wrote may stand above the limit until the next one asks for room.
    server.core.make_room();
    while server.core.housekeep() {}
    assert!(crate::memory::used() <= limit);
    assert!(server.core.stats.evicted_keys > 0);
    server.core.settings.maxmemory = 0;
}

/// The numbers of the keys of one half (`p` or `v`) that are gone.
fn gone(server: &mut Server, half: &str) -> Vec<usize> {
    (0..HALF)
        .filter(|n| {
            server.ask(&format!("select {}", n % 3 / 2));
            server.ask(&format!("exists {half}:{n}")) == ":0|"
        })
        .collect()
}

/// Reads every fourth key of both halves `times` times.
fn read_every_fourth(server: &mut Server, times: usize) {
    for n in (0..HALF).step_by(4) {
        server.ask(&format!("select {}", n % 3 / 2));
        for _ in 0..times {
            server.ask(&format!("get p:{n}"));
            server.ask(&format!("get v:{n}"));
        }
    }
    server.ask("select 0");
}

fn reads_among(gone: &[usize]) -> usize {
    gone.iter().filter(|n| *n % 4 == 0).count()
}

#[test]
fn noeviction_refuses_writes_and_keeps_reads() {
    let mut server = filled("noeviction");
    server.core.settings.maxmemory = crate::memory::used() as u64 - 1;
    assert_eq!(
        server.ask("set new x"),
        "-OOM command not allowed when used memory > 'maxmemory'.|"
    );
    assert_eq!(server.ask("strlen p:1"), ":200|");
    for n in 0..100 {
        server.ask(&format!("del p:{n} v:{n}"));
    }
    assert_eq!(server.ask("set new x"), "+OK|");
    assert_eq!(server.core.stats.evicted_keys, 0);
}

#[test]
fn allkeys_lru_keeps_what_was_read_of_late() {
    let mut server = filled("allkeys-lru");
    server.at(1_000_000);
    read_every_fourth(&mut server, 1);
    server.at(2_000_000);
    squeeze(&mut server, 600);
    let (p, v) = (gone(&mut server, "p"), gone(&mut server, "v"));
    assert!(p.len() > 200 && v.len() > 200, "{} {}", p.len(), v.len());
    let lost = reads_among(&p) + reads_among(&v);
    assert!(lost <= 6, "{lost} of 500 keys read were lost");
}

#[test]
fn volatile_lru_keeps_what_was_read_of_late_and_all_that_lasts() {
    let mut server = filled("volatile-lru");
    server.at(1_000_000);
    read_every_fourth(&mut server, 1);
    server.at(2_000_000);
    squeeze(&mut server, 300);
    let v = gone(&mut server, "v");
    assert_eq!(gone(&mut server, "p").len(), 0);
    assert!(v.len() > 200 && reads_among(&v) <= 5, "{} {}", v.len(), reads_among(&v));
}

#[test]
fn allkeys_lfu_keeps_what_is_read_often() {
    let mut server = filled("allkeys-lfu");
    read_every_fourth(&mut server, 40);
    squeeze(&mut server, 600);
    let (p, v) = (gone(&mut server, "p"), gone(&mut server, "v"));
    assert!(p.len() + v.len() > 400, "{} {}", p.len(), v.len());
    let lost = reads_among(&p) + reads_among(&v);
    assert!(lost <= 6, "{lost} of 500 keys read were lost");
}

#[test]
fn volatile_lfu_keeps_what_is_read_often_and_all_that_lasts() {
    let mut server = filled("volatile-lfu");
    read_every_fourth(&mut server, 40);
    squeeze(&mut server, 300);
    let v = gone(&mut server, "v");
    assert_eq!(gone(&mut server, "p").len(), 0);
    assert!(v.len() > 200 && reads_among(&v) <= 5, "{} {}", v.len(), reads_among(&v));
}

#[test]
fn volatile_ttl_lets_the_nearest_deadlines_go() {
    let mut server = filled("volatile-ttl");
    squeeze(&mut server, 300);
    let v = gone(&mut server, "v");
    assert_eq!(gone(&mut server, "p").len(), 0);
    assert!(v.len() > 200, "{}", v.len());
    let mean = v.iter().sum::<usize>() / v.len();
    // Were they drawn at random, it would be 500; were the order perfect, half of their number.
    assert!(mean < 250, "{mean} on average");
    let far = v.iter().filter(|n| **n > 800).count();
    assert!(far <= v.len() / 50, "{far} of those that lasted longest");
}

#[test]
fn allkeys_random_takes_from_everywhere() {
    let mut server = filled("allkeys-random");
    squeeze(&mut server, 600);
    let (p, v) = (gone(&mut server, "p"), gone(&mut server, "v"));
    assert!(p.len().abs_diff(v.len()) < 120, "{} {}", p.len(), v.len());
    let other = p.iter().chain(&v).filter(|n| *n % 3 == 2).count();
    assert!(other > 60, "{other} of the other database");
}

#[test]
fn volatile_random_leaves_what_lasts_alone() {
    let mut server = filled("volatile-random");
    squeeze(&mut server, 300);
    let v = gone(&mut server, "v");
    assert_eq!(gone(&mut server, "p").len(), 0);
    let near = v.iter().filter(|n| **n < HALF / 2).count();
    assert!(
        v.len() > 200 && near.abs_diff(v.len() / 2) < 60,
        "{near} of {}",
        v.len()
    );
}

#[test]
fn volatile_policies_refuse_writes_when_nothing_volatile_is_left() {
    for policy in ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"] {
        let mut server = filled(policy);
        server.core.settings.maxmemory = crate::memory::used() as u64 / 4;
        let refused = (0..100).map(|_| server.ask("set new x")).find(|reply| reply != "+OK|");
        assert_eq!(
            refused.as_deref(),
            Some("-OOM command not allowed when used memory > 'maxmemory'.|"),
            "{policy}"
        );
        server.core.settings.maxmemory = 0;
        assert_eq!(gone(&mut server, "v").len(), HALF, "{policy}");
        assert_eq!(gone(&mut server, "p").len(), 0, "{policy}");
    }
}

#[test]
fn clients_that_owe_too_much_go_before_any_key() {
    let mut server = filled("allkeys-lru");
    let glutton = server.connect();
    server.ask(&format!("set big {}", "x".repeat(300_000)));
    server.ask("config set maxmemory-clients 200000");
    server.core.settings.maxmemory = crate::memory::used() as u64 + 100_000;
    // Its reply is what is too much, and it goes with it.
    server.run_as(glutton, &[b"get", b"big"]);
    assert_eq!(server.ask("set k v"), "+OK|");
    let stats = &server.core.stats;
    assert_eq!((stats.evicted_clients, stats.evicted_keys), (1, 0));
    assert!(server.core.session(glutton).doomed);
}

#[test]
fn a_client_hears_of_an_eviction_before_the_reply_that_caused_it() {
    crate::memory::claim_serving_thread();
    let mut server = Server::start();
    server.ask("config set maxmemory-policy allkeys-lru");
    server.ask("hello 3");
    server.ask("client tracking on");
    server.ask(&format!("set key {}", "x".repeat(10_000)));
    server.ask("get key");
    server.core.settings.maxmemory = crate::memory::used() as u64 - 5000;
    let invalidation = ">2|$10|invalidate|*1|$3|key|";
    assert_eq!(server.ask("ping"), format!("{invalidation}+PONG|"));
}

#[test]
fn telling_clients_of_evictions_causes_no_more_of_them() {
    crate::memory::claim_serving_thread();
    let mut server = Server::start();
    server.ask("config set maxmemory-policy allkeys-lru");
    let readers: Vec<_> = (0..10).map(|_| server.connect()).collect();
    for &reader in &readers {
        server.ask_as(reader, "hello 3");
        server.ask_as(reader, "client tracking on");
    }
    for n in 0..300 {
        let key = format!("{n}{}", "x".repeat(1000));
        server.ask(&format!("set {key} x"));
        for &reader in &readers {
            server.ask_as(reader, &format!("get {key}"));
        }
    }
    server.core.settings.maxmemory = crate::memory::used() as u64 - 40_000;
    server.core.settings.maxmemory_eviction_tenacity = 100; // as long as it takes
    server.core.make_room();
    let evicted = server.core.stats.evicted_keys;
    assert!((10..=50).contains(&evicted), "{evicted}");
}

#[test]
fn tenacity_says_how_much_a_command_waits_for() {
    let mut server = filled("allkeys-random");
    server.ask("config set maxmemory-eviction-tenacity 0");
    server.core.settings.maxmemory = crate::memory::used() as u64 - 100_000;
    assert_eq!(server.ask("strlen none"), ":0|");
    assert!(server.core.evicting);
    assert!(server.core.stats.evicted_keys <= 1);
    server.ask("config set maxmemory-eviction-tenacity 100");
    server.core.make_room();
    assert!(!server.core.evicting && !server.core.over_limit());
    server.core.settings.maxmemory = 0;
}

#[test]
fn a_new_limit_takes_nothing_from_under_the_rest_of_a_transaction() {
    let mut server = Server::start();
    server.ask("CONFIG SET maxmemory-policy allkeys-lru");
    for line in ["MULTI", "INCR x", "CONFIG SET maxmemory 1", "INCR x"] {
        server.ask(line);
    }
    assert_eq!(server.ask("EXEC"), "*3|:1|+OK|:2|");
    server.core.make_wanted_room();
    assert_eq!(server.core.stats.evicted_keys, 1);
}

#[test]
fn nothing_is_evicted_while_writes_are_paused() {
    let mut server = Server::start();
    server.ask("SET a 1");
    server.ask("CONFIG SET maxmemory-policy allkeys-random");
    server.ask("CLIENT PAUSE 1000 WRITE");
    server.ask("CONFIG SET maxmemory 1");
    let mut evicted = |ms| {
        server.at(ms).core.make_wanted_room();
        while server.core.housekeep() {}
        server.core.stats.evicted_keys
    };
    assert_eq!(evicted(500), 0);
    assert_eq!(evicted(1001), 1);
}
