//! Vector sets: elements with a vector each, of which those nearest to any other vector are found.
//!
//! - [`form`] has the forms in which vectors are kept, and their distance;
//! - [`graph`] finds what is near, over [`links`] between nodes;
//! - [`rows`] is what both lie in: many rows of one length;
//! - [`projection`] makes vectors shorter;
//! - [`filter`] reads conditions on the attributes of elements.
//!
//! An element is a node of the graph with a name and perhaps an attribute, which is some text. Nodes are numbered without
//! gaps. A table finds the node of a name; it keeps numbers of nodes, whose names stand with the nodes.
//!
//! Nothing here is left to chance: how many levels a node has follows from its number in the order of all that were ever
//! added, so that the same requests make the same set, on a replica too.

pub mod filter;
pub mod form;
mod graph;
mod links;
mod projection;
mod rows;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};

use form::Vectors;
pub use form::{OwnedPoint, Point, Quantization};
use graph::Graph;
pub use graph::{Near, Wanted};
use links::Links;
pub use links::MOST_LEVELS;
pub use projection::Projection;
use projection::mixed;
use rows::Rows;

use crate::hashing::hash_bytes;
use crate::memory::size_class;
use crate::table::{Number, Slot, Table};

/// How far to look for neighbors of an element that is linked anew because another was removed.
const REPAIR_EF: usize = 64;
/// How many sets were made since the start.
static MADE: AtomicU64 = AtomicU64::new(0);

/// What a node is beside its vector and its links.
#[derive(Clone)]
struct Element {
    name: Box<[u8]>,
    /// Empty for none.
    attribute: Box<[u8]>,
    /// Which one it was of all that were ever added.
    uid: u64,
    /// The length that its vector had.
    length: f32,
}

/// What all vectors of a set have in common.
#[derive(Clone)]
pub struct Shape {
    /// Components that are kept.
    pub dim: usize,
    pub form: Quantization,
    /// How many links a node has.
    pub m: usize,
    /// What makes shorter vectors of those that come, if anything.
    pub projection: Option<Projection>,
}

pub struct VectorSet {
    graph: Graph,
    elements: Rows<Element>,
    names: Table<Number>,
    projection: Option<Box<Projection>>,
    id: u64,
    /// Elements that were ever added.
    added: u64,
    attributes: usize,
    /// What names and attributes take of the allocator.
    text: usize,
}

/// An element as it was saved.
pub struct Saved<'a> {
    pub name: &'a [u8],
    pub attribute: &'a [u8],
    pub point: OwnedPoint,
    pub length: f32,
    pub uid: u64,
    pub level: usize,
}

fn text_size(text: &[u8]) -> usize {
    if text.is_empty() { 0 } else { size_class(text.len()) }
}

impl VectorSet {
    pub fn new(shape: Shape) -> Self {
        VectorSet {
            graph: Graph {
                vectors: Vectors::new(shape.form, shape.dim),
                links: Links::new(shape.m),
            },
            elements: Rows::new(1),
            names: Table::new(),
            projection: shape.projection.map(Box::new),
            id: MADE.fetch_add(1, Ordering::Relaxed),
            added: 0,
            attributes: 0,
            text: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.elements.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Components of the vectors that are kept.
    pub fn dim(&self) -> usize {
        self.graph.vectors.dim()
    }

    pub fn form(&self) -> Quantization {
        self.graph.vectors.form()
    }

    pub fn m(&self) -> usize {
        self.graph.links.m()
    }

    pub fn projection(&self) -> Option<&Projection> {
        self.projection.as_deref()
    }

    /// A number that no other set of this process has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// How many elements were ever added, each change of a vector counted as one.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// Elements with an attribute.
    pub fn attributes(&self) -> usize {
        self.attributes
    }

    /// The highest level of the graph.
    pub fn top_level(&self) -> usize {
        self.graph.links.entry().map_or(0, |(_, level)| level)
    }

    fn element(&self, node: u32) -> &Element {
        &self.elements.row(node)[0]
    }

    fn slot(&self, hash: u64, name: &[u8]) -> Option<(Slot, u32)> {
        let found = self.names.search(hash, |node| *self.element(node.0).name == *name);
        found.map(|(slot, node)| (slot, node.0))
    }

    /// The node of an element. O(1).
    pub fn find(&self, name: &[u8]) -> Option<u32> {
        self.slot(hash_bytes(name), name).map(|(_, node)| node)
    }

    pub fn contains(&self, name: &[u8]) -> bool {
        self.find(name).is_some()
    }

    pub fn name(&self, node: u32) -> &[u8] {
        &self.element(node).name
    }

    /// The attribute of a node, empty for none.
    pub fn attribute(&self, node: u32) -> &[u8] {
        &self.element(node).attribute
    }

    /// The length that a node's vector had before it was kept with length 1.
    pub fn length(&self, node: u32) -> f32 {
        self.element(node).length
    }

    /// Which one a node was of all that were added, from 1 on.
    pub fn uid(&self, node: u32) -> u64 {
        self.element(node).uid
    }

    pub fn point(&self, node: u32) -> Point<'_> {
        self.graph.vectors.at(node)
    }

    /// The vector of a node about as it came; of the binary form the signs alone. O(dim).
    pub fn vector(&self, node: u32) -> Vec<f32> {
        let mut vector = self.point(node).components();
        if self.form() != Quantization::Binary {
            let length = self.length(node);
            vector.iter_mut().for_each(|component| *component *= length);
        }
        vector
    }

    /// The highest level of a node.
    pub fn level(&self, node: u32) -> usize {
        self.graph.links.level(node)
    }

    /// The nodes that a node is linked with on one of its levels.
    pub fn links(&self, node: u32, level: usize) -> &[u32] {
        self.graph.links.of(node, level)
    }

    /// A vector in the form of this set, shortened if the set says so and it has the components for it. O(dim), or as much as
    /// the projection costs.
    pub fn prepare(&self, vector: Vec<f32>) -> (OwnedPoint, f32) {
        let vector = match self.projection() {
            Some(projection) if projection.input() == vector.len() => projection.apply(&vector),
            _ => vector,
        };
        debug_assert_eq!(vector.len(), self.dim());
        OwnedPoint::new(vector, self.form())
    }

    /// Gives an element a vector, which [`VectorSet::prepare`] made, and tells whether the element is new. Its attribute
    /// stays. `ef` is how far to look for neighbors. O(log n) distances, times `ef`.
    pub fn add(&mut self, name: &[u8], (point, length): (OwnedPoint, f32), ef: usize) -> bool {
        let attribute = self.find(name).map(|node| self.take(node));
        let is_new = attribute.is_none();
        self.added += 1;
        let level = mixed(self.added).leading_zeros() as usize / 2;
        self.graph.insert(&point, level, ef);
        self.enter(Element {
            name: name.into(),
            attribute: attribute.unwrap_or_default(),
            uid: self.added,
            length,
        });
        is_new
    }

    /// Keeps the element of a node that was just added.
    fn enter(&mut self, element: Element) {
        let node = self.elements.len() as u32;
        self.text += text_size(&element.name) + text_size(&element.attribute);
        self.attributes += usize::from(!element.attribute.is_empty());
        let hash = hash_bytes(&element.name);
        self.elements.push(std::iter::once(element));
        let elements = &self.elements;
        let rehash = |node: Number| hash_bytes(&elements.row(node.0)[0].name);
        self.names.insert(hash, Number(node), rehash);
    }

    /// Removes a node and gives its attribute; the last node takes its number. O(M^2) distances.
    fn take(&mut self, node: u32) -> Box<[u8]> {
        let last = self.len() as u32 - 1;
        if let Some((slot, _)) = self.slot(hash_bytes(self.name(node)), self.name(node)) {
            self.names.remove(slot);
        }
        if node != last
            && let Some((slot, _)) = self.slot(hash_bytes(self.name(last)), self.name(last))
        {
            self.names.replace(slot, Number(node));
        }
        let element = &mut self.elements.row_mut(node)[0];
        let attribute = std::mem::take(&mut element.attribute);
        self.text -= text_size(&element.name) + text_size(&attribute);
        self.attributes -= usize::from(!attribute.is_empty());
        self.graph.remove(node, REPAIR_EF);
        self.elements.swap_remove(node);
        attribute
    }

    /// Removes an element; false when it was none. O(M^2) distances.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let node = self.find(name);
        node.is_some_and(|node| {
            self.take(node);
            true
        })
    }

    /// Sets the attribute of an element, or takes it away if it is empty; false when there is no such element. O(1).
    pub fn set_attribute(&mut self, name: &[u8], attribute: &[u8]) -> bool {
        let Some(node) = self.find(name) else { return false };
        let element = &mut self.elements.row_mut(node)[0];
        let old = std::mem::replace(&mut element.attribute, attribute.into());
        self.text = self.text + text_size(attribute) - text_size(&old);
        self.attributes = self.attributes + usize::from(!attribute.is_empty()) - usize::from(!old.is_empty());
        true
    }

    /// The nodes nearest to a vector as [`VectorSet::prepare`] makes it, from the nearest on. O(log n) distances, times `ef`;
    /// with a filter as many as that allows.
    pub fn search(&self, point: Point<'_>, wanted: Wanted<'_>) -> Vec<Near> {
        self.graph.search(point, wanted)
    }

    /// The same by a look at every vector, and so without a miss. O(n) distances.
    pub fn search_all(&self, point: Point<'_>, wanted: Wanted<'_>) -> Vec<Near> {
        self.graph.search_all(point, wanted)
    }

    /// Adds an element without links, as the next node, which is its number plus one of those before; `None` if there is
    /// one of this name.
    pub fn restore(&mut self, saved: Saved<'_>) -> Option<()> {
        if self.contains(saved.name) {
            return None;
        }
        self.graph.links.push(saved.level);
        self.graph.vectors.push(&saved.point);
        self.added = self.added.max(saved.uid);
        self.enter(Element {
            name: saved.name.into(),
            attribute: saved.attribute.into(),
            uid: saved.uid,
            length: saved.length,
        });
        Some(())
    }

    /// Sets the links of a node on a level as they were saved, which must be to nodes that have it; `None` if there are too
    /// many. [`VectorSet::drop_odd_links`] is to be called for each node once all have theirs.
    pub fn restore_links(&mut self, node: u32, level: usize, links: &[u32]) -> Option<()> {
        self.graph.links.set(node, level, links)
    }

    /// Drops links of a node to itself, to the same node twice, and to nodes that do not link back. O(M^2).
    pub fn drop_odd_links(&mut self, node: u32) {
        self.graph.links.drop_odd(node);
    }

    /// Frees about `most` elements; true when the set is empty. It finds nothing any more in between.
    pub fn free_step(&mut self, most: usize) -> bool {
        if !self.names.drain_step(most, |_| {}) {
            return false;
        }
        for _ in 0..most {
            if self.is_empty() {
                return true;
            }
            self.graph.pop();
            self.elements.pop();
        }
        self.is_empty()
    }

    /// Bytes on the heap. O(1).
    pub fn memory(&self) -> usize {
        let projection = self.projection().map_or(0, Projection::memory);
        let projection = projection + usize::from(projection > 0) * size_class(size_of::<Projection>());
        self.graph.memory() + self.elements.memory() + self.names.memory() + self.text + projection
    }
}

impl Clone for VectorSet {
    fn clone(&self) -> Self {
        let mut names = Table::new();
        let rehash = |node: Number| hash_bytes(self.name(node.0));
        for node in self.names.iter() {
            names.insert(rehash(node), node, rehash);
        }
        VectorSet {
            graph: self.graph.clone(),
            elements: self.elements.clone(),
            names,
            projection: self.projection.clone(),
            id: MADE.fetch_add(1, Ordering::Relaxed),
            ..*self
        }
    }
}
