//! Streams: an append-only log of entries under rising IDs, and the groups that consume it.
//!
//! Entries lie packed in nodes ([`node`]), nodes in a directory ordered by ID ([`nodes`]); groups and their pending
//! entries are in [`group`]. This module puts them together and keeps what a stream remembers beyond its entries: the
//! last ID ever given, how many entries were ever added and which were deleted, so that a group's *lag* can be
//! told without counting.

mod group;
mod id;
mod node;
mod nodes;
mod radix;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use group::{Consumer, ConsumerId, Group, Pending};
pub use id::{ID_TEXT_MAX, InvalidBound, InvalidId, NewId, StreamId};
pub use node::{CorruptNode, Fields, StreamEntry};

use node::{Node, Span};
use nodes::{Nodes, Place};

/// Redis keeps a node below a gigabyte, whatever the settings, and refuses an entry that is larger.
const NODE_BYTES_MAX: usize = 1 << 30;

/// When a node is full: `stream-node-max-bytes` and `stream-node-max-entries`; zero is no limit.
#[derive(Clone, Copy, Debug)]
pub struct NodeLimits {
    pub max_bytes: usize,
    pub max_entries: usize,
}

impl Default for NodeLimits {
    fn default() -> Self {
        NodeLimits {
            max_bytes: 4096,
            max_entries: 100,
        }
    }
}

/// Why an entry cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// The ID is not above the last one, or there is none above it.
    IdTooSmall,
    /// Fields and values together are over a gigabyte.
    TooLarge,
}

/// What XTRIM and XADD keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimBy {
    /// So many of the newest entries.
    MaxLen(u64),
    /// The entries from this ID on.
    MinId(StreamId),
}

/// How to trim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    pub by: TrimBy,
    /// `~`: whole nodes only.
    pub approximate: bool,
    /// Stop before more than so many entries are gone; zero is no limit. Redis allows it with `~` only.
    pub limit: u64,
}

/// A stream.
#[derive(Clone, Default)]
pub struct Stream {
    nodes: Nodes,
    len: u64,
    first_id: StreamId,
    /// The highest ID ever given, be its entry there or not.
    pub last_id: StreamId,
    /// The highest ID ever deleted by XDEL, `0-0` if none.
    pub max_deleted_id: StreamId,
    /// How many entries were ever added.
    pub entries_added: u64,
    groups: BTreeMap<Box<[u8]>, Group>,
}

impl Stream {
    pub fn new() -> Self {
        Stream::default()
    }

    /// Entries that are not deleted.
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Nodes of entries: `radix-tree-keys` of XINFO STREAM.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// How many nodes the radix tree would have in which Redis keeps these: `radix-tree-nodes` of XINFO STREAM. An
    /// estimate beyond a thousand nodes, so that asking stays O(1).
    pub fn radix_node_count(&self) -> usize {
        radix::count(self.nodes.master_ids(), self.nodes.len())
    }

    /// The ID of the first entry, `0-0` if there is none.
    pub fn first_id(&self) -> StreamId {
        self.first_id
    }

    /// The ID that XADD's argument stands for at `now` (Unix milliseconds); `None` if there is none above the last.
    /// An explicit ID is returned as it is.
    pub fn next_id(&self, wanted: NewId, now: u64) -> Option<StreamId> {
        match wanted {
            NewId::Explicit(id) => Some(id),
            NewId::Auto if now > self.last_id.ms => Some(StreamId::new(now, 0)),
            NewId::Auto => self.last_id.next(),
            NewId::AutoSeq(ms) if ms > self.last_id.ms => Some(StreamId::new(ms, 0)),
            NewId::AutoSeq(ms) if ms < self.last_id.ms => None,
            NewId::AutoSeq(ms) => Some(StreamId::new(ms, self.last_id.seq.checked_add(1)?)),
        }
    }

    /// Adds an entry behind all others. O(bytes of the entry).
    pub fn append<'f, F>(&mut self, id: StreamId, fields: F, limits: NodeLimits) -> Result<(), AppendError>
    where
        F: Iterator<Item = (&'f [u8], &'f [u8])> + Clone,
    {
        if id <= self.last_id {
            return Err(AppendError::IdTooSmall);
        }
        let (mut bytes, mut elements) = (0, 4);
        for (field, value) in fields.clone() {
            bytes += field.len() + value.len();
            elements += 2;
        }
        if bytes > NODE_BYTES_MAX {
            return Err(AppendError::TooLarge);
        }
        // A small integer takes two bytes, a text up to ten more than itself.
        let size = bytes + elements * 2 + 4;
        if self.needs_new_node(bytes, limits) {
            self.nodes.begin(id, size, fields.clone().map(|(field, _)| field));
        }
        self.nodes.append(id, size, fields);
        if self.len == 0 {
            self.first_id = id;
        }
        self.len += 1;
        self.entries_added += 1;
        self.last_id = id;
        Ok(())
    }

    fn needs_new_node(&self, bytes: usize, limits: NodeLimits) -> bool {
        let Some(last) = self.nodes.last() else { return true };
        let max_bytes = match limits.max_bytes {
            0 => NODE_BYTES_MAX,
            max => max.min(NODE_BYTES_MAX),
        };
        if self.nodes.last_bytes() + bytes >= max_bytes {
            return true;
        }
        let node = self.nodes.get(last);
        limits.max_entries > 0 && node.count() + node.deleted() >= limits.max_entries
    }

    /// The entries from `start` to `end`, both included, in order. O(log n) to begin.
    pub fn range(&self, start: StreamId, end: StreamId) -> Range<'_> {
        let place = self.nodes.find(start).or_else(|| self.nodes.first());
        Range {
            nodes: &self.nodes,
            cursor: place.map(|place| Cursor::at_start(&self.nodes, place)),
            before: None,
            start,
            end,
        }
    }

    /// The entries from `end` down to `start`, both included. O(log n) to begin.
    pub fn rev_range(&self, end: StreamId, start: StreamId) -> RevRange<'_> {
        let place = self.nodes.find(end);
        RevRange {
            nodes: &self.nodes,
            cursor: place.map(|place| Cursor::at_end(&self.nodes, place)),
            before: None,
            start,
            end,
        }
    }

    /// The entry of that ID. O(log n).
    pub fn get(&self, id: StreamId) -> Option<StreamEntry<'_>> {
        self.range(id, id).next()
    }

    pub fn first(&self) -> Option<StreamEntry<'_>> {
        self.range(StreamId::MIN, StreamId::MAX).next()
    }

    pub fn last(&self) -> Option<StreamEntry<'_>> {
        self.rev_range(StreamId::MAX, StreamId::MIN).next()
    }

    /// Deletes an entry, as XDEL does. O(log n).
    pub fn delete(&mut self, id: StreamId) -> bool {
        let Some((place, span)) = self.find(id) else {
            return false;
        };
        if self.nodes.get(place).count() == 1 {
            self.nodes.remove(place);
        } else {
            self.nodes.mark_deleted(place, &[span.at]);
        }
        self.len -= 1;
        self.max_deleted_id = self.max_deleted_id.max(id);
        if id == self.first_id {
            self.refresh_first_id();
        }
        true
    }

    fn find(&self, id: StreamId) -> Option<(Place, Span)> {
        let place = self.nodes.find(id)?;
        let node = self.nodes.get(place);
        let mut at = node.start();
        while let Some(span) = node.span_at(at) {
            if span.id >= id && !span.deleted {
                return (span.id == id).then_some((place, span));
            }
            at = span.end;
        }
        None
    }

    fn refresh_first_id(&mut self) {
        let first = self.first();
        assert!(
            first.is_some() || self.is_empty(),
            "a stream counts entries and has none"
        );
        self.first_id = first.map_or(StreamId::MIN, |entry| entry.id);
    }

    /// Drops old entries; returns how many. Whole nodes where possible, and only those if `approximate`; otherwise
    /// entries of one more node are flagged as deleted.
    pub fn trim(&mut self, trim: Trim) -> u64 {
        let mut deleted = 0;
        while let Some(place) = self.nodes.first() {
            let node = self.nodes.get(place);
            let count = node.count() as u64;
            let (done, drop_node) = match trim.by {
                TrimBy::MaxLen(max) => (self.len <= max, self.len - count >= max),
                TrimBy::MinId(min) => (false, node.last_id() < min),
            };
            if done || trim.limit > 0 && deleted + count > trim.limit {
                break;
            }
            if !drop_node {
                if !trim.approximate {
                    deleted += self.trim_node(place, trim.by);
                }
                break;
            }
            self.nodes.remove(place);
            self.len -= count;
            deleted += count;
        }
        if deleted > 0 {
            self.refresh_first_id();
        }
        deleted
    }

    /// Flags entries from the start of a node as deleted, as many as need be.
    fn trim_node(&mut self, place: Place, by: TrimBy) -> u64 {
        let node = self.nodes.get(place);
        let (mut at, mut ats) = (node.start(), Vec::new());
        while let Some(span) = node.span_at(at) {
            let keep = match by {
                TrimBy::MaxLen(max) => self.len - ats.len() as u64 <= max,
                TrimBy::MinId(min) => span.id >= min,
            };
            if keep {
                break;
            }
            at = span.end;
            if !span.deleted {
                ats.push(span.at);
            }
        }
        self.nodes.mark_deleted(place, &ats);
        self.len -= ats.len() as u64;
        ats.len() as u64
    }

    /// The nodes as they go to disk: master ID and listpack.
    pub fn raw_nodes(&self) -> impl Iterator<Item = (StreamId, &[u8])> {
        std::iter::successors(self.nodes.first(), |&place| self.nodes.next(place)).map(|place| self.nodes.raw(place))
    }

    /// Adds a node read from outside behind all others, after checking all of it. The caller then sets
    /// [`Stream::last_id`] and the rest of what a stream remembers. O(bytes).
    pub fn push_raw_node(&mut self, master_id: StreamId, bytes: &[u8]) -> Result<(), CorruptNode> {
        let before = self.nodes.last().map(|place| self.nodes.raw(place).0.max(self.last_id));
        if before >= Some(master_id) {
            return Err(CorruptNode);
        }
        let last_id = node::validate(bytes, master_id)?;
        self.push_node(master_id, bytes);
        self.last_id = last_id.unwrap_or(self.last_id);
        Ok(())
    }

    /// The same without a look at the entries, but for those up to the first that is not deleted: what is trusted is copied.
    ///
    /// # Panics
    /// If the first entry is broken. With any other, that is left to whoever reads it.
    pub fn push_trusted_node(&mut self, master_id: StreamId, bytes: &[u8]) -> Result<(), CorruptNode> {
        let last = self.nodes.last();
        if last.is_some_and(|place| self.nodes.raw(place).0 >= master_id) {
            return Err(CorruptNode);
        }
        node::validate_frame(bytes)?;
        self.push_node(master_id, bytes);
        self.last_id = self.last_id.max(master_id);
        Ok(())
    }

    fn push_node(&mut self, master_id: StreamId, bytes: &[u8]) {
        let was_empty = self.is_empty();
        let place = self.nodes.push(master_id, bytes);
        self.len += self.nodes.get(place).count() as u64;
        if was_empty && !self.is_empty() {
            self.refresh_first_id();
        }
    }

    /// The groups in order of their names.
    pub fn groups(&self) -> &BTreeMap<Box<[u8]>, Group> {
        &self.groups
    }

    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(name)
    }

    pub fn group_mut(&mut self, name: &[u8]) -> Option<&mut Group> {
        self.groups.get_mut(name)
    }

    /// Adds a group; false if there is one of that name.
    pub fn create_group(&mut self, name: &[u8], last_id: StreamId, entries_read: Option<u64>) -> bool {
        if self.groups.contains_key(name) {
            return false;
        }
        self.groups.insert(name.into(), Group::new(last_id, entries_read));
        true
    }

    /// Takes a group out; the caller frees it, in slices if it is large.
    pub fn remove_group(&mut self, name: &[u8]) -> Option<Group> {
        self.groups.remove(name)
    }

    /// Lends a group for changing, with the stream it belongs to for reading; `None` if there is no such group. Meanwhile
    /// the stream shows an empty group in its place.
    pub fn with_group<R>(&mut self, name: &[u8], work: impl FnOnce(&Stream, &mut Group) -> R) -> Option<R> {
        let mut group = std::mem::take(self.groups.get_mut(name)?);
        let result = work(self, &mut group);
        if let Some(place) = self.groups.get_mut(name) {
            *place = group;
        }
        Some(result)
    }

    /// Moves a group on to an entry it is about to read and counts it, as XREADGROUP does for `>`.
    pub fn advance(&self, group: &mut Group, id: StreamId) {
        if id <= group.last_id {
            return;
        }
        // Between both nothing may be missing, whether deleted or trimmed.
        let is_next = group.last_id >= self.first_id && !self.may_have_deleted_from(group.last_id);
        group.entries_read = match group.entries_read {
            Some(read) if is_next => Some(read + 1),
            _ if self.entries_added > 0 => self.entries_up_to(id),
            unknown => unknown,
        };
        group.last_id = id;
    }

    /// Gives a consumer up to `max` entries that its group has not read, and shows each. With `keep` they become
    /// pending, and the consumer has been active at that time. O(log n) to begin, then O(log n) each.
    pub fn deliver(
        &self,
        group: &mut Group,
        consumer: ConsumerId,
        max: usize,
        keep: Option<i64>,
        mut show: impl FnMut(StreamEntry<'_>),
    ) -> usize {
        let Some(start) = group.last_id.next() else { return 0 };
        let mut delivered = 0;
        for entry in self.range(start, StreamId::MAX).take(max) {
            let id = entry.id;
            show(entry);
            self.advance(group, id);
            if let Some(now) = keep {
                group.deliver(id, consumer, now);
                group.consumer_mut(consumer).active_time = Some(now);
            }
            delivered += 1;
        }
        delivered
    }

    /// How many entries the group has still to read, `None` when deletions make that unknowable.
    pub fn lag(&self, group: &Group) -> Option<u64> {
        if self.entries_added == 0 || self.len == 0 {
            return Some(0);
        }
        if group.last_id < self.first_id && !self.has_gaps() {
            return Some(self.len);
        }
        let read = match group.entries_read {
            Some(read) if !self.may_have_deleted_from(group.last_id) => Some(read),
            _ => self.entries_up_to(group.last_id),
        };
        read.map(|read| self.entries_added.wrapping_sub(read))
    }

    /// Whether XDEL took an entry at or behind `start`, and others are left.
    fn may_have_deleted_from(&self, start: StreamId) -> bool {
        self.len > 0 && self.max_deleted_id != StreamId::MIN && start <= self.max_deleted_id
    }

    /// Whether XDEL took an entry from between those that are left. Trimming leaves no gap.
    fn has_gaps(&self) -> bool {
        self.len > 0 && self.first_id <= self.max_deleted_id
    }

    /// How many entries were ever added up to and including `id`, if that can be told without counting: at the
    /// ends of the stream, and nowhere else once entries in between may be missing.
    pub fn entries_up_to(&self, id: StreamId) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.len == 0 && id <= self.last_id {
            return Some(self.entries_added);
        }
        let is_before_deleted = id != StreamId::MIN && id < self.max_deleted_id;
        if id == self.last_id && !is_before_deleted {
            return Some(self.entries_added);
        }
        if id > self.last_id || is_before_deleted || self.has_gaps() {
            return None;
        }
        let before_first = self.entries_added.wrapping_sub(self.len);
        match id.cmp(&self.first_id) {
            std::cmp::Ordering::Less => Some(before_first),
            std::cmp::Ordering::Equal => Some(before_first + 1),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// Frees a bounded part: about `max` pending entries, or a segment of nodes for every thousand; true when
    /// all is gone.
    pub fn free_step(&mut self, max: usize) -> bool {
        if let Some(mut group) = self.groups.first_entry() {
            if group.get_mut().free_step(max) {
                group.remove();
            }
            return false;
        }
        for _ in 0..max.div_ceil(1000) {
            if !self.nodes.pop_segment() {
                return true;
            }
        }
        false
    }

    /// Bytes held. O(n / 5000) for small entries.
    pub fn memory(&self) -> usize {
        let groups: usize = self
            .groups
            .iter()
            .map(|(name, group)| name.len() + group.memory())
            .sum();
        size_of::<Stream>() + self.nodes.memory() + groups
    }
}

/// Where a walk over entries stands: in which node, which is taken apart once and not for every entry, and where in it the
/// next entry begins or ends.
struct Cursor<'a> {
    place: Place,
    node: Node<'a>,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn at_start(nodes: &'a Nodes, place: Place) -> Self {
        let node = nodes.get(place);
        let at = node.start();
        Cursor { place, node, at }
    }

    fn at_end(nodes: &'a Nodes, place: Place) -> Self {
        let node = nodes.get(place);
        let at = node.end();
        Cursor { place, node, at }
    }
}

/// Entries in order; see [`Stream::range`].
pub struct Range<'a> {
    nodes: &'a Nodes,
    cursor: Option<Cursor<'a>>,
    /// The entry that was looked at before.
    before: Option<StreamId>,
    start: StreamId,
    end: StreamId,
}

impl<'a> Iterator for Range<'a> {
    type Item = StreamEntry<'a>;

    fn next(&mut self) -> Option<StreamEntry<'a>> {
        while let Some(cursor) = &mut self.cursor {
            while let Some(span) = cursor.node.span_at(cursor.at) {
                cursor.at = span.end;
                if span.deleted {
                    continue;
                }
                assert!(self.before < Some(span.id), "entries of a stream are out of order");
                self.before = Some(span.id);
                if span.id > self.end {
                    self.cursor = None;
                    return None;
                }
                if span.id >= self.start {
                    return Some(cursor.node.entry(&span));
                }
            }
            let next = self.nodes.next(cursor.place);
            self.cursor = next.map(|place| Cursor::at_start(self.nodes, place));
        }
        None
    }
}

/// Entries backwards; see [`Stream::rev_range`].
pub struct RevRange<'a> {
    nodes: &'a Nodes,
    cursor: Option<Cursor<'a>>,
    /// The entry that was looked at before.
    before: Option<StreamId>,
    start: StreamId,
    end: StreamId,
}

impl<'a> Iterator for RevRange<'a> {
    type Item = StreamEntry<'a>;

    fn next(&mut self) -> Option<StreamEntry<'a>> {
        while let Some(cursor) = &mut self.cursor {
            while let Some(span) = cursor.node.span_before(cursor.at) {
                cursor.at = span.at;
                if span.deleted {
                    continue;
                }
                assert!(
                    self.before.is_none_or(|before| before > span.id),
                    "entries of a stream are out of order"
                );
                self.before = Some(span.id);
                if span.id < self.start {
                    self.cursor = None;
                    return None;
                }
                if span.id <= self.end {
                    return Some(cursor.node.entry(&span));
                }
            }
            let before = self.nodes.prev(cursor.place);
            self.cursor = before.map(|place| Cursor::at_end(self.nodes, place));
        }
        None
    }
}
