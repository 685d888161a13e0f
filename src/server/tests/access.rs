//! Users whose rights change while they use them.

use crate::server::testing::Server;

/// What ACL LOG and CLIENT LIST say that this client asked for last.
fn command_told(line: &str) -> &str {
    let behind = line.split_once(" cmd=").map_or("", |(_, rest)| rest);
    behind.split(' ').next().unwrap_or("")
}

#[test]
fn who_waits_is_not_served_what_is_no_longer_allowed() {
    for (lost, error) in [
        ("resetkeys", "No permissions to access a key"),
        ("-blpop", "User bob has no permissions to run the 'blpop' command"),
    ] {
        let mut server = Server::start();
        let bob = server.connect();
        server.ask("ACL SETUSER bob on nopass +@all ~*");
        server.ask_as(bob, "AUTH bob x");
        server.ask_as(bob, "BLPOP list 0");
        server.ask(&format!("ACL SETUSER bob {lost}"));
        assert_eq!(server.ask("RPUSH list a"), ":1|");
        assert_eq!(server.take_reply_of(bob), format!("-NOPERM {error}|"));
        assert_eq!(server.ask("LLEN list"), ":1|", "the element stays");
        assert!(server.core.waiting.is_empty());
        let stats = server.ask("INFO commandstats");
        let counted = "cmdstat_blpop:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0";
        assert!(stats.contains(counted), "{stats}");
        assert_eq!(command_told(&server.ask("ACL LOG")), "blpop");
        assert_eq!(server.ask_as(bob, "PING").as_deref(), Some("+PONG|"));
    }
}

#[test]
fn others_who_wait_are_served_in_the_place_of_the_one_who_may_not() {
    let mut server = Server::start();
    let (bob, other) = (server.connect(), server.connect());
    server.ask("ACL SETUSER bob on nopass +@all ~*");
    server.ask_as(bob, "AUTH bob x");
    server.ask_as(bob, "BLMOVE list elsewhere LEFT LEFT 0");
    server.ask_as(other, "BLPOP list 0");
    server.ask("ACL SETUSER bob resetkeys ~list");
    server.ask("RPUSH list a");
    assert_eq!(server.take_reply_of(bob), "-NOPERM No permissions to access a key|");
    assert_eq!(server.take_reply_of(other), "*2|$4|list|$1|a|");
}

#[test]
fn a_command_that_was_refused_is_the_last_that_was_asked_for() {
    let mut server = Server::start();
    let bob = server.connect();
    server.ask("ACL SETUSER bob on nopass +multi");
    server.ask_as(bob, "AUTH bob x");
    for (line, named) in [
        ("GET a", "get"),
        ("CONFIG GET port", "config|get"),
        ("MULTI", "multi"),
        ("INCR a", "incr"),
        ("INCR", "incr"),
        ("CONFIG", "config"),
        ("NOSUCH", "NULL"),
        ("CONFIG NOSUCH", "NULL"),
    ] {
        server.ask_as(bob, line);
        let id = server.core.session(bob).id.0;
        assert_eq!(
            command_told(&server.ask(&format!("CLIENT LIST ID {id}"))),
            named,
            "{line}"
        );
    }
    assert_eq!(command_told(&server.ask("ACL LOG")), "incr");
}

#[test]
fn only_the_destination_that_is_written_counts() {
    let mut server = Server::start();
    let bob = server.connect();
    server.ask("GEOADD places 0 0 here");
    server.ask("ACL SETUSER bob on nopass +@all %R~places %W~own");
    server.ask_as(bob, "AUTH bob x");
    for search in ["GEORADIUS places 0 0 1 km", "GEORADIUSBYMEMBER places here 1 km"] {
        let mut store = |destinations: &str| server.ask_as(bob, &format!("{search} {destinations}"));
        let refused = Some("-NOPERM No permissions to access a key|");
        assert_eq!(store("STORE own STORE other").as_deref(), refused);
        assert_eq!(store("STOREDIST own STOREDIST other").as_deref(), refused);
        assert_eq!(store("STORE other STOREDIST own").as_deref(), Some(":1|"));
    }
    assert_eq!(server.ask("EXISTS own other"), ":1|");
}
