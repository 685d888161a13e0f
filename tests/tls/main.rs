//! TLS, through clients of rustls, `redis-cli`, and real servers at the other end of replication links.

mod certificates;
#[path = "../support/mod.rs"]
mod support;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use certificates::{Authority, Files, shown};
use support::client::encode;
use support::random::Random;
use support::replicas::{info, must_agree, wait_until_up};
use support::reply;
use support::server::{Binary, Server, free_port};
use support::{PATIENCE, must_have_peers, wait_until};

const NAME: &str = "somewhere.example";

/// A server with a port for TLS beside its plain one.
struct Secure {
    server: Server,
    port: u16,
}

/// Settings that name the certificates.
fn settings<'a>(authority: &'a str, own: &'a Files) -> Vec<(&'a str, &'a str)> {
    vec![
        ("tls-ca-cert-file", authority),
        ("tls-cert-file", shown(&own.certificate)),
        ("tls-key-file", shown(&own.key)),
        ("enable-debug-command", "yes"),
        ("repl-diskless-sync-delay", "0"),
    ]
}

impl Secure {
    fn start(binary: Binary, authority: &Authority, own: &Files, more: &[(&str, &str)]) -> Secure {
        let path = authority.path();
        let mut all = settings(shown(&path), own);
        all.extend_from_slice(more);
        let server = Server::start_with(binary, &all);
        let mut client = server.connect();
        // Another test may take the port between asking and using.
        let port = (0..5)
            .map(|_| free_port().expect("a free port"))
            .find(|port| client.ask(&format!("CONFIG SET tls-port {port}")) == "+OK\r\n");
        Secure {
            server,
            port: port.expect("a port to listen on"),
        }
    }
}

/// A client under TLS.
struct Client {
    stream: StreamOwned<ClientConnection, TcpStream>,
    received: Vec<u8>,
}

impl Client {
    /// `own` is the certificate that it presents.
    fn connect(port: u16, authority: &Authority, own: Option<&Files>) -> io::Result<Client> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::from_pem_file(authority.path()));
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_file(&own.certificate).expect("a certificate")],
                    PrivateKeyDer::from_pem_file(&own.key).expect("a key"),
                )
                .expect("a pair"),
        };
        let name = ServerName::try_from(NAME).expect("a name");
        let session = ClientConnection::new(Arc::new(config), name).expect("a session");
        let socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Client {
            stream: StreamOwned::new(session, socket),
            received: Vec::new(),
        })
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    fn read_reply(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(len) = reply::length(&self.received).expect("a reply") {
                return Ok(self.received.drain(..len).collect());
            }
            let mut piece = [0; 65536];
            match self.stream.read(&mut piece)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self.received.extend_from_slice(&piece[..count]),
            }
        }
    }

    fn call<A: AsRef<[u8]>>(&mut self, words: &[A]) -> io::Result<Vec<u8>> {
        self.send(&encode(words))?;
        self.read_reply()
    }

    fn ask(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let reply = self.call(&words).expect("a reply");
        String::from_utf8_lossy(&reply).into_owned()
    }
}

/// A server that asks nobody for a certificate, and a way to it.
fn open_server() -> (Authority, Files, Secure) {
    let authority = Authority::new();
    let own = authority.vouch_for(NAME);
    let secure = Secure::start(Binary::UnderTest, &authority, &own, &[("tls-auth-clients", "no")]);
    (authority, own, secure)
}

#[test]
fn requests_mean_the_same_wherever_records_cut_them() {
    let (authority, _, secure) = open_server();
    let mut random = Random::new(7);
    let mut sent = Vec::new();
    let mut wanted = Vec::new();
    for number in 0..300 {
        let len = 1 << random.below(12);
        let value = random.bytes(len);
        let key = format!("key:{number}");
        sent.extend(encode(&[b"SET", key.as_bytes(), &value]));
        sent.extend(encode(&["GET", &key]));
        wanted.extend_from_slice(b"+OK\r\n");
        wanted.extend_from_slice(&encode(&[value])[b"*1\r\n".len()..]);
    }
    let mut client = Client::connect(secure.port, &authority, None).expect("a connection");
    let mut rest = &sent[..];
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.len().min(1 + random.below(3000)));
        client.send(piece).expect("room");
        rest = behind;
    }
    let mut heard = Vec::new();
    for _ in 0..600 {
        heard.extend(client.read_reply().expect("a reply"));
    }
    assert!(heard == wanted, "{} bytes for {}", heard.len(), wanted.len());
}

#[test]
fn large_values_go_both_ways_and_slow_readers_get_everything() {
    let (authority, _, secure) = open_server();
    let mut client = Client::connect(secure.port, &authority, None).expect("a connection");
    let value = Random::new(3).bytes(5_000_000);
    assert_eq!(
        client.call(&[b"SET", &b"big"[..], &value]).expect("a reply"),
        b"+OK\r\n"
    );
    // Far more than sockets hold: the server must go on when this side reads at last.
    const TIMES: usize = 20;
    client.send(&encode(&["GET", "big"]).repeat(TIMES)).expect("room");
    let mut plain = secure.server.connect();
    wait_until("replies wait for their reader", || {
        let list = plain.ask("CLIENT LIST");
        let waiting = |line: &str| line.contains("cmd=get") && !line.contains(" omem=0 ");
        list.lines().any(waiting)
    });
    for _ in 0..TIMES {
        let reply = client.read_reply().expect("a reply");
        assert!(reply.ends_with(b"\r\n") && reply[b"$5000000\r\n".len()..].starts_with(&value));
    }
    assert_eq!(client.ask("STRLEN big"), ":5000000\r\n");
}

#[test]
fn both_sides_say_goodbye() {
    let (authority, _, secure) = open_server();
    let mut client = Client::connect(secure.port, &authority, None).expect("a connection");
    assert_eq!(client.ask("QUIT"), "+OK\r\n");
    // Without a goodbye this would be an error.
    assert_eq!(client.stream.read(&mut [0; 10]).expect("an orderly end"), 0);
    let mut client = Client::connect(secure.port, &authority, None).expect("a connection");
    client.send(&encode(&["SET", "last", "word"])).expect("room");
    client.stream.conn.send_close_notify();
    client.stream.flush().expect("room");
    assert_eq!(client.read_reply().expect("what was asked before"), b"+OK\r\n");
    assert_eq!(client.stream.read(&mut [0; 10]).expect("an orderly end"), 0);
}

#[test]
fn clients_must_present_what_the_setting_wants() {
    let authority = Authority::new();
    let own = authority.vouch_for(NAME);
    let guest = authority.vouch_for("guest.example");
    let elsewhere = Authority::new();
    let stranger = elsewhere.vouch_for("stranger.example");
    let secure = Secure::start(Binary::UnderTest, &authority, &own, &[]);
    let mut plain = secure.server.connect();
    let answers = |own: Option<&Files>| {
        let mut client = Client::connect(secure.port, &authority, own).expect("a connection");
        client.call(&["PING"]).is_ok_and(|reply| reply == b"+PONG\r\n")
    };
    for (setting, none, known, unknown) in [
        ("yes", false, true, false),
        ("optional", true, true, false),
        ("no", true, true, true),
    ] {
        assert_eq!(plain.ask(&format!("CONFIG SET tls-auth-clients {setting}")), "+OK\r\n");
        let got = (answers(None), answers(Some(&guest)), answers(Some(&stranger)));
        assert_eq!(got, (none, known, unknown), "{setting}");
    }
    assert_eq!(plain.ask("PING"), "+PONG\r\n");
}

#[test]
fn a_certificate_is_replaced_while_clients_are_connected() {
    let (authority, own, secure) = open_server();
    let mut old = Client::connect(secure.port, &authority, None).expect("a connection");
    assert_eq!(old.ask("PING"), "+PONG\r\n");
    let first = old.stream.conn.peer_certificates().map(<[_]>::to_vec);
    authority.vouch_for(NAME);
    let mut plain = secure.server.connect();
    let again = format!(
        "CONFIG SET tls-cert-file {} tls-key-file {}",
        shown(&own.certificate),
        shown(&own.key)
    );
    assert_eq!(plain.ask(&again), "+OK\r\n");
    let mut new = Client::connect(secure.port, &authority, None).expect("a connection");
    assert_eq!(new.ask("PING"), "+PONG\r\n");
    assert_ne!(new.stream.conn.peer_certificates().map(<[_]>::to_vec), first);
    assert_eq!(old.ask("PING"), "+PONG\r\n");
}

#[test]
fn what_cannot_work_is_refused_and_leaves_everything_as_it_was() {
    let (authority, own, secure) = open_server();
    let mut plain = secure.server.connect();
    let cases = [
        (
            "tls-cert-file /nowhere",
            "Failed to load certificate: /nowhere: No such file or directory",
        ),
        ("tls-key-file /dev/null", "Failed to load private key: /dev/null: "),
        ("tls-protocols SSLv3", "Invalid tls-protocols specified."),
        ("tls-ciphers nonsense", "Failed to configure ciphers: nonsense"),
        (
            "tls-ciphersuites nonsense",
            "Failed to configure ciphersuites: nonsense",
        ),
    ];
    for (setting, logged) in cases {
        let name = setting.split(' ').next().unwrap_or_default();
        let want = format!(
            "-ERR CONFIG SET failed (possibly related to argument '{name}') - Unable to update TLS configuration. Check server logs.\r\n"
        );
        assert_eq!(plain.ask(&format!("CONFIG SET {setting}")), want);
        assert!(secure.server.log().contains(logged), "{}", secure.server.log());
    }
    let other = authority.vouch_for("other.example");
    let mixed = plain.ask(&format!("CONFIG SET tls-key-file {}", shown(&other.key)));
    assert!(mixed.starts_with("-ERR CONFIG SET failed"), "{mixed}");
    let mut client = Client::connect(secure.port, &authority, None).expect("a connection");
    assert_eq!(client.ask("PING"), "+PONG\r\n");

    let dir = tempfile::tempdir().expect("a directory");
    let cases: [&[&str]; 2] = [
        &[],
        &[
            "--tls-cert-file",
            shown(&own.certificate),
            "--tls-key-file",
            shown(&own.key),
        ],
    ];
    let logged = [
        "No tls-cert-file configured!",
        "Either tls-ca-cert-file or tls-ca-cert-dir must be specified",
    ];
    for (args, logged) in cases.into_iter().zip(logged) {
        let args = [&["--port", "0", "--tls-port", "1"], args].concat();
        let output = Binary::UnderTest.run_to_exit(dir.path(), &args).expect("an end");
        let log = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1));
        assert!(
            log.contains(logged) && log.contains("Failed to configure TLS."),
            "{log}"
        );
    }
}

#[test]
fn versions_and_ciphers_are_those_of_the_settings() {
    let (authority, _, secure) = open_server();
    let mut plain = secure.server.connect();
    let agreed = || {
        let mut client = Client::connect(secure.port, &authority, None).expect("a connection");
        client.call(&["PING"]).expect("a reply");
        let suite = client.stream.conn.negotiated_cipher_suite().map(|suite| suite.suite());
        format!(
            "{:?} {:?}",
            client.stream.conn.protocol_version().unwrap(),
            suite.unwrap()
        )
    };
    assert!(agreed().starts_with("TLSv1_3"));
    plain.ask("CONFIG SET tls-protocols TLSv1.2 tls-ciphers ECDHE-ECDSA-CHACHA20-POLY1305");
    assert_eq!(agreed(), "TLSv1_2 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
    plain.ask("CONFIG SET tls-protocols TLSv1.3 tls-ciphersuites TLS_AES_128_GCM_SHA256");
    assert_eq!(agreed(), "TLSv1_3 TLS13_AES_128_GCM_SHA256");
}

#[test]
fn garbage_and_half_a_handshake_harm_nobody() {
    let (authority, _, mut secure) = open_server();
    let mut random = Random::new(1);
    let mut silent = Vec::new();
    for number in 0..200 {
        let mut socket = TcpStream::connect(("127.0.0.1", secure.port)).expect("a connection");
        let len = random.below(600);
        let mut bytes = random.bytes(len);
        if number % 2 == 0 {
            // The beginning of a record with a ClientHello that never ends.
            bytes.splice(..0, [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3]);
        }
        // It may have been closed already.
        let _ = socket.write_all(&bytes);
        silent.push(socket);
    }
    let mut client = Client::connect(secure.port, &authority, None).expect("a connection");
    assert_eq!(client.ask("PING"), "+PONG\r\n");
    drop(silent);
    let mut plain = secure.server.connect();
    wait_until("those who have gone are forgotten", || {
        info(&mut plain, "connected_clients") == "2"
    });
    assert!(secure.server.is_running());
}

#[test]
fn info_tells_of_the_port() {
    let (authority, _, secure) = open_server();
    let mut client = Client::connect(secure.port, &authority, None).expect("a connection");
    let text = client.ask("INFO server");
    let line = format!("listener2:name=tls,bind=127.0.0.1,port={}\r\n", secure.port);
    assert!(text.contains(&line), "{text}");
    assert!(
        text.contains(&format!("tcp_port:{}\r\n", secure.server.port())),
        "{text}"
    );
    assert_eq!(client.ask("CONFIG SET tls-port 0"), "+OK\r\n");
    assert_eq!(client.ask("PING"), "+PONG\r\n");
    assert!(TcpStream::connect(("127.0.0.1", secure.port)).is_err());
}

/// Replication under TLS between every two of this server and a real one, and values moved by MIGRATE.
#[test]
fn servers_speak_with_each_other() {
    let authority = Authority::new();
    let own = authority.vouch_for(NAME);
    let links = [("tls-replication", "yes"), ("tls-cluster", "yes")];
    let pairs = [
        (Binary::UnderTest, Binary::UnderTest),
        (Binary::UnderTest, Binary::Redis),
        (Binary::Redis, Binary::UnderTest),
    ];
    for (first, second) in pairs {
        if !first.available() || !second.available() {
            assert!(!must_have_peers(), "redis-server is missing");
            println!("skipped: redis-server is not installed");
            continue;
        }
        let primary = Secure::start(first, &authority, &own, &links);
        let replica = Secure::start(second, &authority, &own, &links);
        let mut client = primary.server.connect();
        let value = "x".repeat(300_000);
        for number in 0..20 {
            client.ask(&format!("SET early:{number} {value}"));
        }
        let mut other = replica.server.connect();
        assert_eq!(other.ask(&format!("REPLICAOF 127.0.0.1 {}", primary.port)), "+OK\r\n");
        wait_until_up(&replica.server);
        for number in 0..2000 {
            client.ask(&format!("RPUSH list {number}"));
        }
        client.ask(&format!("SET late {value}"));
        must_agree(&primary.server, &replica.server);
        let told = info(&mut client, "slave0");
        assert!(told.contains(&format!("port={},", replica.port)), "{told}");
        assert_eq!(other.ask("REPLICAOF NO ONE"), "+OK\r\n");
        other.ask("FLUSHALL");
        let moved = client.ask(&format!("MIGRATE 127.0.0.1 {} late 0 5000", replica.port));
        assert_eq!(moved, "+OK\r\n");
        assert_eq!(other.ask("STRLEN late"), ":300000\r\n");
    }
}

#[test]
fn redis_cli_gets_along() {
    let authority = Authority::new();
    let own = authority.vouch_for(NAME);
    let secure = Secure::start(Binary::UnderTest, &authority, &own, &[]);
    let (port, path) = (secure.port.to_string(), authority.path());
    let output = Command::new("redis-cli")
        .args(["--tls", "--sni", NAME, "--cacert", shown(&path)])
        .args(["--cert", shown(&own.certificate), "--key", shown(&own.key)])
        .args(["-p", &port, "SET", "a", "b"])
        .output();
    match output {
        Ok(output) => assert_eq!(output.stdout, b"OK\n", "{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => {
            assert!(!must_have_peers(), "redis-cli is missing");
            println!("skipped: redis-cli is not installed");
        }
    }
}
