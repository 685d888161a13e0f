//! A connection: two ends, and the bytes under way between them.

use crate::random::Random;

/// Bytes that the network holds for an end that does not read.
const SOCKET: usize = 8 * 1024;

/// One end: a server's number and the place of the session there. A client's end is no server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    pub node: usize,
    pub session: usize,
}

pub struct Wire {
    pub ends: [End; 2],
    /// Bytes on their way to the end of this number.
    pub under_way: [Vec<u8>; 2],
    /// Whether a side has closed: the other hears of it behind the bytes.
    pub closed: [bool; 2],
    /// Until when nothing arrives, in simulated milliseconds.
    pub stuck_until: i64,
}

impl Wire {
    pub fn new(one: End, other: End) -> Wire {
        Wire {
            ends: [one, other],
            under_way: [Vec::new(), Vec::new()],
            closed: [false, false],
            stuck_until: 0,
        }
    }

    /// Which of the ends this is.
    pub fn side_of(&self, end: End) -> Option<usize> {
        self.ends.iter().position(|other| *other == end)
    }

    /// How many bytes more go on their way to a side.
    pub fn room(&self, side: usize) -> usize {
        SOCKET.saturating_sub(self.under_way[side].len())
    }

    /// Takes some of the bytes that are under way to a side.
    pub fn deliver(&mut self, side: usize, now: i64, random: &mut Random) -> Vec<u8> {
        let bytes = &mut self.under_way[side];
        if now < self.stuck_until || bytes.is_empty() {
            return Vec::new();
        }
        let most = match random.below(4) {
            0 => random.below(bytes.len()) + 1,
            _ => bytes.len(),
        };
        bytes.drain(..most).collect()
    }
}
