//! A batch: requests gathered from all ready connections, run together so that the memory latency of one hides behind
//! the others.
//!
//! A key's entry is a cache miss away, and so is the line of the table that points to it. For one request that is most
//! of its cost. So up to [`BATCH`] requests are parsed first; then all their keys are hashed and the table lines asked
//! for; then the entries those lines point to; and only then do the commands run, in order, and find everything near.

use crate::commands::table::CommandSpec;
use crate::hashing::hash_bytes;
use crate::keyspace::Keyspace;
use crate::resp::request::{Args, Span};
use crate::server::dispatch::look_up;

/// Requests run together. More would push the first ones' lines out of the cache again.
pub const BATCH: usize = 64;

/// Keys prefetched of one request; an MGET of ten thousand must not flush the cache.
const KEYS_AHEAD: usize = 32;

/// Where a request's bytes stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the arena, shared by all connections read this tick.
    Arena,
    /// In the connection's own buffer.
    Own,
}

/// A parsed request that waits to be run.
#[derive(Clone, Copy)]
pub struct Pending {
    pub connection: usize,
    /// Which of the tick's inputs it came with.
    pub received: usize,
    pub source: Source,
    /// Where its bytes begin in that source.
    pub begin: usize,
    first_span: usize,
    end_span: usize,
    pub spec: Option<&'static CommandSpec>,
    first_hash: usize,
    end_hash: usize,
    pub has_bigs: bool,
}

#[derive(Default)]
pub struct Batch {
    pub requests: Vec<Pending>,
    pub spans: Vec<Span>,
    hashes: Vec<u64>,
}

impl Batch {
    pub fn is_full(&self) -> bool {
        self.requests.len() >= BATCH
    }

    pub fn clear(&mut self) {
        self.requests.clear();
        self.spans.clear();
        self.hashes.clear();
    }

    /// Adds the request whose spans begin at `first_span` and are the last ones pushed.
    pub fn push(
        &mut self,
        connection: usize,
        received: usize,
        source: Source,
        begin: usize,
        first_span: usize,
        has_bigs: bool,
    ) {
        self.requests.push(Pending {
            connection,
            received,
            source,
            begin,
            first_span,
            end_span: self.spans.len(),
            spec: None,
            first_hash: 0,
            end_hash: 0,
            has_bigs,
        });
    }

    pub fn spans_of(&self, request: &Pending) -> &[Span] {
        &self.spans[request.first_span..request.end_span]
    }

    pub fn hashes_of(&self, request: &Pending) -> &[u64] {
        &self.hashes[request.first_hash..request.end_hash]
    }

    /// Looks up the commands, hashes their keys and asks for the table lines, then for the entries. `input` gives a
    /// request's bytes, `database` the database its client has selected.
    pub fn look_ahead<'a>(
        &mut self,
        keyspace: &Keyspace,
        input: impl Fn(&Pending) -> &'a [u8],
        database: impl Fn(&Pending) -> usize,
    ) {
        for at in 0..self.requests.len() {
            let request = self.requests[at];
            let args = Args::new(input(&request), &self.spans[request.first_span..request.end_span], &[]);
            if request.has_bigs || args.len() == 0 {
                continue;
            }
            let spec = look_up(args.at(0));
            let first_hash = self.hashes.len();
            if let Some(keys) = spec.and_then(CommandSpec::simple_keys) {
                let last = if keys.last < 0 { args.len() as i64 + i64::from(keys.last) } else { keys.last.into() };
                let last = (last.max(0) as usize).min(args.len().saturating_sub(1));
                let (first, step) = (keys.first as usize, keys.step.max(1) as usize);
                let db = keyspace.db(database(&request));
                for index in (first..=last).step_by(step).take(KEYS_AHEAD) {
                    let hash = hash_bytes(args.at(index));
                    db.prefetch(hash);
                    self.hashes.push(hash);
                }
            }
            let request = &mut self.requests[at];
            (request.spec, request.first_hash, request.end_hash) = (spec, first_hash, self.hashes.len());
        }
        for request in &self.requests {
            let db = keyspace.db(database(request));
            for &hash in &self.hashes[request.first_hash..request.end_hash] {
                db.prefetch_entries(hash);
            }
        }
    }
}
