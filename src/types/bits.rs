//! Bits of a string: counting, searching, combining, and integers of any width at any place.
//!
//! Bit 0 is the most significant bit of the first byte, so that the bits of a string read from left to right. Behind
//! its end a string goes on with zeros. Everything long is done a word or more at a time.

use std::ops::Range;

/// Bytes looked at in one step of a long loop: enough for the compiler to use the widest registers there are.
const STRIDE: usize = 32;

fn words(chunk: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let (words, _) = chunk.as_chunks::<8>();
    words.iter().map(|word| u64::from_ne_bytes(*word))
}

/// How many bits are set. O(bytes).
pub fn count(bytes: &[u8]) -> u64 {
    let (strides, rest) = bytes.as_chunks::<STRIDE>();
    let in_strides: u64 = strides
        .iter()
        .map(|stride| words(stride).map(|word| u64::from(word.count_ones())).sum::<u64>())
        .sum();
    in_strides + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// The whole bytes of a range of bits that lies within the string, and what is left of the bytes at its two ends: each a
/// place and the mask of the bits that count.
struct Cut {
    head: Option<(usize, u8)>,
    body: Range<usize>,
    tail: Option<(usize, u8)>,
}

impl Cut {
    fn of(bits: Range<u64>) -> Cut {
        let (first, last) = ((bits.start / 8) as usize, (bits.end / 8) as usize);
        let (skipped, taken) = (bits.start % 8, bits.end % 8);
        let from_start = 0xFF_u8 >> skipped;
        let up_to_end = !(0xFF_u8 >> taken);
        if first == last {
            return Cut {
                head: (skipped < taken).then_some((first, from_start & up_to_end)),
                body: first..first,
                tail: None,
            };
        }
        Cut {
            head: (skipped > 0).then_some((first, from_start)),
            body: first + usize::from(skipped > 0)..last,
            tail: (taken > 0).then_some((last, up_to_end)),
        }
    }
}

/// How many bits of a range within the string are set. O(bytes of the range).
pub fn count_range(bytes: &[u8], bits: Range<u64>) -> u64 {
    let cut = Cut::of(bits);
    let ends = [cut.head, cut.tail].into_iter().flatten();
    let in_ends: u32 = ends.map(|(at, mask)| (bytes[at] & mask).count_ones()).sum();
    u64::from(in_ends) + count(&bytes[cut.body])
}

/// The first bit with the value `wanted` in a range within the string. O(bytes of the range).
pub fn find(bytes: &[u8], wanted: bool, bits: Range<u64>) -> Option<u64> {
    // Where a clear bit is wanted, look for a set one in the complement.
    let flip = if wanted { 0 } else { 0xFF_u8 };
    let in_byte = |at: usize, mask: u8| {
        let candidates = (bytes[at] ^ flip) & mask;
        (candidates != 0).then(|| at as u64 * 8 + u64::from(candidates.leading_zeros()))
    };
    let cut = Cut::of(bits);
    let start = cut.body.start;
    cut.head
        .and_then(|(at, mask)| in_byte(at, mask))
        .or_else(|| in_byte(start + first_other(&bytes[cut.body], flip)?, 0xFF))
        .or_else(|| cut.tail.and_then(|(at, mask)| in_byte(at, mask)))
}

/// The place of the first byte that is not `dull`, which is 0 or 0xFF.
fn first_other(bytes: &[u8], dull: u8) -> Option<usize> {
    let dull_word = u64::from_ne_bytes([dull; 8]);
    let (strides, _) = bytes.as_chunks::<STRIDE>();
    let all_dull = |stride: &[u8; STRIDE]| words(stride).fold(0, |seen, word| seen | (word ^ dull_word)) == 0;
    let skipped = STRIDE * strides.iter().take_while(|stride| all_dull(stride)).count();
    let found = bytes[skipped..].iter().position(|&byte| byte != dull)?;
    Some(skipped + found)
}

/// What BITOP does with several strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combination {
    And,
    Or,
    Xor,
}

/// Combines `other` into `result`; the shorter of the two goes on with zeros. O(bytes of the longer one).
pub fn combine(result: &mut Vec<u8>, how: Combination, other: &[u8]) {
    let shared = result.len().min(other.len());
    let pairs = result.iter_mut().zip(other);
    match how {
        Combination::And => {
            pairs.for_each(|(byte, other)| *byte &= other);
            result[shared..].fill(0);
            result.resize(result.len().max(other.len()), 0);
        }
        Combination::Or => {
            pairs.for_each(|(byte, other)| *byte |= other);
            result.extend_from_slice(&other[shared..]);
        }
        Combination::Xor => {
            pairs.for_each(|(byte, other)| *byte ^= other);
            result.extend_from_slice(&other[shared..]);
        }
    }
}

/// Flips every bit.
pub fn invert(bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|byte| *byte = !*byte);
}

/// The value of one bit.
pub fn bit(bytes: &[u8], at: u64) -> bool {
    let byte = usize::try_from(at / 8).ok().and_then(|byte| bytes.get(byte));
    byte.is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1)
}

/// Gives one bit, which must be within the string, a value.
pub fn set_bit(bytes: &mut [u8], at: u64, value: bool) {
    let (byte, mask) = (&mut bytes[(at / 8) as usize], 0x80 >> (at % 8));
    match value {
        true => *byte |= mask,
        false => *byte &= !mask,
    }
}

/// The type of an integer inside a string: 1 to 64 bits, unsigned ones at most 63, so that an `i64` holds any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldType {
    signed: bool,
    width: u32,
}

/// What becomes of a number that its field is too narrow for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The bits that fit.
    #[default]
    Wrap,
    /// The nearest number that fits.
    Saturate,
    /// Nothing.
    Fail,
}

/// Bytes that a field may touch: 64 bits that begin in the middle of a byte.
const FIELD_BYTES: usize = 9;

impl FieldType {
    pub fn new(signed: bool, width: i64) -> Option<Self> {
        let widest = if signed { 64 } else { 63 };
        (1..=widest).contains(&width).then_some(FieldType {
            signed,
            width: width as u32,
        })
    }

    pub fn width(self) -> u64 {
        self.width.into()
    }

    fn highest(self) -> i128 {
        (1 << (self.width - u32::from(self.signed))) - 1
    }

    fn lowest(self) -> i128 {
        if self.signed { -self.highest() - 1 } else { 0 }
    }

    /// The number whose lowest bits these are.
    fn truncated(self, bits: u64) -> i64 {
        let unused = 64 - self.width;
        match self.signed {
            true => (bits << unused) as i64 >> unused,
            false => (bits << unused >> unused) as i64,
        }
    }

    /// What a field of this type holds after it was given `value`; `None` if that fails.
    fn fit(self, value: i128, overflow: Overflow) -> Option<i64> {
        if (self.lowest()..=self.highest()).contains(&value) {
            return Some(value as i64);
        }
        match overflow {
            Overflow::Wrap => Some(self.truncated(value as u64)),
            Overflow::Saturate => Some(value.clamp(self.lowest(), self.highest()) as i64),
            Overflow::Fail => None,
        }
    }

    /// What a field holds after SET. A negative number for an unsigned field is taken by its bits: it is a large one.
    /// One that is so low that 64 bits cannot hold how far it is below the highest counts as too high, as it does in
    /// Redis, which shows when it saturates.
    pub fn assigned(self, value: i64, overflow: Overflow) -> Option<i64> {
        if !self.signed {
            return self.fit((value as u64).into(), overflow);
        }
        let value = i128::from(value);
        let too_far = self.width < 64 && self.highest() - value > i64::MAX.into();
        match overflow {
            Overflow::Saturate if too_far => Some(self.highest() as i64),
            _ => self.fit(value, overflow),
        }
    }

    /// What a field that holds `old` holds after INCRBY.
    pub fn added(self, old: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        self.fit(i128::from(old) + i128::from(increment), overflow)
    }

    /// The number at bit `at` of a string, which goes on with zeros behind its end. O(1).
    pub fn read(self, bytes: &[u8], at: u64) -> i64 {
        let rest = usize::try_from(at / 8).ok().and_then(|from| bytes.get(from..));
        let rest = rest.unwrap_or_default();
        let len = rest.len().min(FIELD_BYTES);
        let mut window = [0; 16];
        window[..len].copy_from_slice(&rest[..len]);
        let behind = 128 - (at % 8) as u32 - self.width;
        self.truncated((u128::from_be_bytes(window) >> behind) as u64)
    }

    /// Writes a number at bit `at`; the whole field must be within the string. O(1).
    pub fn write(self, bytes: &mut [u8], at: u64, value: i64) {
        let from = (at / 8) as usize;
        let len = ((at % 8 + self.width()).div_ceil(8)) as usize;
        let field = &mut bytes[from..from + len];
        let mut window = [0; 16];
        window[..len].copy_from_slice(field);
        let behind = 128 - (at % 8) as u32 - self.width;
        let mask = ((1u128 << self.width) - 1) << behind;
        let value = (value as u64 as u128) << behind & mask;
        let window = (u128::from_be_bytes(window) & !mask | value).to_be_bytes();
        field.copy_from_slice(&window[..len]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bits of a string, one by one.
    fn unrolled(bytes: &[u8]) -> Vec<bool> {
        (0..bytes.len() as u64 * 8).map(|at| bit(bytes, at)).collect()
    }

    /// Bytes of which long runs are alike, since that is what searching is about.
    fn random_bytes(random: &mut fastrand::Rng, most: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let len = random.usize(0..=most);
        while bytes.len() < len {
            let byte = random.u8(..);
            let byte = random.choice([0, 0xFF, byte]).unwrap_or_default();
            bytes.resize(len.min(bytes.len() + random.usize(1..80)), byte);
        }
        bytes
    }

    #[test]
    fn counting_and_searching_agree_with_single_bits() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..3000 {
            let bytes = random_bytes(&mut random, 300);
            let bits = unrolled(&bytes);
            let start = random.usize(0..=bits.len());
            let end = random.usize(start..=bits.len());
            let range = start as u64..end as u64;
            let set = bits[start..end].iter().filter(|&&bit| bit).count() as u64;
            assert_eq!(count_range(&bytes, range.clone()), set, "{bytes:?} {range:?}");
            for wanted in [false, true] {
                let first = bits[start..end].iter().position(|&bit| bit == wanted);
                let first = first.map(|at| (start + at) as u64);
                assert_eq!(
                    find(&bytes, wanted, range.clone()),
                    first,
                    "{bytes:?} {range:?} {wanted}"
                );
            }
            assert_eq!(count(&bytes), bits.iter().filter(|&&bit| bit).count() as u64);
        }
    }

    #[test]
    fn combining_agrees_with_single_bits() {
        let mut random = fastrand::Rng::with_seed(2);
        for _ in 0..1000 {
            let (a, b) = (random_bytes(&mut random, 150), random_bytes(&mut random, 150));
            let len = a.len().max(b.len()) as u64 * 8;
            type Function = fn(bool, bool) -> bool;
            let operations: [(Combination, Function); 3] = [
                (Combination::And, |a, b| a && b),
                (Combination::Or, |a, b| a || b),
                (Combination::Xor, |a, b| a != b),
            ];
            for (how, function) in operations {
                let mut result = a.clone();
                combine(&mut result, how, &b);
                let want: Vec<bool> = (0..len).map(|at| function(bit(&a, at), bit(&b, at))).collect();
                assert_eq!(unrolled(&result), want, "{how:?}");
            }
            let mut inverted = a.clone();
            invert(&mut inverted);
            assert!(unrolled(&inverted).iter().zip(unrolled(&a)).all(|(&a, b)| a != b));
        }
    }

    /// A field's number from single bits.
    fn number(bits: &[bool], signed: bool) -> i128 {
        let unsigned = bits.iter().fold(0, |number, &bit| number * 2 + i128::from(bit));
        match signed && bits[0] {
            true => unsigned - (1 << bits.len()),
            false => unsigned,
        }
    }

    #[test]
    fn fields_agree_with_single_bits() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..20_000 {
            let mut bytes = random_bytes(&mut random, 24);
            let signed = random.bool();
            let width = random.i64(1..=if signed { 64 } else { 63 });
            let kind = FieldType::new(signed, width).expect("a width in range");
            let at = random.usize(0..30 * 8);
            let mut bits = unrolled(&bytes);
            bits.resize(64 * 8, false);
            let old = number(&bits[at..at + width as usize], signed);
            assert_eq!(i128::from(kind.read(&bytes, at as u64)), old);

            bytes.resize(bytes.len().max((at + width as usize).div_ceil(8)), 0);
            let value = random.i64(..) >> random.u32(0..64);
            let Some(new) = kind.added(old as i64, value, Overflow::Wrap) else {
                panic!("wrapping never fails");
            };
            kind.write(&mut bytes, at as u64, new);
            let after = unrolled(&bytes);
            assert_eq!(number(&after[at..at + width as usize], signed), i128::from(new));
            let others = (0..after.len()).filter(|other| !(at..at + width as usize).contains(other));
            others.for_each(|other| assert_eq!(after[other], bits[other]));
            let modulus = 1 << width;
            assert_eq!((old + i128::from(value) - i128::from(new)).rem_euclid(modulus), 0);
        }
    }

    #[test]
    fn what_does_not_fit_wraps_or_saturates_or_fails() {
        let cases = [
            (true, 8, 127, 1, -128, 127),
            (true, 8, -128, -1, 127, -128),
            (true, 64, i64::MAX, 1, i64::MIN, i64::MAX),
            (true, 64, i64::MIN, i64::MIN, 0, i64::MIN),
            (false, 8, 255, 1, 0, 255),
            (false, 8, 0, -1, 255, 0),
            (false, 63, i64::MAX, i64::MAX, i64::MAX - 1, i64::MAX),
            (false, 63, 0, i64::MIN, 0, 0),
        ];
        for (signed, width, old, increment, wrapped, saturated) in cases {
            let kind = FieldType::new(signed, width).expect("a width in range");
            assert_eq!(kind.added(old, increment, Overflow::Wrap), Some(wrapped));
            assert_eq!(kind.added(old, increment, Overflow::Saturate), Some(saturated));
            assert_eq!(kind.added(old, increment, Overflow::Fail), None);
        }
        let byte = FieldType::new(false, 8).expect("a width in range");
        assert_eq!(byte.assigned(-1, Overflow::Saturate), Some(255));
        assert_eq!(byte.assigned(-1, Overflow::Wrap), Some(255));
        assert_eq!(byte.assigned(256, Overflow::Wrap), Some(0));
        let nine = FieldType::new(true, 9).expect("a width in range");
        assert_eq!(nine.assigned(i64::MIN + 256, Overflow::Saturate), Some(-256));
        assert_eq!(nine.assigned(i64::MIN + 255, Overflow::Saturate), Some(255));
        assert_eq!(nine.assigned(i64::MIN + 255, Overflow::Wrap), Some(255));
        for (signed, width) in [(true, 0), (true, 65), (false, 64), (false, -1)] {
            assert_eq!(FieldType::new(signed, width), None);
        }
    }
}
