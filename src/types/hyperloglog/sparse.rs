//! Sparse registers: runs of equal numbers, one or two bytes each.
//!
//! ```text
//! 00llllll           1 to 64 registers of zero
//! 01llllll llllllll  1 to 16,384 registers of zero
//! 1nnnnnll           1 to 4 registers of a number from 1 to 32
//! ```
//!
//! Raising a register splits its run in up to three and then joins neighbours that have become alike. Where runs
//! could be written in more than one way, the way taken here is that of Redis, so that the same commands give the same
//! string.

use super::{Corrupt, HEADER, REGISTERS, dense, make_dense};
use crate::types::packed::PackedBuf;

/// One run: all registers are zero.
pub const EMPTY: [u8; 2] = [0x7F, 0xFF];

/// The highest number a run can have; a register that needs more makes all of them dense.
const HIGHEST: u8 = 32;
/// The longest run of a number above zero.
const LONGEST_RAISED: usize = 4;
/// The longest run of zeros that fits one byte.
const LONGEST_SHORT: usize = 64;
/// How many runs are looked at for neighbours that have become alike, from the one before the change on.
const JOINED: usize = 5;

/// Registers of the same number that follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub number: u8,
    pub len: usize,
    /// Whether it is a run of zeros of two bytes.
    pub long: bool,
}

impl Run {
    fn raised(number: u8, len: usize) -> Run {
        Run {
            number,
            len,
            long: false,
        }
    }

    fn zeros(len: usize) -> Run {
        Run {
            number: 0,
            len,
            long: len > LONGEST_SHORT,
        }
    }

    /// The run that begins `bytes`, of which there must be one. The second byte of a long one that is cut off counts as
    /// zero.
    fn read(bytes: &[u8]) -> Run {
        let first = bytes[0];
        let low = usize::from(first & 0x3F);
        match first >> 6 {
            0 => Run::zeros(low + 1),
            1 => Run {
                number: 0,
                len: (low << 8 | usize::from(bytes.get(1).copied().unwrap_or(0))) + 1,
                long: true,
            },
            _ => Run::raised((first >> 2 & 0x1F) + 1, usize::from(first & 3) + 1),
        }
    }

    fn bytes(self) -> usize {
        1 + usize::from(self.long)
    }

    /// The run with another length. Runs of zeros get the form that suits it.
    fn with_len(self, len: usize) -> Run {
        if self.number == 0 {
            Run::zeros(len)
        } else {
            Run { len, ..self }
        }
    }

    fn one_byte(self) -> u8 {
        let len = self.len as u8 - 1;
        if self.number == 0 {
            len
        } else {
            0x80 | (self.number - 1) << 2 | len
        }
    }
}

/// Up to three runs, encoded: what becomes of one run when a register in it is raised.
#[derive(Default)]
struct Sequence {
    bytes: [u8; 5],
    len: usize,
}

impl Sequence {
    fn push(&mut self, run: Run) {
        if run.len == 0 {
            return;
        }
        if run.long {
            let len = run.len - 1;
            self.bytes[self.len] = 0x40 | (len >> 8) as u8;
            self.bytes[self.len + 1] = len as u8;
        } else {
            self.bytes[self.len] = run.one_byte();
        }
        self.len += run.bytes();
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The runs of sparse registers, as they stand.
pub fn runs(mut registers: &[u8]) -> impl Iterator<Item = Run> + '_ {
    std::iter::from_fn(move || {
        if registers.is_empty() {
            return None;
        }
        let run = Run::read(registers);
        registers = registers.get(run.bytes()..).unwrap_or_default();
        Some(run)
    })
}

/// Tells every run; fails at the first that goes beyond the last register, and if there are registers left over.
pub fn each(registers: &[u8], mut tell: impl FnMut(Run)) -> Result<(), Corrupt> {
    let mut left = REGISTERS;
    for run in runs(registers) {
        left = left.checked_sub(run.len).ok_or(Corrupt)?;
        tell(run);
    }
    if left == 0 { Ok(()) } else { Err(Corrupt) }
}

/// A run's place: its offset in the string, the register it begins with, and the offset of the run before it.
///
/// A cursor that has raised one register may go on with any higher one: it is left before everything the change moved.
#[derive(Clone, Copy)]
pub struct Cursor {
    at: usize,
    first: usize,
    before: Option<usize>,
}

impl Cursor {
    pub fn start() -> Self {
        Cursor {
            at: HEADER,
            first: 0,
            before: None,
        }
    }
}

/// Raises a register to `number` if it is lower; says whether it was. O(bytes) from the cursor's place on.
pub fn raise(
    buf: &mut impl PackedBuf,
    cursor: &mut Cursor,
    index: usize,
    number: u8,
    longest: usize,
) -> Result<bool, Corrupt> {
    if number > HIGHEST {
        return raise_densely(buf, index, number);
    }
    let (place, run) = find(buf.bytes(), cursor, index)?;
    if run.number >= number {
        return Ok(false);
    }
    let mut sequence = Sequence::default();
    sequence.push(run.with_len(index - place.first));
    sequence.push(Run::raised(number, 1));
    sequence.push(run.with_len(place.first + run.len - 1 - index));
    let grows = sequence.len > run.bytes();
    if grows && buf.bytes().len() + sequence.len - run.bytes() > longest {
        return raise_densely(buf, index, number);
    }
    // A run that is cut off cuts off as much of what replaces it: the string grows as if the run were whole.
    let end = place.at + run.bytes();
    let cut = end.saturating_sub(buf.bytes().len());
    buf.splice(place.at..end - cut, &sequence.bytes()[..sequence.len - cut]);
    join(buf, place.before.unwrap_or(HEADER));
    if cursor.at == place.at {
        // The run before the cursor may just have been joined with the one at it.
        *cursor = Cursor::start();
    }
    Ok(true)
}

fn raise_densely(buf: &mut impl PackedBuf, index: usize, number: u8) -> Result<bool, Corrupt> {
    make_dense(buf)?;
    Ok(dense::raise(&mut buf.bytes_mut()[HEADER..], index, number))
}

/// The run with the register `index`. The cursor is left at the run before it, unless it stood at this one already.
fn find(bytes: &[u8], cursor: &mut Cursor, index: usize) -> Result<(Cursor, Run), Corrupt> {
    let mut place = *cursor;
    while place.at < bytes.len() {
        let run = Run::read(&bytes[place.at..]);
        if index < place.first + run.len {
            return Ok((place, run));
        }
        *cursor = place;
        place = Cursor {
            at: place.at + run.bytes(),
            first: place.first + run.len,
            before: Some(place.at),
        };
    }
    Err(Corrupt)
}

/// Joins runs of the same number above zero that have become neighbours, as far as the joined run may go.
fn join(buf: &mut impl PackedBuf, from: usize) {
    let mut at = from;
    for _ in 0..JOINED {
        let Some(rest) = buf.bytes().get(at..).filter(|rest| !rest.is_empty()) else {
            return;
        };
        let run = Run::read(rest);
        let next = rest.get(run.bytes()..).filter(|rest| !rest.is_empty()).map(Run::read);
        match next {
            Some(next) if run.number > 0 && next.number == run.number && run.len + next.len <= LONGEST_RAISED => {
                let joined = Run::raised(run.number, run.len + next.len);
                buf.splice(at..at + 2, &[joined.one_byte()]);
            }
            _ => at += run.bytes(),
        }
    }
}
