//! The one hash function of every table: keyspace, sets, hashes, sorted sets.
//!
//! Tables index by hash, so whoever can choose keys with equal hashes can make every lookup a walk. The hash is
//! therefore keyed, and the key is drawn anew by each process: [`seed`] at start. It is ahash, which costs a few
//! nanoseconds on the short texts that keys are, where SipHash costs four times that.
//!
//! The key lives in four relaxed atomics rather than behind a lazily set cell: on every processor of interest a
//! relaxed load is a plain load, so the hot path has no "is it set yet?" branch. Until [`seed`] runs (in unit
//! tests, say) the key is a constant.

use ahash::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static KEY: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

/// Draws this process's key from the operating system. Call once, before the first table is filled: hashes taken
/// before and after differ.
pub fn seed() {
    seed_with([0, 1, 2, 3].map(|word| std::hash::RandomState::new().hash_one(word)));
}

/// Sets the key itself, for runs that must repeat.
pub fn seed_with(key: [u64; 4]) {
    for (word, value) in KEY.iter().zip(key) {
        word.store(value, Relaxed);
    }
}

/// The same keyed hash for maps of the standard library, where it stands in for a slower one.
#[inline]
pub fn state() -> RandomState {
    let [a, b, c, d] = &KEY;
    RandomState::with_seeds(a.load(Relaxed), b.load(Relaxed), c.load(Relaxed), d.load(Relaxed))
}

/// The hash of `bytes`. All 64 bits are usable: tables take their index from the top and their tags from the bottom.
#[inline]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hasher = state().build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bytes_hash_equal_and_others_do_not() {
        let mut seen = std::collections::HashSet::new();
        for n in 0..100_000 {
            let key = format!("key:{n}");
            assert_eq!(hash_bytes(key.as_bytes()), hash_bytes(key.clone().as_bytes()));
            assert!(seen.insert(hash_bytes(key.as_bytes())));
        }
    }

    #[test]
    fn top_and_bottom_bits_are_spread() {
        let (mut top, mut bottom) = ([0u32; 256], [0u32; 256]);
        for n in 0..256_000 {
            let hash = hash_bytes(format!("member:{n}").as_bytes());
            top[(hash >> 56) as usize] += 1;
            bottom[(hash & 0xFF) as usize] += 1;
        }
        for count in top.into_iter().chain(bottom) {
            assert!((800..1200).contains(&count), "{count} of about 1000");
        }
    }
}
