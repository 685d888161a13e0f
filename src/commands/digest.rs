//! DEBUG DIGEST: one number for all data, to compare two servers by.
//!
//! A digest is twenty bytes that start as zeros. Data enter it in two ways, both through SHA-1: *xor* adds the data's hash,
//! so that the order does not matter; *mix* adds it and then hashes the digest itself, so that the order matters. A
//! list is mixed element by element, members of a set are xored, a hash's field and value are mixed into a digest of
//! their own, which is xored. All is done exactly as Redis does it: the numbers are equal for equal data.

use sha1::{Digest as _, Sha1};

use super::values::View;
use crate::format::number;
use crate::keyspace::{EntryRef, Keyspace, Type, ValueRef};
use crate::types::hash::HashRef;
use crate::types::intset::Intset;
use crate::types::list::{Direction, ListRef};
use crate::types::listpack::{Element, Listpack};
use crate::types::set::SetRef;
use crate::types::stream::{Stream, StreamId};
use crate::types::vector_set::VectorSet;
use crate::types::zset::ZsetRef;

/// A SHA-1 hash, or several combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest([u8; 20]);

impl Digest {
    /// Adds data whose place among others does not matter.
    fn xor(&mut self, data: &[u8]) {
        for (byte, hashed) in self.0.iter_mut().zip(Sha1::digest(data)) {
            *byte ^= hashed;
        }
    }

    /// Adds data whose place among others matters.
    fn mix(&mut self, data: &[u8]) {
        self.xor(data);
        self.0 = Sha1::digest(self.0).into();
    }

    fn mix_element(&mut self, element: Element) {
        self.mix(element.text(&mut itoa::Buffer::new()));
    }

    pub fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The number under which Redis knows a type.
fn type_number(value_type: Type) -> u32 {
    match value_type {
        Type::String => 0,
        Type::List => 1,
        Type::Set => 2,
        Type::Zset => 3,
        Type::Hash => 4,
        Type::VectorSet => 5,
        Type::Stream => 6,
    }
}

/// The digest of all databases. O(bytes of all data).
pub fn of_keyspace(keyspace: &Keyspace) -> Digest {
    let mut all = Digest::default();
    for (index, database) in keyspace.databases().filter(|(_, database)| !database.is_empty()) {
        all.mix(&(index as u32).to_be_bytes());
        for entry in database.iter() {
            let mut digest = Digest::default();
            digest.mix(entry.key());
            add_value(&mut digest, entry);
            all.xor(&digest.0);
        }
    }
    all
}

/// The digest of one value and its deadline. O(bytes).
pub fn of_value(entry: EntryRef<'_>) -> Digest {
    let mut digest = Digest::default();
    add_value(&mut digest, entry);
    digest
}

/// Mixes in the type and the value; that there is a deadline counts, but not when it is.
fn add_value(digest: &mut Digest, entry: EntryRef<'_>) {
    digest.mix(&type_number(entry.value_type()).to_be_bytes());
    match entry.value() {
        ValueRef::Int(value) => digest.mix_element(Element::Int(value)),
        ValueRef::Str(text) => digest.mix(text),
        ValueRef::ListPacked(bytes) => add_list(digest, ListRef::Packed(Listpack::new(bytes))),
        ValueRef::List(list) => add_list(digest, ListRef::Quick(list)),
        ValueRef::SetInts(bytes) => add_set(digest, SetRef::Intset(Intset::new(bytes))),
        ValueRef::SetPacked(bytes) => add_set(digest, SetRef::Packed(Listpack::new(bytes))),
        ValueRef::Set(set) => add_set(digest, SetRef::Table(set)),
        value @ (ValueRef::HashPacked(_)
        | ValueRef::Hash(_)
        | ValueRef::HashTimedPacked(_)
        | ValueRef::HashTimed(_)) => {
            if let Some(hash) = HashRef::of(value) {
                add_hash(digest, hash);
            }
        }
        ValueRef::ZsetPacked(bytes) => add_zset(digest, ZsetRef::Packed(bytes)),
        ValueRef::Zset(zset) => add_zset(digest, ZsetRef::Table(zset)),
        ValueRef::Stream(stream) => add_stream(digest, stream),
        ValueRef::VectorSet(set) => add_vector_set(digest, set),
    }
    if entry.deadline().is_some() {
        digest.xor(b"!!expire!!");
    }
}

fn add_list(digest: &mut Digest, list: ListRef<'_>) {
    list.walk(0, Direction::Forward)
        .for_each(|element| digest.mix_element(element));
}

fn add_set(digest: &mut Digest, set: SetRef<'_>) {
    let mut digits = itoa::Buffer::new();
    set.iter().for_each(|member| digest.xor(member.text(&mut digits)));
}

fn add_hash(digest: &mut Digest, hash: HashRef<'_>) {
    for (field, value, deadline) in hash.iter_timed() {
        let mut pair = Digest::default();
        pair.mix_element(field);
        pair.mix_element(value);
        if deadline.is_some() {
            pair.xor(b"!!hexpire!!");
        }
        digest.xor(&pair.0);
    }
}

fn add_zset(digest: &mut Digest, zset: ZsetRef<'_>) {
    for (member, score) in zset.iter(0..zset.len(), false) {
        let mut pair = Digest::default();
        pair.mix_element(member);
        pair.mix(number::double_17(score).as_bytes());
        digest.xor(&pair.0);
    }
}

fn add_stream(digest: &mut Digest, stream: &Stream) {
    for entry in stream.range(StreamId::MIN, StreamId::MAX) {
        digest.mix(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
        for (field, value) in entry.fields {
            digest.mix_element(field);
            digest.mix_element(value);
        }
    }
}

/// The elements without their links, which are not the same on a server that has played the same requests in another order.
/// Redis's number is another.
fn add_vector_set(digest: &mut Digest, set: &VectorSet) {
    for node in 0..set.len() as u32 {
        let mut element = Digest::default();
        element.mix(set.name(node));
        element.mix(set.attribute(node));
        element.mix(&set.point(node).raw());
        element.mix(&set.length(node).to_le_bytes());
        digest.xor(&element.0);
    }
}

#[cfg(test)]
mod tests {
    use crate::config::choice::Permission;
    use crate::server::testing::Server;

    /// What redis-server 7.0.15 answers after each of these.
    #[test]
    fn digests_are_those_of_redis() {
        let mut server = Server::start();
        server.core.settings.enable_debug_command = Permission::Yes;
        let cases: [(&str, &str); 12] = [
            ("PING", "0000000000000000000000000000000000000000"),
            ("SET s 12345", "e82f8b30d0255da4b2e76149b641e2cd4204f639"),
            ("SET t hello", "2d427d81336b69101bbac2b169a4a927017f6521"),
            ("RPUSH l a 1 b", "95b76923e9783a9a090940eb319b8cf93d0207d9"),
            ("SADD set a b 3", "e09bdf0d2c4859f66270e630e2b7b8579c315bbf"),
            ("SADD ints 1 2 3", "dd6c1bd26e084107575c96e9348d258271df60d0"),
            ("HSET h f v g 7", "6525a6082feed0fc66620b435be4a8db8997a1ba"),
            ("ZADD z 0.1 a 5 b inf c", "501a7d805a4e56a0c541139d86eb374c579e5cbe"),
            ("XADD x 1-2 f v g 8", "16a3bcd3041c1c54b14daf2431c5e956cd97bda0"),
            ("EXPIRE s 100", "f0c8792ec1609d7fdb312449a5b91a0a61b309ce"),
            ("SELECT 3", "f0c8792ec1609d7fdb312449a5b91a0a61b309ce"),
            ("SET s other", "bb6fc747d3eb5da2d9753b3a3bb0f199b8927b9b"),
        ];
        for (command, digest) in cases {
            server.ask(command);
            assert_eq!(server.ask("DEBUG DIGEST"), format!("+{digest}|"), "{command}");
        }
        server.ask("SELECT 0");
        assert_eq!(
            server.ask("DEBUG DIGEST-VALUE s t nosuch"),
            "*3|+074a6e8892a0b0b4fcf085794cb69322c36c9d00|+36b23a1456b2dce2c3ed252c456761301dba8060|\
             +0000000000000000000000000000000000000000|"
        );
    }
}
