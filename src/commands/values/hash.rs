//! Hashes: packed in the entry, or a table; each also as one whose fields may have deadlines.

use super::{NewCollection, ViewMut};
use crate::config::Settings;
use crate::keyspace::database::{EntryMut, Times};
use crate::keyspace::{Kind, NewValue, Type};
use crate::timer::Millis;
use crate::types::hash::{Hash, HashLimits, HashRef, PairPack, TimedHash, TimedPack, TimedTable, packed, timed_packed};
use crate::types::listpack::Listpack;
use crate::types::packed::PackedBuf;

/// Fields and values in turn, as HSET has them in its arguments.
pub trait Pairs<'p>: ExactSizeIterator<Item = &'p [u8]> + Clone {}

impl<'p, P: ExactSizeIterator<Item = &'p [u8]> + Clone> Pairs<'p> for P {}

/// A hash for changing.
pub struct HashMut<'a> {
    entry: EntryMut<'a>,
    limits: HashLimits,
    times: Times,
}

/// Its present form.
enum Form<'f, 'a> {
    Packed(&'f mut EntryMut<'a>),
    Table(&'f mut Hash),
    TimedPacked(&'f mut EntryMut<'a>),
    TimedTable(&'f mut TimedHash),
}

/// What becomes of the deadline of a field that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldDeadline {
    /// HSET: a new value is one that never expires.
    Clear,
    /// HINCRBY, which changes the value.
    Keep,
}

impl<'a> ViewMut<'a> for HashMut<'a> {
    type Limits = HashLimits;

    fn limits(settings: &Settings) -> HashLimits {
        HashLimits {
            entries: settings.hash_max_listpack_entries as usize,
            value: settings.hash_max_listpack_value as usize,
        }
    }

    fn of(entry: EntryMut<'a>, limits: HashLimits, times: Times) -> Option<Self> {
        let is_hash = entry.kind().value_type() == Type::Hash;
        is_hash.then_some(HashMut { entry, limits, times })
    }
}

impl<'a> HashMut<'a> {
    #[inline]
    fn form(&mut self) -> Form<'_, 'a> {
        match self.entry.kind() {
            Kind::Hash => Form::Table(self.entry.boxed().expect("the kind has just been matched")),
            Kind::HashTimed => Form::TimedTable(self.entry.boxed().expect("the kind has just been matched")),
            Kind::HashTimedPacked => Form::TimedPacked(&mut self.entry),
            _ => Form::Packed(&mut self.entry),
        }
    }

    /// Makes an edit that may change the deadlines of fields, and puts the key on the wheel for the earliest.
    fn reschedule<R>(&mut self, edit: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.entry.as_ref().field_due();
        let result = edit(self);
        self.entry.fields_rescheduled(before, self.times.now);
        result
    }

    /// The hash for reading.
    pub fn view(&mut self) -> HashRef<'_> {
        let now = self.times.expired_by;
        match self.form() {
            Form::Packed(buf) => HashRef::Packed(PairPack::new(buf.bytes())),
            Form::Table(hash) => HashRef::Table(hash),
            Form::TimedPacked(buf) => HashRef::TimedPacked(TimedPack::new(Listpack::new(buf.bytes()), now)),
            Form::TimedTable(hash) => HashRef::TimedTable(TimedTable::new(hash, now)),
        }
    }

    /// Whether nothing is left, not even a field that has expired and is not removed yet. Such fields keep their key until
    /// they go, which is told in its turn.
    pub fn is_emptied(&mut self) -> bool {
        match self.form() {
            Form::Packed(buf) => PairPack::new(buf.bytes()).is_empty(),
            Form::TimedPacked(buf) => Listpack::new(buf.bytes()).is_empty(),
            Form::Table(hash) => hash.is_empty(),
            Form::TimedTable(hash) => hash.is_empty(),
        }
    }

    /// Sets the fields of `pairs`, which lose their deadlines, and gives how many are new. O(1) each, while packed O(n).
    pub fn set_all<'p>(&mut self, pairs: impl Pairs<'p>) -> usize {
        self.make_room(pairs.clone());
        each_pair(pairs, |field, value| self.set(field, value, FieldDeadline::Clear))
    }

    /// Leaves the packed form if it will not do for these fields and values.
    #[inline]
    pub fn make_room<'p>(&mut self, pairs: impl Pairs<'p>) {
        if self.entry.kind().is_boxed() {
            return;
        }
        let limits = self.limits;
        let outgrown = match self.form() {
            Form::Packed(buf) => limits.outgrown_by(pairs, |bytes| PairPack::new(buf.bytes()).has_room_for(bytes)),
            Form::TimedPacked(buf) => limits.outgrown_by(pairs, |bytes| Listpack::new(buf.bytes()).has_room_for(bytes)),
            Form::Table(_) | Form::TimedTable(_) => false,
        };
        if outgrown {
            self.unpack();
        }
    }

    /// Sets a field; true when it is new.
    #[inline]
    pub fn set(&mut self, field: &[u8], value: &[u8], deadline: FieldDeadline) -> bool {
        let limits = self.limits;
        let buf = match self.form() {
            Form::Table(hash) => return hash.set(field, value),
            Form::Packed(buf) => buf,
            Form::TimedPacked(_) | Form::TimedTable(_) => return self.set_timed(field, value, deadline),
        };
        if field.len().max(value.len()) > limits.value {
            self.unpack();
            return self.set(field, value, deadline);
        }
        let new = packed::set(buf, field, value);
        if new && limits.outgrown(PairPack::new(buf.bytes()).len()) {
            self.unpack();
        }
        new
    }

    #[inline(never)]
    fn set_timed(&mut self, field: &[u8], value: &[u8], deadline: FieldDeadline) -> bool {
        let (limits, keep) = (self.limits, deadline == FieldDeadline::Keep);
        if field.len().max(value.len()) > limits.value {
            self.unpack();
        }
        self.reschedule(|this| {
            let now = this.times.expired_by;
            let buf = match this.form() {
                Form::TimedTable(hash) => return hash.set(field, value, keep, now),
                Form::TimedPacked(buf) => buf,
                Form::Packed(buf) => return packed::set(buf, field, value),
                Form::Table(hash) => return hash.set(field, value),
            };
            let new = timed_packed::set(buf, field, value, keep);
            if new && limits.outgrown(timed_packed::stored(Listpack::new(buf.bytes()))) {
                this.unpack();
            }
            new
        })
    }

    /// Makes a table of a packed hash.
    fn unpack(&mut self) {
        let table = match self.form() {
            Form::Packed(buf) => NewValue::boxed(Box::new(Hash::from_pairs(PairPack::new(buf.bytes()).iter()))),
            Form::TimedPacked(buf) => NewValue::boxed(Box::new(TimedHash::from_listpack(Listpack::new(buf.bytes())))),
            Form::Table(_) | Form::TimedTable(_) => return,
        };
        self.entry.convert(table);
    }

    /// Removes a field; false when it was not there. O(1), while packed O(n).
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match self.form() {
            Form::Packed(buf) => packed::remove(buf, field),
            Form::Table(hash) => hash.remove(field),
            Form::TimedPacked(_) | Form::TimedTable(_) => self.reschedule(|this| {
                let now = this.times.expired_by;
                match this.form() {
                    Form::TimedTable(hash) => hash.remove(field, now),
                    Form::TimedPacked(buf) => timed_packed::remove(buf, field),
                    Form::Packed(_) | Form::Table(_) => false,
                }
            }),
        }
    }

    /// Changes to a form that has room for deadlines, without giving any field one. O(1), while packed O(n).
    pub fn make_timed(&mut self) {
        let timed = match self.form() {
            Form::Packed(buf) => {
                let triples = timed_packed::from_pairs(PairPack::new(buf.bytes()));
                return self.entry.convert(NewValue::Inline(Kind::HashTimedPacked, &triples));
            }
            Form::Table(hash) => TimedHash::from_table(std::mem::take(hash)),
            Form::TimedPacked(_) | Form::TimedTable(_) => return,
        };
        self.entry.convert(NewValue::boxed(Box::new(timed)));
    }

    /// Sets or clears the deadline of a field that is there. O(log n), while packed O(n).
    pub fn set_deadline(&mut self, field: &[u8], deadline: Option<Millis>) {
        self.make_timed();
        self.reschedule(|this| match this.form() {
            Form::TimedTable(hash) => hash.set_deadline(field, deadline),
            Form::TimedPacked(buf) => timed_packed::set_deadline(buf, field, deadline),
            Form::Packed(_) | Form::Table(_) => {}
        });
    }
}

/// The hash of a key that had none, with its first fields; and how many they are.
pub fn new_hash<'p>(pairs: impl Pairs<'p>, settings: &Settings) -> (NewCollection, usize) {
    let limits = HashMut::limits(settings);
    let has_room_for = |bytes| PairPack::new(&packed::EMPTY).has_room_for(bytes);
    if limits.outgrown_by(pairs.clone(), has_room_for) {
        let mut hash = Box::new(Hash::new());
        let added = each_pair(pairs, |field, value| hash.set(field, value));
        return (NewCollection::Large(NewValue::boxed(hash)), added);
    }
    let room = pairs.clone().map(|text| text.len() + 1).sum();
    let mut pack = packed::with_room(room);
    let added = each_pair(pairs, |field, value| packed::set(&mut pack, field, value));
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
