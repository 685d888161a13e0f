//! The properties that the fuzz targets check (`tests/fuzz`), on bytes that are random but the same in every run.

#[path = "fuzz/properties.rs"]
mod properties;
#[allow(dead_code)] // shared with tests that use other parts of it
#[path = "support/random.rs"]
mod random;

use random::Random;

/// Bytes that mean something to the parser, whole and broken.
const SCRAPS: [&[u8]; 22] = [
    b"*1\r\n",
    b"*2\r\n",
    b"*3\r\n",
    b"*0\r\n",
    b"*-1\r\n",
    b"*11\r\n",
    b"$0\r\n",
    b"$1\r\n",
    b"$3\r\n",
    b"$-1\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"a",
    b"GET",
    b"\"",
    b"'",
    b" ",
    b"\\x41",
    b"\\",
    b"*",
    b"$101\r\n",
];

fn scraps(random: &mut Random) -> Vec<u8> {
    let mut bytes = random.bytes(4);
    for _ in 0..random.below(60) {
        match random.below(20) {
            0 => {
                let len = random.below(10);
                bytes.extend(random.bytes(len));
            }
            // A request in order, so that what follows it is reached.
            1..=6 => {
                let count = random.below(4) + 1;
                bytes.extend(format!("*{count}\r\n").bytes());
                for _ in 0..count {
                    let len = random.below(12);
                    bytes.extend(format!("${len}\r\n").bytes());
                    bytes.extend(random.bytes(len));
                    bytes.extend(b"\r\n");
                }
            }
            // A value with a buffer of its own.
            7 if random.percent(5) => {
                let len = 32 * 1024 + random.below(500);
                bytes.extend(format!("*2\r\n${len}\r\n").bytes());
                bytes.extend(random.bytes(len));
                bytes.extend(b"\r\n");
            }
            _ => bytes.extend_from_slice(SCRAPS[random.below(SCRAPS.len())]),
        }
    }
    bytes
}

#[test]
fn requests_are_the_same_however_they_are_cut() {
    let mut random = Random::new(1);
    for _ in 0..20_000 {
        properties::cuts_do_not_matter(&scraps(&mut random));
        let noise = random.below(200);
        properties::cuts_do_not_matter(&random.bytes(noise));
    }
}

/// Words that commands look for, and values at the edges of what they take.
const WORDS: [&str; 84] = [
    "a",
    "b",
    "c",
    "k",
    "",
    "0",
    "1",
    "-1",
    "2",
    "10",
    "-10",
    "100",
    "65535",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "4294967296",
    "1.5",
    "-1.5",
    "1e308",
    "inf",
    "-inf",
    "nan",
    "(1",
    "(inf",
    "[a",
    "[",
    "-",
    "+",
    "*",
    "$",
    "0-0",
    "1-1",
    "5-*",
    "18446744073709551615-18446744073709551615",
    "NX",
    "XX",
    "GT",
    "LT",
    "CH",
    "INCR",
    "EX",
    "PX",
    "EXAT",
    "PXAT",
    "KEEPTTL",
    "PERSIST",
    "GET",
    "COUNT",
    "LIMIT",
    "WITHSCORES",
    "WITHVALUES",
    "BYSCORE",
    "BYLEX",
    "REV",
    "MATCH",
    "TYPE",
    "LEFT",
    "RIGHT",
    "BEFORE",
    "AFTER",
    "RANK",
    "MAXLEN",
    "MINID",
    "~",
    "=",
    "AGGREGATE",
    "WEIGHTS",
    "SUM",
    "REPLACE",
    "DB",
    "STORE",
    "ASC",
    "ALPHA",
    "BY",
    "FIELDS",
    "IDX",
    "MINMATCHLEN",
    "WITHMATCHLEN",
    "ENTRIESREAD",
    "NOMKSTREAM",
    "yes",
    "no",
    "async",
];

/// A request of a command that exists, with words that may or may not make sense.
fn request(random: &mut Random, names: &[&'static str], bytes: &mut Vec<u8>) {
    let mut words: Vec<Vec<u8>> = random
        .pick(names)
        .split('|')
        .map(|word| word.as_bytes().to_vec())
        .collect();
    for _ in 0..random.below(8) {
        words.push(match random.below(12) {
            0 => {
                let len = random.below(300);
                random.bytes(len)
            }
            // The first words are keys: few of them, so that commands of all types meet.
            1..=5 => WORDS[random.below(4)].as_bytes().to_vec(),
            _ => random.pick(&WORDS).as_bytes().to_vec(),
        });
    }
    bytes.extend(format!("*{}\r\n", words.len()).bytes());
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).bytes());
        bytes.extend(word);
        bytes.extend(b"\r\n");
    }
}

#[test]
fn no_request_brings_the_core_down() {
    let names: Vec<&'static str> = aeolus::commands::table::all().iter().map(|spec| spec.name).collect();
    let mut random = Random::new(2);
    for _ in 0..1500 {
        let mut bytes = Vec::new();
        for _ in 0..500 {
            request(&mut random, &names, &mut bytes);
        }
        properties::requests_run(&bytes);
        properties::requests_run(&scraps(&mut random));
    }
}
