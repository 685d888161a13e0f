//! How full a node may get: the setting `list-max-listpack-size`, and what follows from it.

use std::cell::Cell;

use crate::types::listpack::{self, Listpack};

/// What the header and end mark of a listpack take; nodes go without, but are counted as if they had them.
const FRAME: usize = listpack::EMPTY.len();
/// What an element is taken to need beyond its text when asking whether a node has room for it.
const ELEMENT_OVERHEAD: usize = 8;
/// Bytes of a node that is limited by element count.
const SAFETY_BYTES: usize = 8192;

thread_local! {
    /// From how many bytes on a text gets a node to itself, whatever the setting says; 0 leaves it to the setting.
    static LARGE_FROM: Cell<usize> = const { Cell::new(0) };
}

/// Lets texts of `bytes` bytes and more have nodes of their own from now on, in all lists of this thread; 0 goes back
/// to what `list-max-listpack-size` says. For tests that would otherwise need gigabytes.
pub fn set_large_from(bytes: usize) {
    LARGE_FROM.set(bytes);
}

/// The limits of a node, in bytes of listpack and in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    bytes: usize,
    count: usize,
}

impl Fill {
    /// From the setting's value: -1 to -5 stand for 4, 8, 16, 32 and 64 kilobytes, positive values for a number of
    /// elements (of together no more than 8 kilobytes).
    pub fn from_setting(value: i64) -> Self {
        if value < 0 {
            let step = (value.unsigned_abs() - 1).min(4);
            return Fill {
                bytes: 4096 << step,
                count: usize::MAX,
            };
        }
        Fill {
            bytes: SAFETY_BYTES,
            count: value.clamp(1, 32_767) as usize,
        }
    }

    /// Bytes at which a node's buffer stops doubling.
    pub(super) fn buffer_limit(self) -> usize {
        self.bytes
    }

    /// Whether a small list of these totals is to become a quicklist.
    fn exceeded_by(self, bytes: usize, count: usize) -> bool {
        bytes > self.bytes || count > self.count
    }

    /// Whether adding `texts` texts of together `text_bytes` bytes makes the small list `pack` too large for one
    /// listpack: convert it before adding. (Redis counts the bare texts here, not what they take when encoded.)
    pub fn outgrown_by(self, pack: Listpack, text_bytes: usize, texts: usize) -> bool {
        self.exceeded_by(pack.byte_len() + text_bytes, pack.len() + texts)
    }

    /// Whether a text of this length gets a node to itself.
    pub(super) fn is_large(self, text: usize) -> bool {
        match LARGE_FROM.get() {
            0 => text > self.bytes,
            from => text >= from,
        }
    }

    /// Whether a node with elements of `size` bytes may take one more text.
    #[inline]
    pub(super) fn admits(self, size: usize, count: usize, text: usize) -> bool {
        !self.is_large(text) && !self.exceeded_by(FRAME + size + text + ELEMENT_OVERHEAD, count + 1)
    }

    /// Whether a node may hold elements of `size` bytes.
    pub(super) fn holds(self, size: usize, count: usize) -> bool {
        !self.exceeded_by(FRAME + size, count)
    }

    /// Whether a quicklist down to one node of these totals is to become a listpack again: at half the limit, so that
    /// a list around the limit does not convert back and forth. Only the limit that was set counts.
    pub(super) fn packs(self, size: usize, count: usize) -> bool {
        match self.count {
            usize::MAX => FRAME + size <= self.bytes / 2,
            limit => count <= limit / 2,
        }
    }

    /// The same for a list that was loaded, at the whole limit.
    pub(super) fn packs_loaded(self, size: usize, count: usize) -> bool {
        match self.count {
            usize::MAX => FRAME + size <= self.bytes,
            limit => count <= limit,
        }
    }
}
