//! `rename-command`: what commands are called by, and that they stay themselves, against a real server.

mod support;

use support::server::{Binary, Server};

/// GET is called otherwise, DEL takes its name, OBJECT shows a container, and CONFIG and ECHO are gone.
const RENAMES: [(&str, &str); 7] = [
    ("rename-command", "GET Fetch"),
    ("rename-command", "del get"),
    ("rename-command", "object obj"),
    ("rename-command", "config \"\""),
    ("rename-command", "echo ekko"),
    ("rename-command", "EKKO \"\""),
    ("rename-command", "mget mget"),
];

const LINES: [&str; 31] = [
    "SET a 1",
    "FETCH a",
    "fetch a",
    "fetch",
    "GET a b",
    "DEL a",
    "fetch a",
    "MGET a",
    "CONFIG GET port",
    "ECHO x",
    "EKKO x",
    "OBJECT HELP",
    "OBJ NOSUCH",
    "OBJ FREQ",
    "OBJ ENCODING",
    "MULTI",
    "CONFIG GET port",
    "EXEC",
    "COMMAND GETKEYS del a b",
    "COMMAND GETKEYS get a b",
    "COMMAND GETKEYS fetch a",
    "COMMAND INFO del",
    "COMMAND INFO config",
    "COMMAND INFO config|get",
    "COMMAND INFO fetch",
    "COMMAND INFO object|encoding",
    "COMMAND INFO obj|encoding",
    "COMMAND DOCS ekko",
    "COMMAND LIST FILTERBY PATTERN con*",
    "COMMAND LIST FILTERBY PATTERN ech*",
    "COMMAND LIST FILTERBY PATTERN fetch*",
];

#[test]
fn renamed_commands_are_those_of_a_real_server() {
    if !Binary::Redis.available() {
        return;
    }
    let ours = Server::start_with(Binary::UnderTest, &RENAMES);
    let real = Server::start_with(Binary::Redis, &RENAMES);
    let (mut ours, mut real) = (ours.connect(), real.connect());
    for line in LINES {
        assert_eq!(ours.ask(line), real.ask(line), "{line}");
    }
}

#[test]
fn a_log_is_read_with_either_name() {
    let settings = [
        ("appendonly", "yes"),
        ("rename-command", "SET put"),
        ("rename-command", "SELECT \"\""),
    ];
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start_in(Binary::UnderTest, &settings, dir);
    let mut client = server.connect();
    // The log has `put a 1` and, of the server's own making, SELECT and SET.
    assert_eq!(client.ask("put a 1"), "+OK\r\n");
    assert_eq!(client.ask("put b 1 EX 1000"), "+OK\r\n");
    let again = Server::start_in(Binary::UnderTest, &settings, server.kill());
    assert_eq!(again.connect().ask("MGET a b"), "*2\r\n$1\r\n1\r\n$1\r\n1\r\n");
}

#[test]
fn a_name_that_cannot_be_changed_stops_the_start() {
    let dir = tempfile::tempdir().expect("a directory");
    let refusals = [
        ("nosuch", "x", "No such command in rename-command"),
        ("get", "set", "Target command name already exists"),
    ];
    for (name, new_name, reason) in refusals {
        let arguments = ["--port", "0", "--rename-command", name, new_name];
        for binary in [Binary::UnderTest, Binary::Redis] {
            if binary.available() {
                let output = binary.run_to_exit(dir.path(), &arguments).expect("it runs");
                assert!(!output.status.success());
                let text = String::from_utf8_lossy(&output.stderr);
                assert!(text.contains(reason), "{text}");
            }
        }
    }
}
