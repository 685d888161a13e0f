//! Drawing by lot, as HRANDFIELD, SRANDMEMBER and ZRANDMEMBER do.
//!
//! Different elements are drawn in one of two ways: one after the other, remembering which have come up, while few are
//! asked for; or in one walk over all of them ([`Selection`]). A negative count may draw an element more than once,
//! and as often as it likes ([`make_room`]).

use crate::resp::reply::Reply;
use crate::server::Outcome;

/// From this part of all elements on, one in three, one walk over all is cheaper than drawing and remembering.
const WALK_FROM: usize = 3;
/// Bytes an element of a reply takes at the least: `$0`, and two ends of line.
const LEAST_BYTES: usize = 6;

/// Whether `count` different ones of `len` are better found in one walk.
pub fn is_walk(count: usize, len: usize) -> bool {
    count.saturating_mul(WALK_FROM) > len
}

/// Reserves what `count` elements take at the least. A reply that cannot be is an error and not the end of the server.
pub fn make_room(reply: &mut Reply, count: usize) -> Outcome {
    match reply.bytes.try_reserve(count.saturating_mul(LEAST_BYTES)) {
        Ok(()) => Ok(()),
        Err(_) => Err("ERR value is out of range".into()),
    }
}

/// Chooses elements during a walk: each is taken with the chance that as many of those left are still to be drawn, so any
/// `wanted` of them are as likely as any other (Knuth, The Art of Computer Programming, volume 2, algorithm 3.4.2S).
pub struct Selection {
    left: u64,
    wanted: u64,
}

impl Selection {
    /// Draws `wanted` of `len` elements.
    pub fn new(wanted: usize, len: usize) -> Self {
        Selection {
            left: len as u64,
            wanted: wanted as u64,
        }
    }

    /// Whether all have been drawn, and the walk may end.
    pub fn is_done(&self) -> bool {
        self.wanted == 0
    }

    /// Whether the next element is taken. To be asked once for each; `random` gives uniform 64-bit numbers.
    pub fn takes(&mut self, random: &mut impl FnMut() -> u64) -> bool {
        let taken = random() % self.left < self.wanted;
        self.left -= 1;
        self.wanted -= u64::from(taken);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_drawn_as_were_asked_for_and_each_equally_often() {
        let mut source = fastrand::Rng::with_seed(1);
        let mut random = || source.u64(..);
        let mut drawn = [0; 10];
        for _ in 0..10_000 {
            let mut selection = Selection::new(3, drawn.len());
            let before: u32 = drawn.iter().sum();
            drawn
                .iter_mut()
                .for_each(|times| *times += u32::from(selection.takes(&mut random)));
            assert!(selection.is_done());
            assert_eq!(drawn.iter().sum::<u32>(), before + 3);
        }
        assert!(drawn.iter().all(|times| (2800..3200).contains(times)), "{drawn:?}");
    }
}
