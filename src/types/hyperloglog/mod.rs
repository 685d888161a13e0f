//! HyperLogLogs: how many distinct elements were seen, to within a percent, in a string of at most 12 KiB.
//!
//! An element's hash chooses one of 16,384 registers and offers it a number: how many zeros its other 50 bits end in,
//! and one more. A register keeps the highest number it was offered. Many distinct elements leave high numbers, and
//! repeated ones change nothing (Flajolet and others, "HyperLogLog: the analysis of a near-optimal cardinality estimation
//! algorithm", 2007). How the numbers become an estimate is in [`estimate`].
//!
//! The value is an ordinary string, the same bytes as in Redis, so that it can be read, copied and stored elsewhere:
//!
//! ```text
//! | HYLL | encoding | unused | cardinality    | registers |
//! | 4    | 1        | 3      | 8, low to high |           |
//! ```
//!
//! The cardinality is that of the last count; its topmost bit says that registers have changed since. Registers are
//! [`dense`], six bits each, or [`sparse`], runs of equal ones, which takes far less as long as most are zero. Anyone can
//! write any string, so nothing of what stands in one is trusted.

mod dense;
mod estimate;
mod sparse;
#[cfg(test)]
mod tests;

pub use sparse::Run;

use super::packed::PackedBuf;

/// Registers, of which the lowest bits of a hash choose one.
pub const REGISTERS: usize = 1 << INDEX_BITS;
const INDEX_BITS: u32 = 14;
/// The bits of a hash that an element's number is made from; the number is at most one more.
const NUMBER_BITS: u32 = 64 - INDEX_BITS;

const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING_AT: usize = 4;
const CARDINALITY_AT: usize = 8;
const HEADER: usize = 16;
const STALE: u8 = 1 << 7;

/// The seed Redis hashes elements with.
const SEED: u64 = 0xadc8_3b19;

/// How registers are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Dense,
    Sparse,
}

impl Encoding {
    /// The encoding of a string that looks like a HyperLogLog; `None` if it does not. Sparse registers may still turn out to
    /// be [`Corrupt`].
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < HEADER || !bytes.starts_with(MAGIC) {
            return None;
        }
        match bytes[ENCODING_AT] {
            0 => (bytes.len() == HEADER + dense::BYTES).then_some(Encoding::Dense),
            1 => Some(Encoding::Sparse),
            _ => None,
        }
    }

    fn of_valid(bytes: &[u8]) -> Result<Self, Corrupt> {
        Encoding::of(bytes).ok_or(Corrupt)
    }
}

/// The runs of sparse registers do not add up to all registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// A HyperLogLog that has seen nothing.
pub fn empty() -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    bytes[ENCODING_AT] = 1;
    bytes.extend_from_slice(&sparse::EMPTY);
    bytes
}

/// The cardinality in the header, unless registers have changed since it was written.
pub fn cached(bytes: &[u8]) -> Option<u64> {
    let cardinality = u64::from_le_bytes(*bytes[CARDINALITY_AT..HEADER].first_chunk()?);
    (bytes[HEADER - 1] & STALE == 0).then_some(cardinality)
}

/// Writes the cardinality into the header.
pub fn cache(bytes: &mut [u8], cardinality: u64) {
    bytes[CARDINALITY_AT..HEADER].copy_from_slice(&cardinality.to_le_bytes());
}

/// Says in the header that registers have changed.
pub fn invalidate(bytes: &mut [u8]) {
    bytes[HEADER - 1] |= STALE;
}

/// Counts an element; says whether a register changed, which the header then says too. A sparse HyperLogLog that would
/// get longer than `sparse_max` bytes becomes dense. O(1), in sparse registers O(bytes).
pub fn add(buf: &mut impl PackedBuf, element: &[u8], sparse_max: usize) -> Result<bool, Corrupt> {
    let (index, number) = place(element);
    let raised = match Encoding::of_valid(buf.bytes())? {
        Encoding::Dense => dense::raise(&mut buf.bytes_mut()[HEADER..], index, number),
        Encoding::Sparse => sparse::raise(buf, &mut sparse::Cursor::start(), index, number, sparse_max)?,
    };
    if raised {
        invalidate(buf.bytes_mut());
    }
    Ok(raised)
}

/// An element's register, and the number it offers it.
fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur(element, SEED);
    let index = hash as usize % REGISTERS;
    // A bit beyond the topmost ends the zeros of a hash that has nothing else.
    let rest = hash >> INDEX_BITS | 1 << NUMBER_BITS;
    (index, rest.trailing_zeros() as u8 + 1)
}

/// The estimated cardinality, from the registers. O(registers).
pub fn count(bytes: &[u8]) -> Result<u64, Corrupt> {
    let mut histogram = estimate::Histogram::default();
    match Encoding::of_valid(bytes)? {
        Encoding::Dense => dense::each(&bytes[HEADER..], |_, number| histogram.add(number, 1)),
        Encoding::Sparse => sparse::each(&bytes[HEADER..], |run| histogram.add(run.number, run.len))?,
    }
    Ok(histogram.cardinality())
}

/// Makes the registers dense; says whether they were not. O(registers).
pub fn make_dense(buf: &mut impl PackedBuf) -> Result<bool, Corrupt> {
    let bytes = buf.bytes();
    if Encoding::of_valid(bytes)? == Encoding::Dense {
        return Ok(false);
    }
    let mut registers = Registers::default();
    registers.merge(bytes)?;
    let dense = registers.to_dense(&bytes[..HEADER]);
    buf.splice(0..buf.bytes().len(), &dense);
    Ok(true)
}

/// The runs of sparse registers, whether or not they add up.
pub fn runs(bytes: &[u8]) -> impl Iterator<Item = Run> + '_ {
    sparse::runs(&bytes[HEADER..])
}

/// Registers a byte each, for merging.
pub struct Registers(Box<[u8; REGISTERS]>);

impl Default for Registers {
    fn default() -> Self {
        Registers(
            vec![0; REGISTERS]
                .into_boxed_slice()
                .try_into()
                .expect("the length is right"),
        )
    }
}

impl Registers {
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u8> + '_ {
        self.0.iter().copied()
    }

    /// Raises the registers to those of a HyperLogLog. O(registers).
    pub fn merge(&mut self, bytes: &[u8]) -> Result<(), Corrupt> {
        match Encoding::of_valid(bytes)? {
            Encoding::Dense => {
                dense::each(&bytes[HEADER..], |index, number| {
                    self.0[index] = self.0[index].max(number)
                });
                Ok(())
            }
            Encoding::Sparse => {
                let mut first = 0;
                sparse::each(&bytes[HEADER..], |run| {
                    let covered = &mut self.0[first..first + run.len];
                    if run.number > 0 {
                        covered.iter_mut().for_each(|number| *number = run.number.max(*number));
                    }
                    first += run.len;
                })
            }
        }
    }

    /// The cardinality of all that was merged.
    pub fn count(&self) -> u64 {
        let mut histogram = estimate::Histogram::default();
        self.iter().for_each(|number| histogram.add(number, 1));
        histogram.cardinality()
    }

    fn to_dense(&self, header: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + dense::BYTES);
        bytes.extend_from_slice(header);
        bytes[ENCODING_AT] = 0;
        dense::pack(&self.0, &mut bytes);
        bytes
    }

    /// Raises the registers of a HyperLogLog to these, one after the other as if by elements, and marks its header. It
    /// must have been merged into these before. O(registers).
    pub fn store(&self, buf: &mut impl PackedBuf, sparse_max: usize) -> Result<(), Corrupt> {
        let mut cursor = sparse::Cursor::start();
        let raised = self.iter().enumerate().filter(|&(_, number)| number > 0);
        for (index, number) in raised {
            if Encoding::of_valid(buf.bytes())? == Encoding::Dense {
                let dense = self.to_dense(&buf.bytes()[..HEADER]);
                buf.bytes_mut().copy_from_slice(&dense);
                break;
            }
            sparse::raise(buf, &mut cursor, index, number, sparse_max)?;
        }
        invalidate(buf.bytes_mut());
        Ok(())
    }
}

/// MurmurHash64A by Austin Appleby, in the public domain.
fn murmur(bytes: &[u8], seed: u64) -> u64 {
    const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;
    const SHIFT: u32 = 47;
    let mixed = |word: u64| {
        let word = word.wrapping_mul(MULTIPLIER);
        (word ^ word >> SHIFT).wrapping_mul(MULTIPLIER)
    };
    let mut hash = seed ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = (hash ^ mixed(u64::from_le_bytes(*word))).wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(MULTIPLIER);
    }
    hash = (hash ^ hash >> SHIFT).wrapping_mul(MULTIPLIER);
    hash ^ hash >> SHIFT
}
