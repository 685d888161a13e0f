//! Dense registers: six bits each, four in three bytes, the first in the lowest bits.

use super::REGISTERS;

const REGISTER_BITS: usize = 6;
const HIGHEST: u32 = (1 << REGISTER_BITS) - 1;

/// What all registers take.
pub const BYTES: usize = REGISTERS * REGISTER_BITS / 8;

fn group(bytes: &[u8; 3]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0])
}

/// Raises a register to `number` if it is lower; says whether it was.
pub fn raise(registers: &mut [u8], index: usize, number: u8) -> bool {
    let (groups, _) = registers.as_chunks_mut::<3>();
    let bytes = &mut groups[index / 4];
    let shift = REGISTER_BITS * (index % 4);
    let old = group(bytes) >> shift & HIGHEST;
    if old >= number.into() {
        return false;
    }
    let [a, b, c, _] = (group(bytes) & !(HIGHEST << shift) | u32::from(number) << shift).to_le_bytes();
    *bytes = [a, b, c];
    true
}

/// Tells every register's index and number, in order.
#[inline]
pub fn each(registers: &[u8], mut tell: impl FnMut(usize, u8)) {
    let (groups, _) = registers.as_chunks::<3>();
    for (at, bytes) in groups.iter().enumerate() {
        let group = group(bytes);
        for within in 0..4 {
            tell(at * 4 + within, (group >> (REGISTER_BITS * within) & HIGHEST) as u8);
        }
    }
}

/// Appends registers, which must be below 64.
pub fn pack(registers: &[u8; REGISTERS], bytes: &mut Vec<u8>) {
    let (groups, _) = registers.as_chunks::<4>();
    for numbers in groups {
        let [a, b, c, d] = numbers.map(u32::from);
        let group = a | b << REGISTER_BITS | c << (2 * REGISTER_BITS) | d << (3 * REGISTER_BITS);
        bytes.extend_from_slice(&group.to_le_bytes()[..3]);
    }
}
