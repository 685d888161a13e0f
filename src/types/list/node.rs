//! One node of a quicklist: a run of elements with room to grow at both ends.
//!
//! The elements are those of a listpack, without its header and end mark (the count stands in the node). They lie
//! somewhere in the middle of a buffer, like a deque of bytes: a push in front takes the gap in front, a pop in front
//! leaves one. In a plain listpack every LPUSH would move the whole node, thousands of bytes for a dozen.

use crate::types::listpack::{Element, Entries, Entry, Needle};
use std::ops::Range;

/// The first buffer of a node. Short of the least limit, so that a list just past being small is not doubled.
const FIRST_CAPACITY: usize = 1024;

/// A run of at least one element, except within an operation of the list.
pub(super) struct Node {
    buf: Box<[u8]>,
    /// The elements are `buf[start..end]`.
    start: u32,
    end: u32,
    count: u32,
}

impl Clone for Node {
    /// The same elements in a buffer without gaps.
    fn clone(&self) -> Self {
        Node::from_run(self.run(), self.count())
    }
}

/// Which side of a node keeps a gap for pushes to come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Front,
    Back,
}

impl Node {
    pub fn new() -> Self {
        Node {
            buf: Box::default(),
            start: 0,
            end: 0,
            count: 0,
        }
    }

    /// A node of `count` elements, encoded in `run`.
    pub fn from_run(run: &[u8], count: usize) -> Self {
        Node {
            buf: run.into(),
            start: 0,
            end: run.len() as u32,
            count: count as u32,
        }
    }

    #[inline]
    pub fn run(&self) -> &[u8] {
        &self.buf[self.start as usize..self.end as usize]
    }

    #[inline]
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// Bytes of the elements.
    #[inline]
    pub fn size(&self) -> usize {
        (self.end - self.start) as usize
    }

    pub fn capacity(&self) -> usize {
        self.buf.len()
    }

    /// The elements; their offsets count from the start of [`Node::run`].
    #[inline]
    pub fn entries(&self) -> Entries<'_> {
        let run = self.run();
        Entries::between(run, 0, run.len())
    }

    #[inline]
    pub fn first(&self) -> Option<Entry<'_>> {
        self.entries().next()
    }

    #[inline]
    pub fn last(&self) -> Option<Entry<'_>> {
        self.entries().next_back()
    }

    /// Offset of the `index`-th element, walking from the nearer end; the size of the run when `index` is the count.
    pub fn offset(&self, index: usize) -> usize {
        let from_back = self.count() - index;
        if index < from_back {
            self.entries().nth(index).map_or(self.size(), |entry| entry.at)
        } else if from_back == 0 {
            self.size()
        } else {
            self.entries().nth_back(from_back - 1).map_or(0, |entry| entry.at)
        }
    }

    /// Adds behind. O(1) amortized while the node is below `limit` bytes, at which its buffer stops doubling.
    #[inline]
    pub fn push_back(&mut self, element: Element, limit: usize) {
        let size = element.encoded_len();
        if self.end as usize + size > self.capacity() {
            self.make_room(Side::Back, size, limit);
        }
        let end = self.end as usize;
        element.encode(&mut self.buf[end..end + size]);
        self.end += size as u32;
        self.count += 1;
    }

    /// Adds in front. O(1) amortized, as [`Node::push_back`].
    #[inline]
    pub fn push_front(&mut self, element: Element, limit: usize) {
        let size = element.encoded_len();
        if (self.start as usize) < size {
            self.make_room(Side::Front, size, limit);
        }
        let start = self.start as usize;
        element.encode(&mut self.buf[start - size..start]);
        self.start -= size as u32;
        self.count += 1;
    }

    /// Removes the first element once `f` has looked at it. O(1).
    #[inline]
    pub fn pop_front<R>(&mut self, f: impl FnOnce(Element) -> R) -> Option<R> {
        let entry = self.first()?;
        let (result, end) = (f(entry.element), entry.end);
        self.start += end as u32;
        self.count -= 1;
        Some(result)
    }

    /// Removes the last element once `f` has looked at it. O(1).
    #[inline]
    pub fn pop_back<R>(&mut self, f: impl FnOnce(Element) -> R) -> Option<R> {
        let entry = self.last()?;
        let (result, at) = (f(entry.element), entry.at);
        self.end = self.start + at as u32;
        self.count -= 1;
        Some(result)
    }

    /// Puts `element` in the place of the `removed` elements that span `range` of the run: an insertion when that is
    /// empty. O(size).
    pub fn splice(&mut self, range: Range<usize>, removed: usize, element: Element, limit: usize) {
        let (size, old) = (element.encoded_len(), range.len());
        if size > old && self.end as usize + size - old > self.capacity() {
            self.make_room(Side::Back, size - old, limit);
        }
        let (start, end) = (self.start as usize, self.end as usize);
        self.buf.copy_within(start + range.end..end, start + range.start + size);
        element.encode(&mut self.buf[start + range.start..start + range.start + size]);
        self.end = (end + size - old) as u32;
        self.count = self.count + 1 - removed as u32;
    }

    /// Removes the `removed` elements that span `range` of the run, moving the shorter side. O(size).
    pub fn cut(&mut self, range: Range<usize>, removed: usize) {
        let (start, end) = (self.start as usize, self.end as usize);
        if range.start < self.size() - range.end {
            self.buf.copy_within(start..start + range.start, start + range.len());
            self.start += range.len() as u32;
        } else {
            self.buf.copy_within(start + range.end..end, start + range.start);
            self.end -= range.len() as u32;
        }
        self.count -= removed as u32;
    }

    /// Removes up to `most` elements with this text, the first or (`backward`) the last of them. One pass moves what
    /// stays. O(size).
    pub fn remove_matching(&mut self, needle: &Needle, most: usize, backward: bool) -> usize {
        let hit = |entry: &Entry| needle.matches(entry.element);
        let span = |entry: Entry| entry.at..entry.end;
        let spans: Vec<Range<usize>> = if backward {
            let mut spans: Vec<_> = self.entries().rev().filter(hit).take(most).map(span).collect();
            spans.reverse();
            spans
        } else {
            self.entries().filter(hit).take(most).map(span).collect()
        };
        self.cut_spans(&spans);
        spans.len()
    }

    /// Removes one element for each of the ascending `spans`.
    fn cut_spans(&mut self, spans: &[Range<usize>]) {
        let Some(first) = spans.first() else { return };
        let base = self.start as usize;
        let mut write = first.start;
        for (index, span) in spans.iter().enumerate() {
            let kept_until = spans.get(index + 1).map_or(self.size(), |next| next.start);
            self.buf.copy_within(base + span.end..base + kept_until, base + write);
            write += kept_until - span.end;
        }
        self.end = self.start + write as u32;
        self.count -= spans.len() as u32;
        self.trim(2);
    }

    /// Splits off the elements from offset `at` on, `count` of them.
    pub fn split_off(&mut self, at: usize, count: usize) -> Node {
        let tail = Node::from_run(&self.run()[at..], count);
        self.end = self.start + at as u32;
        self.count -= count as u32;
        tail
    }

    /// Adds the elements of `tail` behind. O(size of both).
    pub fn append(&mut self, tail: &Node, limit: usize) {
        let size = tail.size();
        if self.end as usize + size > self.capacity() {
            self.make_room(Side::Back, size, limit);
        }
        let end = self.end as usize;
        self.buf[end..end + size].copy_from_slice(tail.run());
        self.end += size as u32;
        self.count += tail.count;
    }

    /// Gives back what the buffer has beyond the elements, when that is over one part in `parts` of it. For nodes that
    /// will not be pushed to soon.
    pub fn trim(&mut self, parts: usize) {
        let unused = self.capacity() - self.size();
        if unused > self.capacity() / parts {
            *self = Node::from_run(self.run(), self.count());
        }
    }

    /// Makes a gap of at least `size` bytes on `side`, within the buffer or in a larger one.
    ///
    /// Sliding the elements within the buffer must win a gap in proportion to what it moves, or a node used as a
    /// queue near its limit would slide at every push; such a node gets a buffer a quarter beyond the limit.
    #[cold]
    fn make_room(&mut self, side: Side, size: usize, limit: usize) {
        let (len, capacity) = (self.size(), self.capacity());
        let want = len + size;
        if capacity > 0 && capacity >= want + len / 4 {
            return self.slide(side);
        }
        let doubled = (2 * capacity)
            .max(want.next_power_of_two())
            .clamp(FIRST_CAPACITY, limit);
        let steps = if want > limit {
            [want; 3]
        } else {
            [doubled, limit, limit + limit / 4]
        };
        match steps.into_iter().find(|&step| step > capacity && step >= want) {
            Some(step) => self.reallocate(side, step),
            None => self.slide(side),
        }
    }

    /// Moves the elements so that the whole gap is on `side`.
    fn slide(&mut self, side: Side) {
        let (start, end, len) = (self.start as usize, self.end as usize, self.size());
        let target = self.resting_place(side, self.capacity());
        self.buf.copy_within(start..end, target);
        self.start = target as u32;
        self.end = (target + len) as u32;
    }

    fn reallocate(&mut self, side: Side, capacity: usize) {
        let (target, len) = (self.resting_place(side, capacity), self.size());
        let mut buf = vec![0; capacity].into_boxed_slice();
        buf[target..target + len].copy_from_slice(self.run());
        self.buf = buf;
        self.start = target as u32;
        self.end = (target + len) as u32;
    }

    /// Where the elements start when the whole gap is on `side`.
    fn resting_place(&self, side: Side, capacity: usize) -> usize {
        match side {
            Side::Front => capacity - self.size(),
            Side::Back => 0,
        }
    }
}
