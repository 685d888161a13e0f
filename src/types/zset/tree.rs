//! The order of a large sorted set: a counted B+ tree over (score, member bytes).
//!
//! Redis keeps this order in a skip list, whose every step follows a pointer to a node somewhere else in
//! memory: finding a place among a million members waits for some twenty cache misses, each to look at one
//! score. Here a leaf holds up to 63 members side by side, so the tree over a million of them is four levels
//! high and the upper ones stay in the cache.
//!
//! - **Counted**: an inner node knows how many members hang under each child (Knuth, volume 3, section 6.2.3, calls
//!   it order by position). Ranks, members by rank, and counting a range all take O(log n) without visiting it.
//! - **Prefixes**: a leaf keeps the upper 32 bits of each score, made comparable as integers, beside the
//!   pointers. Only members that agree in those bits are ever dereferenced; twelve bytes a member are touched
//!   instead of a cache line each.
//! - **Fuller than a B-tree**: a full node first shares with a neighbour (as a B*-tree does, Bayer and McCreight)
//!   and is split only when both are full, which keeps random inserts at over four fifths of the room, where
//!   splitting alone leaves seven tenths.
//! - **Made room on the way down**: a full child is split before it is entered, so nothing travels back up
//!   and an insert or removal moves a bounded number of slots, whatever the size of the set.
//!
//! Invariants, checked by the tests: every node but the root is at least a quarter full; `keys[i]`, `mins[i]` and `counts[i]` of
//! an inner node are the sort key and handle of the smallest member under child `i` and the number of them.

use std::cmp::Ordering;

use super::member::Member;

/// Members of a leaf. 63 of them make a leaf of 760 bytes, just below an allocator's size class of 768.
const LEAF: usize = 63;
/// Children of an inner node.
const FANOUT: usize = 32;
/// How many members ahead an iterator asks the processor to fetch.
const PREFETCH: usize = 8;

/// A score as an integer of the same order. Both zeros are one, as they compare equal.
#[inline]
pub(super) fn sort_key(score: f64) -> u64 {
    let bits = (score + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn prefix_of(key: u64) -> u32 {
    (key >> 32) as u32
}

/// A place between two members.
#[derive(Clone, Copy)]
pub(super) struct Position<'a> {
    key: u64,
    tie: Tie<'a>,
}

/// Where a [`Position`] lies among members of its score.
#[derive(Clone, Copy)]
enum Tie<'a> {
    BeforeAll,
    Before(&'a [u8]),
    Behind(&'a [u8]),
    BehindAll,
}

impl<'a> Position<'a> {
    /// Before every member of that score.
    pub fn before_score(score: f64) -> Self {
        Position {
            key: sort_key(score),
            tie: Tie::BeforeAll,
        }
    }

    /// Behind every member of that score.
    pub fn behind_score(score: f64) -> Self {
        Position {
            key: sort_key(score),
            tie: Tie::BehindAll,
        }
    }

    /// Just before a member that is, or would be, there.
    pub fn before(score: f64, member: &'a [u8]) -> Self {
        Position {
            key: sort_key(score),
            tie: Tie::Before(member),
        }
    }

    /// Just behind a member that is, or would be, there.
    pub fn behind(score: f64, member: &'a [u8]) -> Self {
        Position {
            key: sort_key(score),
            tie: Tie::Behind(member),
        }
    }

    /// Whether the position lies behind this member.
    #[inline]
    fn is_behind(self, key: u64, member: Member) -> bool {
        match key.cmp(&self.key) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => match self.tie {
                Tie::BeforeAll => false,
                Tie::Before(bytes) => member.bytes() < bytes,
                Tie::Behind(bytes) => member.bytes() <= bytes,
                Tie::BehindAll => true,
            },
        }
    }
}

/// What a removal looks for on its way down.
#[derive(Clone, Copy)]
enum Target<'a> {
    /// The member that has this many before it in the node.
    Rank(usize),
    /// This very member; the position is just behind it. With `stay`, it is given that prefix and left where
    /// it is if its neighbours show that it would come to lie there again.
    Member {
        position: Position<'a>,
        member: Member,
        stay: Option<u32>,
    },
}

struct Leaf {
    len: u16,
    prefixes: [u32; LEAF],
    members: [Option<Member>; LEAF],
}

struct Inner {
    len: u16,
    keys: [u64; FANOUT],
    mins: [Option<Member>; FANOUT],
    counts: [u32; FANOUT],
    nodes: [Option<Node>; FANOUT],
}

enum Node {
    Leaf(Box<Leaf>),
    Inner(Box<Inner>),
}

/// How many of these sorted numbers are below `limit`. Looks at all of them: the comparisons do not wait for each other and are
/// done several at a time, where each step of a binary search waits for the memory the one before it asked for.
#[inline]
fn count_below<T: Copy + PartialOrd>(sorted: &[T], limit: T) -> usize {
    sorted.iter().map(|&n| usize::from(n < limit)).sum()
}

/// Puts `value` at `at` of the first `len` elements, moving the rest up.
fn insert_at<T>(slots: &mut [T], len: usize, at: usize, value: T) {
    slots[at..=len].rotate_right(1);
    slots[at] = value;
}

/// Moves the last `n` of `left_len` elements of `left` to the front of `right`.
fn move_right<T>(left: &mut [T], left_len: usize, right: &mut [T], right_len: usize, n: usize) {
    right[..right_len + n].rotate_right(n);
    left[left_len - n..left_len].swap_with_slice(&mut right[..n]);
}

/// Moves the first `n` of `right_len` elements of `right` to the end of `left`.
fn move_left<T>(left: &mut [T], left_len: usize, right: &mut [T], right_len: usize, n: usize) {
    left[left_len..left_len + n].swap_with_slice(&mut right[..n]);
    right[..right_len].rotate_left(n);
}

impl Leaf {
    fn new() -> Leaf {
        Leaf {
            len: 0,
            prefixes: [0; LEAF],
            members: [None; LEAF],
        }
    }

    fn len(&self) -> usize {
        usize::from(self.len)
    }

    #[inline]
    fn member(&self, at: usize) -> Member {
        self.members[at].expect("slots below len are filled")
    }

    /// How many members lie before the position. Dereferences only those that share its prefix.
    fn lower_bound(&self, position: Position) -> usize {
        let prefix = prefix_of(position.key);
        let prefixes = &self.prefixes[..self.len()];
        let start = count_below(prefixes, prefix);
        let ties = prefixes[start..].iter().take_while(|&&p| p == prefix).count();
        let is_behind =
            |member: &Option<Member>| member.is_some_and(|member| position.is_behind(sort_key(member.score()), member));
        start + self.members[start..start + ties].partition_point(is_behind)
    }

    fn insert(&mut self, position: Position, member: Member) {
        let (at, len) = (self.lower_bound(position), self.len());
        insert_at(&mut self.prefixes, len, at, prefix_of(position.key));
        insert_at(&mut self.members, len, at, Some(member));
        self.len += 1;
    }

    /// Returns the member taken out, or `None` if it could stay.
    fn remove(&mut self, target: Target) -> Option<Member> {
        let at = match target {
            Target::Rank(rank) => rank,
            Target::Member { position, member, stay } => {
                let at = self.index_of(prefix_of(position.key), member);
                if let Some(prefix) = stay
                    && self.lies_between_neighbours(at, prefix)
                {
                    self.prefixes[at] = prefix;
                    return None;
                }
                at
            }
        };
        let (member, len) = (self.member(at), self.len());
        self.prefixes.copy_within(at + 1..len, at);
        self.members.copy_within(at + 1..len, at);
        self.len -= 1;
        self.members[len - 1] = None;
        Some(member)
    }

    /// Takes out up to `most` members from `at` on, handing each to `f`; returns how many.
    fn remove_run(&mut self, at: usize, most: usize, f: &mut impl FnMut(Member)) -> usize {
        let len = self.len();
        let end = len.min(at + most);
        self.members[at..end].iter().flatten().for_each(|&member| f(member));
        self.prefixes.copy_within(end..len, at);
        self.members.copy_within(end..len, at);
        self.members[len - (end - at)..len].fill(None);
        self.len -= (end - at) as u16;
        end - at
    }

    /// Finds a member by its handle, so without touching any member.
    fn index_of(&self, prefix: u32, member: Member) -> usize {
        let start = count_below(&self.prefixes[..self.len()], prefix);
        let found = self.members[start..self.len()].iter().position(|&m| m == Some(member));
        start + found.expect("the member is in the leaf that its position leads to")
    }

    /// Whether a member at `at` may take that prefix without a look at its neighbours themselves. The first of
    /// the leaf never may: its score is repeated in the inner nodes.
    fn lies_between_neighbours(&self, at: usize, prefix: u32) -> bool {
        at > 0 && at + 1 < self.len() && self.prefixes[at - 1] < prefix && prefix < self.prefixes[at + 1]
    }
}

impl Inner {
    fn new() -> Inner {
        Inner {
            len: 0,
            keys: [0; FANOUT],
            mins: [None; FANOUT],
            counts: [0; FANOUT],
            nodes: [const { None }; FANOUT],
        }
    }

    fn len(&self) -> usize {
        usize::from(self.len)
    }

    fn min(&self, at: usize) -> Member {
        self.mins[at].expect("slots below len are filled")
    }

    fn node(&self, at: usize) -> &Node {
        self.nodes[at].as_ref().expect("slots below len are filled")
    }

    fn node_mut(&mut self, at: usize) -> &mut Node {
        self.nodes[at].as_mut().expect("slots below len are filled")
    }

    /// The child that the position falls into: the last that begins before it.
    fn child_at(&self, position: Position) -> usize {
        let keys = &self.keys[..self.len()];
        let start = count_below(keys, position.key);
        let ties = keys[start..].iter().take_while(|&&key| key == position.key).count();
        let is_behind = |min: &Option<Member>| min.is_some_and(|min| position.is_behind(position.key, min));
        let begun = start + self.mins[start..start + ties].partition_point(is_behind);
        begun.saturating_sub(1)
    }

    /// The child that holds the member of that rank, and the rank within it.
    fn child_of_rank(&self, mut rank: usize) -> (usize, usize) {
        let counts = &self.counts[..self.len()];
        for (at, &count) in counts.iter().enumerate() {
            if rank < count as usize {
                return (at, rank);
            }
            rank -= count as usize;
        }
        unreachable!("a rank is below the count of its node")
    }

    fn insert(&mut self, position: Position, member: Member) {
        let mut at = self.child_at(position);
        if self.node(at).is_full() {
            self.make_room(at);
            at = self.child_at(position);
        }
        self.node_mut(at).insert(position, member);
        self.counts[at] += 1;
        self.refresh_min(at);
    }

    fn remove(&mut self, target: Target) -> Option<Member> {
        let (at, target) = match target {
            Target::Rank(rank) => {
                let (at, rank) = self.child_of_rank(rank);
                (at, Target::Rank(rank))
            }
            Target::Member { position, .. } => (self.child_at(position), target),
        };
        let removed = self.node_mut(at).remove(target)?;
        self.counts[at] -= 1;
        self.mend(at);
        Some(removed)
    }

    /// Takes out up to `most` members from `rank` on, as far as one leaf has them; returns how many.
    fn remove_run(&mut self, rank: usize, most: usize, f: &mut impl FnMut(Member)) -> usize {
        let (at, rank) = self.child_of_rank(rank);
        let removed = self.node_mut(at).remove_run(rank, most, f);
        self.counts[at] -= removed as u32;
        self.mend(at);
        removed
    }

    /// Sees to a child that has lost members: fills it if it has become sparse, and notes its smallest member.
    fn mend(&mut self, at: usize) {
        if self.node(at).is_sparse() && self.len() > 1 {
            self.fill(at);
        } else {
            self.refresh_min(at);
        }
    }

    /// Makes a full child less than full: shares with a neighbour that has room, or else splits it.
    /// The caller sees to it that this node itself is not full.
    fn make_room(&mut self, at: usize) {
        if at + 1 < self.len() && self.node(at + 1).has_room_to_share() {
            self.balance(at);
        } else if at > 0 && self.node(at - 1).has_room_to_share() {
            self.balance(at - 1);
        } else {
            let sibling = self.node(at).new_sibling();
            self.insert_node(at + 1, sibling);
            self.balance(at);
        }
    }

    /// Mends a child that is less than a quarter full with the help of a neighbour.
    fn fill(&mut self, at: usize) {
        let left = if at + 1 < self.len() { at } else { at - 1 };
        let (a, b) = (self.node(left), self.node(left + 1));
        if a.len() + b.len() > a.share_limit() {
            return self.balance(left);
        }
        let n = b.len();
        self.with_neighbours(left, |a, b| a.take_from_right(b, n));
        self.remove_node(left + 1);
        self.refresh(left);
    }

    /// Gives the children `left` and `left + 1` half of what both hold.
    fn balance(&mut self, left: usize) {
        self.with_neighbours(left, |a, b| {
            let half = (a.len() + b.len()) / 2;
            if a.len() > half {
                let n = a.len() - half;
                a.give_to_right(b, n);
            } else {
                let n = half - a.len();
                a.take_from_right(b, n);
            }
        });
        self.refresh(left);
        self.refresh(left + 1);
    }

    fn with_neighbours(&mut self, left: usize, f: impl FnOnce(&mut Node, &mut Node)) {
        let (a, b) = self.nodes.split_at_mut(left + 1);
        if let (Some(a), Some(b)) = (&mut a[left], &mut b[0]) {
            f(a, b);
        }
    }

    /// Adds a child whose smallest member and count are still to be filled in by [`Inner::refresh`].
    fn insert_node(&mut self, at: usize, node: Node) {
        let len = self.len();
        insert_at(&mut self.keys, len, at, 0);
        insert_at(&mut self.mins, len, at, None);
        insert_at(&mut self.counts, len, at, 0);
        insert_at(&mut self.nodes, len, at, Some(node));
        self.len += 1;
    }

    /// Drops a child that has been emptied.
    fn remove_node(&mut self, at: usize) {
        let len = self.len();
        self.keys[at..len].rotate_left(1);
        self.mins[at..len].rotate_left(1);
        self.counts[at..len].rotate_left(1);
        self.nodes[at..len].rotate_left(1);
        self.nodes[len - 1] = None;
        self.len -= 1;
    }

    /// Brings what is known here of child `at` up to date.
    fn refresh(&mut self, at: usize) {
        self.counts[at] = self.node(at).count() as u32;
        self.refresh_min(at);
    }

    fn refresh_min(&mut self, at: usize) {
        let min = self.node(at).min();
        if self.mins[at] != Some(min) {
            self.keys[at] = self.node(at).min_key();
            self.mins[at] = Some(min);
        }
    }

    fn move_slots_right(&mut self, right: &mut Inner, n: usize) {
        let (a, b) = (self.len(), right.len());
        move_right(&mut self.keys, a, &mut right.keys, b, n);
        move_right(&mut self.mins, a, &mut right.mins, b, n);
        move_right(&mut self.counts, a, &mut right.counts, b, n);
        move_right(&mut self.nodes, a, &mut right.nodes, b, n);
    }

    fn move_slots_left(&mut self, right: &mut Inner, n: usize) {
        let (a, b) = (self.len(), right.len());
        move_left(&mut self.keys, a, &mut right.keys, b, n);
        move_left(&mut self.mins, a, &mut right.mins, b, n);
        move_left(&mut self.counts, a, &mut right.counts, b, n);
        move_left(&mut self.nodes, a, &mut right.nodes, b, n);
    }

    /// Takes the last leaf off. For taking the tree down only: nodes left sparse are not mended.
    fn pop_leaf(&mut self) -> Option<Box<Leaf>> {
        while self.len > 0 {
            let last = self.len() - 1;
            let popped = match self.node_mut(last) {
                Node::Inner(inner) => inner.pop_leaf(),
                Node::Leaf(_) => None,
            };
            if let Some(leaf) = popped {
                self.counts[last] -= u32::from(leaf.len);
                return Some(leaf);
            }
            self.len -= 1;
            if let Some(Node::Leaf(leaf)) = self.nodes[last].take() {
                return Some(leaf);
            }
        }
        None
    }
}

impl Node {
    fn len(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.len(),
            Node::Inner(inner) => inner.len(),
        }
    }

    fn capacity(&self) -> usize {
        match self {
            Node::Leaf(_) => LEAF,
            Node::Inner(_) => FANOUT,
        }
    }

    fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    fn is_sparse(&self) -> bool {
        self.len() < self.capacity() / 4
    }

    /// Up to where a node is filled by sharing. The eighth left free keeps the next insert from sharing again.
    fn share_limit(&self) -> usize {
        self.capacity() - self.capacity() / 8
    }

    fn has_room_to_share(&self) -> bool {
        self.len() < self.share_limit()
    }

    fn new_sibling(&self) -> Node {
        match self {
            Node::Leaf(_) => Node::Leaf(Box::new(Leaf::new())),
            Node::Inner(_) => Node::Inner(Box::new(Inner::new())),
        }
    }

    /// Members in this subtree.
    fn count(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.len(),
            Node::Inner(inner) => inner.counts[..inner.len()].iter().map(|&count| count as usize).sum(),
        }
    }

    fn min(&self) -> Member {
        match self {
            Node::Leaf(leaf) => leaf.member(0),
            Node::Inner(inner) => inner.min(0),
        }
    }

    fn min_key(&self) -> u64 {
        match self {
            Node::Leaf(leaf) => sort_key(leaf.member(0).score()),
            Node::Inner(inner) => inner.keys[0],
        }
    }

    fn insert(&mut self, position: Position, member: Member) {
        match self {
            Node::Leaf(leaf) => leaf.insert(position, member),
            Node::Inner(inner) => inner.insert(position, member),
        }
    }

    fn remove(&mut self, target: Target) -> Option<Member> {
        match self {
            Node::Leaf(leaf) => leaf.remove(target),
            Node::Inner(inner) => inner.remove(target),
        }
    }

    fn remove_run(&mut self, rank: usize, most: usize, f: &mut impl FnMut(Member)) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.remove_run(rank, most, f),
            Node::Inner(inner) => inner.remove_run(rank, most, f),
        }
    }

    fn give_to_right(&mut self, right: &mut Node, n: usize) {
        match (self, right) {
            (Node::Leaf(a), Node::Leaf(b)) => {
                let (a_len, b_len) = (a.len(), b.len());
                move_right(&mut a.prefixes, a_len, &mut b.prefixes, b_len, n);
                move_right(&mut a.members, a_len, &mut b.members, b_len, n);
                (a.len, b.len) = (a.len - n as u16, b.len + n as u16);
            }
            (Node::Inner(a), Node::Inner(b)) => {
                a.move_slots_right(b, n);
                (a.len, b.len) = (a.len - n as u16, b.len + n as u16);
            }
            _ => unreachable!("all leaves are on one level"),
        }
    }

    fn take_from_right(&mut self, right: &mut Node, n: usize) {
        match (self, right) {
            (Node::Leaf(a), Node::Leaf(b)) => {
                let (a_len, b_len) = (a.len(), b.len());
                move_left(&mut a.prefixes, a_len, &mut b.prefixes, b_len, n);
                move_left(&mut a.members, a_len, &mut b.members, b_len, n);
                (a.len, b.len) = (a.len + n as u16, b.len - n as u16);
            }
            (Node::Inner(a), Node::Inner(b)) => {
                a.move_slots_left(b, n);
                (a.len, b.len) = (a.len + n as u16, b.len - n as u16);
            }
            _ => unreachable!("all leaves are on one level"),
        }
    }

    /// Bytes of the nodes of this subtree. Visits inner nodes only.
    fn memory(&self) -> usize {
        match self {
            Node::Leaf(_) => size_of::<Leaf>(),
            Node::Inner(inner) => {
                let children: usize = match inner.node(0) {
                    Node::Leaf(_) => inner.len() * size_of::<Leaf>(),
                    Node::Inner(_) => (0..inner.len()).map(|at| inner.node(at).memory()).sum(),
                };
                size_of::<Inner>() + children
            }
        }
    }
}

/// Members in order of score, then bytes. Holds handles, does not own what they point to.
pub(super) struct Tree {
    root: Node,
    len: usize,
}

impl Tree {
    pub fn new() -> Tree {
        Tree {
            root: Node::Leaf(Box::new(Leaf::new())),
            len: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds a member that is not there yet. O(log n).
    pub fn insert(&mut self, member: Member) {
        if self.root.is_full() {
            let old = std::mem::replace(&mut self.root, Node::Inner(Box::new(Inner::new())));
            if let Node::Inner(root) = &mut self.root {
                root.insert_node(0, old);
                root.refresh(0);
            }
        }
        self.root
            .insert(Position::before(member.score(), member.bytes()), member);
        self.len += 1;
    }

    /// Takes out a member that is there. O(log n).
    pub fn remove(&mut self, member: Member) {
        let position = Position::behind(member.score(), member.bytes());
        self.take(Target::Member {
            position,
            member,
            stay: None,
        });
    }

    /// Takes out the member of that rank, which must be below [`Tree::len`]. O(log n), touching no other member.
    pub fn remove_at(&mut self, rank: usize) -> Member {
        debug_assert!(rank < self.len);
        self.take(Target::Rank(rank))
            .expect("a removal by rank never lets the member stay")
    }

    /// Changes the score of a member that is there, moving it where it now belongs. O(log n).
    pub fn update(&mut self, member: Member, score: f64) {
        let position = Position::behind(member.score(), member.bytes());
        let stay = Some(prefix_of(sort_key(score)));
        let removed = self.take(Target::Member { position, member, stay });
        member.set_score(score);
        if removed.is_some() {
            self.insert(member);
        }
    }

    /// Takes out members from `rank` on, which must be below [`Tree::len`]: up to `most`, at least one, and no more than
    /// one leaf has, handing each to `f`; returns how many. O(log n) for all of them, some fifty in the middle of a large
    /// range.
    pub fn remove_run(&mut self, rank: usize, most: usize, f: &mut impl FnMut(Member)) -> usize {
        debug_assert!(rank < self.len && most > 0);
        let removed = self.root.remove_run(rank, most, f);
        self.len -= removed;
        self.lower();
        removed
    }

    fn take(&mut self, target: Target) -> Option<Member> {
        let removed = self.root.remove(target)?;
        self.len -= 1;
        self.lower();
        Some(removed)
    }

    /// Makes the only child of a root the root.
    fn lower(&mut self) {
        while let Node::Inner(root) = &mut self.root
            && root.len() == 1
            && let Some(only) = root.nodes[0].take()
        {
            self.root = only;
        }
    }

    /// How many members lie before the position. O(log n).
    pub fn rank(&self, position: Position) -> usize {
        let (leaf, before) = self.descend(position);
        before + leaf.lower_bound(position)
    }

    /// The rank of a member that is there. O(log n).
    pub fn rank_of(&self, member: Member) -> usize {
        let position = Position::behind(member.score(), member.bytes());
        let (leaf, before) = self.descend(position);
        before + leaf.index_of(prefix_of(position.key), member)
    }

    /// The leaf that the position falls into, and how many members lie before that leaf.
    fn descend(&self, position: Position) -> (&Leaf, usize) {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(leaf) => return (leaf, rank),
                Node::Inner(inner) => {
                    let at = inner.child_at(position);
                    rank += inner.counts[..at].iter().map(|&count| count as usize).sum::<usize>();
                    node = inner.node(at);
                }
            }
        }
    }

    /// The leaf that holds the member of that rank, and its place there. O(log n).
    fn leaf_at(&self, mut rank: usize) -> (&Leaf, usize) {
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(leaf) => return (leaf, rank),
                Node::Inner(inner) => {
                    let (at, within) = inner.child_of_rank(rank);
                    (node, rank) = (inner.node(at), within);
                }
            }
        }
    }

    /// The member of that rank. O(log n).
    pub fn get(&self, rank: usize) -> Option<Member> {
        if rank >= self.len {
            return None;
        }
        let (leaf, at) = self.leaf_at(rank);
        leaf.members[at]
    }

    /// The members of ranks `start..end`, in order or backwards. O(log n) to begin, then O(1) each.
    pub fn iter(&self, start: usize, end: usize, reverse: bool) -> Iter<'_> {
        let end = end.min(self.len);
        Iter {
            tree: self,
            leaf: None,
            at: 0,
            start: start.min(end),
            end,
            reverse,
        }
    }

    /// Takes the last leaf off and hands its members to `f`; returns how many there were, `None` at the end.
    /// For freeing a tree piece by piece: what is left is in order but may be sparse.
    pub fn pop_leaf(&mut self, mut f: impl FnMut(Member)) -> Option<usize> {
        let leaf = match &mut self.root {
            Node::Leaf(leaf) => std::mem::replace(leaf, Box::new(Leaf::new())),
            Node::Inner(root) => root.pop_leaf()?,
        };
        if leaf.len == 0 {
            return None;
        }
        leaf.members[..leaf.len()]
            .iter()
            .flatten()
            .for_each(|&member| member.prefetch());
        leaf.members[..leaf.len()]
            .iter()
            .flatten()
            .for_each(|&member| f(member));
        self.len -= leaf.len();
        Some(leaf.len())
    }

    /// Bytes of all nodes. O(n / 2000).
    pub fn memory(&self) -> usize {
        self.root.memory()
    }
}

/// Members between two ranks; see [`Tree::iter`]. It finds each next leaf by rank instead of following links
/// between leaves: one descent for some fifty members costs little, and leaves need no pointers to keep right.
pub(super) struct Iter<'a> {
    tree: &'a Tree,
    leaf: Option<&'a Leaf>,
    /// Index in the leaf of the next member; for the reverse direction one above it.
    at: usize,
    start: usize,
    end: usize,
    reverse: bool,
}

impl Iter<'_> {
    fn next_forward(&mut self) -> Option<Member> {
        let leaf = match self.leaf {
            Some(leaf) if self.at < leaf.len() => leaf,
            _ => {
                let (leaf, at) = self.tree.leaf_at(self.start);
                (self.leaf, self.at) = (Some(leaf), at);
                leaf.members[at..]
                    .iter()
                    .take(PREFETCH)
                    .flatten()
                    .for_each(|member| member.prefetch());
                leaf
            }
        };
        self.at += 1;
        self.start += 1;
        if let Some(Some(ahead)) = leaf.members.get(self.at + PREFETCH - 1) {
            ahead.prefetch();
        }
        leaf.members[self.at - 1]
    }

    fn next_reverse(&mut self) -> Option<Member> {
        let leaf = match self.leaf {
            Some(leaf) if self.at > 0 => leaf,
            _ => {
                let (leaf, at) = self.tree.leaf_at(self.end - 1);
                (self.leaf, self.at) = (Some(leaf), at + 1);
                leaf.members[..=at]
                    .iter()
                    .rev()
                    .take(PREFETCH)
                    .flatten()
                    .for_each(|member| member.prefetch());
                leaf
            }
        };
        self.at -= 1;
        self.end -= 1;
        if let Some(ahead) = self.at.checked_sub(PREFETCH) {
            leaf.member(ahead).prefetch();
        }
        leaf.members[self.at]
    }
}

impl Iterator for Iter<'_> {
    type Item = Member;

    #[inline]
    fn next(&mut self) -> Option<Member> {
        if self.start == self.end {
            return None;
        }
        if self.reverse {
            self.next_reverse()
        } else {
            self.next_forward()
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.end - self.start, Some(self.end - self.start))
    }
}

impl ExactSizeIterator for Iter<'_> {}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
