//! Large values are read in many small steps, and come to the same as in one.

use super::encode::{Encoder, Options};
use super::reader::{END, Item, Part, Reader, Record};
use super::tests::limits;
use super::{ValueType, Version};
use crate::keyspace::ValueRef;
use crate::types::listpack::{self, Element};
use crate::types::stream::{Group, NodeLimits, Stream, StreamId};

/// Elements of each value, and nodes of those that have nodes.
const COUNT: u64 = 5000;

/// A file of one key.
fn file(valkey: bool, value_type: ValueType, body: &[u8]) -> Vec<u8> {
    let head: &[u8] = if valkey { b"VALKEY080" } else { b"REDIS0012" };
    [head, &[value_type.code()], b"\x03key", body, &[END], &[0; 8]].concat()
}

/// Reads it in steps, none of which takes more bytes than it may.
fn read_in_steps(bytes: &[u8], what: ValueType) -> Box<Record> {
    let mut reader = Reader::new(bytes, limits(), true).expect("a file");
    let (mut steps, mut record, mut before) = (0, None, reader.position());
    loop {
        match reader.step().unwrap_or_else(|error| panic!("{what:?}: {error}")) {
            Part::Item(Item::Key(found)) => record = Some(found),
            Part::Item(_) => panic!("{what:?}: nothing else is there"),
            Part::Unfinished => {}
            Part::End => break,
        }
        let read = reader.position() - before;
        assert!(read <= 128 * 40 + 16, "{what:?}: {read} bytes in a step");
        before = reader.position();
        steps += 1;
    }
    assert!(steps >= COUNT / 128, "{what:?}: {steps} steps");
    record.expect("the key")
}

fn len(record: &Record) -> u64 {
    match record.value.as_ref().expect("a value") {
        ValueRef::List(list) => list.len() as u64,
        ValueRef::Set(set) => set.len() as u64,
        ValueRef::Hash(hash) => hash.len() as u64,
        ValueRef::HashTimed(hash) => hash.len() as u64,
        ValueRef::Zset(zset) => zset.len() as u64,
        ValueRef::Stream(stream) => stream.len(),
        _ => panic!("a small form"),
    }
}

type Write = fn(&mut Encoder<Vec<u8>>, u64) -> std::io::Result<()>;

fn text(n: u64) -> Vec<u8> {
    format!("element:{n}").into_bytes()
}

#[test]
fn large_values_are_read_in_steps() {
    let types: [(bool, ValueType, Write); 11] = [
        (false, ValueType::List, |encoder, n| encoder.string(&text(n))),
        (false, ValueType::ListQuicklist, |encoder, n| {
            // A ziplist of one integer of a byte.
            encoder.string(&[14, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0xFE, n as u8, 0xFF])
        }),
        (false, ValueType::ListQuicklist2, |encoder, n| {
            encoder.length(2)?;
            encoder.string(&listpack::from_elements([Element::of(&text(n))]))
        }),
        (false, ValueType::Set, |encoder, n| encoder.string(&text(n))),
        (false, ValueType::ZsetText, |encoder, n| {
            encoder.string(&text(n))?;
            encoder.byte(1)?;
            encoder.byte(b'7')
        }),
        (false, ValueType::Zset, |encoder, n| {
            encoder.string(&text(n))?;
            encoder.millis(n as i64)
        }),
        (false, ValueType::Hash, |encoder, n| {
            encoder.string(&text(n))?;
            encoder.string(b"v")
        }),
        (false, ValueType::HashExpiringDraft, |encoder, n| {
            encoder.length(n)?;
            encoder.string(&text(n))?;
            encoder.string(b"v")
        }),
        (false, ValueType::HashExpiring, |encoder, n| {
            encoder.length(n)?;
            encoder.string(&text(n))?;
            encoder.string(b"v")
        }),
        (true, ValueType::HashExpiringValkey, |encoder, n| {
            encoder.string(&text(n))?;
            encoder.string(b"v")?;
            encoder.millis(n as i64)
        }),
        // Without a deadline, which makes it an ordinary hash.
        (true, ValueType::HashExpiringValkey, |encoder, n| {
            encoder.string(&text(n))?;
            encoder.string(b"v")?;
            encoder.millis(-1)
        }),
    ];
    for (valkey, value_type, write) in types {
        let mut encoder = Encoder::new(Vec::new(), Options::default());
        let written = (|| {
            if value_type == ValueType::HashExpiring {
                encoder.millis(1_700_000_000_000)?;
            }
            encoder.length(COUNT)?;
            (0..COUNT).try_for_each(|n| write(&mut encoder, n))
        })();
        written.expect("memory takes everything");
        let record = read_in_steps(&file(valkey, value_type, &encoder.into_inner()), value_type);
        assert_eq!((&record.key[..], len(&record)), (&b"key"[..], COUNT), "{value_type:?}");
    }
}

/// Every list of a stream is read in steps: nodes, groups, what is pending, consumers and what is theirs.
#[test]
fn streams_are_read_in_steps() {
    let mut stream = Stream::new();
    let one = NodeLimits {
        max_entries: 1,
        ..NodeLimits::default()
    };
    for n in 0..COUNT {
        let fields = [(&b"f"[..], &b"v"[..])];
        stream
            .append(StreamId::new(n + 1, 0), fields.into_iter(), one)
            .expect("IDs rise");
    }
    for group in 0..3 {
        let name = format!("group:{group}");
        assert!(stream.create_group(name.as_bytes(), StreamId::new(COUNT, 0), None));
        let group = stream.group_mut(name.as_bytes()).expect("it was just made");
        let consumers: Vec<_> = (0..300)
            .map(|n| {
                group
                    .add_consumer(format!("consumer:{n}").as_bytes(), 7)
                    .expect("a new one")
            })
            .collect();
        for n in 0..COUNT {
            group.deliver(StreamId::new(n + 1, 0), consumers[n as usize % 300], 7);
        }
    }
    let options = Options {
        version: Version::REDIS_7_2,
        ..Options::default()
    };
    let mut encoder = Encoder::new(Vec::new(), options);
    encoder
        .value(ValueRef::Stream(&stream))
        .expect("memory takes everything");
    let bytes = file(false, ValueType::Stream3, &encoder.into_inner());
    let record = read_in_steps(&bytes, ValueType::Stream3);
    let Some(ValueRef::Stream(read)) = record.value.as_ref() else {
        panic!("a stream");
    };
    assert_eq!(read.len(), COUNT);
    assert_eq!(read.groups().len(), 3);
    for (name, group) in stream.groups() {
        let read = read.group(name).expect("it was written");
        assert_eq!((read.pending().len(), read.consumers().len()), (COUNT as usize, 300));
        let owners = |group: &Group| -> Vec<(StreamId, Vec<u8>)> {
            let pending = group.pending().iter();
            pending
                .map(|(&id, entry)| (id, group.consumer(entry.consumer).name().to_vec()))
                .collect()
        };
        assert!(owners(read) == owners(group));
    }
}
