//! Values as ten servers wrote them: every type and encoding there is, from the files in `tests/fixtures/rdb`.

#![allow(dead_code)] // each test target uses its own part

use std::fs;

use aeolus::commands::values::{Origin, load_limits};
use aeolus::config::Settings;
use aeolus::persistence::rdb::reader::{Item, Reader};
use aeolus::persistence::rdb::{Source, Version, payload};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/rdb");
const FILES: [&str; 10] = [
    "redis-2.8",
    "redis-3.2",
    "redis-4.0",
    "redis-5.0",
    "redis-6.2",
    "redis-7.0",
    "redis-7.2",
    "redis-7.4",
    "redis-8.0",
    "valkey-9.1",
];

/// A value in the form of DUMP.
pub struct Payload {
    /// Which file it is from, and its key there.
    pub origin: String,
    pub version: Version,
    pub bytes: Vec<u8>,
}

impl Payload {
    /// Type code and body alone.
    pub fn body(&self) -> &[u8] {
        &self.bytes[..self.bytes.len() - 10]
    }
}

/// The files themselves.
pub fn files() -> Vec<Vec<u8>> {
    let read = |name| fs::read(format!("{FIXTURES}/{name}.rdb")).expect("the fixture is there");
    FILES.iter().map(read).collect()
}

/// The values of all files.
pub fn all() -> Vec<Payload> {
    FILES.iter().flat_map(|name| of_file(name)).collect()
}

fn of_file(name: &str) -> Vec<Payload> {
    let file = fs::read(format!("{FIXTURES}/{name}.rdb")).expect("the fixture is there");
    let mut reader =
        Reader::new(&file[..], load_limits(&Settings::default(), Origin::File), true).expect("an RDB file");
    let version = Version(reader.version());
    let (mut payloads, mut start) = (Vec::new(), reader.position() as usize);
    while let Some(item) = reader.next_item().expect("the file is whole") {
        let end = reader.position() as usize;
        if let Item::Key(record) = item {
            let mut bytes = typed_body(&file[start..end]);
            payload::seal(&mut bytes, version);
            payloads.push(Payload {
                origin: format!("{name} {}", record.key.escape_ascii()),
                version,
                bytes,
            });
        }
        start = end;
    }
    payloads
}

/// A key's type code and body, without what a file says before them.
fn typed_body(mut record: &[u8]) -> Vec<u8> {
    let source = &mut record;
    let read = |result: Result<(), _>| result.expect("it was read before");
    loop {
        match source.byte().expect("it was read before") {
            0xFE | 0xF8 => read(source.length().map(drop)),
            0xFC => read(source.bytes::<8>().map(drop)),
            0xFD => read(source.bytes::<4>().map(drop)),
            0xF9 => read(source.byte().map(drop)),
            code => {
                read(source.owned_string().map(drop));
                return [&[code][..], source].concat();
            }
        }
    }
}
