//! LZF: the compression of long strings in dumps and snapshots.
//!
//! Marc Lehmann's LZF is a Lempel-Ziv code made for speed. The compressed form is a sequence of two kinds of pieces:
//!
//! ```text
//! 000LLLLL bytes                literal: the L + 1 bytes that follow (up to 32)
//! LLLooooo oooooooo             copy L + 2 bytes (3 to 8) from o + 1 bytes back (up to 8192)
//! 111ooooo LLLLLLLL oooooooo    the same for L + 9 bytes (up to 264)
//! ```
//!
//! Any sequence of pieces that yields the input is valid. This compressor makes the same choices as the library Redis
//! carries (a table of 2^16 places under the same hash, no search beyond the last place, two places noted behind a
//! match), so that a dump is the same bytes here and there.

/// The longest literal piece.
const LITERAL_MAX: usize = 32;
/// The farthest a copy reaches back.
const OFFSET_MAX: usize = 1 << 13;
/// The longest copy.
const COPY_MAX: usize = 264;
/// Copies of up to this many bytes say so in three bits.
const SHORT_COPY_MAX: usize = 8;
const HASH_BITS: u32 = 16;

/// A compressor, to be kept for many strings: its table of 256 KiB is made when the first is compressed.
#[derive(Default)]
pub struct Compressor {
    /// Where bytes of a hash were last seen, counted from `base`; what is below is of an earlier input.
    places: Vec<u32>,
    base: u32,
}

impl Compressor {
    pub fn new() -> Self {
        Compressor::default()
    }

    /// Appends the compressed form of `input` to `out` and says true, or false with `out` as it was if that would take
    /// more than `most` bytes, or nearly as many. O(input).
    pub fn compress(&mut self, input: &[u8], most: usize, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let fits = !input.is_empty() && most > 0 && self.begin(input.len()) && self.run(input, most, out);
        if !fits {
            out.truncate(start);
        }
        fits
    }

    /// Makes everything the table holds a place of an earlier input. False if the input is too long for places of 32
    /// bits.
    fn begin(&mut self, len: usize) -> bool {
        let Ok(len) = u32::try_from(len) else { return false };
        if self.places.is_empty() {
            self.places = vec![0; 1 << HASH_BITS];
        }
        // Place 0 of an input is never copied from, so that its number may be the last one's of the input before.
        match self.base.checked_add(len) {
            Some(_) => true,
            None => {
                self.places.fill(0);
                self.base = 0;
                true
            }
        }
    }

    fn run(&mut self, input: &[u8], most: usize, out: &mut Vec<u8>) -> bool {
        let base = self.base;
        self.base += input.len() as u32;
        let mut pieces = Pieces::new(out, most);
        let mut at = 0;
        while at + 2 < input.len() {
            let slot = &mut self.places[hash(input, at)];
            let seen = (*slot).saturating_sub(base) as usize;
            *slot = base + at as u32;
            if seen == 0 || at - seen > OFFSET_MAX || input[seen..seen + 3] != input[at..at + 3] {
                if !pieces.literal(input[at]) {
                    return false;
                }
                at += 1;
                continue;
            }
            let len = match_length(input, seen, at);
            if !pieces.copy(at - seen - 1, len) {
                return false;
            }
            at += len;
            if at + 2 >= input.len() {
                break;
            }
            for behind in [at - 2, at - 1] {
                self.places[hash(input, behind)] = base + behind as u32;
            }
        }
        pieces.has_room_for_the_rest() && input[at..].iter().all(|&byte| pieces.literal(byte)) && pieces.finish()
    }
}

/// The slot of the three bytes from `at` on.
fn hash(input: &[u8], at: usize) -> usize {
    let bytes = u32::from(input[at]) << 16 | u32::from(input[at + 1]) << 8 | u32::from(input[at + 2]);
    let slot = (bytes >> (24 - HASH_BITS)).wrapping_sub(bytes.wrapping_mul(5));
    slot as usize & ((1 << HASH_BITS) - 1)
}

/// How many bytes, three at least, are the same from `seen` and from `at` on. What is not looked at are the last two
/// bytes of the input, unless few are left.
fn match_length(input: &[u8], seen: usize, at: usize) -> usize {
    let left = (input.len() - at - 2).min(COPY_MAX);
    let most = if left > 16 { left.max(19) } else { left.max(3) };
    let same = |&len: &usize| input[seen + len] == input[at + len];
    3 + (3..most).take_while(same).count()
}

/// The compressed form under construction. The length of a literal stands before its bytes, so its place is taken
/// first and given back if nothing follows.
struct Pieces<'o> {
    out: &'o mut Vec<u8>,
    /// How long `out` may get.
    end: usize,
    /// Bytes of the open literal.
    literal: usize,
}

impl<'o> Pieces<'o> {
    fn new(out: &'o mut Vec<u8>, most: usize) -> Self {
        let end = out.len() + most;
        out.push(0);
        Pieces { out, end, literal: 0 }
    }

    fn literal(&mut self, byte: u8) -> bool {
        if self.out.len() >= self.end {
            return false;
        }
        self.out.push(byte);
        self.literal += 1;
        if self.literal == LITERAL_MAX {
            self.close_literal();
            self.out.push(0);
        }
        true
    }

    fn close_literal(&mut self) {
        let length_at = self.out.len() - self.literal - 1;
        match self.literal {
            0 => {
                self.out.pop();
            }
            len => self.out[length_at] = len as u8 - 1,
        }
        self.literal = 0;
    }

    fn copy(&mut self, offset: usize, len: usize) -> bool {
        let unused = usize::from(self.literal == 0);
        if self.out.len() - unused + 4 >= self.end {
            return false;
        }
        self.close_literal();
        let high = (offset >> 8) as u8;
        if len <= SHORT_COPY_MAX {
            self.out.push((len as u8 - 2) << 5 | high);
        } else {
            self.out.extend([7 << 5 | high, (len - SHORT_COPY_MAX - 1) as u8]);
        }
        self.out.extend([offset as u8, 0]);
        true
    }

    /// Asked before the last literal bytes, of which there are at most two or three.
    fn has_room_for_the_rest(&self) -> bool {
        self.out.len() + 3 <= self.end
    }

    fn finish(mut self) -> bool {
        self.close_literal();
        true
    }
}

/// The bytes are no compressed form, or not one of so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorruptLzf;

/// Bytes that a byte of input stands for at most: three are a copy of the longest kind.
const MOST_A_BYTE: usize = COPY_MAX / 3 + 1;

/// Appends the `len` bytes that `input` stands for to `out`. O(len); a forged length costs no more memory than the
/// input can stand for.
pub fn decompress(input: &[u8], len: usize, out: &mut Vec<u8>) -> Result<(), CorruptLzf> {
    let (start, mut rest) = (out.len(), input);
    out.reserve_exact(len.min(input.len().saturating_mul(MOST_A_BYTE)));
    while let Some((&control, behind)) = rest.split_first() {
        let control = usize::from(control);
        let count = if control < LITERAL_MAX {
            let (bytes, behind) = behind.split_at_checked(control + 1).ok_or(CorruptLzf)?;
            out.extend_from_slice(bytes);
            rest = behind;
            0
        } else {
            let (extra, behind) = match control >> 5 {
                7 => behind.split_first().ok_or(CorruptLzf)?,
                _ => (&0, behind),
            };
            let (&low, behind) = behind.split_first().ok_or(CorruptLzf)?;
            rest = behind;
            let offset = (control & 0x1f) << 8 | usize::from(low);
            let count = (control >> 5) + usize::from(*extra) + 2;
            let from = (out.len() - start).checked_sub(offset + 1).ok_or(CorruptLzf)?;
            copy_within(out, start + from, count);
            count
        };
        debug_assert!(count <= COPY_MAX);
        if out.len() - start > len {
            return Err(CorruptLzf);
        }
    }
    if out.len() - start == len {
        Ok(())
    } else {
        Err(CorruptLzf)
    }
}

/// Appends `count` bytes from `from` on, which may reach into what is being appended: a run repeats itself. Each round
/// copies all there is from `from` on, twice as much as the one before.
fn copy_within(out: &mut Vec<u8>, from: usize, mut count: usize) {
    while count > 0 {
        let step = count.min(out.len() - from);
        out.extend_from_within(from..from + step);
        count -= step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::testing::{Rng, from_hex};

    fn compressed(input: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let most = input.len().saturating_sub(4);
        Compressor::new().compress(input, most, &mut out).then_some(out)
    }

    /// What redis-server 7.0.15 has in its dumps of these strings.
    #[test]
    fn the_bytes_are_those_of_redis() {
        let cases: [(&[u8], &str); 5] = [
            (&[b'a'; 100], "01 61 61 e0 57 00 01 61 61"),
            (b"hello hello hello hello", "06 68 65 6c 6c 6f 20 68 e0 05 05 01 6c 6f"),
            (b"abcabcabcabcabcabcabcabcabc", "03 61 62 63 61 e0 0c 02 01 62 63"),
            (
                b"0123456789abcdef0123456789abcdef",
                "10 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 30 e0 04 0f 01 65 66",
            ),
            (b"abababababababababababab", "02 61 62 61 e0 0a 01 01 61 62"),
        ];
        for (input, hex) in cases {
            assert_eq!(
                compressed(input),
                Some(from_hex(hex)),
                "{}",
                String::from_utf8_lossy(input)
            );
        }
        assert_eq!(compressed(b"abcdefghijklmnopqrstuvwxyz"), None);
    }

    fn repetitive(rng: &mut Rng, len: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < len {
            if bytes.is_empty() || rng.chance(3) {
                bytes.extend(rng.text());
                bytes.push(rng.below(4) as u8);
            } else {
                let from = rng.below(bytes.len());
                let count = rng.below(400).min(bytes.len() - from);
                bytes.extend_from_within(from..from + count);
            }
        }
        bytes.truncate(len);
        bytes
    }

    #[test]
    fn what_was_compressed_comes_back() {
        let mut rng = Rng::new(5);
        let mut compressor = Compressor::new();
        let mut shrunk = 0;
        for round in 0..600 {
            // Near the end of the places' numbers too, where they start anew.
            if round == 300 {
                compressor.base = u32::MAX - 20_000;
            }
            let most = if rng.chance(10) { 30_000 } else { 600 };
            let len = rng.below(most);
            let input = repetitive(&mut rng, len);
            let (mut packed, mut back) = (b"before".to_vec(), b"front".to_vec());
            if !compressor.compress(&input, input.len().saturating_sub(4), &mut packed) {
                assert_eq!(packed, b"before");
                continue;
            }
            shrunk += 1;
            // A table full of earlier inputs makes no difference.
            assert_eq!(compressed(&input).as_deref(), Some(&packed[6..]));
            assert_eq!(decompress(&packed[6..], input.len(), &mut back), Ok(()));
            assert_eq!(back, [b"front", &input[..]].concat());
        }
        assert!(shrunk > 300);
    }

    #[test]
    fn broken_bytes_are_refused() {
        let good = compressed(&[b'a'; 1000]).expect("it shrinks");
        for len in [0, 3, 999, 1001, usize::MAX] {
            assert_eq!(decompress(&good, len, &mut Vec::new()), Err(CorruptLzf), "{len}");
        }
        assert_eq!(
            decompress(&good[..good.len() - 1], 1000, &mut Vec::new()),
            Err(CorruptLzf)
        );
        // A copy from before the beginning, and a copy cut short.
        assert_eq!(decompress(&[0, b'a', 0x20, 1], 4, &mut Vec::new()), Err(CorruptLzf));
        assert_eq!(decompress(&[0, b'a', 0x20], 4, &mut Vec::new()), Err(CorruptLzf));
        let mut rng = Rng::new(6);
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..rng.below(30)).map(|_| rng.next() as u8).collect();
            let _ = decompress(&bytes, rng.below(500), &mut Vec::new());
        }
    }
}
