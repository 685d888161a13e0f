//! What a primary keeps for its replicas and what they may do on their connection, and what a replica does by itself.

use crate::commands::dump::tests::broken_stream;
use crate::config::choice::{DisklessLoad, Permission};
use crate::config::compound::PrimaryAddress;
use crate::server::core::Effect;
use crate::server::replication::primary::Phase;
use crate::server::session::SessionIndex;
use crate::server::testing::{START, Server};
use crate::timer::Millis;

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

#[test]
fn a_script_that_waits_hears_of_what_its_caller_has_written() {
    let (mut server, replica) = with_replica();
    server.ask("SET a 1");
    assert_eq!(server.core.propagate(), Ok(()));
    let wait = "EVAL return(redis.call('wait','1','0')) 0";
    assert_eq!(server.ask(wait), ":0|");
    let acknowledged = format!("REPLCONF ACK {}", server.core.propagation.offset);
    server.ask_as(replica, &acknowledged);
    assert_eq!(server.ask(wait), ":1|");
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

#[test]
fn a_failover_says_why_it_cannot_begin() {
    let mut server = Server::start();
    assert_eq!(server.ask("FAILOVER"), "-ERR FAILOVER requires connected replicas.|");
    let (mut server, replica) = with_replica();
    let online = |port: u16, server: &mut Server| server.core.replica_of(replica).port = port;
    online(7000, &mut server);
    for (line, error) in [
        ("FAILOVER x", "syntax error"),
        ("FAILOVER TO", "syntax error"),
        ("FAILOVER TO a 1 TO b 2", "syntax error"),
        ("FAILOVER ABORT ABORT", "syntax error"),
        ("FAILOVER ABORT TIMEOUT 1", "syntax error"),
        ("FAILOVER TO a b", "value is not an integer or out of range"),
        ("FAILOVER TIMEOUT 0", "FAILOVER timeout must be greater than 0"),
        ("FAILOVER ABORT", "No failover in progress."),
        (
            "FAILOVER TO a 99999999999",
            "FAILOVER target HOST and PORT is not a replica.",
        ),
        (
            "FAILOVER TO a 1 FORCE",
            "FAILOVER with force option requires both a timeout and target HOST and IP.",
        ),
    ] {
        assert_eq!(server.ask(line), format!("-ERR {error}|"), "{line}");
    }
    assert_eq!(server.ask("FAILOVER"), "+OK|");
    assert_eq!(server.ask("FAILOVER"), "-ERR FAILOVER already in progress.|");
    assert_eq!(
        server.ask("REPLICAOF NO ONE"),
        "-ERR REPLICAOF not allowed while failing over.|"
    );
    assert_eq!(server.ask("FAILOVER ABORT"), "+OK|");
}

#[test]
fn a_failover_holds_writes_back_and_the_offset_still() {
    let (mut server, replica) = with_replica();
    server.core.replica_of(replica).port = 7000;
    server.ask("SET k v");
    server.core.propagate().expect("nothing is logged");
    let client = server.connect();
    assert_eq!(server.ask("FAILOVER TIMEOUT 60000"), "+OK|");
    server.core.propagate().expect("nothing is logged");
    let offset = server.core.propagation.offset;
    assert_eq!(server.ask_as(client, "SET k w"), None, "it waits");
    server.at(30_000).core.each_second();
    assert_eq!(server.core.propagation.offset, offset, "no ping moves the mark");
    server.core.tend_failover();
    assert!(server.core.replication.failover.is_some());
    server.at(60_000).core.tend_failover();
    assert!(server.core.replication.failover.is_none() && !server.core.replication.is_replica());
    assert!(server.core.effects.contains(&Effect::Resume(client)));
}

#[test]
fn a_backlog_stays_within_its_size_when_nobody_reads_it() {
    for size in [16_384, 1 << 20] {
        let (mut server, replica) = with_replica();
        server.ask(&format!("CONFIG SET repl-backlog-size {size}"));
        server.core.forget_replica(replica);
        for _ in 0..6000 {
            server.ask("SET k v");
            server.core.propagate().expect("nothing is logged");
        }
        for _ in 0..60 {
            server.ask(&format!("SET k {}", "x".repeat(50_000)));
            server.core.propagate().expect("nothing is logged");
        }
        for _ in 0..6000 {
            server.ask("SET k v");
            server.core.propagate().expect("nothing is logged");
        }
        let held = server.core.replication.stream.held();
        assert!(held >= size && held < size + size / 2, "{held} bytes of {size}");
    }
}

#[test]
fn a_change_of_places_that_is_given_up_leaves_the_offset_at_the_end_of_the_stream() {
    let (mut server, replica) = with_replica();
    server.core.replica_of(replica).port = 7000;
    assert_eq!(server.ask("FAILOVER"), "+OK|");
    // The replica has everything before it was asked for that.
    server.core.tend_failover();
    assert!(server.core.replication.is_replica());
    assert_eq!(server.ask("FAILOVER ABORT"), "+OK|");
    assert_eq!(server.core.propagation.offset, server.core.replication.stream.end());
}

#[test]
fn nobody_goes_on_with_more_of_the_stream_than_a_replica_may_owe() {
    let (mut server, _lagging) = with_replica();
    server.core.settings.repl_backlog_size = 16384;
    server.ask(&format!("SET k {}", "x".repeat(50_000)));
    server.core.propagate().expect("nothing is logged");
    server.core.settings.client_output_buffer_limit.replica.hard = 20_000;
    assert!(server.core.replication.stream.held() > 50_000, "another needs it");
    let again = server.connect();
    let request = format!("PSYNC {} 1", server.core.replication.id);
    assert_eq!(
        server.ask_as(again, &request).as_deref(),
        Some(""),
        "a snapshot follows"
    );
}

#[test]
fn what_replicas_owe_evicts_no_keys() {
    crate::memory::claim_serving_thread();
    let (mut server, replica) = with_replica();
    server.ask("CONFIG SET repl-backlog-size 16384");
    server.ask(&format!("SET k {}", "x".repeat(50_000)));
    server.core.propagate().expect("nothing is logged");
    let figure = |server: &mut Server, field: &str| super::loading::figure(server, field);
    let before = figure(&mut server, "mem_not_counted_for_evict");
    server.ask("CONFIG SET maxmemory-policy allkeys-random");
    server.core.settings.maxmemory = (crate::memory::used() + 300_000) as u64;
    for _ in 0..100 {
        assert_eq!(server.ask(&format!("SET k {}", "x".repeat(50_000))), "+OK|");
        server.core.propagate().expect("nothing is logged");
    }
    assert_eq!(server.core.stats.evicted_keys, 0);
    assert!(crate::memory::used() as u64 > server.core.settings.maxmemory + 4_000_000);
    assert!(figure(&mut server, "mem_not_counted_for_evict") > before + 4_000_000);
    assert!(figure(&mut server, "mem_clients_slaves") > 4_000_000);
    assert!(figure(&mut server, "mem_replication_backlog") < 200_000);
    assert!(figure(&mut server, "mem_total_replication_buffers") > 4_000_000);
    server.core.ask_close(replica, true);
    server.core.close(replica);
    assert_eq!(figure(&mut server, "mem_clients_slaves"), 0);
    assert!(crate::memory::used() as u64 <= server.core.settings.maxmemory);
}

#[test]
fn debug_replicate_speaks_to_replicas_alone() {
    let (mut server, _) = with_replica();
    server.ask("SET k v");
    server.core.propagate().expect("nothing is logged");
    let position = server.core.replication.stream.end();
    server.core.settings.enable_debug_command = Permission::Yes;
    assert_eq!(server.ask("DEBUG REPLICATE no-such-command a"), "+OK|");
    server.core.propagate().expect("nothing is logged");
    let said = server.core.replication.stream.at(position).expect("it is kept");
    assert_eq!(said, b"*2\r\n$15\r\nno-such-command\r\n$1\r\na\r\n");
    assert_eq!(server.core.propagation.offset, server.core.replication.stream.end());
}

/// A server that has its data from a primary, and the link to that, on which the stream has begun.
pub(super) fn as_replica() -> (Server, SessionIndex) {
    let mut former = Server::start();
    former.ask("SET p 1");
    former.ask("SAVE");
    let snapshot = former.host.bytes("dump.rdb").expect("it was saved");
    let mut server = Server::start();
    server.core.replicate(primary("primary"));
    let head = format!("+FULLRESYNC {} 0\r\n${}\r\n", "1".repeat(40), snapshot.len());
    let link = answer(&mut server, &head);
    assert_eq!(server.core.take_from_primary(&snapshot), snapshot.len());
    while server.core.loading.is_none() {
        server.core.store_snapshot();
    }
    while server.core.load_slice().expect("it is whole") {}
    assert!(server.core.replication.is_link_up());
    // What it has said to the primary.
    server.take_reply_of(link);
    (server, link)
}

#[test]
fn what_clients_of_a_replica_have_written_expires() {
    let (mut server, link) = as_replica();
    assert_eq!(server.ask("CONFIG SET replica-read-only no"), "+OK|");
    let in_ten = START + 10;
    server.ask("SELECT 5");
    server.ask("SET mine 1 PX 10");
    server.ask("SET other 1 PX 10");
    server.ask("RENAME other renamed");
    server.ask("RPUSH list 1 2");
    server.ask("PEXPIRE list 10");
    server.ask("HSET hash f 1 g 2");
    server.ask("HPEXPIRE hash 10 FIELDS 1 f");
    server.ask("SET later 1 PX 10");
    server.ask("PEXPIRE later 1000");
    server.ask("SET kept 1 PX 10");
    server.ask("PERSIST kept");
    // What the primary has written last is for it to delete.
    server.ask("SET theirs 1 PX 10");
    server.ask_as(link, "SELECT 5");
    server.ask_as(link, &format!("SET theirs 2 PXAT {in_ten}"));
    assert_eq!(super::loading::figure(&mut server, "slave_expires_tracked_keys"), 5);
    assert_eq!(server.core.next_due(), Some(Millis(in_ten)));
    server.at(11).core.active_expire = false;
    server.expire_due();
    assert_eq!(server.ask("DBSIZE"), ":7|");
    server.core.active_expire = true;
    server.expire_due();
    // hash, kept, later, theirs
    assert_eq!(server.ask("DBSIZE"), ":4|");
    assert_eq!(server.ask("HLEN hash"), ":1|");
    assert_eq!(server.core.next_due(), Some(Millis(START + 1000)));
    server.at(1001).expire_due();
    assert_eq!(server.ask("DBSIZE"), ":3|");
    assert_eq!(server.ask("EXISTS hash kept theirs"), ":2|");
    assert_eq!(super::loading::figure(&mut server, "slave_expires_tracked_keys"), 0);
    // As a primary it expires everything.
    server.core.become_primary();
    server.expire_due();
    assert_eq!(server.ask("DBSIZE"), ":2|");
}

#[test]
fn a_command_of_the_primarys_that_fails_is_counted() {
    let (mut server, link) = as_replica();
    for (line, count) in [
        ("INCR p", 0),
        ("NOSUCH", 1),
        ("LPUSH p 1", 2),
        ("SET", 3),
        ("MULTI", 3),
        ("LPUSH p 1", 3),
        ("EXEC", 4),
    ] {
        assert_eq!(server.ask_as(link, line).as_deref(), Some(""), "{line}");
        assert_eq!(server.core.stats.unexpected_error_replies, count, "{line}");
    }
    assert!(!has_aborted(&server));
    server.ask("CONFIG SET propagation-error-behavior panic-on-replicas");
    server.ask("CONFIG SET replica-read-only no");
    server.ask_as(link, "LPUSH p 1");
    assert!(!has_aborted(&server), "who writes to it himself has to expect that");
    server.ask("CONFIG SET replica-read-only yes");
    server.ask("LPUSH p 1");
    assert!(!has_aborted(&server));
    server.ask_as(link, "LPUSH p 1");
    assert!(has_aborted(&server));
}

#[test]
fn with_clients_to_be_checked_the_primary_is_trusted() {
    let (mut server, link) = as_replica();
    let broken = broken_stream(&mut Server::start());
    for (setting, is_taken) in [("yes", false), ("clients", true), ("no", true)] {
        server.ask(&format!("CONFIG SET sanitize-dump-payload {setting}"));
        server.run_as(link, &[b"RESTORE", b"s", b"0", &broken, b"REPLACE"]);
        server.take_reply_of(link);
        assert_eq!(server.ask("EXISTS s"), format!(":{}|", u8::from(is_taken)), "{setting}");
    }
}

fn has_aborted(server: &Server) -> bool {
    let effects = &server.core.effects;
    effects.iter().any(|effect| matches!(effect, Effect::Abort(_)))
}

#[test]
fn a_pause_holds_the_primarys_writes_back() {
    let (mut server, link) = as_replica();
    server.ask("CLIENT PAUSE 1000 WRITE");
    assert_eq!(server.ask_as(link, "PING").as_deref(), Some(""));
    assert_eq!(server.ask_as(link, "MULTI").as_deref(), Some(""));
    assert_eq!(server.ask_as(link, "SET p 2"), None);
    assert_eq!(server.ask("GET p"), "$1|1|");
    server.ask("CLIENT UNPAUSE");
    assert!(server.core.effects.contains(&Effect::Resume(link)));
    for line in ["SET p 2", "EXEC"] {
        assert_eq!(server.ask_as(link, line).as_deref(), Some(""));
    }
    assert_eq!(server.ask("GET p"), "$1|2|");
}

#[test]
fn a_snapshot_for_replicas_that_are_gone_is_given_up() {
    for (save, saves) in [("", 0), ("900 1", 1)] {
        let mut server = Server::start();
        assert_eq!(server.run(&[b"CONFIG", b"SET", b"save", save.as_bytes()]), "+OK|");
        let replicas = [server.connect(), server.connect()];
        for replica in replicas {
            assert_eq!(server.ask_as(replica, "PSYNC ? -1").as_deref(), Some(""));
        }
        server.core.propagate().expect("nothing is logged");
        for replica in replicas {
            assert!(server.core.snapshots.running.is_some());
            assert!(server.ask("INFO replication").contains("state=wait_bgsave"));
            server.core.ask_close(replica, true);
            server.core.close(replica);
        }
        server.core.look_at_child();
        assert_eq!(server.core.snapshots.saves, saves, "{save}");
        assert!(server.core.snapshots.running.is_none());
    }
}

#[test]
fn replicas_of_a_snapshot_in_a_pipe_wait_for_the_child() {
    let mut server = Server::start();
    server.ask("CONFIG SET repl-diskless-sync-delay 0");
    let replica = server.connect();
    server.ask_as(replica, "REPLCONF capa eof");
    assert_eq!(server.ask_as(replica, "PSYNC ? -1").as_deref(), Some(""));
    server.core.propagate().expect("nothing is logged");
    let info = server.ask("INFO replication");
    assert!(info.contains("state=wait_bgsave"), "{info}");
    assert!(matches!(server.core.replica_of(replica).phase, Phase::Piping { .. }));
}

/// Lets a primary answer that was dialled, as far as to `last`, its answer to PSYNC and what follows.
pub(super) fn answer(server: &mut Server, last: &str) -> SessionIndex {
    let link = server.connect();
    server.core.primary_answered(link);
    let bytes = format!("+PONG\r\n{}{last}", "+OK\r\n".repeat(3));
    assert_eq!(server.core.take_from_primary(bytes.as_bytes()), bytes.len());
    link
}

pub(super) fn primary(host: &str) -> PrimaryAddress {
    PrimaryAddress {
        host: host.into(),
        port: 6379,
    }
}

#[test]
fn data_are_of_their_history_until_a_snapshot_takes_their_place() {
    let (mut server, _) = as_replica();
    let known = server.core.replication.id.clone();
    server.core.replicate(primary("another"));
    let snapshot = format!("+FULLRESYNC {} 100\r\n$1000\r\nREDIS", "2".repeat(40));
    answer(&mut server, &snapshot);
    server.core.replicate(primary("primary"));
    let link = answer(&mut server, "");
    let said = server.take_reply_of(link);
    assert!(said.ends_with(&format!("*3|$5|PSYNC|$40|{known}|$1|1|")), "{said}");
}

#[test]
fn what_must_stay_while_data_are_loaded_stays_also_while_they_come() {
    let (mut server, _) = as_replica();
    server.core.settings.repl_diskless_load = DisklessLoad::Swapdb;
    server.core.drop_link("the test wants another snapshot");
    let id = server.core.replication.id.clone();
    answer(&mut server, &format!("+FULLRESYNC {id} 100\r\n$1000\r\nREDIS"));
    for line in ["CONFIG SET appendonly no", "REPLICAOF NO ONE"] {
        let reply = server.ask(line);
        assert!(reply.starts_with("-LOADING "), "{line}: {reply}");
    }
    assert_eq!(server.ask("GET p"), "$1|1|");
}

#[test]
fn clients_that_can_go_there_are_sent_to_the_primary() {
    let mut server = Server::start();
    server.ask("SET k v");
    server.ask("RPUSH l a");
    let mut clients = [(); 5].map(|()| server.connect());
    let [plain, all, reads, alone, writer] = &mut clients;
    let waits = [
        (&*plain, "", "BLPOP q 0"),
        (all, "CLIENT CAPA other redirect", "BLPOP q 0"),
        (reads, "CLIENT CAPA REDIRECT", "XREAD BLOCK 0 STREAMS s $"),
        (alone, "CLIENT CAPA redirect", "WAIT 1 0"),
    ];
    for (client, capable, wait) in waits {
        let no_cluster = "-ERR This instance has cluster support disabled|";
        assert_eq!(server.ask_as(*client, "READONLY").as_deref(), Some(no_cluster));
        if !capable.is_empty() {
            assert_eq!(server.ask_as(*client, capable).as_deref(), Some("+OK|"));
        }
        if client == reads {
            assert_eq!(server.ask_as(*client, "READONLY").as_deref(), Some("+OK|"));
        }
        assert_eq!(server.ask_as(*client, wait).as_deref(), Some(""));
    }
    server.core.replicate(PrimaryAddress {
        host: "10.0.0.1".into(),
        port: 6379,
    });
    let unblocked = "-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)|";
    assert_eq!(server.take_reply_of(*plain), unblocked);
    assert_eq!(server.take_reply_of(*all), "-REDIRECT 10.0.0.1:6379|");
    assert_eq!(server.take_reply_of(*reads), "", "its reads are of what is here");
    assert_eq!(server.take_reply_of(*alone), unblocked);
    let is_closing = |server: &mut Server, index| server.core.session(index).closing;
    assert!(is_closing(&mut server, *plain) && !is_closing(&mut server, *all) && !is_closing(&mut server, *reads));

    let dialogue = [
        ("GET k", "$1|v|"),
        ("SET k w", "-READONLY You can't write against a read only replica.|"),
        ("CLIENT CAPA redirect", "+OK|"),
        ("GET k", "-REDIRECT 10.0.0.1:6379|"),
        ("SET k w", "-REDIRECT 10.0.0.1:6379|"),
        ("SET k", "-ERR wrong number of arguments for 'set' command|"),
        ("PING", "+PONG|"),
        ("PUBLISH c m", ":0|"),
        ("EVAL return(1) 0", ":1|"),
        ("MULTI", "+OK|"),
        ("GET k", "-REDIRECT 10.0.0.1:6379|"),
        ("EXEC", "-EXECABORT Transaction discarded because of previous errors.|"),
        ("READONLY", "+OK|"),
        ("GET k", "$1|v|"),
        ("SET k w", "-REDIRECT 10.0.0.1:6379|"),
        ("MULTI", "+OK|"),
        ("GET k", "+QUEUED|"),
        ("EXEC", "*1|$1|v|"),
        ("READWRITE", "+OK|"),
        ("GET k", "-REDIRECT 10.0.0.1:6379|"),
        ("READONLY", "+OK|"),
        ("RESET", "+RESET|"),
        ("GET k", "-REDIRECT 10.0.0.1:6379|"),
    ];
    for (line, want) in dialogue {
        assert_eq!(server.ask_as(*writer, line).as_deref(), Some(want), "{line}");
    }
    server.core.become_primary();
    assert_eq!(server.ask_as(*writer, "SET k w").as_deref(), Some("+OK|"));
    // What was queued before the roles changed runs nowhere, and there is nothing left to end.
    server.ask_as(*writer, "MULTI");
    server.ask_as(*writer, "SET k x");
    server.ask("REPLICAOF 10.0.0.1 6379");
    for (line, want) in [
        ("EXEC", "-REDIRECT 10.0.0.1:6379|"),
        ("EXEC", "-ERR EXEC without MULTI|"),
    ] {
        assert_eq!(server.ask_as(*writer, line).as_deref(), Some(want));
    }
}
