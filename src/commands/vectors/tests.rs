use crate::commands::digest;
use crate::config::choice::AppendFsync;
use crate::host::memory::MemoryHost;
use crate::keyspace::{Key, ValueRef};
use crate::persistence::rdb::Version;
use crate::persistence::rdb::encode::Options;
use crate::persistence::rdb::payload;
use crate::server::testing::Server;
use crate::types::testing::{Rng, from_hex};
use crate::types::vector_set::VectorSet;

/// What redis-server 8.0.2 answers to DUMP: integers with an attribute; floats with a projection; bits, and a name that is a
/// number.
const DUMPED: [&str; 3] = [
    "0781bde72da2bb1eb40002030203025001020205017a0500050300000002090203020102020220020202010200021002803f80000005016205
     027b7d0503d6157f020702020200020202200201020302813f6fe205404ce665050161050005032a557f0207020102000202022002020203
     02813f4d41b2406f7751000c00e963fb5a4e3916a6",
    "0781bde72da2bb1eb400020202020250000203020305c30f18043acd133f3ae0050300bf200f003f05016205017805080000803f0000000002
     060202020002010220020102804013cd3a05016105000508e8dc723f9be8a13e0206020102000201022002020281f5836c904069b1e9000c00
     632ab2686e4adf9b",
    "0781bde72da2bb1eb40002030202024502020005c00c050804000000000000000208020202010201020a0201020002050280404a62c2050161
     050803000000000000000206020102000201020a02020280406f7751000c002bbb4804d2b96c06",
];

fn set<'s>(server: &'s Server, key: &str) -> &'s VectorSet {
    let entry = server.core.keyspace.db(0).find(Key::new(key.as_bytes()));
    match entry.map(|entry| entry.value()) {
        Some(ValueRef::VectorSet(set)) => set,
        _ => panic!("{key} is no vector set"),
    }
}

fn dump(server: &Server, key: &str) -> Vec<u8> {
    let options = Options {
        version: Version::REDIS_7_4,
        compress: true,
    };
    payload::dump(ValueRef::VectorSet(set(server, key)), options)
}

fn restore(server: &mut Server, key: &str, payload: &[u8]) -> String {
    server.run(&[b"RESTORE", key.as_bytes(), b"0", payload])
}

#[test]
fn what_redis_has_dumped_is_restored() {
    let mut server = Server::start();
    for (key, hex) in ["q", "r", "b"].into_iter().zip(DUMPED) {
        assert_eq!(restore(&mut server, key, &from_hex(hex)), "+OK|");
    }
    // Nothing in it is left to chance but the place of a range where there is none, and how a matrix is packed.
    assert_eq!(dump(&server, "q"), from_hex(DUMPED[0]));
    assert_eq!(dump(&server, "b"), from_hex(DUMPED[2]));
    let cases = [
        ("VEMB q a", "*3|$17|0.992125928401947|$17|2.007874011993408|$1|3|"),
        ("VEMB q b", "*3|$18|-0.992125928401947|$18|0.4960629642009735|$1|3|"),
        ("VGETATTR q b", "$2|{}|"),
        ("VGETATTR q a", "$-1|"),
        (
            "VSIM q ELE a WITHSCORES",
            "*6|$1|a|$1|1|$1|b|$18|0.8759287893772125|$1|z|$3|0.5|",
        ),
        ("VEMB r a", "*2|$17|3.464101552963257|$17|1.154700517654419|"),
        (
            "VSIM r ELE a WITHSCORES",
            "*4|$1|a|$18|0.9999999701976776|$1|b|$17|0.974341630935669|",
        ),
        ("VADD r REDUCE 2 VALUES 3 1 2 3 new NOQUANT", ":1|"),
        ("VEMB r new", "*2|$17|3.464101552963257|$17|1.154700517654419|"),
        ("VEMB b 12", "*3|$2|-1|$2|-1|$1|1|"),
        ("VSIM b ELE a WITHSCORES", "*4|$1|a|$1|1|$2|12|$1|0|"),
        ("VLINKS b 12", "*2|*0|*1|$1|a|"),
        ("TYPE b", "+vectorset|"),
        ("OBJECT ENCODING b", "$3|raw|"),
    ];
    for (command, reply) in cases {
        assert_eq!(server.ask(command), reply, "{command}");
    }
    assert!(server.ask("VINFO q").contains("+max-level|:1|+attributes-count|:1|"));
}

/// What redis-server 8.0.2 answers to DUMP of sets with vectors that it was given as infinite, and as too large to be squared.
const INFINITE: [&str; 2] = [
    "0781bde72da2bb1eb40002020202025001020005016205027f7f02060202020002010220020102813f3504f33fb504f305016105020000020802
     0102010201022002020200021002807f800000000c00757913c8006ac3b3",
    "0781bde72da2bb1eb4000202020202500002000501620508000000000000000002060202020002010220020102813e8c67e17f80000005016105
     080000c0ff0000000002060201020002010220020202813e77d9317f800000000c00070032e3cd8db48d",
];

#[test]
fn what_is_infinite_is_kept_as_zero() {
    let mut server = Server::start();
    server.ask("VADD own VALUES 2 inf 1 a");
    server.ask("VADD own VALUES 2 1e30 1e30 b");
    assert_eq!(server.ask("VEMB own a"), "*2|$1|0|$1|1|");
    let own = dump(&server, "own");
    assert_eq!(restore(&mut server, "again", &own), "+OK|");
    assert_eq!(dump(&server, "again"), own);
    for (key, hex) in ["i", "j"].into_iter().zip(INFINITE) {
        assert_eq!(restore(&mut server, key, &from_hex(hex)), "+OK|", "{key}");
        assert_eq!(server.ask(&format!("VEMB {key} a")), "*2|$1|0|$1|0|");
        assert!(
            server
                .ask(&format!("VSIM {key} ELE a WITHSCORES"))
                .contains("|$1|b|$3|0.5|")
        );
    }
}

#[test]
fn forged_payloads_are_refused_or_make_a_sound_set() {
    let mut rng = Rng::new(1);
    let mut restored = 0;
    for round in 0..30_000 {
        let mut payload = from_hex(DUMPED[round % 3]);
        payload.truncate(payload.len() - 10);
        for _ in 0..=rng.below(2) {
            let at = rng.below(payload.len());
            payload[at] = match rng.below(3) {
                0 => rng.below(256) as u8,
                1 => payload[at].wrapping_add(1),
                _ => payload[at].wrapping_sub(1),
            };
        }
        payload::seal(&mut payload, Version::REDIS_7_4);
        let mut server = Server::start();
        if restore(&mut server, "v", &payload) != "+OK|" || server.ask("TYPE v") != "+vectorset|" {
            continue;
        }
        restored += 1;
        let set = set(&server, "v");
        for node in 0..set.len() as u32 {
            for level in 0..=set.level(node) {
                for &link in set.links(node, level) {
                    assert!(set.links(link, level).contains(&node) && link != node);
                }
            }
        }
        let names: Vec<String> = (0..set.len() as u32)
            .map(|node| String::from_utf8_lossy(set.name(node)).into_owned())
            .collect();
        for name in names {
            server.ask(&format!("VSIM v ELE {name} WITHSCORES"));
            server.ask(&format!("VREM v {name}"));
        }
    }
    assert!(restored > 1_000, "{restored}");
}

/// Sets of every form with a history.
fn fill(server: &mut Server) {
    let mut rng = Rng::new(2);
    let mut number = || rng.below(2_001) as f32 / 100.0 - 10.0;
    for (key, options, reduce) in [
        ("f", "NOQUANT", ""),
        ("q", "Q8 M 5", ""),
        ("b", "BIN CAS", ""),
        ("r", "EF 20", "REDUCE 3"),
    ] {
        for n in 0..300 {
            let (x, y, z, w) = (number(), number(), number(), number());
            let element = n % 200;
            let reply = server
                .ask(&format!("VADD {key} {reduce} VALUES 4 {x} {y} {z} {w} {element} {options}").replace("  ", " "));
            assert_eq!(reply, format!(":{}|", u8::from(n < 200)), "{key}");
            if n % 3 == 0 {
                server.ask(&format!("VSETATTR {key} {element} {{\"n\":{n}}}"));
            }
            if n % 7 == 6 {
                assert_eq!(server.ask(&format!("VREM {key} {element}")), ":1|");
                server.ask(
                    &format!("VADD {key} {reduce} VALUES 4 1 2 3 4 {element} {options} SETATTR again")
                        .replace("  ", " "),
                );
            }
        }
    }
    assert_eq!(server.core.propagate(), Ok(()));
}

fn digest_of(server: &Server) -> String {
    digest::of_keyspace(&server.core.keyspace).to_hex()
}

const QUESTIONS: [&str; 5] = [
    "VSIM f VALUES 4 1 -2 3 4 WITHSCORES COUNT 20",
    "VSIM q VALUES 4 1 -2 3 4 WITHSCORES COUNT 20 TRUTH",
    "VSIM b VALUES 4 1 -2 3 4 WITHSCORES COUNT 5",
    "VSIM r VALUES 4 1 -2 3 4 COUNT 20 WITHSCORES",
    "VSIM f ELE 3 FILTER .n>150 COUNT 20",
];

#[test]
fn logs_and_snapshots_bring_sets_back() {
    let host = MemoryHost::default();
    let mut server = Server::logging(&host, 0, AppendFsync::Always);
    fill(&mut server);
    let (before, answers) = (digest_of(&server), QUESTIONS.map(|question| server.ask(question)));
    // The requests themselves, which is also what a replica plays.
    let mut again = Server::logging(&host, 0, AppendFsync::Always);
    assert_eq!(digest_of(&again), before);
    assert_eq!(QUESTIONS.map(|question| again.ask(question)), answers);
    // A base of requests, and one that is a snapshot.
    for as_snapshot in [false, true] {
        server.core.settings.aof_use_rdb_preamble = as_snapshot;
        server.ask("BGREWRITEAOF");
        server.core.look_at_child();
        assert_eq!(server.core.append_only.rewrites, 1 + u64::from(as_snapshot));
        let mut again = Server::logging(&host, 0, AppendFsync::Always);
        assert_eq!(digest_of(&again), before);
        assert_eq!(QUESTIONS.map(|question| again.ask(question)), answers);
        for key in ["f", "q", "b", "r"] {
            assert_eq!(dump(&again, key), dump(&server, key));
        }
    }
}

#[test]
fn sets_are_copied_moved_and_deleted() {
    let mut server = Server::start();
    fill(&mut server);
    let before = dump(&server, "q");
    assert_eq!(server.ask("COPY q copy"), ":1|");
    assert_eq!(server.ask("VREM q 3"), ":1|");
    assert_eq!(dump(&server, "copy"), before);
    assert_eq!(server.ask("RENAME copy other"), "+OK|");
    assert_eq!(server.ask("SCAN 0 TYPE vectorset COUNT 100").matches("|$").count(), 6);
    assert_eq!(server.ask("DEL other f b r"), ":4|");
    let elements: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    for element in elements {
        server.ask(&format!("VREM q {element}"));
    }
    assert_eq!(server.ask("EXISTS q"), ":0|");
    assert_eq!(server.ask("VCARD q"), ":0|");
}

#[test]
fn whatever_is_asked_is_answered() {
    let words = [
        "k",
        "k",
        "k",
        "f",
        "q",
        "b",
        "r",
        "nosuch",
        "1",
        "2",
        "3",
        "4",
        "5",
        "0",
        "-1",
        "7",
        "9999",
        "0.5",
        "-2.5",
        "e5",
        "inf",
        "VALUES",
        "VALUES",
        "FP32",
        "abcdefghabcdefgh",
        "ELE",
        "REDUCE",
        "EF",
        "M",
        "CAS",
        "NOQUANT",
        "BIN",
        "Q8",
        "SETATTR",
        "{\"n\":3}",
        "COUNT",
        "WITHSCORES",
        "FILTER",
        ".n>1",
        "FILTER-EF",
        "EPSILON",
        "TRUTH",
        "NOTHREAD",
        "RAW",
        "x",
        "",
    ];
    let names: Vec<&str> = super::COMMANDS.iter().map(|(name, _)| *name).collect();
    let mut server = Server::start();
    fill(&mut server);
    let mut rng = Rng::new(8);
    let mut refused = 0;
    let rounds = 40_000;
    for _ in 0..rounds {
        let mut request = vec![names[rng.below(names.len())], words[rng.below(7)]];
        let name = request[0];
        match rng.below(3) {
            // Nearly what it takes.
            0 if name == "vsim" => request.extend(["VALUES", "4", "1", "-2", "0.5", "3"]),
            0 if name == "vadd" => request.extend(["VALUES", "4", "1", words[rng.below(20)], "0.5", "3"]),
            1 if name == "vsim" => request.extend(["ELE", words[rng.below(16)]]),
            _ => {}
        }
        (0..rng.below(5)).for_each(|_| request.push(words[rng.below(words.len())]));
        let request: Vec<&[u8]> = request.iter().map(|word| word.as_bytes()).collect();
        refused += u32::from(server.run(&request).starts_with('-'));
    }
    assert!(refused > 0 && refused < rounds * 9 / 10, "{refused}");
}

#[test]
fn numbers_of_arguments_are_counted_here() {
    let mut server = Server::start();
    for command in [
        "VADD",
        "VADD k VALUES 3",
        "vadd k VALUES 3 1 1 1",
        "VSIM k ELE",
        "VCARD",
        "VDIM k k",
        "VEMB k",
        "VGETATTR k",
        "VINFO k k",
        "VISMEMBER k",
        "VLINKS k",
        "VLINKS k e FOO",
        "VRANDMEMBER k 1 2",
        "VREM k a b",
        "VSETATTR k e",
    ] {
        let name = command.split(' ').next().map(str::to_uppercase).unwrap_or_default();
        let error = format!("-ERR wrong number of arguments for '{name}' command|");
        assert_eq!(server.ask(command), error, "{command}");
    }
}

#[test]
fn numbers_without_bound_cost_nothing() {
    let mut server = Server::start();
    server.ask("VADD k VALUES 2 1 1 e");
    assert_eq!(server.ask("VSIM k ELE e COUNT 9223372036854775807"), "*1|$1|e|");
    assert_eq!(server.ask("VSIM k ELE e EF 9223372036854775807"), "*1|$1|e|");
    assert_eq!(
        server.ask("VRANDMEMBER k -9223372036854775808"),
        "-ERR value is out of range|"
    );
    let refused = "-ERR invalid vector specification|";
    assert_eq!(server.ask("VADD r REDUCE 4294967295 VALUES 3 1 1 1 e"), refused);
    assert_eq!(server.ask("VADD r VALUES 4294967295 1 e"), refused);
}
