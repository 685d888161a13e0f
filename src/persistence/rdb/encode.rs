//! Writing values.

use std::io::{self, Write};

use super::{
    COMPRESSED, INT_8, INT_16, INT_32, LEN_14_BITS, LEN_32_BITS, LEN_64_BITS, NODE_PACKED, NODE_PLAIN, ValueType,
    Version,
};
use crate::format::number::parse_i64;
use crate::keyspace::ValueRef;
use crate::persistence::lzf::Compressor;
use crate::types::hash::{HashRef, PairPack, TimedHash, timed_packed};
use crate::types::list::{List, NodeRef};
use crate::types::listpack::{self, Element, Listpack};
use crate::types::stream::{Group, Stream, StreamId};
use crate::types::vector_set::{Quantization, VectorSet};
use crate::types::zset::Zset;

/// Strings up to this many bytes may be the text of an integer of 32 bits.
const INTEGER_TEXT_MAX: usize = 11;
/// Strings up to this many bytes are not worth compressing.
const INCOMPRESSIBLE_MAX: usize = 20;
/// What compression must win at least.
const LEAST_GAIN: usize = 4;
/// An element from this size on is too large for a listpack also in versions that hardly know plain nodes.
const PACKED_ELEMENT_MAX: usize = 1 << 30;

/// The module that vector sets are of, a name of nine letters at six bits each, and the version of its values.
pub(super) const VECTOR_SET: u64 = 0xBDE7_2DA2_BB1E_B400;
/// What a module writes: a code, then a number or a string; at the end a zero.
pub(super) const MODULE_NUMBER: u64 = 2;
pub(super) const MODULE_STRING: u64 = 5;
const MODULE_END: u64 = 0;
/// Bytes of each float of a matrix.
pub(super) const MODULE_FLOATS: usize = 4;

/// How to write.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub version: Version,
    /// `rdbcompression`: pack long strings with LZF.
    pub compress: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            version: Version::REDIS_7_0,
            compress: true,
        }
    }
}

/// Writes values, and what they are made of, to a writer (which should have a buffer).
pub struct Encoder<W> {
    out: W,
    options: Options,
    compressor: Compressor,
    packed: Vec<u8>,
}

impl<W: Write> Encoder<W> {
    pub fn new(out: W, options: Options) -> Self {
        Encoder {
            out,
            options,
            compressor: Compressor::new(),
            packed: Vec::new(),
        }
    }

    pub fn into_inner(self) -> W {
        self.out
    }

    pub fn byte(&mut self, byte: u8) -> io::Result<()> {
        self.out.write_all(&[byte])
    }

    pub fn length(&mut self, len: u64) -> io::Result<()> {
        if len < 1 << 6 {
            self.byte(len as u8)
        } else if len < 1 << 14 {
            self.out.write_all(&[LEN_14_BITS | (len >> 8) as u8, len as u8])
        } else if let Ok(len) = u32::try_from(len) {
            self.byte(LEN_32_BITS)?;
            self.out.write_all(&len.to_be_bytes())
        } else {
            self.byte(LEN_64_BITS)?;
            self.out.write_all(&len.to_be_bytes())
        }
    }

    /// A string, as an integer or compressed where that is shorter.
    pub fn string(&mut self, text: &[u8]) -> io::Result<()> {
        if text.len() <= INTEGER_TEXT_MAX
            && let Some(value) = parse_i64(text)
            && let Ok(value) = i32::try_from(value)
        {
            return self.small_integer(value);
        }
        if self.options.compress && text.len() > INCOMPRESSIBLE_MAX {
            self.packed.clear();
            let most = text.len() - LEAST_GAIN;
            if self.compressor.compress(text, most, &mut self.packed) {
                self.byte(COMPRESSED)?;
                self.length(self.packed.len() as u64)?;
                self.length(text.len() as u64)?;
                return self.out.write_all(&self.packed);
            }
        }
        self.length(text.len() as u64)?;
        self.out.write_all(text)
    }

    /// The text of an integer.
    pub fn integer(&mut self, value: i64) -> io::Result<()> {
        if let Ok(value) = i32::try_from(value) {
            return self.small_integer(value);
        }
        let mut digits = itoa::Buffer::new();
        let text = digits.format(value).as_bytes();
        self.length(text.len() as u64)?;
        self.out.write_all(text)
    }

    fn small_integer(&mut self, value: i32) -> io::Result<()> {
        if let Ok(value) = i8::try_from(value) {
            self.byte(INT_8)?;
            self.out.write_all(&value.to_le_bytes())
        } else if let Ok(value) = i16::try_from(value) {
            self.byte(INT_16)?;
            self.out.write_all(&value.to_le_bytes())
        } else {
            self.byte(INT_32)?;
            self.out.write_all(&value.to_le_bytes())
        }
    }

    fn element(&mut self, element: Element) -> io::Result<()> {
        match element {
            Element::Int(value) => self.integer(value),
            Element::Str(text) => self.string(text),
        }
    }

    /// A moment in milliseconds.
    pub fn millis(&mut self, at: i64) -> io::Result<()> {
        self.out.write_all(&at.to_le_bytes())
    }

    /// The type under which [`Encoder::value`] writes this value.
    pub fn type_of(&self, value: ValueRef<'_>) -> ValueType {
        let newer = self.options.version >= Version::REDIS_7_2;
        match value {
            ValueRef::Int(_) | ValueRef::Str(_) => ValueType::String,
            ValueRef::ListPacked(_) | ValueRef::List(_) => ValueType::ListQuicklist2,
            ValueRef::SetInts(_) => ValueType::SetIntset,
            ValueRef::SetPacked(_) if newer => ValueType::SetListpack,
            ValueRef::SetPacked(_) | ValueRef::Set(_) => ValueType::Set,
            ValueRef::HashPacked(_) => ValueType::HashListpack,
            ValueRef::Hash(_) => ValueType::Hash,
            ValueRef::HashTimedPacked(bytes) if self.has_older_form(bytes) => ValueType::HashListpack,
            ValueRef::HashTimedPacked(_) => ValueType::HashListpackExpiring,
            ValueRef::HashTimed(hash) if hash.first_due().is_some() => ValueType::HashExpiring,
            ValueRef::HashTimed(_) => ValueType::Hash,
            ValueRef::ZsetPacked(_) => ValueType::ZsetListpack,
            ValueRef::Zset(_) => ValueType::Zset,
            ValueRef::Stream(_) if newer => ValueType::Stream3,
            ValueRef::Stream(_) => ValueType::Stream2,
            ValueRef::VectorSet(_) => ValueType::VectorSet,
        }
    }

    /// The body of a value. O(bytes), compression included.
    pub fn value(&mut self, value: ValueRef<'_>) -> io::Result<()> {
        match value {
            ValueRef::Int(value) => self.integer(value),
            ValueRef::Str(text) => self.string(text),
            ValueRef::ListPacked(pack) => {
                self.length(1)?;
                self.packed_node(pack)
            }
            ValueRef::List(list) => self.list(list),
            ValueRef::SetPacked(pack) if self.type_of(value) == ValueType::Set => self.listpack_members(pack),
            ValueRef::SetInts(bytes) | ValueRef::SetPacked(bytes) | ValueRef::ZsetPacked(bytes) => self.string(bytes),
            ValueRef::Set(set) => {
                self.length(set.len() as u64)?;
                set.iter().try_for_each(|member| self.string(member))
            }
            ValueRef::HashPacked(bytes) => self.string(&PairPack::new(bytes).to_listpack()),
            ValueRef::Hash(hash) => {
                self.length(hash.len() as u64)?;
                HashRef::Table(hash).iter().try_for_each(|(field, value)| {
                    self.element(field)?;
                    self.element(value)
                })
            }
            ValueRef::HashTimedPacked(bytes) if self.has_older_form(bytes) => {
                self.string(&timed_packed::to_pairs(Listpack::new(bytes)))
            }
            ValueRef::HashTimedPacked(bytes) => {
                let first_due = timed_packed::first_due(Listpack::new(bytes));
                self.millis(first_due.map_or(0, |at| at.0))?;
                self.string(bytes)
            }
            ValueRef::HashTimed(hash) => self.timed_hash(hash),
            ValueRef::Zset(zset) => self.zset(zset),
            ValueRef::Stream(stream) => self.stream(stream),
            ValueRef::VectorSet(set) => self.vector_set(set),
        }
    }

    /// Whether a listpack of triples is written as one of pairs: no field has a deadline, and servers before 7.4, for which
    /// this is, do not know it.
    fn has_older_form(&self, triples: &[u8]) -> bool {
        self.options.version < Version::REDIS_7_4 && timed_packed::first_due(Listpack::new(triples)).is_none()
    }

    /// Deadlines are written as differences to the earliest, plus one, so that zero is left for "none". Without any it is an
    /// ordinary hash.
    fn timed_hash(&mut self, hash: &TimedHash) -> io::Result<()> {
        let first_due = hash.first_due();
        if let Some(first_due) = first_due {
            self.millis(first_due.0)?;
        }
        self.length(hash.len() as u64)?;
        hash.iter().try_for_each(|(field, value, deadline)| {
            if let Some(first_due) = first_due {
                self.length(deadline.map_or(0, |at| at.since(first_due) as u64 + 1))?;
            }
            self.string(field)?;
            self.string(value)
        })
    }

    fn list(&mut self, list: &List) -> io::Result<()> {
        let plain_from = match self.options.version >= Version::REDIS_7_2 {
            true => 0,
            false => PACKED_ELEMENT_MAX,
        };
        self.length(list.nodes().len() as u64)?;
        for node in list.nodes() {
            match node {
                NodeRef::Plain(text) if text.len() >= plain_from => {
                    self.length(NODE_PLAIN)?;
                    self.string(text)?;
                }
                NodeRef::Plain(text) => self.packed_node(&listpack::from_elements([Element::Str(text)]))?,
                NodeRef::Packed { run, count } => self.packed_node(&listpack::from_run(run, count))?,
            }
        }
        Ok(())
    }

    fn packed_node(&mut self, pack: &[u8]) -> io::Result<()> {
        self.length(NODE_PACKED)?;
        self.string(pack)
    }

    fn listpack_members(&mut self, pack: &[u8]) -> io::Result<()> {
        let pack = Listpack::new(pack);
        self.length(pack.len() as u64)?;
        pack.iter().try_for_each(|entry| self.element(entry.element))
    }

    /// From the highest score down, so that a reader which inserts at the front finds each place at once.
    fn zset(&mut self, zset: &Zset) -> io::Result<()> {
        self.length(zset.len() as u64)?;
        zset.iter(0..zset.len(), true).try_for_each(|(member, score)| {
            self.string(member)?;
            self.out.write_all(&score.to_le_bytes())
        })
    }

    fn id(&mut self, id: StreamId) -> io::Result<()> {
        self.length(id.ms)?;
        self.length(id.seq)
    }

    fn stream(&mut self, stream: &Stream) -> io::Result<()> {
        self.length(stream.node_count() as u64)?;
        for (master_id, bytes) in stream.raw_nodes() {
            self.string(&master_id.to_be_bytes())?;
            self.string(bytes)?;
        }
        self.length(stream.len())?;
        self.id(stream.last_id)?;
        self.id(stream.first_id())?;
        self.id(stream.max_deleted_id)?;
        self.length(stream.entries_added)?;
        self.length(stream.groups().len() as u64)?;
        for (name, group) in stream.groups() {
            self.string(name)?;
            self.group(group)?;
        }
        Ok(())
    }

    /// First what the group has pending, with times and counts, then for each consumer which of these are its own.
    fn group(&mut self, group: &Group) -> io::Result<()> {
        self.id(group.last_id)?;
        // Redis keeps a signed number, and -1 for "not known".
        self.length(group.entries_read.unwrap_or(u64::MAX))?;
        self.length(group.pending().len() as u64)?;
        for (id, pending) in group.pending() {
            self.out.write_all(&id.to_be_bytes())?;
            self.millis(pending.delivery_time)?;
            self.length(pending.delivery_count)?;
        }
        self.length(group.consumers().len() as u64)?;
        for (_, consumer) in group.consumers() {
            self.string(consumer.name())?;
            self.millis(consumer.seen_time)?;
            if self.options.version >= Version::REDIS_7_2 {
                self.millis(consumer.active_time.unwrap_or(-1))?;
            }
            self.length(consumer.pending().len() as u64)?;
            for id in consumer.pending() {
                self.out.write_all(&id.to_be_bytes())?;
            }
        }
        Ok(())
    }

    fn module_number(&mut self, number: u64) -> io::Result<()> {
        self.length(MODULE_NUMBER)?;
        self.length(number)
    }

    fn module_string(&mut self, text: &[u8]) -> io::Result<()> {
        self.length(MODULE_STRING)?;
        self.string(text)
    }

    /// As its reader describes it (`decode/vector_set.rs`).
    fn vector_set(&mut self, set: &VectorSet) -> io::Result<()> {
        self.length(VECTOR_SET)?;
        let form = match set.form() {
            Quantization::Float => 0,
            Quantization::Int8 => 1,
            Quantization::Binary => 2,
        };
        let with_attributes = set.attributes() > 0;
        let follows = u64::from(set.projection().is_some()) | u64::from(with_attributes) << 1;
        for number in [
            set.dim() as u64,
            set.len() as u64,
            (set.m() as u64) << 8 | form,
            follows,
        ] {
            self.module_number(number)?;
        }
        if let Some(projection) = set.projection() {
            self.module_number(projection.input() as u64)?;
            let matrix: Vec<u8> = projection.matrix().iter().flat_map(|sign| sign.to_le_bytes()).collect();
            self.module_string(&matrix)?;
        }
        for node in 0..set.len() as u32 {
            self.vector_node(set, node, with_attributes)?;
        }
        self.length(MODULE_END)
    }

    fn vector_node(&mut self, set: &VectorSet, node: u32, with_attributes: bool) -> io::Result<()> {
        self.module_string(set.name(node))?;
        if with_attributes {
            self.module_string(set.attribute(node))?;
        }
        self.module_string(&set.point(node).raw())?;
        let levels = 0..=set.level(node);
        let links: usize = levels.clone().map(|level| 2 + set.links(node, level).len()).sum();
        self.module_number(3 + links as u64)?;
        self.module_number(set.uid(node))?;
        self.module_number(set.level(node) as u64)?;
        for level in levels {
            let most = if level == 0 { 2 * set.m() } else { set.m() };
            let links = set.links(node, level);
            self.module_number(links.len() as u64)?;
            self.module_number(most as u64)?;
            for &link in links {
                self.module_number(set.uid(link))?;
            }
        }
        let range = set.point(node).range().unwrap_or(0.0);
        self.module_number(u64::from(range.to_bits()) << 32 | u64::from(set.length(node).to_bits()))
    }
}
