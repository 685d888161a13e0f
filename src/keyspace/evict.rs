//! Which key goes when memory runs out.
//!
//! Like Redis, eviction is by sample: a few keys of a random place are compared with the best candidates of earlier
//! samples, and the worst of all goes. The pool of candidates makes a sample of five come close to the true order.

use super::clock::AccessClock;
use super::{EntryRef, Keyspace};
use crate::config::choice::MaxmemoryPolicy;
use crate::hashing::hash_bytes;
use crate::timer::Millis;

const POOL: usize = 16;

struct Candidate {
    /// Larger goes first.
    rank: i64,
    database: usize,
    key: Box<[u8]>,
}

/// Candidates kept between samples, the best last.
#[derive(Default)]
pub struct EvictionPool {
    candidates: Vec<Candidate>,
    next_database: usize,
}

impl EvictionPool {
    /// The key to evict next under `policy`, with its database; `None` when nothing may go.
    pub fn choose(
        &mut self,
        keyspace: &Keyspace,
        policy: MaxmemoryPolicy,
        samples: usize,
        clock: &AccessClock,
        random: &mut impl FnMut() -> u64,
    ) -> Option<(usize, Box<[u8]>)> {
        if is_random(policy) {
            return self.choose_random(keyspace, policy, random);
        }
        // A candidate may be gone by now, so sample until one is found that still stands; give up when nothing may go.
        for _ in 0..64 {
            self.fill(keyspace, policy, samples, clock, random)?;
            while let Some(best) = self.candidates.pop() {
                let key = super::Key {
                    bytes: &best.key,
                    hash: hash_bytes(&best.key),
                };
                let entry = keyspace.db(best.database).find(key);
                if entry.is_some_and(|entry| eligible(entry, policy)) {
                    return Some((best.database, best.key));
                }
            }
        }
        None
    }

    fn choose_random(
        &mut self,
        keyspace: &Keyspace,
        policy: MaxmemoryPolicy,
        random: &mut impl FnMut() -> u64,
    ) -> Option<(usize, Box<[u8]>)> {
        for _ in 0..keyspace.len() {
            let index = self.next_database % keyspace.len();
            self.next_database = index + 1;
            let db = keyspace.db(index);
            if candidates(db, policy) == 0 {
                continue;
            }
            for _ in 0..1000 {
                match db.random(random) {
                    Some(entry) if eligible(entry, policy) => return Some((index, entry.key().into())),
                    _ => {}
                }
            }
        }
        None
    }

    /// Samples every database once.
    fn fill(
        &mut self,
        keyspace: &Keyspace,
        policy: MaxmemoryPolicy,
        samples: usize,
        clock: &AccessClock,
        random: &mut impl FnMut() -> u64,
    ) -> Option<()> {
        let mut any = false;
        for (index, db) in keyspace.databases().filter(|(_, db)| candidates(db, policy) > 0) {
            any = true;
            // Volatile keys may be few among many: look at more places for them.
            for _ in 0..if volatile_only(policy) { 16 } else { 1 } {
                let mut seen = 0;
                db.sample(random, samples, |entry| {
                    if eligible(entry, policy) {
                        seen += 1;
                        self.consider(index, entry, rank(entry, policy, clock));
                    }
                });
                if seen > 0 {
                    break;
                }
            }
        }
        any.then_some(())
    }

    fn consider(&mut self, database: usize, entry: EntryRef<'_>, rank: i64) {
        let at = self.candidates.partition_point(|candidate| candidate.rank < rank);
        if self
            .candidates
            .iter()
            .any(|c| c.database == database && *c.key == *entry.key())
        {
            return;
        }
        if self.candidates.len() < POOL {
            self.candidates.insert(
                at,
                Candidate {
                    rank,
                    database,
                    key: entry.key().into(),
                },
            );
        } else if at > 0 {
            self.candidates[..at].rotate_left(1);
            self.candidates[at - 1] = Candidate {
                rank,
                database,
                key: entry.key().into(),
            };
        }
    }
}

fn candidates(db: &super::Database, policy: MaxmemoryPolicy) -> usize {
    if volatile_only(policy) { db.volatile() } else { db.len() }
}

fn eligible(entry: EntryRef<'_>, policy: MaxmemoryPolicy) -> bool {
    !volatile_only(policy) || entry.deadline().is_some()
}

fn rank(entry: EntryRef<'_>, policy: MaxmemoryPolicy, clock: &AccessClock) -> i64 {
    match policy {
        MaxmemoryPolicy::VolatileTtl => i64::MAX - entry.deadline().unwrap_or(Millis::MAX).0,
        _ => clock.eviction_rank(entry.clock()),
    }
}

/// Whether `policy` keeps the counting clock.
pub fn is_lfu(policy: MaxmemoryPolicy) -> bool {
    matches!(policy, MaxmemoryPolicy::VolatileLfu | MaxmemoryPolicy::AllkeysLfu)
}

/// Whether `policy` chooses by access clocks, so that every value needs one of its own.
pub fn reads_clock(policy: MaxmemoryPolicy) -> bool {
    is_lfu(policy) || matches!(policy, MaxmemoryPolicy::VolatileLru | MaxmemoryPolicy::AllkeysLru)
}

fn is_random(policy: MaxmemoryPolicy) -> bool {
    matches!(policy, MaxmemoryPolicy::VolatileRandom | MaxmemoryPolicy::AllkeysRandom)
}

fn volatile_only(policy: MaxmemoryPolicy) -> bool {
    use MaxmemoryPolicy::{VolatileLfu, VolatileLru, VolatileRandom, VolatileTtl};
    matches!(policy, VolatileLru | VolatileLfu | VolatileRandom | VolatileTtl)
}
