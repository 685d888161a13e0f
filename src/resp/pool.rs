//! Reply buffers between uses. Replies are built in them and written from them within one tick, so a handful serves
//! thousands of clients, and an idle client holds none.

/// Buffers kept, and how large they may be in bytes: what one burst needed must not be held for ever.
const KEPT: usize = 1024;
const KEPT_BYTES: usize = 64 * 1024;

/// A stack of empty buffers.
#[derive(Debug, Default)]
pub struct ReplyPool {
    buffers: Vec<Vec<u8>>,
}

impl ReplyPool {
    /// An empty buffer.
    #[inline]
    pub fn take(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_default()
    }

    /// Takes a buffer back. What is still in it is thrown away here, whatever the giver did: bytes left behind by a write
    /// that failed would otherwise be the beginning of some other client's reply.
    #[inline]
    pub fn give(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        if buffer.capacity() > 0 && buffer.capacity() <= KEPT_BYTES && self.buffers.len() < KEPT {
            self.buffers.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_in_a_buffer_is_gone() {
        let mut pool = ReplyPool::default();
        pool.give(b"somebody's reply".to_vec());
        assert_eq!(pool.take(), b"");
    }

    #[test]
    fn buffers_are_used_again_but_not_hoarded() {
        let mut pool = ReplyPool::default();
        pool.give(Vec::with_capacity(KEPT_BYTES + 1));
        assert_eq!(pool.take().capacity(), 0);
        for _ in 0..KEPT + 10 {
            pool.give(Vec::with_capacity(16));
        }
        assert_eq!(pool.buffers.len(), KEPT);
        assert!(pool.take().capacity() >= 16);
    }
}
