//! RDB files of ten servers, from Redis 2.8 to Valkey 9.1, are read to exactly what those servers said they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use aeolus::commands::values::{Origin, load_limits};
use aeolus::config::Settings;
use aeolus::keyspace::{Kind, ValueRef};
use aeolus::persistence::rdb::reader::{Item, Reader, Record};
use aeolus::persistence::rdb::{Error, Value};
use aeolus::timer::Millis;
use aeolus::types::hash::{HashRef, PairPack, TimedPack, TimedTable};
use aeolus::types::intset::Intset;
use aeolus::types::list::{Direction, ListRef};
use aeolus::types::listpack::{Element, Listpack};
use aeolus::types::set::SetRef;
use aeolus::types::stream::{Stream, StreamId};
use aeolus::types::zset::ZsetRef;
use serde_json::{Value as Json, json};
use sha1::{Digest, Sha1};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/rdb");
const FILES: [(&str, u16); 10] = [
    ("redis-2.8", 6),
    ("redis-3.2", 7),
    ("redis-4.0", 8),
    ("redis-5.0", 9),
    ("redis-6.2", 9),
    ("redis-7.0", 10),
    ("redis-7.2", 11),
    ("redis-7.4", 12),
    ("redis-8.0", 12),
    ("valkey-9.1", 80),
];

/// Longer texts stand in the fixture as length and hash.
const TEXT_MAX: usize = 1500;

fn text(bytes: &[u8]) -> Json {
    if bytes.len() > TEXT_MAX {
        let hash: String = Sha1::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        return json!({ "sha1": hash, "len": bytes.len() });
    }
    Json::String(latin_1(bytes))
}

fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn element(element: Element) -> Json {
    text(&element.to_vec())
}

fn list(list: ListRef) -> Json {
    list.walk(0, Direction::Forward).map(element).collect()
}

fn set(set: SetRef) -> Json {
    let members: BTreeSet<Vec<u8>> = set.iter().map(Element::to_vec).collect();
    members.iter().map(|member| text(member)).collect()
}

fn zset(zset: ZsetRef) -> Json {
    zset.iter(0..zset.len(), false)
        .map(|(member, score)| json!([element(member), format!("{score:e}")]))
        .collect()
}

/// Scores in the one form in which they are compared.
fn normal_scores(pairs: &Json) -> Json {
    let pairs = pairs.as_array().expect("members and scores");
    let normal = |score: &Json| {
        let score: Option<f64> = score.as_str().and_then(|text| text.parse().ok());
        format!("{:e}", score.expect("a score"))
    };
    pairs.iter().map(|pair| json!([pair[0], normal(&pair[1])])).collect()
}

fn hash(hash: HashRef) -> Json {
    let fields: serde_json::Map<_, _> = hash
        .iter()
        .map(|(field, value)| (latin_1(&field.to_vec()), element(value)))
        .collect();
    let deadlines: serde_json::Map<_, _> = hash
        .iter_timed()
        .filter_map(|(field, _, deadline)| Some((latin_1(&field.to_vec()), json!(deadline?.0))))
        .collect();
    json!({ "fields": fields, "pxat": deadlines })
}

/// What XRANGE, XINFO STREAM, XINFO GROUPS and XPENDING answered. `fields` are the names that the server knew.
fn stream(stream: &Stream, known: &Json) -> Json {
    let number = |value: u64| json!(format!(":{value}"));
    let id = |id: StreamId| json!(id.to_string());
    let entries: Json = stream
        .range(StreamId::MIN, StreamId::MAX)
        .map(|entry| {
            let fields: Json = entry
                .fields
                .flat_map(|(field, value)| [element(field), element(value)])
                .collect();
            json!([id(entry.id), fields])
        })
        .collect();
    let mut info = json!({
        "length": number(stream.len()),
        "last-generated-id": id(stream.last_id),
        "groups": number(stream.groups().len() as u64),
        "max-deleted-entry-id": id(stream.max_deleted_id),
        "entries-added": number(stream.entries_added),
        "recorded-first-entry-id": id(stream.first_id()),
    });
    keep_known(&mut info, &known["info"]);
    let (mut groups, mut pending) = (Vec::new(), serde_json::Map::new());
    for (index, (name, group)) in stream.groups().iter().enumerate() {
        let mut facts = json!({
            "name": latin_1(name),
            "consumers": number(group.consumers().len() as u64),
            "pending": number(group.pending().len() as u64),
            "last-delivered-id": id(group.last_id),
            "entries-read": group.entries_read.map(number),
            "lag": stream.lag(group).map(number),
        });
        keep_known(&mut facts, &known["groups"][index]);
        groups.push(facts);
        let entries: Json = group
            .pending()
            .iter()
            .map(|(entry, pending)| {
                let owner = latin_1(group.consumer(pending.consumer).name());
                json!([id(*entry), owner, number(pending.delivery_count)])
            })
            .collect();
        pending.insert(latin_1(name), entries);
    }
    json!({ "entries": entries, "info": info, "groups": groups, "pending": pending })
}

/// Older servers tell less.
fn keep_known(facts: &mut Json, known: &Json) {
    if let Some(facts) = facts.as_object_mut() {
        facts.retain(|name, _| known.get(name).is_some());
    }
}

/// Type, encoding and contents of a value.
fn describe(value: &Value, known: &Json) -> (&'static str, &'static str, Json) {
    match value.as_ref().expect("values can be read") {
        ValueRef::Int(_) => unreachable!("strings are read as texts"),
        ValueRef::Str(bytes) => ("string", "any", text(bytes)),
        ValueRef::ListPacked(bytes) => ("list", "listpack", list(ListRef::Packed(Listpack::new(bytes)))),
        ValueRef::List(value) => ("list", "quicklist", list(ListRef::Quick(value))),
        ValueRef::SetInts(bytes) => ("set", "intset", set(SetRef::Intset(Intset::new(bytes)))),
        ValueRef::SetPacked(bytes) => ("set", "listpack", set(SetRef::Packed(Listpack::new(bytes)))),
        ValueRef::Set(value) => ("set", "hashtable", set(SetRef::Table(value))),
        ValueRef::HashPacked(bytes) => ("hash", "listpack", hash(HashRef::Packed(PairPack::new(bytes)))),
        ValueRef::Hash(value) => ("hash", "hashtable", hash(HashRef::Table(value))),
        ValueRef::HashTimedPacked(bytes) => {
            let pack = TimedPack::new(Listpack::new(bytes), Millis::MIN);
            ("hash", "any", hash(HashRef::TimedPacked(pack)))
        }
        ValueRef::HashTimed(value) => {
            let table = TimedTable::new(value, Millis::MIN);
            ("hash", "any", hash(HashRef::TimedTable(table)))
        }
        ValueRef::ZsetPacked(bytes) => ("zset", "listpack", zset(ZsetRef::Packed(bytes))),
        ValueRef::Zset(value) => ("zset", "skiplist", zset(ZsetRef::Table(value))),
        ValueRef::Stream(value) => ("stream", "stream", stream(value, known)),
        ValueRef::VectorSet(_) => unreachable!("no server that wrote these files has them"),
    }
}

fn check(record: &Record, known: &Json, file: &str) {
    let key = latin_1(&record.key);
    let (value_type, encoding, contents) = describe(&record.value, &known["value"]);
    assert_eq!(known["type"], value_type, "{file} {key}");
    let expected = match value_type {
        "zset" => normal_scores(&known["value"]),
        _ => known["value"].clone(),
    };
    assert_eq!(expected, contents, "{file} {key}");
    assert_eq!(known["pxat"], json!(record.deadline.map(|at| at.0)), "{file} {key}");
    if encoding != "any" && !known["encoding"].is_null() {
        assert_eq!(known["encoding"], encoding, "{file} {key}");
    }
}

fn reader(file: &[u8]) -> Reader<&[u8]> {
    Reader::new(file, load_limits(&Settings::default(), Origin::File), true).expect("an RDB file")
}

fn file(name: &str) -> Vec<u8> {
    fs::read(format!("{FIXTURES}/{name}.rdb")).expect("the fixture is there")
}

#[test]
fn ten_files_hold_what_their_servers_said() {
    let contents = fs::read_to_string(format!("{FIXTURES}/contents.jsonl")).expect("the fixture is there");
    let contents: Vec<Json> = contents
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    for (name, version) in FILES {
        let of_this_file = |row: &&Json| {
            row["files"]
                .as_array()
                .is_some_and(|files| files.contains(&json!(name)))
        };
        let mut known: BTreeMap<(u64, String), &Json> = contents
            .iter()
            .filter(of_this_file)
            .map(|row| {
                let key = row["key"].as_str().expect("a key").to_owned();
                ((row["db"].as_u64().expect("a database"), key), row)
            })
            .collect();
        let bytes = file(name);
        let mut reader = reader(&bytes);
        assert_eq!(reader.version(), version);
        let (mut functions, mut aux, mut promised, mut read) = (0, 0, 0, 0);
        while let Some(item) = reader.next_item().expect(name) {
            match item {
                Item::Key(record) => {
                    let place = (record.database, latin_1(&record.key));
                    let row = known
                        .remove(&place)
                        .unwrap_or_else(|| panic!("{name} has no {place:?}"));
                    check(&record, row, name);
                    read += 1;
                }
                Item::Function(code) => {
                    assert!(code.starts_with(b"#!lua name=lib"));
                    functions += 1;
                }
                Item::Aux { .. } => aux += 1,
                Item::Size { keys, .. } => promised += keys,
                Item::Empty { key } => panic!("{name} has no empty {}", key.escape_ascii()),
            }
        }
        assert!(known.is_empty(), "{name} lacks {:?}", known.keys());
        assert_eq!(reader.position(), bytes.len() as u64);
        assert_eq!(functions, u64::from(version >= 10), "{name}");
        assert_eq!(
            (aux > 0, promised),
            if version > 6 { (true, read) } else { (false, 0) },
            "{name}"
        );
    }
}

/// A hash with a field that has a deadline comes in one of the forms that have room for it.
#[test]
fn hashes_with_deadlines_are_told_apart() {
    for name in ["redis-7.4", "redis-8.0", "valkey-9.1"] {
        let bytes = file(name);
        let (mut reader, mut expiring) = (reader(&bytes), 0);
        while let Some(item) = reader.next_item().expect(name) {
            if let Item::Key(record) = item {
                expiring += usize::from(matches!(
                    record.value,
                    Value::TimedHash(_) | Value::Packed(Kind::HashTimedPacked, _)
                ));
                assert!(record.value.as_ref().is_some(), "{name}");
            }
        }
        assert!(expiring > 0, "{name}");
    }
}

#[test]
fn broken_files_are_refused() {
    let limits = load_limits(&Settings::default(), Origin::File);
    let head = |bytes: &[u8]| Reader::new(bytes, limits, true).err().map(|error| error.to_string());
    assert_eq!(head(b"").as_deref(), Some("this is no RDB file"));
    assert_eq!(head(b"REDISxxxx").as_deref(), Some("this is no RDB file"));
    assert_eq!(head(b"REDIS0013").as_deref(), Some("RDB version 13 is not known"));
    assert_eq!(head(b"REDIS0080").as_deref(), Some("RDB version 80 is not known"));

    let good = file("redis-7.2");
    let read = |bytes: &[u8]| {
        let mut reader = reader(bytes);
        loop {
            match reader.next_item() {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    };
    let mut changed = good.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    assert!(matches!(read(&changed), Err(Error::Checksum)));
    // No checksum was computed.
    changed[last - 7..].fill(0);
    assert!(read(&changed).is_ok());
    for cut in (9..good.len()).step_by(997) {
        assert!(matches!(read(&good[..cut]), Err(Error::Truncated)), "{cut}");
    }
}

/// Files come through a buffer, in pieces of any size.
#[test]
fn pieces_of_a_file_make_the_whole() {
    struct Drops<'a>(&'a [u8], usize);
    impl std::io::Read for Drops<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            self.1 = self.1 * 7 % 1009 + 1;
            let count = self.0.len().min(out.len()).min(self.1);
            out[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }
    let bytes = file("redis-8.0");
    let mut reader =
        Reader::new(Drops(&bytes, 1), load_limits(&Settings::default(), Origin::File), true).expect("an RDB file");
    let mut keys = 0;
    while let Some(item) = reader.next_item().expect("whole") {
        keys += usize::from(matches!(item, Item::Key(_)));
    }
    assert_eq!(keys, 95);
    assert_eq!(reader.position(), bytes.len() as u64);
}

/// Small values of the present kinds are taken over as they stand.
#[test]
fn packed_values_stay_packed() {
    let bytes = file("redis-7.2");
    let (mut reader, mut kinds) = (reader(&bytes), BTreeMap::new());
    while let Some(item) = reader.next_item().expect("whole") {
        if let Item::Key(record) = item
            && let Value::Packed(kind, _) = record.value
        {
            *kinds.entry(format!("{kind:?}")).or_insert(0) += 1;
        }
    }
    let packed = [
        Kind::ListPacked,
        Kind::SetInts,
        Kind::SetPacked,
        Kind::HashPacked,
        Kind::ZsetPacked,
    ];
    for kind in packed {
        assert!(kinds.contains_key(&format!("{kind:?}")), "{kind:?}");
    }
}
