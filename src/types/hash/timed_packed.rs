//! The small form of a hash whose fields may have deadlines: a listpack of field, value, deadline, field, value, deadline.
//!
//! Deadlines are integers, Unix time in milliseconds, and 0 stands for none. The triples are in the order of their
//! deadlines, those without one last, so that the first triple says when something is to be done and what has expired is
//! one piece at the front. These are the bytes that Redis 7.4 and later keep and save.

use super::PairPack;
use crate::timer::Millis;
use crate::types::listpack::{self, Element, Entries, Entry, Listpack, Needle};
use crate::types::packed::PackedBuf;

/// Elements a field takes.
const STRIDE: usize = 3;
/// The deadline of a field that has none.
const NEVER: i64 = 0;

/// A field with all that belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Triple<'a> {
    pub field: Element<'a>,
    pub value: Entry<'a>,
    pub deadline: Option<Millis>,
    /// Where the triple starts, and where the next one does.
    at: usize,
    end: usize,
}

impl<'a> Triple<'a> {
    fn read(field: Entry<'a>, rest: &mut Entries<'a>) -> Option<Self> {
        let (value, deadline) = (rest.next()?, rest.next()?);
        Some(Triple {
            field: field.element,
            value,
            deadline: deadline.element.integer().filter(|at| *at != NEVER).map(Millis),
            at: field.at,
            end: deadline.end,
        })
    }

    fn is_due(&self, now: Millis) -> bool {
        self.deadline.is_some_and(|at| at <= now)
    }
}

/// The fields of a listpack of triples, in its order.
#[derive(Clone)]
pub struct Triples<'a>(Entries<'a>);

impl<'a> Iterator for Triples<'a> {
    type Item = Triple<'a>;

    fn next(&mut self) -> Option<Triple<'a>> {
        let field = self.0.next()?;
        Triple::read(field, &mut self.0)
    }
}

fn triples(pack: Listpack<'_>) -> Triples<'_> {
    Triples(pack.iter())
}

fn find<'a>(pack: Listpack<'a>, field: &[u8]) -> Option<Triple<'a>> {
    let found = pack.iter().find(&Needle::new(field), STRIDE)?;
    Triple::read(found, &mut pack.iter_from(found.end))
}

/// How many fields the deadlines of which are not after `now` stand at the front, and where they end.
fn due(pack: Listpack<'_>, now: Millis) -> (usize, usize) {
    let expired = triples(pack).take_while(|triple| triple.is_due(now));
    expired.fold((0, listpack::HEADER), |(count, _), triple| (count + 1, triple.end))
}

/// The earliest deadline. O(1).
pub fn first_due(pack: Listpack<'_>) -> Option<Millis> {
    triples(pack).next()?.deadline
}

/// Fields in all, also those that have expired.
pub fn stored(pack: Listpack<'_>) -> usize {
    pack.len() / STRIDE
}

/// Whether every field has a deadline and none of these is after `now`. O(fields due).
pub fn all_due(pack: Listpack<'_>, now: Millis) -> bool {
    due(pack, now).1 == pack.end()
}

/// The triples of a hash without deadlines, no field having one.
pub fn from_pairs(pack: PairPack<'_>) -> Vec<u8> {
    from_triples(pack.elements().map(|(field, value)| (field, value, None)))
}

/// The listpack of the pairs alone, without the deadlines.
pub fn to_pairs(pack: Listpack<'_>) -> Vec<u8> {
    listpack::from_elements(triples(pack).flat_map(|triple| [triple.field, triple.value.element]))
}

/// The listpack of triples that are in the order of their deadlines, no field being twice among them.
pub fn from_triples<'e>(triples: impl Iterator<Item = (Element<'e>, Element<'e>, Option<Millis>)>) -> Vec<u8> {
    listpack::from_elements(triples.flat_map(|(field, value, deadline)| [field, value, stored_deadline(deadline)]))
}

fn stored_deadline<'e>(deadline: Option<Millis>) -> Element<'e> {
    Element::Int(deadline.map_or(NEVER, |at| at.0))
}

/// Adds a field that is not there, at the place its deadline has: before those of the same deadline, as Redis does. O(n).
pub fn insert(buf: &mut impl PackedBuf, field: Element<'_>, value: Element<'_>, deadline: Option<Millis>) {
    let pack = Listpack::new(buf.bytes());
    let later = deadline.and_then(|new| triples(pack).find(|triple| triple.deadline.is_none_or(|at| at >= new)));
    let at = later.map_or(pack.end(), |triple| triple.at);
    listpack::insert_all(buf, at, [field, value, stored_deadline(deadline)]);
}

/// Sets a field; true when it is new. One that was there loses its deadline, and with it its place, unless `keep`. O(n).
pub fn set(buf: &mut impl PackedBuf, field: &[u8], value: &[u8], keep: bool) -> bool {
    let Some(found) = find(Listpack::new(buf.bytes()), field) else {
        insert(buf, Element::of(field), Element::of(value), None);
        return true;
    };
    if keep || found.deadline.is_none() {
        let at = found.value.at;
        listpack::replace(buf, at, Element::of(value));
        return false;
    }
    let span = found.at..found.end;
    listpack::remove_span(buf, span, STRIDE);
    insert(buf, Element::of(field), Element::of(value), None);
    false
}

/// Sets or clears the deadline of a field that is there. O(n).
pub fn set_deadline(buf: &mut impl PackedBuf, field: &[u8], deadline: Option<Millis>) {
    let Some(found) = find(Listpack::new(buf.bytes()), field) else {
        return;
    };
    let (span, value) = (found.at..found.end, found.value.element.to_vec());
    listpack::remove_span(buf, span, STRIDE);
    insert(buf, Element::of(field), Element::of(&value), deadline);
}

/// Removes a field; false when it was not there. O(n).
pub fn remove(buf: &mut impl PackedBuf, field: &[u8]) -> bool {
    let span = find(Listpack::new(buf.bytes()), field).map(|found| found.at..found.end);
    let Some(span) = span else { return false };
    listpack::remove_span(buf, span, STRIDE);
    true
}

/// Removes the fields whose deadlines are not after `now`, having told each, and gives how many. O(n).
pub fn expire(buf: &mut impl PackedBuf, now: Millis, mut tell: impl FnMut(&[u8])) -> usize {
    let pack = Listpack::new(buf.bytes());
    let (count, end) = due(pack, now);
    if count > 0 {
        let mut digits = itoa::Buffer::new();
        triples(pack)
            .take(count)
            .for_each(|triple| tell(triple.field.text(&mut digits)));
        listpack::remove_span(buf, listpack::HEADER..end, STRIDE * count);
    }
    count
}

/// A listpack of triples as it is at a moment: without the fields that have expired by then.
#[derive(Clone, Copy, Debug)]
pub struct TimedPack<'a> {
    pack: Listpack<'a>,
    now: Millis,
}

impl<'a> TimedPack<'a> {
    pub fn new(pack: Listpack<'a>, now: Millis) -> Self {
        TimedPack { pack, now }
    }

    pub fn len(self) -> usize {
        stored(self.pack) - due(self.pack, self.now).0
    }

    pub fn is_empty(self) -> bool {
        all_due(self.pack, self.now)
    }

    pub fn find(self, field: &[u8]) -> Option<Triple<'a>> {
        find(self.pack, field).filter(|triple| !triple.is_due(self.now))
    }

    pub fn iter(self) -> Triples<'a> {
        Triples(self.pack.iter_from(due(self.pack, self.now).1))
    }
}
