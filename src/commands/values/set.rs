//! Sets: an intset or a listpack in the entry, or a table.

use super::{NewCollection, ViewMut};
use crate::config::Settings;
use crate::keyspace::database::{EntryMut, Times};
use crate::keyspace::{Kind, NewValue};
use crate::types::intset::{self, Intset};
use crate::types::listpack::{self, Element, Listpack};
use crate::types::packed::PackedBuf;
use crate::types::set::{self, Added, Set, SetBuilder, SetLimits, SetRef};

/// A set for changing.
pub struct SetMut<'a> {
    entry: EntryMut<'a>,
    limits: SetLimits,
}

/// Its present form.
enum Form<'f, 'a> {
    Intset(&'f mut EntryMut<'a>),
    Packed(&'f mut EntryMut<'a>),
    Table(&'f mut Set),
}

impl<'a> ViewMut<'a> for SetMut<'a> {
    type Limits = SetLimits;

    fn limits(settings: &Settings) -> SetLimits {
        SetLimits {
            intset_entries: settings.set_max_intset_entries as usize,
            listpack_entries: settings.set_max_listpack_entries as usize,
            listpack_value: settings.set_max_listpack_value as usize,
        }
    }

    fn of(entry: EntryMut<'a>, limits: SetLimits, _: Times) -> Option<Self> {
        matches!(entry.kind(), Kind::SetInts | Kind::SetPacked | Kind::Set).then_some(SetMut { entry, limits })
    }
}

impl<'a> SetMut<'a> {
    #[inline]
    fn form(&mut self) -> Form<'_, 'a> {
        match self.entry.kind() {
            Kind::Set => Form::Table(self.entry.boxed().expect("the kind has just been matched")),
            Kind::SetInts => Form::Intset(&mut self.entry),
            _ => Form::Packed(&mut self.entry),
        }
    }

    /// The set for reading.
    pub fn view(&mut self) -> SetRef<'_> {
        match self.form() {
            Form::Intset(buf) => SetRef::Intset(Intset::new(buf.bytes())),
            Form::Packed(buf) => SetRef::Packed(Listpack::new(buf.bytes())),
            Form::Table(set) => SetRef::Table(set),
        }
    }

    /// Turns a small set that is about to get so many arguments that it will not stay small into a table.
    pub fn expect(&mut self, count: usize) {
        if self.entry.kind().is_boxed() {
            return;
        }
        let form = self.view().form();
        if self.limits.outgrown_by(form, count) {
            self.convert(set::Form::Table);
        }
    }

    /// Adds a member; false when it was one already. O(1), in small forms O(n).
    #[inline]
    pub fn add(&mut self, member: &[u8]) -> bool {
        let limits = self.limits;
        let added = match self.form() {
            Form::Table(set) => return set.add(member),
            Form::Intset(buf) => set::add_to_intset(buf, member, &limits),
            Form::Packed(buf) => set::add_to_listpack(buf, member, &limits),
        };
        match added {
            Added::New => true,
            Added::Present => false,
            Added::Outgrown(form) => {
                self.convert(form);
                self.add(member)
            }
        }
    }

    fn convert(&mut self, form: set::Form) {
        match form {
            set::Form::Table => {
                let table = Box::new(Set::from_members(self.view()));
                self.entry.convert(NewValue::boxed(table));
            }
            set::Form::Listpack => {
                let pack = self.view().to_listpack();
                self.entry.convert(NewValue::Inline(Kind::SetPacked, &pack));
            }
            set::Form::Intset => {}
        }
    }

    /// Removes a member; false when it was none. O(1), in small forms O(n).
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self.form() {
            Form::Intset(buf) => set::remove_from_intset(buf, member),
            Form::Packed(buf) => set::remove_from_listpack(buf, member),
            Form::Table(set) => set.remove(member),
        }
    }

    /// Removes a random member, each as likely as another, once `f` has looked at it. O(1), in small forms O(n).
    pub fn pop_with<R>(&mut self, rng: &mut impl FnMut() -> u64, f: impl FnOnce(Element) -> R) -> Option<R> {
        match self.form() {
            Form::Table(set) => set.pop_with(rng, |member| f(Element::Str(member))),
            Form::Intset(buf) => {
                let value = Intset::new(buf.bytes()).random(rng())?;
                intset::remove(buf, value);
                Some(f(Element::Int(value)))
            }
            Form::Packed(buf) => {
                let pack = Listpack::new(buf.bytes());
                let index = rng().checked_rem(pack.len() as u64)?;
                let entry = pack.get(index as i64)?;
                let (result, at) = (f(entry.element), entry.at);
                listpack::remove(buf, at);
                Some(result)
            }
        }
    }
}

/// The set of a key that had none, with its first members; and how many they are. There must be one.
pub fn new_set<'m>(
    members: impl ExactSizeIterator<Item = &'m [u8]> + Clone,
    settings: &Settings,
) -> (NewCollection, usize) {
    let limits = SetMut::limits(settings);
    let first = members.clone().next().unwrap_or_default();
    let mut builder = SetBuilder::new(limits.form_of_new(first, members.len()));
    let added = members.filter(|member| builder.add(member, &limits)).count();
    (builder.into(), added)
}

impl From<SetBuilder> for NewCollection {
    fn from(builder: SetBuilder) -> Self {
        match builder {
            SetBuilder::Intset(bytes) => NewCollection::Packed(Kind::SetInts, bytes),
            SetBuilder::Packed(bytes) => NewCollection::Packed(Kind::SetPacked, bytes),
            SetBuilder::Table(set) => NewCollection::Large(NewValue::boxed(set)),
        }
    }
}
