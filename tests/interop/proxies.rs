//! Proxies in front of several servers: twemproxy spreads the keys, HAProxy finds the primary.

use std::fs;

use super::support::client::{Client, encode};
use super::support::replicas::{follow, info, must_agree, wait_until_up};
use super::support::server::{Binary, Server, free_port};
use super::support::wait_until;
use super::{Program, configuration, find, start};

const OURS: Binary = Binary::UnderTest;
const KEYS: usize = 300;

fn connect(port: u16, program: &Program) -> Client {
    let mut client = None;
    wait_until("the proxy listens", || {
        client = Client::connect(port).ok();
        client.is_some()
    });
    client.unwrap_or_else(|| panic!("{}", program.log()))
}

fn twemproxy(servers: &[Server; 3]) -> Option<(Program, u16)> {
    let path = find("nutcracker")?;
    let [port, stats] = [(); 2].map(|()| free_port().expect("a port"));
    let [first, second, third] = servers.each_ref().map(|server| format!("127.0.0.1:{}:", server.port()));
    let text = configuration(
        "nutcracker.yml",
        &[
            ("127.0.0.1:22121", &format!("127.0.0.1:{port}")),
            ("10.0.0.1:6379:", &first),
            ("10.0.0.2:6379:", &second),
            ("10.0.0.3:6379:", &third),
            ("server_retry_timeout: 2000", "server_retry_timeout: 50"),
        ],
    );
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("nutcracker.yml"), text).expect("it is writable");
    let stats = format!("--stats-port={stats}");
    let here = [
        "--conf-file=nutcracker.yml",
        "--output=log",
        "--pid-file=pid",
        "--stats-addr=127.0.0.1",
        &stats,
    ];
    Some((Program::start(&path, &here, dir), port))
}

#[test]
fn twemproxy_spreads_keys_over_servers() {
    let servers = [(); 3].map(|()| start(OURS, &[]));
    let Some((program, port)) = twemproxy(&servers) else {
        return;
    };
    let mut client = connect(port, &program);
    let names: Vec<String> = (0..KEYS).map(|at| format!("key:{at}")).collect();
    // One pipeline of writes, each answered in its place.
    let mut bytes = Vec::new();
    for (at, name) in names.iter().enumerate() {
        bytes.extend(encode(&["SET", name, &at.to_string()]));
        bytes.extend(encode(&["STRLEN", name]));
    }
    client.send(&bytes).expect("the proxy reads");
    for at in 0..KEYS {
        assert_eq!(client.read_reply().expect("an answer"), b"+OK\r\n");
        let length = format!(":{}\r\n", at.to_string().len());
        assert_eq!(client.read_reply().expect("an answer"), length.as_bytes());
    }
    // Each server has its share.
    let shares = servers.each_ref().map(|server| server.connect().ask("DBSIZE"));
    let shares = shares.map(|share| share[1..].trim_end().parse::<usize>().expect("a number"));
    assert_eq!(shares.iter().sum::<usize>(), KEYS);
    assert!(shares.iter().all(|&share| share > KEYS / 10), "{shares:?}");
    // Each key is found again, and many at once come back in order.
    let bulk = |at: usize| format!("${}\r\n{at}\r\n", at.to_string().len());
    for (at, name) in names.iter().enumerate() {
        assert_eq!(client.ask(&format!("GET {name}")), bulk(at));
    }
    let all: String = (0..KEYS).map(bulk).collect();
    assert_eq!(
        client.ask(&format!("MGET {}", names.join(" "))),
        format!("*{KEYS}\r\n{all}")
    );
    // Another connection of the proxy's sends them to the same servers.
    assert_eq!(connect(port, &program).ask("GET key:7"), bulk(7));
    // What belongs together is together.
    client.ask("SADD {user:1}:likes a b");
    client.ask("SADD {user:1}:owns b c");
    assert_eq!(client.ask("SINTER {user:1}:likes {user:1}:owns"), "*1\r\n$1\r\nb\r\n");
    // Binary values of every size that buffers of the proxy's may have to be split for.
    for size in [0, 1, 100, 16_383, 16_384, 100_000, 1_000_000] {
        let value = vec![b'\r'; size];
        let set = client.call(&[&b"SET"[..], b"large", &value]).expect("an answer");
        assert_eq!(set, b"+OK\r\n");
        let got = client.call(&["GET", "large"]).expect("an answer");
        assert_eq!(got, [format!("${size}\r\n").as_bytes(), &value[..], b"\r\n"].concat());
    }
    assert_eq!(client.ask(&format!("DEL {}", names.join(" "))), format!(":{KEYS}\r\n"));
}

#[test]
fn twemproxy_outlives_a_server() {
    let servers = [(); 3].map(|()| start(OURS, &[]));
    let Some((program, port)) = twemproxy(&servers) else {
        return;
    };
    let mut client = connect(port, &program);
    let lines: Vec<String> = (0..50).map(|at| format!("SET key:{at} {at}")).collect();
    for line in &lines {
        assert_eq!(client.ask(line), "+OK\r\n");
    }
    let [first, second, third] = servers;
    let (port, lost) = (second.port(), second.connect().ask("DBSIZE"));
    let dir = second.kill();
    // An error for its keys, and the others are served.
    let errors = lines.iter().filter(|line| client.ask(line).starts_with('-')).count();
    assert_eq!(format!(":{errors}\r\n"), lost);
    let second = Server::start_again(port, OURS, &[], dir);
    wait_until("it is found again", || {
        lines.iter().all(|line| client.ask(line) == "+OK\r\n")
    });
    assert_eq!(second.connect().ask("DBSIZE"), lost);
    drop((first, third));
}

#[test]
fn haproxy_finds_whoever_is_primary() {
    let Some(path) = find("haproxy") else {
        return;
    };
    let (first, second) = (start(OURS, &[]), start(OURS, &[]));
    follow(&second, &first);
    wait_until_up(&second);
    let [writes, reads] = [(); 2].map(|()| free_port().expect("a port"));
    let text = configuration(
        "haproxy.cfg",
        &[
            ("127.0.0.1:6380", &format!("127.0.0.1:{writes}")),
            ("127.0.0.1:6381", &format!("127.0.0.1:{reads}")),
            ("10.0.0.1:6379", &format!("127.0.0.1:{}", first.port())),
            ("10.0.0.2:6379", &format!("127.0.0.1:{}", second.port())),
            ("inter 1s", "inter 50ms"),
        ],
    );
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("haproxy.cfg"), text).expect("it is writable");
    let program = Program::start(&path, &["-f", "haproxy.cfg", "-db"], dir);
    must_reach(writes, &first, &program);
    must_reach(reads, &second, &program);
    let mut client = Client::connect(writes).expect("the proxy listens");
    assert_eq!(client.ask("SET written before"), "+OK\r\n");
    // The roles change, as by Sentinel or by hand.
    second.connect().ask("REPLICAOF NO ONE");
    follow(&first, &second);
    must_reach(writes, &second, &program);
    must_reach(reads, &first, &program);
    let reply = client.call(&["SET", "written", "to the old one"]);
    assert!(reply.is_err(), "the connection to the old primary was cut: {reply:?}");
    let mut client = Client::connect(writes).expect("the proxy listens");
    assert_eq!(client.ask("SET written after"), "+OK\r\n");
    wait_until_up(&first);
    must_agree(&second, &first);
    // And when the primary is gone for good.
    drop(second);
    first.connect().ask("REPLICAOF NO ONE");
    must_reach(writes, &first, &program);
    let mut client = Client::connect(writes).expect("the proxy listens");
    assert_eq!(client.ask("GET written"), "$5\r\nafter\r\n");
    assert_eq!(client.ask("SET written last"), "+OK\r\n");
}

/// Waits until new connections to a port of the proxy's end at this server. It takes the servers in turn until its
/// checks have told it more, so a single one proves nothing.
fn must_reach(port: u16, server: &Server, program: &Program) {
    let identity = info(&mut server.connect(), "run_id");
    wait_until("the proxy leads to the right server", || {
        (0..4).all(|_| {
            let reply = Client::connect(port).and_then(|mut client| client.call(&["INFO", "server"]));
            let said = String::from_utf8_lossy(&reply.unwrap_or_default()).into_owned();
            assert!(!said.starts_with('-'), "{said}\n{}", program.log());
            said.contains(&identity)
        })
    });
}
