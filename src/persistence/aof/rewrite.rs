//! Writing a base as requests: the fewest that make the data.
//!
//! Used where `aof-use-rdb-preamble` is off; a snapshot is smaller and faster both ways. Large collections come in
//! requests of a bounded number of elements, so that whoever plays them needs no more memory than for those.

use std::io::{self, Write};

use crate::keyspace::{EntryRef, Keyspace, ValueRef};
use crate::persistence::rdb::encode::Options;
use crate::persistence::rdb::payload;
use crate::resp::encode;
use crate::timer::Millis;
use crate::types::hash::{HashRef, PairPack, TimedPack, TimedTable};
use crate::types::intset::Intset;
use crate::types::list::{Direction, ListRef};
use crate::types::listpack::{Element, Listpack};
use crate::types::set::SetRef;
use crate::types::stream::{Group, ID_TEXT_MAX, Stream, StreamId};
use crate::types::zset::ZsetRef;

/// Elements that one request brings at most.
const ELEMENTS: usize = 64;
/// Bytes gathered before they go to the file.
const BUFFER: usize = 128 * 1024;

/// The line that says when what follows was recorded, in Unix seconds.
pub fn annotation(second: i64) -> String {
    format!("#TS:{second}\r\n")
}

/// Writes all libraries of functions and all keys as requests. `tell` hears how many keys are written.
///
/// # Errors
/// What the disk or `tell` says.
pub fn write_to(
    out: &mut dyn Write,
    functions: &[&[u8]],
    keyspace: &Keyspace,
    tell: &mut dyn FnMut(u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut writer = Writer {
        out,
        buffer: Vec::new(),
    };
    for source in functions {
        writer.request(&[b"FUNCTION", b"LOAD", source])?;
    }
    let mut done = 0;
    for (index, database) in keyspace.databases() {
        if database.is_empty() {
            continue;
        }
        writer.request(&[b"SELECT", index.to_string().as_bytes()])?;
        for entry in database.iter() {
            writer.key(entry)?;
            done += 1;
            tell(done)?;
        }
    }
    writer.pass()
}

struct Writer<'w> {
    out: &'w mut dyn Write,
    buffer: Vec<u8>,
}

impl Writer<'_> {
    fn pass(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn request(&mut self, words: &[&[u8]]) -> io::Result<()> {
        encode::request(&mut self.buffer, words.len(), words.iter().copied());
        if self.buffer.len() >= BUFFER {
            self.pass()?;
        }
        Ok(())
    }

    /// Requests `name key element ...` of at most [`ELEMENTS`] elements, each of which may be several words.
    fn elements(
        &mut self,
        name: &[u8],
        key: &[u8],
        elements: impl Iterator<Item = impl IntoIterator<Item = Vec<u8>>>,
    ) -> io::Result<()> {
        let (mut words, mut count): (Vec<Vec<u8>>, usize) = (Vec::new(), 0);
        for element in elements {
            words.extend(element);
            count += 1;
            if count == ELEMENTS {
                self.gathered(name, key, &words)?;
                words.clear();
                count = 0;
            }
        }
        match words.is_empty() {
            true => Ok(()),
            false => self.gathered(name, key, &words),
        }
    }

    fn gathered(&mut self, name: &[u8], key: &[u8], words: &[Vec<u8>]) -> io::Result<()> {
        let mut all: Vec<&[u8]> = vec![name, key];
        all.extend(words.iter().map(Vec::as_slice));
        self.request(&all)
    }

    fn key(&mut self, entry: EntryRef<'_>) -> io::Result<()> {
        let key = entry.key();
        self.value(key, entry.value())?;
        match entry.deadline() {
            Some(deadline) => self.request(&[b"PEXPIREAT", key, deadline.0.to_string().as_bytes()]),
            None => Ok(()),
        }
    }

    fn value(&mut self, key: &[u8], value: ValueRef<'_>) -> io::Result<()> {
        match value {
            ValueRef::Int(value) => self.request(&[b"SET", key, itoa::Buffer::new().format(value).as_bytes()]),
            ValueRef::Str(text) => self.request(&[b"SET", key, text]),
            ValueRef::ListPacked(bytes) => self.list(key, ListRef::Packed(Listpack::new(bytes))),
            ValueRef::List(list) => self.list(key, ListRef::Quick(list)),
            ValueRef::SetInts(bytes) => self.set(key, SetRef::Intset(Intset::new(bytes))),
            ValueRef::SetPacked(bytes) => self.set(key, SetRef::Packed(Listpack::new(bytes))),
            ValueRef::Set(set) => self.set(key, SetRef::Table(set)),
            ValueRef::HashPacked(bytes) => self.hash(key, HashRef::Packed(PairPack::new(bytes))),
            ValueRef::Hash(hash) => self.hash(key, HashRef::Table(hash)),
            ValueRef::HashTimedPacked(bytes) => self.timed_hash(
                key,
                HashRef::TimedPacked(TimedPack::new(Listpack::new(bytes), Millis::MIN)),
            ),
            ValueRef::HashTimed(hash) => self.timed_hash(key, HashRef::TimedTable(TimedTable::new(hash, Millis::MIN))),
            ValueRef::ZsetPacked(bytes) => self.zset(key, ZsetRef::Packed(bytes)),
            ValueRef::Zset(zset) => self.zset(key, ZsetRef::Table(zset)),
            ValueRef::Stream(stream) => self.stream(key, stream),
            ValueRef::VectorSet(_) => self.restore(key, value),
        }
    }

    /// A value that no other request makes just as it is. Vectors are not kept as they came, so VADD would move each of them
    /// a little every time; and it would take hours to link millions of them again.
    fn restore(&mut self, key: &[u8], value: ValueRef<'_>) -> io::Result<()> {
        let payload = payload::dump(value, Options::default());
        self.request(&[b"RESTORE", key, b"0", &payload])
    }

    fn list(&mut self, key: &[u8], list: ListRef<'_>) -> io::Result<()> {
        let elements = list.walk(0, Direction::Forward).map(|element| [element.to_vec()]);
        self.elements(b"RPUSH", key, elements)
    }

    fn set(&mut self, key: &[u8], set: SetRef<'_>) -> io::Result<()> {
        self.elements(b"SADD", key, set.iter().map(|member| [member.to_vec()]))
    }

    fn hash(&mut self, key: &[u8], hash: HashRef<'_>) -> io::Result<()> {
        let pairs = hash.iter().map(|(field, value)| [field.to_vec(), value.to_vec()]);
        self.elements(b"HMSET", key, pairs)
    }

    /// All fields, also those that have expired and are not removed yet: that they go stands behind this in the log.
    fn timed_hash(&mut self, key: &[u8], hash: HashRef<'_>) -> io::Result<()> {
        self.hash(key, hash)?;
        for (field, _, deadline) in hash.iter_timed() {
            if let Some(deadline) = deadline {
                let deadline = deadline.0.to_string();
                self.request(&[
                    b"HPEXPIREAT",
                    key,
                    deadline.as_bytes(),
                    b"FIELDS",
                    b"1",
                    &field.to_vec(),
                ])?;
            }
        }
        Ok(())
    }

    fn zset(&mut self, key: &[u8], zset: ZsetRef<'_>) -> io::Result<()> {
        let members = zset.iter(0..zset.len(), false);
        let members = members.map(|(member, score)| {
            [
                crate::format::number::double(score).as_bytes().to_vec(),
                member.to_vec(),
            ]
        });
        self.elements(b"ZADD", key, members)
    }

    fn stream(&mut self, key: &[u8], stream: &Stream) -> io::Result<()> {
        for entry in stream.range(StreamId::MIN, StreamId::MAX) {
            let texts: Vec<Vec<u8>> = entry
                .fields
                .flat_map(|(field, value)| [field, value])
                .map(Element::to_vec)
                .collect();
            let id = id_text(entry.id);
            let mut words: Vec<&[u8]> = vec![b"XADD", key, &id];
            words.extend(texts.iter().map(Vec::as_slice));
            self.request(&words)?;
        }
        let last_id = id_text(stream.last_id);
        if stream.is_empty() {
            // A stream may be empty: one entry makes it, and no length takes it away.
            let id = id_text(if stream.last_id == StreamId::MIN {
                StreamId { ms: 0, seq: 1 }
            } else {
                stream.last_id
            });
            self.request(&[b"XADD", key, b"MAXLEN", b"0", &id, b"x", b"y"])?;
        }
        let (added, deleted) = (stream.entries_added.to_string(), id_text(stream.max_deleted_id));
        self.request(&[
            b"XSETID",
            key,
            &last_id,
            b"ENTRIESADDED",
            added.as_bytes(),
            b"MAXDELETEDID",
            &deleted,
        ])?;
        for (name, group) in stream.groups() {
            self.group(key, name, group)?;
        }
        Ok(())
    }

    fn group(&mut self, key: &[u8], name: &[u8], group: &Group) -> io::Result<()> {
        let read = group.entries_read.map_or("-1".to_owned(), |read| read.to_string());
        let last_id = id_text(group.last_id);
        self.request(&[
            b"XGROUP",
            b"CREATE",
            key,
            name,
            &last_id,
            b"ENTRIESREAD",
            read.as_bytes(),
        ])?;
        for (_, consumer) in group.consumers() {
            self.request(&[b"XGROUP", b"CREATECONSUMER", key, name, consumer.name()])?;
            for &id in consumer.pending() {
                let Some(pending) = group.pending().get(&id) else {
                    continue;
                };
                self.request(&[
                    b"XCLAIM",
                    key,
                    name,
                    consumer.name(),
                    b"0",
                    &id_text(id),
                    b"TIME",
                    pending.delivery_time.to_string().as_bytes(),
                    b"RETRYCOUNT",
                    pending.delivery_count.to_string().as_bytes(),
                    b"JUSTID",
                    b"FORCE",
                ])?;
            }
        }
        Ok(())
    }
}

fn id_text(id: StreamId) -> Vec<u8> {
    id.format(&mut [0; ID_TEXT_MAX]).to_vec()
}
