//! XGROUP: consumer groups and their consumers come and go.

use super::{INVALID_ID, changed_aside, consumer_created, no_group_of_key, parse_id};
use crate::commands::table::errors::unusable_subcommand;
use crate::commands::table::help::help;
use crate::commands::values::NewCollection;
use crate::keyspace::{Key, NewValue};
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::{Context, Core, Outcome};
use crate::types::stream::{Group, InvalidId, Stream, StreamId};

const NO_KEY: &str = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the \
                      MKSTREAM option to create an empty stream automatically.";

/// The options of CREATE and SETID.
#[derive(Default)]
struct Options {
    make_stream: bool,
    entries_read: Option<u64>,
}

impl Options {
    /// `creates` allows MKSTREAM.
    fn parse(args: Args<'_>, creates: bool) -> Result<Self, Failure> {
        let mut options = Options::default();
        let mut at = 5;
        while let Some(option) = args.get(at) {
            if creates && option.eq_ignore_ascii_case(b"mkstream") {
                options.make_stream = true;
                at += 1;
                continue;
            }
            let Some(value) = args.get(at + 1).filter(|_| option.eq_ignore_ascii_case(b"entriesread")) else {
                return Err(misused(args));
            };
            options.entries_read = match integer(value)? {
                -1 => None,
                read => Some(u64::try_from(read).map_err(|_| "ERR value for ENTRIESREAD must be positive or -1")?),
            };
            at += 2;
        }
        Ok(options)
    }
}

/// The error of a wrong number of options.
fn misused(args: Args<'_>) -> Failure {
    unusable_subcommand(&args.to_vec()).into()
}

fn stream_of<'c>(core: &'c mut Core, database: usize, key: Key<'_>) -> Result<&'c mut Stream, Failure> {
    core.write_as::<&mut Stream>(database, key)?
        .ok_or_else(|| NO_KEY.into())
}

fn group_of<'s>(stream: &'s mut Stream, key: Key<'_>, name: &[u8]) -> Result<&'s mut Group, Failure> {
    stream.group_mut(name).ok_or_else(|| no_group_of_key(key.bytes, name))
}

/// XGROUP CREATE key group id | $ [MKSTREAM] [ENTRIESREAD entries-read]
pub fn create(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let options = Options::parse(args, true)?;
    let (key, name) = (ctx.key(&args, 2), args.at(3));
    let stream = ctx.core.write_as::<&mut Stream>(ctx.database, key)?;
    if stream.is_none() && !options.make_stream {
        return Err(NO_KEY.into());
    }
    // More than each option once.
    if args.len() > 8 {
        return Err(misused(args));
    }
    let last_id = match args.at(4) {
        b"$" => stream.as_ref().map_or(StreamId::MIN, |stream| stream.last_id),
        id => parse_id(id, 0)?,
    };
    if let Some(stream) = stream {
        if !stream.create_group(name, last_id, options.entries_read) {
            return Err("BUSYGROUP Consumer Group name already exists".into());
        }
    } else {
        let mut stream = Box::new(Stream::new());
        stream.create_group(name, last_id, options.entries_read);
        ctx.core
            .create(ctx.database, key, NewCollection::Large(NewValue::boxed(stream)));
        ctx.core.touched(ctx.database, key.bytes);
    }
    ctx.reply.ok();
    changed_aside(ctx, "xgroup-create", key.bytes);
    Ok(())
}

/// XGROUP SETID key group id | $ [ENTRIESREAD entries-read]
pub fn setid(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let options = Options::parse(args, false)?;
    let (key, name) = (ctx.key(&args, 2), args.at(3));
    let stream = stream_of(ctx.core, ctx.database, key)?;
    let last_id = stream.last_id;
    let group = group_of(stream, key, name)?;
    if args.len() > 7 {
        return Err(misused(args));
    }
    group.last_id = match args.at(4) {
        b"$" => last_id,
        id => StreamId::parse_or_edge(id, 0).map_err(|InvalidId| INVALID_ID)?,
    };
    group.entries_read = options.entries_read;
    ctx.reply.ok();
    changed_aside(ctx, "xgroup-setid", key.bytes);
    Ok(())
}

/// XGROUP DESTROY key group. Its consumers that wait are told.
pub fn destroy(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 2);
    let removed = stream_of(ctx.core, ctx.database, key)?.remove_group(args.at(3));
    ctx.reply.int(i64::from(removed.is_some()));
    let Some(group) = removed else { return Ok(()) };
    let (_, graveyard, _) = ctx.core.writer(ctx.database);
    graveyard.bury(Some(Box::new(group)));
    changed_aside(ctx, "xgroup-destroy", key.bytes);
    ctx.core.waiting.signal(ctx.database, key.bytes);
    Ok(())
}

/// XGROUP CREATECONSUMER key group consumer
pub fn createconsumer(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, now) = (ctx.key(&args, 2), ctx.now().0);
    let stream = stream_of(ctx.core, ctx.database, key)?;
    let added = group_of(stream, key, args.at(3))?.add_consumer(args.at(4), now);
    ctx.reply.int(i64::from(added.is_some()));
    if added.is_some() {
        consumer_created(ctx, key.bytes);
    }
    Ok(())
}

/// XGROUP DELCONSUMER key group consumer: what it has pending goes too. O(its pending entries).
pub fn delconsumer(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 2);
    let stream = stream_of(ctx.core, ctx.database, key)?;
    let deleted = group_of(stream, key, args.at(3))?.delete_consumer(args.at(4));
    ctx.reply.len(deleted.unwrap_or(0));
    if deleted.is_some() {
        changed_aside(ctx, "xgroup-delconsumer", key.bytes);
    }
    Ok(())
}

/// XGROUP HELP
pub fn xgroup_help(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    help(args.at(0), "xgroup", ctx.reply);
    Ok(())
}
