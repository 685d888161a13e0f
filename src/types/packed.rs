//! Where small values live: a run of bytes that can be edited in place.
//!
//! Small lists, hashes, sets and sorted sets are one run of packed bytes. That run may stand inside a key's
//! own entry (one allocation for key and value) or in a buffer of its own, so the code that edits it is
//! written against this trait and does not care.

use std::ops::Range;

/// An editable run of bytes.
pub trait PackedBuf {
    fn bytes(&self) -> &[u8];

    /// Gives the bytes for overwriting in place; the length stays.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// Replaces `range` by `with`, moving what follows. O(length behind the range).
    fn splice(&mut self, range: Range<usize>, with: &[u8]);
}

impl PackedBuf for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }

    fn splice(&mut self, range: Range<usize>, with: &[u8]) {
        let (start, old, new) = (range.start, range.len(), with.len());
        let tail = self.len() - range.end;
        if new > old {
            self.resize(self.len() + new - old, 0);
        }
        self.copy_within(start + old..start + old + tail, start + new);
        if new < old {
            self.truncate(start + new + tail);
        }
        self[start..start + new].copy_from_slice(with);
    }
}
