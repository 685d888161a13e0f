//! Entries that were delivered and are not acknowledged: XACK, XPENDING, XCLAIM and XAUTOCLAIM.

use super::{
    PendingRecord, consumer_created, no_group, parse_end, parse_id, parse_ids, parse_start, quoted, reply_entry,
    reply_id,
};
use crate::commands::expiry::syntax_error;
use crate::keyspace::Key;
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::{Context, Core, Outcome};
use crate::types::stream::{Consumer, ConsumerId, Group, ID_TEXT_MAX, Pending, Stream, StreamEntry, StreamId};

/// Entries XAUTOCLAIM gives unless COUNT says otherwise.
const AUTOCLAIM_COUNT: usize = 100;
/// How many pending entries XAUTOCLAIM looks at for each that it may give.
const ATTEMPTS: usize = 10;

/// The stream of a group that must be there, looked up as for reading, which is how Redis counts these commands.
fn stream_with_group<'c>(
    core: &'c mut Core,
    database: usize,
    key: Key<'_>,
    group: &[u8],
) -> Result<&'c mut Stream, Failure> {
    let stream = core.read_as::<&Stream>(database, key)?;
    if stream.is_none_or(|stream| stream.group(group).is_none()) {
        return Err(no_group(key.bytes, group, ""));
    }
    let stream = core.write_as::<&mut Stream>(database, key)?;
    stream.ok_or_else(|| no_group(key.bytes, group, ""))
}

/// XACK key group id [id ...]
pub fn xack(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, name) = (ctx.key(&args, 1), args.at(2));
    let stream = ctx.core.read_as::<&Stream>(ctx.database, key)?;
    if stream.is_none_or(|stream| stream.group(name).is_none()) {
        ctx.reply.int(0);
        return Ok(());
    }
    let ids = parse_ids(args.from(3).iter())?;
    let stream = ctx.core.write_as::<&mut Stream>(ctx.database, key)?;
    let acknowledged = match stream.and_then(|stream| stream.group_mut(name)) {
        Some(group) => ids.into_iter().filter(|&id| group.acknowledge(id)).count(),
        None => 0,
    };
    ctx.core.dirty += acknowledged as u64;
    ctx.reply.len(acknowledged);
    Ok(())
}

/// XPENDING key group, or XPENDING key group [IDLE min-idle-time] start end count [consumer]
pub fn xpending(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let query = match args.len() {
        3 => None,
        6..=9 => Some(PendingQuery::parse(args)?),
        _ => return syntax_error(),
    };
    let (key, name, now) = (ctx.key(&args, 1), args.at(2), ctx.now().0);
    let stream = ctx.core.read_as::<&Stream>(ctx.database, key)?;
    let Some(group) = stream.and_then(|stream| stream.group(name)) else {
        return Err(no_group(key.bytes, name, ""));
    };
    match query {
        Some(query) => query.answer(group, now, ctx.reply),
        None => summarize(group, ctx.reply),
    }
    Ok(())
}

/// How many are pending, between which IDs, and how many of each consumer that has any.
fn summarize(group: &Group, reply: &mut Reply) {
    let pending = group.pending();
    reply.array(4);
    reply.len(pending.len());
    let (Some((first, _)), Some((last, _))) = (pending.first_key_value(), pending.last_key_value()) else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    reply_id(reply, *first);
    reply_id(reply, *last);
    let has_any = |(_, consumer): &(ConsumerId, &Consumer)| !consumer.pending().is_empty();
    reply.array(group.consumers().filter(has_any).count());
    for (_, consumer) in group.consumers().filter(has_any) {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_int(consumer.pending().len() as i64);
    }
}

/// What XPENDING's long form asks for.
struct PendingQuery<'a> {
    min_idle: i64,
    start: StreamId,
    end: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> PendingQuery<'a> {
    fn parse(args: Args<'a>) -> Result<Self, Failure> {
        let (mut min_idle, mut at) = (0, 3);
        if args.at(3).eq_ignore_ascii_case(b"idle") {
            min_idle = integer(args.at(4))?;
            if args.len() < 8 {
                return syntax_error();
            }
            at = 5;
        }
        let count = integer(args.at(at + 2))?.max(0) as usize;
        Ok(PendingQuery {
            min_idle,
            start: parse_start(args.at(at))?,
            end: parse_end(args.at(at + 1))?,
            count,
            // What follows the consumer is not looked at.
            consumer: args.get(at + 3),
        })
    }

    fn answer(&self, group: &Group, now: i64, reply: &mut Reply) {
        let consumer = self.consumer.map(|name| group.find_consumer(name));
        if consumer == Some(None) {
            reply.array(0);
            return;
        }
        let pending = group
            .pending_range(self.start..=self.end, consumer.flatten())
            .filter(|(_, pending)| is_idle(pending, self.min_idle, now));
        reply.deferred(Reply::array, |reply| {
            let tell = |(id, pending): (StreamId, Pending)| {
                reply.array(4);
                reply_id(reply, id);
                reply.bulk(group.consumer(pending.consumer).name());
                // A clock that was set back makes no negative times.
                reply.int(now.saturating_sub(pending.delivery_time).max(0));
                reply.int(pending.delivery_count as i64);
            };
            pending.take(self.count).map(tell).count()
        });
    }
}

/// Whether a pending entry was delivered so many milliseconds ago; not asked for when that is zero or less.
fn is_idle(pending: &Pending, min_idle: i64, now: i64) -> bool {
    min_idle <= 0 || now.saturating_sub(pending.delivery_time) >= min_idle
}

/// The min-idle-time of a claim.
fn parse_min_idle(text: &[u8], command: &str) -> Result<i64, Failure> {
    integer(text).map_err(|_| format!("ERR Invalid min-idle-time argument for {command}").into())
}

/// XCLAIM's options.
#[derive(Default)]
struct ClaimOptions {
    min_idle: i64,
    /// When the entries are to count as delivered, if not now.
    delivery_time: Option<i64>,
    delivery_count: Option<u64>,
    last_id: StreamId,
    force: bool,
    just_id: bool,
}

impl ClaimOptions {
    /// Reads the options from `at` on.
    fn parse(args: Args<'_>, mut at: usize, min_idle: i64, now: i64) -> Result<Self, Failure> {
        let mut options = ClaimOptions {
            min_idle,
            ..ClaimOptions::default()
        };
        while let Some(option) = args.get(at) {
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            match args.get(at + 1) {
                _ if is(b"force") => options.force = true,
                _ if is(b"justid") => options.just_id = true,
                Some(value) => {
                    options.set(option, value, now)?;
                    at += 1;
                }
                None => return Err(unrecognized(option)),
            }
            at += 1;
        }
        // No delivery lies in the future, or before the epoch.
        options.delivery_time = options.delivery_time.filter(|time| (0..=now).contains(time));
        Ok(options)
    }

    /// Takes an option that has a value.
    fn set(&mut self, option: &[u8], value: &[u8], now: i64) -> Outcome {
        let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
        let number =
            |name| integer(value).map_err(|_| Failure::from(format!("ERR Invalid {name} option argument for XCLAIM")));
        if is(b"idle") {
            self.delivery_time = Some(now.saturating_sub(number("IDLE")?));
        } else if is(b"time") {
            self.delivery_time = Some(number("TIME")?);
        } else if is(b"retrycount") {
            // A negative count is as none.
            self.delivery_count = u64::try_from(number("RETRYCOUNT")?).ok();
        } else if is(b"lastid") {
            self.last_id = parse_id(value, 0)?;
        } else {
            return Err(unrecognized(option));
        }
        Ok(())
    }
}

fn unrecognized(option: &[u8]) -> Failure {
    [b"ERR Unrecognized XCLAIM option '".as_slice(), quoted(option), b"'"]
        .concat()
        .into()
}

/// XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-ms] [RETRYCOUNT count] [FORCE] [JUSTID]
/// [LASTID id]
pub fn xclaim(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, name, now) = (ctx.key(&args, 1), args.at(2), ctx.now().0);
    let stream = stream_with_group(ctx.core, ctx.database, key, name)?;
    let min_idle = parse_min_idle(args.at(4), "XCLAIM")?;
    // The first argument that is no ID begins the options.
    let ids = args.from(5).iter().map_while(|text| StreamId::parse(text, 0).ok());
    let ids: Vec<StreamId> = ids.collect();
    let options = ClaimOptions::parse(args, 5 + ids.len(), min_idle, now)?;
    let reply = &mut ctx.reply;
    let claimed = stream.with_group(name, |stream, group| {
        let mut claim = Claim::new(stream, group, args.at(3), now);
        claim.move_on(options.last_id);
        reply.deferred(Reply::array, |reply| {
            let given = ids.iter().filter_map(|&id| claim.take(id, &options));
            given.map(|entry| reply_claimed(reply, entry, options.just_id)).count()
        });
        claim.finish()
    });
    note_claims(ctx, args, claimed);
    Ok(())
}

/// A consumer's taking over of pending entries.
struct Claim<'s, 'g> {
    stream: &'s Stream,
    group: &'g mut Group,
    consumer: ConsumerId,
    now: i64,
    claimed: Claimed,
}

/// What claims have come to.
struct Claimed {
    is_new_consumer: bool,
    changes: u64,
    /// What the consumer has taken over.
    given: Vec<StreamId>,
    /// What was pending but gone from the stream.
    dropped: Vec<StreamId>,
    /// Whether the group has read further.
    has_moved: bool,
}

impl<'s, 'g> Claim<'s, 'g> {
    fn new(stream: &'s Stream, group: &'g mut Group, consumer: &[u8], now: i64) -> Self {
        let (consumer, is_new) = group.consumer_at_work(consumer, now);
        Claim {
            stream,
            group,
            consumer,
            now,
            claimed: Claimed {
                is_new_consumer: is_new,
                changes: 0,
                given: Vec::new(),
                dropped: Vec::new(),
                has_moved: false,
            },
        }
    }

    /// Moves the group on as if it had read up to an ID; never back.
    fn move_on(&mut self, last_id: StreamId) {
        if last_id > self.group.last_id {
            self.group.last_id = last_id;
            self.claimed.changes += 1;
            self.claimed.has_moved = true;
        }
    }

    /// Takes an entry over, if XCLAIM may. One that is gone from the stream goes from the pending ones too.
    fn take(&mut self, id: StreamId, options: &ClaimOptions) -> Option<StreamEntry<'s>> {
        let Some(entry) = self.stream.get(id) else {
            self.drop_pending(id);
            return None;
        };
        let before = match self.group.pending().get(&id) {
            Some(pending) if is_idle(pending, options.min_idle, self.now) => pending.delivery_count,
            None if options.force => 1,
            Some(_) | None => return None,
        };
        let count = options.delivery_count.unwrap_or(counted(before, options.just_id));
        self.give(id, options.delivery_time.unwrap_or(self.now), count);
        Some(entry)
    }

    fn give(&mut self, id: StreamId, delivery_time: i64, delivery_count: u64) {
        let pending = Pending {
            consumer: self.consumer,
            delivery_time,
            delivery_count,
        };
        self.group.assign(id, pending);
        self.group.consumer_mut(self.consumer).active_time = Some(self.now);
        self.claimed.changes += 1;
        self.claimed.given.push(id);
    }

    fn drop_pending(&mut self, id: StreamId) {
        if self.group.acknowledge(id) {
            self.claimed.changes += 1;
            self.claimed.dropped.push(id);
        }
    }

    fn finish(self) -> Claimed {
        self.claimed
    }
}

/// An entry's count of deliveries after one more, unless only its ID is given out.
fn counted(before: u64, just_id: bool) -> u64 {
    before.wrapping_add(u64::from(!just_id))
}

fn reply_claimed(reply: &mut Reply, entry: StreamEntry<'_>, just_id: bool) {
    if just_id {
        reply_id(reply, entry.id);
    } else {
        reply_entry(reply, entry);
    }
}

/// Counts and records what a claim has done: `args` begin with command, key, group and consumer.
fn note_claims(ctx: &mut Context<'_>, args: Args<'_>, claimed: Option<Claimed>) {
    let Some(claimed) = claimed else { return };
    let record = PendingRecord {
        key: args.at(1),
        group: args.at(2),
        consumer: args.at(3),
    };
    if claimed.is_new_consumer {
        consumer_created(ctx, record.key);
        record.consumer_created(ctx);
    }
    ctx.core.dirty += claimed.changes;
    record.claims(ctx, &claimed.given);
    if !claimed.dropped.is_empty() {
        let texts: Vec<Vec<u8>> = claimed
            .dropped
            .iter()
            .map(|id| id.format(&mut [0; ID_TEXT_MAX]).to_vec())
            .collect();
        let mut words: Vec<&[u8]> = vec![b"XACK", record.key, record.group];
        words.extend(texts.iter().map(Vec::as_slice));
        ctx.record(&words);
    }
    if claimed.has_moved {
        record.position(ctx);
    }
}

/// XAUTOCLAIM's options.
struct AutoclaimOptions {
    min_idle: i64,
    start: StreamId,
    count: usize,
    just_id: bool,
}

impl AutoclaimOptions {
    fn parse(args: Args<'_>) -> Result<Self, Failure> {
        let mut options = AutoclaimOptions {
            min_idle: parse_min_idle(args.at(4), "XAUTOCLAIM")?,
            start: parse_start(args.at(5))?,
            count: AUTOCLAIM_COUNT,
            just_id: false,
        };
        let mut at = 6;
        while let Some(option) = args.get(at) {
            match args.get(at + 1) {
                Some(value) if option.eq_ignore_ascii_case(b"count") => {
                    options.count = parse_autoclaim_count(value)?;
                    at += 2;
                }
                _ if option.eq_ignore_ascii_case(b"justid") => {
                    options.just_id = true;
                    at += 1;
                }
                _ => return syntax_error(),
            }
        }
        Ok(options)
    }
}

/// From 1 up to where Redis draws the line: so many IDs as there could be addresses for.
fn parse_autoclaim_count(text: &[u8]) -> Result<usize, Failure> {
    match integer(text) {
        Ok(count) if (1..=i64::MAX / size_of::<StreamId>() as i64).contains(&count) => Ok(count as usize),
        _ => Err("ERR COUNT must be > 0".into()),
    }
}

/// XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]: claims what is idle from `start` on, and
/// says where to go on.
pub fn xautoclaim(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let options = AutoclaimOptions::parse(args)?;
    let (key, name, now) = (ctx.key(&args, 1), args.at(2), ctx.now().0);
    let stream = stream_with_group(ctx.core, ctx.database, key, name)?;
    let reply = &mut ctx.reply;
    let claimed = stream.with_group(name, |stream, group| {
        let mut claim = Claim::new(stream, group, args.at(3), now);
        let found = Found::search(stream, claim.group, &options, now);
        reply.array(3);
        reply_id(reply, found.next.unwrap_or(StreamId::MIN));
        reply.array(found.idle.len());
        for (entry, before) in found.idle {
            claim.give(entry.id, now, counted(before, options.just_id));
            reply_claimed(reply, entry, options.just_id);
        }
        reply.array(found.deleted.len());
        for id in found.deleted {
            claim.drop_pending(id);
            reply_id(reply, id);
        }
        claim.finish()
    });
    note_claims(ctx, args, claimed);
    Ok(())
}

/// What XAUTOCLAIM finds among the pending entries.
struct Found<'s> {
    /// What may be claimed, with its count of deliveries.
    idle: Vec<(StreamEntry<'s>, u64)>,
    /// Gone from the stream.
    deleted: Vec<StreamId>,
    /// Where the search ended, `None` at the end.
    next: Option<StreamId>,
}

impl<'s> Found<'s> {
    fn search(stream: &'s Stream, group: &Group, options: &AutoclaimOptions, now: i64) -> Self {
        let (mut idle, mut deleted) = (Vec::new(), Vec::new());
        let mut attempts = options.count.saturating_mul(ATTEMPTS);
        let mut pending = group.pending().range(options.start..);
        let next = loop {
            let Some((&id, pending)) = pending.next() else {
                break None;
            };
            if attempts == 0 || idle.len() + deleted.len() == options.count {
                break Some(id);
            }
            attempts -= 1;
            match stream.get(id) {
                None => deleted.push(id),
                Some(entry) if is_idle(pending, options.min_idle, now) => idle.push((entry, pending.delivery_count)),
                Some(_) => {}
            }
        };
        Found { idle, deleted, next }
    }
}
