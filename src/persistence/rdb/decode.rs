//! Reading values of any type that was ever written.
//!
//! Packed values are checked and taken over as they are when they are of the present kind and within the limits of the
//! settings, else unpacked and built anew; what was written element by element is built in the form the settings ask
//! for. These are the same choices as Redis makes, since they show in `OBJECT ENCODING`. Hashes that stay packed are
//! written anew in this server's small form, in the same order.
//!
//! What was written element by element can be read in parts, see [`Elements`]. The nodes of streams alone may be taken over
//! without a look at all of them, if whoever asks says so: see [`Trust`].

mod elements;
mod stream;
mod vector_set;

pub use elements::Elements;

use super::{Error, Source, Value, ValueType, ziplist, zipmap};
use crate::keyspace::Kind;
use crate::timer::Millis;
use crate::types::hash::{Hash, HashLimits, TimedHash, packed, pairs_are_sound, pairs_of, timed_packed};
use crate::types::intset::{self, Intset};
use crate::types::list::{End, Fill, List};
use crate::types::listpack::{self, Element, Listpack};
use crate::types::set::{Set, SetLimits, SetRef};
use crate::types::zset;

/// How far what is read is believed. Most values are unpacked or looked through anyway while they are read, and are
/// always checked; only the nodes of streams could go where they belong unseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Every element is checked.
    Nothing,
    /// Of a stream's node no more is checked than its frame and its master entry.
    StreamNodes,
}

/// Up to where values stay packed, and what of them is checked.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub trust: Trust,
    pub list: Fill,
    pub set: SetLimits,
    pub hash: HashLimits,
    pub zset: zset::Limits,
}

/// Intsets are not begun for more members than this, whatever the settings say.
const INTSET_MOST: u64 = 1 << 30;
/// The length bytes of a score in text that stand for no text.
const SCORE_NAN: u8 = 253;
const SCORE_INF: u8 = 254;
const SCORE_NEG_INF: u8 = 255;

const DUPLICATE_MEMBER: Error = Error::Corrupt("a set has a member twice");
const DUPLICATE_FIELD: Error = Error::Corrupt("a hash has a field twice");
/// The same found in packed forms, whose texts are Redis's.
const PACKED_DUPLICATE_FIELD: Error =
    Error::Corrupt("Hash integrity check failed: a field twice, listpack with dup elements");

/// Reads the body of a value. O(bytes) but for packed forms, which are checked for duplicates in O(n log n), and sorted
/// sets, which are sorted.
pub fn value<S: Source>(source: &mut S, value_type: ValueType, limits: &Limits) -> Result<Value, Error> {
    let Some(mut elements) = Elements::begin(source, value_type, limits)? else {
        return packed(source, value_type, limits);
    };
    while !elements.read(source, limits, u64::MAX)? {}
    elements.finish(limits)
}

/// Reads a value whose body is one string. What [`Elements`] reads is none of these.
pub fn packed<S: Source>(source: &mut S, value_type: ValueType, limits: &Limits) -> Result<Value, Error> {
    if value_type == ValueType::HashListpackExpiring {
        // The earliest deadline, which the fields tell too.
        source.millis()?;
    }
    let bytes = source.owned_string()?;
    match value_type {
        ValueType::String => Ok(Value::Str(bytes)),
        ValueType::ListZiplist => list_ziplist(&bytes, limits),
        ValueType::SetIntset => set_intset(bytes, limits),
        ValueType::SetListpack => set_listpack(bytes, limits),
        ValueType::ZsetZiplist => {
            let pack = from_ziplist(&bytes, "Zset ziplist integrity check failed")?;
            zset_listpack(pack, limits)
        }
        ValueType::ZsetListpack => zset_listpack(bytes, limits),
        ValueType::HashZipmap => hash_zipmap(&bytes, limits),
        ValueType::HashZiplist => {
            let pack = from_ziplist(&bytes, "Hash ziplist integrity check failed")?;
            hash_listpack(&pack, limits)
        }
        ValueType::HashListpack => hash_listpack(&bytes, limits),
        ValueType::HashListpackExpiringDraft | ValueType::HashListpackExpiring => {
            expiring_listpack(&bytes, &limits.hash)
        }
        ValueType::List
        | ValueType::ListQuicklist
        | ValueType::ListQuicklist2
        | ValueType::Set
        | ValueType::ZsetText
        | ValueType::Zset
        | ValueType::Hash
        | ValueType::HashExpiringDraft
        | ValueType::HashExpiring
        | ValueType::HashExpiringValkey
        | ValueType::Stream
        | ValueType::Stream2
        | ValueType::Stream3
        | ValueType::VectorSet => Err(Error::Corrupt("no packed value")),
    }
}

/// A number of elements, of which there must be one.
fn count<S: Source>(source: &mut S) -> Result<u64, Error> {
    match source.length()? {
        0 => Err(Error::Empty),
        count => Ok(count),
    }
}

/// A listpack, checked to its last byte; `wrong` says what it is if it is not sound.
fn checked_listpack<'b>(bytes: &'b [u8], wrong: &'static str) -> Result<Listpack<'b>, Error> {
    listpack::validate(bytes).map_err(|_| Error::Corrupt(wrong))
}

/// A ziplist's elements as a listpack.
fn from_ziplist(bytes: &[u8], wrong: &'static str) -> Result<Vec<u8>, Error> {
    let elements = ziplist::elements(bytes).ok_or(Error::Corrupt(wrong))?;
    Ok(listpack::from_elements(elements))
}

// Lists.

/// Stays a quicklist even if small, for no reason but that Redis leaves it so.
fn list_ziplist(bytes: &[u8], limits: &Limits) -> Result<Value, Error> {
    let mut list = List::new(limits.list);
    let elements = ziplist::elements(bytes).ok_or(Error::Corrupt("List ziplist integrity check failed"))?;
    for element in elements {
        list.push(End::Tail, element.text(&mut itoa::Buffer::new()));
    }
    if list.is_empty() {
        return Err(Error::Empty);
    }
    Ok(Value::List(Box::new(list)))
}

// Sets.

fn set_intset(bytes: Vec<u8>, limits: &Limits) -> Result<Value, Error> {
    let set = intset::validate(&bytes).ok_or(Error::Corrupt("Intset integrity check failed"))?;
    let set: Intset = match set.is_empty() {
        true => return Err(Error::Empty),
        false => set,
    };
    if set.len() > limits.set.intset_entries {
        return Ok(Value::Set(Box::new(Set::from_members(SetRef::Intset(set)))));
    }
    Ok(Value::Packed(Kind::SetInts, bytes))
}

fn set_listpack(bytes: Vec<u8>, limits: &Limits) -> Result<Value, Error> {
    let pack = checked_listpack(&bytes, "Set listpack integrity check failed")?;
    if pack.is_empty() {
        return Err(Error::Empty);
    }
    if listpack::has_duplicates(pack, 1) {
        return Err(DUPLICATE_MEMBER);
    }
    if pack.len() > limits.set.listpack_entries {
        return Ok(Value::Set(Box::new(Set::from_members(SetRef::Packed(pack)))));
    }
    Ok(Value::Packed(Kind::SetPacked, bytes))
}

// Sorted sets.

/// A score as text, as it was written up to Redis 3.2.
fn text_score<S: Source>(source: &mut S) -> Result<f64, Error> {
    let mut text = [0; SCORE_NAN as usize];
    let text = match source.byte()? {
        SCORE_NAN => return Ok(f64::NAN),
        SCORE_INF => return Ok(f64::INFINITY),
        SCORE_NEG_INF => return Ok(f64::NEG_INFINITY),
        len => &mut text[..usize::from(len)],
    };
    source.fill(text)?;
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    parsed.ok_or(Error::Corrupt("a score is no number"))
}

fn zset_listpack(bytes: Vec<u8>, limits: &Limits) -> Result<Value, Error> {
    let pack = checked_listpack(&bytes, "Zset listpack integrity check failed")?;
    if pack.is_empty() {
        return Err(Error::Empty);
    }
    if !zset::packed::is_sound(pack) {
        return Err(Error::Corrupt(
            "Zset integrity check failed: a packed sorted set is out of order",
        ));
    }
    if pack.len() / 2 > limits.zset.max_entries {
        return Ok(Value::Zset(Box::new(zset::unpack(&bytes))));
    }
    Ok(Value::Packed(Kind::ZsetPacked, bytes))
}

// Hashes.

/// A hash under construction: packed until it is known to be too large.
enum HashBuilder {
    /// A listpack, since the limits are of its size.
    Packed(Vec<u8>),
    Table(Box<Hash>),
}

impl HashBuilder {
    fn new(count: u64, limits: &HashLimits) -> Self {
        if count > limits.entries as u64 {
            HashBuilder::Table(Box::default())
        } else {
            HashBuilder::Packed(listpack::EMPTY.to_vec())
        }
    }

    /// Adds a field; one that is there already is only noticed once the hash is a table, and in [`HashBuilder::finish`].
    fn add(&mut self, field: &[u8], value: &[u8], limits: &HashLimits) -> Result<(), Error> {
        if let HashBuilder::Packed(bytes) = self {
            let pack = Listpack::new(bytes);
            if field.len().max(value.len()) <= limits.value && pack.has_room_for(field.len() + value.len()) {
                listpack::append(bytes, [Element::of(field), Element::of(value)]);
                return Ok(());
            }
            if !pairs_are_sound(pack) {
                return Err(DUPLICATE_FIELD);
            }
            *self = HashBuilder::Table(Box::new(Hash::from_pairs(pairs_of(pack))));
        }
        let new = match self {
            HashBuilder::Table(hash) => hash.set(field, value),
            HashBuilder::Packed(_) => false,
        };
        if new { Ok(()) } else { Err(DUPLICATE_FIELD) }
    }

    fn finish(self) -> Result<Value, Error> {
        match self {
            HashBuilder::Table(hash) => Ok(Value::Hash(hash)),
            HashBuilder::Packed(bytes) => match Listpack::new(&bytes) {
                pack if pairs_are_sound(pack) => Ok(packed_hash(pack)),
                _ => Err(DUPLICATE_FIELD),
            },
        }
    }
}

/// A small hash of the pairs of a listpack, no field of which is there twice.
fn packed_hash(pack: Listpack<'_>) -> Value {
    Value::Packed(Kind::HashPacked, packed::from_listpack(pack))
}

/// One without pairs was never written, and is refused as in Redis.
fn hash_zipmap(bytes: &[u8], limits: &Limits) -> Result<Value, Error> {
    let pairs = zipmap::pairs(bytes).filter(|pairs| !pairs.is_empty());
    let pairs = pairs.ok_or(Error::Corrupt("Zipmap integrity check failed"))?;
    let mut builder = HashBuilder::new(pairs.len() as u64, &limits.hash);
    for (field, value) in pairs {
        builder.add(field, value, &limits.hash)?;
    }
    builder.finish()
}

fn hash_listpack(bytes: &[u8], limits: &Limits) -> Result<Value, Error> {
    let pack = checked_listpack(bytes, "Hash listpack integrity check failed")?;
    if pack.is_empty() {
        return Err(Error::Empty);
    }
    if !pairs_are_sound(pack) {
        return Err(PACKED_DUPLICATE_FIELD);
    }
    if limits.hash.outgrown(pack.len() / 2) {
        return Ok(Value::Hash(Box::new(Hash::from_pairs(pairs_of(pack)))));
    }
    Ok(packed_hash(pack))
}

// Hashes whose fields have deadlines.

/// A field of a hash whose fields may have deadlines.
struct ExpiringField {
    field: Vec<u8>,
    value: Vec<u8>,
    deadline: Option<Millis>,
}

/// Deadlines have 48 bits.
const LATEST: u64 = (1 << 48) - 2;

fn push_field(fields: &mut Vec<ExpiringField>, field: Vec<u8>, value: Vec<u8>, deadline: u64) -> Result<(), Error> {
    if deadline > LATEST {
        return Err(Error::Corrupt("a deadline out of range"));
    }
    fields.push(ExpiringField {
        field,
        value,
        deadline: (deadline != 0).then_some(Millis(deadline as i64)),
    });
    Ok(())
}

/// Stays packed within all limits. Of several fields with one deadline the last read stands first, as if they had been
/// added one after the other.
fn expiring_hash(mut fields: Vec<ExpiringField>, limits: &HashLimits) -> Result<Value, Error> {
    fields.reverse();
    fields.sort_by_key(|field| field.deadline.unwrap_or(Millis::MAX));
    let lasting = fields.partition_point(|field| field.deadline.is_some());
    fields[lasting..].reverse();
    let longest = fields.iter().map(|field| field.field.len().max(field.value.len()));
    let packed = longest.max().is_some_and(|longest| longest <= limits.value);
    finish_expiring(fields, limits, packed)
}

/// A listpack of fields, values and deadlines, which stays one whatever the length of its elements.
fn expiring_listpack(bytes: &[u8], limits: &HashLimits) -> Result<Value, Error> {
    let pack = checked_listpack(bytes, "Hash listpack integrity check failed")?;
    if pack.is_empty() {
        return Err(Error::Empty);
    }
    let (mut fields, mut elements) = (Vec::new(), pack.iter().map(|entry| entry.element));
    while let Some(field) = elements.next() {
        let (Some(value), Some(Element::Int(deadline))) = (elements.next(), elements.next()) else {
            return Err(Error::Corrupt("a field without a value or a deadline"));
        };
        push_field(&mut fields, field.to_vec(), value.to_vec(), deadline as u64)?;
    }
    fields.sort_by_key(|field| field.deadline.unwrap_or(Millis::MAX));
    finish_expiring(fields, limits, true)
}

/// `fields` are in the order of their deadlines.
fn finish_expiring(fields: Vec<ExpiringField>, limits: &HashLimits, packed: bool) -> Result<Value, Error> {
    let mut seen = std::collections::HashSet::new();
    if !fields.iter().all(|field| seen.insert(&field.field)) {
        return Err(DUPLICATE_FIELD);
    }
    let bytes: usize = fields.iter().map(|field| field.field.len() + field.value.len()).sum();
    if packed && !limits.outgrown(fields.len()) && Listpack::new(&listpack::EMPTY).has_room_for(bytes) {
        let triples = fields
            .iter()
            .map(|field| (Element::of(&field.field), Element::of(&field.value), field.deadline));
        return Ok(Value::Packed(
            Kind::HashTimedPacked,
            timed_packed::from_triples(triples),
        ));
    }
    let mut hash = Box::new(TimedHash::default());
    for field in &fields {
        hash.insert(&field.field, &field.value, field.deadline);
    }
    Ok(Value::TimedHash(hash))
}
