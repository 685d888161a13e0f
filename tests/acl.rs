//! Users through the real binary: who may log in, what happens to clients whose user changes, and where users come from.

mod support;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use support::client::{Client, encode};
use support::replicas::{info, must_agree, wait_until_up};
use support::server::{Binary, Server};
use support::wait_until;

const OK: &str = "+OK\r\n";
const PONG: &str = "+PONG\r\n";

fn start() -> Server {
    Server::start(Binary::UnderTest)
}

/// A client that has logged in.
fn login(server: &Server, user: &str, password: &str) -> Client {
    let mut client = server.connect();
    assert_eq!(client.ask(&format!("AUTH {user} {password}")), OK);
    client
}

/// Makes a user with these rules, who logs in with `p`.
fn make(admin: &mut Client, user: &str, rules: &str) {
    assert_eq!(admin.ask(&format!("ACL SETUSER {user} on >p {rules}")), OK);
}

fn no_command(user: &str, command: &str) -> String {
    format!("-NOPERM User {user} has no permissions to run the '{command}' command\r\n")
}

/// Waits until the server has closed a connection, which must not have said more.
fn must_be_closed(client: &mut Client) {
    let rest = client.read_to_end().expect("the end of the connection");
    assert_eq!(String::from_utf8_lossy(&rest), "");
}

fn wait_for_blocked(admin: &mut Client, count: usize) {
    wait_until("clients wait", || info(admin, "blocked_clients") == count.to_string());
}

fn lines_of(admin: &mut Client) -> String {
    admin.ask("ACL LIST")
}

#[test]
fn clients_are_who_they_can_prove_to_be() {
    let server = start();
    let mut admin = server.connect();
    make(&mut admin, "bob", "+@all ~*");
    let mut client = server.connect();
    assert_eq!(client.ask("ACL WHOAMI"), "$7\r\ndefault\r\n");
    let refused = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    assert_eq!(client.ask("AUTH bob q"), refused);
    assert_eq!(client.ask("AUTH nobody p"), refused);
    assert_eq!(client.ask("ACL WHOAMI"), "$7\r\ndefault\r\n");
    assert_eq!(client.ask("AUTH bob p"), OK);
    assert_eq!(client.ask("ACL WHOAMI"), "$3\r\nbob\r\n");
    assert!(client.ask("CLIENT INFO").contains(" user=bob "));
    assert_eq!(admin.ask("ACL SETUSER bob off"), OK);
    // Who is in stays in, and comes in no more.
    assert_eq!(client.ask("PING"), PONG);
    assert_eq!(client.ask("RESET"), "+RESET\r\n");
    assert_eq!(client.ask("ACL WHOAMI"), "$7\r\ndefault\r\n");
    assert_eq!(client.ask("AUTH bob p"), refused);
    assert!(client.ask("HELLO 3 AUTH bob p").starts_with("-WRONGPASS"));
    assert_eq!(admin.ask("ACL SETUSER bob on <p >q"), OK);
    assert!(client.ask("HELLO 3 AUTH bob q").starts_with("%7"));
    let log = admin.ask("ACL LOG");
    assert!(
        log.contains("auth") && log.contains("bob") && log.contains("nobody"),
        "{log}"
    );
    assert_eq!(info(&mut admin, "acl_access_denied_auth"), "4");
}

#[test]
fn new_rules_hold_from_the_next_request_on() {
    let server = start();
    let mut admin = server.connect();
    make(&mut admin, "bob", "+get ~a*");
    let mut bob = login(&server, "bob", "p");
    assert_eq!(bob.ask("GET a"), "$-1\r\n");
    assert_eq!(bob.ask("SET a 1"), no_command("bob", "set"));
    assert_eq!(bob.ask("GET b"), "-NOPERM No permissions to access a key\r\n");
    assert_eq!(admin.ask("ACL SETUSER bob -get +set ~b"), OK);
    assert_eq!(bob.ask("GET a"), no_command("bob", "get"));
    assert_eq!(bob.ask("SET b 1"), OK);
    assert_eq!(admin.ask("ACL SETUSER bob reset"), OK);
    assert_eq!(bob.ask("SET b 1"), no_command("bob", "set"));
    // One that takes rights away from itself.
    make(&mut admin, "bob", "+@all allkeys");
    let both = [encode(&["ACL", "SETUSER", "bob", "-get"]), encode(&["GET", "a"])].concat();
    bob.send(&both).expect("it listens");
    let replies = bob.read_replies(2).expect("two replies");
    assert_eq!(
        String::from_utf8_lossy(&replies),
        format!("{OK}{}", no_command("bob", "get"))
    );
}

#[test]
fn clients_of_removed_users_are_closed() {
    let server = start();
    let mut admin = server.connect();
    make(&mut admin, "bob", "+@all ~* &*");
    make(&mut admin, "eve", "+@all ~* &*");
    let mut clients: Vec<Client> = (0..3).map(|_| login(&server, "bob", "p")).collect();
    let mut eve = login(&server, "eve", "p");
    let mut waiting = login(&server, "bob", "p");
    waiting.send(&encode(&["BLPOP", "k", "0"])).expect("it listens");
    let mut listening = login(&server, "bob", "p");
    assert!(listening.ask("SUBSCRIBE c").starts_with("*3"));
    let mut watching = login(&server, "bob", "p");
    assert_eq!(watching.ask("MONITOR"), OK);
    wait_for_blocked(&mut admin, 1);
    // The caller is answered first; what it has sent behind that is nobody's any more.
    let caller = &mut clients[0];
    let requests = [
        encode(&["ACL", "DELUSER", "bob", "nosuch"]),
        encode(&["ACL", "SETUSER", "new"]),
        encode(&["SET", "k", "v"]),
    ];
    caller.send(&requests.concat()).expect("it listens");
    let heard = caller.read_to_end().expect("the end of the connection");
    assert_eq!(String::from_utf8_lossy(&heard), ":1\r\n");
    clients[1..].iter_mut().for_each(must_be_closed);
    [waiting, listening].iter_mut().for_each(must_be_closed);
    watching.read_to_end().expect("the end of the connection");
    assert_eq!(eve.ask("EXISTS k"), ":0\r\n");
    assert_eq!(admin.ask("ACL USERS"), "*2\r\n$7\r\ndefault\r\n$3\r\neve\r\n");
    assert_eq!(
        admin.ask("ACL DELUSER default"),
        "-ERR The 'default' user cannot be removed\r\n"
    );
    wait_for_blocked(&mut admin, 0);
}

#[test]
fn a_transaction_that_removes_its_own_user_is_nobodys_afterwards() {
    let server = start();
    let mut admin = server.connect();
    make(&mut admin, "other", "");
    make(&mut admin, "bob", "+@all ~* &*");
    let mut bob = login(&server, "bob", "p");
    assert_eq!(bob.ask("MULTI"), OK);
    for line in [
        "ACL DELUSER bob",
        "ACL SETUSER heir on +@all ~* &*",
        "SET k v",
        "ACL SETUSER heir2 on +@all ~* &*",
    ] {
        assert_eq!(bob.ask(line), "+QUEUED\r\n");
    }
    let reply = bob.ask("EXEC");
    assert!(reply.starts_with("*4\r\n:1\r\n-NOPERM ACLs rules changed"), "{reply}");
    must_be_closed(&mut bob);
    assert_eq!(admin.ask("EXISTS k"), ":0\r\n");
}

#[test]
fn subscribers_that_may_not_listen_any_longer_are_closed() {
    let server = start();
    let mut admin = server.connect();
    let listen = |admin: &mut Client, line: &str| {
        make(admin, "bob", "+@all ~* resetchannels &a &b* &p* &s");
        let mut client = login(&server, "bob", "p");
        assert!(client.ask(line).starts_with("*3"), "{line}");
        client
    };
    for (line, rules, is_closed) in [
        ("SUBSCRIBE a", "resetchannels &b*", true),
        ("SUBSCRIBE a", "resetchannels &a*", false),
        ("SUBSCRIBE a", "&*", false),
        ("SUBSCRIBE a", "-subscribe", false),
        ("SUBSCRIBE a", "resetchannels (&a)", false),
        ("SUBSCRIBE a", "reset", true),
        ("PSUBSCRIBE p*", "resetchannels &p?", true),
        ("PSUBSCRIBE p*", "resetchannels &p*", false),
        ("SSUBSCRIBE s", "resetchannels &x", true),
        ("SSUBSCRIBE s", "resetchannels &s", false),
    ] {
        assert!(admin.ask("ACL DELUSER bob").starts_with(':'));
        let mut client = listen(&mut admin, line);
        let mut quiet = login(&server, "bob", "p");
        assert_eq!(admin.ask(&format!("ACL SETUSER bob {rules}")), OK);
        match is_closed {
            true => must_be_closed(&mut client),
            // In the mode of subscribers its reply is an array.
            false => assert!(client.ask("PING").starts_with("*2"), "{line} {rules}"),
        }
        // Whoever listens to nothing stays.
        assert!(
            quiet
                .ask("ACL WHOAMI")
                .contains(if rules == "reset" { "NOPERM" } else { "bob" })
        );
    }
    // What may be listened to at all.
    make(&mut admin, "ann", "+@all resetchannels &a* &p*");
    let mut ann = login(&server, "ann", "p");
    let refused = "-NOPERM No permissions to access a channel\r\n";
    assert_eq!(ann.ask("SUBSCRIBE a b"), refused);
    assert_eq!(ann.ask("PSUBSCRIBE p"), refused);
    assert_eq!(ann.ask("PUBLISH b x"), refused);
    assert_eq!(ann.ask("PUBLISH ab x"), ":0\r\n");
}

#[test]
fn rules_are_asked_when_commands_are_queued_and_again_when_they_run() {
    let server = start();
    let mut admin = server.connect();
    make(&mut admin, "bob", "+@all ~a* &*");
    let mut bob = login(&server, "bob", "p");
    assert_eq!(bob.ask("MULTI"), OK);
    assert_eq!(bob.ask("SET b 1"), "-NOPERM No permissions to access a key\r\n");
    assert!(bob.ask("EXEC").starts_with("-EXECABORT"));
    assert_eq!(bob.ask("MULTI"), OK);
    for line in ["SET a 1", "INCR a", "PUBLISH c x", "GET a"] {
        assert_eq!(bob.ask(line), "+QUEUED\r\n");
    }
    assert_eq!(admin.ask("ACL SETUSER bob -incr resetchannels &d"), OK);
    let start = "-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This \
                 command is no longer allowed for the following reason: ";
    assert_eq!(
        bob.ask("EXEC"),
        format!(
            "*4\r\n+OK\r\n{start}no permission to execute the command or subcommand\r\n{start}no permission to access one \
             of the channels used as argument to the command\r\n$1\r\n1\r\n"
        )
    );
    assert_eq!(bob.ask("MULTI"), OK);
    assert_eq!(bob.ask("SET a 2"), "+QUEUED\r\n");
    assert_eq!(admin.ask("ACL SETUSER bob -exec"), OK);
    assert!(
        bob.ask("EXEC")
            .starts_with("-EXECABORT Transaction discarded because of: NOPERM")
    );
    assert_eq!(bob.ask("GET a"), "$1\r\n1\r\n");
    let log = admin.ask("ACL LOG");
    assert!(log.contains("multi") && log.contains("incr"), "{log}");
}

#[test]
fn what_no_transaction_may_have_is_told_before_what_the_user_may_not() {
    let server = start();
    make(&mut server.connect(), "bob", "+multi");
    let mut bob = login(&server, "bob", "p");
    assert_eq!(bob.ask("MULTI"), OK);
    assert_eq!(bob.ask("SAVE"), "-ERR Command not allowed inside a transaction\r\n");
}

#[test]
fn scripts_do_what_their_callers_may() {
    let server = start();
    let mut admin = server.connect();
    let library =
        "#!lua name=lib\nredis.register_function('get', function(keys, args) return redis.call('GET', args[1]) end)";
    let loaded = admin.call(&["FUNCTION", "LOAD", library]).expect("a reply");
    assert!(loaded.starts_with(b"$3"));
    assert_eq!(admin.ask("SET b 1"), OK);
    make(&mut admin, "bob", "+@all -config -strlen ~a* resetchannels &c");
    let mut bob = login(&server, "bob", "p");
    let mut eval = |body: &str| {
        let reply = bob.call(&["EVAL", body, "0"]).expect("a reply");
        String::from_utf8_lossy(&reply).into_owned()
    };
    for (body, want) in [
        ("return redis.call('GET', 'a')", "$-1\r\n"),
        ("return redis.acl_check_cmd('GET', 'a')", ":1\r\n"),
        ("return redis.acl_check_cmd('GET', 'b')", "$-1\r\n"),
        ("return redis.acl_check_cmd('CONFIG|GET', 'b')", "-ERR"),
        ("return redis.acl_check_cmd('CONFIG', 'GET', 'b')", "$-1\r\n"),
        ("return redis.acl_check_cmd('CONFIG')", "$-1\r\n"),
        ("return redis.acl_check_cmd('PUBLISH', 'c', 'x')", ":1\r\n"),
        ("return redis.acl_check_cmd('PUBLISH', 'd', 'x')", "$-1\r\n"),
        // Too short to be refused.
        ("return redis.acl_check_cmd('PUBLISH')", ":1\r\n"),
        ("return redis.acl_check_cmd('SPUBLISH')", ":1\r\n"),
        ("return redis.acl_check_cmd('SUBSCRIBE')", ":1\r\n"),
        ("return redis.acl_check_cmd('GET')", ":1\r\n"),
        ("return redis.acl_check_cmd('EVAL', 'x')", ":1\r\n"),
        ("return redis.acl_check_cmd('XREAD', 'STREAMS')", ":1\r\n"),
        ("return redis.acl_check_cmd('SORT')", ":1\r\n"),
        (
            "return redis.acl_check_cmd('nosuch')",
            "-ERR Invalid command passed to redis.acl_check_cmd()",
        ),
        ("return redis.acl_check_cmd()", "-ERR"),
        (
            "return redis.call('GET', 'b')",
            "-ERR ACL failure in script: No permissions to access a key",
        ),
        (
            "return redis.pcall('STRLEN', 'a')['err']",
            "$82\r\nERR ACL failure in script: User bob has no permissions to run the 'strlen' command\r\n",
        ),
        (
            "return redis.sha1hex(redis.call('PUBLISH', 'd', 'x'))",
            "-ERR ACL failure in script: No permissions to access a channel",
        ),
    ] {
        let reply = eval(body);
        assert!(reply.starts_with(want), "{body}: {reply}");
    }
    assert!(bob.ask("FCALL get 0 a").starts_with("$-1"));
    assert!(bob.ask("FCALL get 0 b").contains("ACL failure in script"));
    assert!(bob.ask("FCALL get 1 b a").starts_with("-NOPERM"));
    assert!(admin.ask("FCALL get 0 b").starts_with("$1"));
    assert!(admin.ask("ACL LOG").contains("lua"));
}

#[test]
fn a_script_is_told_its_users_name_to_the_byte() {
    let server = start();
    let mut admin = server.connect();
    let user = [&b"ACL"[..], b"SETUSER", b"\xff\xfe", b"on", b"nopass", b"+eval"];
    assert_eq!(admin.call(&user).expect("a reply"), OK.as_bytes());
    let mut client = server.connect();
    let login = client.call(&[&b"AUTH"[..], b"\xff\xfe", b"x"]);
    assert_eq!(login.expect("a reply"), OK.as_bytes());
    let reply = client.call(&["EVAL", "return redis.pcall('GET', 'a')", "0"]);
    let want = b"-ERR ACL failure in script: User \xff\xfe has no permissions to run the 'get' command";
    assert!(reply.expect("a reply").starts_with(want));
}

#[test]
fn a_client_that_waits_is_refused_when_it_would_be_served() {
    let server = start();
    let mut admin = server.connect();
    make(&mut admin, "bob", "+@all ~*");
    let mut bob = login(&server, "bob", "p");
    bob.send(&encode(&["BLPOP", "k", "0"])).expect("it listens");
    let mut next = server.connect();
    wait_for_blocked(&mut admin, 1);
    next.send(&encode(&["BLPOP", "k", "0"])).expect("it listens");
    wait_for_blocked(&mut admin, 2);
    assert_eq!(admin.ask("ACL SETUSER bob -blpop"), OK);
    assert_eq!(admin.ask("LPUSH k x"), ":1\r\n");
    assert_eq!(
        String::from_utf8_lossy(&bob.read_reply().expect("a reply")),
        no_command("bob", "blpop")
    );
    // Who waits behind it has what it may not.
    assert_eq!(next.read_reply().expect("a reply"), b"*2\r\n$1\r\nk\r\n$1\r\nx\r\n");
    assert_eq!(bob.ask("PING"), PONG);
    let counts = admin.ask("INFO commandstats");
    assert!(
        counts.contains("cmdstat_blpop:calls=1,") && counts.contains("rejected_calls=1"),
        "{counts}"
    );
    // Keys are asked for as well; and who is silent is told nothing.
    assert_eq!(admin.ask("ACL SETUSER bob +blpop +xread resetkeys ~j"), OK);
    for line in [&["BLPOP", "j", "0"][..], &["XREAD", "BLOCK", "0", "STREAMS", "j", "$"]] {
        bob.send(&encode(line)).expect("it listens");
        wait_for_blocked(&mut admin, 1);
        assert_eq!(admin.ask("ACL SETUSER bob resetkeys"), OK);
        let write = if line[0] == "BLPOP" {
            "RPUSH j x"
        } else {
            "XADD j * f v"
        };
        assert!(!admin.ask(write).starts_with('-'));
        assert_eq!(
            bob.read_reply().expect("a reply"),
            b"-NOPERM No permissions to access a key\r\n"
        );
        assert_eq!(admin.ask("DEL j"), ":1\r\n");
        assert_eq!(admin.ask("ACL SETUSER bob ~j"), OK);
    }
    // One whose time is up has not been refused.
    bob.send(&encode(&["BLPOP", "j", "0.2"])).expect("it listens");
    wait_for_blocked(&mut admin, 1);
    assert_eq!(admin.ask("ACL SETUSER bob resetkeys"), OK);
    assert_eq!(bob.read_reply().expect("a reply"), b"*-1\r\n");
}

#[test]
fn a_push_that_nobody_may_have_any_longer_stays() {
    let server = start();
    let mut admin = server.connect();
    make(&mut admin, "bob", "+@all ~*");
    let mut bob = login(&server, "bob", "p");
    bob.send(&encode(&["BLPOP", "k", "0"])).expect("it listens");
    wait_for_blocked(&mut admin, 1);
    assert_eq!(admin.ask("ACL DELUSER bob"), ":1\r\n");
    assert_eq!(admin.ask("LPUSH k x"), ":1\r\n");
    assert_eq!(admin.ask("LLEN k"), ":1\r\n");
    must_be_closed(&mut bob);
}

#[test]
fn nobody_who_watches_sees_a_secret() {
    let settings = [("slowlog-log-slower-than", "0")];
    let server = Server::start_with(Binary::UnderTest, &settings);
    let mut admin = server.connect();
    let mut monitor = server.connect();
    assert_eq!(monitor.ask("MONITOR"), OK);
    for line in [
        "ACL SETUSER bob on >s3cret1 +@all ~*",
        "AUTH bob s3cret1",
        "AUTH bob s3cret2",
        "HELLO 2 AUTH bob s3cret1",
        "ACL GETUSER bob",
        "CONFIG SET requirepass s3cret3",
        "CONFIG SET masteruser s3cret4 masterauth s3cret5",
        "ACL SETUSER bob what s3cret6",
        "MULTI",
        "ACL SETUSER bob >s3cret7",
        "AUTH bob s3cret7",
        "EXEC",
    ] {
        admin.ask(line);
    }
    let slow = admin.ask("SLOWLOG GET -1");
    assert!(!slow.contains("s3cret") && slow.contains("(redacted)"), "{slow}");
    let log = admin.ask("ACL LOG");
    assert!(!log.contains("s3cret"), "{log}");
    assert_eq!(admin.ask("ECHO end"), "$3\r\nend\r\n");
    let mut seen = String::new();
    while !seen.contains("\"end\"") {
        seen = String::from_utf8_lossy(&monitor.read_reply().expect("a line")).into_owned();
        assert!(!seen.contains("s3cret"), "{seen}");
    }
    let hello = [encode(&["HELLO", "2", "AUTH", "bob", "s3cret8"]), encode(&["PING"])].concat();
    admin.send(&hello).expect("it listens");
    admin.read_replies(2).expect("two replies");
    assert!(!server.log().contains("s3cret"));
}

const USERS: &str = "user default on nopass sanitize-payload ~* &* +@all\n\
                     user bob on #148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940 ~a* +get +set (%R~b +get)\n";

fn folder_with(file: &str, text: impl AsRef<[u8]>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    fs::write(folder.path().join(file), text).expect("a file");
    folder
}

#[test]
fn users_are_loaded_from_their_file_and_saved_to_it() {
    let folder = folder_with("users.acl", USERS);
    let server = Server::start_in(Binary::UnderTest, &[("aclfile", "users.acl")], folder);
    let path = server.dir().join("users.acl");
    let mut admin = server.connect();
    let mut bob = login(&server, "bob", "p");
    assert_eq!(bob.ask("SET ab 1"), OK);
    assert_eq!(bob.ask("GET b"), "$-1\r\n");
    assert!(bob.ask("SET b 1").starts_with("-NOPERM"));
    // What was not saved is gone with the next load, its clients too; others go on, under the rules of the file.
    make(&mut admin, "eve", "+@all ~*");
    let mut eve = login(&server, "eve", "p");
    assert_eq!(admin.ask("ACL SETUSER bob +del"), OK);
    assert_eq!(bob.ask("DEL ab"), ":1\r\n");
    assert_eq!(admin.ask("ACL LOAD"), OK);
    must_be_closed(&mut eve);
    assert_eq!(bob.ask("DEL ab"), no_command("bob", "del"));
    // And what was saved is there.
    make(&mut admin, "eve", "+@all ~* (~\"x)\" +get)");
    assert_eq!(admin.ask("ACL SAVE"), OK);
    let before = lines_of(&mut admin);
    assert_eq!(admin.ask("ACL DELUSER eve"), ":1\r\n");
    assert_eq!(admin.ask("ACL LOAD"), OK);
    assert_eq!(lines_of(&mut admin), before);
    // A file with a mistake changes nothing.
    let good = fs::read_to_string(&path).expect("it was saved");
    for (bad, told) in [
        (
            "user default on nopass ~* &* +@all\nuser x +nosuch\nuser bob off\n",
            "users.acl:2: Error in applying operation '+nosuch': Unknown command or category name in ACL. ",
        ),
        (
            "user x on\nuser x off\n",
            "WARNING: Duplicate user 'x' found on line 2. ",
        ),
        (
            "# words\n",
            "users.acl:1 should start with user keyword followed by the username. ",
        ),
        (
            "user x (+get\n",
            "users.acl:1: Unmatched parenthesis in selector definition.",
        ),
        ("user x ~a what\n", "users.acl:1: Syntax error. "),
        ("user\n", "users.acl:1 should start with user keyword"),
    ] {
        fs::write(&path, bad).expect("a file");
        let reply = admin.ask("ACL LOAD");
        assert!(reply.starts_with("-ERR ") && reply.contains(told), "{reply}");
        assert!(
            reply.ends_with(
                "WARNING: ACL errors detected, no change to the previously active ACL rules was performed\r\n"
            ),
            "{reply}"
        );
        assert_eq!(lines_of(&mut admin), before);
    }
    fs::remove_file(&path).expect("a file");
    assert!(
        admin
            .ask("ACL LOAD")
            .starts_with("-ERR Error loading ACLs, opening file")
    );
    fs::create_dir(&path).expect("a directory");
    assert!(admin.ask("ACL LOAD").starts_with("-ERR"));
    assert!(
        admin
            .ask("ACL SAVE")
            .starts_with("-ERR There was an error trying to save the ACLs.")
    );
    fs::remove_dir(&path).expect("a directory");
    assert_eq!(lines_of(&mut admin), before);
    // A subscriber that the file deafens, and the default user's line missing.
    make(&mut admin, "bob", "+@all &c");
    let mut bob = login(&server, "bob", "p");
    assert!(bob.ask("SUBSCRIBE c").starts_with("*3"));
    assert_eq!(admin.ask("ACL SETUSER default -get"), OK);
    fs::write(
        &path,
        good.lines()
            .filter(|line| !line.contains("default"))
            .collect::<Vec<_>>()
            .join("\r\n"),
    )
    .expect("a file");
    assert_eq!(admin.ask("ACL LOAD"), OK);
    must_be_closed(&mut bob);
    assert!(lines_of(&mut admin).contains("user default on nopass sanitize-payload ~* &* +@all\r\n"));
    assert_eq!(lines_of(&mut admin), before);
    // A restart reads it again.
    let folder = server.kill();
    let server = Server::start_in(Binary::UnderTest, &[("aclfile", "users.acl")], folder);
    assert_eq!(lines_of(&mut server.connect()), before);
}

#[test]
fn a_server_whose_users_are_wrong_does_not_start() {
    let run = |folder: &Path, lines: &str| {
        let port = support::server::free_port().expect("a port");
        fs::write(folder.join("x.conf"), format!("port {port}\nsave \"\"\n{lines}")).expect("a file");
        let output = Binary::UnderTest.run_to_exit(folder, &["x.conf"]).expect("it ends");
        assert_eq!(output.status.code(), Some(1), "{lines}");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let folder = folder_with("users.acl", "user default on\nuser x +nosuch\n");
    let aclfile = format!("dir \"{}\"\naclfile users.acl\n", folder.path().display());
    for (lines, told) in [
        (
            &aclfile[..],
            "startup because of ACL errors: users.acl:2: Error in applying operation '+nosuch': Unknown command",
        ),
        (
            "aclfile nosuch.acl\n",
            "Error loading ACLs, opening file 'nosuch.acl': No such file or directory",
        ),
        (
            "aclfile users.acl\nuser x on\n",
            "users defined in redis.conf and at the same setting an ACL file path is invalid",
        ),
        (
            "user x on\nuser x on\n",
            "Duplicate user found. A user can only be defined once in config files",
        ),
        ("user x what\n", "Error in user declaration 'x': Syntax error"),
        ("user x (+get\n", "Wrong format"),
        (
            "user x +nosuch\n",
            "Error loading ACL rule '+nosuch' for the user named 'x': Unknown command or category name in ACL",
        ),
        ("user \"x y\" on\n", "Spaces not allowed in ACL usernames"),
    ] {
        let said = run(folder.path(), lines);
        assert!(said.contains(told), "{lines}: {said}");
    }
}

/// The server again from the file that CONFIG REWRITE has made.
fn again_from_its_file(server: Server) -> Server {
    let port = server.port();
    let folder = server.kill();
    let text = fs::read(folder.path().join("server.conf")).expect("it was rewritten");
    fs::write(folder.path().join("again.conf"), text).expect("a file");
    Server::start_again(port, Binary::UnderTest, &[("include", "again.conf")], folder)
}

#[test]
fn users_of_the_configuration_are_kept_by_rewriting_it() {
    let settings = [
        ("requirepass", "old"),
        ("user", "bob on >p ~a* (+get ~b) +set"),
        ("user", "default on >new ~* &* +@all"),
        ("user", "ann off"),
    ];
    let server = Server::start_with(Binary::UnderTest, &settings);
    let mut admin = server.connect();
    assert_eq!(admin.ask("PING"), "-NOAUTH Authentication required.\r\n");
    assert!(admin.ask("AUTH old").starts_with("-WRONGPASS"));
    assert_eq!(admin.ask("AUTH new"), OK);
    assert_eq!(login(&server, "bob", "p").ask("SET a 1"), OK);
    assert_eq!(login(&server, "bob", "p").ask("GET b"), "$-1\r\n");
    // Words that must be quoted in such a file.
    for words in [
        &["a\"b", "on", ">p", "~\"x", "~it's", "~\\z", "&'", "+get|\""][..],
        &["", "on"],
        &["k\u{e9}", "~\u{e9}", "(~\"a\\\"b\" +get)", "(~\"a)\")", "~#", "~\u{1}"],
        &["#x", "nopass"],
        &["user", "+acl|whoami", "-config", "+@read"],
    ] {
        let args = [&["ACL", "SETUSER"], words].concat();
        assert_eq!(admin.call(&args).expect("a reply"), OK.as_bytes(), "{words:?}");
    }
    let before = lines_of(&mut admin);
    assert_eq!(admin.ask("CONFIG REWRITE"), OK);
    let server = again_from_its_file(server);
    let mut admin = login(&server, "default", "new");
    assert_eq!(lines_of(&mut admin), before);
    assert_eq!(admin.ask("ACL DELUSER ann bob"), ":2\r\n");
    let before = lines_of(&mut admin);
    assert_eq!(admin.ask("CONFIG REWRITE"), OK);
    let text = fs::read_to_string(server.dir().join("server.conf")).expect("text");
    assert!(!text.contains("user bob") && !text.contains("user ann"), "{text}");
    assert_eq!(admin.ask("ACL LOAD"), admin.ask("ACL SAVE"), "there is no ACL file");
    assert_eq!(lines_of(&mut admin), before);
}

#[test]
fn the_default_users_password_is_a_setting_too() {
    let server = Server::start_with(Binary::UnderTest, &[("requirepass", "one")]);
    let mut first = server.connect();
    assert_eq!(first.ask("PING"), "-NOAUTH Authentication required.\r\n");
    assert_eq!(first.ask("ACL WHOAMI"), "-NOAUTH Authentication required.\r\n");
    assert_eq!(first.ask("AUTH one"), OK);
    make(&mut first, "bob", "+@all ~*");
    let mut bob = login(&server, "bob", "p");
    assert_eq!(bob.ask("CONFIG SET requirepass two"), OK);
    assert!(server.connect().ask("AUTH one").starts_with("-WRONGPASS"));
    assert_eq!(server.connect().ask("AUTH two"), OK);
    assert_eq!(first.ask("PING"), PONG);
    assert_eq!(first.ask("ACL SETUSER default >three"), OK);
    for password in ["two", "three"] {
        assert_eq!(server.connect().ask(&format!("AUTH {password}")), OK);
    }
    assert_eq!(
        bob.call(&["CONFIG", "SET", "requirepass", ""]).expect("a reply"),
        OK.as_bytes()
    );
    let mut open = server.connect();
    assert_eq!(open.ask("PING"), PONG);
    assert!(
        open.ask("AUTH x")
            .starts_with("-ERR AUTH <password> called without any password configured")
    );
    assert_eq!(bob.ask("ACL SETUSER default off"), OK);
    assert_eq!(server.connect().ask("PING"), "-NOAUTH Authentication required.\r\n");
    assert_eq!(open.ask("RESET"), "+RESET\r\n");
    assert_eq!(open.ask("PING"), "-NOAUTH Authentication required.\r\n");
    assert_eq!(open.ask("AUTH bob p"), OK);
    assert_eq!(open.ask("ACL WHOAMI"), "$3\r\nbob\r\n");
}

#[test]
fn a_replica_logs_in_and_applies_what_its_own_users_may_not_do() {
    let primary = start();
    let mut admin = primary.connect();
    make(&mut admin, "repl", "+psync +replconf +ping");
    assert_eq!(admin.ask("SET before 1"), OK);
    let settings = [("masteruser", "repl"), ("masterauth", "p")];
    let replica = Server::start_with(Binary::UnderTest, &settings);
    let mut own = replica.connect();
    assert_eq!(own.ask("ACL SETUSER default -@write"), OK);
    assert_eq!(own.ask(&format!("REPLICAOF 127.0.0.1 {}", primary.port())), OK);
    wait_until_up(&replica);
    for line in [
        "SET a 1",
        "MULTI",
        "INCR a",
        "LPUSH l x",
        "EXEC",
        "PUBLISH c x",
        "EVAL return{redis.call('SET','s','1')} 0",
        "SORT l BY w_* GET # STORE sorted",
        "SELECT 1",
        "XADD x * f v",
    ] {
        assert!(!admin.ask(line).starts_with('-'), "{line}");
    }
    must_agree(&primary, &replica);
    assert_eq!(own.ask("GET a"), "$1\r\n2\r\n");
    assert_eq!(own.ask("SET a 1"), no_command("default", "set"));
    assert_eq!(own.ask("ACL SETUSER default off -@all +info +debug +acl"), OK);
    assert_eq!(admin.ask("SET a 3"), OK);
    wait_until("the replica has it", || {
        info(&mut own, "master_repl_offset") == info(&mut admin, "master_repl_offset")
    });
    assert_eq!(own.ask("ACL SETUSER default on +get +select"), OK);
    own.ask("SELECT 1");
    assert_eq!(own.ask("GET a"), "$1\r\n3\r\n");
    // A primary that shuts it out keeps it out; and one that lets it in again is found.
    assert_eq!(admin.ask("ACL DELUSER repl"), ":1\r\n");
    wait_until("the link is down", || info(&mut own, "master_link_status") == "down");
    assert_eq!(admin.ask("SET a 4"), OK);
    make(&mut admin, "repl", "+psync +replconf +ping");
    wait_until_up(&replica);
    wait_until("the replica has it", || own.ask("GET a") == "$1\r\n4\r\n");
}

#[test]
fn the_append_only_file_is_played_whatever_users_may_do() {
    let settings = [("appendonly", "yes"), ("user", "default on nopass +ping +get +llen ~a")];
    let folder = tempfile::tempdir().expect("a directory");
    let server = Server::start_in(Binary::UnderTest, &settings[..1], folder);
    let mut admin = server.connect();
    for line in [
        "SET a 1",
        "MULTI",
        "INCR a",
        "SET b 1",
        "EXEC",
        "EVAL return{redis.call('SET','s','1')} 0",
        "RPUSH l x",
    ] {
        assert!(!admin.ask(line).starts_with('-'), "{line}");
    }
    let folder = server.kill();
    let server = Server::start_in(Binary::UnderTest, &settings, folder);
    let mut client = server.connect();
    assert_eq!(client.ask("GET a"), "$1\r\n2\r\n");
    assert!(client.ask("GET b").starts_with("-NOPERM"));
    let folder = server.kill();
    let server = Server::start_in(Binary::UnderTest, &settings[..1], folder);
    assert_eq!(
        server.connect().ask("MGET a b s"),
        "*3\r\n$1\r\n2\r\n$1\r\n1\r\n$1\r\n1\r\n"
    );
    assert_eq!(server.connect().ask("LLEN l"), ":1\r\n");
}

#[test]
fn bad_rules_are_refused_in_full_and_change_nothing() {
    let mut server = start();
    let mut admin = server.connect();
    make(&mut admin, "bob", "+get ~a");
    let before = lines_of(&mut admin);
    let long = "x".repeat(64 * 1024);
    let deep = "(".repeat(100_000);
    let closed = format!("{deep}{}", ")".repeat(100_000));
    let words: Vec<Vec<u8>> = vec![
        b"~a\0b".into(),
        b"&\0".into(),
        b"+get\0".into(),
        b"+get|\0".into(),
        b"+get|a b".into(),
        b"\0".into(),
        b"\xff\xfe".into(),
        b"+\xff".into(),
        b"-@\xff".into(),
        b"%\xff~a".into(),
        b"(~a\0b".into(),
        b"(+\xff)".into(),
        b"(\"".into(),
        b"(\")".into(),
        b" ".into(),
        b"\r\n".into(),
        b"~\r\n".into(),
        format!("+{long}").into(),
        format!("-@{long}").into(),
        format!("+config|{long}").into(),
        format!("#{long}").into(),
        format!("%{}~a", "R".repeat(60_000)).into(),
        deep.clone().into(),
        closed.into(),
        format!("({long})").into(),
        long.clone().into(),
    ];
    for word in &words {
        for rules in [&[word.clone()][..], &[b"on".to_vec(), word.clone()]] {
            let mut args: Vec<Vec<u8>> = vec![b"ACL".into(), b"SETUSER".into(), b"bob".into()];
            args.extend_from_slice(rules);
            let reply = admin.call(&args).expect("a reply");
            assert!(
                reply.starts_with(b"-ERR"),
                "{}",
                word[..word.len().min(50)].escape_ascii()
            );
            assert_eq!(reply.iter().filter(|&&byte| byte == b'\n').count(), 1);
        }
    }
    assert_eq!(lines_of(&mut admin), before);
    for name in [&b"a b"[..], b"a\0", b"\n", b"\t", b"\x0b"] {
        let reply = admin.call(&[&b"ACL"[..], b"SETUSER", name]).expect("a reply");
        assert!(reply.starts_with(b"-ERR Usernames can't contain spaces or null characters"));
    }
    // Strange, but names: they are told, saved and refused like others.
    for name in [
        &b"\xff\xfe"[..],
        b"",
        long.as_bytes(),
        b"a\x7f\x01",
        "é\u{202e}".as_bytes(),
    ] {
        assert_eq!(
            admin
                .call(&[&b"ACL"[..], b"SETUSER", name, b"on", b"nopass", b"+acl|whoami"])
                .expect("a reply"),
            OK.as_bytes()
        );
        let mut client = server.connect();
        assert_eq!(
            client.call(&[&b"AUTH"[..], name, b"x"]).expect("a reply"),
            OK.as_bytes()
        );
        let reply = client.call(&["ACL", "WHOAMI"]).expect("a reply");
        assert!(reply.windows(name.len().max(1)).any(|part| part == name) || name.is_empty());
        assert!(client.ask("GET a").starts_with("-NOPERM User "));
        assert!(admin.ask("CLIENT LIST").len() > name.len());
        assert!(
            admin
                .call(&[&b"ACL"[..], b"GETUSER", name])
                .expect("a reply")
                .starts_with(b"*12")
        );
        assert!(
            admin
                .call(&[&b"ACL"[..], b"DRYRUN", name, b"GET", b"a"])
                .expect("a reply")
                .starts_with(b"$")
        );
        assert_eq!(
            admin.call(&[&b"ACL"[..], b"DELUSER", name]).expect("a reply"),
            b":1\r\n"
        );
        must_be_closed(&mut client);
    }
    assert_eq!(lines_of(&mut admin), before);
    assert!(server.is_running());
}

#[test]
fn thousands_of_rules_and_users_take_no_long_time() {
    let folder = tempfile::tempdir().expect("a directory");
    let mut text = String::from("user default on nopass ~* &* +@all\n");
    for n in 0..50_000 {
        text += &format!("user u{n} on #{n:064x} ~k{n}:* resetchannels -@all +get\n");
    }
    fs::write(folder.path().join("users.acl"), text).expect("a file");
    let begun = Instant::now();
    let server = Server::start_in(Binary::UnderTest, &[("aclfile", "users.acl")], folder);
    let mut admin = server.connect();
    assert_eq!(admin.ask("ACL LOAD"), OK);
    assert_eq!(admin.ask("ACL SAVE"), OK);
    assert_eq!(admin.ask("ACL LOAD"), OK);
    let names: Vec<String> = (0..50_000).map(|n| format!("u{n}")).collect();
    let mut args = vec!["ACL", "DELUSER"];
    args.extend(names.iter().map(String::as_str));
    assert_eq!(admin.call(&args).expect("a reply"), b":50000\r\n");
    assert_eq!(admin.ask("ACL LOAD"), OK);
    let signs = ["~", "&", ">", "+select|", "%R~"];
    for sign in signs {
        let rules: Vec<String> = (0..10_000).map(|n| format!("{sign}{n}")).collect();
        let mut args = vec!["ACL", "SETUSER", "bob"];
        args.extend(rules.iter().map(String::as_str));
        assert_eq!(admin.call(&args).expect("a reply"), OK.as_bytes());
    }
    let selectors = vec!["(+@all ~a)"; 10_000];
    assert_eq!(
        admin
            .call(&[&["ACL", "SETUSER", "bob"], &selectors[..]].concat())
            .expect("a reply"),
        OK.as_bytes()
    );
    assert!(admin.ask("ACL GETUSER bob").len() > 100_000);
    assert!(
        admin
            .ask("ACL DRYRUN bob GET b")
            .contains("no permissions to access the 'b' key")
    );
    assert_eq!(admin.ask("ACL SAVE"), OK);
    assert_eq!(admin.ask("ACL LOAD"), OK);
    // It was minutes when everybody was compared with everybody.
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(60), "{took:?}");
}

#[test]
fn a_very_long_line_of_a_configuration_is_a_user_like_others() {
    let mut rules = String::from("bob on >p +get");
    for n in 0..20_000 {
        rules += &format!(" ~key{n}");
    }
    let server = Server::start_with(Binary::UnderTest, &[("user", &rules)]);
    let mut bob = login(&server, "bob", "p");
    assert_eq!(bob.ask("GET key19999"), "$-1\r\n");
    assert_eq!(server.connect().ask("CONFIG REWRITE"), OK);
    let server = again_from_its_file(server);
    assert_eq!(login(&server, "bob", "p").ask("GET key19999"), "$-1\r\n");
}

#[test]
fn what_is_kept_of_refusals_is_bounded() {
    let server = Server::start_with(Binary::UnderTest, &[("acllog-max-len", "10")]);
    let mut admin = server.connect();
    make(&mut admin, "bob", "+get ~a");
    let mut bob = login(&server, "bob", "p");
    let before: u64 = info(&mut admin, "used_memory").parse().expect("a number");
    let long = "k".repeat(1 << 20);
    for n in 0..200 {
        let key = format!("{n}{long}");
        assert!(bob.call(&["GET", &key]).expect("a reply").starts_with(b"-NOPERM"));
        assert!(
            bob.call(&["AUTH", &key, "x"])
                .expect("a reply")
                .starts_with(b"-WRONGPASS")
        );
    }
    for n in 0..2000 {
        assert!(bob.ask(&format!("GET k{n}")).starts_with("-NOPERM"));
    }
    let log = admin.ask("ACL LOG 100000");
    assert!(log.starts_with("*10\r\n"), "{}", &log[..20]);
    assert_eq!(admin.ask("ACL LOG -1"), "*0\r\n");
    let after: u64 = info(&mut admin, "used_memory").parse().expect("a number");
    assert!(after < before + (4 << 20), "{before} {after}");
    for n in 0..10 {
        let key = format!("{n}{long}");
        assert!(bob.call(&["GET", &key]).expect("a reply").starts_with(b"-NOPERM"));
    }
    assert!(admin.ask("ACL LOG").len() < 1 << 20);
    assert_eq!(admin.ask("CONFIG SET acllog-max-len 0"), OK);
    assert!(bob.ask("GET x").starts_with("-NOPERM"));
    assert_eq!(admin.ask("ACL LOG"), "*0\r\n");
    assert_eq!(admin.ask("ACL LOG RESET"), OK);
}
