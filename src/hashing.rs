//! The seeded hash every table uses.

/// The hash of a key, member or field.
#[inline]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    static STATE: std::sync::LazyLock<ahash::RandomState> = std::sync::LazyLock::new(ahash::RandomState::new);
    let mut hasher = STATE.build_hasher();
    hasher.write(bytes);
    hasher.finish()
}
