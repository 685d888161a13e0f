//! MIGRATE between this server and real ones, both ways.

use std::time::{Duration, Instant};

use crate::start;
use crate::support::os::Signal;
use crate::support::server::{Binary, Server};
use crate::support::wait_until;

/// Every pair of servers of which one is ours.
fn pairs() -> Vec<(Server, Server)> {
    let with =
        |from: Binary, to: Binary| (from.available() && to.available()).then(|| (start(from, &[]), start(to, &[])));
    let ours = Binary::UnderTest;
    let pairs = [
        with(ours, ours),
        with(ours, Binary::Redis),
        with(ours, Binary::Valkey),
        with(Binary::Redis, ours),
        with(Binary::Valkey, ours),
    ];
    pairs.into_iter().flatten().collect()
}

const VALUES: [&str; 9] = [
    "SET string value",
    "SET number 12345678901",
    "RPUSH list a b c",
    "SADD set x y z",
    "SADD numbers 1 2 300000",
    "HSET hash f v g w",
    "ZADD zset 1 a 2.5 b",
    "XADD stream 1-1 f v",
    "PFADD log a b c",
];

#[test]
fn all_types_arrive_and_are_gone_here() {
    for (from, to) in pairs() {
        let (mut here, mut there) = (from.connect(), to.connect());
        for line in VALUES {
            here.ask(line);
            there.ask(line);
        }
        let digest = there.ask("DEBUG DIGEST");
        assert_eq!(here.ask("DEBUG DIGEST"), digest);
        assert_eq!(there.ask("FLUSHALL"), "+OK\r\n");
        let keys: Vec<&str> = VALUES.iter().filter_map(|line| line.split(' ').nth(1)).collect();
        let port = to.port().to_string();
        let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS", "nothing"];
        words.extend(keys);
        assert_eq!(here.call(&words).expect("a reply"), b"+OK\r\n");
        assert_eq!(here.ask("DBSIZE"), ":0\r\n");
        assert_eq!(there.ask("DEBUG DIGEST"), digest);
        assert!(here.ask("INFO stats").contains("migrate_cached_sockets:1"));
    }
}

#[test]
fn passwords_deadlines_and_refusals() {
    for (from, to) in pairs() {
        let (mut here, mut there) = (from.connect(), to.connect());
        let port = to.port();
        there.ask("CONFIG SET requirepass secret");
        here.ask("SET k v PX 60000");
        let refused = here.ask(&format!("MIGRATE 127.0.0.1 {port} k 3 5000"));
        assert!(
            refused.starts_with("-ERR Target instance replied with error: NOAUTH"),
            "{refused}"
        );
        let refused = here.ask(&format!("MIGRATE 127.0.0.1 {port} k 3 5000 AUTH wrong"));
        assert!(
            refused.starts_with("-ERR Target instance replied with error: WRONGPASS"),
            "{refused}"
        );
        assert_eq!(here.ask("EXISTS k"), ":1\r\n");
        assert_eq!(
            here.ask(&format!("MIGRATE 127.0.0.1 {port} k 3 5000 COPY AUTH secret")),
            "+OK\r\n"
        );
        let refused = here.ask(&format!("MIGRATE 127.0.0.1 {port} k 3 5000 AUTH2 default secret"));
        assert!(
            refused.starts_with("-ERR Target instance replied with error: BUSYKEY"),
            "{refused}"
        );
        assert_eq!(here.ask("EXISTS k"), ":1\r\n");
        assert_eq!(
            here.ask(&format!("MIGRATE 127.0.0.1 {port} k 3 5000 REPLACE AUTH secret")),
            "+OK\r\n"
        );
        assert_eq!(here.ask("EXISTS k"), ":0\r\n");
        there.ask("AUTH secret");
        there.ask("SELECT 3");
        let left: i64 = there.ask("PTTL k")[1..].trim().parse().expect("a number");
        assert!((1..=60_000).contains(&left), "{left}");
    }
}

#[test]
fn a_large_value_arrives_whole() {
    let (from, to) = (start(Binary::UnderTest, &[]), start(Binary::UnderTest, &[]));
    let (mut here, mut there) = (from.connect(), to.connect());
    here.ask("CONFIG SET rdbcompression no");
    let elements = format!(" {}", "x".repeat(1000)).repeat(1000);
    for _ in 0..20 {
        here.ask(&format!("RPUSH big{elements}"));
    }
    assert_eq!(
        here.ask(&format!("MIGRATE 127.0.0.1 {} big 0 60000", to.port())),
        "+OK\r\n"
    );
    assert_eq!(there.ask("LLEN big"), ":20000\r\n");
    assert_eq!(here.ask("EXISTS big"), ":0\r\n");
}

#[test]
fn a_target_that_is_stopped_stops_nobody_else() {
    let (from, to) = (start(Binary::UnderTest, &[]), start(Binary::UnderTest, &[]));
    let (mut here, mut third) = (from.connect(), from.connect());
    here.ask("MSET k v other v");
    to.signal(Signal::STOP).expect("it runs");
    let begun = Instant::now();
    let migrate = format!("MIGRATE 127.0.0.1 {} k 0 300\r\n", to.port());
    here.send(migrate.as_bytes()).expect("a connection");
    wait_until("the key is on its way", || {
        third.ask("CLIENT LIST").contains("cmd=migrate")
    });
    assert_eq!(third.ask("GET k"), "$1\r\nv\r\n");
    assert_eq!(third.ask("SET other w"), "+OK\r\n");
    // Held until the key is not on its way any more.
    assert_eq!(third.ask("APPEND k w"), ":2\r\n");
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let error = here.read_reply().expect("a reply");
    assert_eq!(error, b"-IOERR error or timeout reading to target instance\r\n");
    to.signal(Signal::CONT).expect("it runs");
}

#[test]
fn what_is_left_of_it_reaches_replicas_and_the_log() {
    let (from, to) = (
        start(Binary::UnderTest, &[("appendonly", "yes")]),
        start(Binary::UnderTest, &[]),
    );
    let port = from.port().to_string();
    let replica = start(Binary::Redis, &[("replicaof", &format!("127.0.0.1 {port}"))]);
    let (mut here, mut there) = (from.connect(), replica.connect());
    here.ask("MSET a 1 b 2 c 3");
    wait_until("the replica has the keys", || there.ask("DBSIZE") == ":3\r\n");
    let words = [
        "MIGRATE",
        "127.0.0.1",
        &to.port().to_string(),
        "",
        "0",
        "5000",
        "KEYS",
        "a",
        "c",
    ];
    assert_eq!(here.call(&words).expect("a reply"), b"+OK\r\n");
    wait_until("the replica has deleted what has gone", || {
        there.ask("DBSIZE") == ":1\r\n"
    });
    assert_eq!(here.ask("DEBUG LOADAOF"), "+OK\r\n");
    assert_eq!(here.ask("KEYS *"), "*1\r\n$1\r\nb\r\n");
}
