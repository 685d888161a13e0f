//! The values of keys as commands want them: a list, a set, a hash, whichever form it has.
//!
//! A small collection is packed bytes inside its key's entry, a large one a structure behind a pointer (see
//! [`crate::types`]). What reads has it easy: the types come with views over all their forms ([`ListRef`], [`SetRef`],
//! [`HashRef`], [`ZsetRef`]). What writes must also know where the bytes are, when a value outgrows its form, and how
//! the entry changes over to the next one. That is here, one file a type, so that a command is written once:
//!
//! - [`Core::read_as`] and [`Core::write_as`] look a key up and hand out its value, or the error of a wrong type;
//! - [`Core::create`] gives an absent key its first value, [`Core::put`] and [`Core::replace`] any key another one;
//! - [`delete_emptied`] is what a command does that took the last element.

mod hash;
mod list;
mod set;
mod stream;
mod string;
mod vector_set;
mod zset;

pub use hash::{FieldDeadline, HashMut, new_hash};
pub use list::{ListMut, Moved, new_list};
pub use set::{SetMut, new_set};
pub use stream::node_limits;
pub use string::{StringMut, Text, built_string, string_value};
pub use zset::{ZsetBuilder, ZsetMut};

use crate::config::Settings;
use crate::config::choice::SanitizeDumpPayload;
use crate::keyspace::database::{EntryMut, Times};
use crate::keyspace::{Deadline, Key, Kind, NewValue, ValueRef};
use crate::persistence::rdb::decode::{Limits, Trust};
use crate::server::Context;
use crate::server::core::Core;
use crate::server::failure::{Failure, WRONG_TYPE};
use crate::server::notify::Class;
use crate::timer::Millis;
use crate::types::hash::{HashRef, PairPack, TimedPack, TimedTable};
use crate::types::list::ListRef;
use crate::types::listpack::{self, Listpack};
use crate::types::set::SetRef;
use crate::types::stream::Stream;
use crate::types::zset::ZsetRef;

/// One type of value, for reading.
pub trait View<'a>: Sized {
    /// The value with all that is in it; `None` for a value of another type.
    fn of(value: ValueRef<'a>) -> Option<Self>;

    /// The value as it is at a moment: without what has expired by then.
    #[inline]
    fn at(value: ValueRef<'a>, _expired_by: Millis) -> Option<Self> {
        Self::of(value)
    }
}

impl<'a> View<'a> for ListRef<'a> {
    fn of(value: ValueRef<'a>) -> Option<Self> {
        match value {
            ValueRef::ListPacked(bytes) => Some(ListRef::Packed(Listpack::new(bytes))),
            ValueRef::List(list) => Some(ListRef::Quick(list)),
            _ => None,
        }
    }
}

impl<'a> View<'a> for SetRef<'a> {
    fn of(value: ValueRef<'a>) -> Option<Self> {
        match value {
            ValueRef::SetInts(bytes) => Some(SetRef::Intset(crate::types::intset::Intset::new(bytes))),
            ValueRef::SetPacked(bytes) => Some(SetRef::Packed(Listpack::new(bytes))),
            ValueRef::Set(set) => Some(SetRef::Table(set)),
            _ => None,
        }
    }
}

impl<'a> View<'a> for HashRef<'a> {
    fn of(value: ValueRef<'a>) -> Option<Self> {
        HashRef::at(value, Millis::MIN)
    }

    #[inline]
    fn at(value: ValueRef<'a>, now: Millis) -> Option<Self> {
        match value {
            ValueRef::HashPacked(bytes) => Some(HashRef::Packed(PairPack::new(bytes))),
            ValueRef::Hash(hash) => Some(HashRef::Table(hash)),
            ValueRef::HashTimedPacked(bytes) => {
                let pack = TimedPack::new(Listpack::new(bytes), now);
                Some(HashRef::TimedPacked(pack))
            }
            ValueRef::HashTimed(hash) => Some(HashRef::TimedTable(TimedTable::new(hash, now))),
            _ => None,
        }
    }
}

impl<'a> View<'a> for ZsetRef<'a> {
    fn of(value: ValueRef<'a>) -> Option<Self> {
        match value {
            ValueRef::ZsetPacked(bytes) => Some(ZsetRef::Packed(bytes)),
            ValueRef::Zset(zset) => Some(ZsetRef::Table(zset)),
            _ => None,
        }
    }
}

impl<'a> View<'a> for &'a Stream {
    fn of(value: ValueRef<'a>) -> Option<Self> {
        match value {
            ValueRef::Stream(stream) => Some(stream),
            _ => None,
        }
    }
}

/// One type of value, for changing.
pub trait ViewMut<'a>: Sized {
    /// The settings that say how large each form may get.
    type Limits;

    fn limits(settings: &Settings) -> Self::Limits;

    /// `None` for a value of another type. What has expired by the moment is not there any more.
    fn of(entry: EntryMut<'a>, limits: Self::Limits, times: Times) -> Option<Self>;
}

/// A value that a command made, in the form that its size calls for.
pub enum NewCollection {
    /// Packed bytes of the given kind.
    Packed(Kind, Vec<u8>),
    Large(NewValue<'static>),
}

impl Core {
    /// The value of `key` for a command that reads a V; the error of a key of another type.
    #[inline]
    pub fn read_as<'a, V: View<'a>>(&'a mut self, database: usize, key: Key<'_>) -> Result<Option<V>, Failure> {
        let expired_by = self.moment.expired_by;
        match self.read(database, key) {
            Some(entry) => V::at(entry.value(), expired_by)
                .map(Some)
                .ok_or_else(|| WRONG_TYPE.into()),
            None => Ok(None),
        }
    }

    /// The value of `key` for a command that changes a V; the error of a key of another type.
    #[inline]
    pub fn write_as<'a, V: ViewMut<'a>>(&'a mut self, database: usize, key: Key<'_>) -> Result<Option<V>, Failure> {
        let (limits, times) = (V::limits(&self.settings), self.moment.times());
        match self.write(database, key) {
            Some(entry) => V::of(entry, limits, times).map(Some).ok_or_else(|| WRONG_TYPE.into()),
            None => Ok(None),
        }
    }

    /// The value of `key` if it is a V, without a trace. For commands that need several values at once, once each has been
    /// looked up by itself.
    pub fn view_as<'a, V: View<'a>>(&'a self, database: usize, key: Key<'_>) -> Option<V> {
        V::at(self.keyspace.db(database).find(key)?.value(), self.moment.expired_by)
    }

    /// Gives `key` a value without a deadline, whatever it held before.
    fn overwrite(&mut self, database: usize, key: Key<'_>, value: NewCollection) {
        if !self.exists(database, key) {
            return self.create(database, key, value);
        }
        let (db, graveyard, moment) = self.writer(database);
        match value {
            NewCollection::Packed(kind, bytes) => {
                db.set(key, NewValue::Inline(kind, &bytes), Deadline::Clear, moment, graveyard);
            }
            NewCollection::Large(value) => db.set(key, value, Deadline::Clear, moment, graveyard),
        }
    }

    /// Adds a key that was just looked up and not found.
    pub fn create(&mut self, database: usize, key: Key<'_>, value: NewCollection) {
        match value {
            NewCollection::Packed(kind, bytes) => self.insert(database, key, NewValue::Inline(kind, &bytes)),
            NewCollection::Large(value) => self.insert(database, key, value),
        }
    }

    /// Gives `key` a value, whatever it had; the old value is buried. O(1).
    #[inline]
    pub fn put(&mut self, database: usize, key: Key<'_>, value: NewValue<'_>, deadline: Deadline) {
        if self.settings.notify_keyspace_events.contains(Class::NEW) && !self.exists(database, key) {
            self.notify(Class::NEW, "new", key.bytes, database);
        }
        let (db, graveyard, moment) = self.writer(database);
        db.set(key, value, deadline, moment, graveyard);
    }

    /// The same for the result of a command, which never expires.
    pub fn replace(&mut self, database: usize, key: Key<'_>, value: NewCollection) {
        match value {
            NewCollection::Packed(kind, bytes) => {
                self.put(database, key, NewValue::Inline(kind, &bytes), Deadline::Clear);
            }
            NewCollection::Large(value) => self.put(database, key, value, Deadline::Clear),
        }
    }

    fn insert(&mut self, database: usize, key: Key<'_>, value: NewValue<'_>) {
        let (db, _, moment) = self.writer(database);
        db.insert(key, value, None, moment);
        self.notify(Class::NEW, "new", key.bytes, database);
    }
}

/// Who brings a value from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A snapshot or the append-only file: our own, or the snapshot of a primary.
    File,
    /// The primary's stream.
    Primary,
    /// A client whose user has `skip-sanitize-payload`.
    SparedClient,
    /// Anybody else who is connected.
    Client,
}

/// How far whoever brings a value is believed.
fn trust(setting: SanitizeDumpPayload, origin: Origin) -> Trust {
    match (setting, origin) {
        (SanitizeDumpPayload::No, _)
        | (SanitizeDumpPayload::Clients, Origin::File | Origin::Primary | Origin::SparedClient) => Trust::StreamNodes,
        (SanitizeDumpPayload::Yes, _) | (SanitizeDumpPayload::Clients, Origin::Client) => Trust::Nothing,
    }
}

/// Up to where values that are loaded stay packed, and what of them is checked.
pub fn load_limits(settings: &Settings, origin: Origin) -> Limits {
    Limits {
        trust: trust(settings.sanitize_dump_payload, origin),
        list: ListMut::limits(settings),
        set: SetMut::limits(settings),
        hash: HashMut::limits(settings),
        zset: ZsetMut::limits(settings),
    }
}

/// Deletes a key whose last element is gone: no collection is ever empty.
pub fn delete_emptied(ctx: &mut Context<'_>, key: Key<'_>) {
    ctx.core.delete(ctx.database, key);
    ctx.notify(Class::GENERIC, "del", key.bytes);
}

/// What a command does that stores its result: `value` takes the place of whatever `key` held, which counts as `writes`
/// writes and is told as `event`; an empty result, which is `None`, deletes the key.
pub fn store_result(
    ctx: &mut Context<'_>,
    key: Key<'_>,
    value: Option<NewCollection>,
    writes: usize,
    (class, event): (Class, &str),
) {
    match value {
        Some(value) => {
            ctx.core.overwrite(ctx.database, key, value);
            ctx.changed_times(writes, class, event, key.bytes);
        }
        None if ctx.core.delete_live(ctx.database, key) => ctx.changed(Class::GENERIC, "del", key.bytes),
        None => {}
    }
}

/// A listpack without elements and with room for `bytes` of them.
fn empty_listpack(bytes: usize) -> Vec<u8> {
    let mut pack = Vec::with_capacity(listpack::EMPTY.len() + bytes);
    pack.extend_from_slice(&listpack::EMPTY);
    pack
}
