//! The properties that the fuzz targets check (`tests/fuzz`), on bytes that are random but the same in every run.

#[path = "support/payloads.rs"]
mod payloads;
#[path = "fuzz/properties.rs"]
mod properties;
#[allow(dead_code)] // shared with tests that use other parts of it
#[path = "support/random.rs"]
mod random;

#[path = "fuzz/files.rs"]
mod files;
#[path = "fuzz/stored_values.rs"]
mod stored_values;

use aeolus::persistence::rdb::Source;
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

/// Changes a few bytes, mostly in front where counts and headers are, and at times the length.
fn spoil(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..random.below(4) {
        if bytes.is_empty() {
            return;
        }
        let reach = if random.percent(50) {
            bytes.len()
        } else {
            bytes.len().min(24)
        };
        let at = random.below(reach);
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.next() as u8),
            2 => drop(bytes.remove(at)),
            3 => bytes[at] = *random.pick(&[0, 1, 0x7F, 0x80, 0xFE, 0xFF]),
            4 => bytes[at] ^= 1 << random.below(8),
            _ => bytes[at] = random.next() as u8,
        }
    }
}

/// Values that ten servers wrote, and the same with a few bytes changed.
#[test]
fn no_payload_brings_the_core_down() {
    let values: Vec<payloads::Payload> = payloads::all()
        .into_iter()
        .filter(|payload| payload.bytes.len() < 3000)
        .collect();
    let mut random = Random::new(3);
    for round in 0..6000 {
        let payload = &values[round % values.len()];
        let valkey = u8::from(payload.version.0 >= 80);
        let mut body = payload.body().to_vec();
        spoil(&mut random, &mut body);
        let choice = valkey | if random.percent(50) { 2 } else { 0 };
        stored_values::payloads_do_no_harm(&[&[choice][..], &body].concat());
    }
}

/// The packed bytes in those values, changed before they are wrapped; without changes all are taken.
#[test]
fn no_packed_bytes_bring_the_core_down() {
    let mut blobs: Vec<(usize, Vec<u8>)> = Vec::new();
    for payload in payloads::all() {
        let (&code, mut body) = payload.body().split_first().expect("a type and a body");
        let index = [9, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20, 25]
            .iter()
            .position(|&known| known == code);
        let Some(index) = index else { continue };
        let before = match code {
            14 => 1,
            18 => 2,
            19 => 18,
            25 => 8,
            _ => 0,
        };
        if body.len() <= before {
            // A stream without nodes.
            continue;
        }
        body = &body[before..];
        let blob = body.owned_string().expect("packed bytes");
        if blob.len() < 3000 {
            blobs.push((index, blob));
        }
    }
    let mut random = Random::new(4);
    for round in 0..8000 {
        let (index, mut blob) = blobs[round % blobs.len()].clone();
        spoil(&mut random, &mut blob);
        let choice = if random.percent(50) { 2 } else { 0 };
        stored_values::packed_bytes_do_no_harm(&[&[choice, index as u8][..], &blob].concat());
    }
}

/// Snapshots of all versions with a few bytes changed, and the checksum at the end said not to be there.
#[test]
fn no_snapshot_brings_the_core_down() {
    let snapshots = payloads::files();
    let (mut random, mut loaded) = (Random::new(5), 0);
    for round in 0..300 {
        let mut bytes = snapshots[round % snapshots.len()].clone();
        let end = bytes.len() - 8;
        bytes[end..].fill(0);
        if round >= snapshots.len() {
            // The further behind, the more is read before it matters.
            let from = random.below(end);
            let mut spoilt = bytes.split_off(from);
            spoil(&mut random, &mut spoilt);
            bytes.extend(spoilt);
        }
        loaded += usize::from(files::snapshots_load_or_are_refused(&bytes));
    }
    assert!(loaded >= snapshots.len(), "only {loaded} were loaded");
}

/// A log cut at every byte, and with bytes changed.
#[test]
fn no_log_brings_the_core_down() {
    let mut log = Vec::new();
    for line in [
        "SELECT 0",
        "SET a 1 PXAT 1700000100000",
        "MULTI",
        "RPUSH l a b c",
        "XADD s 1-1 f v",
        "EXEC",
        "SELECT 3",
        "ZADD z 1 a 2 b",
        "PEXPIREAT z 1",
        "XGROUP CREATE s g 0 MKSTREAM",
        "SPOP nosuch",
        "FLUSHDB",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        log.extend(format!("*{}\r\n", words.len()).bytes());
        for word in words {
            log.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
        }
    }
    for cut in 0..=log.len() {
        assert!(files::logs_play_or_are_refused(&log[..cut]), "{cut}");
    }
    for at in 0..log.len() {
        for byte in (0..=255u8).step_by(5).chain([1, 0x7F, 0x80]) {
            let mut bytes = log.clone();
            bytes[at] = byte;
            files::logs_play_or_are_refused(&bytes);
        }
    }
    let mut random = Random::new(6);
    for _ in 0..3000 {
        let mut bytes = log.clone();
        spoil(&mut random, &mut bytes);
        files::logs_play_or_are_refused(&bytes);
    }
}

/// A snapshot with a small value of every kind, as the server writes it.
fn small_snapshot() -> Vec<u8> {
    let lines = [
        "SET string text",
        "SET int 12345",
        "SET volatile x PXAT 1700000100000",
        "RPUSH list a 1 ccc",
        "SADD ints 1 2 300",
        "SADD set a b",
        "HSET hash field value other 7",
        "ZADD zset 1.5 a 2 b",
        "XADD stream 1-1 field value",
        "XADD stream 2-1 field other",
        "XGROUP CREATE stream group 0",
        "XREADGROUP GROUP group consumer COUNT 1 STREAMS stream >",
        "SELECT 3",
        "SET elsewhere 1",
        "CONFIG SET hash-max-listpack-entries 1 set-max-listpack-entries 1 zset-max-listpack-entries 1 \
         list-max-listpack-size 1 set-max-intset-entries 1",
        "RPUSH nodes a bb",
        "SADD table a b",
        "HSET fields a 1 b 2",
        "ZADD scores 1 a 2.5 b",
    ];
    files::snapshot_after(&lines)
}

/// With its checksum no byte of a snapshot can be another, and none can be missing.
#[test]
fn a_snapshot_cut_or_flipped_anywhere_is_refused() {
    let whole = small_snapshot();
    assert!(files::snapshots_load_or_are_refused(&whole));
    for cut in 0..whole.len() {
        assert!(!files::snapshots_load_or_are_refused(&whole[..cut]), "{cut}");
    }
    for at in 0..whole.len() {
        for bits in [1, 0x10, 0x80, 0xFF] {
            let mut bytes = whole.clone();
            bytes[at] ^= bits;
            assert!(!files::snapshots_load_or_are_refused(&bytes), "{at} {bits:x}");
        }
    }
}

/// Without one any byte may be another, and what it makes is refused or sound.
#[test]
fn a_snapshot_without_checksum_may_say_anything() {
    let mut whole = small_snapshot();
    let end = whole.len() - 8;
    whole[end..].fill(0);
    for at in 0..end {
        for byte in (0..=255u8).step_by(13).chain([1, 0x7F, 0x80, 0xFF]) {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            files::snapshots_load_or_are_refused(&bytes);
        }
    }
}
