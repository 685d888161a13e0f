//! Where encoded bytes come from: a slice, or a file through a buffer that keeps the checksum.

use std::io::Read;

use super::{COMPRESSED, Error, INT_8, INT_16, INT_32, LEN_14_BITS, LEN_32_BITS, LEN_64_BITS, SPECIAL};
use crate::persistence::crc64::Digest;
use crate::persistence::lzf;

/// How much of a long string is asked for at a time, so that a forged length finds its end before it costs memory.
const STEP: usize = 64 * 1024;
/// The buffer in front of a file.
const BUFFER: usize = 64 * 1024;

/// A source of bytes, and what all bodies are made of.
pub trait Source {
    /// Fills `out`, or says that there is not as much.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error>;

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.bytes::<1>()?[0])
    }

    /// Bytes that are known to be there still.
    fn known(&self) -> u64 {
        0
    }

    /// Appends the next `len` bytes to `out`, which grows with what comes and not with what was promised, unless it is
    /// known that as much is there: then it has its size at once, and does not move as it grows.
    fn append(&mut self, len: u64, out: &mut Vec<u8>) -> Result<(), Error> {
        if len > STEP as u64 && len <= self.known() {
            out.reserve_exact(len as usize);
        }
        let mut left = len;
        while left > 0 {
            let step = left.min(STEP as u64) as usize;
            let start = out.len();
            out.resize(start + step, 0);
            self.fill(&mut out[start..])?;
            left -= step as u64;
        }
        Ok(())
    }

    /// A length.
    fn length(&mut self) -> Result<u64, Error> {
        let first = self.byte()?;
        self.length_after(first)
    }

    fn length_after(&mut self, first: u8) -> Result<u64, Error> {
        Ok(match first {
            0..LEN_14_BITS => u64::from(first),
            LEN_14_BITS..LEN_32_BITS => u64::from(first & 0x3F) << 8 | u64::from(self.byte()?),
            LEN_32_BITS => u64::from(u32::from_be_bytes(self.bytes()?)),
            LEN_64_BITS => u64::from_be_bytes(self.bytes()?),
            _ => return Err(Error::Corrupt("no length where one must be")),
        })
    }

    /// Puts the next string into `out`, in the place of what is there.
    fn string(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        out.clear();
        let integer = match self.byte()? {
            INT_8 => i64::from(i8::from_le_bytes(self.bytes()?)),
            INT_16 => i64::from(i16::from_le_bytes(self.bytes()?)),
            INT_32 => i64::from(i32::from_le_bytes(self.bytes()?)),
            COMPRESSED => return self.compressed(out),
            first if first >= SPECIAL => return Err(Error::Corrupt("unknown encoding of a string")),
            first => {
                let len = self.length_after(first)?;
                return self.append(len, out);
            }
        };
        out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
        Ok(())
    }

    fn compressed(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        let (packed_len, len) = (self.length()?, self.length()?);
        let len = usize::try_from(len).map_err(|_| Error::Truncated)?;
        let mut packed = Vec::new();
        self.append(packed_len, &mut packed)?;
        lzf::decompress(&packed, len, out).map_err(|_| Error::Corrupt("a compressed string does not unpack"))
    }

    /// The next string as a new buffer.
    fn owned_string(&mut self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        self.string(&mut out)?;
        Ok(out)
    }

    /// A moment in milliseconds.
    fn millis(&mut self) -> Result<i64, Error> {
        Ok(i64::from_le_bytes(self.bytes()?))
    }
}

impl Source for &[u8] {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        let (head, rest) = self.split_at_checked(out.len()).ok_or(Error::Truncated)?;
        out.copy_from_slice(head);
        *self = rest;
        Ok(())
    }

    fn append(&mut self, len: u64, out: &mut Vec<u8>) -> Result<(), Error> {
        let len = usize::try_from(len).map_err(|_| Error::Truncated)?;
        let (head, rest) = self.split_at_checked(len).ok_or(Error::Truncated)?;
        out.extend_from_slice(head);
        *self = rest;
        Ok(())
    }
}

/// A reader with a buffer, which keeps the checksum of what was taken from it.
pub struct Input<R> {
    reader: R,
    buffer: Box<[u8]>,
    /// What is in the buffer and not taken yet.
    start: usize,
    end: usize,
    /// From where on the buffer is not in the digest yet.
    summed: usize,
    digest: Option<Digest>,
    /// Bytes taken and no longer in the buffer.
    passed: u64,
    /// Bytes there are in all, as far as is known.
    len: u64,
}

impl<R: Read> Input<R> {
    /// `checksum` says whether one is kept.
    pub fn new(reader: R, checksum: bool) -> Self {
        Input {
            reader,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            start: 0,
            end: 0,
            summed: 0,
            digest: checksum.then(Digest::default),
            passed: 0,
            len: 0,
        }
    }

    /// Says how many bytes there are in all.
    pub fn set_len(&mut self, len: u64) {
        self.len = len;
    }

    /// The bytes that were not taken, and the reader behind them.
    pub fn into_rest(self) -> (Vec<u8>, R) {
        (self.buffer[self.start..self.end].to_vec(), self.reader)
    }

    /// Bytes taken so far.
    pub fn position(&self) -> u64 {
        self.passed + self.start as u64
    }

    /// The checksum of the bytes taken so far; `None` if none is kept.
    pub fn checksum(&mut self) -> Option<u64> {
        self.sum();
        self.digest.as_ref().map(Digest::value)
    }

    fn sum(&mut self) {
        if let Some(digest) = &mut self.digest {
            digest.update(&self.buffer[self.summed..self.start]);
        }
        self.summed = self.start;
    }

    fn refill(&mut self) -> Result<(), Error> {
        self.sum();
        self.passed += self.start as u64;
        (self.start, self.summed, self.end) = (0, 0, 0);
        loop {
            match self.reader.read(&mut self.buffer) {
                Ok(0) => return Err(Error::Truncated),
                Ok(count) => {
                    self.end = count;
                    return Ok(());
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Io(error)),
            }
        }
    }
}

impl<R: Read> Source for Input<R> {
    fn known(&self) -> u64 {
        self.len.saturating_sub(self.position())
    }

    fn fill(&mut self, mut out: &mut [u8]) -> Result<(), Error> {
        loop {
            let count = out.len().min(self.end - self.start);
            let (head, rest) = out.split_at_mut(count);
            head.copy_from_slice(&self.buffer[self.start..self.start + count]);
            self.start += count;
            if rest.is_empty() {
                return Ok(());
            }
            out = rest;
            self.refill()?;
        }
    }
}
