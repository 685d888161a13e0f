//! Sorted sets: members with scores, ordered by score and then by the members' bytes.
//!
//! Two forms, as users see them through `OBJECT ENCODING`: [`packed`] bytes while small (`listpack`) and [`Zset`], a
//! hash table with a counted B+ tree, above that (`skiplist`). [`ZsetRef`] reads either, so that a command is written once;
//! all ranges come down to ranges of ranks.

mod member;
mod ordered;
pub mod packed;
mod range;
#[cfg(test)]
mod tests;
mod tree;

use std::cmp::Ordering;
use std::ops::Range;

pub use ordered::{Iter, Zset};
pub use packed::PackedIter;
pub use range::{LexBound, LexRange, ScoreRange};

use super::listpack::{self, Element};

/// Up to where a sorted set stays packed: `zset-max-listpack-entries` and `zset-max-listpack-value`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub max_entries: usize,
    /// Bytes of a member.
    pub max_value: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_entries: 128,
            max_value: 64,
        }
    }
}

impl Limits {
    /// Whether a packed set of `len` members stays packed when one of `member_len` bytes is added. A member that is
    /// there already never converts a set.
    pub fn allow_adding(&self, len: usize, member_len: usize) -> bool {
        len < self.max_entries && member_len <= self.max_value
    }

    /// Whether a new set that is expected to hold so many members begins packed, and whether a finished one is
    /// turned into packed form, as ZUNIONSTORE and its like do with their results.
    pub fn allow(&self, len: usize, longest_member: usize) -> bool {
        len <= self.max_entries && longest_member <= self.max_value
    }
}

/// The order of members with scores: by score, then by the bytes of the text.
pub fn compare_members((one, one_score): &(Element, f64), (other, other_score): &(Element, f64)) -> Ordering {
    let by_score = one_score.partial_cmp(other_score).unwrap_or(Ordering::Equal);
    by_score.then_with(|| match (one, other) {
        (Element::Str(one), Element::Str(other)) => one.cmp(other),
        _ => one
            .text(&mut itoa::Buffer::new())
            .cmp(other.text(&mut itoa::Buffer::new())),
    })
}

/// Unpacks a packed set.
pub fn unpack(bytes: &[u8]) -> Zset {
    let mut zset = Zset::new();
    for (member, score) in packed::iter(bytes) {
        zset.insert(member.text(&mut itoa::Buffer::new()), score);
    }
    zset
}

/// Packs a set; whether it is small enough is the caller's question: see [`Limits::allow`].
pub fn pack(zset: &Zset) -> Vec<u8> {
    let mut bytes = listpack::EMPTY.to_vec();
    for (member, score) in zset.iter(0..zset.len(), false) {
        packed::insert_new(&mut bytes, member, score);
    }
    bytes
}

/// A sorted set of either form, for reading. Ranks count from zero at the lowest score.
#[derive(Clone, Copy)]
pub enum ZsetRef<'a> {
    Packed(&'a [u8]),
    Table(&'a Zset),
}

impl<'a> ZsetRef<'a> {
    pub fn len(self) -> usize {
        match self {
            ZsetRef::Packed(bytes) => packed::len(bytes),
            ZsetRef::Table(zset) => zset.len(),
        }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    pub fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            ZsetRef::Packed(bytes) => packed::score(bytes, member),
            ZsetRef::Table(zset) => zset.score(member),
        }
    }

    pub fn rank(self, member: &[u8]) -> Option<usize> {
        match self {
            ZsetRef::Packed(bytes) => packed::rank(bytes, member),
            ZsetRef::Table(zset) => zset.rank(member),
        }
    }

    /// The member of that rank.
    pub fn get(self, rank: usize) -> Option<(Element<'a>, f64)> {
        self.iter(rank..rank + 1, false).next()
    }

    /// A random member, each as likely as another. `rng` gives uniform 64-bit numbers. O(1), in a listpack O(n).
    pub fn random(self, rng: &mut impl FnMut() -> u64) -> Option<(Element<'a>, f64)> {
        match self {
            ZsetRef::Packed(bytes) => {
                let rank = rng().checked_rem(packed::len(bytes) as u64)?;
                self.get(rank as usize)
            }
            ZsetRef::Table(zset) => zset.random(rng).map(|(member, score)| (Element::Str(member), score)),
        }
    }

    /// The members of these ranks, in order or from the last to the first.
    pub fn iter(self, ranks: Range<usize>, reverse: bool) -> ZsetIter<'a> {
        let len = self.len();
        let ranks = ranks.start.min(len)..ranks.end.min(len);
        match self {
            ZsetRef::Packed(bytes) => {
                let mut iter = packed::iter(bytes);
                let skipped = if reverse { len - ranks.end } else { ranks.start };
                if skipped > 0 {
                    if reverse {
                        iter.nth_back(skipped - 1)
                    } else {
                        iter.nth(skipped - 1)
                    };
                }
                ZsetIter::Packed {
                    iter,
                    left: ranks.len(),
                    reverse,
                }
            }
            ZsetRef::Table(zset) => ZsetIter::Table(zset.iter(ranks, reverse)),
        }
    }

    /// The ranks of the members with these scores.
    pub fn score_ranks(self, range: &ScoreRange) -> Range<usize> {
        match self {
            ZsetRef::Packed(bytes) => packed::score_ranks(bytes, range),
            ZsetRef::Table(zset) => zset.score_ranks(range),
        }
    }

    /// The ranks of the members between these texts, if all scores are equal.
    pub fn lex_ranks(self, range: &LexRange) -> Range<usize> {
        match self {
            ZsetRef::Packed(bytes) => packed::lex_ranks(bytes, range),
            ZsetRef::Table(zset) => zset.lex_ranks(range),
        }
    }
}

/// Members and scores of either form; see [`ZsetRef::iter`].
pub enum ZsetIter<'a> {
    Packed {
        iter: PackedIter<'a>,
        left: usize,
        reverse: bool,
    },
    Table(Iter<'a>),
}

impl<'a> Iterator for ZsetIter<'a> {
    type Item = (Element<'a>, f64);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            ZsetIter::Table(iter) => iter.next().map(|(member, score)| (Element::Str(member), score)),
            ZsetIter::Packed { iter, left, reverse } => {
                *left = left.checked_sub(1)?;
                if *reverse { iter.next_back() } else { iter.next() }
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            ZsetIter::Table(iter) => iter.size_hint(),
            ZsetIter::Packed { left, .. } => (*left, Some(*left)),
        }
    }
}

impl ExactSizeIterator for ZsetIter<'_> {}
