//! How large a radix tree over node IDs would be.
//!
//! Redis keeps the nodes of a stream in a radix tree and shows the tree's size in XINFO STREAM. There is no such tree
//! here, but its shape follows from the keys alone: each key of 16 bytes ends in a leaf, two keys part at a branching
//! node as deep as their common prefix, and a run of bytes between two of these, beyond the one byte that a branch
//! holds for each of its edges, is one compressed node. Keys come in order, so the branches above the present key form
//! a stack of rising depths, as in Kasai's construction of suffix trees from common prefixes.

use super::id::StreamId;

/// Bytes of a key.
const KEY: usize = 16;
/// Keys looked at; of more the rest is taken to look alike.
const COUNTED: usize = 1000;

/// The nodes of a radix tree that holds `len` rising keys. O(keys), at most a thousand.
pub(super) fn count(keys: impl Iterator<Item = StreamId>, len: usize) -> usize {
    let keys: Vec<StreamId> = keys.take(COUNTED).collect();
    if keys.is_empty() {
        return 1;
    }
    let counted = count_all(&keys);
    if len <= COUNTED {
        return counted;
    }
    counted * len / COUNTED
}

fn count_all(keys: &[StreamId]) -> usize {
    // Compressed nodes on the way from a branch, or from the root, down to a node at `depth`.
    let compressed = |above: Option<usize>, depth: usize| usize::from(depth > above.map_or(0, |above| above + 1));
    let mut nodes = keys.len();
    let mut branches: Vec<usize> = Vec::new();
    let mut before = None;
    let prefixes = keys.windows(2).map(|pair| Some(common_prefix(pair[0], pair[1])));
    for behind in prefixes.chain([None]) {
        // The key's leaf hangs from the deeper of the branches to its neighbours.
        nodes += compressed(before.max(behind), KEY);
        while let Some(&depth) = branches.last()
            && behind.is_none_or(|behind| depth > behind)
        {
            branches.pop();
            nodes += 1 + compressed(branches.last().copied().max(behind), depth);
        }
        if let Some(behind) = behind
            && branches.last() != Some(&behind)
        {
            branches.push(behind);
        }
        before = behind;
    }
    nodes
}

/// How many bytes two keys have in common from their start.
fn common_prefix(a: StreamId, b: StreamId) -> usize {
    let differing = u128::from_be_bytes(a.to_be_bytes()) ^ u128::from_be_bytes(b.to_be_bytes());
    differing.leading_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(keys: impl IntoIterator<Item = (u64, u64)>) -> usize {
        let keys: Vec<_> = keys.into_iter().map(|(ms, seq)| StreamId::new(ms, seq)).collect();
        count(keys.iter().copied(), keys.len())
    }

    /// What XINFO STREAM of Redis 7.0.15 and of Valkey 8.0.1 shows with an entry a node.
    #[test]
    fn trees_are_as_large_as_real_ones() {
        assert_eq!(of([]), 1);
        assert_eq!(of([(1, 0)]), 2);
        assert_eq!(of([(1, 0), (2, 0)]), 6);
        assert_eq!(of([(1, 0), (1, 1)]), 4);
        assert_eq!(of([(1, 0), (256, 0)]), 6);
        assert_eq!(
            of([(1, 1), (1, 2), (2, 0), (65_536, 7), (65_536, 263), (1 << 40, 0)]),
            20
        );
        assert_eq!(of((1..200).map(|n| (n * 77, n % 3))), 460);
        assert_eq!(
            of((0..1500).step_by(7).map(|n| (1_700_000_000_000 + n / 150, n % 150))),
            237
        );
    }

    #[test]
    fn many_keys_are_estimated() {
        let keys: Vec<_> = (0..5000).map(|n| StreamId::new(n * 256, 0)).collect();
        let (estimate, exact) = (count(keys.iter().copied(), keys.len()), count_all(&keys));
        assert!(estimate.abs_diff(exact) < exact / 50, "{estimate} {exact}");
    }
}
