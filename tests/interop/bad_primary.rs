//! A primary that talks nonsense, breaks off or falls silent, played by a socket, at each step of the handshake, in the
//! transfer and in the stream. Each time the replica says what is wrong, serves its clients meanwhile with the data it
//! has, and comes again; then it is served well, and has the new data.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::start;
use super::support::client::encode;
use super::support::reply;
use super::support::server::{Binary, Server};
use super::support::{PATIENCE, wait_until};

const ID: &str = "0123456789abcdef0123456789abcdef01234567";
/// A snapshot with one key.
const SNAPSHOT: &[u8] = b"REDIS0011\xfe\x00\x00\x03new\x05value\xff\0\0\0\0\0\0\0\0";

/// The requests of a replica, in the order in which it makes them, and what follows of the primary's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Ping,
    Auth,
    Replconf,
    Psync,
    Header,
    Snapshot,
    Stream,
}

/// What the primary does behind its last words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closes,
    /// It is for the replica to hang up.
    Waits,
}

#[derive(Debug)]
struct Case {
    at: Step,
    says: Vec<u8>,
    end: End,
    logged: &'static str,
    /// Whether its own data outlast this.
    keeps: bool,
    /// The setting `repl-diskless-load`.
    load: &'static str,
}

fn case(at: Step, says: impl AsRef<[u8]>, end: End, logged: &'static str) -> Case {
    Case {
        at,
        says: says.as_ref().to_vec(),
        end,
        logged,
        keeps: true,
        load: "disabled",
    }
}

/// The primary's end of one connection.
struct Peer {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Peer {
    /// Waits for the replica to come, `meanwhile` asking again and again.
    fn accept(listener: &TcpListener, mut meanwhile: impl FnMut()) -> Peer {
        listener.set_nonblocking(true).expect("a socket can do that");
        let mut accepted = None;
        wait_until("the replica comes", || {
            meanwhile();
            accepted = listener.accept().ok();
            accepted.is_some()
        });
        let (stream, _) = accepted.expect("just accepted");
        stream.set_nonblocking(false).expect("a socket can do that");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket can do that");
        Peer {
            stream,
            received: Vec::new(),
        }
    }

    /// The next request as text; nothing if the replica has hung up.
    fn hear(&mut self) -> Option<String> {
        loop {
            if let Ok(Some(length)) = reply::length(&self.received) {
                let request = self.received.drain(..length).collect();
                return String::from_utf8(request).ok();
            }
            let mut bytes = [0; 1024];
            match self.stream.read(&mut bytes) {
                Ok(0) | Err(_) => return None,
                Ok(read) => self.received.extend_from_slice(&bytes[..read]),
            }
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        // The replica may hang up before it has read everything.
        let _ = self.stream.write_all(bytes);
    }

    /// Answers as a good primary would until `step` has been asked for.
    fn lead_to(&mut self, step: Step) {
        while let Some(request) = self.hear() {
            let request = request.to_lowercase();
            let (asked, answer) = match request.lines().nth(2) {
                Some("ping") => (Step::Ping, "+PONG\r\n".to_owned()),
                Some("auth") => (Step::Auth, "+OK\r\n".to_owned()),
                Some("replconf") => (Step::Replconf, "+OK\r\n".to_owned()),
                Some("psync") => (Step::Psync, format!("+FULLRESYNC {ID} 1000\r\n")),
                other => panic!("a replica does not say {other:?}"),
            };
            if asked == step {
                return;
            }
            self.say(answer.as_bytes());
            if asked == Step::Psync {
                break;
            }
        }
        if step > Step::Header {
            self.say(format!("${}\r\n", SNAPSHOT.len()).as_bytes());
        }
        if step > Step::Snapshot {
            self.say(SNAPSHOT);
        }
    }
}

fn play(case: &Case) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    let timeout = if case.says.is_empty() && case.end == End::Waits {
        "1"
    } else {
        "60"
    };
    let server = start(
        Binary::UnderTest,
        &[
            ("masterauth", "secret"),
            ("repl-timeout", timeout),
            ("repl-diskless-load", case.load),
            ("save", ""),
        ],
    );
    let mut client = server.connect();
    assert_eq!(client.ask("SET old data"), "+OK\r\n");
    client.ask(&format!("REPLICAOF 127.0.0.1 {port}"));
    let mut peer = Peer::accept(&listener, || ());
    peer.lead_to(case.at);
    peer.say(&case.says);
    if case.end == End::Waits {
        while peer.hear().is_some() {}
    }
    drop(peer);
    // It comes again, and nobody else notices.
    let mut bystander = server.connect();
    let mut peer = Peer::accept(&listener, || {
        assert_eq!(bystander.ask("PING"), "+PONG\r\n");
        let kept = bystander.ask("GET old") == "$4\r\ndata\r\n";
        assert!(kept || !case.keeps, "{}", server.log());
    });
    assert!(server.log().contains(case.logged), "not logged:\n{}", server.log());
    peer.lead_to(Step::Stream);
    peer.say(&encode(&["SET", "from", "stream"]));
    wait_until("it has what it was sent", || {
        bystander.ask("GET from") == "$6\r\nstream\r\n"
    });
    assert_eq!(client.ask("GET new"), "$5\r\nvalue\r\n");
    assert_eq!(client.ask("GET old"), "$-1\r\n");
    must_have_no_leftovers(&server);
}

/// A snapshot that did not become whole is no longer on the disk.
fn must_have_no_leftovers(server: &Server) {
    let files = std::fs::read_dir(server.dir()).expect("it is there");
    let names = files
        .flatten()
        .map(|file| file.file_name().to_string_lossy().into_owned());
    let left: Vec<String> = names.filter(|name| name.starts_with("temp-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// All at once, since each mostly waits.
fn play_all(cases: &[Case]) {
    thread::scope(|scope| {
        let running: Vec<_> = cases.iter().map(|case| (case, scope.spawn(|| play(case)))).collect();
        for (case, played) in running {
            let says = reply::show(&case.says);
            assert!(played.join().is_ok(), "{:?}, {says:?}, {:?}", case.at, case.end);
        }
    });
}

#[test]
fn nonsense_in_the_handshake_is_told_and_tried_again() {
    use {End::*, Step::*};
    let endless = "x".repeat(100_000);
    let lost = "Connection with MASTER lost during the handshake";
    play_all(&[
        case(Ping, "", Closes, lost),
        case(
            Ping,
            "\0\u{1}\u{2} no server at all\r\n",
            Waits,
            "Error reply to PING from master: '",
        ),
        case(
            Ping,
            "-ERR go away\r\n",
            Waits,
            "Error reply to PING from master: '-ERR go away'",
        ),
        case(Ping, &endless, Waits, "a line without an end"),
        case(Ping, "+PO", Closes, lost),
        case(
            Auth,
            "-WRONGPASS no\r\n",
            Waits,
            "Unable to AUTH to MASTER: -WRONGPASS no",
        ),
        case(Auth, "", Closes, lost),
        case(Replconf, "", Closes, lost),
        case(Replconf, &endless, Waits, "a line without an end"),
        case(Psync, "", Closes, lost),
        case(Psync, "-LOADING soon\r\n", Waits, "currently unable to PSYNC"),
        case(
            Psync,
            "+WHATEVER\r\n",
            Waits,
            "Unexpected reply to PSYNC from master: +WHATEVER",
        ),
        case(
            Psync,
            "+FULLRESYNC\r\n",
            Waits,
            "Unexpected reply to PSYNC from master: +FULLRESYNC",
        ),
        case(Psync, "+FULLRESYNC short 1\r\n", Waits, "wrong +FULLRESYNC syntax"),
        case(
            Psync,
            format!("+FULLRESYNC {ID} -7\r\n"),
            Waits,
            "wrong +FULLRESYNC syntax",
        ),
        case(
            Psync,
            format!("+FULLRESYNC {ID} many\r\n"),
            Waits,
            "wrong +FULLRESYNC syntax",
        ),
        case(
            Psync,
            format!("+FULLRESYNC {ID} 99999999999999999999\r\n"),
            Waits,
            "wrong +FULLRESYNC syntax",
        ),
        case(
            Psync,
            format!("+FULLRESYNC {ID} 18446744073709551615\r\n"),
            Waits,
            "wrong +FULLRESYNC syntax",
        ),
        case(Psync, &endless, Waits, "a line without an end"),
    ]);
}

#[test]
fn nonsense_in_the_transfer_is_told_and_tried_again() {
    use {End::*, Step::*};
    let endless = "x".repeat(100_000);
    let lost = "Connection with MASTER lost while the snapshot was received";
    let torn = [b"$1000\r\n", SNAPSHOT].concat();
    let torn_at_mark = [format!("$EOF:{ID}\r\n").as_bytes(), SNAPSHOT, &ID.as_bytes()[..30]].concat();
    let bad_loads = [
        b"$27\r\nthis is no snapshot at all.".to_vec(),
        [b"$20\r\n", &SNAPSHOT[..20]].concat(),
        [format!("$EOF:{ID}\r\nREDIS0011\x7f").as_bytes(), ID.as_bytes()].concat(),
    ];
    let failed = "Failed trying to load the MASTER synchronization DB from disk";
    let kept_in_memory = |says| Case {
        load: "swapdb",
        ..case(
            Header,
            says,
            Waits,
            "Failed trying to load the MASTER synchronization DB from socket",
        )
    };
    let mut cases = Vec::from(bad_loads.clone().map(kept_in_memory));
    cases.extend([
        case(Header, "", Closes, lost),
        case(
            Header,
            "hello\r\n",
            Waits,
            "the first byte is not '$' (we received 'hello')",
        ),
        case(Header, "$many\r\n", Waits, "Bad protocol from MASTER"),
        case(Header, "$-5\r\n", Waits, "Bad protocol from MASTER"),
        case(Header, "$0\r\n", Waits, "Bad protocol from MASTER"),
        case(Header, "$EOF:short\r\n", Waits, "Bad protocol from MASTER"),
        case(
            Header,
            "-ERR no room\r\n",
            Waits,
            "MASTER aborted replication with an error: ERR no room",
        ),
        case(Header, &endless, Waits, "a line without an end"),
        case(Header, "$9223372036854775807\r\nREDIS", Closes, lost),
        Case {
            load: "swapdb",
            ..case(Header, &torn, Closes, lost)
        },
        case(Header, torn, Closes, lost),
        case(Header, torn_at_mark, Closes, lost),
    ]);
    let unloadable = |says| Case {
        keeps: false,
        ..case(Header, says, Waits, failed)
    };
    cases.extend(bad_loads.map(unloadable));
    play_all(&cases);
}

#[test]
fn a_silent_primary_is_given_up() {
    use {End::*, Step::*};
    let no_connection = "Timeout connecting to the MASTER";
    let no_data = "Timeout receiving bulk data from MASTER";
    play_all(&[
        case(Ping, "", Waits, no_connection),
        case(Auth, "", Waits, no_connection),
        case(Replconf, "", Waits, no_connection),
        case(Psync, "", Waits, no_connection),
        case(Header, "", Waits, no_data),
        case(Snapshot, "", Waits, no_data),
        Case {
            keeps: false,
            ..case(Stream, "", Waits, "MASTER timeout: no data nor PING received")
        },
    ]);
}

#[test]
fn a_stream_that_is_none_leads_to_a_new_snapshot() {
    use {End::*, Step::*};
    let told = "Protocol error from MASTER";
    let stream = |says: &[u8]| Case {
        keeps: false,
        ..case(Stream, says, Waits, told)
    };
    play_all(&[
        stream(b"*1\r\n+nothing\r\n"),
        stream(b"*1\r\n$many\r\n"),
        stream(b"*3000000000\r\n"),
        stream(&[b'x'; 200_000]),
        stream(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$99999999999999\r\n"),
    ]);
}
