//! Deadlines of fields: what each command answers, tells and leaves behind, and all of them together against a model.

use std::collections::BTreeMap;

use crate::server::testing::{START, Server};
use crate::types::testing::Rng;

/// Servers whose hashes are packed, and in tables.
fn both() -> [Server; 2] {
    let mut tables = Server::start();
    tables.core.settings.hash_max_listpack_entries = 0;
    [Server::start(), tables]
}

/// The names of the keyspace events in a reply, and of which key each is.
fn events(reply: &str) -> Vec<String> {
    let after = |text: &str| text.split('|').nth(2).unwrap_or_default().to_owned();
    reply
        .split("__keyevent@0__:")
        .skip(1)
        .map(|text| format!("{} {}", text.split('|').next().unwrap_or_default(), after(text)))
        .collect()
}

#[test]
fn fields_live_to_their_deadline_and_not_on_it() {
    for mut server in both() {
        server.ask("HSET h a 1 b 2 c 3");
        assert_eq!(server.ask("HPEXPIRE h 1500 FIELDS 2 a nosuch"), "*2|:1|:-2|");
        assert_eq!(server.ask("HPTTL h FIELDS 3 a b nosuch"), "*3|:1500|:-1|:-2|");
        assert_eq!(server.ask("HTTL h FIELDS 1 a"), "*1|:2|", "seconds are rounded up");
        assert_eq!(
            server.ask("HPEXPIRETIME h FIELDS 1 a"),
            format!("*1|:{}|", START + 1500)
        );
        assert_eq!(
            server.ask("HEXPIRETIME h FIELDS 1 a"),
            format!("*1|:{}|", START / 1000 + 2)
        );
        assert_eq!(server.at(1499).ask("HGET h a"), "$1|1|");
        assert_eq!(server.ask("HTTL h FIELDS 1 a"), "*1|:1|");
        assert_eq!(server.at(1500).ask("HGET h a"), "$-1|");
        assert_eq!(server.ask("HLEN h"), ":2|");
        assert_eq!(server.ask("HPTTL h FIELDS 1 a"), "*1|:-2|");
        assert_eq!(server.core.stats.expired_subkeys, 1);
    }
}

#[test]
fn the_wheel_expires_fields_that_nobody_looks_at() {
    for mut server in both() {
        for n in 0..200 {
            server.ask(&format!("HSET h:{} f{n} v", n % 4));
            server.ask(&format!("HPEXPIRE h:{} {} FIELDS 1 f{n}", n % 4, 1 + n % 100));
        }
        server.ask("HSET h:0 stays v");
        assert_eq!(server.core.next_due().map(|due| due.0 <= START + 1), Some(true));
        server.at(50).expire_due();
        assert_eq!(server.core.stats.expired_subkeys, 100);
        assert_eq!(server.ask("HLEN h:0"), ":25|");
        server.listen();
        let mut told = events(&server.at(100).expire_due());
        told.sort_unstable();
        let del = ["del h:1", "del h:2", "del h:3"];
        let expired = ["hexpired h:0", "hexpired h:1", "hexpired h:2", "hexpired h:3"];
        assert_eq!(told, [&del[..], &expired[..]].concat());
        assert_eq!(server.core.stats.expired_subkeys, 200);
        assert_eq!(server.core.keyspace.db(0).len(), 1);
        assert_eq!(server.core.keyspace.db(0).timed(), 0);
        assert_eq!(server.core.next_due(), None, "nothing is left to expire");
    }
}

#[test]
fn whoever_looks_finds_nothing_that_has_expired() {
    for mut server in both() {
        for look in [
            "EXISTS h",
            "TYPE h",
            "HGETALL h",
            "HLEN h",
            "KEYS *",
            "SCAN 0",
            "RANDOMKEY",
            "HRANDFIELD h 5",
        ] {
            server.at(0).ask("HSETEX h PX 10 FIELDS 2 a 1 b 2");
            let mut empty = Server::start();
            assert_eq!(server.at(10).ask(look), empty.ask(look), "{look}");
            assert_eq!(
                server.ask("DBSIZE"),
                if look == "KEYS *" { ":1|" } else { ":0|" },
                "{look}"
            );
            server.ask("DEL h");
        }
    }
}

#[test]
fn encodings_are_those_users_know() {
    let mut server = Server::start();
    server.core.settings.hash_max_listpack_entries = 4;
    server.ask("HSET h a 1 b 2");
    assert_eq!(server.ask("OBJECT ENCODING h"), "$8|listpack|");
    server.ask("HEXPIRE h 100 FIELDS 1 nosuch");
    assert_eq!(
        server.ask("OBJECT ENCODING h"),
        "$10|listpackex|",
        "as soon as it is asked for"
    );
    server.ask("HEXPIRE h 100 FIELDS 2 a b");
    assert_eq!(server.core.keyspace.db(0).timed(), 1);
    server.ask("HPERSIST h FIELDS 2 a b");
    assert_eq!(server.ask("OBJECT ENCODING h"), "$10|listpackex|");
    assert_eq!(server.core.keyspace.db(0).timed(), 0);
    server.ask("HEXPIRE h 100 FIELDS 1 b");
    server.ask("HSET h c 3 d 4 e 5");
    assert_eq!(server.ask("OBJECT ENCODING h"), "$9|hashtable|");
    assert_eq!(server.ask("HTTL h FIELDS 2 a b"), "*2|:-1|:100|");
}

#[test]
fn small_hashes_are_in_the_order_of_their_deadlines() {
    let mut server = Server::start();
    server.ask("HSET h a 1 b 2 c 3 d 4");
    server.ask("HPEXPIRE h 300 FIELDS 1 a");
    server.ask("HPEXPIRE h 100 FIELDS 2 d c");
    assert_eq!(server.ask("HKEYS h"), "*4|$1|c|$1|d|$1|a|$1|b|");
    server.ask("HPEXPIRE h 100 FIELDS 1 d");
    assert_eq!(server.ask("HKEYS h"), "*4|$1|d|$1|c|$1|a|$1|b|");
    server.ask("HSET h c 5");
    assert_eq!(server.ask("HKEYS h"), "*4|$1|d|$1|a|$1|b|$1|c|");
    server.ask("HSET h b 6 x 7");
    assert_eq!(server.ask("HKEYS h"), "*5|$1|d|$1|a|$1|b|$1|c|$1|x|");
}

#[test]
fn overwriting_a_field_clears_its_deadline_and_editing_keeps_it() {
    for mut server in both() {
        let ttl = |server: &mut Server| server.ask("HPTTL h FIELDS 1 a");
        server.ask("HSET h a 1 other x");
        for (command, kept) in [
            ("HINCRBY h a 5", true),
            ("HINCRBYFLOAT h a 1", true),
            ("HSETNX h a 7", true),
            ("HSET h a 2", false),
            ("HMSET h a 2", false),
            ("HSETEX h FIELDS 1 a 3", false),
            ("HSETEX h KEEPTTL FIELDS 1 a 3", true),
            ("HGETEX h FIELDS 1 a", true),
            ("HGETEX h PERSIST FIELDS 1 a", false),
            ("HPERSIST h FIELDS 1 a", false),
        ] {
            server.ask("HPEXPIRE h 1000 FIELDS 1 a");
            server.ask(command);
            assert_eq!(
                ttl(&mut server),
                if kept { "*1|:1000|" } else { "*1|:-1|" },
                "{command}"
            );
        }
        server.ask("HPEXPIRE h 1000 FIELDS 1 a");
        server.ask("HDEL h a");
        server.ask("HSET h a 1");
        assert_eq!(ttl(&mut server), "*1|:-1|");
    }
}

#[test]
fn conditions_compare_with_the_deadline_before() {
    // Deadline before, or 0 for none; condition; whether 100 is set.
    let cases = [
        (0, "NX", true),
        (50, "nx", false),
        (0, "XX", false),
        (50, "xX", true),
        (0, "GT", false),
        (100, "GT", false),
        (99, "GT", true),
        (0, "LT", true),
        (100, "LT", false),
        (101, "LT", true),
    ];
    for mut server in both() {
        for (before, condition, set) in cases {
            server.ask("HSET h a 1 b 2");
            if before > 0 {
                server.ask(&format!("HPEXPIRE h {before} FIELDS 1 a"));
            }
            let reply = server.ask(&format!("HPEXPIRE h 100 {condition} FIELDS 1 a"));
            assert_eq!(reply, format!("*1|:{}|", i64::from(set)), "{before} {condition}");
            let expected = match (set, before) {
                (true, _) => 100,
                (false, 0) => -1,
                (false, before) => before,
            };
            assert_eq!(
                server.ask("HPTTL h FIELDS 1 a"),
                format!("*1|:{expected}|"),
                "{before} {condition}"
            );
        }
    }
}

#[test]
fn a_deadline_in_the_past_deletes_the_field_and_the_last_one_its_key() {
    for mut server in both() {
        server.listen();
        for past in [
            "HEXPIRE h 0",
            "HPEXPIRE h 0",
            "HEXPIREAT h 1",
            &format!("HPEXPIREAT h {START}"),
        ] {
            server.ask("HSET h a 1 b 2");
            let told = server.ask(&format!("{past} FIELDS 2 a nosuch"));
            assert!(told.starts_with("*2|:2|:-2|"), "{told}");
            assert_eq!(events(&told), ["hdel h"]);
            let told = server.ask(&format!("{past} FIELDS 1 b"));
            assert_eq!(events(&told), ["hdel h", "del h"]);
        }
        assert!(server.core.keyspace.is_empty());
        assert_eq!(server.core.stats.expired_subkeys, 8);
    }
}

#[test]
fn events_and_dirty_counts_are_those_of_redis() {
    for mut server in both() {
        server.listen();
        // Command, events, changes.
        let cases: [(&str, &[&str], u64); 17] = [
            ("HSETEX h EX 100 FIELDS 2 a 1 b 2", &["new h", "hset h", "hexpire h"], 2),
            ("HSETEX h FNX FIELDS 2 a 1 c 2", &[], 0),
            ("HSETEX h FXX FIELDS 2 a 1 c 2", &[], 0),
            ("HSETEX h FXX KEEPTTL FIELDS 1 a 1", &["hset h"], 1),
            ("HEXPIRE h 100 FIELDS 2 a b", &["hexpire h"], 2),
            ("HEXPIRE h 100 NX FIELDS 2 a b", &[], 0),
            ("HPERSIST h FIELDS 2 a b", &["hpersist h"], 1),
            ("HPERSIST h FIELDS 2 a b", &[], 0),
            ("HGETEX h FIELDS 1 a", &[], 0),
            ("HGETEX h EX 50 FIELDS 2 a b", &["hexpire h"], 2),
            ("HGETEX h PERSIST FIELDS 2 a nosuch", &["hpersist h"], 1),
            ("HGETEX h PERSIST FIELDS 1 a", &[], 0),
            ("HGETEX h PXAT 1 FIELDS 1 a", &["hdel h"], 1),
            ("HGETDEL h FIELDS 1 nosuch", &[], 0),
            ("HGETDEL h FIELDS 1 b", &["hdel h", "del h"], 1),
            (
                "HSETEX h PXAT 1 FIELDS 1 a 1",
                &["new h", "hset h", "hdel h", "del h"],
                1,
            ),
            ("HSETEX h FXX FIELDS 1 a 1", &[], 0),
        ];
        for (command, expected, dirty) in cases {
            let before = server.core.dirty;
            let told = server.ask(command);
            assert_eq!(events(&told), expected, "{command}");
            assert_eq!(server.core.dirty - before, dirty, "{command}");
        }
    }
}

#[test]
fn values_come_with_hgetex_and_hgetdel() {
    for mut server in both() {
        server.ask("HSET h a 1 b two");
        assert_eq!(server.ask("HGETEX h PX 10 FIELDS 3 a x b"), "*3|$1|1|$-1|$3|two|");
        assert_eq!(server.ask("HPTTL h FIELDS 2 a b"), "*2|:10|:10|");
        assert_eq!(server.ask("HGETEX absent EX 10 FIELDS 2 a b"), "*2|$-1|$-1|");
        assert_eq!(server.ask("HGETDEL h FIELDS 2 b b"), "*2|$3|two|$-1|");
        assert_eq!(server.ask("HGETDEL absent FIELDS 1 b"), "*1|$-1|");
        assert_eq!(server.at(10).ask("HGETDEL h FIELDS 1 a"), "*1|$-1|");
        assert_eq!(server.ask("EXISTS h"), ":0|");
    }
}

#[test]
fn deadlines_go_with_the_value() {
    for mut server in both() {
        server.ask("HSET h a 1 b 2");
        server.ask("HPEXPIRE h 100 FIELDS 1 a");
        server.ask("COPY h copy");
        server.ask("RENAME h renamed");
        server.ask("MOVE renamed 1");
        assert_eq!(server.ask("HPTTL copy FIELDS 2 a b"), "*2|:100|:-1|");
        server.ask("SELECT 1");
        assert_eq!(server.ask("HPTTL renamed FIELDS 2 a b"), "*2|:100|:-1|");
        server.ask("PEXPIRE renamed 1000");
        server.ask("PERSIST renamed");
        server.at(100).expire_due();
        assert_eq!(server.core.stats.expired_subkeys, 2, "in both databases, by the wheel");
        assert_eq!(server.ask("HGETALL renamed"), "*2|$1|b|$1|2|");
    }
}

#[test]
fn a_value_in_the_place_of_the_hash_does_not_expire() {
    for mut server in both() {
        server.ask("HSETEX h PX 10 FIELDS 1 a 1");
        server.ask("SET h text");
        assert_eq!(server.core.keyspace.db(0).timed(), 0);
        server.ask("PEXPIRE h 50");
        assert_eq!(server.at(20).expire_due(), "");
        assert_eq!(server.ask("GET h"), "$4|text|");
        server.at(50).expire_due();
        assert!(
            server.core.keyspace.is_empty(),
            "the key's own deadline is on the wheel"
        );
    }
}

#[test]
fn a_key_with_a_deadline_too_goes_by_whichever_comes_first() {
    for mut server in both() {
        server.ask("HSETEX h PX 10 FIELDS 1 a 1");
        server.ask("HSET h b 2");
        server.ask("PEXPIRE h 20");
        server.at(10).expire_due();
        assert_eq!(server.ask("HGETALL h"), "*2|$1|b|$1|2|");
        server.at(20).expire_due();
        assert!(server.core.keyspace.is_empty());
        assert_eq!(
            (server.core.stats.expired_subkeys, server.core.stats.expired_keys),
            (1, 1)
        );
    }
}

#[test]
fn errors_come_in_redis_order() {
    let mut server = Server::start();
    server.ask("SET s x");
    server.ask("HSET h a 1");
    let wrong_type = "WRONGTYPE Operation against a key holding the wrong kind of value";
    let not_integer = "ERR value is not an integer or out of range";
    let mandatory = "ERR Mandatory argument FIELDS is missing or not at the right position";
    let must_match = "ERR The `numfields` parameter must match the number of arguments";
    let positive = "ERR Number of fields must be a positive integer";
    let greater = "ERR Parameter `numFields` should be greater than 0";
    let one_expire = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
    let one_condition = "ERR Only one of FXX or FNX arguments can be specified";
    let arity = "ERR wrong number of arguments for 'hsetex' command";
    let cases = [
        ("HEXPIRE s x x x x", wrong_type),
        ("HEXPIRE h x x x x", not_integer),
        ("HEXPIRE h -1 x x x", "ERR invalid expire time, must be >= 0"),
        (
            "HEXPIRE h 70368744178 x x x",
            "ERR invalid expire time in 'hexpire' command",
        ),
        (
            "HPEXPIREAT h 70368744177664 x x x",
            "ERR invalid expire time in 'hpexpireat' command",
        ),
        ("HEXPIRE h 1 x x x", mandatory),
        ("HEXPIRE h 1 NX x x", mandatory),
        ("HEXPIRE h 1 FIELDS 0 a", greater),
        ("HEXPIRE h 1 FIELDS x a", greater),
        ("HEXPIRE h 1 FIELDS 2 a", must_match),
        ("HEXPIRE h 1 NX FIELDS 1", must_match),
        ("HEXPIRE h 1 NX XX FIELDS 1 a", mandatory),
        ("HTTL s x x x", wrong_type),
        ("HTTL h x x x", mandatory),
        ("HTTL h FIELDS 0 x", positive),
        ("HTTL h FIELDS 2 x", must_match),
        ("HPERSIST h FIELDS -1 x", positive),
        ("HGETDEL h x 1 a", mandatory),
        ("HGETDEL h FIELDS 9223372036854775808 a", positive),
        ("HGETDEL h FIELDS 9223372036854775807 a", must_match),
        ("HGETEX s EX x FIELDS 1 a", wrong_type),
        ("HGETEX h EX x FIELDS 1 a", not_integer),
        ("HGETEX h EX 1 PERSIST FIELDS 1 a", mandatory),
        (
            "HGETEX h EX 99999999999 FIELDS 1 a",
            "ERR invalid expire time in 'hgetex' command",
        ),
        ("HGETEX h PERSIST FIELDS 2 a", must_match),
        ("HSETEX s x FIELDS 1 a b", "ERR unknown argument: x"),
        ("HSETEX s FIELDS 1 a b", wrong_type),
        ("HSETEX h EX 1 PX 1 FIELDS 1 a b", one_expire),
        ("HSETEX h EX 1 KEEPTTL FIELDS 1 a b", one_expire),
        ("HSETEX h KEEPTTL KEEPTTL FIELDS 1 a b", one_expire),
        ("HSETEX h FNX FXX FIELDS 1 a b", one_condition),
        ("HSETEX h FNX FNX FIELDS 1 a b", one_condition),
        ("HSETEX h EX x FIELDS 1 a b", not_integer),
        ("HSETEX h EX -1 FIELDS 1 a b", "ERR invalid expire time, must be >= 0"),
        ("HSETEX h FNX KEEPTTL KEEPTTL PX", one_expire),
        ("HSETEX h FNX FIELDS 1 a", arity),
        ("HSETEX h FIELDS 1 a b c", arity),
        ("HSETEX h FIELDS 2 a b", arity),
        ("HSETEX h FIELDS 0 a b", "ERR invalid number of fields"),
        ("HSETEX h FIELDS 2147483648 a b", "ERR invalid number of fields"),
    ];
    for (command, text) in cases {
        assert_eq!(server.ask(command), format!("-{text}|"), "{command}");
    }
    assert_eq!(server.ask("HPEXPIREAT h 70368744177663 FIELDS 1 a"), "*1|:1|");
    assert_eq!(server.ask("HEXPIRE absent 10 FIELDS 2 a b"), "*2|:-2|:-2|");
    assert_eq!(server.ask("HTTL absent FIELDS 1 a"), "*1|:-2|");
    assert_eq!(server.ask("HPERSIST absent FIELDS 1 a"), "*1|:-2|");
}

#[test]
fn many_fields_that_are_due_at_once_go_in_slices_unseen() {
    let mut server = Server::start();
    for n in 0..5000 {
        server.ask(&format!("HSETEX h PX 10 FIELDS 1 f{n} v"));
    }
    server.ask("HSET h stays v");
    server.at(10);
    assert_eq!(server.ask("HLEN h"), ":1|");
    assert_eq!(server.core.stats.expired_subkeys, 2, "who looks removes but a few");
    assert_eq!(server.ask("HGET h f4999"), "$-1|");
    assert_eq!(server.ask("HGETALL h"), "*2|$6|stays|".replace("$6", "$5") + "$1|v|");
    assert_eq!(server.ask("HRANDFIELD h -3"), "*3|$5|stays|$5|stays|$5|stays|");
    assert_eq!(server.ask("HSET h f4998 new f4997 new"), ":2|", "they count as new");
    assert_eq!(server.ask("HDEL h f4996"), ":0|");
    assert_eq!(server.ask("HEXPIRE h 5 FIELDS 2 f4995 f4998"), "*2|:-2|:1|");
    server.listen();
    let told = events(&server.expire_due());
    assert!(
        !told.is_empty() && told.iter().all(|event| event == "hexpired h"),
        "{told:?}"
    );
    assert_eq!(server.ask("HLEN h"), ":3|");
    assert_eq!(
        server.core.keyspace.db(0).next_due().map(|due| due.0 > START + 10),
        Some(true)
    );
    // All of a large hash: it goes with its key.
    for n in 0..5000 {
        server.ask(&format!("HSETEX g PX 10 FIELDS 1 f{n} v"));
    }
    let told = server.at(20).ask("EXISTS g");
    assert_eq!(events(&told), ["hexpired g", "del g", "keymiss g"]);
    assert_eq!(server.core.keyspace.graveyard.pending(), 1, "freed in slices");
}

/// What a hash should be.
type Fields = BTreeMap<String, (String, Option<i64>)>;

/// A server and what its hashes should hold.
struct Rig {
    server: Server,
    /// Another server, which is told what the first records and whose clock stands still.
    follower: Server,
    model: BTreeMap<String, Fields>,
    now: i64,
    rng: Rng,
}

impl Rig {
    fn living(&mut self) {
        let now = self.now;
        for fields in self.model.values_mut() {
            fields.retain(|_, (_, deadline)| deadline.is_none_or(|at| at > now));
        }
        self.model.retain(|_, fields| !fields.is_empty());
    }

    fn fields(&mut self, key: &str) -> &mut Fields {
        self.model.entry(key.to_owned()).or_default()
    }

    /// Runs a random command on the server and on the model, and compares the replies.
    fn step(&mut self) {
        let key = format!("h:{}", self.rng.below(4));
        let field = format!("f{}", self.rng.below(12));
        let value = self.rng.below(1000).to_string();
        let ttl = self.rng.below(40) as i64;
        let now = self.now;
        let known = self.model.get(&key).and_then(|fields| fields.get(&field)).cloned();
        let exists = known.is_some();
        let past = ttl == 0;
        let (command, reply) = match self.rng.below(13) {
            0 | 1 => {
                self.fields(&key).insert(field.clone(), (value.clone(), None));
                (
                    format!("HSET {key} {field} {value}"),
                    format!(":{}|", i64::from(!exists)),
                )
            }
            2 => {
                self.fields(&key).remove(&field);
                (format!("HDEL {key} {field}"), format!(":{}|", i64::from(exists)))
            }
            3 | 4 => {
                let old = known.as_ref().and_then(|(_, at)| *at);
                let new = now + ttl;
                let (word, allowed) = [
                    ("", true),
                    (" NX", old.is_none()),
                    (" XX", old.is_some()),
                    (" GT", old.is_some_and(|old| new > old)),
                    (" LT", old.is_none_or(|old| new < old)),
                ][self.rng.below(5)];
                let code = match known {
                    None => -2,
                    Some(_) if !allowed => 0,
                    Some(_) if past => 2,
                    Some(_) => 1,
                };
                match code {
                    1 => self.fields(&key).get_mut(&field).expect("known").1 = Some(new),
                    2 => drop(self.fields(&key).remove(&field)),
                    _ => {}
                }
                (
                    format!("HPEXPIRE {key} {ttl}{word} FIELDS 1 {field}"),
                    format!("*1|:{code}|"),
                )
            }
            5 => {
                let code = match &known {
                    None => -2,
                    Some((_, None)) => -1,
                    Some((_, Some(_))) => 1,
                };
                if let Some(fields) = self.model.get_mut(&key).and_then(|fields| fields.get_mut(&field)) {
                    fields.1 = None;
                }
                (format!("HPERSIST {key} FIELDS 1 {field}"), format!("*1|:{code}|"))
            }
            6 => {
                let at = known.as_ref().map_or(-2, |(_, at)| at.map_or(-1, |at| at - now));
                (format!("HPTTL {key} FIELDS 1 {field}"), format!("*1|:{at}|"))
            }
            7 => {
                let (word, deadline) = match self.rng.below(3) {
                    0 => (String::new(), None),
                    1 => ("KEEPTTL ".to_owned(), known.as_ref().and_then(|(_, at)| *at)),
                    _ => (format!("PX {ttl} "), Some(now + ttl)),
                };
                let (condition, allowed) = [("", true), ("FNX ", !exists), ("FXX ", exists)][self.rng.below(3)];
                if allowed {
                    self.fields(&key).insert(field.clone(), (value.clone(), deadline));
                }
                (
                    format!("HSETEX {key} {condition}{word}FIELDS 1 {field} {value}"),
                    format!(":{}|", i64::from(allowed)),
                )
            }
            8 => {
                if let Some((_, at)) = self.fields(&key).get_mut(&field) {
                    *at = Some(now + ttl);
                }
                let shown = shown(known.as_ref());
                (format!("HGETEX {key} PX {ttl} FIELDS 1 {field}"), format!("*1|{shown}"))
            }
            9 => {
                self.fields(&key).remove(&field);
                (
                    format!("HGETDEL {key} FIELDS 1 {field}"),
                    format!("*1|{}", shown(known.as_ref())),
                )
            }
            10 => {
                let sum = known.as_ref().map_or(0, |(value, _)| value.parse().expect("a number")) + 1;
                self.fields(&key).entry(field.clone()).or_default().0 = i64::to_string(&sum);
                (format!("HINCRBY {key} {field} 1"), format!(":{sum}|"))
            }
            11 => {
                let target = format!("h:{}", self.rng.below(4));
                let value = self.model.get(&key).cloned();
                let copied = value.is_some();
                if target == key {
                    let fields = value.map_or(0, |fields| fields.len());
                    (format!("HLEN {key}"), format!(":{fields}|"))
                } else {
                    self.model.extend(value.map(|fields| (target.clone(), fields)));
                    (
                        format!("COPY {key} {target} REPLACE"),
                        format!(":{}|", i64::from(copied)),
                    )
                }
            }
            _ => {
                let target = format!("h:{}", self.rng.below(4));
                match self.model.remove(&key) {
                    Some(fields) => {
                        self.model.insert(target.clone(), fields);
                        (format!("RENAME {key} {target}"), "+OK|".to_owned())
                    }
                    None => (format!("RENAME {key} {target}"), "-ERR no such key|".to_owned()),
                }
            }
        };
        assert_eq!(self.server.ask(&command), reply, "{command} at {now}");
        self.living();
    }

    /// Has the follower do what was recorded, and compares it with the model. All that is due must have gone.
    fn follow(&mut self) {
        let stream = std::mem::take(&mut self.server.core.propagation.stream);
        let text = String::from_utf8(stream).expect("the commands are texts");
        for request in text.split('*').skip(1) {
            let words = request
                .split("\r\n")
                .skip(1)
                .filter(|word| !word.is_empty() && !word.starts_with('$'));
            let line = words.collect::<Vec<_>>().join(" ");
            let reply = self.follower.ask(&line);
            assert!(!reply.starts_with('-'), "{line}: {reply}");
        }
        assert_eq!(self.follower.core.keyspace.db(0).len(), self.model.len());
        for (key, fields) in &self.model {
            assert_eq!(self.follower.ask(&format!("HLEN {key}")), format!(":{}|", fields.len()));
            for (field, (value, deadline)) in fields {
                let shown = self.follower.ask(&format!("HGET {key} {field}"));
                assert_eq!(shown, format!("${}|{value}|", value.len()), "{key} {field}");
                let deadline = deadline.map_or(-1, |at| START + at);
                let shown = self.follower.ask(&format!("HPEXPIRETIME {key} FIELDS 1 {field}"));
                assert_eq!(shown, format!("*1|:{deadline}|"), "{key} {field}");
            }
        }
    }

    fn check(&mut self) {
        assert!(self.server.core.keyspace.db(0).len() >= self.model.len());
        for key in (0..4).map(|n| format!("h:{n}")) {
            let fields = self.model.get(&key).cloned().unwrap_or_default();
            assert_eq!(self.server.ask(&format!("HLEN {key}")), format!(":{}|", fields.len()));
            let reply = self.server.ask(&format!("HGETALL {key}"));
            let words: Vec<&str> = reply.split('|').skip(1).filter(|word| !word.is_empty()).collect();
            let texts: Vec<&str> = words
                .into_iter()
                .filter(|word| !word.is_empty() && !word.starts_with('$'))
                .collect();
            let seen: BTreeMap<&str, &str> = texts.chunks(2).map(|pair| (pair[0], pair[1])).collect();
            let expected = fields
                .iter()
                .map(|(field, (value, _))| (field.as_str(), value.as_str()));
            assert_eq!(seen, expected.collect(), "{key} at {}", self.now);
        }
        let timed = |fields: &Fields| fields.values().any(|(_, at)| at.is_some());
        let timed = self.model.values().filter(|fields| timed(fields)).count();
        assert_eq!(
            self.server.core.keyspace.db(0).timed(),
            timed,
            "after all were looked at"
        );
    }
}

fn shown(known: Option<&(String, Option<i64>)>) -> String {
    known.map_or("$-1|".to_owned(), |(value, _)| format!("${}|{value}|", value.len()))
}

#[test]
fn all_commands_follow_a_model_while_time_goes_on() {
    for seed in 0..30 {
        let mut rig = Rig {
            server: Server::start(),
            follower: Server::start(),
            model: BTreeMap::new(),
            now: 0,
            rng: Rng::new(seed),
        };
        // Packed, in tables, and changing over.
        rig.server.core.settings.hash_max_listpack_entries = [128, 0, 5][seed as usize % 3];
        rig.server.core.propagation.is_on = true;
        for _ in 0..800 {
            rig.step();
            if rig.rng.chance(5) {
                rig.now += rig.rng.below(15) as i64;
                rig.living();
                rig.server.at(rig.now);
                if rig.rng.chance(2) {
                    rig.server.expire_due();
                    let due = rig.server.core.next_due();
                    assert!(
                        due.is_none_or(|due| due.0 > START + rig.now),
                        "all that is due has gone"
                    );
                    assert_eq!(rig.server.core.keyspace.db(0).len(), rig.model.len());
                    rig.follow();
                }
            }
            if rig.rng.chance(10) {
                rig.check();
            }
        }
    }
}
