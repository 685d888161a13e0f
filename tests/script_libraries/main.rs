//! The libraries of scripts against those of a real redis-server: the same snippets of Lua give the same text in both, be it
//! what they return or the error they raise.

#[path = "../support/mod.rs"]
mod support;

use support::client::Client;
use support::random::Random;
use support::reply::{Reply, show};
use support::server::{Binary, Server};

const PRELUDE: &str = include_str!("prelude.lua");
/// One snippet a line.
const SNIPPETS: &str = include_str!("snippets.lua");

/// A program that runs the snippets one after the other, and returns what each gives.
fn program<S: AsRef<str>>(snippets: &[S]) -> String {
    let runs = snippets
        .iter()
        .map(|snippet| format!("run(function() {} end)\n", snippet.as_ref()));
    format!("{PRELUDE}{}return table.concat(out, '\\n')", runs.collect::<String>())
}

fn run(client: &mut Client, program: &str) -> Vec<u8> {
    let reply = client.call(&["EVAL", program, "0"]).expect("an answer");
    let reply = Reply::parse(&reply).unwrap_or_else(|_| panic!("{}", show(&reply)));
    assert!(!reply.is_error(), "{}", show(reply.raw));
    reply.text().to_vec()
}

/// Both servers, with one connection each.
struct Pair {
    _servers: [Server; 2],
    ours: Client,
    redis: Client,
}

impl Pair {
    /// `None` where redis-server is not installed.
    fn start() -> Option<Pair> {
        if !Binary::Redis.available() {
            return None;
        }
        let servers = [Binary::UnderTest, Binary::Redis].map(Server::start);
        let [ours, redis] = servers.each_ref().map(Server::connect);
        Some(Pair {
            _servers: servers,
            ours,
            redis,
        })
    }

    fn compare<S: AsRef<str>>(&mut self, snippets: &[S]) {
        let program = program(snippets);
        let lines = |client: &mut Client| {
            let text = run(client, &program);
            text.split(|&byte| byte == b'\n').map(show).collect::<Vec<_>>()
        };
        let (ours, theirs) = (lines(&mut self.ours), lines(&mut self.redis));
        // A line break within a text is shown with a backslash before it, so lines may be more than snippets.
        for (index, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            let near = snippets.get(index).map_or("", AsRef::as_ref);
            assert_eq!(ours, theirs, "line {index}, at or before: {near}");
        }
        assert_eq!(ours.len(), theirs.len());
    }
}

#[test]
fn every_function_answers_as_redis_does() {
    let Some(mut pair) = Pair::start() else { return };
    let snippets: Vec<&str> = SNIPPETS.lines().collect();
    pair.compare(&snippets);
}

/// Bytes as a literal of Lua.
fn literal(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("\\{byte:03}"));
    format!("'{}'", digits.collect::<String>())
}

#[test]
fn random_json_is_read_as_redis_does() {
    const PIECES: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\"a\"",
        "\"b\":",
        "\"\\u00e9\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "1",
        "-2",
        "0.5",
        "1e3",
        "1E-2",
        "-",
        "+1",
        "0x1f",
        "007",
        "inf",
        "-nan",
        "true",
        "false",
        "null",
        "tru",
        "\"",
        "\\",
        "\\n",
        "\0",
        "\u{7f}",
        "{\"k\":1,",
        "[1,",
        "{}",
        "[]",
        "1e",
        ".",
        "é",
        "\"\\q\"",
    ];
    let Some(mut pair) = Pair::start() else { return };
    let mut random = Random::new(1);
    let snippets: Vec<String> = (0..4000)
        .map(|_| {
            let len = 1 + random.below(8);
            let text: String = (0..len).map(|_| *random.pick(PIECES)).collect();
            format!("return cjson.decode({})", literal(text.as_bytes()))
        })
        .collect();
    pair.compare(&snippets);
}

#[test]
fn random_message_packs_are_read_as_redis_does() {
    let Some(mut pair) = Pair::start() else { return };
    let mut random = Random::new(2);
    let snippets: Vec<String> = (0..4000)
        .map(|_| {
            let mut bytes = Vec::new();
            for _ in 0..1 + random.below(10) {
                // Kinds as often as lengths and numbers.
                bytes.push(if random.percent(50) {
                    random.between(0x80, 0xFF) as u8
                } else {
                    random.below(6) as u8
                });
            }
            let (limit, offset) = (random.below(4), random.below(3));
            format!("return cmsgpack.unpack_limit({}, {limit}, {offset})", literal(&bytes))
        })
        .collect();
    pair.compare(&snippets);
}

/// A random value as an expression of Lua.
fn value(random: &mut Random, depth: usize) -> String {
    const NUMBERS: &[&str] = &[
        "0", "1", "-1", "127", "-129", "65536", "2^31", "-2^40", "2^53", "0.1", "-1.5e300", "1e15", "100",
    ];
    match random.below(if depth == 0 { 4 } else { 7 }) {
        0 => random.pick(NUMBERS).to_string(),
        1 => {
            let len = random.below(40);
            literal(&random.bytes(len))
        }
        2 => "true".to_owned(),
        3 => "cjson.null".to_owned(),
        4 | 5 => {
            let elements: Vec<String> = (0..random.below(5)).map(|_| value(random, depth - 1)).collect();
            format!("{{{}}}", elements.join(","))
        }
        _ => {
            let pairs = (0..random.below(20)).map(|_| match random.below(3) {
                0 => format!("[{}]={}", random.between(-1, 30), value(random, depth - 1)),
                1 => format!("[{}]={}", random.between(1, 5), value(random, depth - 1)),
                _ => format!("k{}={}", random.below(100), value(random, depth - 1)),
            });
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
        }
    }
}

#[test]
fn random_values_are_written_as_redis_does() {
    let Some(mut pair) = Pair::start() else { return };
    let mut random = Random::new(3);
    let mut snippets = vec!["return cjson.encode_sparse_array(true)".to_owned()];
    for _ in 0..1500 {
        let value = value(&mut random, 4);
        snippets.push(format!(
            "local v = {value} return cjson.encode(v), cmsgpack.pack(v), cmsgpack.unpack(cmsgpack.pack(v))"
        ));
    }
    pair.compare(&snippets);
}

#[test]
fn random_layouts_are_packed_as_redis_does() {
    const OPTIONS: &[&str] = &[
        "b", "B", "h", "H", "i", "I", "l", "L", "T", "f", "d", "s", "x", "c0", "c3", "c", "i3", "I7", "i16", "I9",
        "i32", "i33", " ", ">", "<", "!", "!2", "!16", "!3", "q", "c1",
    ];
    const VALUES: &[&str] = &[
        "0", "1", "-1", "255", "-129", "2^31", "2^63", "-2^63", "2^64", "0.5", "'abcd'", "'7'", "nil",
    ];
    let Some(mut pair) = Pair::start() else { return };
    let mut random = Random::new(4);
    let snippets: Vec<String> = (0..4000)
        .map(|_| {
            let format: String = (0..1 + random.below(6)).map(|_| *random.pick(OPTIONS)).collect();
            let values: Vec<&str> = (0..random.below(7)).map(|_| *random.pick(VALUES)).collect();
            let values = if values.is_empty() {
                String::new()
            } else {
                format!(", {}", values.join(", "))
            };
            match random.below(3) {
                0 => format!("return struct.pack('{format}'{values}), struct.size('{format}')"),
                1 => format!("return struct.size('{format}')"),
                _ => {
                    let len = random.below(60);
                    let data = literal(&random.bytes(len));
                    format!("return struct.unpack('{format}', {data}, {})", random.between(-1, 9))
                }
            }
        })
        .collect();
    pair.compare(&snippets);
}

/// What a script nests without end, or multiplies, ends with an error and not with the server.
#[test]
fn what_has_no_end_is_refused() {
    let server = Server::start(Binary::UnderTest);
    let program = program(&[
        "cjson.encode_max_depth(2^31 - 1) local t = {} t[1] = t return cjson.encode(t)",
        "cjson.decode_max_depth(2^31 - 1) return cjson.decode(string.rep('[', 100000))",
        "return cmsgpack.unpack(string.rep('\\145', 100000))",
        "return cmsgpack.unpack(string.rep('\\161a', 100000))",
        "return struct.unpack(string.rep('b', 100000), string.rep('x', 100000))",
        "local t = string.rep('x', 2^20) for i = 1, 64 do t = {t, t} end return #cjson.encode(t)",
        "local t = string.rep('x', 2^20) for i = 1, 16 do t = {t, t} end return #cmsgpack.pack(t)",
    ]);
    let told = run(&mut server.connect(), &program);
    let told = String::from_utf8(told).expect("text");
    for line in told.lines() {
        assert!(
            line.contains("overflow") || line.to_lowercase().contains("more than"),
            "{told}"
        );
    }
}
