//! The wheel's geometry: which slots there are and what time each of them stands for.
//!
//! All of it is arithmetic on the present time and a slot's number, so it is written here once, without any memory.

use super::millis::Millis;

/// Level 0 has a slot for each of the next 256 milliseconds.
const FINE_BITS: u32 = 8;
/// Every higher level has 64 slots, each as long as the whole level below.
const COARSE_BITS: u32 = 6;

const FINE_SLOTS: usize = 1 << FINE_BITS;
const COARSE_SLOTS: usize = 1 << COARSE_BITS;

/// Slot lengths: 1 ms, 256 ms, 16.4 s, 17.5 min, 18.6 h, 49.7 days, 8.7 years. All together reach 557 years.
const LEVELS: usize = 7;

/// Slots of all levels together.
pub(super) const SLOTS: usize = FINE_SLOTS + (LEVELS - 1) * COARSE_SLOTS;

/// Where an item stands in a wheel: a level and a slot on it, packed in two bytes.
///
/// The owner keeps the place next to the deadline. An item whose place is not the one its owner remembers is a
/// leftover of an earlier deadline: that is how cancelling costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Place(u16);

impl Place {
    /// Nowhere: what the owner remembers for something that has no item in the wheel.
    pub const NONE: Place = Place(u16::MAX);

    const fn new(level: usize, slot: usize) -> Self {
        Place((level << FINE_BITS | slot) as u16)
    }

    /// The level, 0 being the finest.
    pub const fn level(self) -> usize {
        (self.0 >> FINE_BITS) as usize
    }

    /// The slot's number on its level.
    pub const fn slot(self) -> usize {
        (self.0 & (FINE_SLOTS as u16 - 1)) as usize
    }

    /// Whether this is [`Place::NONE`].
    pub const fn is_none(self) -> bool {
        self.0 == Place::NONE.0
    }

    /// The two bytes, for an owner that packs them into an entry.
    pub const fn to_bits(self) -> u16 {
        self.0
    }

    /// The place with these [`Place::to_bits`].
    pub const fn from_bits(bits: u16) -> Self {
        Place(bits)
    }

    /// The slot's number among the slots of all levels, finest level first.
    pub(super) const fn index(self) -> usize {
        match self.level() {
            0 => self.slot(),
            level => FINE_SLOTS + (level - 1) * COARSE_SLOTS + self.slot(),
        }
    }

    /// The place whose [`Place::index`] is `index`.
    pub(super) const fn from_index(index: usize) -> Self {
        if index < FINE_SLOTS {
            return Place::new(0, index);
        }
        let coarse = index - FINE_SLOTS;
        Place::new(1 + coarse / COARSE_SLOTS, coarse % COARSE_SLOTS)
    }
}

/// A slot's length on `level`, as a power of two of milliseconds.
const fn shift(level: usize) -> u32 {
    match level {
        0 => 0,
        _ => FINE_BITS + (level as u32 - 1) * COARSE_BITS,
    }
}

const fn slots(level: usize) -> usize {
    match level {
        0 => FINE_SLOTS,
        _ => COARSE_SLOTS,
    }
}

/// How many slots of `level` lie between the one `time` falls in and the one `deadline` falls in.
const fn slots_ahead(level: usize, time: Millis, deadline: Millis) -> u64 {
    // The difference of two i64 always fits a u64 once it is known not to be negative.
    (deadline.0 >> shift(level)).wrapping_sub(time.0 >> shift(level)) as u64
}

/// Where an item due at `deadline` belongs while the wheel's time is `time`. O(levels).
///
/// The finest level that reaches that far. On a higher level this is never the slot `time` itself falls in: were the
/// deadline that near, the level below would have reached it. So a slot that is being emptied gets nothing new,
/// and a slot never holds two turns of its level at once.
pub(super) const fn place_at(time: Millis, deadline: Millis) -> Place {
    let deadline = if deadline.0 < time.0 { time } else { deadline };
    let mut level = 0;
    while level < LEVELS {
        let ahead = slots_ahead(level, time, deadline);
        if ahead < slots(level) as u64 {
            let slot = (deadline.0 >> shift(level)) as usize & (slots(level) - 1);
            return Place::new(level, slot);
        }
        level += 1;
    }
    let top = LEVELS - 1;
    let farthest = (time.0 >> shift(top)).wrapping_add(slots(top) as i64 - 1);
    Place::new(top, farthest as usize & (slots(top) - 1))
}

/// When the slot at `place` is due next, seen from `time`: the first millisecond it stands for. It has begun already
/// if it is the slot `time` falls in.
pub(super) const fn due_at(time: Millis, place: Place) -> Millis {
    let shift = shift(place.level());
    let present = time.0 >> shift;
    let ahead = (place.slot() as i64).wrapping_sub(present) & (slots(place.level()) as i64 - 1);
    Millis((present << shift).saturating_add(ahead << shift))
}

/// One bit a slot, set while the slot holds anything, so that empty stretches cost nothing to cross.
#[derive(Debug, Default)]
pub(super) struct Occupied([u64; SLOTS / 64]);

impl Occupied {
    pub(super) fn set(&mut self, index: usize) {
        self.0[index / 64] |= 1 << (index % 64);
    }

    pub(super) fn clear(&mut self, index: usize) {
        self.0[index / 64] &= !(1 << (index % 64));
    }

    /// The first occupied slot at `from` or behind it, in index order, not going round.
    pub(super) fn at_or_after(&self, from: usize) -> Option<usize> {
        let mut word = from / 64;
        let mut bits = self.0.get(word)? & (u64::MAX << (from % 64));
        while bits == 0 {
            word += 1;
            bits = *self.0.get(word)?;
        }
        Some(word * 64 + bits.trailing_zeros() as usize)
    }

    /// The occupied slot that is due first seen from `time`, and when; the finest level where several are. O(levels).
    pub(super) fn earliest(&self, time: Millis) -> Option<(Place, Millis)> {
        let mut best: Option<(Place, Millis)> = None;
        for level in 0..LEVELS {
            let Some(place) = self.earliest_on(level, time) else {
                continue;
            };
            let due = due_at(time, place);
            if best.is_none_or(|(_, known)| due < known) {
                best = Some((place, due));
            }
        }
        best
    }

    /// The occupied slot of one level that comes first, going round from the slot `time` falls in.
    fn earliest_on(&self, level: usize, time: Millis) -> Option<Place> {
        let first = Place::new(level, 0).index();
        let end = first + slots(level);
        let present = first + ((time.0 >> shift(level)) as usize & (slots(level) - 1));
        let within = |from: usize| self.at_or_after(from).filter(|&index| index < end);
        within(present).or_else(|| within(first)).map(Place::from_index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_and_places_are_one_to_one() {
        for index in 0..SLOTS {
            let place = Place::from_index(index);
            assert_eq!(place.index(), index);
            assert_eq!(Place::from_bits(place.to_bits()), place);
            assert!(!place.is_none());
        }
    }

    #[test]
    fn levels_are_as_long_as_documented() {
        let at = |ms: i64| place_at(Millis(0), Millis(ms)).level();
        let ends = [256, 16_384, 1_048_576, 67_108_864, 4_294_967_296, 274_877_906_944];
        for (level, end) in ends.into_iter().enumerate() {
            assert_eq!((at(end - 1), at(end)), (level, level + 1), "end of level {level}");
        }
        assert_eq!(at(i64::MAX), LEVELS - 1);
    }

    #[test]
    fn a_place_is_due_no_later_than_its_deadline_and_less_than_its_slot_earlier() {
        for time in [0, 1, 255, 256, 1_700_000_000_123, -77, i64::MAX - 1000, i64::MIN] {
            for bits in 0..63 {
                for delta in [(1i64 << bits) - 1, 1 << bits, (1 << bits) + 1] {
                    let deadline = Millis(time).saturating_add(delta);
                    let place = place_at(Millis(time), deadline);
                    let due = due_at(Millis(time), place);
                    assert!(due <= deadline, "{time} {delta}");
                    if place.level() > 0 {
                        assert!(due > Millis(time), "nothing new goes into a slot that is being emptied");
                    }
                    if delta < 1 << 43 {
                        assert!(deadline.since(due) < 1 << shift(place.level()), "{time} {delta}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_earliest_slot_is_found_round_the_end_of_a_level() {
        let time = Millis(250);
        let mut occupied = Occupied::default();
        assert_eq!(occupied.earliest(time), None);
        for ms in [1_000_000, 20_000, 3_000, 270, 252] {
            let place = place_at(time, Millis(ms));
            occupied.set(place.index());
            assert_eq!(occupied.earliest(time), Some((place, due_at(time, place))));
        }
        assert_eq!(occupied.earliest(time).map(|(_, due)| due), Some(Millis(252)));
    }
}
