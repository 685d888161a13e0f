//! The nodes of a stream in order of their IDs, many of them to an allocation.
//!
//! Redis keeps each node in an allocation of its own and finds it through a radix tree. A node of a hundred small
//! entries takes some 1,300 bytes, which an allocator rounds up to its next size class: up to a fifth is wasted. Here
//! nodes stand one behind the other in *segments* of up to 64 KB, which leaves no gaps between them; and because
//! IDs only ever grow at the end, a sorted directory does what the radix tree does:
//!
//! - appending writes at the end of the last segment, O(1);
//! - finding an ID is a binary search over segments and one within a segment, O(log n);
//! - dropping a node moves what is behind it in its segment, so at most 64 KB, and that only if it is not the last.
//!
//! A node that would be too large to share has a segment of its own.

use std::collections::VecDeque;
use std::ops::Range;

use super::id::StreamId;
use super::node::{self, Node};
use crate::types::packed::PackedBuf;

/// Bytes up to which nodes share a segment.
const SEGMENT: usize = 64 * 1024;
/// Bytes of the first allocation of a segment.
const FIRST: usize = 64;

/// Where a node begins in its segment.
#[derive(Clone)]
struct NodeStart {
    master_id: StreamId,
    start: u32,
}

#[derive(Clone, Default)]
struct Segment {
    bytes: Vec<u8>,
    nodes: Vec<NodeStart>,
}

/// Which node; good until a node is added or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    segment: usize,
    node: usize,
}

#[derive(Clone, Default)]
pub(super) struct Nodes {
    segments: VecDeque<Segment>,
    len: usize,
}

impl Segment {
    fn range(&self, node: usize) -> Range<usize> {
        let end = self
            .nodes
            .get(node + 1)
            .map_or(self.bytes.len(), |next| next.start as usize);
        self.nodes[node].start as usize..end
    }

    fn node(&self, node: usize) -> Node<'_> {
        Node::new(&self.bytes[self.range(node)], self.nodes[node].master_id)
    }

    /// Moves the starts of all nodes behind `node` by as much as its end has moved.
    fn shift_behind(&mut self, node: usize, old_end: usize, new_end: usize) {
        for behind in &mut self.nodes[node + 1..] {
            behind.start = (behind.start as usize - old_end + new_end) as u32;
        }
    }

    fn remove(&mut self, node: usize) {
        let range = self.range(node);
        self.bytes.drain(range.clone());
        self.shift_behind(node, range.end, range.start);
        self.nodes.remove(node);
    }

    /// Makes room for `extra` bytes by steps of a quarter: doubling would leave half a large segment empty.
    fn reserve(&mut self, extra: usize) {
        let needed = self.bytes.len() + extra;
        if needed <= self.bytes.capacity() {
            return;
        }
        let mut capacity = self.bytes.capacity().max(FIRST);
        capacity = (capacity + capacity / 4).max(needed);
        if needed <= SEGMENT {
            capacity = capacity.min(SEGMENT);
        }
        self.bytes.reserve_exact(capacity - self.bytes.len());
    }

    /// Gives back what a segment that grows no more does not need.
    fn close(&mut self) {
        self.nodes.shrink_to_fit();
        if self.bytes.capacity() - self.bytes.len() > self.bytes.len() / 16 {
            self.bytes.shrink_to_fit();
        }
    }

    fn memory(&self) -> usize {
        self.bytes.capacity() + self.nodes.capacity() * size_of::<NodeStart>()
    }
}

/// A node within its segment, for editing.
struct NodeBuf<'a> {
    segment: &'a mut Segment,
    node: usize,
}

impl PackedBuf for NodeBuf<'_> {
    fn bytes(&self) -> &[u8] {
        &self.segment.bytes[self.segment.range(self.node)]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        let range = self.segment.range(self.node);
        &mut self.segment.bytes[range]
    }

    fn splice(&mut self, range: Range<usize>, with: &[u8]) {
        let node = self.segment.range(self.node);
        let new_end = node.end - range.len() + with.len();
        self.segment
            .bytes
            .splice(node.start + range.start..node.start + range.end, with.iter().copied());
        self.segment.shift_behind(self.node, node.end, new_end);
    }
}

impl Nodes {
    /// Nodes, not entries.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn get(&self, place: Place) -> Node<'_> {
        self.segments[place.segment].node(place.node)
    }

    /// The node's bytes as they go to disk, and its master ID.
    pub fn raw(&self, place: Place) -> (StreamId, &[u8]) {
        let segment = &self.segments[place.segment];
        (
            segment.nodes[place.node].master_id,
            &segment.bytes[segment.range(place.node)],
        )
    }

    /// The IDs under which the nodes stand, in order.
    pub fn master_ids(&self) -> impl Iterator<Item = StreamId> {
        self.segments
            .iter()
            .flat_map(|segment| &segment.nodes)
            .map(|node| node.master_id)
    }

    pub fn first(&self) -> Option<Place> {
        (self.len > 0).then_some(Place { segment: 0, node: 0 })
    }

    pub fn last(&self) -> Option<Place> {
        let segment = self.segments.len().checked_sub(1)?;
        Some(Place {
            segment,
            node: self.segments[segment].nodes.len() - 1,
        })
    }

    pub fn next(&self, place: Place) -> Option<Place> {
        if place.node + 1 < self.segments[place.segment].nodes.len() {
            return Some(Place {
                node: place.node + 1,
                ..place
            });
        }
        let segment = place.segment + 1;
        (segment < self.segments.len()).then_some(Place { segment, node: 0 })
    }

    pub fn prev(&self, place: Place) -> Option<Place> {
        if place.node > 0 {
            return Some(Place {
                node: place.node - 1,
                ..place
            });
        }
        let segment = place.segment.checked_sub(1)?;
        Some(Place {
            segment,
            node: self.segments[segment].nodes.len() - 1,
        })
    }

    /// The last node that begins at or before `id`, where its entry is if it exists. O(log n).
    pub fn find(&self, id: StreamId) -> Option<Place> {
        let begun = self
            .segments
            .partition_point(|segment| segment.nodes[0].master_id <= id);
        let segment = begun.checked_sub(1)?;
        let nodes = &self.segments[segment].nodes;
        let node = nodes.partition_point(|node| node.master_id <= id) - 1;
        Some(Place { segment, node })
    }

    /// Bytes of the last node.
    pub fn last_bytes(&self) -> usize {
        self.last()
            .map_or(0, |place| self.segments[place.segment].range(place.node).len())
    }

    /// Begins a node behind all others for entries with these fields; `size` is roughly what its first entry takes.
    pub fn begin<'f>(&mut self, master_id: StreamId, size: usize, fields: impl Iterator<Item = &'f [u8]> + Clone) {
        let expected = size.max(self.last_bytes());
        let segment = self.segment_for(expected);
        segment.nodes.push(NodeStart {
            master_id,
            start: segment.bytes.len() as u32,
        });
        node::begin(&mut segment.bytes, fields);
        self.len += 1;
    }

    /// Adds an entry of about `size` bytes to the last node; there must be one.
    pub fn append<'f>(
        &mut self,
        id: StreamId,
        size: usize,
        fields: impl Iterator<Item = (&'f [u8], &'f [u8])> + Clone,
    ) {
        let Some(segment) = self.segments.back_mut() else {
            return;
        };
        let Some(&NodeStart { master_id, start }) = segment.nodes.last() else {
            return;
        };
        segment.reserve(size);
        node::append(&mut segment.bytes, start as usize, master_id, id, fields);
    }

    /// Adds a node that was read from outside behind all others, and tells where it is.
    pub fn push(&mut self, master_id: StreamId, bytes: &[u8]) -> Place {
        let segment = self.segment_for(bytes.len());
        segment.reserve(bytes.len());
        segment.nodes.push(NodeStart {
            master_id,
            start: segment.bytes.len() as u32,
        });
        segment.bytes.extend_from_slice(bytes);
        let node = segment.nodes.len() - 1;
        self.len += 1;
        Place {
            segment: self.segments.len() - 1,
            node,
        }
    }

    /// The last segment if it has room for so many bytes, otherwise a new one.
    fn segment_for(&mut self, bytes: usize) -> &mut Segment {
        let fits = self
            .segments
            .back()
            .is_some_and(|last| last.bytes.len() + bytes <= SEGMENT);
        if !fits {
            if let Some(last) = self.segments.back_mut() {
                last.close();
            }
            self.segments.push_back(Segment::default());
        }
        let last = self.segments.len() - 1;
        &mut self.segments[last]
    }

    /// Flags the entries that begin at `ats` of the node as deleted.
    pub fn mark_deleted(&mut self, place: Place, ats: &[usize]) {
        let segment = &mut self.segments[place.segment];
        node::mark_deleted(
            &mut NodeBuf {
                segment,
                node: place.node,
            },
            ats,
        );
    }

    /// Drops a node and what is in it.
    pub fn remove(&mut self, place: Place) {
        let segment = &mut self.segments[place.segment];
        if segment.nodes.len() == 1 {
            self.segments.remove(place.segment);
        } else {
            segment.remove(place.node);
        }
        self.len -= 1;
    }

    /// Drops the last segment, at most 64 KB of small nodes or one large; false if there is none.
    pub fn pop_segment(&mut self) -> bool {
        let Some(segment) = self.segments.pop_back() else {
            return false;
        };
        self.len -= segment.nodes.len();
        true
    }

    /// Bytes of the nodes and their directory. O(n / 5000) for small entries.
    pub fn memory(&self) -> usize {
        let directory = self.segments.capacity() * size_of::<Segment>();
        directory + self.segments.iter().map(Segment::memory).sum::<usize>()
    }
}
