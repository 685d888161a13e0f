//! The graph by which similar vectors are found: HNSW, *hierarchical navigable small world* (Y. Malkov and D. Yashunin,
//! "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small World graphs", 2016).
//!
//! Every vector is a node that is linked with some of those near it. A search walks from node to node, always on from the
//! nearest that it knows and has not looked around from. As such a walk through millions of nodes would be long, there are
//! levels above: a quarter of all nodes are on level 1 too, a quarter of those on level 2, each with links on its own. The
//! search starts on the highest and goes down a level where it finds nothing nearer.
//!
//! A node has at most M links on a level, twice as many on level 0. What links a node gets decides whether a search finds
//! its way: of the nearest nodes one is passed over if it is nearer to one already chosen than to the node itself, so that
//! links lead to all sides, also out of a cluster. Links go both ways here, so that a node can be removed and nothing points
//! to it any more; those that were linked with it are linked with each other in its place.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::form::{OwnedPoint, Point, Vectors};
use super::links::{Links, MOST_LEVELS};
use crate::processor::prefetch;

/// A node and how far it is, in one number that sorts by distance, and by node where that is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Near(u64);

impl Near {
    #[inline]
    pub fn new(distance: f32, node: u32) -> Self {
        let bits = distance.to_bits();
        // Numbers below zero sort the other way round as bits.
        let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
        Near(u64::from(ordered) << 32 | u64::from(node))
    }

    #[inline]
    pub fn node(self) -> u32 {
        self.0 as u32
    }

    #[inline]
    pub fn distance(self) -> f32 {
        let ordered = (self.0 >> 32) as u32;
        f32::from_bits(if ordered >> 31 == 1 {
            ordered & !(1 << 31)
        } else {
            !ordered
        })
    }
}

/// The nodes that a search has seen.
struct Seen(Vec<u64>);

impl Seen {
    fn new(nodes: usize) -> Self {
        Seen(vec![0; nodes.div_ceil(64)])
    }

    /// Marks a node; true if it was not marked.
    #[inline]
    fn mark(&mut self, node: u32) -> bool {
        let (word, bit) = (node as usize / 64, 1u64 << (node % 64));
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }
}

/// What a search keeps: how many nodes it holds at a time, and which of them may be found.
pub struct Wanted<'f> {
    /// How many nodes are found at most, and how far a search looks: it ends when it knows nothing nearer than the farthest.
    pub ef: usize,
    /// Which nodes may be found, if not all, and how many are looked at for it at most.
    pub filter: Option<(&'f mut dyn FnMut(u32) -> bool, usize)>,
}

impl Wanted<'_> {
    fn nearest(ef: usize) -> Self {
        Wanted { ef, filter: None }
    }
}

#[derive(Clone)]
pub struct Graph {
    pub vectors: Vectors,
    pub links: Links,
}

/// Whose links one may lose: those that have more than this part of what they may have.
const SPARE: usize = 4;
/// How many of the farthest links are looked at for one that can be given up, and how many of the nearest for a way around it.
/// Only where M is large are there more.
const FARTHEST: usize = 32;
const NEAREST: usize = 64;
/// How many that have lost a neighbor are paired with each other at a time: each is compared with all.
const PAIRED: usize = 64;

impl Graph {
    pub fn len(&self) -> usize {
        self.links.nodes()
    }

    #[inline]
    fn distance(&self, one: u32, other: u32) -> f32 {
        self.vectors.at(one).distance(self.vectors.at(other))
    }

    /// Asks the processor for a vector.
    #[inline]
    fn fetch(&self, node: u32) {
        let (address, bytes) = self.vectors.extent(node);
        for line in (0..bytes.min(512)).step_by(64) {
            prefetch(address + line);
        }
    }

    /// From a node, the nearest to `point` that leads to on a level by ever nearer ones.
    fn descend(&self, point: Point<'_>, from: Near, level: usize) -> Near {
        let mut best = from;
        loop {
            let before = best;
            for &link in self.links.of(before.node(), level) {
                best = best.min(Near::new(point.distance(self.vectors.at(link)), link));
            }
            if best == before {
                return best;
            }
        }
    }

    /// The nearest to `point` on a level, from the nearest on, starting at `from`.
    fn search_level(&self, point: Point<'_>, from: &[Near], level: usize, wanted: &mut Wanted<'_>) -> Vec<Near> {
        let mut seen = Seen::new(self.len());
        let mut found = BinaryHeap::with_capacity(wanted.ef.min(self.len()) + 1);
        let mut open = BinaryHeap::with_capacity(2 * wanted.ef.min(self.len()) + 1);
        let mut looked = 0;
        let most = wanted.filter.as_ref().map_or(usize::MAX, |(_, most)| *most);
        let ef = wanted.ef;
        let mut admit = |near: Near, found: &mut BinaryHeap<Near>| {
            let passes = match &mut wanted.filter {
                Some((filter, _)) => filter(near.node()),
                None => true,
            };
            if passes {
                found.push(near);
                if found.len() > ef {
                    found.pop();
                }
            }
        };
        for &near in from {
            if seen.mark(near.node()) {
                open.push(Reverse(near));
                admit(near, &mut found);
                looked += 1;
            }
        }
        let mut fresh = Vec::with_capacity(self.links.most(level));
        while let Some(Reverse(near)) = open.pop() {
            let farthest = found.peek().copied().filter(|_| found.len() >= ef);
            if farthest.is_some_and(|farthest| near > farthest) || looked >= most {
                break;
            }
            if let Some(Reverse(next)) = open.peek() {
                prefetch(self.links.address(next.node()));
                prefetch(self.links.address(next.node()) + 64);
            }
            fresh.clear();
            fresh.extend(
                self.links
                    .of(near.node(), level)
                    .iter()
                    .copied()
                    .filter(|&link| seen.mark(link)),
            );
            for &link in &fresh {
                self.fetch(link);
            }
            for &link in &fresh {
                let near = Near::new(point.distance(self.vectors.at(link)), link);
                let is_near = found.len() < ef || found.peek().is_some_and(|farthest| near < *farthest);
                looked += 1;
                if is_near {
                    open.push(Reverse(near));
                    admit(near, &mut found);
                }
            }
        }
        found.into_sorted_vec()
    }

    /// The nearest to `point` that are wanted, from the nearest on.
    pub fn search(&self, point: Point<'_>, mut wanted: Wanted<'_>) -> Vec<Near> {
        let Some((entry, top)) = self.links.entry() else {
            return Vec::new();
        };
        let mut near = Near::new(point.distance(self.vectors.at(entry)), entry);
        for level in (1..=top).rev() {
            near = self.descend(point, near, level);
        }
        self.search_level(point, &[near], 0, &mut wanted)
    }

    /// The same by a look at every vector. O(n).
    pub fn search_all(&self, point: Point<'_>, wanted: Wanted<'_>) -> Vec<Near> {
        let Wanted { ef, mut filter } = wanted;
        let mut found = BinaryHeap::new();
        for node in 0..self.len() as u32 {
            let near = Near::new(point.distance(self.vectors.at(node)), node);
            if found.len() == ef && found.peek().is_some_and(|farthest| near > *farthest) {
                continue;
            }
            if let Some((filter, _)) = &mut filter
                && !filter(node)
            {
                continue;
            }
            found.push(near);
            if found.len() > ef {
                found.pop();
            }
        }
        found.into_sorted_vec()
    }

    /// Of `candidates`, which stand from the nearest on, those a node is to be linked with: the nearest, but for those that
    /// are nearer to one already chosen, which come last.
    fn choose(&self, candidates: &[Near], most: usize) -> Vec<Near> {
        let (mut chosen, mut passed_over): (Vec<Near>, Vec<Near>) = (Vec::with_capacity(most), Vec::new());
        for &candidate in candidates {
            if chosen.len() == most {
                return chosen;
            }
            let point = self.vectors.at(candidate.node());
            let leads_aside = chosen
                .iter()
                .all(|near| point.distance(self.vectors.at(near.node())) >= candidate.distance());
            match leads_aside {
                true => chosen.push(candidate),
                false => passed_over.push(candidate),
            }
        }
        let room = most - chosen.len();
        chosen.extend(passed_over.into_iter().take(room));
        chosen
    }

    /// Adds a vector and links it; gives its node. `ef` is how far to look for neighbors.
    pub fn insert(&mut self, point: &OwnedPoint, level: usize, ef: usize) -> u32 {
        let level = level.min(MOST_LEVELS);
        let entry = self.links.entry();
        let node = self.links.push(level);
        self.vectors.push(point);
        let Some((entry, top)) = entry else { return node };
        let at = point.point();
        let mut near = Near::new(at.distance(self.vectors.at(entry)), entry);
        for level in (level + 1..=top).rev() {
            near = self.descend(at, near, level);
        }
        let mut from = vec![near];
        for level in (0..=level.min(top)).rev() {
            from = self.search_level(at, &from, level, &mut Wanted::nearest(ef));
            self.link(node, &from, level);
        }
        node
    }

    /// Links a new node with some of `found`, which are the nearest on a level, from the nearest on.
    fn link(&mut self, node: u32, found: &[Near], level: usize) {
        for near in self.choose(found, self.links.m()) {
            self.offer(near, node, level);
        }
        if self.links.of(node, level).is_empty() {
            self.force(node, found, level);
        }
    }

    /// Links a node with the one named by `near`, if that has room, or a link that it needs less. O(M) distances.
    fn offer(&mut self, near: Near, node: u32, level: usize) {
        let neighbor = near.node();
        if self.links.of(neighbor, level).len() < self.links.most(level) {
            return self.links.join(neighbor, node, level);
        }
        if let Some(given_up) = self.dispensable(neighbor, near.distance(), level) {
            self.links.part(neighbor, given_up, level);
            self.links.join(neighbor, node, level);
        }
    }

    /// The link that a node gives up for one to somebody at this distance; `None` if none is worse. From the farthest on it is
    /// the first whose end is nearer to another neighbor, over which it can be reached; else the farthest.
    fn dispensable(&self, node: u32, distance: f32, level: usize) -> Option<u32> {
        let least = self.links.most(level) / SPARE;
        let links = self.links.of(node, level).iter();
        let mut links: Vec<Near> = links.map(|&link| Near::new(self.distance(node, link), link)).collect();
        links.sort_unstable();
        let may_lose = |near: &Near| self.links.of(near.node(), level).len() > least;
        let farther = links.iter().enumerate().rev();
        let farther = farther.take_while(|(_, near)| near.distance() > distance);
        for (at, near) in farther.filter(|(_, near)| may_lose(near)).take(FARTHEST) {
            let point = self.vectors.at(near.node());
            let is_reached = |nearer: &Near| point.distance(self.vectors.at(nearer.node())) < near.distance();
            if links[..at.min(NEAREST)].iter().any(is_reached) {
                return Some(near.node());
            }
        }
        let farthest = links.iter().rev().find(|near| may_lose(near));
        farthest
            .filter(|near| near.distance() > distance)
            .map(|near| near.node())
    }

    /// Links a node that nobody took with the nearest one that can spare a link, so that it can be found.
    fn force(&mut self, node: u32, found: &[Near], level: usize) {
        for near in found.iter().filter(|near| near.node() != node) {
            let neighbor = near.node();
            if self.links.of(neighbor, level).len() < self.links.most(level) {
                return self.links.join(neighbor, node, level);
            }
            let links = self.links.of(neighbor, level).iter().copied();
            let farthest = links
                .filter(|&link| self.links.of(link, level).len() > 1)
                .max_by_key(|&link| Near::new(self.distance(neighbor, link), link));
            if let Some(farthest) = farthest {
                self.links.part(neighbor, farthest, level);
                return self.links.join(neighbor, node, level);
            }
        }
    }

    /// Removes a node; the last one takes its number. O(M) distances a level, up to 64 for each neighbor, and a search for each
    /// that is left alone.
    pub fn remove(&mut self, node: u32, ef: usize) {
        for level in 0..=self.links.level(node) {
            let orphans = self.links.of(node, level).to_vec();
            for &orphan in &orphans {
                self.links.part(node, orphan, level);
            }
            for some in orphans.chunks(PAIRED) {
                self.join_nearest(some, level);
            }
            for &orphan in &orphans {
                if self.links.of(orphan, level).is_empty() {
                    self.reconnect(orphan, level, ef, node);
                }
            }
        }
        self.links.swap_remove(node);
        self.vectors.swap_remove(node);
    }

    /// Links nodes that have lost a neighbor with each other, the nearest pairs first: each gets one link, as it has lost
    /// one, or several if it has few.
    fn join_nearest(&mut self, orphans: &[u32], level: usize) {
        let mut pairs = Vec::with_capacity(orphans.len() * orphans.len() / 2);
        for (at, &one) in orphans.iter().enumerate() {
            for &other in &orphans[..at] {
                if !self.links.are_linked(one, other, level) {
                    pairs.push((Near::new(self.distance(one, other), one), other));
                }
            }
        }
        pairs.sort_unstable();
        let few = self.links.most(level) / 2;
        let mut gained: Vec<u32> = Vec::with_capacity(orphans.len());
        for (near, other) in pairs {
            let one = near.node();
            let needs = |links: &Links, gained: &[u32], node: u32| {
                let count = links.of(node, level).len();
                count < links.most(level) && (count < few || !gained.contains(&node))
            };
            if needs(&self.links, &gained, one) && needs(&self.links, &gained, other) {
                self.links.join(one, other, level);
                gained.extend([one, other]);
            }
        }
    }

    /// Links a node that has lost all links on a level with the nearest of those that can be reached from some other node on
    /// it, `removed` excepted.
    fn reconnect(&mut self, node: u32, level: usize, ef: usize, removed: u32) {
        let is_other = |other: &u32| *other != node && *other != removed;
        let linked = |other: &u32| !self.links.of(*other, level).is_empty();
        let linked = self.links.on_level(level).filter(is_other).find(linked);
        // Where nobody has a link any will do.
        let Some(start) = linked.or_else(|| self.links.on_level(level).find(is_other)) else {
            return;
        };
        let point = self.vectors.at(node);
        let from = Near::new(point.distance(self.vectors.at(start)), start);
        let found = self.search_level(point, &[from], level, &mut Wanted::nearest(ef));
        self.link(node, &found, level);
    }

    /// Removes the last node without a thought for the others.
    pub fn pop(&mut self) {
        self.links.pop();
        self.vectors.pop();
    }

    pub fn memory(&self) -> usize {
        self.vectors.memory() + self.links.memory()
    }
}
