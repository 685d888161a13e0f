//! Rows of one width, numbered from 0, in blocks that stay where they are.
//!
//! A vector of all rows would be copied as a whole each time it grows, a second for a gigabyte. Here only the last block
//! ever grows, and is at most some 64 KiB; and a large table is given back block by block.

use crate::memory::size_class;

/// About how many bytes a full block has; one row may be longer.
const BLOCK: usize = 64 * 1024;

pub struct Rows<T> {
    width: usize,
    /// How many bits of a row's number say where in its block it is.
    bits: u32,
    len: usize,
    blocks: Vec<Vec<T>>,
    /// What the blocks take of the allocator.
    bytes: usize,
}

impl<T> Rows<T> {
    pub fn new(width: usize) -> Self {
        let in_block = (BLOCK / (width.max(1) * size_of::<T>())).max(1);
        Rows {
            width,
            bits: in_block.ilog2(),
            len: 0,
            blocks: Vec::new(),
            bytes: 0,
        }
    }

    pub fn width(&self) -> usize {
        self.width
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Where a row is: its block, and its first cell there.
    #[inline]
    fn place(&self, row: u32) -> (usize, usize) {
        let row = row as usize;
        (row >> self.bits, (row & ((1 << self.bits) - 1)) * self.width)
    }

    #[inline]
    pub fn row(&self, row: u32) -> &[T] {
        let (block, start) = self.place(row);
        &self.blocks[block][start..start + self.width]
    }

    #[inline]
    pub fn row_mut(&mut self, row: u32) -> &mut [T] {
        let (block, start) = self.place(row);
        &mut self.blocks[block][start..start + self.width]
    }

    /// Where a row lies in memory, to fetch it ahead.
    #[inline]
    pub fn address(&self, row: u32) -> usize {
        self.row(row).as_ptr().addr()
    }

    /// Adds a row, which must have the width of all. O(width) on average, and never more than copying a block.
    pub fn push(&mut self, row: impl ExactSizeIterator<Item = T>) {
        debug_assert_eq!(row.len(), self.width);
        let most = self.width << self.bits;
        if self.len & ((1 << self.bits) - 1) == 0 {
            let before = size_class_of(&self.blocks);
            self.blocks.push(Vec::new());
            self.bytes = self.bytes + size_class_of(&self.blocks) - before;
        }
        if let Some(block) = self.blocks.last_mut() {
            if block.capacity() - block.len() < self.width {
                let before = size_class_of(block);
                let wanted = (2 * block.len()).clamp(self.width, most);
                block.reserve_exact(wanted - block.len());
                self.bytes = self.bytes + size_class_of(block) - before;
            }
            block.extend(row);
        }
        self.len += 1;
    }

    /// Removes the last row and gives its cells, from the last to the first, to `f`.
    fn take_last(&mut self, mut f: impl FnMut(T)) {
        let Some(block) = self.blocks.last_mut() else { return };
        for _ in 0..self.width {
            block.pop().into_iter().for_each(&mut f);
        }
        self.len -= 1;
        if self.len & ((1 << self.bits) - 1) == 0
            && let Some(block) = self.blocks.pop()
        {
            self.bytes -= size_class_of(&block);
        }
        if self.blocks.is_empty() {
            self.bytes -= size_class_of(&self.blocks);
            self.blocks = Vec::new();
        }
    }

    /// Removes the last row.
    pub fn pop(&mut self) {
        self.take_last(drop);
    }

    /// Removes a row; the last one takes its place.
    pub fn swap_remove(&mut self, row: u32) {
        if row as usize + 1 == self.len {
            return self.pop();
        }
        let (block, start) = self.place(row);
        let mut last = Vec::with_capacity(self.width);
        self.take_last(|cell| last.push(cell));
        for (cell, moved) in self.blocks[block][start..start + self.width].iter_mut().rev().zip(last) {
            *cell = moved;
        }
    }

    /// Bytes on the heap. O(1).
    pub fn memory(&self) -> usize {
        self.bytes
    }
}

impl<T: Clone> Clone for Rows<T> {
    /// The copy's blocks have no room to spare, which its count of bytes tells.
    fn clone(&self) -> Self {
        let blocks = self.blocks.clone();
        Rows {
            bytes: size_class_of(&blocks) + blocks.iter().map(size_class_of).sum::<usize>(),
            blocks,
            ..*self
        }
    }
}

/// What a vector takes of the allocator.
pub fn size_class_of<T>(vector: &Vec<T>) -> usize {
    match vector.capacity() * size_of::<T>() {
        0 => 0,
        bytes => size_class(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::testing::Rng;

    #[test]
    fn rows_follow_a_vector() {
        for width in [1, 3, 5000, 40_000] {
            let mut rng = Rng::new(width as u64);
            let (mut rows, mut model) = (Rows::<u32>::new(width), Vec::<u32>::new());
            for n in 0..2_000 {
                if rng.chance(3) && !model.is_empty() {
                    let row = rng.below(model.len());
                    rows.swap_remove(row as u32);
                    model.swap_remove(row);
                } else if width < 10_000 || model.len() < 20 {
                    rows.push(vec![n; width].into_iter());
                    model.push(n);
                }
                assert_eq!(rows.len(), model.len());
                let full: usize = rows.blocks.iter().map(size_class_of).sum();
                assert_eq!(rows.memory(), full + size_class_of(&rows.blocks));
            }
            for (row, value) in model.iter().enumerate() {
                assert!(rows.row(row as u32).iter().all(|cell| cell == value));
            }
            model.iter().for_each(|_| rows.pop());
            assert_eq!((rows.len(), rows.memory()), (0, 0));
        }
    }
}
