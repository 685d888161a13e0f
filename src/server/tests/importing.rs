//! What `import-mode` keeps, and from whom.

use crate::config::choice::MaxmemoryPolicy;
use crate::server::testing::Server;

#[test]
fn what_is_past_stays_until_the_import_is_over() {
    let mut server = Server::start();
    let other = server.connect();
    server.ask("CONFIG SET import-mode yes");
    server.ask_as(other, "CLIENT IMPORT-SOURCE ON");
    server.ask("SET a 1 PX 10");
    server.ask("SET b 1 PX 10");
    server.ask("HSETEX h PX 10 FIELDS 1 f v");
    assert_eq!(server.at(20).core.next_due(), None, "no tick is wanted");
    assert!(!server.core.expire_due());
    assert_eq!(server.ask("MGET a b"), "*2|$-1|$-1|");
    assert_eq!(server.ask_as(other, "MGET a b").as_deref(), Some("*2|$1|1|$1|1|"));
    assert_eq!(server.ask_as(other, "HGET h f").as_deref(), Some("$1|v|"));
    assert_eq!(server.ask("HGET h f"), "$-1|");
    assert_eq!(server.ask("DBSIZE"), ":3|");
    assert_eq!(server.ask("INCR b"), ":1|", "who writes begins anew");
    server.ask("CONFIG SET import-mode no");
    assert_eq!(server.ask_as(other, "GET a").as_deref(), Some("$-1|"));
    assert!(server.core.next_due().is_some());
    server.expire_due();
    assert_eq!(server.ask("DBSIZE"), ":1|");
}

#[test]
fn the_view_changes_with_the_command_that_asks_for_it() {
    let mut server = Server::start();
    server.core.settings.import_mode = true;
    server.ask("SET a 1 PX 10");
    server.at(20);
    let seen = [
        ("CLIENT IMPORT-SOURCE ON", "$1|1|"),
        ("CLIENT IMPORT-SOURCE OFF", "$-1|"),
        ("CLIENT IMPORT-SOURCE ON", "$1|1|"),
        ("RESET", "$-1|"),
    ];
    for (line, want) in seen {
        server.ask(line);
        assert_eq!(server.ask("GET a"), want, "{line}");
    }
}

#[test]
fn nothing_is_evicted() {
    let mut server = Server::start();
    server.ask("SET a 1");
    server.core.settings.import_mode = true;
    server.core.settings.maxmemory_policy = MaxmemoryPolicy::AllkeysLru;
    server.core.settings.maxmemory = 1;
    assert!(server.ask("SET b 1").starts_with("-OOM "));
    assert!(!server.core.housekeep());
    server.core.settings.import_mode = false;
    server.ask("SET b 1");
    assert_eq!(server.ask("EXISTS a"), ":0|");
}
