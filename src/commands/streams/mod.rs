//! Stream commands.
//!
//! What they share stands here; the rest has a file a topic: [`add`] for XADD and XTRIM, [`range`], [`delete`] for XDEL
//! and XSETID, [`read`] for XREAD and XREADGROUP, [`group`] for XGROUP, [`pending`] for the entries that consumers have
//! not acknowledged, and [`info`] for XINFO.
//!
//! Consumer groups belong to their stream, but for Redis a change to them is none of the key: it is counted and told
//! ([`changed_aside`]), yet a transaction that watches the key goes through and clients' copies of it stay valid.

mod add;
mod delete;
mod group;
mod info;
mod pending;
mod range;
mod read;
#[cfg(test)]
mod tests;

use super::handlers::Family;
use crate::keyspace::Key;
use crate::resp::reply::Reply;
use crate::server::Context;
use crate::server::failure::Failure;
use crate::server::notify::Class;
use crate::types::stream::{ID_TEXT_MAX, InvalidBound, InvalidId, Pending, Stream, StreamEntry, StreamId};

pub const COMMANDS: Family = &[
    ("xack", pending::xack),
    ("xadd", add::xadd),
    ("xautoclaim", pending::xautoclaim),
    ("xclaim", pending::xclaim),
    ("xdel", delete::xdel),
    ("xgroup|create", group::create),
    ("xgroup|createconsumer", group::createconsumer),
    ("xgroup|delconsumer", group::delconsumer),
    ("xgroup|destroy", group::destroy),
    ("xgroup|help", group::xgroup_help),
    ("xgroup|setid", group::setid),
    ("xinfo|consumers", info::consumers),
    ("xinfo|groups", info::groups),
    ("xinfo|help", info::xinfo_help),
    ("xinfo|stream", info::stream),
    ("xlen", range::xlen),
    ("xpending", pending::xpending),
    ("xrange", range::xrange),
    ("xread", read::xread),
    ("xreadgroup", read::xreadgroup),
    ("xrevrange", range::xrevrange),
    ("xsetid", delete::xsetid),
    ("xtrim", add::xtrim),
];

const INVALID_ID: &str = "ERR Invalid stream ID specified as stream command argument";

fn parse_id(text: &[u8], missing_seq: u64) -> Result<StreamId, Failure> {
    StreamId::parse(text, missing_seq).map_err(|InvalidId| INVALID_ID.into())
}

fn parse_start(text: &[u8]) -> Result<StreamId, Failure> {
    StreamId::parse_start(text).map_err(|error| match error {
        InvalidBound::Id => INVALID_ID.into(),
        InvalidBound::Empty => "ERR invalid start ID for the interval".into(),
    })
}

fn parse_end(text: &[u8]) -> Result<StreamId, Failure> {
    StreamId::parse_end(text).map_err(|error| match error {
        InvalidBound::Id => INVALID_ID.into(),
        InvalidBound::Empty => "ERR invalid end ID for the interval".into(),
    })
}

/// Reads IDs in full, for commands that change nothing unless all are right.
fn parse_ids<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Result<Vec<StreamId>, Failure> {
    texts.map(|text| parse_id(text, 0)).collect()
}

fn reply_id(reply: &mut Reply, id: StreamId) {
    reply.bulk(id.format(&mut [0; ID_TEXT_MAX]));
}

fn reply_entry(reply: &mut Reply, entry: StreamEntry<'_>) {
    reply.array(2);
    reply_id(reply, entry.id);
    reply.array(entry.fields.len() * 2);
    for (field, value) in entry.fields {
        reply.element(field);
        reply.element(value);
    }
}

/// What an error quotes of a name: Redis's texts end at a NUL.
fn quoted(name: &[u8]) -> &[u8] {
    name.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// The error of a group that must be there, from commands that take the key's absence for the same.
fn no_group(key: &[u8], group: &[u8], where_asked: &str) -> Failure {
    let (key, group) = (quoted(key), quoted(group));
    let text: [&[u8]; 6] = [
        b"NOGROUP No such key '",
        key,
        b"' or consumer group '",
        group,
        b"'",
        where_asked.as_bytes(),
    ];
    text.concat().into()
}

/// The error of a group that must be there, when the key is.
fn no_group_of_key(key: &[u8], group: &[u8]) -> Failure {
    let (key, group) = (quoted(key), quoted(group));
    let text: [&[u8]; 5] = [
        b"NOGROUP No such consumer group '",
        group,
        b"' for key name '",
        key,
        b"'",
    ];
    text.concat().into()
}

/// Notes that a command named a consumer its group did not have, and so made it.
fn consumer_created(ctx: &mut Context<'_>, key: &[u8]) {
    changed_aside(ctx, "xgroup-createconsumer", key);
}

/// Records what consumers have pending, in full: who plays the records has neither our clock nor our order of events.
struct PendingRecord<'a> {
    key: &'a [u8],
    group: &'a [u8],
    consumer: &'a [u8],
}

impl PendingRecord<'_> {
    fn consumer_created(&self, ctx: &mut Context<'_>) {
        ctx.record(&[b"XGROUP", b"CREATECONSUMER", self.key, self.group, self.consumer]);
    }

    /// Each of `ids` that the consumer has pending, and where the group is.
    fn claims(&self, ctx: &mut Context<'_>, ids: &[StreamId]) {
        if !ctx.core.propagation.is_on {
            return;
        }
        let Ok(Some(stream)) = ctx.core.read_as::<&Stream>(ctx.database, Key::new(self.key)) else {
            return;
        };
        let Some(group) = stream.group(self.group) else { return };
        let last_id = group.last_id;
        let pending = group.pending();
        let states: Vec<(StreamId, Pending)> = ids.iter().filter_map(|id| Some((*id, *pending.get(id)?))).collect();
        for (id, pending) in states {
            let (mut id_text, mut last_text) = ([0; ID_TEXT_MAX], [0; ID_TEXT_MAX]);
            let (mut time, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
            ctx.record(&[
                b"XCLAIM",
                self.key,
                self.group,
                self.consumer,
                b"0",
                id.format(&mut id_text),
                b"TIME",
                time.format(pending.delivery_time).as_bytes(),
                b"RETRYCOUNT",
                count.format(pending.delivery_count).as_bytes(),
                b"FORCE",
                b"JUSTID",
                b"LASTID",
                last_id.format(&mut last_text),
            ]);
        }
    }

    /// What the group has read.
    fn position(&self, ctx: &mut Context<'_>) {
        let Ok(Some(stream)) = ctx.core.read_as::<&Stream>(ctx.database, Key::new(self.key)) else {
            return;
        };
        let Some(group) = stream.group(self.group) else { return };
        let (mut id_text, mut digits) = ([0; ID_TEXT_MAX], itoa::Buffer::new());
        let read = match group.entries_read {
            Some(read) => digits.format(read),
            None => "-1",
        };
        let words: [&[u8]; 7] = [
            b"XGROUP",
            b"SETID",
            self.key,
            self.group,
            group.last_id.format(&mut id_text),
            b"ENTRIESREAD",
            read.as_bytes(),
        ];
        ctx.core.record(ctx.database, &words);
    }
}

/// Notes a change to what stands beside a stream's entries.
fn changed_aside(ctx: &mut Context<'_>, event: &str, key: &[u8]) {
    ctx.core.dirty += 1;
    ctx.notify(Class::STREAM, event, key);
}
