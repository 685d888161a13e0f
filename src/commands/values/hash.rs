//! Hashes: a listpack in the entry, or a table.

use super::{NewCollection, ViewMut, empty_listpack};
use crate::config::Settings;
use crate::keyspace::database::EntryMut;
use crate::keyspace::{Kind, NewValue};
use crate::types::hash::{self, Hash, HashLimits, HashRef};
use crate::types::listpack::{self, Listpack};
use crate::types::packed::PackedBuf;

/// Fields and values in turn, as HSET has them in its arguments.
pub trait Pairs<'p>: ExactSizeIterator<Item = &'p [u8]> + Clone {}

impl<'p, P: ExactSizeIterator<Item = &'p [u8]> + Clone> Pairs<'p> for P {}

/// A hash for changing.
pub struct HashMut<'a> {
    entry: EntryMut<'a>,
    limits: HashLimits,
}

/// Its present form.
enum Form<'f, 'a> {
    Packed(&'f mut EntryMut<'a>),
    Table(&'f mut Hash),
}

impl<'a> ViewMut<'a> for HashMut<'a> {
    type Limits = HashLimits;

    fn limits(settings: &Settings) -> HashLimits {
        HashLimits {
            entries: settings.hash_max_listpack_entries as usize,
            value: settings.hash_max_listpack_value as usize,
        }
    }

    fn of(entry: EntryMut<'a>, limits: HashLimits) -> Option<Self> {
        matches!(entry.kind(), Kind::HashPacked | Kind::Hash).then_some(HashMut { entry, limits })
    }
}

impl<'a> HashMut<'a> {
    #[inline]
    fn form(&mut self) -> Form<'_, 'a> {
        match self.entry.kind() {
            Kind::Hash => Form::Table(self.entry.boxed().expect("the kind has just been matched")),
            _ => Form::Packed(&mut self.entry),
        }
    }

    /// The hash for reading.
    pub fn view(&mut self) -> HashRef<'_> {
        match self.form() {
            Form::Packed(buf) => HashRef::Packed(Listpack::new(buf.bytes())),
            Form::Table(hash) => HashRef::Table(hash),
        }
    }

    /// Sets the fields of `pairs` and gives how many are new. O(1) each, in a listpack O(n).
    pub fn set_all<'p>(&mut self, pairs: impl Pairs<'p>) -> usize {
        if self.entry.kind() == Kind::HashPacked
            && self
                .limits
                .outgrown_by(Listpack::new(self.entry.bytes()), pairs.clone())
        {
            self.unpack();
        }
        each_pair(pairs, |field, value| self.set(field, value))
    }

    /// Sets a field; true when it is new.
    #[inline]
    pub fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        let limits = self.limits;
        let buf = match self.form() {
            Form::Table(hash) => return hash.set(field, value),
            Form::Packed(buf) => buf,
        };
        if field.len().max(value.len()) > limits.value {
            self.unpack();
            return self.set(field, value);
        }
        let new = hash::set_in_listpack(buf, field, value);
        if new && limits.outgrown(HashRef::Packed(Listpack::new(buf.bytes())).len()) {
            self.unpack();
        }
        new
    }

    fn unpack(&mut self) {
        let table = Box::new(Hash::from_listpack(Listpack::new(self.entry.bytes())));
        self.entry.convert(NewValue::boxed(table));
    }

    /// Removes a field; false when it was not there. O(1), in a listpack O(n).
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match self.form() {
            Form::Packed(buf) => hash::remove_from_listpack(buf, field),
            Form::Table(hash) => hash.remove(field),
        }
    }
}

/// The hash of a key that had none, with its first fields; and how many they are.
pub fn new_hash<'p>(pairs: impl Pairs<'p>, settings: &Settings) -> (NewCollection, usize) {
    let limits = HashMut::limits(settings);
    if limits.outgrown_by(Listpack::new(&listpack::EMPTY), pairs.clone()) {
        let mut hash = Box::new(Hash::new());
        let added = each_pair(pairs, |field, value| hash.set(field, value));
        return (NewCollection::Large(NewValue::boxed(hash)), added);
    }
    let room = pairs.clone().map(|text| text.len() + 2).sum();
    let mut pack = empty_listpack(room);
    let added = each_pair(pairs, |field, value| hash::set_in_listpack(&mut pack, field, value));
    (NewCollection::Packed(Kind::HashPacked, pack), added)
}

/// Calls `set` with every field and its value; gives how often it said that the field is new.
fn each_pair<'p>(mut pairs: impl Iterator<Item = &'p [u8]>, mut set: impl FnMut(&[u8], &[u8]) -> bool) -> usize {
    let mut new = 0;
    while let (Some(field), Some(value)) = (pairs.next(), pairs.next()) {
        new += usize::from(set(field, value));
    }
    new
}
