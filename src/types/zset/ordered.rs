//! The large form of a sorted set (encoding `skiplist`, after what Redis uses): a hash table from member to score and a
//! rank tree for the order, both pointing to the same members.
//!
//! The tree owns the members in the sense that matters: one is freed when it has left the tree, after it has left
//! the table. That happens in [`Zset::free`] and [`Zset::free_step`] and nowhere else.

use std::ops::Range;

use super::member::Member;
use super::range::{LexBound, LexRange, ScoreRange};
use super::tree::{self, Position, Tree};
use crate::hashing::hash_bytes;
use crate::table::{Lines, Table};

/// A sorted set of any size. Ranks count from zero at the lowest score.
pub struct Zset {
    table: Table<Member>,
    tree: Tree,
    /// Bytes of all members together.
    member_bytes: usize,
}

fn rehash(member: Member) -> u64 {
    hash_bytes(member.bytes())
}

impl Default for Zset {
    fn default() -> Self {
        Zset::new()
    }
}

impl Zset {
    pub fn new() -> Self {
        Zset {
            table: Table::new(),
            tree: Tree::new(),
            member_bytes: 0,
        }
    }

    /// The table, to prefetch members that will be looked up.
    pub fn lines(&self) -> Lines<'_> {
        self.table.lines()
    }

    pub fn len(&self) -> usize {
        self.tree.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn find(&self, bytes: &[u8]) -> Option<Member> {
        self.table.get(hash_bytes(bytes), |member| member.bytes() == bytes)
    }

    /// The member's score. O(1).
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.find(member).map(Member::score)
    }

    /// Adds the member, or gives it a new score; returns the score it had. O(log n).
    pub fn insert(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let hash = hash_bytes(member);
        if let Some(known) = self.table.get(hash, |known| known.bytes() == member) {
            let old = known.score();
            if old.to_bits() != score.to_bits() {
                self.tree.update(known, score);
            }
            return Some(old);
        }
        self.add(hash, member, score);
        None
    }

    /// Gives the member the score that `decide` names, which is told the one it has; changes nothing when it names none.
    /// O(log n).
    pub fn update(&mut self, member: &[u8], decide: impl FnOnce(Option<f64>) -> Option<f64>) {
        let hash = hash_bytes(member);
        let Some(known) = self.table.get(hash, |known| known.bytes() == member) else {
            if let Some(score) = decide(None) {
                self.add(hash, member, score);
            }
            return;
        };
        let old = known.score();
        if let Some(score) = decide(Some(old))
            && score != old
        {
            self.tree.update(known, score);
        }
    }

    /// Adds a member that is not there.
    fn add(&mut self, hash: u64, member: &[u8], score: f64) {
        let new = Member::new(score, member);
        self.member_bytes += new.memory();
        self.tree.insert(new);
        self.table.insert(hash, new, rehash);
    }

    /// Takes the member out; returns its score. O(log n).
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let slot = self.table.find(hash_bytes(member), |known| known.bytes() == member)?;
        let known = self.table.remove(slot);
        let score = known.score();
        self.tree.remove(known);
        self.free(known);
        Some(score)
    }

    /// Frees a member that has left table and tree.
    #[allow(unsafe_code)]
    fn free(&mut self, member: Member) {
        self.member_bytes -= member.memory();
        // SAFETY: the tree and the table were the only ones to keep the handle, and it has left both. Slices of its
        // bytes that were handed out borrow the set, which is borrowed mutably here.
        unsafe { member.free() }
    }

    /// The member's rank. O(log n).
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        self.find(member).map(|known| self.tree.rank_of(known))
    }

    /// The member of that rank, and its score. O(log n).
    pub fn get(&self, rank: usize) -> Option<(&[u8], f64)> {
        self.tree.get(rank).map(|member| (member.bytes(), member.score()))
    }

    /// The members of these ranks, in order or from the last to the first. O(log n) to begin, then O(1) each.
    pub fn iter(&self, ranks: Range<usize>, reverse: bool) -> Iter<'_> {
        Iter(self.tree.iter(ranks.start, ranks.end, reverse))
    }

    /// The ranks of the members with these scores. O(log n).
    pub fn score_ranks(&self, range: &ScoreRange) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        let edge = |score, behind| {
            if behind {
                Position::behind_score(score)
            } else {
                Position::before_score(score)
            }
        };
        let start = self.tree.rank(edge(range.min, range.min_exclusive));
        let end = self.tree.rank(edge(range.max, !range.max_exclusive));
        start..end.max(start)
    }

    /// The ranks of the members between these texts, if all scores are equal; otherwise an arbitrary range, as in
    /// Redis. O(log n).
    pub fn lex_ranks(&self, range: &LexRange) -> Range<usize> {
        let Some(first) = self.tree.get(0) else { return 0..0 };
        if range.is_empty() {
            return 0..0;
        }
        let score = first.score();
        let edge = |bound, at_end: bool| match bound {
            LexBound::Min => 0,
            LexBound::Max => self.len(),
            LexBound::Inclusive(text) if at_end => self.tree.rank(Position::behind(score, text)),
            LexBound::Inclusive(text) => self.tree.rank(Position::before(score, text)),
            LexBound::Exclusive(text) if at_end => self.tree.rank(Position::before(score, text)),
            LexBound::Exclusive(text) => self.tree.rank(Position::behind(score, text)),
        };
        let start = edge(range.min, false);
        start..edge(range.max, true).max(start)
    }

    /// Takes out the member of that rank after showing it to `f`; false if there is none. O(log n).
    pub fn remove_at(&mut self, rank: usize, f: impl FnOnce(&[u8], f64)) -> bool {
        if rank >= self.len() {
            return false;
        }
        let member = self.tree.remove_at(rank);
        if let Some(slot) = self.table.find(rehash(member), |known| known == member) {
            self.table.remove(slot);
        }
        f(member.bytes(), member.score());
        self.free(member);
        true
    }

    /// Takes out the member of the lowest score after showing it to `f`. O(log n).
    pub fn pop_min(&mut self, f: impl FnOnce(&[u8], f64)) -> bool {
        self.remove_at(0, f)
    }

    /// Takes out the member of the highest score after showing it to `f`. O(log n).
    pub fn pop_max(&mut self, f: impl FnOnce(&[u8], f64)) -> bool {
        self.len().checked_sub(1).is_some_and(|last| self.remove_at(last, f))
    }

    /// Takes out the members of these ranks; returns how many. O(log n + m) for m of them: a leaf loses all it has of them
    /// at once, and their places in the table are fetched ahead.
    pub fn remove_ranks(&mut self, ranks: Range<usize>) -> usize {
        let count = ranks.end.min(self.len()).saturating_sub(ranks.start);
        let (mut left, mut run) = (count, Vec::new());
        while left > 0 {
            left -= self.tree.remove_run(ranks.start, left, &mut |member| {
                member.prefetch();
                run.push((0, member));
            });
            for (hash, member) in &mut run {
                *hash = rehash(*member);
                self.table.lines().prefetch(*hash);
            }
            for (hash, member) in run.drain(..) {
                if let Some(slot) = self.table.find(hash, |known| known == member) {
                    self.table.remove(slot);
                }
                self.free(member);
            }
        }
        count
    }

    /// A copy without the members of these ranks. O(k log n) for k that are left.
    pub fn without_ranks(&self, ranks: Range<usize>) -> Zset {
        let mut copy = Zset::new();
        for part in [0..ranks.start, ranks.end..self.len()] {
            for (member, score) in self.iter(part, false) {
                copy.add(hash_bytes(member), member, score);
            }
        }
        copy
    }

    /// A random member, each as likely as another. `rng` gives uniform 64-bit numbers. O(1).
    pub fn random(&self, rng: &mut impl FnMut() -> u64) -> Option<(&[u8], f64)> {
        self.table.random(rng).map(|member| (member.bytes(), member.score()))
    }

    /// A step of ZSCAN: shows some members to `f` and returns the next cursor, zero at the end.
    pub fn scan(&self, cursor: u64, mut f: impl FnMut(&[u8], f64)) -> u64 {
        self.table.scan(cursor, |member| f(member.bytes(), member.score()))
    }

    /// Frees about `max` members or the table's part for as many; true when all is gone. Until then the set
    /// may only be freed further.
    #[allow(unsafe_code)]
    pub fn free_step(&mut self, max: usize) -> bool {
        let mut left = max;
        // The table goes first: its pointers must not outlive the members.
        if !self.table.is_empty() {
            return self.table.drain_step(max, |_| {}) && self.tree.len() == 0;
        }
        while left > 0 {
            // SAFETY: the table is empty and the leaf has left the tree, so nobody keeps the handle; handed-out
            // slices borrow the set, which is borrowed mutably here.
            let freed = self.tree.pop_leaf(|member| unsafe { member.free() });
            let Some(freed) = freed else { return true };
            left = left.saturating_sub(freed);
        }
        self.tree.len() == 0
    }

    /// Bytes held, as asked of the allocator. O(n / 2000).
    pub fn memory(&self) -> usize {
        size_of::<Zset>() + self.table.memory() + self.tree.memory() + self.member_bytes
    }
}

impl Clone for Zset {
    /// O(n log n), though each member goes to the end of the tree.
    fn clone(&self) -> Self {
        let mut copy = Zset::new();
        for (member, score) in self.iter(0..self.len(), false) {
            copy.insert(member, score);
        }
        copy
    }
}

impl Drop for Zset {
    fn drop(&mut self) {
        while !self.free_step(usize::MAX) {}
    }
}

/// Members and scores; see [`Zset::iter`].
pub struct Iter<'a>(tree::Iter<'a>);

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|member| (member.bytes(), member.score()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Iter<'_> {}
