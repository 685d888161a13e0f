//! Libraries of functions, against a real redis-server: the same commands give the same bytes, payloads go both ways, and what is
//! loaded is there again after a restart and at a replica.

mod support;

use support::client::Client;
use support::replicas::{follow, must_agree, wait_until_up};
use support::reply::{Reply, show};
use support::server::{Binary, Server};
use support::wait_until;

/// A library with one function of each kind, and what they share.
const LIBRARY: &str = "#!lua name=lib
local version = redis.REDIS_VERSION_NUM
local function double(x) return x * 2 end
redis.register_function('set', function(keys, args) return redis.call('SET', keys[1], args[1]) end)
redis.register_function{function_name = 'double', callback = function(keys, args) return double(args[1]) end,
    description = 'twice as much', flags = {'no-writes', 'allow-stale'}}
redis.register_function{callback = function(keys, args) return {keys, args} end, function_name = 'echo', flags = {'no-writes'}}";

/// A library whose body is this.
fn library(name: &str, body: &str) -> String {
    format!("#!lua name={name}\n{body}")
}

fn function(name: &str, body: &str) -> String {
    format!("redis.register_function('{name}', function(keys, args) {body} end)")
}

/// Commands, each of which is to have the same reply here and there.
fn commands() -> Vec<Vec<String>> {
    let mut commands: Vec<Vec<String>> = Vec::new();
    let mut say = |words: &[&str]| commands.push(words.iter().map(|word| (*word).to_owned()).collect());
    let list: &[&str] = &["FUNCTION", "LIST", "WITHCODE"];
    say(list);
    say(&["FUNCTION", "STATS"]);
    say(&["FUNCTION", "LOAD", &library("one", &function("f", "return 1"))]);
    say(&["FUNCTION", "LOAD", &library("one", &function("f", "return 1"))]);
    say(&[
        "FUNCTION",
        "LOAD",
        "REPLACE",
        &library("one", &function("f", "return 2")),
    ]);
    say(&[
        "FUNCTION",
        "LOAD",
        "replace",
        "REPLACE",
        &library("one", &function("f", "return 3")),
    ]);
    say(list);
    say(&["FUNCTION", "LIST", "LIBRARYNAME", "O?e"]);
    say(&["FUNCTION", "LIST", "LIBRARYNAME", "x*", "WITHCODE"]);
    for words in [
        "LIST x",
        "LIST WITHCODE WITHCODE",
        "LIST LIBRARYNAME",
        "LIST LIBRARYNAME a LIBRARYNAME b",
        "DELETE",
        "DELETE x",
    ] {
        let words: Vec<&str> = std::iter::once("FUNCTION").chain(words.split(' ')).collect();
        say(&words);
    }
    say(&["FCALL", "f", "0"]);
    say(&["FCALL", "F", "0"]);
    for words in [
        "FCALL g 0",
        "FCALL f",
        "FCALL f x",
        "FCALL f -1",
        "FCALL f 1",
        "FCALL f 2 a",
        "FCALL_RO f 0",
        "FCALL g x",
        "FCALL f 1.0 a",
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        say(&words);
    }
    say(&["FUNCTION", "FLUSH", "x"]);
    say(&["FUNCTION", "FLUSH", "SYNC", "x"]);
    say(&["FUNCTION", "KILL"]);
    say(&["FUNCTION", "RESTORE", "x"]);
    say(&["FUNCTION", "RESTORE", "x", "y"]);
    say(&["FUNCTION", "RESTORE", "x", "REPLACE", "y"]);
    say(&["FUNCTION", "LOAD", "x", "y"]);
    say(&["FUNCTION", "FLUSH", "ASYNC"]);
    // Libraries that do not load, and that leave everything as it was.
    say(&["FUNCTION", "LOAD", &library("one", &function("f", "return 1"))]);
    for source in [
        "return 1",
        "#!lua",
        "#!lua\n",
        "#!lua name=\n",
        "#!lua name=a-b\n",
        "#!lua name=a name=b\n",
        "#!lua name=a x=1\n",
        "#!lua 'name=a\n",
        "#!lua name=a\n",
        "#! name=a\n",
        "#!python name=a\n",
        "#!lua name=a\nreturn 1",
        "#!lua name=a\nsyntax error",
        "#!lua name=a\nerror('mine')",
        "#!lua name=a\nlocal x = nil; x()",
        "#!lua name=a\n\n\nx = 1",
        "#!lua name=a\nreturn y",
        "#!lua name=a\nreturn redis.call('PING')",
        "#!lua name=a\nreturn redis.x",
        "#!lua name=a\nredis.x = 1",
        "#!lua name=a\nredis.register_function()",
        "#!lua name=a\nredis.register_function('f')",
        "#!lua name=a\nredis.register_function(1, 2, 3)",
        "#!lua name=a\nredis.register_function('a b', function() end)",
        "#!lua name=a\nredis.register_function('', function() end)",
        "#!lua name=a\nredis.register_function({}, function() end)",
        "#!lua name=a\nredis.register_function('g', 'h')",
        "#!lua name=a\nredis.register_function('f', function() end)",
        "#!lua name=a\nredis.register_function('F', function() end)",
        "#!lua name=a\nredis.register_function('g', function() end) redis.register_function('g', function() end)",
        "#!lua name=a\nredis.register_function{}",
        "#!lua name=a\nredis.register_function{function_name = 'g'}",
        "#!lua name=a\nredis.register_function{callback = function() end}",
        "#!lua name=a\nredis.register_function{function_name = {}, callback = function() end}",
        "#!lua name=a\nredis.register_function{function_name = 'g', callback = 1}",
        "#!lua name=a\nredis.register_function{function_name = 'g', callback = function() end, description = {}}",
        "#!lua name=a\nredis.register_function{function_name = 'g', callback = function() end, flags = 'x'}",
        "#!lua name=a\nredis.register_function{function_name = 'g', callback = function() end, flags = {'x'}}",
        "#!lua name=a\nredis.register_function{function_name = 'g', callback = function() end, flags = {{}}}",
        "#!lua name=a\nredis.register_function{function_name = 'g', callback = function() end, x = 1}",
        "#!lua name=a\nredis.register_function{'g', function() end}",
        "#!lua name=a\nlocal s = string",
        "#!lua name=a\nlocal s = setmetatable",
        "#!lua name=a\nredis.log(redis.LOG_WARNING)",
    ] {
        say(&["FUNCTION", "LOAD", source]);
        say(&["FUNCTION", "LOAD", "REPLACE", &source.replace("name=a\n", "name=one\n")]);
    }
    say(&["FCALL", "f", "0"]);
    say(&["FUNCTION", "STATS"]);
    say(&["FUNCTION", "DELETE", "one"]);
    say(&["FCALL", "f", "0"]);
    // What functions do.
    say(&[
        "FUNCTION",
        "LOAD",
        "#!LUA NAME='two'\nredis.register_function(12, function() return 12 end)",
    ]);
    say(&["FCALL", "12", "0"]);
    for body in [
        "return {keys, args}",
        "return redis.call('GET', keys[1])",
        "return KEYS",
        "return nothing",
        "something = 1",
        "return redis.register_function",
        "return redis.register_function('x', function() end)",
        "return redis.call('INCR', keys[1])",
        "return redis.call('LPUSH', 'string', 1)",
        "return redis.pcall('LPUSH', 'string', 1)",
        "return redis.error_reply('MINE it is')",
        "error('mine')",
        "error({err = 'MINE it is'})",
        "return {double = 1.5}",
        "redis.setresp(3) return {map = {a = 1}}",
        "return cjson.encode({1, 2, {a = cjson.null}})",
        "return redis.call('FUNCTION', 'FLUSH')",
        "return redis.call('FCALL', 'f', 0)",
        "return redis.call('EVAL', 'return 1', 0)",
        "return math.random() == math.random()",
        "return tostring(_G)",
        "return getmetatable(_G)",
        "rawset(_G, 'x', 1)",
        "redis.x = 1",
        "setmetatable(redis, nil)",
        "return redis.breakpoint",
        "return redis.REDIS_VERSION == nil",
    ] {
        if body == "return tostring(_G)" || body == "return getmetatable(_G)" {
            continue;
        }
        say(&["SET", "string", "x"]);
        say(&["SET", "counter", "7"]);
        say(&["FUNCTION", "LOAD", "REPLACE", &library("four", &function("h", body))]);
        say(&["FCALL", "h", "1", "counter", "a", "b"]);
        say(&["FCALL_RO", "h", "1", "counter", "a", "b"]);
        say(&["FCALL", "h", "0"]);
        let flagged = format!(
            "redis.register_function{{function_name='h', callback=function(keys, args) {body} end, flags={{'no-writes'}}}}"
        );
        say(&["FUNCTION", "LOAD", "REPLACE", &library("four", &flagged)]);
        say(&["FCALL", "h", "1", "counter", "a", "b"]);
        say(&["FCALL_RO", "h", "1", "counter", "a", "b"]);
        say(&["GET", "counter"]);
    }
    // The world of loading is not to be had later, nor the other way round.
    say(&["FUNCTION", "LOAD", "REPLACE", &library("five", "local lib = redis\nlib.register_function('a', function() lib.register_function('b', function() end) end)
        lib.register_function('c', function() lib.x = redis end)\nlib.register_function('d', function() return lib.call == redis.call end)")]);
    for name in ["a", "b", "c", "d"] {
        say(&["FCALL", name, "0"]);
    }
    say(&["FUNCTION", "DELETE", "two"]);
    say(&["FUNCTION", "DELETE", "four"]);
    say(&["FUNCTION", "DELETE", "five"]);
    say(&["FUNCTION", "LOAD", LIBRARY]);
    say(&["FCALL", "set", "1", "key", "value"]);
    say(&["FCALL", "double", "0", "21"]);
    say(&["FCALL_RO", "double", "0", "21"]);
    say(&["FCALL_RO", "echo", "1", "a", "b", "c"]);
    say(&["MULTI"]);
    say(&["FCALL", "set", "1", "key", "other"]);
    say(&["FUNCTION", "DELETE", "lib"]);
    say(&["FCALL", "set", "1", "key", "third"]);
    say(&["EXEC"]);
    say(&["GET", "key"]);
    say(&["FLUSHALL"]);
    say(&["FUNCTION", "STATS"]);
    commands
}

fn peers() -> bool {
    Binary::Redis.available()
}

fn call<A: AsRef<[u8]>>(client: &mut Client, args: &[A]) -> Vec<u8> {
    let told = || {
        args.iter()
            .map(|arg| String::from_utf8_lossy(arg.as_ref()))
            .collect::<Vec<_>>()
            .join(" ")
    };
    client.call(args).unwrap_or_else(|error| panic!("{}: {error}", told()))
}

#[test]
fn commands_answer_as_redis_does() {
    if !peers() {
        return;
    }
    for hello in ["2", "3"] {
        let servers = [Binary::UnderTest, Binary::Redis].map(Server::start);
        let [mut ours, mut redis] = [0, 1].map(|index: usize| servers[index].connect());
        for client in [&mut ours, &mut redis] {
            call(client, &["HELLO", hello]);
        }
        for command in commands() {
            let (our_reply, their_reply) = (call(&mut ours, &command), call(&mut redis, &command));
            assert_eq!(show(&our_reply), show(&their_reply), "{command:?}");
        }
    }
}

fn bulk(reply: &[u8]) -> Vec<u8> {
    let reply = Reply::parse(reply).unwrap_or_else(|_| panic!("{}", show(reply)));
    assert!(!reply.is_error() && !reply.is_null(), "{}", show(reply.raw));
    reply.text().to_vec()
}

#[test]
fn payloads_go_both_ways() {
    if !peers() {
        return;
    }
    let servers = [Binary::UnderTest, Binary::Redis].map(Server::start);
    let mut clients = [0, 1].map(|index: usize| servers[index].connect());
    for client in &mut clients {
        call(client, &["FUNCTION", "LOAD", LIBRARY]);
    }
    let [ours, theirs] = &mut clients;
    let payloads = [
        bulk(&call(ours, &["FUNCTION", "DUMP"])),
        bulk(&call(theirs, &["FUNCTION", "DUMP"])),
    ];
    for client in [ours, theirs] {
        for payload in &payloads {
            let mut restore = |policy: &str| {
                client
                    .call(&[b"FUNCTION", &b"RESTORE"[..], payload, policy.as_bytes()])
                    .expect("an answer")
            };
            assert_eq!(show(&restore("APPEND")), show(b"-ERR Library lib already exists\r\n"));
            assert_eq!(restore("REPLACE"), b"+OK\r\n");
            assert_eq!(restore("FLUSH"), b"+OK\r\n");
            assert_eq!(call(client, &["FCALL", "double", "0", "4"]), b":8\r\n");
            call(client, &["FUNCTION", "FLUSH"]);
            let mut short = payload.clone();
            short.pop();
            let reply = client.call(&[b"FUNCTION", &b"RESTORE"[..], &short]).expect("an answer");
            assert!(
                reply.starts_with(b"-ERR DUMP payload version or checksum"),
                "{}",
                show(&reply)
            );
            assert_eq!(
                client
                    .call(&[b"FUNCTION", &b"RESTORE"[..], payload])
                    .expect("an answer"),
                b"+OK\r\n"
            );
        }
    }
}

/// A payload whose second library cannot be put beside what is there changes nothing.
#[test]
fn what_collides_is_restored_not_at_all() {
    let server = Server::start(Binary::UnderTest);
    let mut client = server.connect();
    for (name, function) in [("a", "f"), ("b", "g")] {
        let source = format!("#!lua name={name}\nredis.register_function('{function}', function() return 'old' end)");
        assert_eq!(
            call(&mut client, &["FUNCTION", "LOAD", &source]),
            format!("$1\r\n{name}\r\n").into_bytes()
        );
    }
    let payload = bulk(&call(&mut client, &["FUNCTION", "DUMP"]));
    call(&mut client, &["FUNCTION", "FLUSH"]);
    for (name, function) in [("a", "h"), ("c", "g")] {
        let source = format!("#!lua name={name}\nredis.register_function('{function}', function() return 'new' end)");
        call(&mut client, &["FUNCTION", "LOAD", &source]);
    }
    let reply = client
        .call(&[b"FUNCTION", &b"RESTORE"[..], &payload, b"REPLACE"])
        .expect("an answer");
    assert_eq!(show(&reply), show(b"-ERR Function g already exists\r\n"));
    for function in ["h", "g"] {
        assert_eq!(call(&mut client, &["FCALL", function, "0"]), b"$3\r\nnew\r\n");
    }
    assert!(call(&mut client, &["FCALL", "f", "0"]).starts_with(b"-ERR Function not found"));
    assert_eq!(
        client
            .call(&[b"FUNCTION", &b"RESTORE"[..], &payload, b"FLUSH"])
            .expect("an answer"),
        b"+OK\r\n"
    );
    assert_eq!(call(&mut client, &["FCALL", "g", "0"]), b"$3\r\nold\r\n");
}

/// Whatever the files are: a snapshot, a log with a snapshot as its base, or one of requests.
#[test]
fn libraries_are_there_after_a_restart() {
    for settings in [
        &[("save", "3600 1")][..],
        &[("save", ""), ("appendonly", "yes")],
        &[("save", ""), ("appendonly", "yes"), ("aof-use-rdb-preamble", "no")],
    ] {
        let mut server = Server::start_with(Binary::UnderTest, settings);
        for rewrite in [false, true, false] {
            let mut client = server.connect();
            call(&mut client, &["FUNCTION", "LOAD", "REPLACE", LIBRARY]);
            call(
                &mut client,
                &[
                    "FUNCTION",
                    "LOAD",
                    "REPLACE",
                    "#!lua name=gone\nredis.register_function('x', function() end)",
                ],
            );
            if rewrite && settings.len() > 1 {
                call(&mut client, &["BGREWRITEAOF"]);
                wait_until("the log is rewritten", || {
                    client.ask("INFO persistence").contains("aof_rewrite_in_progress:0")
                });
            }
            call(&mut client, &["FUNCTION", "DELETE", "gone"]);
            call(&mut client, &["FLUSHALL"]);
            let before = call(&mut client, &["FUNCTION", "LIST", "WITHCODE"]);
            if settings.len() == 1 {
                call(&mut client, &["SAVE"]);
            }
            let dir = server.kill();
            server = Server::start_in(Binary::UnderTest, settings, dir);
            let mut client = server.connect();
            assert_eq!(
                show(&call(&mut client, &["FUNCTION", "LIST", "WITHCODE"])),
                show(&before),
                "{settings:?}"
            );
            assert_eq!(call(&mut client, &["FCALL", "double", "0", "4"]), b":8\r\n");
        }
    }
}

#[test]
fn replicas_have_the_libraries_of_their_primary() {
    if !peers() {
        return;
    }
    for (primary, replica) in [
        (Binary::UnderTest, Binary::UnderTest),
        (Binary::Redis, Binary::UnderTest),
        (Binary::UnderTest, Binary::Redis),
    ] {
        let (primary, replica) = (Server::start(primary), Server::start(replica));
        let (mut writer, mut reader) = (primary.connect(), replica.connect());
        call(&mut writer, &["FUNCTION", "LOAD", LIBRARY]);
        call(
            &mut reader,
            &[
                "FUNCTION",
                "LOAD",
                "#!lua name=own\nredis.register_function('x', function() end)",
            ],
        );
        follow(&replica, &primary);
        wait_until_up(&replica);
        let mut same = |what: &str, writer: &mut Client| {
            // Redis has functions in the order of its hash table.
            let list = |client: &mut Client| {
                let list = call(client, &["FUNCTION", "LIST", "WITHCODE"]);
                let mut lines: Vec<String> = list.split(|&byte| byte == b'\n').map(show).collect();
                lines.sort_unstable();
                lines
            };
            let wanted = list(writer);
            wait_until(what, || list(&mut reader) == wanted);
        };
        same("the snapshot brings libraries", &mut writer);
        call(&mut writer, &["FCALL", "set", "1", "key", "value"]);
        must_agree(&primary, &replica);
        let payload = bulk(&call(&mut writer, &["FUNCTION", "DUMP"]));
        call(&mut writer, &["FUNCTION", "FLUSH"]);
        same("a flush arrives", &mut writer);
        writer
            .call(&[b"FUNCTION", &b"RESTORE"[..], &payload])
            .expect("an answer");
        same("what is restored arrives", &mut writer);
        call(
            &mut writer,
            &[
                "FUNCTION",
                "LOAD",
                "#!lua name=b\nredis.register_function('x', function() end)",
            ],
        );
        call(&mut writer, &["FUNCTION", "DELETE", "lib"]);
        same("what is loaded and deleted arrives", &mut writer);
    }
}
