//! Scripts that do not end in their slice, on a core with a clock of its own.

use std::time::Duration;

use crate::config::choice::AppendFsync;
use crate::host::memory::MemoryHost;
use crate::scripting::Kind;
use crate::server::session::SessionIndex;
use crate::server::testing::{START, Server};

/// A server whose scripts have no time: they stop wherever they are looked at.
fn hasty() -> Server {
    let mut server = Server::start();
    let engine = server.core.scripts.engine(Kind::Scripts).expect("an engine");
    engine.set_slice(Duration::ZERO);
    server
}

/// A script that is looked at some times before it sets `k`, and then some more.
const LONG: &str = "for i = 1, 30000 do end redis.call('set', 'k', redis.call('time')[1]) for i = 1, 30000 do end \
                    redis.call('incr', 'k') return 'done'";

fn eval(server: &mut Server, session: SessionIndex, script: &str) -> String {
    server.run_as(session, &[b"EVAL", script.as_bytes(), b"0"]);
    server.take_reply_of(session)
}

/// Gives the script its slices until it has ended, and says how many it took.
fn finish(server: &mut Server) -> usize {
    let mut slices = 1;
    while server.core.go_on_with_script() {
        slices += 1;
        assert!(slices < 10_000, "it goes on and on");
    }
    slices
}

const CLIENT: SessionIndex = SessionIndex(0);

#[test]
fn a_long_script_goes_on_in_slices() {
    let mut server = hasty();
    assert_eq!(eval(&mut server, CLIENT, LONG), "");
    assert!(server.core.scripts.is_running());
    assert!(finish(&mut server) > 2);
    assert_eq!(server.take_reply_of(CLIENT), "$4|done|");
    assert!(!server.core.scripts.is_running());
    assert_eq!(server.ask("EXISTS k"), ":1|");
    let stats = server.ask("INFO commandstats");
    assert!(stats.contains("cmdstat_eval:calls=1,"), "{stats}");
}

#[test]
fn others_wait_and_are_told_at_last() {
    let mut server = hasty();
    let other = server.connect();
    server.core.settings.busy_reply_threshold = 100;
    eval(&mut server, CLIENT, "while true do end");
    assert_eq!(server.ask_as(other, "PING"), None, "held");
    assert!(server.core.go_on_with_script());
    server.at(99);
    assert!(server.core.go_on_with_script());
    server.at(100);
    assert!(server.core.go_on_with_script());
    let busy = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.|";
    assert_eq!(server.ask_as(other, "PING").as_deref(), Some(busy));
    assert_eq!(server.ask_as(other, "SHUTDOWN").as_deref(), Some(busy));
    assert_eq!(server.ask_as(other, "MULTI").as_deref(), Some("+OK|"));
    assert_eq!(server.ask_as(other, "PING").as_deref(), Some(busy));
    let aborted = format!("-EXECABORT Transaction discarded because of: {}", &busy[1..]);
    assert_eq!(server.ask_as(other, "EXEC").as_deref(), Some(&*aborted));
    assert_eq!(server.ask_as(other, "SCRIPT KILL").as_deref(), Some("+OK|"));
    finish(&mut server);
    let killed = server.take_reply_of(CLIENT);
    assert!(
        killed.starts_with("-ERR Script killed by user with SCRIPT KILL..."),
        "{killed}"
    );
    assert_eq!(server.ask_as(other, "PING").as_deref(), Some("+PONG|"));
}

#[test]
fn what_has_written_is_not_killed() {
    let mut server = hasty();
    let other = server.connect();
    eval(
        &mut server,
        CLIENT,
        "redis.call('set', 'k', 1) for i = 1, 50000 do end return 1",
    );
    let refused = server.ask_as(other, "SCRIPT KILL").expect("an answer");
    assert!(refused.starts_with("-UNKILLABLE"), "{refused}");
    finish(&mut server);
    assert_eq!(server.take_reply_of(CLIENT), ":1|");
}

#[test]
fn the_clock_stands_still_and_nothing_expires() {
    let mut server = hasty();
    server.ask("SET v x PX 10");
    eval(
        &mut server,
        CLIENT,
        "for i = 1, 50000 do end return {redis.call('get', 'v'), redis.call('time')[1]}",
    );
    let before = server.ask_as(CLIENT, "PING");
    assert_eq!(before, None);
    server.at(5000);
    assert!(!server.core.expire_due());
    finish(&mut server);
    let reply = server.take_reply_of(CLIENT);
    assert!(reply.starts_with("*2|$1|x|"), "{reply}");
    assert_eq!(server.core.now().0, START + 5000);
    assert_eq!(server.ask("GET v"), "$-1|");
}

#[test]
fn all_of_it_is_one_unit() {
    let mut server = hasty();
    server.core.propagation.is_on = true;
    server.ask("SET a 1");
    server.core.propagation.clear_stream();
    eval(
        &mut server,
        CLIENT,
        "redis.call('set', 'k', 1) for i = 1, 50000 do end redis.call('incr', 'k') return 1",
    );
    assert!(server.core.propagation.stream.is_empty());
    assert!(server.core.go_on_with_script() || !server.core.scripts.is_running());
    finish(&mut server);
    let stream = String::from_utf8_lossy(&server.core.propagation.stream).replace("\r\n", " ");
    assert_eq!(stream, "*1 $5 MULTI *3 $3 set $1 k $1 1 *2 $4 incr $1 k *1 $4 EXEC ");
}

#[test]
fn a_script_says_who_hears_of_its_changes() {
    let mut server = Server::start();
    server.core.propagation.is_on = true;
    server.ask("SET a 1");
    server.core.propagation.clear_stream();
    let offset = server.core.propagation.offset;
    let script = "redis.set_repl(redis.REPL_NONE) redis.call('set', 'n', 1) \
                  redis.set_repl(redis.REPL_AOF) redis.call('set', 'l', 1) \
                  redis.set_repl(redis.REPL_REPLICA) redis.call('set', 'r', 1)";
    eval(&mut server, CLIENT, script);
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("\r\n", " ");
    let fed: Vec<u8> = server.core.propagation.unfed().flatten().copied().collect();
    assert_eq!(shown(&fed), "*1 $5 MULTI *3 $3 set $1 r $1 1 *1 $4 EXEC ");
    assert_eq!(server.core.propagation.offset - offset, fed.len() as u64);
    let mut log = Vec::new();
    server.core.propagation.take_stream(&mut log);
    assert_eq!(shown(&log), "*1 $5 MULTI *3 $3 set $1 l $1 1 *1 $4 EXEC ");
}

#[test]
fn a_transaction_goes_on_behind_its_script() {
    let mut server = hasty();
    server.core.propagation.is_on = true;
    server.ask("SET a 1");
    server.core.propagation.clear_stream();
    server.ask("MULTI");
    server.ask("SET b 1");
    let script = "for i = 1, 50000 do end redis.call('set', 'c', 1) return 'x'";
    assert_eq!(eval(&mut server, CLIENT, script), "+QUEUED|");
    assert_eq!(eval(&mut server, CLIENT, script), "+QUEUED|");
    server.ask("INCR b");
    let begun = server.ask("EXEC");
    finish(&mut server);
    let rest = server.take_reply_of(CLIENT);
    assert_eq!(format!("{begun}{rest}"), "*4|+OK|$1|x|$1|x|:2|");
    let stream = String::from_utf8_lossy(&server.core.propagation.stream).replace("\r\n", " ");
    assert_eq!(
        stream,
        "*1 $5 MULTI *3 $3 SET $1 b $1 1 *3 $3 set $1 c $1 1 *3 $3 set $1 c $1 1 *2 $4 INCR $1 b *1 $4 EXEC "
    );
    let stats = server.ask("INFO commandstats");
    assert!(stats.contains("cmdstat_exec:calls=1,"), "{stats}");
}

#[test]
fn the_client_may_leave() {
    let mut server = hasty();
    let other = server.connect();
    eval(&mut server, other, LONG);
    server.core.close(other);
    // Its place is another's by now.
    assert_eq!(server.connect(), other);
    finish(&mut server);
    assert_eq!(server.take_reply_of(other), "");
    assert_eq!(server.ask("EXISTS k"), ":1|");
}

#[test]
fn keys_that_a_script_fills_are_waited_for_until_it_ends() {
    let mut server = hasty();
    let other = server.connect();
    server.ask_as(other, "BLPOP l 0");
    eval(
        &mut server,
        CLIENT,
        "redis.call('lpush', 'l', 'a') for i = 1, 50000 do end redis.call('del', 'l') return 1",
    );
    assert_eq!(server.take_reply_of(other), "");
    finish(&mut server);
    assert_eq!(server.take_reply_of(other), "", "the list has gone again");
    eval(
        &mut server,
        CLIENT,
        "redis.call('lpush', 'l', 'a') for i = 1, 50000 do end redis.call('lpush', 'l', 'b') return 1",
    );
    finish(&mut server);
    assert_eq!(server.take_reply_of(other), "*2|$1|l|$1|b|");
}

#[test]
fn declarations_are_kept() {
    let mut server = Server::start();
    let read = "#!lua flags=no-writes\nreturn redis.call('set', 'k', 1)";
    let refused = "-ERR Write commands are not allowed from read-only scripts. script: ";
    assert!(eval(&mut server, CLIENT, read).starts_with(refused));
    assert_eq!(
        eval(&mut server, CLIENT, "#!lua flags=x\nreturn 1"),
        "-ERR Unexpected flag in script shebang: x|"
    );
    let write = server.run(&[b"EVAL_RO", b"#!lua\nreturn 1", b"0"]);
    assert_eq!(
        write,
        "-ERR Can not execute a script with write flag using *_ro command.|"
    );
    // Under a limit that is too low for anything, what declares that it may is run.
    server.core.settings.maxmemory = 1;
    let grow = "#!lua\nreturn redis.call('set', 'k', 1)";
    assert!(eval(&mut server, CLIENT, grow).starts_with("-OOM"));
    let grow = "#!lua flags=allow-oom\nreturn redis.call('set', 'k', 1)";
    assert_eq!(eval(&mut server, CLIENT, grow), "+OK|");
    let undeclared = "return redis.call('set', 'k', 1)";
    assert!(eval(&mut server, CLIENT, undeclared).starts_with("-OOM"));
    assert_eq!(eval(&mut server, CLIENT, "return redis.call('get', 'k')"), "$1|1|");
}

#[test]
fn databases_and_protocols_are_the_scripts_own() {
    let mut server = Server::start();
    assert_eq!(
        eval(
            &mut server,
            CLIENT,
            "redis.call('select', 3) return redis.call('set', 'k', 1)"
        ),
        "+OK|"
    );
    assert_eq!(server.ask("GET k"), "$-1|");
    server.ask("SELECT 3");
    assert_eq!(server.ask("GET k"), "$1|1|");
    assert_eq!(
        eval(
            &mut server,
            CLIENT,
            "redis.setresp(3) return type(redis.call('get', 'nosuch'))"
        ),
        "$3|nil|"
    );
    assert_eq!(server.ask("GET nosuch"), "$-1|");
}

/// Logs of old have scripts in them, where now only stands what they have done.
#[test]
fn scripts_in_a_log_are_run() {
    let host = MemoryHost::default();
    let mut server = Server::logging(&host, 0, AppendFsync::Always);
    server.ask("SET before 1");
    server.core.propagate().expect("room on the disk");
    let names = host.names();
    let name = names.iter().find(|name| name.ends_with(".incr.aof")).expect("a log");
    let mut log = host.bytes(name).expect("bytes");
    let request = |words: &[&str]| {
        let words: Vec<String> = words
            .iter()
            .map(|word| format!("${}\r\n{word}\r\n", word.len()))
            .collect();
        format!("*{}\r\n{}", words.len(), words.concat())
    };
    let long = "redis.call('set', KEYS[1], 'y') for i = 1, 20000000 do end return redis.call('incr', 'n')";
    for words in [
        &["SELECT", "9"][..],
        &["EVAL", long, "1", "x"],
        &["MULTI"],
        &["EVAL", long, "1", "x"],
        &["EXEC"],
        &["INCR", "n"],
    ] {
        log.extend_from_slice(request(words).as_bytes());
    }
    host.put(name, &log);
    let mut server = Server::on(host.clone());
    server.core.settings.appendonly = true;
    server.at(10).core.begin_loading().expect("the log can be read");
    let mut slices = 0;
    while server.core.load_slice().expect("the log is whole") {
        slices += 1;
        assert!(server.ask("GET x").starts_with("-LOADING"));
    }
    assert!(slices > 1, "others have their turn");
    server.ask("SELECT 9");
    assert_eq!(server.ask("GET x"), "$1|y|");
    assert_eq!(server.ask("GET n"), "$1|3|");
    assert_eq!(
        host.bytes(name).expect("bytes").len(),
        log.len(),
        "nothing is recorded anew"
    );
}
