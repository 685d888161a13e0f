//! Who is linked with whom: for each node and each level of the graph a short list of others.
//!
//! Level 0, where all nodes are, is rows of equal length: the number of links, and the links. The higher levels of a node,
//! which three of four nodes do not have, are one box:
//!
//! ```text
//! | place | count | M links | count | M links | ...      of level 1, level 2, ...
//! ```
//!
//! `place` is where the node stands in the list of those with as many levels, from which the entry to the graph is taken.
//!
//! Nodes are numbered without gaps: when one is removed the last takes its number, which everybody who is linked
//! with it is told. Links go both ways, so it is known who that is.

use super::rows::{Rows, size_class_of};
use crate::memory::size_class;

/// No node has more levels above the lowest.
pub const MOST_LEVELS: usize = 16;

/// The links of one set's nodes.
pub struct Links {
    /// How many links a node may have above level 0; there it is twice as many.
    m: usize,
    lowest: Rows<u32>,
    upper: Rows<Box<[u32]>>,
    /// Nodes by their highest level, of which 0 is left out.
    by_level: Vec<Vec<u32>>,
    /// What the boxes and lists take of the allocator.
    bytes: usize,
}

/// What lists take of the allocator.
fn size_of_lists(lists: &Vec<Vec<u32>>) -> usize {
    size_class_of(lists) + lists.iter().map(size_class_of).sum::<usize>()
}

impl Clone for Links {
    fn clone(&self) -> Self {
        let by_level = self.by_level.clone();
        Links {
            m: self.m,
            lowest: self.lowest.clone(),
            upper: self.upper.clone(),
            // The copy's lists have no room to spare.
            bytes: self.bytes - size_of_lists(&self.by_level) + size_of_lists(&by_level),
            by_level,
        }
    }
}

impl Links {
    pub fn new(m: usize) -> Self {
        Links {
            m,
            lowest: Rows::new(1 + 2 * m),
            upper: Rows::new(1),
            by_level: Vec::new(),
            bytes: 0,
        }
    }

    pub fn m(&self) -> usize {
        self.m
    }

    pub fn nodes(&self) -> usize {
        self.lowest.len()
    }

    /// How many links a node may have on a level.
    #[inline]
    pub fn most(&self, level: usize) -> usize {
        if level == 0 { 2 * self.m } else { self.m }
    }

    fn upper_at(&self, level: usize) -> usize {
        1 + (level - 1) * (1 + self.m)
    }

    /// The count of links and the places of all on a level that the node has.
    #[inline]
    fn list(&self, node: u32, level: usize) -> &[u32] {
        if level == 0 {
            return self.lowest.row(node);
        }
        let at = self.upper_at(level);
        &self.upper.row(node)[0][at..=at + self.m]
    }

    #[inline]
    fn list_mut(&mut self, node: u32, level: usize) -> &mut [u32] {
        if level == 0 {
            return self.lowest.row_mut(node);
        }
        let (at, m) = (self.upper_at(level), self.m);
        &mut self.upper.row_mut(node)[0][at..=at + m]
    }

    /// Those with whom a node is linked on a level, which it must have.
    #[inline]
    pub fn of(&self, node: u32, level: usize) -> &[u32] {
        let list = self.list(node, level);
        &list[1..=list[0] as usize]
    }

    /// Where the links of level 0 lie in memory, to fetch them ahead.
    #[inline]
    pub fn address(&self, node: u32) -> usize {
        self.lowest.address(node)
    }

    /// The highest level of a node.
    #[inline]
    pub fn level(&self, node: u32) -> usize {
        self.upper.row(node)[0].len() / (1 + self.m)
    }

    /// The highest level of all, and a node that has it; `None` without nodes. O(1).
    pub fn entry(&self) -> Option<(u32, usize)> {
        for (at, nodes) in self.by_level.iter().enumerate().rev() {
            if let Some(&node) = nodes.first() {
                return Some((node, at + 1));
            }
        }
        (self.nodes() > 0).then_some((0, 0))
    }

    /// Nodes that have a level, all of them on level 0.
    pub fn on_level(&self, level: usize) -> impl Iterator<Item = u32> {
        let all = if level == 0 { self.nodes() as u32 } else { 0 };
        let above = self.by_level.iter().skip(level.saturating_sub(1)).flatten().copied();
        (0..all).chain(above.filter(move |_| level > 0))
    }

    /// Adds a node without links and gives its number.
    pub fn push(&mut self, level: usize) -> u32 {
        let node = self.nodes() as u32;
        self.lowest.push(std::iter::repeat_n(0, 1 + 2 * self.m));
        let mut upper = match level {
            0 => Box::default(),
            _ => vec![0; self.upper_at(level + 1)].into_boxed_slice(),
        };
        if level > 0 {
            self.bytes += size_class(upper.len() * size_of::<u32>());
            self.with_lists(|lists| {
                if lists.len() < level {
                    lists.resize(level, Vec::new());
                }
                upper[0] = lists[level - 1].len() as u32;
                lists[level - 1].push(node);
            });
        }
        self.upper.push(std::iter::once(upper));
        node
    }

    /// Changes the lists of nodes by level, counting their memory anew. O(levels).
    fn with_lists(&mut self, change: impl FnOnce(&mut Vec<Vec<u32>>)) {
        let before = size_of_lists(&self.by_level);
        change(&mut self.by_level);
        self.bytes = self.bytes + size_of_lists(&self.by_level) - before;
    }

    /// Links two nodes that are not linked on this level, both of which have room.
    pub fn join(&mut self, one: u32, other: u32, level: usize) {
        for (from, to) in [(one, other), (other, one)] {
            let list = self.list_mut(from, level);
            let count = list[0] as usize + 1;
            list[count] = to;
            list[0] = count as u32;
        }
    }

    /// Takes `to` out of the links of `from`.
    fn unlink(&mut self, from: u32, to: u32, level: usize) {
        let list = self.list_mut(from, level);
        let count = list[0] as usize;
        if let Some(at) = list[1..=count].iter().position(|&linked| linked == to) {
            list[1 + at] = list[count];
            list[0] -= 1;
        }
    }

    /// Ends the link between two nodes. O(M).
    pub fn part(&mut self, one: u32, other: u32, level: usize) {
        self.unlink(one, other, level);
        self.unlink(other, one, level);
    }

    pub fn are_linked(&self, one: u32, other: u32, level: usize) -> bool {
        self.of(one, level).contains(&other)
    }

    /// Removes a node that has no links any more; the last node takes its number. O(M) for each of the last one's links.
    pub fn swap_remove(&mut self, node: u32) {
        self.leave_list(node);
        let last = self.nodes() as u32 - 1;
        if node != last {
            self.renumber(last, node);
        }
        self.lowest.swap_remove(node);
        self.upper.swap_remove(node);
    }

    /// Takes a node out of the list of its level, where the last takes its place.
    fn leave_list(&mut self, node: u32) {
        let (level, place) = (self.level(node), self.upper.row(node)[0].first().copied());
        let Some(place) = place else { return };
        self.bytes -= size_class(self.upper.row(node)[0].len() * size_of::<u32>());
        let mut moved = None;
        self.with_lists(|lists| {
            let list = &mut lists[level - 1];
            list.swap_remove(place as usize);
            moved = list.get(place as usize).copied();
            if list.len() < list.capacity() / 4 {
                list.shrink_to(list.len() * 2);
            }
            while lists.last().is_some_and(Vec::is_empty) {
                lists.pop();
            }
            if lists.is_empty() {
                *lists = Vec::new();
            }
        });
        if let Some(moved) = moved {
            self.upper.row_mut(moved)[0][0] = place;
        }
    }

    /// Tells everybody who is linked with `old` that it is called `new`.
    fn renumber(&mut self, old: u32, new: u32) {
        let level = self.level(old);
        for level in 0..=level {
            for at in 0..self.of(old, level).len() {
                let neighbor = self.of(old, level)[at];
                let list = self.list_mut(neighbor, level);
                let count = list[0] as usize;
                for link in &mut list[1..=count] {
                    if *link == old {
                        *link = new;
                    }
                }
            }
        }
        if level > 0 {
            let place = self.upper.row(old)[0][0];
            self.by_level[level - 1][place as usize] = new;
        }
    }

    /// Removes the last node without a thought for those linked with it: for taking apart what nobody reads any more.
    pub fn pop(&mut self) {
        if let Some(last) = self.nodes().checked_sub(1) {
            self.leave_list(last as u32);
            self.lowest.pop();
            self.upper.pop();
        }
    }

    /// Sets the links of a node on a level as they were saved; `None` if there are too many.
    pub fn set(&mut self, node: u32, level: usize, links: &[u32]) -> Option<()> {
        let list = self.list_mut(node, level);
        list.get_mut(1..=links.len())?.copy_from_slice(links);
        list[0] = links.len() as u32;
        Some(())
    }

    /// Bytes on the heap. O(1).
    pub fn memory(&self) -> usize {
        self.lowest.memory() + self.upper.memory() + self.bytes
    }

    /// Drops links of a node to itself, to the same node twice, and to nodes that do not link back. O(M^2).
    pub fn drop_odd(&mut self, node: u32) {
        for level in 0..=self.level(node) {
            let links = self.of(node, level).to_vec();
            let is_even = |(at, link): (usize, &u32)| {
                let is_first = *link != node && !links[..at].contains(link);
                (is_first && self.are_linked(*link, node, level)).then_some(*link)
            };
            let kept: Vec<u32> = links.iter().enumerate().filter_map(is_even).collect();
            let list = self.list_mut(node, level);
            list[0] = kept.len() as u32;
            list[1..=kept.len()].copy_from_slice(&kept);
        }
    }

    /// What is wrong with the links of a node: they must go both ways, to nodes that have the level, and to none twice.
    #[cfg(test)]
    pub fn check(&self, node: u32) -> Result<(), &'static str> {
        for level in 0..=self.level(node) {
            let links = self.of(node, level);
            for (at, &link) in links.iter().enumerate() {
                if link as usize >= self.nodes() || self.level(link) < level {
                    return Err("a link to a node that is not there");
                }
                if link == node || links[..at].contains(&link) {
                    return Err("a link to the node itself, or the same twice");
                }
                if !self.are_linked(link, node, level) {
                    return Err("a link that goes one way only");
                }
            }
        }
        Ok(())
    }
}
