//! Sorted sets: a listpack in the entry, or a table with a tree.

use std::ops::Range;

use super::{NewCollection, ViewMut};
use crate::config::Settings;
use crate::keyspace::database::{EntryMut, Times};
use crate::keyspace::entry::Condemned;
use crate::keyspace::{Kind, NewValue};
use crate::types::listpack::{self, Element};
use crate::types::packed::PackedBuf;
use crate::types::zset::{self, Limits, Zset, ZsetRef, packed};

/// So many times more members must go than stay for a set to be copied without them: adding a member takes longer than
/// removing one.
const COPY_FACTOR: usize = 4;

/// A sorted set for changing.
pub struct ZsetMut<'a> {
    entry: EntryMut<'a>,
    limits: Limits,
}

/// Its present form.
enum Form<'f, 'a> {
    Packed(&'f mut EntryMut<'a>),
    Table(&'f mut Zset),
}

impl<'a> ViewMut<'a> for ZsetMut<'a> {
    type Limits = Limits;

    fn limits(settings: &Settings) -> Limits {
        Limits {
            max_entries: settings.zset_max_listpack_entries as usize,
            max_value: settings.zset_max_listpack_value as usize,
        }
    }

    fn of(entry: EntryMut<'a>, limits: Limits, _: Times) -> Option<Self> {
        matches!(entry.kind(), Kind::ZsetPacked | Kind::Zset).then_some(ZsetMut { entry, limits })
    }
}

impl<'a> ZsetMut<'a> {
    #[inline]
    fn form(&mut self) -> Form<'_, 'a> {
        match self.entry.kind() {
            Kind::Zset => Form::Table(self.entry.boxed().expect("the kind has just been matched")),
            _ => Form::Packed(&mut self.entry),
        }
    }

    /// The sorted set for reading.
    pub fn view(&mut self) -> ZsetRef<'_> {
        match self.form() {
            Form::Packed(buf) => ZsetRef::Packed(buf.bytes()),
            Form::Table(zset) => ZsetRef::Table(zset),
        }
    }

    /// Unpacks a small set that is about to get more members, or longer ones, than a small set may have. The limits are
    /// held against the arguments as they stand, be they members already or not added in the end.
    pub fn expect(&mut self, count: usize, longest: impl FnOnce() -> usize) {
        if self.entry.kind() == Kind::ZsetPacked && !self.limits.allow(count, longest()) {
            self.unpack();
        }
    }

    /// Turns a small set into a large one.
    pub fn unpack(&mut self) {
        let zset = Box::new(zset::unpack(self.entry.bytes()));
        self.entry.convert(NewValue::boxed(zset));
    }

    /// Gives a member the score that `decide` names, or leaves the set alone where it names none. `decide` is told the
    /// score the member has. O(log n), in a listpack O(n).
    #[inline]
    pub fn update(&mut self, member: &[u8], decide: impl FnOnce(Option<f64>) -> Option<f64>) {
        let limits = self.limits;
        let outgrown = match self.form() {
            Form::Table(zset) => return zset.update(member, decide),
            Form::Packed(buf) => packed::update(buf, member, &limits, decide),
        };
        if let Some(score) = outgrown {
            self.unpack();
            if let Form::Table(zset) = self.form() {
                zset.insert(member, score);
            }
        }
    }

    /// Takes a member out; false when it was none. O(log n), in a listpack O(n).
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self.form() {
            Form::Packed(buf) => packed::remove(buf, member).is_some(),
            Form::Table(zset) => zset.remove(member).is_some(),
        }
    }

    /// Takes out the members of these ranks, which are not all. O(log n + m), in a listpack O(n).
    ///
    /// When only few are to stay, they move to a new set. What is left of the old one is given back to be buried, so that
    /// removing nearly a million members takes no longer than keeping the others.
    #[must_use]
    pub fn remove_ranks(&mut self, ranks: Range<usize>) -> Option<Box<dyn Condemned>> {
        match self.form() {
            Form::Packed(buf) => {
                packed::remove_ranks(buf, ranks);
            }
            Form::Table(zset) if ranks.len() / COPY_FACTOR > zset.len() - ranks.len() => {
                let rest = Box::new(zset.without_ranks(ranks));
                return self.entry.exchange(NewValue::boxed(rest));
            }
            Form::Table(zset) => {
                zset.remove_ranks(ranks);
            }
        }
        None
    }

    /// Takes out the members of these ranks, from the last to the first if `reverse`, after showing each to `f`.
    /// O(log n) each, in a listpack O(n) for all.
    pub fn pop_ranks(&mut self, ranks: Range<usize>, reverse: bool, mut f: impl FnMut(Element, f64)) {
        match self.form() {
            Form::Packed(buf) => {
                let view = ZsetRef::Packed(buf.bytes());
                view.iter(ranks.clone(), reverse)
                    .for_each(|(member, score)| f(member, score));
                packed::remove_ranks(buf, ranks);
            }
            Form::Table(zset) => {
                for removed in 0..ranks.len() {
                    let rank = if reverse { ranks.end - 1 - removed } else { ranks.start };
                    zset.remove_at(rank, |member, score| f(Element::Str(member), score));
                }
            }
        }
    }
}

/// A sorted set under construction, for a key that had none.
pub enum ZsetBuilder {
    Packed(Vec<u8>, Limits),
    Table(Box<Zset>),
}

impl ZsetBuilder {
    /// An empty set in the form that suits so many members, the longest of that length.
    pub fn new(count: usize, longest: usize, limits: Limits) -> Self {
        if limits.allow(count, longest) {
            ZsetBuilder::Packed(listpack::EMPTY.to_vec(), limits)
        } else {
            ZsetBuilder::Table(Box::default())
        }
    }

    /// As [`ZsetMut::update`].
    pub fn update(&mut self, member: &[u8], decide: impl FnOnce(Option<f64>) -> Option<f64>) {
        let (bytes, limits) = match self {
            ZsetBuilder::Table(zset) => return zset.update(member, decide),
            ZsetBuilder::Packed(bytes, limits) => (bytes, limits),
        };
        if let Some(score) = packed::update(bytes, member, limits, decide) {
            let mut zset = Box::new(zset::unpack(bytes));
            zset.insert(member, score);
            *self = ZsetBuilder::Table(zset);
        }
    }

    /// The set of members in order, none of them twice.
    pub fn from_ordered<'m>(
        members: impl ExactSizeIterator<Item = (Element<'m>, f64)> + Clone,
        limits: Limits,
    ) -> NewCollection {
        let longest = members.clone().map(|(member, _)| member.text_len()).max().unwrap_or(0);
        let mut zset = ZsetBuilder::new(members.len(), longest, limits);
        let mut digits = itoa::Buffer::new();
        for (member, score) in members {
            let member = member.text(&mut digits);
            match &mut zset {
                ZsetBuilder::Packed(bytes, _) => packed::insert_new(bytes, member, score),
                ZsetBuilder::Table(zset) => {
                    zset.insert(member, score);
                }
            }
        }
        zset.finish()
    }

    pub fn finish(self) -> NewCollection {
        match self {
            ZsetBuilder::Packed(bytes, _) => NewCollection::Packed(Kind::ZsetPacked, bytes),
            ZsetBuilder::Table(zset) => NewCollection::Large(NewValue::boxed(zset)),
        }
    }
}
