//! One database: a table of entries, and the wheel on which the volatile ones stand.

use super::clock::AccessClock;
use super::entry::{Boxed, Condemned, EntryPointer, EntryRef, Kind, NewValue, earliest};
use super::graveyard::Graveyard;
use crate::hashing::hash_bytes;
use crate::table::{Lines, Slot, Table};
use crate::timer::{Millis, TimerWheel};
use crate::types::packed::PackedBuf;
use std::ops::Range;

/// A key's bytes with their hash, which is computed once a request.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    pub bytes: &'a [u8],
    pub hash: u64,
}

impl<'a> Key<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Key {
            bytes,
            hash: hash_bytes(bytes),
        }
    }
}

/// What a write does to a key's deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    Clear,
    Keep,
    At(Millis),
}

/// The time and the access clock of the present tick, which new and touched entries are marked with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment {
    pub now: Millis,
    /// Whatever has a deadline until then is not there any more: `now`, but no time at all while a log is played.
    pub expired_by: Millis,
    pub clock: AccessClock,
}

impl Moment {
    #[inline]
    pub fn times(&self) -> Times {
        Times {
            now: self.now,
            expired_by: self.expired_by,
        }
    }
}

/// The times of a [`Moment`], without its clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    pub now: Millis,
    pub expired_by: Millis,
}

#[derive(Default)]
pub struct Database {
    pub(super) table: Table<EntryPointer>,
    pub(super) wheel: Option<Box<TimerWheel>>,
    /// Entries with a deadline.
    pub(super) volatile: usize,
    /// Sum of all deadlines, for the average TTL that INFO shows.
    deadlines: i128,
    /// Hashes with a field that has a deadline.
    pub(super) timed: usize,
    /// Hashes of keys that stand on no wheel because fields of them are due and not all could be removed yet.
    pub(super) overdue: Vec<u64>,
}

fn rehash(entry: EntryPointer) -> u64 {
    hash_bytes(entry.key())
}

impl Database {
    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys with a deadline.
    pub fn volatile(&self) -> usize {
        self.volatile
    }

    /// Hashes with a field that has a deadline.
    pub fn timed(&self) -> usize {
        self.timed
    }

    /// Whether anything at all may expire here.
    #[inline]
    pub fn has_deadlines(&self) -> bool {
        self.volatile + self.timed > 0
    }

    /// Average time to live of the volatile keys, in ms.
    pub fn average_ttl(&self, now: Millis) -> i64 {
        if self.volatile == 0 {
            return 0;
        }
        let average = self.deadlines / self.volatile as i128 - i128::from(now.0);
        average.clamp(0, i128::from(i64::MAX)) as i64
    }

    /// Bytes of the table, without the entries. O(1).
    pub fn table_bytes(&self) -> usize {
        self.table.memory()
    }

    /// Bytes of the timer wheel. O(1).
    pub fn wheel_bytes(&self) -> usize {
        self.wheel.as_ref().map_or(0, |wheel| wheel.memory())
    }

    /// Bytes of the table and the wheel, without the entries. O(1).
    pub fn overhead(&self) -> usize {
        self.table_bytes() + self.wheel_bytes()
    }

    #[inline]
    pub(super) fn slot(&self, key: Key<'_>) -> Option<Slot> {
        self.table.find(key.hash, |entry| entry.key() == key.bytes)
    }

    /// The entry of `key`, expired or not. O(1).
    #[inline]
    pub fn find(&self, key: Key<'_>) -> Option<EntryRef<'_>> {
        let entry = self.table.get(key.hash, |entry| entry.key() == key.bytes)?;
        Some(EntryRef::new(entry))
    }

    /// The entry that is most likely that of the key with this hash: one that a search would look at. O(1).
    #[inline]
    pub fn guess(&self, hash: u64) -> Option<EntryRef<'_>> {
        self.table.get(hash, |_| true).map(EntryRef::new)
    }

    /// The entry of `key` for changing its value.
    #[inline]
    pub fn find_mut(&mut self, key: Key<'_>) -> Option<EntryMut<'_>> {
        let (slot, entry) = self.table.search(key.hash, |entry| entry.key() == key.bytes)?;
        Some(EntryMut { db: self, slot, entry })
    }

    pub(super) fn entry_mut(&mut self, slot: Slot) -> EntryMut<'_> {
        let entry = self.table.at(slot);
        EntryMut { db: self, slot, entry }
    }

    /// The table of keys, to prefetch those that coming commands will look up.
    #[inline]
    pub fn lines(&self) -> Lines<'_> {
        self.table.lines()
    }

    /// Writes the access clock of an entry that was found by this database.
    #[inline]
    pub fn touch(entry: EntryRef<'_>, clock: &AccessClock, random: impl FnOnce() -> u32) {
        let old = entry.clock();
        let new = clock.touched(old, random);
        if new != old {
            entry.pointer().set_clock(new);
        }
    }

    pub fn set_clock(&mut self, key: Key<'_>, clock: u32) {
        if let Some(slot) = self.slot(key) {
            self.table.at(slot).set_clock(clock);
        }
    }

    /// Adds a key that is known to be absent.
    pub fn insert(&mut self, key: Key<'_>, value: NewValue<'_>, deadline: Option<Millis>, moment: &Moment) {
        let entry = EntryPointer::create(key.bytes, value, deadline, moment.clock.fresh());
        self.take_in(entry, key.hash, moment.now);
    }

    /// Adds an entry whose key is absent.
    #[inline]
    fn take_in(&mut self, entry: EntryPointer, hash: u64, now: Millis) {
        self.table.insert(hash, entry, rehash);
        let (deadline, field_due) = (entry.deadline(), entry.field_due());
        if deadline.is_some() {
            self.count_deadline(None, deadline);
        }
        if field_due.is_some() {
            self.timed += 1;
        }
        if let Some(due) = earliest(deadline, field_due) {
            self.arm(hash, entry, due, now);
        }
    }

    /// Takes an entry out.
    fn take_out(&mut self, slot: Slot) -> EntryPointer {
        let entry = self.table.remove(slot);
        self.count_deadline(entry.deadline(), None);
        if entry.field_due().is_some() {
            self.timed -= 1;
        }
        entry
    }

    /// Gives `key` a value, whether it was there or not; the old value is buried. O(1).
    pub fn set(
        &mut self,
        key: Key<'_>,
        value: NewValue<'_>,
        deadline: Deadline,
        moment: &Moment,
        graveyard: &mut Graveyard,
    ) {
        let Some(slot) = self.slot(key) else {
            let deadline = match deadline {
                Deadline::At(at) => Some(at),
                Deadline::Clear | Deadline::Keep => None,
            };
            return self.insert(key, value, deadline, moment);
        };
        let old = self.table.at(slot);
        if old.field_due().is_some() {
            self.timed -= 1;
        }
        let has_field_deadlines = value.kind().has_field_deadlines();
        let (entry, old_value) = old.with_value(value);
        let fresh = moment.clock.fresh();
        if entry.clock() != fresh {
            entry.set_clock(fresh);
        }
        if entry != old {
            self.table.replace(slot, entry);
        }
        graveyard.bury(old_value);
        match deadline {
            Deadline::Keep => {}
            Deadline::Clear if entry.deadline().is_none() => {}
            Deadline::Clear => self.write_deadline(slot, key.hash, None, moment.now),
            Deadline::At(at) => self.write_deadline(slot, key.hash, Some(at), moment.now),
        }
        if has_field_deadlines {
            self.count_fields(slot, key.hash, moment.now);
        }
    }

    /// Takes notice of the deadlines of a hash that has just been put in a slot.
    fn count_fields(&mut self, slot: Slot, hash: u64, now: Millis) {
        let entry = self.table.at(slot);
        if let Some(due) = entry.field_due() {
            self.timed += 1;
            self.arm(hash, entry, due, now);
        }
    }

    /// Sets or clears the deadline of a key. False if there is no such key. O(1).
    pub fn set_deadline(&mut self, key: Key<'_>, deadline: Option<Millis>, now: Millis) -> bool {
        let Some(slot) = self.slot(key) else { return false };
        self.write_deadline(slot, key.hash, deadline, now);
        true
    }

    fn write_deadline(&mut self, slot: Slot, hash: u64, deadline: Option<Millis>, now: Millis) {
        let old = self.table.at(slot);
        let old_deadline = old.deadline();
        let entry = old.with_deadline(deadline);
        if entry != old {
            self.table.replace(slot, entry);
        }
        self.count_deadline(old_deadline, deadline);
        if let Some(due) = entry.due() {
            self.arm(hash, entry, due, now);
        }
    }

    fn count_deadline(&mut self, old: Option<Millis>, new: Option<Millis>) {
        self.volatile = self.volatile + usize::from(new.is_some()) - usize::from(old.is_some());
        self.deadlines += new.map_or(0, |at| i128::from(at.0)) - old.map_or(0, |at| i128::from(at.0));
    }

    /// Deletes a key; false if it was not there. A large value is freed in slices later.
    pub fn remove(&mut self, key: Key<'_>, graveyard: &mut Graveyard) -> bool {
        let Some(slot) = self.slot(key) else { return false };
        self.unlink(slot, graveyard);
        true
    }

    pub(super) fn unlink(&mut self, slot: Slot, graveyard: &mut Graveyard) {
        let entry = self.take_out(slot);
        graveyard.bury_entry(entry);
    }

    /// Moves the value of `from` to `to` with its deadline; `to` must be absent. False if `from` is.
    pub fn rename(&mut self, from: Key<'_>, to: Key<'_>, now: Millis) -> bool {
        let Some(slot) = self.slot(from) else { return false };
        let old = self.take_out(slot);
        self.adopt(old.renamed(to.bytes), to.hash, now);
        true
    }

    /// A copy of the entry of `from` under the key `to`, for [`Database::adopt`].
    pub(super) fn copy_entry(&self, from: Key<'_>, to: Key<'_>, moment: &Moment) -> Option<EntryPointer> {
        let slot = self.slot(from)?;
        Some(self.table.at(slot).copied(to.bytes, moment.clock.fresh()))
    }

    /// Moves a key to another database, where it must be absent. False if it is not here.
    pub fn move_to(&mut self, key: Key<'_>, other: &mut Database, now: Millis) -> bool {
        let Some(slot) = self.slot(key) else { return false };
        let entry = self.take_out(slot);
        other.adopt(entry, key.hash, now);
        true
    }

    /// Takes in an entry made elsewhere, whose key must be absent here.
    pub(super) fn adopt(&mut self, entry: EntryPointer, hash: u64, now: Millis) {
        entry.set_armed(crate::timer::Place::NONE);
        self.take_in(entry, hash, now);
    }

    /// SCAN: tells the entries at `cursor` and gives the next cursor, 0 at the end. A key that is there throughout is
    /// told at least once. O(1) a call.
    pub fn scan<'a>(&'a self, cursor: u64, mut tell: impl FnMut(EntryRef<'a>)) -> u64 {
        self.table.scan(cursor, |entry| tell(EntryRef::new(entry)))
    }

    /// A key drawn uniformly. `random` gives 64 random bits.
    pub fn random(&self, random: &mut impl FnMut() -> u64) -> Option<EntryRef<'_>> {
        self.table.random(random).map(EntryRef::new)
    }

    /// Some entries of a random place, at most `max`.
    pub fn sample(&self, random: &mut impl FnMut() -> u64, max: usize, mut tell: impl FnMut(EntryRef<'_>)) {
        self.table.sample(random, max, |entry| tell(EntryRef::new(entry)));
    }

    pub fn iter(&self) -> impl Iterator<Item = EntryRef<'_>> {
        self.table.iter().map(EntryRef::new)
    }

    /// Frees about `max` entries without any order; true when the database is empty.
    pub(super) fn drain_step(&mut self, max: usize, graveyard: &mut Graveyard) -> bool {
        self.wheel = None;
        self.overdue = Vec::new();
        self.table.drain_step(max, |entry| graveyard.bury_entry(entry))
    }

    /// For DEBUG HTSTATS.
    pub fn table_stats(&self) -> crate::table::TableStats {
        self.table.stats()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let mut graveyard = Graveyard::default();
        while !self.drain_step(usize::MAX, &mut graveyard) {}
        while !graveyard.step(usize::MAX) {}
    }
}

/// A key and its value, for writing. Edits may move the entry; the table follows.
pub struct EntryMut<'a> {
    db: &'a mut Database,
    slot: Slot,
    entry: EntryPointer,
}

impl<'a> EntryMut<'a> {
    pub fn as_ref(&self) -> EntryRef<'_> {
        EntryRef::new(self.entry)
    }

    pub fn into_ref(self) -> EntryRef<'a> {
        EntryRef::new(self.entry)
    }

    pub fn kind(&self) -> Kind {
        self.entry.kind()
    }

    /// The integer of a key of kind [`Kind::Int`], overwritten in place.
    pub fn set_int(&mut self, value: i64) {
        self.entry.set_int(value);
    }

    /// The structure behind a boxed value, if it is a T.
    pub fn boxed<T: Boxed>(&mut self) -> Option<&mut T> {
        self.entry.boxed_mut()
    }

    /// The same with the whole lifetime of the entry.
    pub fn into_boxed<T: Boxed>(self) -> Option<&'a mut T> {
        self.entry.boxed_mut()
    }

    /// Gives the key another value, keeping its deadline and clock. The old value is dropped here: it must be packed,
    /// or small.
    pub fn convert(&mut self, value: NewValue<'_>) {
        drop(self.exchange(value));
    }

    /// The same for a large value, which is given back to be buried.
    pub fn exchange(&mut self, value: NewValue<'_>) -> Option<Box<dyn Condemned>> {
        let (entry, old) = self.entry.with_value(value);
        self.moved(entry);
        old
    }

    /// Replaces `range` of an in-entry value, changing its kind.
    pub fn splice_as(&mut self, kind: Kind, range: Range<usize>, with: &[u8]) {
        let entry = self.entry.spliced(kind, range, with);
        self.moved(entry);
    }

    fn moved(&mut self, entry: EntryPointer) {
        if entry != self.entry {
            self.db.table.replace(self.slot, entry);
            self.entry = entry;
        }
    }

    /// To be called after an edit that may have changed the deadlines of a hash's fields, with the earliest before.
    pub fn fields_rescheduled(&mut self, before: Option<Millis>, now: Millis) {
        let after = self.entry.field_due();
        self.db.timed = self.db.timed + usize::from(after.is_some()) - usize::from(before.is_some());
        if after.is_some_and(|after| before.is_none_or(|before| after < before))
            && let Some(due) = self.entry.due()
        {
            self.db.arm(rehash(self.entry), self.entry, due, now);
        }
    }
}

impl PackedBuf for EntryMut<'_> {
    fn bytes(&self) -> &[u8] {
        self.entry.value_bytes()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.entry.value_bytes_mut()
    }

    fn splice(&mut self, range: Range<usize>, with: &[u8]) {
        self.splice_as(self.kind(), range, with);
    }
}
