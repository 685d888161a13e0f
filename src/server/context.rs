//! What a command sees: the core, its client, its reply.

use super::core::Core;
use super::failure::Failure;
use super::notify::Class;
use super::session::{Session, SessionIndex};
use crate::commands::table::CommandSpec;
use crate::keyspace::Key;
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::timer::Millis;

/// One command's surroundings. The reply stands apart from the core so that a command can write into it what it borrows
/// from the keyspace.
pub struct Context<'a> {
    pub core: &'a mut Core,
    pub session: SessionIndex,
    pub database: usize,
    pub spec: &'static CommandSpec,
    pub reply: &'a mut Reply,
    /// Hashes of the keys at the command's first, second ... key position, made when they were prefetched.
    pub hashes: &'a [u64],
    /// The command line, name included.
    pub args: Args<'a>,
    /// The value of a SET in a buffer of its own, to be kept instead of copied.
    pub big: Option<Vec<u8>>,
}

impl<'a> Context<'a> {
    pub fn session(&mut self) -> &mut Session {
        self.core.session(self.session)
    }

    pub fn now(&self) -> Millis {
        self.core.moment.now
    }

    /// The key at argument `index`, with its hash.
    #[inline]
    pub fn key<'k>(&self, args: &Args<'k>, index: usize) -> Key<'k> {
        let bytes = args.at(index);
        let position = self.spec.legacy_range.position(index);
        if let Some(&hash) = position.and_then(|position| self.hashes.get(position)) {
            debug_assert_eq!(hash, crate::hashing::hash_bytes(bytes));
            return Key { bytes, hash };
        }
        Key::new(bytes)
    }

    /// Notes that `key` was changed by one write: counted, and told to subscribers.
    #[inline]
    pub fn changed(&mut self, class: Class, event: &str, key: &[u8]) {
        self.core.dirty += 1;
        self.core.touched(self.database, key);
        self.core.notify(class, event, key, self.database);
    }

    /// The same for one event that stands for `count` writes (RPUSH of three elements, LPOP of three).
    #[inline]
    pub fn changed_times(&mut self, count: usize, class: Class, event: &str, key: &[u8]) {
        self.core.dirty += count as u64;
        self.core.touched(self.database, key);
        self.core.notify(class, event, key, self.database);
    }

    /// Records a request in the place of this command's own, see [`crate::server::propagation`]; several add up.
    #[inline]
    pub fn record(&mut self, words: &[&[u8]]) {
        self.core.record(self.database, words);
    }

    /// Tells an event that is not a write of its own.
    #[inline]
    pub fn notify(&mut self, class: Class, event: &str, key: &[u8]) {
        self.core.notify(class, event, key, self.database);
    }
}

/// Parses argument text as a 64-bit integer, with Redis's error.
pub fn integer(text: &[u8]) -> Result<i64, Failure> {
    crate::format::number::parse_i64(text).ok_or_else(|| Failure::from(super::failure::NOT_INTEGER))
}

/// Parses a 32-bit integer, with Redis's error.
pub fn int32(text: &[u8]) -> Result<i32, Failure> {
    i32::try_from(integer(text)?).map_err(|_| {
        format!(
            "ERR value is out of range, value must between {} and {}",
            i32::MIN,
            i32::MAX
        )
        .into()
    })
}

/// Parses a count that must not be negative.
pub fn positive(text: &[u8]) -> Result<i64, Failure> {
    match integer(text) {
        Ok(value) if value >= 0 => Ok(value),
        _ => Err(super::failure::NEGATIVE.into()),
    }
}

/// Parses any count but the lowest, whose magnitude is none.
pub fn with_magnitude(text: &[u8]) -> Result<i64, Failure> {
    let count = integer(text)?;
    if count == i64::MIN {
        let most = i64::MAX;
        return Err(format!("ERR value is out of range, value must between -{most} and {most}").into());
    }
    Ok(count)
}
