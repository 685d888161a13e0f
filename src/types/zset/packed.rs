//! The small form of a sorted set: a listpack of members, each followed by its score, in order.
//!
//! A scan over a few hundred bytes that lie together beats any structure with pointers, and the run of bytes goes to
//! disk as it is. Every operation is O(bytes).

use std::ops::Range;

use super::Limits;
use super::range::{LexRange, ScoreRange};
use crate::format::number;
use crate::types::listpack::{self, Element, Entries, Listpack, Needle};
use crate::types::packed::PackedBuf;

/// Above this magnitude Redis writes an integral score as text.
const INTEGER_SCORE_MAX: f64 = (i64::MAX / 2) as f64;

/// A member with its score, and the bytes that both take.
#[derive(Clone, Debug)]
struct Pair<'a> {
    member: Element<'a>,
    score: f64,
    at: Range<usize>,
}

/// Members and scores of a packed sorted set, from either end.
#[derive(Clone)]
pub struct PackedIter<'a>(Entries<'a>);

impl<'a> PackedIter<'a> {
    fn next_pair(&mut self) -> Option<Pair<'a>> {
        let (member, score) = (self.0.next()?, self.0.next()?);
        Some(Pair {
            member: member.element,
            score: score_of(score.element),
            at: member.at..score.end,
        })
    }
}

impl<'a> Iterator for PackedIter<'a> {
    type Item = (Element<'a>, f64);

    fn next(&mut self) -> Option<Self::Item> {
        self.next_pair().map(|pair| (pair.member, pair.score))
    }
}

impl DoubleEndedIterator for PackedIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let (score, member) = (self.0.next_back()?, self.0.next_back()?);
        Some((member.element, score_of(score.element)))
    }
}

fn score_of(element: Element) -> f64 {
    checked_score(element).unwrap_or(0.0)
}

/// The score that an element is, if it is one.
fn checked_score(element: Element) -> Option<f64> {
    match element {
        Element::Int(value) => Some(value as f64),
        Element::Str(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok())
            .filter(|score: &f64| !score.is_nan()),
    }
}

/// Calls `f` with the element that Redis stores for a score: an integer where it is one, else the shortest text.
fn with_score_element<R>(score: f64, f: impl FnOnce(Element) -> R) -> R {
    if score.abs() <= INTEGER_SCORE_MAX && score.trunc() == score {
        return f(Element::Int(score as i64));
    }
    f(Element::Str(number::double(score).as_bytes()))
}

fn pairs(bytes: &[u8]) -> PackedIter<'_> {
    PackedIter(Listpack::new(bytes).iter())
}

fn compare(member: Element, with: &[u8]) -> std::cmp::Ordering {
    member.text(&mut itoa::Buffer::new()).cmp(with)
}

/// Whether a listpack from outside is a packed sorted set: members that differ, each with a score, in order.
/// O(n log n).
pub fn is_sound(pack: Listpack) -> bool {
    let scores = || pack.iter().skip(1).step_by(2).map(|entry| checked_score(entry.element));
    let in_order = || {
        PackedIter(pack.iter()).is_sorted_by(|(member, score), (next, next_score)| {
            score < next_score || score == next_score && compare(*member, next.text(&mut itoa::Buffer::new())).is_lt()
        })
    };
    pack.len().is_multiple_of(2)
        && scores().all(|score| score.is_some())
        && !listpack::has_duplicates(pack, 2)
        && in_order()
}

/// Members and scores in order.
pub fn iter(bytes: &[u8]) -> PackedIter<'_> {
    pairs(bytes)
}

/// The same with the scores as they are stored. One that another server wrote may be a longer text than ours would be.
pub fn stored_pairs(bytes: &[u8]) -> impl Iterator<Item = (Element<'_>, Element<'_>)> {
    let mut entries = Listpack::new(bytes).iter();
    std::iter::from_fn(move || Some((entries.next()?.element, entries.next()?.element)))
}

/// Number of members.
pub fn len(bytes: &[u8]) -> usize {
    Listpack::new(bytes).len() / 2
}

fn find<'a>(bytes: &'a [u8], member: &[u8]) -> Option<(usize, Pair<'a>)> {
    let needle = Needle::new(member);
    let mut pairs = pairs(bytes);
    let mut rank = 0;
    while let Some(pair) = pairs.next_pair() {
        if needle.matches(pair.member) {
            return Some((rank, pair));
        }
        rank += 1;
    }
    None
}

/// The member's score.
pub fn score(bytes: &[u8], member: &[u8]) -> Option<f64> {
    let found = Listpack::new(bytes).iter().find(&Needle::new(member), 2)?;
    Listpack::new(bytes).at(found.end).map(|score| score_of(score.element))
}

/// The member's rank, from zero.
pub fn rank(bytes: &[u8], member: &[u8]) -> Option<usize> {
    find(bytes, member).map(|(rank, _)| rank)
}

/// Adds the member, or gives it a new score; returns the score it had. Whether the set may stay packed is the
/// caller's question: see [`Limits::allow_adding`](super::Limits::allow_adding).
pub fn insert(buf: &mut impl PackedBuf, member: &[u8], score: f64) -> Option<f64> {
    let known = find(buf.bytes(), member).map(|(_, pair)| (pair.score, pair.at));
    if let Some((old, at)) = known {
        if old != score {
            listpack::remove_span(buf, at, 2);
            insert_new(buf, member, score);
        }
        return Some(old);
    }
    insert_new(buf, member, score);
    None
}

/// Gives the member the score that `decide` names, which is told the one it has; changes nothing when it names none.
///
/// A member that is not there is added only if the limits allow it. If not, its score is returned: unpack the set and add
/// the member there.
pub fn update(
    buf: &mut impl PackedBuf,
    member: &[u8],
    limits: &Limits,
    decide: impl FnOnce(Option<f64>) -> Option<f64>,
) -> Option<f64> {
    let Some((old, at)) = find(buf.bytes(), member).map(|(_, pair)| (pair.score, pair.at)) else {
        let score = decide(None)?;
        if !limits.allow_adding(len(buf.bytes()), member.len()) {
            return Some(score);
        }
        insert_new(buf, member, score);
        return None;
    };
    let score = decide(Some(old))?;
    if score != old {
        listpack::remove_span(buf, at, 2);
        insert_new(buf, member, score);
    }
    None
}

/// Adds a member that is not there. Behind all others its place is found in O(1).
pub fn insert_new(buf: &mut impl PackedBuf, member: &[u8], score: f64) {
    let at = place_for(buf.bytes(), member, score);
    with_score_element(score, |score| {
        listpack::insert_all(buf, at, [Element::of(member), score])
    });
}

/// Where a member belongs. Adding behind all others, as happens with times for scores, is found at once.
fn place_for(bytes: &[u8], member: &[u8], score: f64) -> usize {
    let is_before = |known: Element, known_score: f64| {
        known_score < score || known_score == score && compare(known, member).is_lt()
    };
    if pairs(bytes)
        .next_back()
        .is_none_or(|(last, last_score)| is_before(last, last_score))
    {
        return Listpack::new(bytes).end();
    }
    let mut pairs = pairs(bytes);
    while let Some(pair) = pairs.next_pair() {
        if !is_before(pair.member, pair.score) {
            return pair.at.start;
        }
    }
    Listpack::new(bytes).end()
}

/// Takes the member out; returns its score.
pub fn remove(buf: &mut impl PackedBuf, member: &[u8]) -> Option<f64> {
    let (score, at) = find(buf.bytes(), member).map(|(_, pair)| (pair.score, pair.at))?;
    listpack::remove_span(buf, at, 2);
    Some(score)
}

/// Takes out the members of these ranks; returns how many.
pub fn remove_ranks(buf: &mut impl PackedBuf, ranks: Range<usize>) -> usize {
    listpack::delete_range(buf, ranks.start as i64 * 2, ranks.len() * 2) / 2
}

/// The ranks of the members with these scores.
pub fn score_ranks(bytes: &[u8], range: &ScoreRange) -> Range<usize> {
    if range.is_empty() {
        return 0..0;
    }
    ranks_where(
        bytes,
        |_, score| range.reaches_down_to(score),
        |_, score| range.reaches_up_to(score),
    )
}

/// The ranks of the members between these texts, if all scores are equal.
pub fn lex_ranks(bytes: &[u8], range: &LexRange) -> Range<usize> {
    if range.is_empty() {
        return 0..0;
    }
    ranks_where(
        bytes,
        |member, _| range.reaches_down_to(member),
        |member, _| range.reaches_up_to(member),
    )
}

/// From the first pair that is not below to the first from there on that is above.
fn ranks_where(
    bytes: &[u8],
    not_below: impl Fn(&[u8], f64) -> bool,
    not_above: impl Fn(&[u8], f64) -> bool,
) -> Range<usize> {
    let ask = |(member, score): (Element, f64), question: &dyn Fn(&[u8], f64) -> bool| {
        question(member.text(&mut itoa::Buffer::new()), score)
    };
    let mut pairs = pairs(bytes).peekable();
    let mut start = 0;
    while pairs.next_if(|&pair| !ask(pair, &not_below)).is_some() {
        start += 1;
    }
    start..start + pairs.take_while(|&pair| ask(pair, &not_above)).count()
}
