//! Scripts against a server that echoes.

use std::time::Duration;

use super::Kind;
use super::engine::{Answer, Engine, Event, Invocation, Style};
use crate::resp::reply::Protocol;
use crate::resp::request::{Args, Span};

/// Runs a script with keys `k1`, `k2` and the argument `a1`. A command is answered with its words; `err` with an error,
/// and `resp` with what its argument says. Gives the reply with `|` for each end of line.
fn run_with(engine: &mut Engine, script: &str, protocol: Protocol) -> String {
    let id = match engine.compile(script.as_bytes(), "@user_script") {
        Ok(id) => id,
        Err(error) => return error,
    };
    let (input, spans) = (b"k1k2a1", [Span::new(0, 2), Span::new(2, 2), Span::new(4, 2)]);
    let words = Args::new(input, &spans, &[]);
    let invocation = Invocation {
        function: id,
        style: Style::Script,
        name: "sha",
        protocol,
        keys: words.range(0..2),
        args: words.range(2..3),
    };
    engine.begin(&invocation).expect("memory");
    let mut answer = Answer::GoOn;
    let mut slices = 0;
    loop {
        answer = match engine.resume(answer) {
            Event::Call => {
                engine.serve(|words, reply| match words.at(0) {
                    b"err" => reply.error("WRONG it is"),
                    b"resp" => reply.bytes.extend_from_slice(words.at(1)),
                    _ => reply.bulk(words.to_vec().join(&b' ')),
                });
                Answer::Replied
            }
            Event::AccessCheck => {
                engine.serve(|words, reply| match words.at(0) {
                    b"nosuch" => reply.error("ERR Unknown command"),
                    word => reply.int(i64::from(word == b"get")),
                });
                Answer::Replied
            }
            Event::SliceOver => {
                slices += 1;
                if slices < 5 { Answer::GoOn } else { Answer::Killed }
            }
            Event::Done => break,
        }
    }
    engine.forget(id);
    String::from_utf8_lossy(&engine.reply_mut().bytes).replace("\r\n", "|")
}

fn run(script: &str) -> String {
    let mut engine = Engine::new(Kind::Scripts, false).expect("an engine");
    run_with(&mut engine, script, Protocol::Resp2)
}

fn check(cases: &[(&str, &str)]) {
    let mut engine = Engine::new(Kind::Scripts, false).expect("an engine");
    for (script, reply) in cases {
        assert_eq!(run_with(&mut engine, script, Protocol::Resp2), *reply, "{script}");
    }
}

#[test]
fn values_become_replies() {
    check(&[
        ("return 1", ":1|"),
        ("return 3.99", ":3|"),
        ("return 'x'", "$1|x|"),
        ("return {1,2,{3,'a'},nil,5}", "*3|:1|:2|*2|:3|$1|a|"),
        ("return true", ":1|"),
        ("return false", "$-1|"),
        ("return", "$-1|"),
        ("return {ok='fine'}", "+fine|"),
        ("return {err='MY bad'}", "-MY bad|"),
        ("return redis.error_reply('MY bad')", "-MY bad|"),
        ("return redis.status_reply('X')", "+X|"),
        ("return {double=3.5}", "$3|3.5|"),
        ("return {map={a=1}}", "*2|$1|a|:1|"),
        ("return {KEYS[1], KEYS[2], ARGV[1], #KEYS}", "*4|$2|k1|$2|k2|$2|a1|:2|"),
        (
            "return redis.sha1hex('')",
            "$40|da39a3ee5e6b4b0d3255bfef95601890afd80709|",
        ),
    ]);
}

#[test]
fn commands_are_asked_for() {
    check(&[
        ("return redis.call('get', 'x', 3, 1.5, 1e20)", "$17|get x 3 1.5 1e+20|"),
        (
            "return redis.call('err')",
            "-WRONG it is script: sha, on @user_script:1.|",
        ),
        ("\n\nredis.call('err')", "-WRONG it is script: sha, on @user_script:3.|"),
        ("return redis.pcall('err')", "-WRONG it is|"),
        (
            "local ok, e = pcall(redis.call, 'err') return {tostring(ok), e}",
            "*2|$5|false|$11|WRONG it is|",
        ),
        (
            "return (string.gsub('ab', '.', function(c) return redis.call(c) .. '.' end))",
            "$4|a.b.|",
        ),
        (
            "return redis.call()",
            "-ERR Please specify at least one argument for this redis lib call script: sha, on @user_script:1.|",
        ),
        (
            "return redis.call({})",
            "-ERR Lua redis lib command arguments must be strings or integers script: sha, on @user_script:1.|",
        ),
        ("return redis.call('resp', '*2\\r\\n:1\\r\\n$-1\\r\\n')", "*2|:1|$-1|"),
        (
            "redis.setresp(3) local r = redis.call('resp', '%1\\r\\n+a\\r\\n#t\\r\\n') for k, v in pairs(r.map) do return {k.ok, v} end",
            "*2|$1|a|:1|",
        ),
        (
            "redis.setresp(3) return redis.call('resp', ',1.5\\r\\n').double * 2",
            ":3|",
        ),
    ]);
}

#[test]
fn errors_say_where() {
    check(&[
        ("error('x')", "-ERR user_script:1: x script: sha, on @user_script:1.|"),
        (
            "\nlocal function f() error('x') end\nf()",
            "-ERR user_script:2: x script: sha, on @user_script:2.|",
        ),
        (
            "return 1 + nil",
            "-ERR user_script:1: attempt to perform arithmetic on a nil value script: sha, on @user_script:1.|",
        ),
        ("error({err='MY x'})", "-MY x script: sha, on @user_script:1.|"),
        (
            "return foo",
            "-ERR user_script:1: Script attempted to access nonexistent global variable 'foo' script: sha, on @user_script:1.|",
        ),
        (
            "a = 10",
            "-ERR user_script:1: Attempt to modify a readonly table script: sha, on @user_script:1.|",
        ),
        (
            "redis.call = 1",
            "-ERR user_script:1: Attempt to modify a readonly table script: sha, on @user_script:1.|",
        ),
        (
            "string.x = 1",
            "-ERR user_script:1: Attempt to modify a readonly table script: sha, on @user_script:1.|",
        ),
        ("return 1 +", "user_script:1: unexpected symbol near '<eof>'"),
    ]);
}

#[test]
fn shared_tables_are_closed() {
    for attempt in [
        "rawset(_G, 'x', 1)",
        "setmetatable(_G, {})",
        "getmetatable(_G).__index = nil",
        "getmetatable('').__index = nil",
        "for k, v in pairs(_G) do if k == 'math' then v.x = 1 end end",
        "local n, t = pairs(redis) t.call = nil",
        "_G._G.x = 1",
    ] {
        let reply = run(attempt);
        assert!(
            reply.contains("Attempt to modify a readonly table"),
            "{attempt}: {reply}"
        );
    }
    for gone in [
        "debug", "print", "require", "io", "getfenv", "setfenv", "newproxy", "dofile",
    ] {
        let reply = run(&format!("return {gone}"));
        assert!(reply.contains("nonexistent global"), "{gone}: {reply}");
    }
    assert_eq!(
        run("local n = 0 for k in pairs(string) do n = n + 1 end return n > 10"),
        ":1|"
    );
    assert_eq!(run("return type(loadstring(string.dump(function() end)))"), "$3|nil|");
    assert_eq!(run("return rawget(_G, 'redis') == redis"), ":1|");
}

#[test]
fn a_script_that_is_killed_cannot_help_it() {
    let mut engine = Engine::new(Kind::Scripts, false).expect("an engine");
    engine.set_slice(Duration::ZERO);
    let killed = "-ERR Script killed by user with SCRIPT KILL... script: sha, on @user_script:1.|";
    for script in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
        "local f f = function() return pcall(f) and f() or f() end f()",
    ] {
        let reply = run_with(&mut engine, script, Protocol::Resp2);
        assert!(
            reply == killed || reply.starts_with("-ERR Script killed"),
            "{script}: {reply}"
        );
        assert_eq!(run_with(&mut engine, "return 1", Protocol::Resp2), ":1|");
    }
}

#[test]
fn unpack_counts_right() {
    let refused = "too many results to unpack";
    for range in [
        "-2147483648",
        "0, 2147483647",
        "-2147483648, -2",
        "1, 8000",
        "'1', '1e9'",
    ] {
        let reply = run(&format!("return {{unpack({{1, 2, 3}}, {range})}}"));
        assert!(reply.contains(refused), "{range}: {reply}");
    }
    check(&[
        ("return {unpack({1, 2, 3}, -1, -2)}", "*0|"),
        ("return {unpack({1, 2, 3}, 2)}", "*2|:2|:3|"),
        ("return {unpack({1, 2, 3}, nil, 2)}", "*2|:1|:2|"),
        ("return select('#', unpack({1, 2, 3}, 1, 7990))", ":7990|"),
    ]);
}

#[test]
fn thousands_of_functions_are_kept() {
    let mut engine = Engine::new(Kind::Scripts, false).expect("an engine");
    for number in 0..20_000 {
        let source = format!("return {number}");
        engine.compile(source.as_bytes(), "@user_script").expect("room");
    }
}

#[test]
fn thousands_of_arguments_are_passed() {
    let script = "local t = {} for i = 1, 7000 do t[i] = i end return #redis.call('a', unpack(t))";
    assert_eq!(run(script), ":33894|");
    let script = "local t = {} t[1] = t return t";
    assert!(run(script).ends_with("*1|-ERR reached lua stack limit|"));
}
