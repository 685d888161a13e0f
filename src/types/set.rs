//! Sets in three forms: an intset while all members are integers, a listpack while few and short, a table above.
//!
//! The commands decide by the key's encoding which form a set has and where its bytes are; here are the operations of
//! each form, the rules for leaving it, and [`SetRef`], through which reading commands are written once for all
//! three. Sets never go back to a smaller form: one that grew once is taken to grow again.

use super::cells::CellTable;
use super::intset::{self, Intset};
use super::listpack::{self, Element, Entries, Listpack, Needle, digits10};
use super::packed::PackedBuf;
use crate::format::number::parse_i64;
use crate::table::Lines;

/// The form of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Intset,
    Listpack,
    Table,
}

/// What became of a member that was to be added to a small form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is a member now.
    New,
    /// It was a member before.
    Present,
    /// It is no member, and nothing changed: convert the set to this form and add it there.
    Outgrown(Form),
}

/// Intsets keep below this many members whatever the settings say, as in Redis.
const INTSET_MOST: usize = 1 << 30;

/// When sets leave their small forms.
#[derive(Clone, Copy, Debug)]
pub struct SetLimits {
    /// `set-max-intset-entries`
    pub intset_entries: usize,
    /// `set-max-listpack-entries`
    pub listpack_entries: usize,
    /// `set-max-listpack-value`, in bytes
    pub listpack_value: usize,
}

impl SetLimits {
    /// The form of a new set that is about to get `count` members, of which `first` is the first.
    pub fn form_of_new(&self, first: &[u8], count: usize) -> Form {
        if count <= self.intset_entries && parse_i64(first).is_some() {
            Form::Intset
        } else if count <= self.listpack_entries {
            Form::Listpack
        } else {
            Form::Table
        }
    }

    /// Whether a small set about to get `count` arguments is to become a table at once, rather than step by step.
    pub fn outgrown_by(&self, form: Form, count: usize) -> bool {
        match form {
            Form::Intset => count > self.intset_entries,
            Form::Listpack => count > self.listpack_entries,
            Form::Table => false,
        }
    }

    /// The form for an intset that gets a member which is no integer: a listpack if all of them fit one.
    fn form_beyond_integers(&self, set: Intset, member: &[u8]) -> Form {
        let longest = set.min().into_iter().chain(set.max()).map(digits10).max().unwrap_or(0);
        let fits = set.len() < self.listpack_entries && longest.max(member.len()) <= self.listpack_value;
        if fits { Form::Listpack } else { Form::Table }
    }
}

/// Adds a member to an intset. O(n) moves, O(log n) comparisons.
pub fn add_to_intset(buf: &mut impl PackedBuf, member: &[u8], limits: &SetLimits) -> Added {
    let set = Intset::new(buf.bytes());
    let Some(value) = parse_i64(member) else {
        return Added::Outgrown(limits.form_beyond_integers(set, member));
    };
    if set.len() >= limits.intset_entries.min(INTSET_MOST) {
        return if set.contains(value) {
            Added::Present
        } else {
            Added::Outgrown(Form::Table)
        };
    }
    if intset::add(buf, value) {
        Added::New
    } else {
        Added::Present
    }
}

/// Adds a member to a listpack. O(n).
pub fn add_to_listpack(buf: &mut impl PackedBuf, member: &[u8], limits: &SetLimits) -> Added {
    let pack = Listpack::new(buf.bytes());
    let needle = Needle::new(member);
    if pack.find(&needle).is_some() {
        return Added::Present;
    }
    let fits = pack.len() < limits.listpack_entries && member.len() <= limits.listpack_value;
    if !fits || !pack.has_room_for(member.len()) {
        return Added::Outgrown(Form::Table);
    }
    listpack::push_back(buf, needle.element());
    Added::New
}

/// Removes a member from an intset; false when it was none. O(n).
pub fn remove_from_intset(buf: &mut impl PackedBuf, member: &[u8]) -> bool {
    parse_i64(member).is_some_and(|value| intset::remove(buf, value))
}

/// Removes a member from a listpack; false when it was none. O(n).
pub fn remove_from_listpack(buf: &mut impl PackedBuf, member: &[u8]) -> bool {
    let Some(at) = Listpack::new(buf.bytes())
        .find(&Needle::new(member))
        .map(|entry| entry.at)
    else {
        return false;
    };
    listpack::remove(buf, at);
    true
}

/// The large form of a set: a hash table.
#[derive(Clone)]
pub struct Set {
    table: CellTable<false>,
}

impl Default for Set {
    fn default() -> Self {
        Self::new()
    }
}

impl Set {
    pub const fn new() -> Self {
        Set {
            table: CellTable::new(),
        }
    }

    /// A table with the members of a set of any form.
    pub fn from_members(set: SetRef) -> Self {
        let mut table = Set::new();
        let mut digits = itoa::Buffer::new();
        for member in set.iter() {
            table.add(member.text(&mut digits));
        }
        table
    }

    /// The table, to prefetch members that will be looked up.
    #[inline]
    pub fn lines(&self) -> Lines<'_> {
        self.table.lines()
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        self.table.contains(member)
    }

    /// Adds a member; false when it was one already. O(1).
    pub fn add(&mut self, member: &[u8]) -> bool {
        self.table.insert(member, &[])
    }

    /// Removes a member; false when it was none. O(1).
    pub fn remove(&mut self, member: &[u8]) -> bool {
        self.table.remove(member)
    }

    /// A random member, each as likely as another. `rng` gives uniform 64-bit numbers. O(1).
    pub fn random(&self, rng: &mut impl FnMut() -> u64) -> Option<&[u8]> {
        self.table.random(rng).map(|(member, _)| member)
    }

    /// Removes a random member once `f` has looked at it. O(1).
    pub fn pop_with<R>(&mut self, rng: &mut impl FnMut() -> u64, f: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.table.pop_with(rng, f)
    }

    /// The members, in no order to rely on.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.table.iter().map(|(member, _)| member)
    }

    /// A few members at a time, with the guarantees of SCAN; gives the next cursor, 0 after the last.
    pub fn scan(&self, cursor: u64, mut f: impl FnMut(&[u8])) -> u64 {
        self.table.scan(cursor, |member, _| f(member))
    }

    /// Frees about `most` members; true when the set is empty.
    pub fn free_step(&mut self, most: usize) -> bool {
        self.table.free_step(most)
    }

    /// Bytes on the heap, estimated when large.
    pub fn memory(&self) -> usize {
        self.table.memory()
    }
}

/// A set of any form, to read.
#[derive(Clone, Copy)]
pub enum SetRef<'a> {
    Intset(Intset<'a>),
    Packed(Listpack<'a>),
    Table(&'a Set),
}

impl<'a> SetRef<'a> {
    pub fn form(self) -> Form {
        match self {
            SetRef::Intset(_) => Form::Intset,
            SetRef::Packed(_) => Form::Listpack,
            SetRef::Table(_) => Form::Table,
        }
    }

    /// `OBJECT ENCODING`.
    pub fn encoding(self) -> &'static str {
        match self.form() {
            Form::Intset => "intset",
            Form::Listpack => "listpack",
            Form::Table => "hashtable",
        }
    }

    pub fn len(self) -> usize {
        match self {
            SetRef::Intset(set) => set.len(),
            SetRef::Packed(pack) => pack.len(),
            SetRef::Table(set) => set.len(),
        }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether `member` is one. O(log n), O(n) and O(1).
    pub fn contains(self, member: &[u8]) -> bool {
        match self {
            SetRef::Intset(set) => parse_i64(member).is_some_and(|value| set.contains(value)),
            SetRef::Packed(pack) => pack.find(&Needle::new(member)).is_some(),
            SetRef::Table(set) => set.contains(member),
        }
    }

    /// The members: ascending, in order of insertion, or in no order.
    pub fn iter(self) -> Members<'a> {
        match self {
            SetRef::Intset(set) => Members::Intset(set, 0),
            SetRef::Packed(pack) => Members::Packed(pack.iter()),
            SetRef::Table(set) => Members::Table(Box::new(set.iter())),
        }
    }

    /// A random member, each as likely as another. O(1), O(n) and O(1).
    pub fn random(self, rng: &mut impl FnMut() -> u64) -> Option<Element<'a>> {
        match self {
            SetRef::Intset(set) => set.random(rng()).map(Element::Int),
            SetRef::Packed(pack) => {
                let index = rng().checked_rem(pack.len() as u64)?;
                pack.get(index as i64).map(|entry| entry.element)
            }
            SetRef::Table(set) => set.random(rng).map(Element::Str),
        }
    }

    /// All members as a listpack, for an intset that becomes one.
    pub fn to_listpack(self) -> Vec<u8> {
        listpack::from_elements(self.iter())
    }
}

/// Iterates over a set of any form. Members of tables come as [`Element::Str`], also when they look like integers.
pub enum Members<'a> {
    /// The set and the next rank.
    Intset(Intset<'a>, usize),
    Packed(Entries<'a>),
    Table(Box<dyn Iterator<Item = &'a [u8]> + 'a>),
}

impl<'a> Iterator for Members<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        match self {
            Members::Intset(set, rank) => {
                let value = set.get(*rank)?;
                *rank += 1;
                Some(Element::Int(value))
            }
            Members::Packed(entries) => entries.next().map(|entry| entry.element),
            Members::Table(members) => members.next().map(Element::Str),
        }
    }
}

/// A set under construction, in the form its members call for: results of STORE commands, sets being loaded.
pub enum SetBuilder {
    Intset(Vec<u8>),
    Packed(Vec<u8>),
    Table(Box<Set>),
}

impl SetBuilder {
    pub fn new(form: Form) -> Self {
        match form {
            Form::Intset => SetBuilder::Intset(intset::EMPTY.to_vec()),
            Form::Listpack => SetBuilder::Packed(listpack::EMPTY.to_vec()),
            Form::Table => SetBuilder::Table(Box::default()),
        }
    }

    /// Adds a member, converting when the limits ask for it; false when it was one already.
    pub fn add(&mut self, member: &[u8], limits: &SetLimits) -> bool {
        loop {
            let added = match self {
                SetBuilder::Intset(bytes) => add_to_intset(bytes, member, limits),
                SetBuilder::Packed(bytes) => add_to_listpack(bytes, member, limits),
                SetBuilder::Table(set) => return set.add(member),
            };
            match added {
                Added::New => return true,
                Added::Present => return false,
                Added::Outgrown(form) => self.convert(form),
            }
        }
    }

    /// Removes a member; false when it was none. The form stays.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            SetBuilder::Intset(bytes) => remove_from_intset(bytes, member),
            SetBuilder::Packed(bytes) => remove_from_listpack(bytes, member),
            SetBuilder::Table(set) => set.remove(member),
        }
    }

    /// Turns a set of integers, no more than an intset may have, into an intset. O(n log n).
    pub fn narrow(&mut self, limits: &SetLimits) {
        let set = self.as_ref();
        if set.form() == Form::Intset || set.len() > limits.intset_entries.min(INTSET_MOST) {
            return;
        }
        let Some(mut values) = set.iter().map(Element::integer).collect::<Option<Vec<i64>>>() else {
            return;
        };
        // Ascending, each goes to the end.
        values.sort_unstable();
        let mut bytes = intset::EMPTY.to_vec();
        for value in values {
            intset::add(&mut bytes, value);
        }
        *self = SetBuilder::Intset(bytes);
    }

    fn convert(&mut self, form: Form) {
        let set = self.as_ref();
        *self = match form {
            Form::Listpack => SetBuilder::Packed(set.to_listpack()),
            Form::Table | Form::Intset => SetBuilder::Table(Box::new(Set::from_members(set))),
        };
    }

    pub fn as_ref(&self) -> SetRef<'_> {
        match self {
            SetBuilder::Intset(bytes) => SetRef::Intset(Intset::new(bytes)),
            SetBuilder::Packed(bytes) => SetRef::Packed(Listpack::new(bytes)),
            SetBuilder::Table(set) => SetRef::Table(set),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::testing::Rng;
    use std::collections::BTreeSet;

    const LIMITS: SetLimits = SetLimits {
        intset_entries: 20,
        listpack_entries: 30,
        listpack_value: 64,
    };

    fn members(set: SetRef) -> BTreeSet<Vec<u8>> {
        set.iter().map(Element::to_vec).collect()
    }

    fn form_after(texts: &[&str]) -> Form {
        let mut set = SetBuilder::new(Form::Intset);
        for text in texts {
            set.add(text.as_bytes(), &LIMITS);
        }
        set.as_ref().form()
    }

    #[test]
    fn every_form_follows_an_ordered_set() {
        for seed in 0..30 {
            let mut rng = Rng::new(seed);
            let (mut set, mut model) = (SetBuilder::new(Form::Intset), BTreeSet::new());
            let integers_until = rng.below(60);
            for round in 0..200 {
                let member = if round < integers_until {
                    rng.below(40).to_string().into_bytes()
                } else {
                    rng.text()
                };
                if rng.chance(4) {
                    assert_eq!(set.remove(&member), model.remove(&member));
                } else {
                    assert_eq!(set.add(&member, &LIMITS), model.insert(member.clone()));
                }
                let set = set.as_ref();
                assert_eq!(
                    (set.len(), set.contains(&member)),
                    (model.len(), model.contains(&member))
                );
                assert_eq!(members(set), model);
                let random = set.random(&mut || rng.next()).map(Element::to_vec);
                assert!(random.map_or(model.is_empty(), |member| model.contains(&member)));
            }
        }
    }

    #[test]
    fn forms_change_at_the_limits() {
        let numbers: Vec<String> = (0..31).map(|n| n.to_string()).collect();
        let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let long = "x".repeat(65);
        assert_eq!(form_after(&numbers[..20]), Form::Intset);
        assert_eq!(form_after(&numbers[..21]), Form::Table);
        assert_eq!(form_after(&["1", "a"]), Form::Listpack);
        assert_eq!(form_after(&["1", &long]), Form::Table);
        let words = |count| [&["a"], &numbers[..count]].concat();
        assert_eq!(form_after(&words(29)), Form::Listpack);
        assert_eq!(form_after(&words(30)), Form::Table);
        assert_eq!(LIMITS.form_of_new(b"7", 20), Form::Intset);
        assert_eq!(LIMITS.form_of_new(b"7", 21), Form::Listpack);
        assert_eq!(LIMITS.form_of_new(b"a", 31), Form::Table);
    }

    #[test]
    fn scanning_a_table_gives_every_member() {
        let mut set = Set::new();
        (0..5_000).for_each(|n| assert!(set.add(n.to_string().as_bytes())));
        let (mut seen, mut cursor) = (BTreeSet::new(), 0);
        loop {
            cursor = set.scan(cursor, |member| {
                seen.insert(member.to_vec());
            });
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(seen.len(), 5_000);
        while !set.free_step(100) {}
    }
}
