//! The protocol, byte by byte: however a request arrives, it is the same request.
//!
//! Two things go wrong in servers that parse as bytes come in: state kept between two reads is lost or applied twice,
//! and limits are checked late. So every request here is also sent cut in two at every point, in three, and one byte at
//! a time, and must get the bytes it gets when sent whole; and what the real servers answer to broken or oversized
//! requests is asked of them, not written down from memory.
//!
//! Between two pieces the test makes the server's loop turn: a PING answered on another connection proves that the
//! piece sent before it was seen alone.

mod support;

use std::io::Write;
use std::thread;

use support::client::{Client, encode};
use support::random::Random;
use support::reply::{Reply, length, show};
use support::server::{Binary, Server};
use support::wait_until;

/// Requests whose replies do not depend on how often they were sent before. Each with its number of replies.
fn requests() -> Vec<(Vec<u8>, usize)> {
    let mut requests: Vec<(Vec<u8>, usize)> = vec![
        (b"PING\r\n".to_vec(), 1),
        (b"ping\n".to_vec(), 1),
        (b"  PING   hello  \r\n".to_vec(), 1),
        (b"ECHO \"two words \\r\\n \\x00\\xff\\\"\"\r\n".to_vec(), 1),
        (b"ECHO 'single \\' quote'\r\n".to_vec(), 1),
        (b"\r\n\r\n\nPING\r\n".to_vec(), 1),
        (b"*0\r\n*-1\r\nPING\r\n".to_vec(), 1),
        (b"*-10\r\n*1\r\n$4\r\nPING\r\n".to_vec(), 1),
        (b"PING\r\n*1\r\n$4\r\nPING\r\nPING x\r\n".to_vec(), 3),
        (b"NOSUCH a b\r\n".to_vec(), 1),
        (b"GET\r\n".to_vec(), 1),
        // Nobody looks at the two bytes after a bulk string.
        (b"*2\r\n$4\r\nECHO__$2\r\nhi##".to_vec(), 1),
        (b"SET inline value\r\nGET inline\r\n".to_vec(), 2),
        (encode(&["PING"]), 1),
        (encode(&["ECHO", ""]), 1),
        (encode(&["", ""]), 1),
        (encode(&[b"ECHO".as_slice(), b"\r\n*1\r\n$4\r\nPING\r\n\0\xff"]), 1),
        (encode(&["GET", "missing"]), 1),
        (encode(&["SET", "key", "value"]), 1),
        (encode(&["MSET", "a", "1", "b", "2"]), 1),
        (encode(&["MGET", "a", "missing", "b"]), 1),
        (encode(&["LPOP", "missing", "2"]), 1),
        (encode(&["HELLO", "9"]), 1),
    ];
    let mut pipeline = Vec::new();
    for number in 0..5 {
        pipeline.extend(encode(&["SET", "nested", &number.to_string()]));
        pipeline.extend(encode(&["GET", "nested"]));
        pipeline.extend_from_slice(b"PING\r\n");
    }
    requests.push((pipeline, 15));
    requests
}

/// A server, the connection under test, and a second one that makes the loop turn.
struct Bench {
    server: Server,
    client: Client,
    turner: Client,
}

impl Bench {
    fn new(binary: Binary) -> Bench {
        let server = Server::start(binary);
        let (client, turner) = (server.connect(), server.connect());
        Bench { server, client, turner }
    }

    /// Returns when the server has seen everything sent before.
    fn turn(&mut self) {
        assert_eq!(self.turner.ask("PING"), "+PONG\r\n");
    }

    fn speak(&mut self, protocol: &str) {
        let reply = self.client.ask(&format!("HELLO {protocol}"));
        assert!(!reply.starts_with('-'), "HELLO {protocol}: {reply}");
    }

    /// Sends `pieces` one loop turn apart and reads `replies` replies.
    fn send_pieces(&mut self, pieces: &[&[u8]], replies: usize) -> Vec<u8> {
        for (index, piece) in pieces.iter().enumerate() {
            if index > 0 {
                self.turn();
            }
            self.client.send(piece).expect("the connection is open");
        }
        let answer = self.client.read_replies(replies);
        answer.unwrap_or_else(|error| panic!("{error} after {:?}", show(&pieces.concat())))
    }
}

#[test]
fn whole_requests_get_the_replies_of_the_real_servers() {
    if !Binary::Redis.available() || !Binary::Valkey.available() {
        return;
    }
    let mut benches = [Binary::UnderTest, Binary::Redis, Binary::Valkey].map(Bench::new);
    for protocol in ["2", "3"] {
        benches.iter_mut().for_each(|bench| bench.speak(protocol));
        for (request, replies) in requests() {
            let [ours, redis, valkey] = benches.each_mut().map(|bench| bench.send_pieces(&[&request], replies));
            assert_one_of(&request, &ours, &redis, &valkey);
        }
    }
}

#[test]
fn requests_cut_anywhere_are_the_same_requests() {
    let mut bench = Bench::new(Binary::UnderTest);
    let mut random = Random::new(4);
    for protocol in ["2", "3"] {
        bench.speak(protocol);
        for (request, replies) in requests() {
            let whole = bench.send_pieces(&[&request], replies);
            for cut in 1..request.len() {
                let (head, tail) = request.split_at(cut);
                let answer = bench.send_pieces(&[head, tail], replies);
                assert_eq!(show(&answer), show(&whole), "{:?} cut at {cut}", show(&request));
            }
            for _ in 0..20.min(request.len() - 2) {
                let first = 1 + random.below(request.len() - 2);
                let second = first + 1 + random.below(request.len() - first - 1);
                let pieces = [&request[..first], &request[first..second], &request[second..]];
                let answer = bench.send_pieces(&pieces, replies);
                assert_eq!(
                    show(&answer),
                    show(&whole),
                    "{:?} cut at {first}, {second}",
                    show(&request)
                );
            }
            let bytes: Vec<&[u8]> = request.chunks(1).collect();
            let answer = bench.send_pieces(&bytes, replies);
            assert_eq!(show(&answer), show(&whole), "{:?} byte by byte", show(&request));
        }
    }
}

/// A megabyte is more than any read buffer: it arrives in many reads anyway, and the cuts that matter are those in
/// its headers, at its end and around the sizes buffers have.
#[test]
fn a_big_bulk_cut_anywhere_arrives_unharmed() {
    let mut bench = Bench::new(Binary::UnderTest);
    let mut random = Random::new(5);
    let body = random.bytes(1 << 20);
    let request = encode(&[b"ECHO", &*body]);
    let whole = encode(&[body.as_slice()])[b"*1\r\n".len()..].to_vec();
    let ends = (1..40).chain(request.len() - 10..request.len());
    let buffers = [4096, 16384, 32768, 65536, 131_072, 262_144, 524_288].into_iter();
    let around = buffers.flat_map(|size| [size - 1, size, size + 1]);
    let anywhere: Vec<usize> = (0..50).map(|_| 1 + random.below(request.len() - 1)).collect();
    for cut in ends.chain(around).chain(anywhere) {
        let answer = bench.send_pieces(&[&request[..cut], &request[cut..]], 1);
        assert!(answer == whole, "cut at {cut}: {}", show(&answer));
    }
    let pieces: Vec<&[u8]> = request.chunks(10_007).collect();
    assert!(bench.send_pieces(&pieces, 1) == whole, "in chunks");
}

#[test]
fn a_hundred_thousand_pipelined_pings_get_as_many_pongs() {
    const PINGS: usize = 100_000;
    let server = Server::start(Binary::UnderTest);
    for request in [encode(&["PING"]), b"PING\r\n".to_vec()] {
        let mut client = server.connect();
        let mut writer = client.writer().expect("a second handle");
        let sender = thread::spawn(move || writer.write_all(&request.repeat(PINGS)));
        let replies = client.read_replies(PINGS).expect("all replies");
        sender
            .join()
            .expect("the sender does not panic")
            .expect("all requests can be sent");
        assert!(replies == b"+PONG\r\n".repeat(PINGS), "{}", show(&replies));
    }
}

/// Bytes that end in an error, a closed connection, or nothing at all. Each goes to a connection of its own, which
/// is half-closed after them, so that every server closes it in the end.
fn broken_requests() -> Vec<Vec<u8>> {
    let ping = "*1\r\n$4\r\nPING\r\n";
    let texts = [
        "*abc\r\n",
        "*\r\n",
        "* 1\r\n$4\r\nPING\r\n",
        "*+1\r\n$4\r\nPING\r\n",
        "*01\r\n$4\r\nPING\r\n",
        "*1a\r\n$4\r\nPING\r\n",
        "*2147483648\r\n",
        "*9223372036854775808\r\n",
        "*-9223372036854775808\r\n*1\r\n$4\r\nPING\r\n",
        "*1\r\n+PING\r\n",
        "*1\r\nPING\r\n",
        "*1\r\n:1\r\n",
        "*1\r\n*1\r\n",
        "*1\r\n\r\n",
        "*1\r\n\0\r\n",
        "*1\r\n$abc\r\n",
        "*1\r\n$\r\n",
        "*1\r\n$-1\r\n",
        "*1\r\n$-5\r\n",
        "*1\r\n$+4\r\nPING\r\n",
        "*1\r\n$04\r\nPING\r\n",
        "*1\r\n$ 4\r\nPING\r\n",
        "*1\r\n$536870913\r\n",
        "*1\r\n$9223372036854775808\r\n",
        "*2\r\n$4\r\nECHO\r\n$x\r\n",
        "*3\r\n$3\r\nSET\r\n$1\r\na\r\nb\r\n",
        "*1\n$4\nPING\n",
        "*1\r\n$4\r\nPIN",
        "*1\r\n$4\r\nPING",
        "*2\r\n$4\r\nECHO\r\n",
        "PING",
        "GET \"abc\r\n",
        "GET 'abc\r\n",
        "SET a \"b\"c\r\n",
        "SET a 'b'c\r\n",
        "PING\r\nGET \"\r\nPING\r\n",
        "\0\0\0\r\n",
        "\"\"\r\n",
        "\" \" x\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\n\r\nPING\r\n",
        "Host: somewhere\r\nPING\r\n",
        "$4\r\nPING\r\n",
        ":1\r\n",
        "QUIT\r\nPING\r\n",
        "quit now\r\n",
        "",
    ];
    let mut requests: Vec<Vec<u8>> = texts.map(|text| text.as_bytes().to_vec()).to_vec();
    // Replies to what came before the error must still arrive, and nothing after it may run.
    requests.push(format!("{ping}SET before error\r\n*1\r\n$x\r\n{ping}").into_bytes());
    requests.push(format!("{ping}{ping}*x\r\n{ping}").into_bytes());
    // The limits of lines, one byte below and above.
    const LINE_LIMIT: usize = 64 * 1024;
    for len in [LINE_LIMIT, LINE_LIMIT + 1] {
        requests.push(vec![b'a'; len]);
        requests.push([b"*".as_slice(), &vec![b'1'; len - 1]].concat());
        requests.push([b"*1\r\n$".as_slice(), &vec![b'1'; len - 1]].concat());
    }
    requests
}

#[test]
fn broken_requests_end_as_on_the_real_servers() {
    compare_endings(&[], &broken_requests());
}

#[test]
fn strangers_may_send_only_small_requests() {
    let texts: [&[u8]; 14] = [
        b"PING\r\n",
        b"*10\r\n",
        b"*11\r\n",
        b"*1\r\n$16384\r\n",
        b"*1\r\n$16385\r\n",
        b"AUTH wrong\r\nPING\r\n",
        b"AUTH secret\r\nPING\r\n*11\r\n$4\r\nPING\r\n",
        b"AUTH secret\r\n*1\r\n$16385\r\n",
        b"AUTH default secret\r\nPING\r\n",
        b"AUTH nobody secret\r\nPING\r\n",
        b"AUTH a b c\r\nAUTH\r\n",
        b"HELLO 3\r\nPING\r\n",
        b"HELLO 3 AUTH default wrong\r\nPING\r\n",
        b"NOSUCH\r\nGET\r\nQUIT\r\n",
    ];
    // Whole, and read together with what makes a stranger of the client again.
    let again = b"AUTH secret\r\nPING\r\nRESET\r\n";
    let mut requests = texts.map(<[u8]>::to_vec).to_vec();
    requests.push([&again[..], b"*11\r\n", &b"$4\r\nPING\r\n".repeat(11)].concat());
    requests.push([&again[..], b"*2\r\n$4\r\nECHO\r\n$16385\r\n", &[b'x'; 16385], b"\r\n"].concat());
    compare_endings(&[("requirepass", "secret")], &requests);
}

#[test]
fn the_largest_bulk_is_a_setting() {
    let texts: [&[u8]; 3] = [
        b"*1\r\n$536870912\r\n",
        b"*1\r\n$1048577\r\n",
        b"CONFIG GET proto-max-bulk-len\r\n*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n*1\r\n$1048576\r\nabc",
    ];
    compare_endings(&[("proto-max-bulk-len", "1048576")], &texts.map(<[u8]>::to_vec));
}

/// What belongs to a connection: its protocol, its name, whether it wants replies.
#[test]
fn sessions_go_as_on_the_real_servers() {
    let texts = [
        "HELLO\r\nHELLO 2\r\nHELLO 3\r\nHELLO\r\nGET missing\r\nHELLO 2\r\nGET missing\r\n",
        "HELLO 3 SETNAME me\r\nCLIENT GETNAME\r\nHELLO 2 SETNAME you\r\nCLIENT GETNAME\r\n",
        "HELLO 3 AUTH default whatever\r\nGET missing\r\n",
        "HELLO 3 AUTH nobody x\r\nGET missing\r\n",
        "HELLO 1\r\nHELLO 4\r\nHELLO abc\r\nHELLO \"\"\r\nHELLO 3.0\r\nGET missing\r\n",
        "HELLO 3 AUTH\r\nHELLO 3 AUTH a\r\nHELLO 3 SETNAME\r\nHELLO 3 NOSUCH\r\nGET missing\r\n",
        "HELLO 2 AUTH default x SETNAME a\r\nCLIENT GETNAME\r\n",
        "CLIENT REPLY OFF\r\nPING\r\nSET a 1\r\nGET a\r\nNOSUCH\r\nCLIENT REPLY ON\r\nGET a\r\n",
        "CLIENT REPLY SKIP\r\nPING\r\nPING after\r\n",
        "CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING\r\n",
        "CLIENT REPLY OFF\r\nCLIENT REPLY SKIP\r\nPING\r\nPING\r\nCLIENT REPLY ON\r\n",
        "CLIENT REPLY\r\nCLIENT REPLY NOSUCH\r\nCLIENT REPLY ON ON\r\nPING\r\n",
        "CLIENT REPLY OFF\r\nQUIT\r\n",
        "CLIENT REPLY OFF\r\n*1\r\n$x\r\n",
        "HELLO 3\r\nSELECT 5\r\nCLIENT SETNAME me\r\nSET k v\r\nRESET\r\nGET k\r\nGET missing\r\nCLIENT GETNAME\r\n",
        "CLIENT REPLY OFF\r\nRESET\r\nPING\r\n",
        "RESET now\r\n",
        "CLIENT SETNAME \"a b\"\r\nCLIENT SETNAME \"\"\r\nCLIENT GETNAME\r\nCLIENT NOSUCH\r\nCLIENT\r\n",
        "PING\r\nQUIT\r\nPING\r\nPING\r\n",
    ];
    compare_endings(&[], &texts.map(|text| text.as_bytes().to_vec()));
}

/// Sends each of `requests` on a fresh connection to all three servers and compares everything up to the close.
fn compare_endings(settings: &[(&str, &str)], requests: &[Vec<u8>]) {
    if !Binary::Redis.available() || !Binary::Valkey.available() {
        return;
    }
    let servers = [Binary::UnderTest, Binary::Redis, Binary::Valkey].map(|binary| Server::start_with(binary, settings));
    let mut failures = Vec::new();
    for request in requests {
        let [ours, redis, valkey] = servers.each_ref().map(|server| ending(server, request));
        if ours != redis && ours != valkey {
            failures.push(format!(
                "{}\n  ours:   {}\n  redis:  {}\n  valkey: {}",
                show(request),
                show(&ours),
                show(&redis),
                show(&valkey)
            ));
        }
    }
    assert!(
        failures.is_empty(),
        "{} differences:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Everything a server says to `request` before it closes the connection.
fn ending(server: &Server, request: &[u8]) -> Vec<u8> {
    let mut client = server.connect();
    // A server may close before it has seen everything: what matters is what it said.
    let _ = client.send(request).and_then(|()| client.finish_sending());
    match client.read_to_end() {
        Ok(answer) => without_identity(&answer),
        Err(error) => panic!("{error} after {:?}: no end to the connection", show(request)),
    }
}

/// HELLO's reply names the server, its version and the connection's number: those are left out.
fn without_identity(answer: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut rest = answer;
    while let Ok(Some(len)) = length(rest) {
        let (reply, tail) = rest.split_at(len);
        rest = tail;
        match Reply::parse(reply) {
            Ok(parsed) if parsed.items.first().is_some_and(|item| item.text() == b"server") => {
                let named = parsed
                    .items
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| ![1, 3, 7].contains(index));
                kept.push(parsed.kind);
                named.for_each(|(_, item)| kept.extend_from_slice(item.raw));
            }
            _ => kept.extend_from_slice(reply),
        }
    }
    kept.extend_from_slice(rest);
    kept
}

#[test]
fn half_requests_and_a_hang_up_leave_nothing_behind() {
    let server = Server::start(Binary::UnderTest);
    let mut watcher = server.connect();
    let request = encode(&["SET", "half", "a value"]);
    for cut in 1..request.len() {
        let mut client = server.connect();
        client.send(&request[..cut]).expect("the connection is open");
        // Seen before it hangs up.
        assert_eq!(watcher.ask("PING"), "+PONG\r\n");
    }
    wait_until("all but one connection are gone", || {
        let info = watcher.ask("INFO clients");
        info.contains("connected_clients:1\r\n")
    });
    assert_eq!(watcher.ask("EXISTS half"), ":0\r\n");
}

/// A bulk is paid for as it arrives: announcing half a gigabyte must not take half a gigabyte.
#[test]
fn an_announced_bulk_costs_nothing_until_it_comes() {
    let bench = &mut Bench::new(Binary::UnderTest);
    let mut silent: Vec<Client> = (0..20).map(|_| bench.server.connect()).collect();
    for client in &mut silent {
        client
            .send(b"*2\r\n$4\r\nECHO\r\n$536870912\r\nabc")
            .expect("the connection is open");
    }
    bench.turn();
    let status = std::fs::read_to_string(format!("/proc/{}/status", bench.server.pid()));
    let Ok(status) = status else { return };
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = resident.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    assert!(
        kilobytes.is_some_and(|kilobytes| kilobytes < 300_000),
        "resident: {resident:?}"
    );
}

fn assert_one_of(request: &[u8], ours: &[u8], redis: &[u8], valkey: &[u8]) {
    assert!(
        ours == redis || ours == valkey,
        "{}\n  ours:   {}\n  redis:  {}\n  valkey: {}",
        show(request),
        show(ours),
        show(redis),
        show(valkey)
    );
}
