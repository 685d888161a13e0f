//! The memory of the slots: chains of small blocks in one arena.
//!
//! A `Vec` for each slot would double its way to half-empty buffers and keep them after a burst; a linked list of
//! single items would cost a link and a cache miss for each. A chain of blocks of 31 items costs 8.3 bytes an item
//! when full, wastes at most one block a slot, and hands every emptied block to whichever slot grows next.
//! Blocks live in chunks of a page: the arena grows and shrinks by a page at a time, so neither ever copies anything.

/// Items of one block: with its link and its count it fills 256 bytes.
const BLOCK_ITEMS: usize = 31;
/// Blocks of one chunk: 4 KiB, an allocation no allocator rounds up.
const CHUNK_BLOCKS: usize = 16;
/// Bit mask of a chunk none of whose blocks is in use.
const ALL_FREE: u16 = u16::MAX;
/// The number of no block.
const NO_BLOCK: u32 = u32::MAX;
/// The position of a chunk that is on no list.
const UNLISTED: u32 = u32::MAX;

#[derive(Clone, Debug)]
struct Block {
    items: [u64; BLOCK_ITEMS],
    len: u32,
    next: u32,
}

impl Block {
    const EMPTY: Block = Block {
        items: [0; BLOCK_ITEMS],
        len: 0,
        next: NO_BLOCK,
    };
}

/// A bag of items. It owns blocks of an arena, so it is not `Copy` and must be emptied before it is dropped.
#[derive(Debug)]
pub(super) struct Chain {
    /// The only block that may be partly filled.
    head: u32,
}

impl Chain {
    pub(super) const EMPTY: Chain = Chain { head: NO_BLOCK };

    pub(super) const fn is_empty(&self) -> bool {
        self.head == NO_BLOCK
    }
}

/// Sixteen blocks, or the memory of none while all of them are free.
#[derive(Debug)]
struct Chunk {
    /// Of length `CHUNK_BLOCKS`, or empty when the memory has been given back.
    blocks: Box<[Block]>,
    /// A bit a block: not in any chain.
    free: u16,
    /// Where this chunk stands on the list `Blocks::open`.
    listed_at: u32,
}

/// All blocks of a wheel.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    chunks: Vec<Chunk>,
    /// Chunks that have memory and a free block.
    open: Vec<u32>,
    /// Chunks without memory, to be used again before `chunks` grows.
    vacant: Vec<u32>,
}

impl Blocks {
    /// Adds an item. O(1).
    pub(super) fn push(&mut self, chain: &mut Chain, item: u64) {
        if chain.is_empty() || self.block(chain.head).len as usize == BLOCK_ITEMS {
            let fresh = self.allocate();
            self.block_mut(fresh).next = chain.head;
            chain.head = fresh;
        }
        let block = self.block_mut(chain.head);
        block.items[block.len as usize] = item;
        block.len += 1;
    }

    /// Takes out some item, the latest first. O(1).
    pub(super) fn pop(&mut self, chain: &mut Chain) -> Option<u64> {
        if chain.is_empty() {
            return None;
        }
        let block = self.block_mut(chain.head);
        block.len -= 1;
        let item = block.items[block.len as usize];
        if block.len == 0 {
            let emptied = chain.head;
            chain.head = block.next;
            self.release(emptied);
        }
        Some(item)
    }

    /// Bytes of heap memory held.
    pub(super) fn memory(&self) -> usize {
        let with_memory = self.chunks.len() - self.vacant.len();
        with_memory * CHUNK_BLOCKS * size_of::<Block>()
            + self.chunks.capacity() * size_of::<Chunk>()
            + (self.open.capacity() + self.vacant.capacity()) * size_of::<u32>()
    }

    fn block(&self, number: u32) -> &Block {
        &self.chunks[number as usize / CHUNK_BLOCKS].blocks[number as usize % CHUNK_BLOCKS]
    }

    fn block_mut(&mut self, number: u32) -> &mut Block {
        &mut self.chunks[number as usize / CHUNK_BLOCKS].blocks[number as usize % CHUNK_BLOCKS]
    }

    /// Gives an empty block, from a chunk in use if one has room.
    fn allocate(&mut self) -> u32 {
        let number = match self.open.last() {
            Some(&number) => number,
            None => self.open_chunk(),
        };
        let chunk = &mut self.chunks[number as usize];
        let block = chunk.free.trailing_zeros();
        chunk.free &= !(1 << block);
        if chunk.free == 0 {
            chunk.listed_at = UNLISTED;
            self.open.pop();
        }
        number * CHUNK_BLOCKS as u32 + block
    }

    /// Gets memory for one more chunk and puts it on the list of those with room.
    fn open_chunk(&mut self) -> u32 {
        let number = self.vacant.pop().unwrap_or_else(|| {
            self.chunks.push(Chunk {
                blocks: Box::default(),
                free: ALL_FREE,
                listed_at: UNLISTED,
            });
            (self.chunks.len() - 1) as u32
        });
        self.chunks[number as usize].blocks = vec![Block::EMPTY; CHUNK_BLOCKS].into_boxed_slice();
        self.list(number);
        number
    }

    /// Takes back a block that left its chain; with the last of its chunk the chunk's memory goes too.
    fn release(&mut self, block: u32) {
        let number = block / CHUNK_BLOCKS as u32;
        let chunk = &mut self.chunks[number as usize];
        let was_full = chunk.free == 0;
        chunk.free |= 1 << (block as usize % CHUNK_BLOCKS);
        let unused = chunk.free == ALL_FREE;
        if was_full {
            self.list(number);
        }
        if !unused {
            return;
        }
        // One chunk with room always stays: a single timer that fires and is armed again must not allocate each time.
        if self.open.len() > 1 {
            self.vacate(number);
        }
        if self.chunks.len() > 1 && self.is_unused() {
            *self = Blocks::default();
        }
    }

    /// Whether no chain has any block. O(1), since at most one wholly free chunk keeps its memory.
    fn is_unused(&self) -> bool {
        let only = if self.open.len() == 1 { self.open.first() } else { None };
        let free = only.is_some_and(|&number| self.chunks[number as usize].free == ALL_FREE);
        free && self.vacant.len() + 1 == self.chunks.len()
    }

    fn vacate(&mut self, number: u32) {
        self.unlist(number);
        self.chunks[number as usize].blocks = Box::default();
        self.vacant.push(number);
    }

    fn list(&mut self, number: u32) {
        self.chunks[number as usize].listed_at = self.open.len() as u32;
        self.open.push(number);
    }

    fn unlist(&mut self, number: u32) {
        let at = self.chunks[number as usize].listed_at as usize;
        self.chunks[number as usize].listed_at = UNLISTED;
        self.open.swap_remove(at);
        if let Some(&moved) = self.open.get(at) {
            self.chunks[moved as usize].listed_at = at as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_fills_its_size_class_and_a_chunk_a_page() {
        assert_eq!(size_of::<Block>(), 256);
        assert_eq!(CHUNK_BLOCKS * size_of::<Block>(), 4096);
    }

    #[test]
    fn a_chain_gives_back_what_was_put_in() {
        let mut blocks = Blocks::default();
        let mut chains = [Chain::EMPTY, Chain::EMPTY, Chain::EMPTY];
        for item in 0..9999 {
            blocks.push(&mut chains[item as usize % 3], item);
        }
        for (remainder, chain) in chains.iter_mut().enumerate() {
            let mut items: Vec<u64> = std::iter::from_fn(|| blocks.pop(chain)).collect();
            items.sort_unstable();
            assert!(
                items
                    .iter()
                    .copied()
                    .eq((0..9999).filter(|item| *item as usize % 3 == remainder))
            );
            assert!(chain.is_empty());
        }
    }

    #[test]
    fn memory_goes_back_as_chains_empty_and_is_used_again() {
        let mut blocks = Blocks::default();
        let (mut long, mut short) = (Chain::EMPTY, Chain::EMPTY);
        blocks.push(&mut short, 1);
        let smallest = blocks.memory();
        for item in 0..100_000 {
            blocks.push(&mut long, item);
        }
        let full = blocks.memory();
        for _ in 0..99_000 {
            blocks.pop(&mut long);
        }
        assert!(blocks.memory() < full / 20, "{} of {full}", blocks.memory());
        for item in 0..99_000 {
            blocks.push(&mut long, item);
        }
        assert!(blocks.memory() <= full + full / 100);
        while blocks.pop(&mut long).is_some() {}
        blocks.pop(&mut short);
        assert!(blocks.memory() <= smallest);
    }

    #[test]
    fn a_single_item_coming_and_going_keeps_its_memory() {
        let mut blocks = Blocks::default();
        let mut chain = Chain::EMPTY;
        blocks.push(&mut chain, 1);
        let held = blocks.memory();
        blocks.pop(&mut chain);
        assert_eq!(blocks.memory(), held);
    }
}
