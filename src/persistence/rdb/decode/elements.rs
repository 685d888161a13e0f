//! Values that are read element by element, a part at a time.
//!
//! A list of ten million elements takes seconds to read, and clients are to be answered meanwhile. So a reader of files
//! takes a value in parts: it begins one, reads a bounded number of elements, and goes on later from where it was.

use super::stream::{Generation, StreamReader};
use super::vector_set::VectorReader;
use super::{
    DUPLICATE_FIELD, DUPLICATE_MEMBER, ExpiringField, HashBuilder, INTSET_MOST, LATEST, Limits, checked_listpack,
    count, expiring_hash, from_ziplist, text_score,
};
use crate::keyspace::Kind;
use crate::persistence::rdb::{Error, NODE_PACKED, NODE_PLAIN, Source, Value, ValueType};
use crate::timer::Millis;
use crate::types::hash::{HashLimits, TimedHash};
use crate::types::list::{End, List};
use crate::types::listpack::Listpack;
use crate::types::set::{Form, SetBuilder};
use crate::types::zset::{self, Zset};

/// How many elements a node of a list or a stream counts for: it has some kilobytes. So may one of a vector set.
pub const NODE_WEIGHT: u64 = 8;

/// A value that is being read: what there is of it, and how many elements are to come.
pub struct Elements {
    left: u64,
    value: Building,
}

enum Building {
    List(List),
    /// The same from nodes, which are listpacks or ziplists.
    Nodes(List),
    OldNodes(List),
    Set(SetBuilder),
    Zset {
        zset: Zset,
        longest: usize,
        /// Whether scores are text.
        old: bool,
    },
    Hash(HashBuilder),
    Expiring(ExpiringBuilder),
    Stream(Box<StreamReader>),
    VectorSet(Box<VectorReader>),
}

/// A hash whose fields may have deadlines.
struct ExpiringBuilder {
    layout: ExpiringLayout,
    fields: ExpiringFields,
    /// Whether any has one.
    is_timed: bool,
}

/// How a field and its deadline are written.
enum ExpiringLayout {
    /// The deadline before the field.
    Draft,
    /// The same as a difference to the earliest one.
    Redis { earliest: i64 },
    /// Behind the value.
    Valkey,
}

enum ExpiringFields {
    /// Few enough that they may stay packed.
    Few(Vec<ExpiringField>),
    Table(Box<TimedHash>),
}

impl Elements {
    /// Reads what stands before the elements. `None` for a type whose body is packed bytes.
    pub fn begin<S: Source>(source: &mut S, value_type: ValueType, limits: &Limits) -> Result<Option<Self>, Error> {
        let generation = match value_type {
            ValueType::Stream => Some(Generation::First),
            ValueType::Stream2 => Some(Generation::Second),
            ValueType::Stream3 => Some(Generation::Third),
            _ => None,
        };
        if let Some(generation) = generation {
            let stream = StreamReader::begin(source, generation, limits.trust)?;
            return Ok(Some(Elements {
                left: 0,
                value: Building::Stream(Box::new(stream)),
            }));
        }
        let list = || List::new(limits.list);
        let (left, value) = match value_type {
            ValueType::List => (count(source)?, Building::List(list())),
            ValueType::ListQuicklist => (count(source)?, Building::OldNodes(list())),
            ValueType::ListQuicklist2 => (count(source)?, Building::Nodes(list())),
            ValueType::Set => {
                let count = count(source)?;
                let form = match count > (limits.set.intset_entries as u64).min(INTSET_MOST) {
                    true => Form::Table,
                    false => Form::Intset,
                };
                (count, Building::Set(SetBuilder::new(form)))
            }
            ValueType::ZsetText | ValueType::Zset => {
                let zset = Building::Zset {
                    zset: Zset::new(),
                    longest: 0,
                    old: value_type == ValueType::ZsetText,
                };
                (count(source)?, zset)
            }
            ValueType::Hash => {
                let count = count(source)?;
                (count, Building::Hash(HashBuilder::new(count, &limits.hash)))
            }
            ValueType::VectorSet => (0, Building::VectorSet(Box::new(VectorReader::begin(source)?))),
            ValueType::HashExpiringDraft => expiring(source, ExpiringLayout::Draft, limits)?,
            ValueType::HashExpiring => {
                let earliest = source.millis()?;
                expiring(source, ExpiringLayout::Redis { earliest }, limits)?
            }
            ValueType::HashExpiringValkey => expiring(source, ExpiringLayout::Valkey, limits)?,
            _ => return Ok(None),
        };
        Ok(Some(Elements { left, value }))
    }

    /// Reads about `most` elements more; true once all have been read. O(bytes of these), and O(log n) for each element of
    /// a sorted set.
    pub fn read<S: Source>(&mut self, source: &mut S, limits: &Limits, most: u64) -> Result<bool, Error> {
        let weight = match &mut self.value {
            Building::Stream(stream) => return stream.read(source, most),
            Building::VectorSet(set) => return set.read(source, (most / NODE_WEIGHT).max(1)),
            Building::Nodes(_) | Building::OldNodes(_) => NODE_WEIGHT,
            _ => 1,
        };
        let count = self.left.min((most / weight).max(1));
        match &mut self.value {
            Building::List(list) => list_elements(source, list, count)?,
            Building::Nodes(list) => each(count, || node(source, list))?,
            Building::OldNodes(list) => each(count, || ziplist_node(source, list))?,
            Building::Set(set) => members(source, set, limits, count)?,
            Building::Zset { zset, longest, old } => scored_members(source, zset, longest, *old, count)?,
            Building::Hash(hash) => fields(source, hash, &limits.hash, count)?,
            Building::Expiring(hash) => each(count, || hash.read_field(source))?,
            Building::Stream(_) | Building::VectorSet(_) => {}
        }
        self.left -= count;
        Ok(self.left == 0)
    }

    /// The value, once all of it has been read.
    pub fn finish(self, limits: &Limits) -> Result<Value, Error> {
        match self.value {
            Building::List(list) | Building::Nodes(list) | Building::OldNodes(list) => finish_list(list),
            Building::Set(SetBuilder::Intset(bytes)) => Ok(Value::Packed(Kind::SetInts, bytes)),
            Building::Set(SetBuilder::Packed(bytes)) => Ok(Value::Packed(Kind::SetPacked, bytes)),
            Building::Set(SetBuilder::Table(set)) => Ok(Value::Set(set)),
            // Now that it is known what there is.
            Building::Zset { zset, longest, .. } if limits.zset.allow(zset.len(), longest) => {
                Ok(Value::Packed(Kind::ZsetPacked, zset::pack(&zset)))
            }
            Building::Zset { zset, .. } => Ok(Value::Zset(Box::new(zset))),
            Building::Hash(hash) => hash.finish(),
            Building::Expiring(hash) => hash.finish(&limits.hash),
            Building::Stream(stream) => Ok(stream.finish()),
            Building::VectorSet(set) => Ok(set.finish()),
        }
    }
}

fn each(count: u64, mut read: impl FnMut() -> Result<(), Error>) -> Result<(), Error> {
    (0..count).try_for_each(|_| read())
}

// Lists.

fn list_elements<S: Source>(source: &mut S, list: &mut List, count: u64) -> Result<(), Error> {
    let mut text = Vec::new();
    for _ in 0..count {
        source.string(&mut text)?;
        list.push(End::Tail, &text);
    }
    Ok(())
}

fn ziplist_node<S: Source>(source: &mut S, list: &mut List) -> Result<(), Error> {
    let pack = from_ziplist(&source.owned_string()?, "Quicklist ziplist integrity check failed")?;
    list.append_listpack(Listpack::new(&pack));
    Ok(())
}

fn node<S: Source>(source: &mut S, list: &mut List) -> Result<(), Error> {
    let container = source.length()?;
    let bytes = source.owned_string()?;
    match container {
        _ if bytes.is_empty() => return Err(Error::Corrupt("a list has a node without bytes")),
        NODE_PLAIN => list.append_plain(&bytes),
        NODE_PACKED => {
            list.append_listpack(checked_listpack(&bytes, "Quicklist listpack integrity check failed")?);
        }
        _ => return Err(Error::Corrupt("unknown kind of list node")),
    }
    Ok(())
}

fn finish_list(list: List) -> Result<Value, Error> {
    if list.is_empty() {
        return Err(Error::Empty);
    }
    Ok(match list.fits_listpack() {
        true => Value::Packed(Kind::ListPacked, list.to_listpack()),
        false => Value::List(Box::new(list)),
    })
}

// Sets and sorted sets.

fn members<S: Source>(source: &mut S, set: &mut SetBuilder, limits: &Limits, count: u64) -> Result<(), Error> {
    let mut member = Vec::new();
    for _ in 0..count {
        source.string(&mut member)?;
        if !set.add(&member, &limits.set) {
            return Err(DUPLICATE_MEMBER);
        }
    }
    Ok(())
}

fn scored_members<S: Source>(
    source: &mut S,
    zset: &mut Zset,
    longest: &mut usize,
    old: bool,
    count: u64,
) -> Result<(), Error> {
    let mut member = Vec::new();
    for _ in 0..count {
        source.string(&mut member)?;
        let score = match old {
            true => text_score(source)?,
            false => f64::from_le_bytes(source.bytes()?),
        };
        if score.is_nan() {
            return Err(Error::Corrupt("a sorted set has a score that is no number"));
        }
        if zset.insert(&member, score).is_some() {
            return Err(Error::Corrupt("a sorted set has a member twice"));
        }
        *longest = member.len().max(*longest);
    }
    Ok(())
}

// Hashes.

fn fields<S: Source>(source: &mut S, hash: &mut HashBuilder, limits: &HashLimits, count: u64) -> Result<(), Error> {
    let (mut field, mut value) = (Vec::new(), Vec::new());
    for _ in 0..count {
        source.string(&mut field)?;
        source.string(&mut value)?;
        hash.add(&field, &value, limits)?;
    }
    Ok(())
}

fn expiring<S: Source>(source: &mut S, layout: ExpiringLayout, limits: &Limits) -> Result<(u64, Building), Error> {
    let count = count(source)?;
    let fields = match count > limits.hash.entries as u64 {
        true => ExpiringFields::Table(Box::default()),
        false => ExpiringFields::Few(Vec::new()),
    };
    let builder = ExpiringBuilder {
        layout,
        fields,
        is_timed: false,
    };
    Ok((count, Building::Expiring(builder)))
}

impl ExpiringBuilder {
    fn read_field<S: Source>(&mut self, source: &mut S) -> Result<(), Error> {
        let before = match self.layout {
            ExpiringLayout::Draft => source.length()?,
            // Differences are written plus one, so that zero is left for "none".
            ExpiringLayout::Redis { earliest } => match source.length()? {
                0 => 0,
                behind => (behind - 1).wrapping_add(earliest as u64),
            },
            ExpiringLayout::Valkey => 0,
        };
        let (field, value) = (source.owned_string()?, source.owned_string()?);
        let deadline = match self.layout {
            ExpiringLayout::Draft | ExpiringLayout::Redis { .. } => before,
            ExpiringLayout::Valkey => match source.millis()? {
                -1 => 0,
                deadline => deadline as u64,
            },
        };
        if deadline > LATEST {
            return Err(Error::Corrupt("a deadline out of range"));
        }
        let deadline = (deadline != 0).then_some(Millis(deadline as i64));
        self.is_timed |= deadline.is_some();
        match &mut self.fields {
            ExpiringFields::Few(fields) => fields.push(ExpiringField { field, value, deadline }),
            ExpiringFields::Table(hash) => {
                if !hash.insert(&field, &value, deadline) {
                    return Err(DUPLICATE_FIELD);
                }
            }
        }
        Ok(())
    }

    fn finish(self, limits: &HashLimits) -> Result<Value, Error> {
        // Redis has forms of their own for hashes without deadlines; Valkey may have written this one all the same.
        let is_plain = matches!(self.layout, ExpiringLayout::Valkey) && !self.is_timed;
        match self.fields {
            ExpiringFields::Few(fields) if is_plain => plain_hash(
                fields.len(),
                fields.iter().map(|field| (&field.field[..], &field.value[..])),
                limits,
            ),
            ExpiringFields::Few(fields) => expiring_hash(fields, limits),
            ExpiringFields::Table(hash) if is_plain => {
                plain_hash(hash.len(), hash.iter().map(|(field, value, _)| (field, value)), limits)
            }
            ExpiringFields::Table(hash) => Ok(Value::TimedHash(hash)),
        }
    }
}

fn plain_hash<'a>(
    count: usize,
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    limits: &HashLimits,
) -> Result<Value, Error> {
    let mut builder = HashBuilder::new(count as u64, limits);
    for (field, value) in fields {
        builder.add(field, value, limits)?;
    }
    builder.finish()
}
