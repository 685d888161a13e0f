//! DUMP, RESTORE and DEBUG DIGEST against real servers: the same values give the same bytes, each server takes what the
//! others gave, and the digests agree.

#[path = "support/payloads.rs"]
mod payloads;
mod support;

use std::time::Duration;

use aeolus::persistence::rdb::Version;
use aeolus::persistence::rdb::payload::seal;
use support::client::Client;
use support::random::Random;
use support::reply::{Reply, show};
use support::server::{Binary, Server};

/// The three servers, with one connection each.
struct Trio {
    _servers: [Server; 3],
    ours: Client,
    redis: Client,
    valkey: Client,
}

impl Trio {
    /// `None` where the peers are not installed.
    fn start() -> Option<Trio> {
        if !Binary::Redis.available() || !Binary::Valkey.available() {
            return None;
        }
        let start = |binary| Server::start_with(binary, &[("enable-debug-command", "yes")]);
        let servers = [Binary::UnderTest, Binary::Redis, Binary::Valkey].map(start);
        let [ours, redis, valkey] = [0, 1, 2].map(|index: usize| servers[index].connect());
        Some(Trio {
            _servers: servers,
            ours,
            redis,
            valkey,
        })
    }

    fn run<A: AsRef<[u8]>>(&mut self, command: &[A]) {
        for client in [&mut self.ours, &mut self.redis, &mut self.valkey] {
            call(client, command);
        }
    }
}

fn call<A: AsRef<[u8]>>(client: &mut Client, args: &[A]) -> Vec<u8> {
    client.call(args).expect("the server answers")
}

fn text(reply: &[u8]) -> Vec<u8> {
    let reply = Reply::parse(reply).unwrap_or_else(|_| panic!("{}", show(reply)));
    assert!(!reply.is_error() && !reply.is_null(), "{}", show(reply.raw));
    reply.text().to_vec()
}

fn dump(client: &mut Client, key: &str) -> Vec<u8> {
    text(&call(client, &["DUMP", key]))
}

fn restore(client: &mut Client, key: &str, payload: &[u8], what: &str) {
    let reply = call(client, &[b"RESTORE", key.as_bytes(), b"0", payload, b"REPLACE"]);
    assert_eq!(reply, b"+OK\r\n", "{what}: {}", show(&reply));
}

fn digest(client: &mut Client, key: &str) -> Vec<u8> {
    call(client, &["DEBUG", "DIGEST-VALUE", key])
}

fn encoding(client: &mut Client, key: &str) -> Vec<u8> {
    text(&call(client, &["OBJECT", "ENCODING", key]))
}

/// Texts of the kinds that encodings and compression tell apart.
fn word(random: &mut Random) -> Vec<u8> {
    match random.below(10) {
        0..=2 => {
            let width = random.below(63);
            (random.next() as i64 >> width).to_string().into_bytes()
        }
        3 => {
            let len = random.below(40);
            random.bytes(len)
        }
        4 => format!("ab{}", random.below(5))
            .repeat(1 + random.below(60))
            .into_bytes(),
        5 => (0..random.below(300)).map(|_| *random.pick(b"abc")).collect(),
        _ => format!("w{}", random.below(50)).into_bytes(),
    }
}

/// Whether the three are to give the same dump, the version apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bytes {
    Same,
    /// Tables have no order; lists are cut as Redis 7.2 cuts them; scores are Redis 7.2's texts.
    Free,
}

type Command = Vec<Vec<u8>>;

/// Commands that give the key `k` a random value.
fn program(random: &mut Random) -> (Vec<Command>, Bytes) {
    let count = *random.pick(&[1, 2, 5, 30, 150, 700]);
    let (mut commands, mut ms) = (Vec::new(), 1);
    let kind = random.below(9);
    let command = |words: &[&[u8]]| words.iter().map(|word| word.to_vec()).collect::<Command>();
    if kind == 0 {
        return (vec![command(&[b"SET", b"k", &word(random)])], Bytes::Same);
    }
    for _ in 0..count {
        let (one, two) = (word(random), word(random));
        commands.push(match kind {
            1 => command(&[b"RPUSH", b"k", &one]),
            2 if random.percent(5) => command(&[b"RPUSH", b"k", &[b'x'; 9000]]),
            2 => command(&[random.pick(&["LPUSH", "RPUSH"]).as_bytes(), b"k", &one]),
            3 => command(&[b"SADD", b"k", &one]),
            4 => command(&[b"SADD", b"k", random.between(-70_000, 70_000).to_string().as_bytes()]),
            5 => command(&[b"HSET", b"k", &one, &two]),
            6 => {
                let quarters = random.between(-4000, 4000) as f64 / 4.0;
                command(&[b"ZADD", b"k", quarters.to_string().as_bytes(), &one])
            }
            7 => {
                let score = (random.next() as i64 >> 20) as f64 / 7.0;
                command(&[b"ZADD", b"k", score.to_string().as_bytes(), &one])
            }
            _ => {
                ms += random.below(3);
                let id = format!("{ms}-*");
                let field: &[u8] = if random.percent(70) { b"field" } else { &two };
                command(&[b"XADD", b"k", id.as_bytes(), field, &one])
            }
        });
    }
    let same = match kind {
        // No node border in sight, and no table.
        1 => count <= 5,
        3 => false,
        4 => count <= 150,
        5 => count == 1,
        6 | 8 => true,
        _ => false,
    };
    (commands, if same { Bytes::Same } else { Bytes::Free })
}

#[test]
fn three_servers_exchange_values() {
    let Some(mut trio) = Trio::start() else { return };
    let mut random = Random::new(77);
    for round in 0..400 {
        let (commands, bytes) = program(&mut random);
        trio.run(&["FLUSHALL"]);
        commands.iter().for_each(|command| trio.run(command));
        if call(&mut trio.redis, &["EXISTS", "k"]) != b":1\r\n" {
            continue;
        }
        let what = format!("round {round}: {}", show(&commands[0].join(&b' ')));
        let dumps = [&mut trio.ours, &mut trio.redis, &mut trio.valkey].map(|client| dump(client, "k"));
        if bytes == Bytes::Same {
            assert!(dumps[0] == dumps[1], "{what}: {}\n{}", show(&dumps[0]), show(&dumps[1]));
        }
        let digest_of_redis = digest(&mut trio.redis, "k");
        assert_eq!(digest(&mut trio.ours, "k"), digest_of_redis, "{what}");
        let everything = call(&mut trio.redis, &["DEBUG", "DIGEST"]);
        assert_eq!(call(&mut trio.ours, &["DEBUG", "DIGEST"]), everything, "{what}");
        let digest_of_valkey = digest(&mut trio.valkey, "k");

        restore(&mut trio.redis, "ours", &dumps[0], &what);
        assert_eq!(digest(&mut trio.redis, "ours"), digest_of_redis, "{what}");
        restore(&mut trio.valkey, "ours", &dumps[0], &what);
        assert_eq!(digest(&mut trio.valkey, "ours"), digest_of_valkey, "{what}");
        for payload in &dumps {
            restore(&mut trio.ours, "copy", payload, &what);
            assert_eq!(digest(&mut trio.ours, "copy"), digest_of_redis, "{what}");
            restore(&mut trio.valkey, "copy", payload, &what);
            let encodings = [&mut trio.ours, &mut trio.valkey].map(|client| encoding(client, "copy"));
            assert_eq!(encodings[0], encodings[1], "{what}");
        }
    }
}

/// What servers from Redis 2.8 on wrote becomes the same values, in the same encodings, as on the peers.
#[test]
fn old_encodings_become_what_they_do_elsewhere() {
    let Some(mut trio) = Trio::start() else { return };
    let mut known_to_redis = 0;
    for payload in payloads::all() {
        let what = &payload.origin;
        if payload.version <= Version::REDIS_7_0 {
            known_to_redis += 1;
            restore(&mut trio.redis, "k", &payload.bytes, what);
            restore(&mut trio.ours, "k", &payload.bytes, what);
            assert_eq!(digest(&mut trio.ours, "k"), digest(&mut trio.redis, "k"), "{what}");
            // And back again.
            let ours = dump(&mut trio.ours, "k");
            let before = digest(&mut trio.redis, "k");
            restore(&mut trio.redis, "k", &ours, what);
            assert_eq!(digest(&mut trio.redis, "k"), before, "{what}");
        }
        if payload.version <= Version::REDIS_7_2 {
            restore(&mut trio.valkey, "k", &payload.bytes, what);
            restore(&mut trio.ours, "k", &payload.bytes, what);
            let encodings = [&mut trio.ours, &mut trio.valkey].map(|client| encoding(client, "k"));
            assert_eq!(encodings[0], encodings[1], "{what}");
        }
    }
    assert!(known_to_redis > 500);
}

/// Consumers, what they have pending and when they were seen.
#[test]
fn groups_of_streams_are_exchanged() {
    let Some(mut trio) = Trio::start() else { return };
    for n in 1..250 {
        let id = format!("{n}-1");
        trio.run(&["XADD", "k", &id, "f", &n.to_string(), "g", "x"]);
    }
    call(&mut trio.redis, &["XGROUP", "CREATE", "k", "g1", "0"]);
    call(
        &mut trio.redis,
        &["XGROUP", "CREATE", "k", "g2", "100", "ENTRIESREAD", "100"],
    );
    for (group, consumer, count) in [("g1", "alice", "20"), ("g1", "bob", "150"), ("g2", "carol", "3")] {
        let read = [
            "XREADGROUP",
            "GROUP",
            group,
            consumer,
            "COUNT",
            count,
            "STREAMS",
            "k",
            ">",
        ];
        call(&mut trio.redis, &read);
    }
    call(&mut trio.redis, &["XACK", "k", "g1", "5-1", "7-1"]);
    call(&mut trio.redis, &["XDEL", "k", "9-1", "120-1"]);
    call(&mut trio.redis, &["XGROUP", "CREATECONSUMER", "k", "g2", "idle"]);
    let of_redis = dump(&mut trio.redis, "k");
    restore(&mut trio.ours, "k", &of_redis, "from Redis");
    assert_eq!(dump(&mut trio.ours, "k"), of_redis);
    // With the version of Redis 7.2, times of activity come along; ours are written in the older form.
    restore(&mut trio.valkey, "k", &of_redis, "to Valkey");
    let of_valkey = dump(&mut trio.valkey, "k");
    restore(&mut trio.ours, "k", &of_valkey, "from Valkey");
    assert_eq!(dump(&mut trio.ours, "k"), of_redis);
}

/// The replies to what cannot be restored, and to options in any order.
#[test]
fn refusals_are_the_same() {
    let Some(mut trio) = Trio::start() else { return };
    trio.run(&["SET", "busy", "x"]);
    let good = dump(&mut trio.redis, "busy");
    let mut broken = good.clone();
    broken[1] ^= 1;
    let options: [&[&str]; 20] = [
        &[],
        &["REPLACE"],
        &["replace", "ABSTTL"],
        &["IDLETIME"],
        &["IDLETIME", "x"],
        &["IDLETIME", "-1"],
        &["IDLETIME", "5", "IDLETIME", "6", "REPLACE"],
        &["IDLETIME", "5", "FREQ", "6"],
        &["IDLETIME", "9223372036854775807", "REPLACE"],
        &["FREQ"],
        &["FREQ", "0", "REPLACE"],
        &["FREQ", "255", "REPLACE"],
        &["FREQ", "256"],
        &["FREQ", "-1"],
        &["FREQ", "1", "IDLETIME", "1"],
        &["FREQ", "1", "FREQ", "2", "REPLACE"],
        &["NOSUCH"],
        &["REPLACE", "REPLACE"],
        &["ABSTTL", "ABSTTL", "REPLACE"],
        &["IDLETIME", "REPLACE"],
    ];
    for key in ["busy", "free"] {
        for ttl in [
            "0",
            "1",
            "-1",
            "x",
            "1000000",
            "9223372036854775807",
            "99999999999999999999",
        ] {
            for payload in [
                &good[..],
                &broken,
                b"",
                b"\0\0\0\0\0\0\0\0\0\0\0\0",
                &good[..good.len() - 1],
            ] {
                for options in options {
                    // A relative time of a millisecond would be over sooner or later.
                    if ttl == "1" && !options.contains(&"ABSTTL") {
                        continue;
                    }
                    let mut command = vec![b"RESTORE", key.as_bytes(), ttl.as_bytes(), payload];
                    command.extend(options.iter().map(|option| option.as_bytes()));
                    let replies = [&mut trio.ours, &mut trio.redis].map(|client| call(client, &command));
                    assert_eq!(replies[0], replies[1], "{key} {ttl} {options:?}");
                    let state = ["EXISTS", "busy", "free"];
                    let states = [&mut trio.ours, &mut trio.redis].map(|client| call(client, &state));
                    assert_eq!(states[0], states[1], "{key} {ttl} {options:?}");
                    for client in [&mut trio.ours, &mut trio.redis] {
                        call(client, &["DEL", "free"]);
                        call(client, &["SET", "busy", "x"]);
                    }
                }
            }
        }
    }
    trio.run(&["FLUSHALL"]);
    for client in [&mut trio.ours, &mut trio.redis, &mut trio.valkey] {
        assert_eq!(call(client, &["DUMP", "nosuch"]), b"$-1\r\n");
        assert!(call(client, &["DUMP"]).starts_with(b"-ERR wrong number of arguments for 'dump' command"));
        assert!(call(client, &["RESTORE", "k", "0"]).starts_with(b"-ERR wrong number of arguments"));
    }
}

/// The digest counts databases, types and that a key has a deadline.
#[test]
fn digests_of_all_databases_agree() {
    let Some(mut trio) = Trio::start() else { return };
    for database in ["0", "3", "15"] {
        trio.run(&["SELECT", database]);
        trio.run(&["SET", "number", "12345"]);
        trio.run(&["SET", "text", "hello", "EX", "10000"]);
        trio.run(&["RPUSH", "list", "a", "1", "b"]);
        trio.run(&["HSET", "hash", "f", "v", "n", "7"]);
        trio.run(&["SADD", "set", "a", "b", "3"]);
        trio.run(&[
            "ZADD", "zset", "0.1", "a", "5", "b", "inf", "c", "-inf", "d", "1e300", "e", "1e-7", "f",
        ]);
        trio.run(&["XADD", "stream", "1-2", "f", "v"]);
        trio.run(&["EXPIRE", "zset", "10000"]);
        for command in [
            &["DEBUG", "DIGEST"][..],
            &["DEBUG", "DIGEST-VALUE", "text", "list", "nosuch", "zset"],
            &["DEBUG", "DIGEST-VALUE"],
        ] {
            assert_eq!(
                call(&mut trio.ours, command),
                call(&mut trio.redis, command),
                "{command:?}"
            );
        }
    }
}

/// A stream whose last entry miscounts its elements: refused by default, and let in to end the server when it is read if it is
/// to be trusted.
#[test]
fn a_broken_stream_is_refused_or_ends_the_server_when_it_is_read() {
    let settings = [("enable-debug-command", "yes"), ("rdbcompression", "no")];
    let mut server = Server::start_with(Binary::UnderTest, &settings);
    let mut client = server.connect();
    client.ask("XADD s 1-1 f v");
    client.ask("XADD s 1-2 f v");
    let mut payload = dump(&mut client, "s");
    let end = payload.windows(3).rposition(|bytes| bytes == [4, 1, 0xFF]);
    payload[end.expect("a node's end")] = 5;
    payload.truncate(payload.len() - 10);
    seal(&mut payload, Version::REDIS_7_0);

    let restoring: [&[u8]; 4] = [b"RESTORE", b"broken", b"0", &payload];
    assert_eq!(call(&mut client, &restoring), b"-ERR Bad data format\r\n");
    assert_eq!(client.ask("CONFIG SET sanitize-dump-payload no"), "+OK\r\n");
    assert_eq!(call(&mut client, &restoring), b"+OK\r\n");
    assert_eq!(client.ask("XLEN broken"), ":2\r\n");
    // A snapshot is believed too, since nothing of the node has been looked at.
    assert_eq!(client.ask("DEBUG RELOAD"), "+OK\r\n");
    assert!(client.ask("XRANGE broken - + COUNT 1").contains("1-1"));
    client.send(b"XRANGE broken - +\r\n").expect("it reads");
    server.wait_for_exit(Duration::from_secs(10)).expect("a child of ours");
    let log = server.log();
    for part in [
        "=== REDIS BUG REPORT START",
        "=== ASSERTION FAILED ===\n==> src/types/stream/node.rs:",
        "'a stream entry's count of elements does not match its fields'",
        "The last command called: xrange\n",
    ] {
        assert!(log.contains(part), "{part}: {log}");
    }
}
