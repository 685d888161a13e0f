//! The replication stream as it is kept: one buffer that is the backlog and every replica's output at once.
//!
//! What changes is appended once, whatever the number of replicas; a replica is a position in the stream, and its socket is
//! written from here. What is kept is the history of `repl-backlog-size` bytes, from which a replica that was cut off
//! goes on, and before that whatever the slowest replica has not taken yet.
//!
//! The bytes stand in blocks, so that nothing is ever moved: appending fills the last block, and trimming drops whole
//! blocks at the front.

use std::collections::VecDeque;

/// Bytes of a block, at least and at most; in between a sixteenth of the history that is to be kept. The history is cut by
/// whole blocks.
const SMALL_BLOCK: usize = 4 * 1024;
const BLOCK: usize = 64 * 1024;

struct Block {
    /// Where in the stream it begins.
    start: u64,
    bytes: Vec<u8>,
}

impl Block {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

/// A part of all that was ever said to replicas: from [`Stream::first`] to [`Stream::end`], counted in bytes since the
/// history's beginning.
#[derive(Default)]
pub struct Stream {
    blocks: VecDeque<Block>,
    end: u64,
    is_kept: bool,
    /// Bytes that the blocks have room for.
    room: usize,
}

/// Bytes of a block where so many bytes of history are kept.
pub fn block_size(history: u64) -> usize {
    let wanted = usize::try_from(history / 16).unwrap_or(BLOCK);
    wanted.clamp(SMALL_BLOCK, BLOCK)
}

impl Stream {
    /// Whether what is said is kept at all.
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Begins to keep what follows offset `end`.
    pub fn begin(&mut self, end: u64) {
        self.blocks.clear();
        self.room = 0;
        self.end = end;
        self.is_kept = true;
    }

    /// Forgets everything, and keeps nothing of what follows.
    pub fn stop(&mut self) {
        *self = Stream::default();
    }

    /// Offset behind the last byte.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Offset of the first byte that is kept.
    pub fn first(&self) -> u64 {
        self.blocks.front().map_or(self.end, |block| block.start)
    }

    /// Bytes kept.
    pub fn held(&self) -> u64 {
        self.end - self.first()
    }

    /// Bytes of memory it takes.
    pub fn memory(&self) -> usize {
        self.room + self.blocks.capacity() * size_of::<Block>()
    }

    /// Says something; `history` is how many bytes will be kept. O(bytes).
    pub fn append(&mut self, mut bytes: &[u8], history: u64) {
        debug_assert!(self.is_kept);
        while !bytes.is_empty() {
            let room = match self.blocks.back() {
                Some(last) => last.bytes.capacity() - last.bytes.len(),
                None => 0,
            };
            if room == 0 {
                let bytes = Vec::with_capacity(block_size(history));
                self.room += bytes.capacity();
                self.blocks.push_back(Block { start: self.end, bytes });
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if let Some(last) = self.blocks.back_mut() {
                last.bytes.extend_from_slice(now);
            }
            self.end += now.len() as u64;
            bytes = later;
        }
    }

    /// The bytes from `position` on, as far as they stand together; nothing at the end. `None` if they are not kept any
    /// more, or not said yet. O(log blocks).
    pub fn at(&self, position: u64) -> Option<&[u8]> {
        if position < self.first() || position > self.end {
            return None;
        }
        let next = self.blocks.partition_point(|block| block.start <= position);
        let Some(block) = next.checked_sub(1).and_then(|at| self.blocks.get(at)) else {
            return Some(&[]);
        };
        let skipped = (position - block.start) as usize;
        Some(block.bytes.get(skipped..).unwrap_or(&[]))
    }

    /// Drops blocks that nobody needs any more: all that ends before the last `history` bytes and before `needed`, where
    /// the slowest replica reads.
    pub fn trim(&mut self, history: u64, needed: u64) {
        let keep = self.end.saturating_sub(history).min(needed);
        while let Some(front) = self.blocks.front()
            && front.end() <= keep
            && self.blocks.len() > 1
        {
            self.room -= front.bytes.capacity();
            self.blocks.pop_front();
        }
        if self.blocks.capacity() > 4 * self.blocks.len() + 8 {
            self.blocks.shrink_to(2 * self.blocks.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stream from `position` to its end.
    fn rest(stream: &Stream, mut position: u64) -> Vec<u8> {
        let mut out = Vec::new();
        while position < stream.end() {
            let part = stream.at(position).expect("it is kept");
            assert!(!part.is_empty());
            out.extend_from_slice(part);
            position += part.len() as u64;
        }
        out
    }

    #[test]
    fn what_was_said_is_read_from_any_place_until_it_is_dropped() {
        let mut random = fastrand::Rng::with_seed(11);
        let (mut stream, mut said) = (Stream::default(), Vec::new());
        const BEGIN: u64 = 1000;
        stream.begin(BEGIN);
        assert_eq!((stream.first(), stream.at(BEGIN)), (BEGIN, Some(&[][..])));
        for _ in 0..300 {
            let bytes: Vec<u8> = (0..random.usize(1..20_000)).map(|_| random.u8(..)).collect();
            stream.append(&bytes, 1 << 20);
            said.extend_from_slice(&bytes);
            assert_eq!(stream.end(), BEGIN + said.len() as u64);
            let needed = random.u64(stream.first()..=stream.end());
            let history = random.u64(0..500_000);
            let before = stream.first();
            stream.trim(history, needed);
            let kept = needed.min(stream.end().saturating_sub(history)).max(before);
            assert!(stream.first() <= kept && stream.first() + BLOCK as u64 > kept.min(stream.end() - 1));
            let from = random.u64(stream.first()..=stream.end());
            assert_eq!(rest(&stream, from), said[(from - BEGIN) as usize..]);
            assert_eq!(stream.at(stream.end() + 1), None);
            if stream.first() > BEGIN {
                assert_eq!(stream.at(stream.first() - 1), None);
            }
        }
        assert!(stream.memory() < 2 << 20);
    }
}
