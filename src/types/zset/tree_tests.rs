use super::*;
use crate::types::testing::Rng;
use std::collections::BTreeSet;

type ModelEntry = (u64, Vec<u8>, Handle);

/// A tree that frees its members, beside the sorted set of (key, bytes) that it must equal.
struct Checked {
    tree: Tree,
    model: BTreeSet<ModelEntry>,
}

/// A member in the model; the order of the model never gets as far as comparing handles.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Handle(Member);

impl PartialOrd for Handle {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Handle {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

impl Checked {
    fn new() -> Self {
        Checked {
            tree: Tree::new(),
            model: BTreeSet::new(),
        }
    }

    fn insert(&mut self, score: f64, bytes: &[u8]) -> bool {
        let member = Member::new(score, bytes);
        if !self.model.insert((sort_key(score), bytes.to_vec(), Handle(member))) {
            free(member);
            return false;
        }
        self.tree.insert(member);
        true
    }

    fn nth(&self, rank: usize) -> ModelEntry {
        self.model.iter().nth(rank).expect("rank in range").clone()
    }

    fn remove(&mut self, rank: usize) {
        let entry = self.nth(rank);
        self.model.remove(&entry);
        self.tree.remove(entry.2.0);
        free(entry.2.0);
    }

    fn remove_at(&mut self, rank: usize) {
        let entry = self.nth(rank);
        self.model.remove(&entry);
        let removed = self.tree.remove_at(rank);
        assert_eq!(removed, entry.2.0);
        free(removed);
    }

    fn remove_run(&mut self, rank: usize, most: usize) {
        let expected: Vec<ModelEntry> = self.model.iter().skip(rank).take(most).cloned().collect();
        let mut run = Vec::new();
        let removed = self.tree.remove_run(rank, most, &mut |member| run.push(member));
        assert!((1..=most.min(LEAF)).contains(&removed));
        assert!(
            run.iter()
                .copied()
                .eq(expected[..removed].iter().map(|entry| entry.2.0))
        );
        for entry in &expected[..removed] {
            self.model.remove(entry);
            free(entry.2.0);
        }
    }

    fn update(&mut self, rank: usize, score: f64) {
        let entry = self.nth(rank);
        let moved = (sort_key(score), entry.1.clone(), entry.2);
        if self.model.contains(&moved) {
            return;
        }
        self.model.remove(&entry);
        self.tree.update(entry.2.0, score);
        self.model.insert(moved);
    }

    fn check(&self) {
        assert_eq!(self.tree.len(), self.model.len());
        check_node(&self.tree.root, true);
        let order: Vec<Member> = self.model.iter().map(|entry| entry.2.0).collect();
        assert!(self.tree.iter(0, usize::MAX, false).eq(order.iter().copied()));
        assert!(self.tree.iter(0, usize::MAX, true).eq(order.iter().rev().copied()));
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        let mut freed = 0;
        while self.tree.pop_leaf(free).is_some_and(|n| n > 0) {
            freed += 1;
        }
        assert!(freed > 0 || self.model.is_empty());
        assert_eq!(self.tree.len(), 0);
    }
}

#[allow(unsafe_code)]
fn free(member: Member) {
    // SAFETY: the tests drop the member from tree and model before they free it.
    unsafe { member.free() }
}

/// Returns the depth below the node.
fn check_node(node: &Node, is_root: bool) -> usize {
    assert!(is_root || !node.is_sparse());
    let Node::Inner(inner) = node else { return 0 };
    assert!(inner.len() >= 2);
    let depths: Vec<usize> = (0..inner.len())
        .map(|at| {
            assert_eq!(inner.counts[at] as usize, inner.node(at).count());
            assert_eq!(inner.min(at), inner.node(at).min());
            assert_eq!(inner.keys[at], sort_key(inner.min(at).score()));
            check_node(inner.node(at), false)
        })
        .collect();
    assert!(depths.iter().all(|depth| *depth == depths[0]));
    depths[0] + 1
}

#[test]
fn sort_keys_order_as_scores_do() {
    let scores = [
        f64::NEG_INFINITY,
        -1e300,
        -2.5,
        -1.0,
        -1e-300,
        0.0,
        1e-300,
        1.0,
        1.0000001,
        2.0,
        1e300,
        f64::INFINITY,
    ];
    assert!(scores.is_sorted_by(|a, b| sort_key(*a) < sort_key(*b)));
    assert_eq!(sort_key(0.0), sort_key(-0.0));
}

fn random_score(rng: &mut Rng, kind: usize) -> f64 {
    match kind {
        // Many members of one score, so that bytes decide.
        0 => rng.below(3) as f64,
        // Scores that share their prefix.
        1 => 1.7e12 + rng.below(5000) as f64,
        2 => rng.below(1_000_000) as f64 - 500_000.0,
        _ => (rng.below(2000) as f64 - 1000.0) / 7.0,
    }
}

#[test]
fn random_edits_follow_a_sorted_set() {
    for kind in 0..4 {
        let mut rng = Rng::new(kind as u64 + 11);
        let mut checked = Checked::new();
        for step in 0..24_000 {
            // Waves of growth and shrinking, down to nothing.
            let growing = step / 6000 % 2 == 0;
            let len = checked.model.len();
            if len == 0 || rng.below(100) < if growing { 75 } else { 15 } {
                let score = random_score(&mut rng, kind);
                let bytes = format!("m{}", rng.below(100_000));
                checked.insert(score, bytes.as_bytes());
                continue;
            }
            let rank = rng.below(len);
            match rng.below(4) {
                0 => checked.remove(rank),
                1 => checked.remove_at(rank),
                2 => checked.update(rank, random_score(&mut rng, kind)),
                _ => {
                    let score = checked.nth(rank).2.0.score();
                    checked.update(rank, score + 0.25);
                }
            }
            if step % 500 == 0 {
                checked.check();
            }
        }
        checked.check();
    }
}

#[test]
fn runs_are_removed_from_one_leaf_at_a_time() {
    let mut rng = Rng::new(8);
    for kind in 0..4 {
        let mut checked = Checked::new();
        for i in 0..6000 {
            checked.insert(random_score(&mut rng, kind), format!("m{i}").as_bytes());
        }
        while !checked.model.is_empty() {
            let len = checked.model.len();
            let rank = rng.below(len);
            let longest = if rng.chance(3) { 10 } else { 200 };
            let most = 1 + rng.below(longest);
            // Mostly several runs at one place, so that leaves are emptied and nodes merge.
            for _ in 0..rng.below(6) {
                if rank < checked.model.len() {
                    checked.remove_run(rank, most);
                }
            }
            checked.check();
        }
    }
}

#[test]
fn positions_have_the_rank_that_counting_gives() {
    let mut rng = Rng::new(5);
    let mut checked = Checked::new();
    for _ in 0..5000 {
        checked.insert(rng.below(40) as f64, format!("m{}", rng.below(1000)).as_bytes());
    }
    for _ in 0..2000 {
        let score = rng.below(42) as f64 - 1.0;
        let bytes = format!("m{}", rng.below(1000)).into_bytes();
        let key = sort_key(score);
        let count = |before: &dyn Fn(&ModelEntry) -> bool| checked.model.iter().filter(|e| before(e)).count();
        assert_eq!(checked.tree.rank(Position::before_score(score)), count(&|e| e.0 < key));
        assert_eq!(checked.tree.rank(Position::behind_score(score)), count(&|e| e.0 <= key));
        assert_eq!(
            checked.tree.rank(Position::before(score, &bytes)),
            count(&|e| (e.0, &e.1) < (key, &bytes))
        );
        assert_eq!(
            checked.tree.rank(Position::behind(score, &bytes)),
            count(&|e| (e.0, &e.1) <= (key, &bytes))
        );
    }
    let order: Vec<Member> = checked.model.iter().map(|entry| entry.2.0).collect();
    for _ in 0..300 {
        let start = rng.below(order.len());
        let end = start + rng.below(order.len() - start);
        assert!(
            checked
                .tree
                .iter(start, end, false)
                .eq(order[start..end].iter().copied())
        );
        assert!(
            checked
                .tree
                .iter(start, end, true)
                .eq(order[start..end].iter().rev().copied())
        );
        assert_eq!(checked.tree.get(start), Some(order[start]));
    }
    assert_eq!(checked.tree.get(order.len()), None);
}

#[test]
fn popping_either_end_and_appending_keep_the_shape() {
    for ascending in [true, false] {
        let mut checked = Checked::new();
        for i in 0..20_000 {
            let score = if ascending { i } else { -i };
            checked.insert(f64::from(score), b"x");
        }
        checked.check();
        while checked.tree.len() > 0 {
            for _ in 0..checked.tree.len().min(997) {
                checked.remove_at(0);
            }
            checked.check();
        }
    }
}

#[test]
fn random_inserts_fill_more_than_four_fifths() {
    let mut rng = Rng::new(3);
    let mut tree = Tree::new();
    let n = 100_000;
    for i in 0..n {
        tree.insert(Member::new(rng.below(1 << 40) as f64, format!("member:{i}").as_bytes()));
    }
    let bytes_each = tree.memory() as f64 / f64::from(n);
    assert!(bytes_each < 16.5, "{bytes_each}");
    while tree.pop_leaf(free).is_some() {}
}
