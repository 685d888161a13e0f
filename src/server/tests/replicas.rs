//! What replicas may do on their connection.

use crate::server::core::Effect;
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
