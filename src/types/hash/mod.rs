//! Hashes in two forms: one run of bytes while small ([`packed`]), a table above.
//!
//! As for sets, the commands know which form a key has; here are the operations of each, the rules for leaving the
//! small one (there is no way back), and [`HashRef`] to read either. Those rules, and the names that users see, are of the
//! listpack that Redis has for small hashes; files have it too.
//!
//! Once a field gets a deadline, the hash takes one of two other forms, [`timed_packed`] and [`timed`], so that the many
//! hashes without any pay nothing for those with some.

pub mod packed;
pub mod timed;
pub mod timed_packed;

use super::cells::CellTable;
use super::listpack::{self, Element, Listpack};
use crate::table::Lines;
use crate::timer::Millis;
pub use packed::PairPack;
use packed::Pairs;
pub use timed::{TimedHash, TimedTable};
pub use timed_packed::TimedPack;
use timed_packed::Triples;

/// When hashes leave their small form.
#[derive(Clone, Copy, Debug)]
pub struct HashLimits {
    /// `hash-max-listpack-entries`, in fields
    pub entries: usize,
    /// `hash-max-listpack-value`, in bytes, of fields and values alike
    pub value: usize,
}

impl HashLimits {
    /// Whether these arguments, fields and values in turn, ask for a table before any of them is set. `has_room_for` says
    /// whether the small form has room for so many bytes more.
    pub fn outgrown_by<'p>(
        &self,
        arguments: impl ExactSizeIterator<Item = &'p [u8]>,
        has_room_for: impl FnOnce(usize) -> bool,
    ) -> bool {
        if arguments.len() / 2 > self.entries {
            return true;
        }
        let mut bytes = 0;
        for argument in arguments {
            if argument.len() > self.value {
                return true;
            }
            bytes += argument.len();
        }
        !has_room_for(bytes)
    }

    /// Whether so many fields, of which the last just came, are too many for the small form.
    pub fn outgrown(&self, fields: usize) -> bool {
        fields > self.entries
    }
}

/// The large form of a hash: a hash table.
#[derive(Clone)]
pub struct Hash {
    table: CellTable<true>,
}

impl Default for Hash {
    fn default() -> Self {
        Self::new()
    }
}

impl Hash {
    pub const fn new() -> Self {
        Hash {
            table: CellTable::new(),
        }
    }

    /// A table of these fields and values.
    pub fn from_pairs<'e>(pairs: impl Iterator<Item = (Element<'e>, Element<'e>)>) -> Self {
        let mut hash = Hash::new();
        let (mut field_digits, mut value_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
        for (field, value) in pairs {
            hash.set(field.text(&mut field_digits), value.text(&mut value_digits));
        }
        hash
    }

    /// The table, to prefetch fields that will be looked up.
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
    pub fn contains(&self, field: &[u8]) -> bool {
        self.table.contains(field)
    }

    /// The value of a field. O(1).
    #[inline]
    pub fn get(&self, field: &[u8]) -> Option<&[u8]> {
        self.table.get(field)
    }

    /// Sets a field; true when it is new. O(1).
    pub fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        self.table.insert(field, value)
    }

    /// Removes a field; false when it was not there. O(1).
    pub fn remove(&mut self, field: &[u8]) -> bool {
        self.table.remove(field)
    }

    /// A random field and its value, each as likely as another. `rng` gives uniform 64-bit numbers. O(1).
    pub fn random(&self, rng: &mut impl FnMut() -> u64) -> Option<(&[u8], &[u8])> {
        self.table.random(rng)
    }

    /// The fields and values, in no order to rely on.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.table.iter()
    }

    /// A few fields and values at a time, with the guarantees of SCAN; gives the next cursor, 0 after the last.
    pub fn scan(&self, cursor: u64, f: impl FnMut(&[u8], &[u8])) -> u64 {
        self.table.scan(cursor, f)
    }

    /// Frees about `most` fields; true when the hash is empty.
    pub fn free_step(&mut self, most: usize) -> bool {
        self.table.free_step(most)
    }

    /// Bytes on the heap, estimated when large.
    pub fn memory(&self) -> usize {
        self.table.memory()
    }
}

/// A hash of either form, to read.
#[derive(Clone, Copy)]
pub enum HashRef<'a> {
    Packed(PairPack<'a>),
    Table(&'a Hash),
    TimedPacked(TimedPack<'a>),
    TimedTable(TimedTable<'a>),
}

impl<'a> HashRef<'a> {
    /// `OBJECT ENCODING`.
    pub fn encoding(self) -> &'static str {
        match self {
            HashRef::Packed(_) => "listpack",
            HashRef::TimedPacked(_) => "listpackex",
            HashRef::Table(_) | HashRef::TimedTable(_) => "hashtable",
        }
    }

    /// Whether a walk over all fields is what everything costs anyway.
    pub fn is_packed(self) -> bool {
        matches!(self, HashRef::Packed(_) | HashRef::TimedPacked(_))
    }

    /// Number of fields.
    pub fn len(self) -> usize {
        match self {
            HashRef::Packed(pack) => pack.len(),
            HashRef::Table(hash) => hash.len(),
            HashRef::TimedPacked(pack) => pack.len(),
            HashRef::TimedTable(hash) => hash.len(),
        }
    }

    pub fn is_empty(self) -> bool {
        match self {
            HashRef::Packed(pack) => pack.is_empty(),
            HashRef::Table(hash) => hash.is_empty(),
            HashRef::TimedPacked(pack) => pack.is_empty(),
            HashRef::TimedTable(hash) => hash.is_empty(),
        }
    }

    pub fn contains(self, field: &[u8]) -> bool {
        match self {
            HashRef::Packed(pack) => pack.contains(field),
            HashRef::Table(hash) => hash.contains(field),
            HashRef::TimedPacked(pack) => pack.find(field).is_some(),
            HashRef::TimedTable(hash) => hash.get(field).is_some(),
        }
    }

    /// The value of a field. O(n) and O(1).
    #[inline]
    pub fn get(self, field: &[u8]) -> Option<Element<'a>> {
        match self {
            HashRef::Packed(pack) => pack.get(field),
            HashRef::Table(hash) => hash.get(field).map(Element::Str),
            HashRef::TimedPacked(pack) => pack.find(field).map(|triple| triple.value.element),
            HashRef::TimedTable(hash) => hash.get(field).map(|(value, _)| Element::Str(value)),
        }
    }

    /// When a field expires, if it is there and if it does. O(n) and O(1).
    pub fn deadline(self, field: &[u8]) -> Option<Option<Millis>> {
        match self {
            HashRef::Packed(_) | HashRef::Table(_) => self.contains(field).then_some(None),
            HashRef::TimedPacked(pack) => pack.find(field).map(|triple| triple.deadline),
            HashRef::TimedTable(hash) => hash.get(field).map(|(_, deadline)| deadline),
        }
    }

    /// The fields and values: in order of insertion, or in no order.
    pub fn iter(self) -> Fields<'a> {
        match self {
            HashRef::Packed(pack) => Fields::Packed(pack.iter()),
            HashRef::Table(hash) => Fields::Table(Box::new(hash.iter())),
            HashRef::TimedPacked(pack) => Fields::TimedPacked(pack.iter()),
            HashRef::TimedTable(hash) => Fields::Table(Box::new(hash.iter().map(|(field, value, _)| (field, value)))),
        }
    }

    /// The same with their deadlines.
    pub fn iter_timed(self) -> Box<dyn Iterator<Item = (Element<'a>, Element<'a>, Option<Millis>)> + 'a> {
        match self {
            HashRef::Packed(_) | HashRef::Table(_) => Box::new(self.iter().map(|(field, value)| (field, value, None))),
            HashRef::TimedPacked(pack) => Box::new(
                pack.iter()
                    .map(|triple| (triple.field, triple.value.element, triple.deadline)),
            ),
            HashRef::TimedTable(hash) => Box::new(
                hash.iter()
                    .map(|(field, value, deadline)| (Element::Str(field), Element::Str(value), deadline)),
            ),
        }
    }

    /// A random field and its value, each as likely as another. O(n) and O(1).
    pub fn random(self, rng: &mut impl FnMut() -> u64) -> Option<(Element<'a>, Element<'a>)> {
        match self {
            HashRef::Packed(pack) => {
                let index = rng().checked_rem(pack.len() as u64)?;
                pack.iter().nth(index as usize)
            }
            HashRef::Table(hash) => hash
                .random(rng)
                .map(|(field, value)| (Element::Str(field), Element::Str(value))),
            HashRef::TimedPacked(pack) => {
                let index = rng().checked_rem(pack.len() as u64)?;
                let triple = pack.iter().nth(index as usize)?;
                Some((triple.field, triple.value.element))
            }
            HashRef::TimedTable(hash) => hash
                .random(rng)
                .map(|(field, value)| (Element::Str(field), Element::Str(value))),
        }
    }
}

/// Iterates over a hash of either form. Integers may also come as [`Element::Str`]: tables give nothing else.
pub enum Fields<'a> {
    Packed(Pairs<'a>),
    TimedPacked(Triples<'a>),
    Table(Box<dyn Iterator<Item = (&'a [u8], &'a [u8])> + 'a>),
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Element<'a>, Element<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Fields::Packed(pairs) => pairs.next(),
            Fields::TimedPacked(triples) => triples.next().map(|triple| (triple.field, triple.value.element)),
            Fields::Table(pairs) => pairs
                .next()
                .map(|(field, value)| (Element::Str(field), Element::Str(value))),
        }
    }
}

/// The pairs of a listpack of field, value, field, value.
pub fn pairs_of(pack: Listpack<'_>) -> impl Iterator<Item = (Element<'_>, Element<'_>)> {
    let mut elements = pack.iter().map(|entry| entry.element);
    std::iter::from_fn(move || Some((elements.next()?, elements.next()?)))
}

/// Whether no two fields of a listpack of pairs from outside are the same and every field has a value. O(n log n).
pub fn pairs_are_sound(pack: Listpack) -> bool {
    pack.len().is_multiple_of(2) && !listpack::has_duplicates(pack, 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::testing::Rng;
    use std::collections::HashMap;

    fn check(hash: HashRef, model: &HashMap<Vec<u8>, Vec<u8>>, rng: &mut Rng) {
        assert_eq!(hash.len(), model.len());
        let pairs: HashMap<_, _> = hash
            .iter()
            .map(|(field, value)| (field.to_vec(), value.to_vec()))
            .collect();
        assert_eq!(&pairs, model);
        let random = hash
            .random(&mut || rng.next())
            .map(|(field, value)| (field.to_vec(), value.to_vec()));
        assert!(random.map_or(model.is_empty(), |(field, value)| model.get(&field) == Some(&value)));
    }

    #[test]
    fn the_small_form_follows_a_map_and_converts() {
        for seed in 0..20 {
            let mut rng = Rng::new(seed);
            let (mut bytes, mut model) = (packed::EMPTY.to_vec(), HashMap::new());
            for _ in 0..300 {
                let (field, value) = (rng.text(), rng.text());
                if rng.chance(4) {
                    assert_eq!(packed::remove(&mut bytes, &field), model.remove(&field).is_some());
                } else {
                    let new = packed::set(&mut bytes, &field, &value);
                    assert_eq!(new, model.insert(field.clone(), value).is_none());
                }
                let hash = HashRef::Packed(PairPack::new(&bytes));
                assert_eq!(hash.get(&field).map(Element::to_vec).as_ref(), model.get(&field));
                assert_eq!(hash.contains(&field), model.contains_key(&field));
                check(hash, &model, &mut rng);
            }
            let table = Hash::from_pairs(PairPack::new(&bytes).iter());
            check(HashRef::Table(&table), &model, &mut rng);
        }
    }

    /// Fields as they should be at a moment.
    type Timed = HashMap<Vec<u8>, (Vec<u8>, Option<Millis>)>;

    fn check_timed(hash: HashRef, model: &Timed, rng: &mut Rng) {
        let texts = |model: &Timed| -> HashMap<_, _> {
            let pairs = model.iter().map(|(field, (value, _))| (field.clone(), value.clone()));
            pairs.collect()
        };
        check(hash, &texts(model), rng);
        let deadlines = hash
            .iter_timed()
            .map(|(field, value, deadline)| (field.to_vec(), (value.to_vec(), deadline)));
        assert_eq!(&deadlines.collect::<Timed>(), model);
    }

    #[test]
    fn deadlines_follow_a_map_while_time_goes_on() {
        for seed in 0..20 {
            let mut rng = Rng::new(seed);
            let (mut bytes, mut table) = (listpack::EMPTY.to_vec(), TimedHash::default());
            let (mut now, mut model) = (Millis(1000), Timed::new());
            for _ in 0..400 {
                let (field, value) = (format!("word:{}", rng.below(30)).into_bytes(), rng.text());
                let known = model.get(&field).cloned();
                match rng.below(8) {
                    0 => {
                        assert_eq!(timed_packed::remove(&mut bytes, &field), known.is_some());
                        assert_eq!(table.remove(&field, now), known.is_some());
                        model.remove(&field);
                    }
                    1..=3 if known.is_some() => {
                        let deadline = (!rng.chance(4)).then(|| now.saturating_add(1 + rng.below(40) as i64));
                        timed_packed::set_deadline(&mut bytes, &field, deadline);
                        table.set_deadline(&field, deadline);
                        model.insert(field.clone(), (known.unwrap_or_default().0, deadline));
                    }
                    4 => {
                        now = now.saturating_add(rng.below(20) as i64);
                        model.retain(|_, (_, deadline)| deadline.is_none_or(|at| at > now));
                        let pack = Listpack::new(&bytes);
                        check_timed(HashRef::TimedPacked(TimedPack::new(pack, now)), &model, &mut rng);
                        let gone = timed_packed::stored(pack) - model.len();
                        assert_eq!(timed_packed::all_due(pack, now), model.is_empty());
                        assert_eq!(table.all_due(now), model.is_empty() && !table.is_empty());
                        assert_eq!(timed_packed::expire(&mut bytes, now, |_| ()), gone);
                        if rng.chance(2) {
                            table.expire(now, 1 + rng.below(8), |_| ());
                        }
                    }
                    _ => {
                        let keep = rng.chance(2);
                        assert_eq!(timed_packed::set(&mut bytes, &field, &value, keep), known.is_none());
                        assert_eq!(table.set(&field, &value, keep, now), known.is_none());
                        let deadline = known.and_then(|(_, deadline)| deadline).filter(|_| keep);
                        model.insert(field.clone(), (value, deadline));
                    }
                }
                let pack = listpack::validate(&bytes).expect("well formed");
                let order: Vec<Millis> = TimedPack::new(pack, now)
                    .iter()
                    .map(|triple| triple.deadline.unwrap_or(Millis::MAX))
                    .collect();
                assert!(order.is_sorted());
                let first = model.values().filter_map(|(_, deadline)| *deadline).min();
                assert_eq!(timed_packed::first_due(pack), first);
                assert!(table.first_due() <= first || first.is_none());
                let copy = TimedHash::from_listpack(pack);
                for hash in [
                    HashRef::TimedPacked(TimedPack::new(pack, now)),
                    HashRef::TimedTable(TimedTable::new(&table, now)),
                    HashRef::TimedTable(TimedTable::new(&copy, now)),
                ] {
                    let known = model.get(&field);
                    assert_eq!(
                        hash.get(&field).map(Element::to_vec),
                        known.map(|(value, _)| value.clone())
                    );
                    assert_eq!(hash.deadline(&field), known.map(|(_, deadline)| *deadline));
                    check_timed(hash, &model, &mut rng);
                }
            }
            table.expire(Millis::MAX, usize::MAX, |_| ());
            let lasting = model.values().filter(|(_, deadline)| deadline.is_none()).count();
            assert_eq!((table.len(), table.first_due()), (lasting, None));
            while !table.free_step(3) {}
        }
    }

    #[test]
    fn limits_are_inclusive() {
        let limits = HashLimits { entries: 2, value: 3 };
        let outgrown_by = |arguments: &[&str]| {
            let texts = arguments.iter().map(|text| text.as_bytes());
            limits.outgrown_by(texts, |bytes| bytes <= 5)
        };
        assert!(!outgrown_by(&["abc", "de"]));
        assert!(outgrown_by(&["abc", "def"]));
        assert!(outgrown_by(&["abc", "defg"]));
        assert!(outgrown_by(&["abcd", "d"]));
        assert!(!outgrown_by(&["a", "1", "b", "2"]));
        assert!(outgrown_by(&["a", "1", "b", "2", "c", "3"]));
        let mut bytes = packed::EMPTY.to_vec();
        for (field, full) in [("a", false), ("b", false), ("b", false), ("c", true)] {
            packed::set(&mut bytes, field.as_bytes(), b"1");
            assert_eq!(limits.outgrown(PairPack::new(&bytes).len()), full);
        }
    }

    #[test]
    fn a_value_in_the_place_of_a_field_is_not_a_field() {
        let mut bytes = packed::EMPTY.to_vec();
        packed::set(&mut bytes, b"a", b"b");
        assert!(!PairPack::new(&bytes).contains(b"b"));
        assert!(!packed::remove(&mut bytes, b"b"));
    }

    #[test]
    fn broken_pairs_are_noticed() {
        let odd = listpack::from_elements([Element::Int(1)]);
        assert!(!pairs_are_sound(Listpack::new(&odd)));
        let twice = listpack::from_elements([1, 2, 1, 3].map(Element::Int));
        assert!(!pairs_are_sound(Listpack::new(&twice)));
    }
}
