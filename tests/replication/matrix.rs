//! Every pair of servers, with the snapshot by way of the disk or straight through a socket.

use super::support::server::{Binary, Server};
use super::support::wait_until;
use super::{Load, follow, info, must_agree, number, start, wait_until_up};

/// How often the link is cut.
const CUTS: usize = 10;

fn cell(primary: Binary, replica: Binary, diskless: &str) {
    if !primary.available() || !replica.available() {
        return;
    }
    // A machine may keep a server waiting for its disk for many seconds, and no more than partial resyncs are wanted then.
    let setting = [("repl-diskless-sync", diskless), ("repl-backlog-size", "512mb")];
    let (primary, replica) = (start(primary, &setting), start(replica, &setting));
    replica.connect().ask("SET old data");
    let load = Load::on(&primary, 1);
    let mut client = primary.connect();
    load.wait_for(1000);
    follow(&replica, &primary);
    wait_until_up(&replica);
    let full = number(&mut client, "sync_full");
    for cut in 0..CUTS {
        cut_link(&primary, &replica, cut);
    }
    load.stop();
    must_agree(&primary, &replica);
    // Each time it went on where it was.
    assert_eq!(number(&mut client, "sync_full"), full, "{}", primary.log());
    assert!(number(&mut client, "sync_partial_ok") >= CUTS as u64);
    // An acknowledgement is of what the client wrote last.
    client.ask("SET last write");
    assert_eq!(client.ask("WAIT 1 0"), ":1\r\n");
    must_agree(&primary, &replica);
}

/// Cuts the link at one of its ends, and waits until it is up again and has moved.
fn cut_link(primary: &Server, replica: &Server, cut: usize) {
    let (mut at_primary, mut at_replica) = (primary.connect(), replica.connect());
    let resumed = number(&mut at_primary, "sync_partial_ok");
    let answer = match cut % 2 {
        0 => at_replica.ask("CLIENT KILL TYPE master"),
        _ => at_primary.ask("CLIENT KILL TYPE replica"),
    };
    assert_eq!(answer, ":1\r\n");
    wait_until("the link is up again", || {
        number(&mut at_primary, "sync_partial_ok") > resumed && info(&mut at_replica, "master_link_status") == "up"
    });
    let offset = number(&mut at_replica, "master_repl_offset");
    wait_until("the stream goes on", || {
        number(&mut at_replica, "master_repl_offset") > offset
    });
}

#[test]
fn a_real_replica_of_ours_by_disk() {
    cell(Binary::UnderTest, Binary::Redis, "no");
}

#[test]
fn a_real_replica_of_ours_diskless() {
    cell(Binary::UnderTest, Binary::Redis, "yes");
}

#[test]
fn ours_of_a_real_primary_by_disk() {
    cell(Binary::Redis, Binary::UnderTest, "no");
}

#[test]
fn ours_of_a_real_primary_diskless() {
    cell(Binary::Redis, Binary::UnderTest, "yes");
}

/// What the other cells ask for, the real servers do themselves.
#[test]
fn real_ones_among_themselves() {
    cell(Binary::Redis, Binary::Redis, "no");
    cell(Binary::Redis, Binary::Redis, "yes");
}

#[test]
fn ours_of_ours_by_disk() {
    cell(Binary::UnderTest, Binary::UnderTest, "no");
}

#[test]
fn ours_of_ours_diskless() {
    cell(Binary::UnderTest, Binary::UnderTest, "yes");
}

#[test]
fn ours_of_valkey_and_the_other_way() {
    cell(Binary::Valkey, Binary::UnderTest, "yes");
    cell(Binary::UnderTest, Binary::Valkey, "no");
}
