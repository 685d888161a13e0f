//! How long to look for the next request before going to sleep.
//!
//! A thread that sleeps has to be woken, and whoever wakes it pays: on a busy machine about as much as a whole GET costs.
//! So the faster a server is, the more often it runs dry between two requests of a crowd of clients, and the more of its
//! clients' time goes into waking it. A tick of small single requests is therefore followed by looks at the sockets
//! that return at once, until something has come or patience ends.
//!
//! Looking costs processor time, which is well spent only where requests come thick and fast. Patience learns this from
//! what its looks find: it doubles when one was worth it and halves when nothing came. It never falls below a single
//! look, or it could not learn that times have changed; and that look costs a fraction of going to sleep.

/// The longest that anyone looks, in nanoseconds: less than a lone request takes from the socket to the reply.
const LONGEST: u64 = 3_000;
/// The patience that a find of the first look gives.
const FIRST: u64 = 1_000;

#[derive(Debug, Default)]
pub struct Patience {
    nanos: u64,
}

impl Patience {
    /// Nanoseconds to go on looking after a first look that found nothing.
    pub fn nanos(&self) -> u64 {
        self.nanos
    }

    /// A look found something: the next may take longer.
    pub fn rewarded(&mut self) {
        self.nanos = (self.nanos * 2).clamp(FIRST, LONGEST);
    }

    /// Nothing came for as long as patience lasted.
    pub fn disappointed(&mut self) {
        self.nanos /= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_grows_with_finds_and_is_bounded() {
        let mut patience = Patience::default();
        assert_eq!(patience.nanos(), 0);
        patience.rewarded();
        assert_eq!(patience.nanos(), FIRST);
        for _ in 0..100 {
            patience.rewarded();
        }
        assert_eq!(patience.nanos(), LONGEST);
    }

    #[test]
    fn patience_ends_where_nothing_comes_and_returns() {
        let mut patience = Patience { nanos: LONGEST };
        for _ in 0..16 {
            patience.disappointed();
        }
        assert_eq!(patience.nanos(), 0);
        patience.rewarded();
        assert_eq!(patience.nanos(), FIRST);
    }
}
