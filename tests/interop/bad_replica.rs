//! A replica that asks for the impossible, talks nonsense or never reads, played by a socket; and servers that are told
//! to follow themselves or each other. The primary says what is wrong and serves everybody else.

use super::start;
use super::support::client::{Client, closed};
use super::support::replicas::{follow, info, must_agree, number, wait_until_up};
use super::support::server::{Binary, Server};
use super::support::wait_until;

const OURS: Binary = Binary::UnderTest;

/// A primary whose history has begun, with a replica that must not notice anything.
fn pair(settings: &[(&str, &str)]) -> (Server, Server) {
    let (primary, replica) = (start(OURS, settings), start(OURS, &[]));
    follow(&replica, &primary);
    wait_until_up(&replica);
    (primary, replica)
}

#[test]
fn impossible_offsets_lead_to_a_snapshot() {
    let (primary, replica) = pair(&[]);
    let mut client = primary.connect();
    client.ask("SET a b");
    let id = info(&mut client, "master_replid");
    let max = i64::MAX.to_string();
    for offset in ["-1", "0", "-9223372036854775808", "123456", &max] {
        let mut peer = primary.connect();
        peer.send(format!("PSYNC {id} {offset}\r\n").as_bytes())
            .expect("it reads");
        let answer = String::from_utf8(peer.read_reply().expect("an answer")).expect("text");
        assert!(answer.starts_with(&format!("+FULLRESYNC {id} ")), "{offset}: {answer}");
        let told = format!("Unable to partial resync with replica for lack of backlog (Replica request was: {offset})");
        assert!(primary.log().contains(&told), "{}", primary.log());
    }
    let no_number = "-ERR value is not an integer or out of range\r\n";
    for offset in ["many", "99999999999999999999", "1.5", ""] {
        let mut peer = primary.connect();
        let answer = peer.call(&["PSYNC", &id, offset]).expect("an answer");
        assert_eq!(String::from_utf8_lossy(&answer), no_number);
        assert_eq!(peer.ask("PING"), "+PONG\r\n");
    }
    must_agree(&primary, &replica);
}

#[test]
fn nonsense_from_a_replica_is_refused() {
    let (primary, replica) = pair(&[]);
    let mut peer = primary.connect();
    for (line, answer) in [
        ("REPLCONF listening-port", "-ERR syntax error\r\n"),
        (
            "REPLCONF listening-port many",
            "-ERR value is not an integer or out of range\r\n",
        ),
        ("REPLCONF colour blue", "-ERR Unrecognized REPLCONF option: colour\r\n"),
        ("PSYNC ?", "-ERR wrong number of arguments for 'psync' command\r\n"),
        ("REPLCONF capa eof capa dancing", "+OK\r\n"),
    ] {
        assert_eq!(peer.ask(line), answer, "{line}");
    }
    // Something is still to be answered when the snapshot is asked for.
    peer.send(b"PING\r\nPSYNC ? -1\r\n").expect("it reads");
    assert_eq!(peer.read_reply().expect("an answer"), b"+PONG\r\n");
    let answer = peer.read_reply().expect("an answer");
    assert_eq!(answer, b"-ERR SYNC and PSYNC are invalid with pending output\r\n");
    // Nonsense instead of acknowledgements.
    let id = info(&mut primary.connect(), "master_replid");
    let offset = number(&mut primary.connect(), "master_repl_offset") + 1;
    peer.send(format!("PSYNC {id} {offset}\r\n").as_bytes())
        .expect("it reads");
    let answer = peer.read_reply().expect("an answer");
    assert!(answer.starts_with(b"+CONTINUE"), "{}", primary.log());
    peer.send(b"REPLCONF ACK many\r\nREPLCONF ACK -5\r\nREPLCONF ACK\r\n*1\r\n+what\r\n")
        .expect("it reads");
    let error = loop {
        match peer.read_reply() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(closed(&error), "{error}");
    wait_until("it is gone", || number(&mut primary.connect(), "connected_slaves") == 1);
    must_agree(&primary, &replica);
}

#[test]
fn an_acknowledgement_of_what_was_never_said_counts_for_nothing() {
    let (primary, replica) = pair(&[]);
    let mut client = primary.connect();
    let id = info(&mut client, "master_replid");
    let offset = number(&mut client, "master_repl_offset") + 1;
    let mut peer = primary.connect();
    peer.send(format!("PSYNC {id} {offset}\r\nREPLCONF ACK 999999999\r\n").as_bytes())
        .expect("it reads");
    wait_until("it is told", || primary.log().contains("acknowledges offset 999999999"));
    client.ask("SET a b");
    assert_eq!(client.ask("WAIT 1 0"), ":1\r\n");
    assert_eq!(client.ask("WAIT 2 50"), ":1\r\n");
    must_agree(&primary, &replica);
}

#[test]
fn a_replica_that_never_reads_is_let_go() {
    let (primary, replica) = pair(&[("client-output-buffer-limit", "replica 2mb 0 0")]);
    let mut client = primary.connect();
    let id = info(&mut client, "master_replid");
    let offset = number(&mut client, "master_repl_offset") + 1;
    let mut peer: Client = primary.connect();
    peer.send(format!("PSYNC {id} {offset}\r\n").as_bytes())
        .expect("it reads");
    wait_until("it is a replica", || number(&mut client, "connected_slaves") == 2);
    let line = format!("SET large {}", "x".repeat(100_000));
    wait_until("it is let go", || {
        assert_eq!(client.ask(&line), "+OK\r\n");
        // The one that reads must not lag because this test is quicker than it.
        client.ask("WAIT 1 0");
        number(&mut client, "connected_slaves") == 1
    });
    assert!(primary.log().contains("closed for overcoming of output buffer limits"));
    must_agree(&primary, &replica);
    assert_eq!(number(&mut client, "sync_full"), 1);
}

#[test]
fn a_wrong_password_is_told_until_it_is_right() {
    let primary = start(OURS, &[("requirepass", "secret")]);
    let replica = start(OURS, &[("masterauth", "guess")]);
    let mut client = replica.connect();
    client.ask("SET own data");
    follow(&replica, &primary);
    wait_until("it is refused", || {
        replica.log().matches("Unable to AUTH to MASTER: -WRONGPASS").count() > 1
    });
    assert_eq!(client.ask("GET own"), "$4\r\ndata\r\n");
    client.ask("CONFIG SET masterauth secret");
    wait_until_up(&replica);
    assert_eq!(client.ask("GET own"), "$-1\r\n");
    // And without one.
    let other = start(OURS, &[]);
    follow(&other, &primary);
    wait_until("it is refused", || {
        other.log().contains("-NOAUTH Authentication required.")
    });
    assert_eq!(other.connect().ask("PING"), "+PONG\r\n");
}

#[test]
fn a_replica_of_itself_waits_for_better_days() {
    let server = start(OURS, &[]);
    let mut client = server.connect();
    client.ask("SET own data");
    follow(&server, &server);
    let told = "Master is currently unable to PSYNC but should be in the future: NOMASTERLINK";
    wait_until("it is told more than once", || server.log().matches(told).count() > 1);
    assert_eq!(client.ask("GET own"), "$4\r\ndata\r\n");
    client.ask("REPLICAOF NO ONE");
    assert_eq!(client.ask("SET own again"), "+OK\r\n");
}

#[test]
fn a_replica_of_its_own_replica_loses_nothing() {
    let (first, second) = pair(&[]);
    let mut client = first.connect();
    client.ask("SET own data");
    client.ask("WAIT 1 0");
    follow(&first, &second);
    // For some seconds: nobody loses data, and nobody is kept busy by trying.
    wait_until("time passes", || number(&mut first.connect(), "uptime_in_seconds") >= 4);
    let attempts = first.log().matches("Connecting to MASTER").count();
    assert!(attempts < 8, "{attempts}\n{}", first.log());
    for server in [&first, &second] {
        assert_eq!(server.connect().ask("GET own"), "$4\r\ndata\r\n");
    }
    client.ask("REPLICAOF NO ONE");
    assert_eq!(client.ask("SET own again"), "+OK\r\n");
    wait_until_up(&second);
    must_agree(&first, &second);
}
