//! What a server does in its role, and when the role changes.

use super::support::server::{Binary, Server};
use super::support::wait_until;
use super::{Load, digest, follow, info, must_agree, number, start, wait_until_up};

const OURS: Binary = Binary::UnderTest;

/// Gives a primary data in which nothing expires: the stream says no more when this is over.
fn fill(primary: &Server) {
    let mut client = primary.connect();
    for n in 0..300 {
        client.ask(&format!("SELECT {}", n % 3));
        client.ask(&format!("SET s:{n} value:{n}"));
        client.ask(&format!("RPUSH l:{} {n} {n}", n % 50));
        client.ask(&format!("SPOP m:{}", n % 20));
        client.ask(&format!("SADD m:{} {n}", n % 20));
        client.ask(&format!("INCR n:{}", n % 20));
    }
}

#[test]
fn a_replica_of_a_replica_has_the_first_ones_stream() {
    let servers = [OURS, Binary::Redis, OURS].map(|binary| binary.available().then(|| start(binary, &[])));
    let [Some(first), Some(second), Some(third)] = servers else {
        return;
    };
    follow(&second, &first);
    wait_until_up(&second);
    follow(&third, &second);
    wait_until_up(&third);
    let load = Load::on(&first, 7);
    let mut client = third.connect();
    wait_until("it arrives", || number(&mut client, "master_repl_offset") > 50_000);
    load.stop();
    must_agree(&first, &second);
    must_agree(&first, &third);
}

#[test]
fn who_is_promoted_goes_on_with_the_others() {
    let [first, second, third] = [(); 3].map(|()| start(OURS, &[]));
    follow(&second, &first);
    follow(&third, &first);
    wait_until_up(&second);
    wait_until_up(&third);
    let mut client = second.connect();
    fill(&first);
    must_agree(&first, &second);
    must_agree(&first, &third);
    assert_eq!(client.ask("REPLICAOF NO ONE"), "+OK\r\n");
    assert_eq!(info(&mut client, "role"), "master");
    client.ask("SET new primary");
    // Both the former primary and the other replica have its history, and need no snapshot.
    follow(&first, &second);
    follow(&third, &second);
    wait_until_up(&first);
    wait_until_up(&third);
    must_agree(&second, &first);
    must_agree(&second, &third);
    assert_eq!(number(&mut client, "sync_full"), 0, "{}", second.log());
    assert_eq!(number(&mut client, "sync_partial_ok"), 2);
    assert_eq!(first.connect().ask("GET new"), "$7\r\nprimary\r\n");
}

#[test]
fn a_replica_refuses_writes_and_shows_no_expired_keys() {
    let (primary, replica) = (start(OURS, &[]), start(OURS, &[]));
    follow(&replica, &primary);
    wait_until_up(&replica);
    let (mut one, mut other) = (primary.connect(), replica.connect());
    one.ask("DEBUG SET-ACTIVE-EXPIRE 0");
    one.ask("SET short lived PX 30");
    one.ask("SET long lived");
    assert_eq!(one.ask("WAIT 1 0"), ":1\r\n");
    wait_until("the key is past its deadline", || other.ask("GET short") == "$-1\r\n");
    // The primary has not deleted it, so it is still there for whoever only counts.
    assert_eq!(other.ask("DBSIZE"), ":2\r\n");
    assert_eq!(one.ask("EXISTS short"), ":0\r\n");
    wait_until("the deletion arrives", || other.ask("DBSIZE") == ":1\r\n");
    let refusal = "-READONLY You can't write against a read only replica.\r\n";
    assert_eq!(other.ask("SET a b"), refusal);
    assert_eq!(other.ask("GET long"), "$5\r\nlived\r\n");
    other.ask("CONFIG SET replica-read-only no");
    assert_eq!(other.ask("SET a b"), "+OK\r\n");
}

#[test]
fn min_replicas_to_write_is_kept() {
    let (primary, replica) = (start(OURS, &[("min-replicas-to-write", "1")]), start(OURS, &[]));
    let mut client = primary.connect();
    assert_eq!(
        client.ask("SET a b"),
        "-NOREPLICAS Not enough good replicas to write.\r\n"
    );
    follow(&replica, &primary);
    wait_until("there is a good replica", || client.ask("SET a b") == "+OK\r\n");
}

#[test]
fn stale_data_are_served_or_not() {
    let (primary, replica) = (start(OURS, &[]), start(OURS, &[]));
    primary.connect().ask("SET a b");
    follow(&replica, &primary);
    wait_until_up(&replica);
    let mut client = replica.connect();
    drop(primary);
    wait_until("the link is down", || info(&mut client, "master_link_status") == "down");
    assert_eq!(client.ask("GET a"), "$1\r\nb\r\n");
    client.ask("CONFIG SET replica-serve-stale-data no");
    assert_eq!(
        client.ask("GET a"),
        "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n"
    );
    assert_eq!(
        client.ask("PING"),
        "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n"
    );
}

#[test]
fn a_replica_keeps_its_own_log() {
    let (primary, replica) = (start(OURS, &[]), start(OURS, &[("appendonly", "yes")]));
    follow(&replica, &primary);
    wait_until_up(&replica);
    let mut client = replica.connect();
    fill(&primary);
    must_agree(&primary, &replica);
    wait_until("the log has its base", || {
        info(&mut client, "aof_rewrite_in_progress") == "0"
    });
    let (before, mut waiting) = (digest(&replica), primary.connect());
    waiting.ask("SET durable write");
    assert_eq!(waiting.ask("WAITAOF 0 1 0"), "*2\r\n:0\r\n:1\r\n");
    assert_ne!(digest(&replica), before);
    let (expected, settings) = (digest(&replica), [("appendonly", "yes"), super::DEBUGGING]);
    let dir = replica.kill();
    let replica = Server::start_in(OURS, &settings, dir);
    assert_eq!(digest(&replica), expected);
}

/// Who is started again from a snapshot goes on in the history that it tells of, at either end of the link.
fn goes_on_after_a_restart(first: Binary, second: Binary) {
    if !first.available() || !second.available() {
        return;
    }
    // Whatever the primary says behind its last save is lost with it, and the replica ahead.
    let no_pings = [("repl-ping-replica-period", "3600")];
    let (primary, replica) = (start(first, &no_pings), start(second, &no_pings));
    follow(&replica, &primary);
    wait_until_up(&replica);
    fill(&primary);
    primary.connect().ask("SET short lived PX 1");
    must_agree(&primary, &replica);

    assert_eq!(replica.connect().ask("SAVE"), "+OK\r\n");
    let dir = replica.kill();
    primary.connect().ask("SET while away");
    let address = format!("127.0.0.1 {}", primary.port());
    let replica = Server::start_in(second, &[super::DEBUGGING, ("replicaof", &address)], dir);
    wait_until_up(&replica);
    must_agree(&primary, &replica);
    let mut at_primary = primary.connect();
    assert_eq!(number(&mut at_primary, "sync_full"), 1, "{}", primary.log());
    assert_eq!(number(&mut at_primary, "sync_partial_ok"), 1);

    assert_eq!(at_primary.ask("SAVE"), "+OK\r\n");
    let dir = primary.kill();
    let primary = Server::start_in(first, &[super::DEBUGGING], dir);
    primary.connect().ask("SET new times");
    follow(&replica, &primary);
    wait_until_up(&replica);
    must_agree(&primary, &replica);
    let mut at_primary = primary.connect();
    assert_eq!(number(&mut at_primary, "sync_full"), 0, "{}", primary.log());
    assert_eq!(number(&mut at_primary, "sync_partial_ok"), 1);
}

#[test]
fn ours_go_on_after_a_restart() {
    goes_on_after_a_restart(OURS, OURS);
}

#[test]
fn ours_and_a_real_one_go_on_after_a_restart() {
    goes_on_after_a_restart(OURS, Binary::Redis);
    goes_on_after_a_restart(Binary::Redis, OURS);
}

#[test]
fn a_replica_whose_writes_are_paused_stands_still() {
    let (primary, replica) = (start(OURS, &[("repl-ping-replica-period", "3600")]), start(OURS, &[]));
    follow(&replica, &primary);
    wait_until_up(&replica);
    let (mut one, mut other) = (primary.connect(), replica.connect());
    one.ask("SET before pause");
    must_agree(&primary, &replica);
    let offset = number(&mut other, "slave_repl_offset");
    assert_eq!(other.ask("CLIENT PAUSE 100000 WRITE"), "+OK\r\n");
    for n in 0..10 {
        one.ask("MULTI");
        one.ask(&format!("SET a:{n} {}", "x".repeat(100_000)));
        one.ask(&format!("SET b:{n} 1"));
        one.ask("EXEC");
    }
    let said = number(&mut one, "master_repl_offset");
    wait_until("all of it is read", || {
        number(&mut other, "slave_read_repl_offset") == said
    });
    assert_eq!(number(&mut other, "slave_repl_offset"), offset);
    assert_eq!(other.ask("DBSIZE"), ":1\r\n");
    assert_eq!(other.ask("CLIENT UNPAUSE"), "+OK\r\n");
    must_agree(&primary, &replica);
    assert_eq!(number(&mut other, "slave_repl_offset"), said);
    assert_eq!(info(&mut other, "master_link_status"), "up");
    assert_eq!(number(&mut one, "sync_full"), 1);
}

/// What scripts have changed, some of them for ticks, is on replicas of ours and of Redis's, at the same offset.
#[test]
fn replicas_have_what_scripts_have_done() {
    let servers = [OURS, OURS, Binary::Redis].map(|binary| binary.available().then(|| start(binary, &[])));
    let [Some(primary), Some(ours), Some(theirs)] = servers else {
        return;
    };
    for replica in [&ours, &theirs] {
        follow(replica, &primary);
        wait_until_up(replica);
    }
    let scripts = [
        "for i = 1, 20 do redis.call('rpush', KEYS[1], math.random(), redis.call('time')[2]) end",
        "redis.call('select', 3) redis.call('set', KEYS[1], ARGV[1], 'ex', 1000) return redis.call('spop', 'm')",
        "redis.call('sadd', 'm', ARGV[1], 'x') for i = 1, 3000000 do end return redis.call('incr', 'n')",
        "redis.set_repl(redis.REPL_NONE) redis.call('incr', 'own') redis.set_repl(redis.REPL_ALL) redis.call('del', 'own')",
    ];
    let mut client = primary.connect();
    for round in 0..20 {
        let (key, value) = (format!("k:{}", round % 7), round.to_string());
        for script in scripts {
            let reply = client.call(&["EVAL", script, "1", &key, &value]).expect("an answer");
            assert!(!reply.starts_with(b"-"), "{}", String::from_utf8_lossy(&reply));
        }
    }
    must_agree(&primary, &ours);
    must_agree(&primary, &theirs);
}
