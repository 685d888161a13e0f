//! The hierarchical timer wheel.
//!
//! Level 0 has a slot for each of the next 256 milliseconds; each higher level has 64 slots, every one as long as the
//! whole level below. An item goes to the finest level that reaches its deadline. When the wheel's time comes to the
//! beginning of a higher slot, its items are *cascaded*: each goes to the place for its deadline on a lower level,
//! until it stands in a slot of one millisecond and is due when that slot is.
//!
//! Four decisions are particular to this wheel:
//!
//! - **Items carry no deadline.** A database has an item for each volatile key, so an item is eight bytes: the key's
//!   hash (or a client's number). The owner knows the deadline anyway and is asked for it when the item is visited.
//! - **Cancelling is free.** The owner remembers each thing's [`Place`]. A deleted key leaves its item behind, to be
//!   dropped when it is visited and the owner answers [`Verdict::Gone`]; a deadline moved later needs no new item
//!   ([`TimerWheel::fires_by`]), since the visit finds out and moves the item on. What a client can pile up this
//!   way (a key set with a TTL of a year and deleted, over and over) [`TimerWheel::sweep`] clears away.
//! - **Work is bounded.** [`TimerWheel::advance`] stops after a given number of visits and continues there next
//!   time. The wheel's time never passes a slot that is not empty, so nothing is forgotten or reordered; it is only late.
//! - **Nothing costs nothing.** A bit a slot says where anything stands, so advancing over an idle hour looks at
//!   a few words instead of at 3.6 million slots, and [`TimerWheel::next_due`] tells the poll how long it may sleep.
//!
//! Slots turn by the clock itself (the slot of a deadline is cut out of its bits), not by distance from the moment
//! of arming, which is why a slot on a higher level begins at a round time and an item may be visited there up to a
//! slot's length before it is due. That early visit is a cascade, not a firing: the owner compares the deadline with its clock.

use super::blocks::{Blocks, Chain};
use super::millis::Millis;
use super::place::{Occupied, Place, SLOTS, due_at, place_at};

/// What the owner says about an item that is being visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The item has fired, or stood for nothing any more: drop it.
    Gone,
    /// The item goes to this place, which came from [`Visit::place_for`] and which the owner now remembers.
    At(Place),
}

/// One visit to one item: where it stands, and where it could go.
#[derive(Clone, Copy, Debug)]
pub struct Visit {
    at: Place,
    time: Millis,
    /// When an item is visited again whose deadline is not after `time`.
    refused: Millis,
}

impl Visit {
    /// Where the item has stood until now. If the owner remembers another place, the item is a leftover.
    pub const fn at(&self) -> Place {
        self.at
    }

    /// The millisecond the wheel has come to, which may lie before the one it is advancing to. An item whose deadline
    /// is this or earlier has fired, on whatever level it is met.
    pub const fn time(&self) -> Millis {
        self.time
    }

    /// The place for an item that is to be visited again at `deadline`. O(levels).
    ///
    /// An item that has fired and is not let go (an expired key that only a primary may delete) goes to the millisecond
    /// after the one advanced to, or it would be visited again and again on the way there.
    pub const fn place_for(&self, deadline: Millis) -> Place {
        let passed = deadline.0 <= self.time.0;
        place_at(self.time, if passed { self.refused } else { deadline })
    }
}

/// A timer wheel of bare 64-bit items. The module comment explains how it works.
#[derive(Debug)]
pub struct TimerWheel {
    /// All slots that ended before this millisecond are empty. Never goes back.
    time: Millis,
    /// The items, by [`Place::index`].
    slots: Box<[Chain; SLOTS]>,
    /// Which slots hold any item, counting those that `Sweep::unseen` has borrowed.
    occupied: Occupied,
    blocks: Blocks,
    items: usize,
    sweep: Sweep,
}

/// How far the sweep has come.
#[derive(Debug)]
struct Sweep {
    /// The slot being swept.
    index: usize,
    /// Those of its items that have not been looked at; the slot's own chain has the others and all newcomers.
    unseen: Chain,
    /// Changes each time the sweep has been through all slots.
    round: bool,
}

impl TimerWheel {
    /// An empty wheel whose time is `now`.
    pub fn new(now: Millis) -> Self {
        TimerWheel {
            time: now,
            slots: Box::new([const { Chain::EMPTY }; SLOTS]),
            occupied: Occupied::default(),
            blocks: Blocks::default(),
            items: 0,
            sweep: Sweep {
                index: 0,
                unseen: Chain::EMPTY,
                round: false,
            },
        }
    }

    /// Items in the wheel, leftovers included.
    pub const fn items(&self) -> usize {
        self.items
    }

    /// Whether nothing is in the wheel.
    pub const fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// How far the wheel has come: nothing that was due earlier is still in it.
    pub const fn time(&self) -> Millis {
        self.time
    }

    /// Bytes of memory held, the wheel's own fields included.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.slots) + self.blocks.memory()
    }

    /// Where an item due at `deadline` would be put now. A deadline in the past is due at once. O(levels).
    pub const fn place_for(&self, deadline: Millis) -> Place {
        place_at(self.time, deadline)
    }

    /// Puts an item in and tells where, for the owner to remember. O(1).
    pub fn arm(&mut self, item: u64, deadline: Millis) -> Place {
        let place = self.place_for(deadline);
        self.put(item, place);
        place
    }

    /// Whether an item that stands at `place` is visited in time for `deadline`, so that no other item need be
    /// armed for it. Always so if the deadline it was armed for was no later. Not so at [`Place::NONE`]. O(1).
    pub fn fires_by(&self, place: Place, deadline: Millis) -> bool {
        !place.is_none() && due_at(self.time, place) <= deadline.max(self.time)
    }

    /// When [`TimerWheel::advance`] next has something to do; a point in the past if it is behind. O(levels).
    ///
    /// This is the beginning of the first occupied slot. If that is on a higher level, the work is a cascade, and
    /// the first deadline may be later.
    pub fn next_due(&self) -> Option<Millis> {
        self.occupied.earliest(self.time).map(|(_, due)| due)
    }

    /// Whether [`TimerWheel::advance`] to `now` has something to do.
    pub fn is_behind(&self, now: Millis) -> bool {
        self.next_due().is_some_and(|due| due <= now)
    }

    /// Moves the wheel's time to `now` and visits what is due on the way, in the order of time, at most `budget`
    /// items; gives how many. Each visit asks `resolve` what becomes of the item.
    ///
    /// If the budget runs out, the wheel's time stays at the slot it came to and the next call continues there.
    /// The same call may visit an item more than once, as it cascades; each counts. An item is never visited in a
    /// level 0 slot before its deadline, and always by the first advance at or after it that has the budget. On any level,
    /// `resolve` takes an item as fired if its deadline is not after [`Visit::time`].
    pub fn advance(&mut self, now: Millis, budget: usize, mut resolve: impl FnMut(u64, Visit) -> Verdict) -> usize {
        let mut visited = 0;
        while let Some((place, due)) = self.occupied.earliest(self.time).filter(|(_, due)| *due <= now) {
            if visited == budget {
                return visited;
            }
            self.time = self.time.max(due);
            visited += self.visit_slot(place, now, budget - visited, &mut resolve);
        }
        self.time = self.time.max(now);
        visited
    }

    /// Visits items of one slot that has begun, until it is empty or `budget` items have been visited.
    fn visit_slot(
        &mut self,
        at: Place,
        now: Millis,
        budget: usize,
        resolve: &mut impl FnMut(u64, Visit) -> Verdict,
    ) -> usize {
        let visit = Visit {
            at,
            time: self.time,
            refused: now.saturating_add(1),
        };
        for visited in 0..budget {
            let Some(item) = self.take(at.index()) else {
                return visited;
            };
            match resolve(item, visit) {
                Verdict::Gone => {}
                Verdict::At(place) => {
                    debug_assert_ne!(place, at, "a slot being emptied gets nothing new");
                    self.put(item, place);
                }
            }
        }
        budget
    }

    /// Looks at up to `budget` items, wherever they stand, and drops those that `keep` disowns; gives how many it looked at.
    ///
    /// Goes round all slots and continues where the last call stopped, so that calls with a total budget of a little
    /// more than [`TimerWheel::items`] see every item once. Kept items stay where they are.
    ///
    /// `keep` is also told in which of two alternating rounds the sweep is. Equal items may have been left in one slot
    /// one after the other; an owner that notes the round with what it keeps can tell the second by it.
    pub fn sweep(&mut self, budget: usize, mut keep: impl FnMut(u64, Place, bool) -> bool) -> usize {
        let budget = budget.min(self.items);
        for seen in 0..budget {
            if self.sweep.unseen.is_empty() {
                self.sweep_next_slot();
            }
            let Some(item) = self.blocks.pop(&mut self.sweep.unseen) else {
                return seen;
            };
            let index = self.sweep.index;
            if keep(item, Place::from_index(index), self.sweep.round) {
                self.blocks.push(&mut self.slots[index], item);
                continue;
            }
            self.items -= 1;
            self.note_emptied(index);
        }
        budget
    }

    /// Takes all items out of the next occupied slot, for the sweep to put back one by one.
    fn sweep_next_slot(&mut self) {
        let ahead = self.occupied.at_or_after(self.sweep.index + 1);
        self.sweep.round ^= ahead.is_none();
        let Some(index) = ahead.or_else(|| self.occupied.at_or_after(0)) else {
            return;
        };
        self.sweep.index = index;
        std::mem::swap(&mut self.slots[index], &mut self.sweep.unseen);
    }

    fn put(&mut self, item: u64, place: Place) {
        let index = place.index();
        self.blocks.push(&mut self.slots[index], item);
        self.occupied.set(index);
        self.items += 1;
    }

    /// Takes some item out of a slot, those that the sweep has borrowed last.
    fn take(&mut self, index: usize) -> Option<u64> {
        let borrowed = self.sweep.index == index && self.slots[index].is_empty();
        let chain = if borrowed {
            &mut self.sweep.unseen
        } else {
            &mut self.slots[index]
        };
        let item = self.blocks.pop(chain)?;
        self.items -= 1;
        self.note_emptied(index);
        Some(item)
    }

    /// Clears the slot's bit if its last item has just left.
    fn note_emptied(&mut self, index: usize) {
        let borrowed = self.sweep.index == index && !self.sweep.unseen.is_empty();
        if self.slots[index].is_empty() && !borrowed {
            self.occupied.clear(index);
        }
    }
}

#[cfg(test)]
mod tests;
