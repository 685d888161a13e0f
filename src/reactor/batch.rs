//! A batch: requests gathered from all ready connections, run together so that the memory latency of one hides behind
//! the others.
//!
//! A key's entry is a cache miss away, and so is the line of the table that points to it. For one request that is most
//! of its cost. So up to [`BATCH`] requests are parsed first and their keys hashed; then all their table lines are asked
//! for; then the entries those lines point to; and only then do the commands run, in order, and find everything near.
//! The elements of a large set, hash or sorted set are as far away again, in a table of their own: those that the
//! requests name are looked ahead for in the same two steps.

use crate::commands::table::CommandSpec;
use crate::commands::table::flags::Flag;
use crate::commands::table::key_spec::ArgRange;
use crate::hashing::hash_bytes;
use crate::keyspace::{EntryRef, Keyspace};
use crate::resp::request::{Args, Limits, Parser, ProtocolError, Span, Step};
use crate::server::dispatch::look_up;
use crate::table::{Lines, Wanted};

/// Requests run together. More would push the first ones' lines out of the cache again.
pub const BATCH: usize = 64;

/// Keys prefetched of one request; an MGET of ten thousand must not flush the cache.
const KEYS_AHEAD: usize = 32;

/// Elements prefetched for one batch.
const ELEMENTS_AHEAD: usize = 256;

/// Where a request's bytes stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the arena, shared by all connections read this tick.
    Arena,
    /// In the connection's own buffer.
    Own,
}

/// Where a request came from.
#[derive(Clone, Copy)]
pub struct Arrival {
    pub connection: usize,
    /// Which of the tick's inputs it came with.
    pub received: usize,
    pub source: Source,
    /// Where its bytes begin in that source.
    pub begin: usize,
}

/// A parsed request that waits to be run.
#[derive(Clone, Copy)]
pub struct Pending {
    pub arrival: Arrival,
    pub spec: Option<&'static CommandSpec>,
    first_span: usize,
    end_span: usize,
    first_hash: usize,
    end_hash: usize,
}

#[derive(Default)]
pub struct Batch {
    pub requests: Vec<Pending>,
    pub spans: Vec<Span>,
    hashes: Vec<u64>,
    /// What the keys gathered so far will need of the table.
    wanted: Wanted,
    /// Whether a request names elements of collections.
    names_elements: bool,
    /// Whether a request may change who its client is, and so what it may send: AUTH, HELLO, RESET.
    changes_identity: bool,
}

impl Batch {
    /// Whether the batch has to run before anything is added.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.requests.len() >= BATCH || self.changes_identity
    }

    pub fn clear(&mut self) {
        self.requests.clear();
        self.spans.clear();
        self.hashes.clear();
        self.names_elements = false;
        self.changes_identity = false;
    }

    /// Parses and adds requests of one connection's input until the batch is full or no whole one is left; `arrival`
    /// begins behind the last one added then. `limits` hold for all of them: what may change these runs before more is parsed.
    ///
    /// # Errors
    /// What is wrong with the request where `arrival` begins; all before it were added.
    pub fn gather(
        &mut self,
        input: &mut [u8],
        arrival: &mut Arrival,
        limits: Limits,
        keys: Lines<'_>,
    ) -> Result<(), ProtocolError> {
        let (mut parser, mut pos) = (Parser::default(), arrival.begin);
        while pos < input.len() {
            let first_span = self.spans.len();
            match parser.step(input, &mut pos, &mut self.spans, None, limits) {
                Ok(Step::Request) => {}
                Ok(Step::Incomplete | Step::Big) => {
                    self.spans.truncate(first_span);
                    break;
                }
                Err(error) => {
                    self.spans.truncate(first_span);
                    return Err(error);
                }
            }
            self.push(*arrival, first_span, false, input, keys);
            arrival.begin = pos;
            if self.is_full() {
                break;
            }
        }
        Ok(())
    }

    /// Adds the request whose spans begin at `first_span` and are the last ones pushed: looks up its command, hashes its
    /// keys and notes which lines of the table they will need. `input` has its bytes, but not those of big arguments. Without
    /// spans it was an empty line, which asks for nothing.
    #[inline(always)] // into the loop over an input: a call costs twenty instructions a request
    pub fn push(&mut self, arrival: Arrival, first_span: usize, has_bigs: bool, input: &[u8], keys: Lines<'_>) {
        if self.spans.len() == first_span {
            return;
        }
        let first_hash = self.hashes.len();
        let args = Args::new(input, &self.spans[first_span..], &[]);
        let spec = if has_bigs { None } else { look_up(args.at(0)) };
        let (wanted, hashes) = (&mut self.wanted, &mut self.hashes);
        let mut want = |key: &[u8]| {
            let hash = hash_bytes(key);
            keys.want_bucket(hash, wanted);
            hashes.push(hash);
        };
        if let Some(spec) = spec {
            match spec.simple_keys() {
                Some(ArgRange::FIRST) if args.len() > 1 => want(args.at(1)),
                Some(places) => {
                    let ahead = places.indices(args.len()).take(KEYS_AHEAD);
                    ahead.for_each(|index| want(args.at(index)));
                }
                None => {}
            }
            self.names_elements |= !spec.elements.is_none();
            self.changes_identity |= spec.flags.contains(Flag::NoAuth);
        }
        self.requests.push(Pending {
            arrival,
            spec,
            first_span,
            end_span: self.spans.len(),
            first_hash,
            end_hash: self.hashes.len(),
        });
    }

    pub fn spans_of(&self, request: &Pending) -> &[Span] {
        &self.spans[request.first_span..request.end_span]
    }

    pub fn hashes_of(&self, request: &Pending) -> &[u64] {
        &self.hashes[request.first_hash..request.end_hash]
    }

    /// Asks for the table lines of all keys, then for the entries; and for elements likewise. `input` gives a request's
    /// bytes, `database` the database its client has selected.
    pub fn look_ahead<'a>(
        &mut self,
        keyspace: &Keyspace,
        input: impl Fn(&Pending) -> &'a [u8],
        database: impl Fn(&Pending) -> usize,
    ) {
        let mut wanted = std::mem::take(&mut self.wanted);
        wanted.ask();
        for request in &self.requests {
            let lines = keyspace.db(database(request)).lines();
            for &hash in self.hashes_of(request) {
                lines.want_matches(hash, &mut wanted);
            }
        }
        wanted.ask();
        if self.names_elements {
            self.look_ahead_for_elements(keyspace, &mut wanted, input, database);
        }
        self.wanted = wanted;
    }

    /// Asks for the elements that the requests name, of collections whose entries are near by now.
    #[inline(never)]
    fn look_ahead_for_elements<'a>(
        &self,
        keyspace: &Keyspace,
        wanted: &mut Wanted,
        input: impl Fn(&Pending) -> &'a [u8],
        database: impl Fn(&Pending) -> usize,
    ) {
        let mut sought: Vec<(Lines<'_>, u64)> = Vec::with_capacity(self.requests.len());
        for request in &self.requests {
            let spec = request.spec.filter(|spec| !spec.elements.is_none());
            let (Some(spec), Some(&hash)) = (spec, self.hashes_of(request).first()) else {
                continue;
            };
            let entry = keyspace.db(database(request)).guess(hash);
            let Some(lines) = entry.and_then(EntryRef::lines) else {
                continue;
            };
            let args = Args::new(input(request), self.spans_of(request), &[]);
            for index in spec.elements.indices(args.len()).take(ELEMENTS_AHEAD - sought.len()) {
                let hash = hash_bytes(args.at(index));
                lines.want_bucket(hash, wanted);
                sought.push((lines, hash));
            }
        }
        wanted.ask();
        for (lines, hash) in sought {
            lines.want_matches(hash, wanted);
        }
        wanted.ask();
    }
}
