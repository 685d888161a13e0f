//! XINFO: what a stream, its groups and their consumers have come to.

use super::{no_group_of_key, reply_entry, reply_id};
use crate::commands::table::errors::unusable_subcommand;
use crate::commands::table::help::help;
use crate::keyspace::Key;
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::{Failure, NO_SUCH_KEY};
use crate::server::{Context, Core, Outcome};
use crate::types::stream::{Consumer, ConsumerId, Group, Stream, StreamEntry, StreamId};

/// Elements of each list that FULL shows unless COUNT says otherwise.
const FULL_COUNT: usize = 10;

fn stream_of<'c>(core: &'c mut Core, database: usize, key: Key<'_>) -> Result<&'c Stream, Failure> {
    core.read_as::<&Stream>(database, key)?
        .ok_or_else(|| NO_SUCH_KEY.into())
}

/// XINFO STREAM key [FULL [COUNT count]]
pub fn stream(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 2);
    let stream = stream_of(ctx.core, ctx.database, key)?;
    let reply = &mut ctx.reply;
    let Some(count) = parse_full(args)? else {
        reply.map(10);
        describe(stream, reply);
        reply.bulk("groups");
        reply.len(stream.groups().len());
        reply.bulk("first-entry");
        reply_entry_or_null(reply, stream.first());
        reply.bulk("last-entry");
        reply_entry_or_null(reply, stream.last());
        return Ok(());
    };
    reply.map(9);
    describe(stream, reply);
    reply.bulk("entries");
    reply.deferred(Reply::array, |reply| {
        let entries = stream.range(StreamId::MIN, StreamId::MAX).take(count);
        entries.map(|entry| reply_entry(reply, entry)).count()
    });
    reply.bulk("groups");
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        describe_group(reply, stream, name, group, count);
    }
    Ok(())
}

/// How much of each list FULL is to show; `None` without FULL.
fn parse_full(args: Args<'_>) -> Result<Option<usize>, Failure> {
    let is = |at: usize, word: &[u8]| args.get(at).is_some_and(|arg| arg.eq_ignore_ascii_case(word));
    match args.len() {
        3 => Ok(None),
        4 if is(3, b"full") => Ok(Some(FULL_COUNT)),
        6 if is(3, b"full") && is(4, b"count") => Ok(Some(match integer(args.at(5))? {
            ..0 => FULL_COUNT,
            0 => usize::MAX,
            count => count as usize,
        })),
        _ => Err(unusable_subcommand(&args.to_vec()).into()),
    }
}

/// The seven fields with which both forms of XINFO STREAM begin.
fn describe(stream: &Stream, reply: &mut Reply) {
    reply.bulk("length");
    reply.int(stream.len() as i64);
    reply.bulk("radix-tree-keys");
    reply.len(stream.node_count());
    reply.bulk("radix-tree-nodes");
    reply.len(stream.radix_node_count());
    reply.bulk("last-generated-id");
    reply_id(reply, stream.last_id);
    reply.bulk("max-deleted-entry-id");
    reply_id(reply, stream.max_deleted_id);
    reply.bulk("entries-added");
    reply.int(stream.entries_added as i64);
    reply.bulk("recorded-first-entry-id");
    reply_id(reply, stream.first_id());
}

fn reply_entry_or_null(reply: &mut Reply, entry: Option<StreamEntry<'_>>) {
    match entry {
        Some(entry) => reply_entry(reply, entry),
        None => reply.null(),
    }
}

fn int_or_null(reply: &mut Reply, value: Option<u64>) {
    match value {
        // A counter that was set too high makes a negative lag.
        Some(value) => reply.int(value as i64),
        None => reply.null(),
    }
}

/// How far a group has come: three fields.
fn reply_progress(reply: &mut Reply, stream: &Stream, group: &Group) {
    reply.bulk("last-delivered-id");
    reply_id(reply, group.last_id);
    reply.bulk("entries-read");
    int_or_null(reply, group.entries_read);
    reply.bulk("lag");
    int_or_null(reply, stream.lag(group));
}

/// A group as FULL shows it.
fn describe_group(reply: &mut Reply, stream: &Stream, name: &[u8], group: &Group, count: usize) {
    reply.map(7);
    reply.bulk("name");
    reply.bulk(name);
    reply_progress(reply, stream, group);
    reply.bulk("pel-count");
    reply.len(group.pending().len());
    reply.bulk("pending");
    reply.array(group.pending().len().min(count));
    for (id, pending) in group.pending().iter().take(count) {
        reply.array(4);
        reply_id(reply, *id);
        reply.bulk(group.consumer(pending.consumer).name());
        reply.int(pending.delivery_time);
        reply.int(pending.delivery_count as i64);
    }
    reply.bulk("consumers");
    reply.array(group.consumers().len());
    for (id, consumer) in group.consumers() {
        describe_consumer(reply, group, id, consumer, count);
    }
}

/// A consumer as FULL shows it.
fn describe_consumer(reply: &mut Reply, group: &Group, id: ConsumerId, consumer: &Consumer, count: usize) {
    reply.map(5);
    reply.bulk("name");
    reply.bulk(consumer.name());
    reply.bulk("seen-time");
    reply.int(consumer.seen_time);
    reply.bulk("active-time");
    reply.int(consumer.active_time.unwrap_or(-1));
    reply.bulk("pel-count");
    reply.len(consumer.pending().len());
    reply.bulk("pending");
    reply.array(consumer.pending().len().min(count));
    for (id, pending) in group.pending_range(.., Some(id)).take(count) {
        reply.array(3);
        reply_id(reply, id);
        reply.int(pending.delivery_time);
        reply.int(pending.delivery_count as i64);
    }
}

/// XINFO GROUPS key
pub fn groups(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 2);
    let stream = stream_of(ctx.core, ctx.database, key)?;
    let reply = &mut ctx.reply;
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply.map(6);
        reply.bulk("name");
        reply.bulk(name);
        reply.bulk("consumers");
        reply.len(group.consumers().len());
        reply.bulk("pending");
        reply.len(group.pending().len());
        reply_progress(reply, stream, group);
    }
    Ok(())
}

/// XINFO CONSUMERS key group
pub fn consumers(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, name, now) = (ctx.key(&args, 2), args.at(3), ctx.now().0);
    let stream = stream_of(ctx.core, ctx.database, key)?;
    let group = stream.group(name).ok_or_else(|| no_group_of_key(key.bytes, name))?;
    let since = |then: i64| now.saturating_sub(then).max(0);
    let reply = &mut ctx.reply;
    reply.array(group.consumers().len());
    for (_, consumer) in group.consumers() {
        reply.map(4);
        reply.bulk("name");
        reply.bulk(consumer.name());
        reply.bulk("pending");
        reply.len(consumer.pending().len());
        reply.bulk("idle");
        reply.int(since(consumer.seen_time));
        reply.bulk("inactive");
        reply.int(consumer.active_time.map_or(-1, since));
    }
    Ok(())
}

/// XINFO HELP
pub fn xinfo_help(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    help(args.at(0), "xinfo", ctx.reply);
    Ok(())
}
