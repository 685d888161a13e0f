//! Lists: one listpack while small, a quicklist above.
//!
//! A list is pushed, popped and walked at its ends, and read by ranges. A linked list would do, at the price of two
//! pointers, an allocation and a cache miss for each element. A quicklist chains *nodes* instead, each a run of a few
//! hundred packed elements: nearly the memory of the bare texts, one miss per node, and edits in the middle move no
//! more than a node (the idea, like the name, is from Redis 3.2; see also unrolled linked lists).
//!
//! Departures from a chain of listpacks: nodes have room at both ends, so pushing in front costs what pushing behind
//! does (module `node`), and their directory is a ring of 32-byte records instead of links, so finding the node of an
//! index reads consecutive memory: a thousand nodes, half a million elements, in under a microsecond. The ring's
//! price is that a node inserted in the middle moves up to half of the records.
//!
//! How full a node gets follows Redis exactly (module `fill`), since it shows: in `OBJECT ENCODING`, and in dumps.

mod fill;
mod node;
pub mod packed;
#[cfg(test)]
mod tests;

pub use fill::{Fill, set_large_from};

use super::listpack::{self, Element, Entries, Listpack, Needle};
use node::Node;
use std::collections::VecDeque;

/// A node whose successor was just made gives back its unused buffer when that is over one part in this many.
const SEALED_SLACK: usize = 8;
/// Replacing elements by longer ones may grow a node to this many times its limit before it is split.
const OVERSIZE: usize = 2;
/// Nodes looked at to estimate the memory of all.
const MEMORY_SAMPLE: usize = 64;

/// Which end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Head,
    Tail,
}

/// Which way to walk a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Backward,
}

/// On which side of another element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    Before,
    After,
}

/// What is in a node.
#[derive(Clone, Copy, Debug)]
pub enum NodeRef<'a> {
    /// `count` encoded elements: a listpack without header and end mark.
    Packed { run: &'a [u8], count: usize },
    /// One element that is too large to share a node.
    Plain(&'a [u8]),
}

/// The large form of a list: a quicklist.
#[derive(Clone)]
pub struct List {
    /// None of them is empty.
    nodes: VecDeque<Node>,
    /// Elements in all nodes.
    len: usize,
    fill: Fill,
}

impl List {
    pub fn new(fill: Fill) -> Self {
        List {
            nodes: VecDeque::new(),
            len: 0,
            fill,
        }
    }

    /// The quicklist a small list grows into: its elements as the first node.
    pub fn from_listpack(pack: Listpack, fill: Fill) -> Self {
        let mut list = List::new(fill);
        list.append_listpack(pack);
        list
    }

    /// Adds a whole node behind, as a snapshot has them.
    pub fn append_listpack(&mut self, pack: Listpack) {
        let count = pack.len();
        if count == 0 {
            return;
        }
        self.nodes.push_back(Node::from_run(pack.elements(), count));
        self.len += count;
    }

    /// Adds an element as a node of its own behind, as a snapshot has large ones.
    pub fn append_plain(&mut self, text: &[u8]) {
        self.insert_node(self.nodes.len(), Element::of(text));
        self.len += 1;
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an element at an end. O(1) amortized.
    #[inline]
    pub fn push(&mut self, end: End, text: &[u8]) {
        let limit = self.fill.buffer_limit();
        let node = self.node_to_push(end, text.len());
        match end {
            End::Head => node.push_front(Element::of(text), limit),
            End::Tail => node.push_back(Element::of(text), limit),
        }
        self.len += 1;
    }

    /// The node at an end, or a new one there when that has no room for a text of `text` bytes.
    #[inline]
    fn node_to_push(&mut self, end: End, text: usize) -> &mut Node {
        let outermost = match end {
            End::Head => self.nodes.front(),
            End::Tail => self.nodes.back(),
        };
        if !outermost.is_some_and(|node| admits(self.fill, node, text)) {
            self.add_node(end);
        }
        let outermost = match end {
            End::Head => self.nodes.front_mut(),
            End::Tail => self.nodes.back_mut(),
        };
        outermost.expect("a list being pushed to has a node")
    }

    #[cold]
    fn add_node(&mut self, end: End) {
        match end {
            End::Head => {
                self.nodes
                    .front_mut()
                    .into_iter()
                    .for_each(|node| node.trim(SEALED_SLACK));
                self.nodes.push_front(Node::new());
            }
            End::Tail => {
                self.nodes
                    .back_mut()
                    .into_iter()
                    .for_each(|node| node.trim(SEALED_SLACK));
                self.nodes.push_back(Node::new());
            }
        }
    }

    /// The element at an end. O(1).
    #[inline]
    pub fn peek(&self, end: End) -> Option<Element<'_>> {
        let entry = match end {
            End::Head => self.nodes.front()?.first(),
            End::Tail => self.nodes.back()?.last(),
        };
        entry.map(|entry| entry.element)
    }

    /// Removes the element at an end, once `f` has looked at it. O(1) amortized.
    #[inline]
    pub fn pop_with<R>(&mut self, end: End, f: impl FnOnce(Element) -> R) -> Option<R> {
        let result = match end {
            End::Head => {
                let node = self.nodes.front_mut()?;
                let result = node.pop_front(f)?;
                if node.count() == 0 {
                    self.nodes.pop_front();
                }
                result
            }
            End::Tail => {
                let node = self.nodes.back_mut()?;
                let result = node.pop_back(f)?;
                if node.count() == 0 {
                    self.nodes.pop_back();
                }
                result
            }
        };
        self.len -= 1;
        Some(result)
    }

    /// Removes the element at an end and returns its text.
    pub fn pop(&mut self, end: End) -> Option<Vec<u8>> {
        self.pop_with(end, |element| element.to_vec())
    }

    /// The element at `index`. O(nodes to the nearer end).
    pub fn get(&self, index: usize) -> Option<Element<'_>> {
        self.walk(index, Direction::Forward).next()
    }

    /// The elements from `index` on, or from `index` back. Nothing when `index` is past the end.
    pub fn walk(&self, index: usize, direction: Direction) -> Walk<'_> {
        let Some((number, within)) = self.locate(index) else {
            return Walk::default();
        };
        let node = &self.nodes[number];
        let run = node.run();
        let entries = match direction {
            Direction::Forward => Entries::between(run, node.offset(within), run.len()),
            Direction::Backward => Entries::between(run, 0, node.offset(within + 1)),
        };
        Walk {
            entries,
            direction,
            rest: Some((&self.nodes, number)),
        }
    }

    /// The node that holds `index`, and which of its elements that is.
    fn locate(&self, index: usize) -> Option<(usize, usize)> {
        if index >= self.len {
            return None;
        }
        if index < self.len / 2 {
            let mut before = 0;
            for (number, node) in self.nodes.iter().enumerate() {
                if index < before + node.count() {
                    return Some((number, index - before));
                }
                before += node.count();
            }
        } else {
            let mut until = self.len;
            for (number, node) in self.nodes.iter().enumerate().rev() {
                until -= node.count();
                if index >= until {
                    return Some((number, index - until));
                }
            }
        }
        None
    }

    /// Puts `text` in the place of the element at `index`; false when there is none. O(nodes + node size).
    pub fn set(&mut self, index: usize, text: &[u8]) -> bool {
        let Some((number, within)) = self.locate(index) else {
            return false;
        };
        let node = &self.nodes[number];
        if self.is_plain(node) || self.fill.is_large(text.len()) {
            self.insert_near(number, within, Beside::After, text);
            let cut = self.remove_range(index, 1);
            debug_assert!(cut.len() <= 1);
            return true;
        }
        let range = node.offset(within)..node.offset(within + 1);
        let limit = self.fill.buffer_limit();
        let node = &mut self.nodes[number];
        node.splice(range, 1, Element::of(text), limit);
        if node.size() > OVERSIZE * limit && node.count() > 1 {
            let middle = node.count() / 2;
            self.split(number, middle);
        }
        true
    }

    /// Inserts before or after the first element that is `pivot`; false when there is none. O(n).
    pub fn insert_beside(&mut self, pivot: &[u8], side: Beside, text: &[u8]) -> bool {
        let needle = Needle::new(pivot);
        let index = self
            .walk(0, Direction::Forward)
            .position(|element| needle.matches(element));
        let Some((number, within)) = index.and_then(|index| self.locate(index)) else {
            return false;
        };
        self.insert_near(number, within, side, text);
        true
    }

    /// Inserts beside the `within`-th element of a node: into that node if it has room, else, from the node's edge,
    /// into the neighbour or a new node, else between the halves of the node. O(node size).
    fn insert_near(&mut self, number: usize, within: usize, side: Beside, text: &[u8]) {
        let (element, limit) = (Element::of(text), self.fill.buffer_limit());
        let place = within + usize::from(side == Beside::After);
        self.len += 1;
        let node = &mut self.nodes[number];
        if admits(self.fill, node, text.len()) {
            let at = node.offset(place);
            return node.splice(at..at, 0, element, limit);
        }
        match side {
            Beside::Before if place == 0 => match number.checked_sub(1) {
                Some(before) if admits(self.fill, &self.nodes[before], text.len()) => {
                    self.nodes[before].push_back(element, limit);
                }
                _ => self.insert_node(number, element),
            },
            Beside::After if place == node.count() => match self.nodes.get_mut(number + 1) {
                Some(behind) if admits(self.fill, behind, text.len()) => behind.push_front(element, limit),
                _ => self.insert_node(number + 1, element),
            },
            Beside::Before | Beside::After => self.insert_within(number, place, side, element, text.len()),
        }
    }

    /// Inserts between two elements of a node that has no room, by splitting it there.
    fn insert_within(&mut self, number: usize, place: usize, side: Beside, element: Element, text: usize) {
        let limit = self.fill.buffer_limit();
        self.split(number, place);
        if self.fill.is_large(text) {
            self.insert_node(number + 1, element);
            return self.merge_around(number);
        }
        match side {
            Beside::Before => {
                self.nodes[number].push_back(element, limit);
                self.merge_around(number + 1);
            }
            Beside::After => {
                self.nodes[number + 1].push_front(element, limit);
                self.merge_around(number);
            }
        }
    }

    /// A new node of one element at `number`.
    fn insert_node(&mut self, number: usize, element: Element) {
        let mut node = Node::new();
        node.push_back(element, self.fill.buffer_limit());
        self.nodes.insert(number, node);
    }

    /// Whether a node is one element too large to share a node.
    fn is_plain(&self, node: &Node) -> bool {
        node.count() == 1
            && node
                .first()
                .is_some_and(|entry| self.fill.is_large(entry.element.text_len()))
    }

    /// Splits a node so that its `within`-th element starts the next.
    fn split(&mut self, number: usize, within: usize) {
        let node = &mut self.nodes[number];
        let (at, count) = (node.offset(within), node.count() - within);
        let tail = node.split_off(at, count);
        node.trim(2);
        self.nodes.insert(number + 1, tail);
    }

    /// Joins nodes around one that was split where one node may hold both, so that splits do not fray the list.
    fn merge_around(&mut self, center: usize) {
        self.merge(center + 1);
        let before = center.checked_sub(2).is_some_and(|number| self.merge(number));
        let center = center - usize::from(before);
        let joined = center.checked_sub(1).is_some_and(|number| self.merge(number));
        self.merge(center - usize::from(joined));
    }

    /// Joins a node with the next; false when there is none or one node may not hold both.
    fn merge(&mut self, number: usize) -> bool {
        let (Some(node), Some(next)) = (self.nodes.get(number), self.nodes.get(number + 1)) else {
            return false;
        };
        let together = self.fill.holds(node.size() + next.size(), node.count() + next.count());
        if !together || self.is_plain(node) || self.is_plain(next) {
            return false;
        }
        let Some(next) = self.nodes.remove(number + 1) else {
            return false;
        };
        self.nodes[number].append(&next, self.fill.buffer_limit());
        true
    }

    /// Removes up to `most` elements that are `text`, the first ones going forward, the last ones going backward.
    /// Returns how many there were. O(n).
    pub fn remove(&mut self, text: &[u8], most: usize, direction: Direction) -> usize {
        let needle = Needle::new(text);
        let backward = direction == Direction::Backward;
        let (mut removed, mut emptied) = (0, false);
        let mut visit = |node: &mut Node| {
            if removed < most {
                removed += node.remove_matching(&needle, most - removed, backward);
                emptied |= node.count() == 0;
            }
            removed < most
        };
        match direction {
            Direction::Forward => self.nodes.iter_mut().all(&mut visit),
            Direction::Backward => self.nodes.iter_mut().rev().all(&mut visit),
        };
        if emptied {
            self.nodes.retain(|node| node.count() > 0);
        }
        self.len -= removed;
        removed
    }

    /// Removes up to `count` elements from `start` on. What is cut out as whole nodes is returned, to be dropped at
    /// once or, when long, freed in slices. O(nodes).
    pub fn remove_range(&mut self, start: usize, count: usize) -> List {
        let mut cut = List::new(self.fill);
        let count = count.min(self.len.saturating_sub(start));
        let Some((first, within)) = self.locate(start) else {
            return cut;
        };
        if count == 0 {
            return cut;
        }
        let mut left = count;
        let mut border = first;
        if within > 0 {
            left -= self.cut_within(first, within, left);
            border += 1;
        }
        let mut whole = border;
        while self.nodes.get(whole).is_some_and(|node| node.count() <= left) {
            left -= self.nodes[whole].count();
            whole += 1;
        }
        if left > 0 {
            self.cut_within(whole, 0, left);
        }
        cut.nodes = self.nodes.drain(border..whole).collect();
        cut.len = cut.nodes.iter().map(Node::count).sum();
        self.len -= count;
        cut
    }

    /// Removes up to `count` elements of one node; returns how many there were.
    fn cut_within(&mut self, number: usize, within: usize, count: usize) -> usize {
        let node = &mut self.nodes[number];
        let count = count.min(node.count() - within);
        node.cut(node.offset(within)..node.offset(within + count), count);
        node.trim(2);
        count
    }

    /// Whether the list, after something was removed or replaced, is to become a listpack again.
    pub fn packs(&self) -> bool {
        let Some(node) = self.nodes.front() else { return false };
        self.nodes.len() == 1 && !self.is_plain(node) && self.fill.packs(node.size(), self.len)
    }

    /// Whether the list, newly loaded, is small enough for a listpack. It need not be at half the limit: nothing says
    /// that it has just grown.
    pub fn fits_listpack(&self) -> bool {
        let Some(node) = self.nodes.front() else { return false };
        self.nodes.len() == 1 && !self.is_plain(node) && self.fill.packs_loaded(node.size(), self.len)
    }

    /// All elements as one listpack.
    pub fn to_listpack(&self) -> Vec<u8> {
        match self.nodes.front() {
            Some(node) if self.nodes.len() == 1 => listpack::from_run(node.run(), node.count()),
            _ => listpack::from_elements(self.walk(0, Direction::Forward)),
        }
    }

    /// The nodes in order, as a snapshot writes them.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = NodeRef<'_>> {
        self.nodes
            .iter()
            .map(|node| match node.first().map(|entry| entry.element) {
                Some(Element::Str(text)) if self.is_plain(node) => NodeRef::Plain(text),
                _ => NodeRef::Packed {
                    run: node.run(),
                    count: node.count(),
                },
            })
    }

    /// Frees up to `most` nodes (of one limit's size, or one element, each); true when the list is empty.
    pub fn free_step(&mut self, most: usize) -> bool {
        let kept = self.nodes.len().saturating_sub(most);
        for node in self.nodes.drain(kept..) {
            self.len -= node.count();
        }
        self.nodes.is_empty()
    }

    /// Bytes on the heap, estimated from the first nodes when there are many.
    pub fn memory(&self) -> usize {
        let sampled = self.nodes.len().min(MEMORY_SAMPLE);
        let bytes: usize = self.nodes.iter().take(sampled).map(Node::capacity).sum();
        let buffers = bytes * self.nodes.len() / sampled.max(1);
        buffers + self.nodes.capacity() * size_of::<Node>()
    }
}

/// Whether `node` has room for one more text of `text` bytes.
#[inline]
fn admits(fill: Fill, node: &Node, text: usize) -> bool {
    fill.admits(node.size(), node.count(), text)
}

/// Walks a list from an index on. Of either form.
pub struct Walk<'a> {
    /// What is left of the current node.
    entries: Entries<'a>,
    direction: Direction,
    /// All nodes and the number of the current one; `None` for a listpack, which is one.
    rest: Option<(&'a VecDeque<Node>, usize)>,
}

impl Walk<'_> {
    /// Shows the next `count` elements to `f`. Each node is walked in a loop of its own: quicker than `next` for each.
    pub fn show(mut self, count: usize, mut f: impl FnMut(Element)) {
        let mut left = count;
        while left > 0 {
            let mut shown = 0;
            let tell = |entry: listpack::Entry| {
                f(entry.element);
                shown += 1;
            };
            match self.direction {
                Direction::Forward => self.entries.clone().take(left).for_each(tell),
                Direction::Backward => self.entries.clone().rev().take(left).for_each(tell),
            }
            left -= shown;
            if self.enter_next_node().is_none() {
                return;
            }
        }
    }

    /// Goes on to the next node in the walk's direction; `None` behind the last.
    fn enter_next_node(&mut self) -> Option<()> {
        let (nodes, number) = self.rest?;
        let number = match self.direction {
            Direction::Forward => number + 1,
            Direction::Backward => number.checked_sub(1)?,
        };
        self.entries = nodes.get(number)?.entries();
        self.rest = Some((nodes, number));
        Some(())
    }
}

impl Default for Walk<'_> {
    fn default() -> Self {
        Walk {
            entries: Entries::between(&[], 0, 0),
            direction: Direction::Forward,
            rest: None,
        }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            let entry = match self.direction {
                Direction::Forward => self.entries.next(),
                Direction::Backward => self.entries.next_back(),
            };
            if let Some(entry) = entry {
                return Some(entry.element);
            }
            self.enter_next_node()?;
        }
    }
}

/// A list of either form, to read.
#[derive(Clone, Copy)]
pub enum ListRef<'a> {
    Packed(Listpack<'a>),
    Quick(&'a List),
}

impl<'a> ListRef<'a> {
    pub fn len(self) -> usize {
        match self {
            ListRef::Packed(pack) => pack.len(),
            ListRef::Quick(list) => list.len(),
        }
    }

    pub fn is_empty(self) -> bool {
        match self {
            ListRef::Packed(pack) => pack.is_empty(),
            ListRef::Quick(list) => list.is_empty(),
        }
    }

    /// The element at `index`, counted from the head.
    pub fn get(self, index: usize) -> Option<Element<'a>> {
        self.walk(index, Direction::Forward).next()
    }

    /// The elements from `index` on, or from `index` back. Nothing when `index` is past the end.
    pub fn walk(self, index: usize, direction: Direction) -> Walk<'a> {
        let pack = match self {
            ListRef::Quick(list) => return list.walk(index, direction),
            ListRef::Packed(pack) => pack,
        };
        let Some(entry) = i64::try_from(index).ok().and_then(|index| pack.get(index)) else {
            return Walk::default();
        };
        let entries = match direction {
            Direction::Forward => pack.iter_from(entry.at),
            Direction::Backward => pack.iter_before(entry.end),
        };
        Walk {
            entries,
            direction,
            rest: None,
        }
    }

    /// `OBJECT ENCODING`.
    pub fn encoding(self) -> &'static str {
        match self {
            ListRef::Packed(_) => "listpack",
            ListRef::Quick(_) => "quicklist",
        }
    }
}
