//! Consumer groups: how far a group has read, and which entries its consumers have not acknowledged yet.
//!
//! The *pending entries list* (PEL) of a group maps the ID of each delivered but unacknowledged entry to the
//! consumer that has it. Each consumer keeps the set of its own pending IDs besides, so that reading one's own backlog
//! or dropping a consumer does not walk the whole group. Both are B-trees over IDs: XPENDING, XAUTOCLAIM and
//! re-reads go by ranges of IDs. Consumers are numbered within their group, so a pending entry names
//! its owner in four bytes.
//!
//! Invariant: an ID is in the group's list with consumer `c` if and only if it is in `c`'s own set.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeBounds;

use super::id::StreamId;

/// A consumer's number within its group; not reused while the consumer lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerId(u32);

/// A delivered entry that waits for its acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    pub consumer: ConsumerId,
    /// When it was last delivered, Unix milliseconds.
    pub delivery_time: i64,
    /// How many times it was delivered.
    pub delivery_count: u64,
}

/// A consumer of a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Box<[u8]>,
    /// When it last tried something, Unix milliseconds.
    pub seen_time: i64,
    /// When it last got an entry, Unix milliseconds; `None` before the first.
    pub active_time: Option<i64>,
    pending: BTreeSet<StreamId>,
}

/// A consumer group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The last entry delivered to anyone; `>` reads behind it.
    pub last_id: StreamId,
    /// How many of all entries ever added the group has read, `None` when it cannot be known.
    pub entries_read: Option<u64>,
    pending: BTreeMap<StreamId, Pending>,
    names: BTreeMap<Box<[u8]>, ConsumerId>,
    consumers: Vec<Option<Consumer>>,
    /// Empty places in `consumers`.
    free: Vec<ConsumerId>,
}

impl Consumer {
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The IDs it has not acknowledged, in order.
    pub fn pending(&self) -> &BTreeSet<StreamId> {
        &self.pending
    }
}

impl Group {
    pub fn new(last_id: StreamId, entries_read: Option<u64>) -> Self {
        Group {
            last_id,
            entries_read,
            ..Group::default()
        }
    }

    /// The group's PEL, in order of IDs.
    pub fn pending(&self) -> &BTreeMap<StreamId, Pending> {
        &self.pending
    }

    /// The pending entries between two IDs, of one consumer if one is given. O(log n) to begin, then O(log n) each
    /// for a consumer's and O(1) for the group's.
    pub fn pending_range<'a>(
        &'a self,
        range: impl RangeBounds<StreamId>,
        consumer: Option<ConsumerId>,
    ) -> Box<dyn Iterator<Item = (StreamId, Pending)> + 'a> {
        let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
        if is_empty(&bounds) {
            return Box::new(std::iter::empty());
        }
        match consumer {
            None => Box::new(self.pending.range(bounds).map(|(&id, &pending)| (id, pending))),
            Some(consumer) => {
                let own = self.consumer(consumer).pending.range(bounds);
                Box::new(own.filter_map(|&id| Some((id, *self.pending.get(&id)?))))
            }
        }
    }

    /// Consumers in order of their names.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = (ConsumerId, &Consumer)> {
        self.names.values().map(|&id| (id, self.consumer(id)))
    }

    pub fn find_consumer(&self, name: &[u8]) -> Option<ConsumerId> {
        self.names.get(name).copied()
    }

    /// A consumer of this group.
    ///
    /// # Panics
    /// If it has been deleted.
    pub fn consumer(&self, id: ConsumerId) -> &Consumer {
        self.consumers[id.0 as usize]
            .as_ref()
            .expect("the consumer is of this group")
    }

    pub fn consumer_mut(&mut self, id: ConsumerId) -> &mut Consumer {
        self.consumers[id.0 as usize]
            .as_mut()
            .expect("the consumer is of this group")
    }

    /// Adds a consumer first seen at `now`; `None` if there is one of that name.
    pub fn add_consumer(&mut self, name: &[u8], now: i64) -> Option<ConsumerId> {
        (!self.names.contains_key(name)).then(|| self.insert_consumer(name, now))
    }

    /// The consumer of that name, which tries something at `now`; made if there is none, which is told. O(log
    /// consumers).
    pub fn consumer_at_work(&mut self, name: &[u8], now: i64) -> (ConsumerId, bool) {
        let Some(id) = self.find_consumer(name) else {
            return (self.insert_consumer(name, now), true);
        };
        self.consumer_mut(id).seen_time = now;
        (id, false)
    }

    fn insert_consumer(&mut self, name: &[u8], now: i64) -> ConsumerId {
        let consumer = Consumer {
            name: name.into(),
            seen_time: now,
            active_time: None,
            pending: BTreeSet::new(),
        };
        let id = self.free.pop().unwrap_or_else(|| {
            self.consumers.push(None);
            ConsumerId(self.consumers.len() as u32 - 1)
        });
        self.consumers[id.0 as usize] = Some(consumer);
        self.names.insert(name.into(), id);
        id
    }

    /// Drops a consumer and what it has pending; returns how many entries that were.
    pub fn delete_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let id = self.names.remove(name)?;
        let consumer = self.consumers[id.0 as usize].take()?;
        self.free.push(id);
        for entry in &consumer.pending {
            self.pending.remove(entry);
        }
        Some(consumer.pending.len())
    }

    /// Makes `consumer` the owner of a pending entry, new or another's until now. O(log n).
    pub fn assign(&mut self, id: StreamId, pending: Pending) {
        let before = self.pending.insert(id, pending);
        if let Some(before) = before
            && before.consumer != pending.consumer
        {
            self.consumer_mut(before.consumer).pending.remove(&id);
        }
        self.consumer_mut(pending.consumer).pending.insert(id);
    }

    /// An entry goes to a consumer for the first time: pending from now on with a count of one.
    pub fn deliver(&mut self, id: StreamId, consumer: ConsumerId, now: i64) {
        self.assign(
            id,
            Pending {
                consumer,
                delivery_time: now,
                delivery_count: 1,
            },
        );
    }

    /// An entry goes to its consumer once more, which is reading its own backlog.
    pub fn redeliver(&mut self, id: StreamId, now: i64) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.delivery_time = now;
            pending.delivery_count += 1;
        }
    }

    /// Takes an entry off the list: acknowledged, or gone from the stream. O(log n).
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(&id) else {
            return false;
        };
        self.consumer_mut(pending.consumer).pending.remove(&id);
        true
    }

    /// Pending entries and consumers: what freeing has to go through.
    pub fn elements(&self) -> usize {
        self.pending.len() + self.names.len()
    }

    /// Frees up to about `max` pending entries or consumers; true when none is left.
    pub fn free_step(&mut self, max: usize) -> bool {
        for _ in 0..max {
            if let Some((id, pending)) = self.pending.pop_first() {
                self.consumer_mut(pending.consumer).pending.remove(&id);
                continue;
            }
            let Some((_, id)) = self.names.pop_first() else {
                return true;
            };
            self.consumers[id.0 as usize] = None;
        }
        self.pending.is_empty() && self.names.is_empty()
    }

    /// Estimated bytes. O(consumers).
    pub fn memory(&self) -> usize {
        // B-tree nodes of the standard library are between half full and full.
        let tree = |entries: usize, size: usize| entries * size * 4 / 3;
        let consumers: usize = self
            .consumers()
            .map(|(_, consumer)| {
                size_of::<Option<Consumer>>()
                    + consumer.name.len() * 2
                    + tree(consumer.pending.len(), size_of::<StreamId>())
            })
            .sum();
        size_of::<Group>() + tree(self.pending.len(), size_of::<(StreamId, Pending)>()) + consumers
    }
}

/// `BTreeMap::range` panics on a range that ends before it starts.
fn is_empty(bounds: &(std::ops::Bound<StreamId>, std::ops::Bound<StreamId>)) -> bool {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    match *bounds {
        (Unbounded, _) | (_, Unbounded) => false,
        (Included(start), Included(end)) => start > end,
        (Included(start) | Excluded(start), Included(end) | Excluded(end)) => start >= end,
    }
}
