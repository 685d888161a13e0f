//! Reading vector sets, which are a module's value: numbers and strings, each after a code that says which.
//!
//! ```text
//! module | dim | count | form and M << 8 | what follows | count nodes | 0
//! what follows   1: components that go into a projection, and its matrix; 2: nodes have attributes
//! node           name | attribute | vector | count of numbers | uid | level | links ... | length and range << 32
//! links          of each level from 0 on: how many, how many there may be, and the uids of those linked with
//! ```
//!
//! As links name nodes that are read later they are kept until all are there. Links that do not go both ways are dropped.

use std::collections::HashMap;

use super::super::encode::{MODULE_FLOATS, MODULE_NUMBER, MODULE_STRING, VECTOR_SET};
use super::super::{Error, Source, Value};
use crate::hashing;
use crate::types::vector_set::{MOST_LEVELS, OwnedPoint, Projection, Quantization, Saved, Shape, VectorSet};

const PROJECTED: u64 = 1;
const WITH_ATTRIBUTES: u64 = 2;
/// Links that a node may have, from what VADD takes.
const M: std::ops::RangeInclusive<u64> = 4..=4096;
/// More components no vector has that VADD could bring.
const MOST_COMPONENTS: u64 = 1 << 31;
const WRONG: Error = Error::Corrupt("a vector set");

/// A vector set that is being read.
pub struct VectorReader {
    set: Box<VectorSet>,
    dim: usize,
    with_attributes: bool,
    nodes: HashMap<u64, u32, ahash::RandomState>,
    /// For each node its links: of each level their number and the uids.
    links: Vec<Vec<u64>>,
    stage: Stage,
    name: Vec<u8>,
    attribute: Vec<u8>,
    vector: Vec<u8>,
}

enum Stage {
    Nodes(u64),
    /// Linking, from this node on.
    Link(u32),
    /// Looking for links that go one way only, from this node on.
    Check(u32),
}

/// The next thing, which must be a number.
fn number<S: Source>(source: &mut S) -> Result<u64, Error> {
    match source.length()? {
        MODULE_NUMBER => source.length(),
        _ => Err(WRONG),
    }
}

fn string<S: Source>(source: &mut S, out: &mut Vec<u8>) -> Result<(), Error> {
    match source.length()? {
        MODULE_STRING => source.string(out),
        _ => Err(WRONG),
    }
}

fn floats(bytes: &[u8]) -> Option<Vec<f32>> {
    let (words, rest) = bytes.as_chunks::<MODULE_FLOATS>();
    let floats: Vec<f32> = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
    (rest.is_empty() && floats.iter().all(|float| float.is_finite())).then_some(floats)
}

impl VectorReader {
    pub fn begin<S: Source>(source: &mut S) -> Result<Self, Error> {
        if source.length()? != VECTOR_SET {
            return Err(Error::Unsupported("a module's value"));
        }
        let (dim, count, shape, follows) = (number(source)?, number(source)?, number(source)?, number(source)?);
        let form = match shape & 0xFF {
            0 => Quantization::Float,
            1 => Quantization::Int8,
            2 => Quantization::Binary,
            _ => return Err(WRONG),
        };
        let m = shape >> 8;
        if !M.contains(&m) || !(1..MOST_COMPONENTS).contains(&dim) || follows & !(PROJECTED | WITH_ATTRIBUTES) != 0 {
            return Err(WRONG);
        }
        let dim = dim as usize;
        let projection = match follows & PROJECTED {
            0 => None,
            _ => Some(projection(source, dim)?),
        };
        if count == 0 {
            return Err(Error::Empty);
        }
        Ok(VectorReader {
            set: Box::new(VectorSet::new(Shape {
                dim,
                form,
                m: m as usize,
                projection,
            })),
            dim,
            with_attributes: follows & WITH_ATTRIBUTES != 0,
            nodes: HashMap::with_hasher(hashing::state()),
            links: Vec::new(),
            stage: Stage::Nodes(count),
            name: Vec::new(),
            attribute: Vec::new(),
            vector: Vec::new(),
        })
    }

    /// Reads about `most` nodes, or links as many; true once all has been read.
    pub fn read<S: Source>(&mut self, source: &mut S, most: u64) -> Result<bool, Error> {
        for _ in 0..most {
            match self.stage {
                Stage::Nodes(0) => {
                    if source.length()? != 0 {
                        return Err(WRONG);
                    }
                    self.stage = Stage::Link(0);
                }
                Stage::Nodes(left) => {
                    self.node(source)?;
                    self.stage = Stage::Nodes(left - 1);
                }
                Stage::Link(node) if node as usize == self.set.len() => self.stage = Stage::Check(0),
                Stage::Link(node) => {
                    self.link(node)?;
                    self.stage = Stage::Link(node + 1);
                }
                Stage::Check(node) if node as usize == self.set.len() => return Ok(true),
                Stage::Check(node) => {
                    self.set.drop_odd_links(node);
                    self.stage = Stage::Check(node + 1);
                }
            }
        }
        Ok(false)
    }

    pub fn finish(self) -> Value {
        Value::VectorSet(self.set)
    }

    fn node<S: Source>(&mut self, source: &mut S) -> Result<(), Error> {
        string(source, &mut self.name)?;
        self.attribute.clear();
        if self.with_attributes {
            string(source, &mut self.attribute)?;
        }
        string(source, &mut self.vector)?;
        let numbers = number(source)?;
        let (uid, level) = (number(source)?, number(source)? as usize);
        // Beside the links: uid, level, two counts a level, and the length.
        let beside = 3 + 2 * (level.min(MOST_LEVELS) as u64 + 1);
        let mut left = numbers
            .checked_sub(beside)
            .filter(|_| level <= MOST_LEVELS)
            .ok_or(WRONG)?;
        let mut links = Vec::new();
        for level in 0..=level {
            let (count, _most) = (number(source)?, number(source)?);
            let most = self.set.m() as u64 * if level == 0 { 2 } else { 1 };
            left = left.checked_sub(count).filter(|_| count <= most).ok_or(WRONG)?;
            links.push(count);
            for _ in 0..count {
                links.push(number(source)?);
            }
        }
        let facts = number(source)?;
        if left != 0 || self.nodes.insert(uid, self.set.len() as u32).is_some() {
            return Err(WRONG);
        }
        // Only integers have a range; what stands in its place elsewhere means nothing. Redis keeps lengths that are infinite.
        let (length, range) = (f32::from_bits(facts as u32), f32::from_bits((facts >> 32) as u32));
        let point = OwnedPoint::from_raw(self.set.form(), self.dim, &self.vector, range);
        let saved = Saved {
            name: &self.name,
            attribute: &self.attribute,
            point: point.ok_or(WRONG)?,
            length: if length.is_finite() { length } else { 1.0 },
            uid,
            level,
        };
        self.set.restore(saved).ok_or(WRONG)?;
        self.links.push(links);
        Ok(())
    }

    /// Gives a node its links, but for those to nodes that are not there.
    fn link(&mut self, node: u32) -> Result<(), Error> {
        let links = std::mem::take(&mut self.links[node as usize]);
        let mut rest = &links[..];
        for level in 0..=self.set.level(node) {
            let (count, behind) = rest.split_first().ok_or(WRONG)?;
            let (uids, behind) = behind.split_at_checked(*count as usize).ok_or(WRONG)?;
            let known = uids.iter().filter_map(|uid| self.nodes.get(uid).copied());
            let known: Vec<u32> = known.filter(|&other| self.set.level(other) >= level).collect();
            self.set.restore_links(node, level, &known).ok_or(WRONG)?;
            rest = behind;
        }
        Ok(())
    }
}

fn projection<S: Source>(source: &mut S, dim: usize) -> Result<Projection, Error> {
    let input = number(source)?;
    let mut matrix = Vec::new();
    string(source, &mut matrix)?;
    let matrix = floats(&matrix).ok_or(WRONG)?;
    let input = usize::try_from(input).map_err(|_| WRONG)?;
    Projection::from_matrix(input, dim, matrix).ok_or(WRONG)
}
