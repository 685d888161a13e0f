//! What replicas may do on their connection.

use crate::server::core::Effect;
use crate::server::session::SessionIndex;
use crate::server::testing::Server;

#[test]
fn a_replica_that_asks_for_anything_else_is_let_go() {
    for line in ["PING", "GET k", "XINFO HELP", "NOSUCH", "REPLCONF capa eof"] {
        let mut server = Server::start();
        let replica = server.connect();
        assert_eq!(server.ask_as(replica, "REPLCONF capa psync2").as_deref(), Some("+OK|"));
        assert_eq!(server.ask_as(replica, "PSYNC ? -1").as_deref(), Some(""));
        assert_eq!(server.ask_as(replica, "REPLCONF ACK 0").as_deref(), Some(""));
        assert!(
            !server
                .core
                .effects
                .iter()
                .any(|effect| matches!(effect, Effect::Close(_)))
        );
        assert_eq!(
            server.ask_as(replica, line).as_deref(),
            Some(""),
            "{line}: it would stand in the stream"
        );
        assert!(
            server
                .core
                .effects
                .iter()
                .any(|effect| matches!(effect, Effect::Close(_))),
            "{line}"
        );
    }
}

/// A server with a replica that has everything up to now.
fn with_replica() -> (Server, SessionIndex) {
    let mut server = Server::start();
    server.core.replication.id = "1".repeat(40);
    server.core.replication.stream.begin(0);
    server.core.propagation.is_on = true;
    let replica = server.connect();
    let request = format!("PSYNC {} 1", server.core.replication.id);
    assert_eq!(server.ask_as(replica, &request).as_deref(), Some("+CONTINUE|"));
    (server, replica)
}

fn is_closing(server: &Server) -> bool {
    let effects = &server.core.effects;
    effects.iter().any(|effect| matches!(effect, Effect::Close(_)))
}

#[test]
fn what_the_backlog_keeps_anyway_is_no_reason_to_let_a_replica_go() {
    let (mut server, _) = with_replica();
    server.ask("CONFIG SET repl-backlog-size 100000");
    server.core.settings.client_output_buffer_limit.replica.hard = 1000;
    server.ask(&format!("SET k {}", "x".repeat(50_000)));
    server.core.propagate().expect("nothing is logged");
    assert!(!is_closing(&server));
    server.ask(&format!("SET k {}", "x".repeat(50_000)));
    server.core.propagate().expect("nothing is logged");
    assert!(is_closing(&server));
}

#[test]
fn what_only_a_lost_replica_needed_is_dropped() {
    let (mut server, replica) = with_replica();
    server.ask("CONFIG SET repl-backlog-size 16384");
    for _ in 0..20 {
        server.ask(&format!("SET k {}", "x".repeat(50_000)));
        server.core.propagate().expect("nothing is logged");
    }
    assert!(server.core.replication.stream.held() > 1_000_000);
    server.core.forget_replica(replica);
    assert!(server.core.replication.stream.held() < 100_000);
}
