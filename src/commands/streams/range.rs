//! XLEN, XRANGE and XREVRANGE.

use super::{parse_end, parse_start, reply_entry};
use crate::commands::expiry::syntax_error;
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::{Context, Outcome};
use crate::types::stream::{Stream, StreamEntry};

/// XLEN key
pub fn xlen(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let stream = ctx.core.read_as::<&Stream>(ctx.database, key)?;
    ctx.reply.int(stream.map_or(0, Stream::len) as i64);
    Ok(())
}

/// XRANGE key start end [COUNT count]
pub fn xrange(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let start = parse_start(args.at(2))?;
    let end = parse_end(args.at(3))?;
    range(ctx, args, |stream, count, tell| {
        stream.range(start, end).take(count).for_each(tell);
    })
}

/// XREVRANGE key end start [COUNT count]
pub fn xrevrange(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let start = parse_start(args.at(3))?;
    let end = parse_end(args.at(2))?;
    range(ctx, args, |stream, count, tell| {
        stream.rev_range(end, start).take(count).for_each(tell);
    })
}

/// Answers with the entries that `walk` shows, at most as many as COUNT allows.
fn range(
    ctx: &mut Context<'_>,
    args: Args<'_>,
    walk: impl FnOnce(&Stream, usize, &mut dyn FnMut(StreamEntry<'_>)),
) -> Outcome {
    let count = parse_count(args)?;
    let key = ctx.key(&args, 1);
    let Some(stream) = ctx.core.read_as::<&Stream>(ctx.database, key)? else {
        ctx.reply.array(0);
        return Ok(());
    };
    if count == Some(0) {
        ctx.reply.null_array();
        return Ok(());
    }
    ctx.reply.deferred(Reply::array, |reply| {
        let mut entries = 0;
        walk(stream, count.unwrap_or(usize::MAX), &mut |entry| {
            reply_entry(reply, entry);
            entries += 1;
        });
        entries
    });
    Ok(())
}

/// The COUNT of a range, the last one if there are several; negative ones are zero.
fn parse_count(args: Args<'_>) -> Result<Option<usize>, Failure> {
    let (mut count, mut at) = (None, 4);
    while let Some(option) = args.get(at) {
        match args.get(at + 1) {
            Some(value) if option.eq_ignore_ascii_case(b"count") => count = Some(integer(value)?.max(0) as usize),
            _ => return syntax_error(),
        }
        at += 2;
    }
    Ok(count)
}
