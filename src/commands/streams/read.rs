//! XREAD and XREADGROUP: the entries behind given IDs of several streams, now or when there are any.
//!
//! Each is written as "serve or wait". All keys, groups and IDs are looked at before anything is served, so that a
//! command that fails has changed nothing. `$` means what is added from now on; a command that waits is run again
//! with the ID that this meant when it came.

use super::{INVALID_ID, PendingRecord, consumer_created, no_group, reply_entry, reply_id};
use crate::commands::expiry::syntax_error;
use crate::keyspace::{Key, Type};
use crate::resp::reply::{Protocol, Reply};
use crate::resp::request::Args;
use crate::server::blocking::{Nothing, Wait, timeout_millis};
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::{Context, Core, Outcome};
use crate::timer::Millis;
use crate::types::stream::{ConsumerId, Group, ID_TEXT_MAX, InvalidId, Stream, StreamId};

/// A group and the consumer of it that reads.
#[derive(Clone, Copy)]
struct Reader<'a> {
    group: &'a [u8],
    consumer: &'a [u8],
    /// Whether what it gets becomes pending.
    keeps: bool,
}

impl<'a> Reader<'a> {
    fn record<'k>(&self, key: Key<'k>) -> PendingRecord<'k>
    where
        'a: 'k,
    {
        PendingRecord {
            key: key.bytes,
            group: self.group,
            consumer: self.consumer,
        }
    }
}

/// The arguments up to the keys, and where those are.
struct Options<'a> {
    /// How long to wait, if at all; the inner `None` is for ever.
    block: Option<Option<Millis>>,
    /// Entries of each stream.
    count: usize,
    reader: Option<Reader<'a>>,
    /// The argument that is the first key; behind the keys come as many IDs.
    keys_at: usize,
    streams: usize,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>, command: Command, now: Millis) -> Result<Self, Failure> {
        let (mut block, mut count, mut group, mut no_ack) = (None, usize::MAX, None, false);
        let mut at = 1;
        let keys_at = loop {
            let Some(option) = args.get(at) else {
                return syntax_error();
            };
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            match (args.get(at + 1), args.get(at + 2)) {
                (Some(_), _) if is(b"streams") => break at + 1,
                (Some(value), _) if is(b"block") => {
                    block = Some(timeout_millis(value, now)?);
                    at += 2;
                }
                (Some(value), _) if is(b"count") => {
                    count = match integer(value)? {
                        ..=0 => usize::MAX,
                        count => count as usize,
                    };
                    at += 2;
                }
                (Some(name), Some(consumer)) if is(b"group") => {
                    command.expect_group("GROUP")?;
                    group = Some((name, consumer));
                    at += 3;
                }
                _ if is(b"noack") => {
                    command.expect_group("NOACK")?;
                    no_ack = true;
                    at += 1;
                }
                _ => return syntax_error(),
            }
        };
        let behind = args.len() - keys_at;
        if !behind.is_multiple_of(2) {
            return Err(command.unbalanced());
        }
        if command == Command::XreadGroup && group.is_none() {
            return Err("ERR Missing GROUP option for XREADGROUP".into());
        }
        let reader = group.map(|(group, consumer)| Reader {
            group,
            consumer,
            keeps: !no_ack,
        });
        Ok(Options {
            block,
            count,
            reader,
            keys_at,
            streams: behind / 2,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Command {
    Xread,
    XreadGroup,
}

impl Command {
    /// Refuses an option that only XREADGROUP has.
    fn expect_group(self, option: &str) -> Outcome {
        match self {
            Command::XreadGroup => Ok(()),
            Command::Xread => Err(format!(
                "ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."
            )
            .into()),
        }
    }

    fn unbalanced(self) -> Failure {
        let (name, sign) = match self {
            Command::Xread => ("xread", '$'),
            Command::XreadGroup => ("xreadgroup", '>'),
        };
        format!("ERR Unbalanced '{name}' list of streams: for each stream key an ID or '{sign}' must be specified.")
            .into()
    }
}

/// Which entries of a stream are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Those behind an ID; in a group, the consumer's own pending ones behind it.
    After(StreamId),
    /// Those behind the ID that was the last when the command came.
    FromNow(StreamId),
    /// The last one.
    Last,
    /// Those that the group has not been given.
    New,
}

impl Asked {
    fn parse(text: &[u8], stream: Option<&Stream>, reader: Option<&Reader>) -> Result<Self, Failure> {
        match (text, reader) {
            (b"$", None) => Ok(Asked::FromNow(stream.map_or(StreamId::MIN, |stream| stream.last_id))),
            (b"+", None) => Ok(Asked::Last),
            (b">", Some(_)) => Ok(Asked::New),
            (b"$", Some(_)) => Err(meaningless('$')),
            (b"+", Some(_)) => Err(meaningless('+')),
            (b">", None) => Err(
                "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
                    .into(),
            ),
            _ => match StreamId::parse(text, 0) {
                // What `>` is to Redis inside, so that this means the same.
                Ok(StreamId::MAX) if reader.is_some() => Ok(Asked::New),
                Ok(id) => Ok(Asked::After(id)),
                Err(InvalidId) => Err(INVALID_ID.into()),
            },
        }
    }
}

#[cold]
fn meaningless(sign: char) -> Failure {
    format!(
        "ERR The {sign} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by \
         specifying a proper ID, or use the > ID to get new messages. The {sign} ID would just return an empty result set."
    )
    .into()
}

/// XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]
pub fn xread(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let options = Options::parse(args, Command::Xread, ctx.now())?;
    serve_or_wait(ctx, args, &options)
}

/// XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]
pub fn xreadgroup(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let options = Options::parse(args, Command::XreadGroup, ctx.now())?;
    serve_or_wait(ctx, args, &options)
}

fn serve_or_wait(ctx: &mut Context<'_>, args: Args<'_>, options: &Options<'_>) -> Outcome {
    let asked = look(ctx, args, options)?;
    let announce = match ctx.reply.protocol {
        Protocol::Resp2 => Reply::array,
        Protocol::Resp3 => Reply::map,
    };
    let start = ctx.reply.bytes.len();
    let (mut served, mut newcomers, mut delivered) = (0, Vec::new(), Vec::new());
    let (core, database) = (&mut *ctx.core, ctx.database);
    ctx.reply.deferred(announce, |reply| {
        for (index, &asked) in asked.iter().enumerate() {
            let key = Key::new(args.at(options.keys_at + index));
            let read = Read {
                key,
                asked,
                count: options.count,
            };
            let before = reply.bytes.len();
            if reply.protocol == Protocol::Resp2 {
                reply.array(2);
            }
            reply.bulk(key.bytes);
            let is_served = match &options.reader {
                None => read.serve(core, database, reply),
                Some(reader) => {
                    let outcome = read.serve_consumer(core, database, reader, reply);
                    newcomers.extend(outcome.is_new_consumer.then_some(key));
                    if !outcome.delivered.is_empty() {
                        delivered.push((key, outcome.delivered));
                    }
                    outcome.is_served
                }
            };
            if is_served {
                served += 1;
            } else {
                reply.bytes.truncate(before);
            }
        }
        served
    });
    for key in newcomers {
        consumer_created(ctx, key.bytes);
        if let Some(reader) = &options.reader {
            reader.record(key).consumer_created(ctx);
        }
    }
    if options.reader.is_some() {
        // Reading again what is pending anyway is worth no record.
        ctx.core.record_nothing();
    }
    for (key, ids) in delivered {
        let Some(reader) = &options.reader else { break };
        if reader.keeps {
            reader.record(key).claims(ctx, &ids);
        }
        reader.record(key).position(ctx);
    }
    if served > 0 {
        return Ok(());
    }
    ctx.reply.bytes.truncate(start);
    match options.block {
        Some(timeout) => wait(ctx, args, options, &asked, timeout),
        None => {
            ctx.reply.null_array();
            Ok(())
        }
    }
}

/// Looks at every key, group and ID, and gives what is asked of each.
fn look(ctx: &mut Context<'_>, args: Args<'_>, options: &Options<'_>) -> Result<Vec<Asked>, Failure> {
    let ids_at = options.keys_at + options.streams;
    (0..options.streams)
        .map(|index| {
            let key = Key::new(args.at(options.keys_at + index));
            let stream = ctx.core.read_as::<&Stream>(ctx.database, key)?;
            if let Some(reader) = &options.reader
                && stream.is_none_or(|stream| stream.group(reader.group).is_none())
            {
                return Err(no_group(key.bytes, reader.group, " in XREADGROUP with GROUP option"));
            }
            Asked::parse(args.at(ids_at + index), stream, options.reader.as_ref())
        })
        .collect()
}

/// What is to be read of one stream.
struct Read<'a> {
    key: Key<'a>,
    asked: Asked,
    count: usize,
}

/// What became of a consumer's reading.
#[derive(Default)]
struct Served {
    is_served: bool,
    is_new_consumer: bool,
    /// Entries that were new to the group.
    delivered: Vec<StreamId>,
}

impl Read<'_> {
    /// Writes the entries that are asked for; false if there are none.
    fn serve(&self, core: &mut Core, database: usize, reply: &mut Reply) -> bool {
        let Ok(Some(stream)) = core.read_as::<&Stream>(database, self.key) else {
            return false;
        };
        let (first, count) = match self.asked {
            Asked::After(id) | Asked::FromNow(id) => (id.next(), self.count),
            Asked::Last | Asked::New => (stream.last().map(|entry| entry.id), 1),
        };
        let Some(first) = first else { return false };
        let mut entries = 0;
        reply.deferred(Reply::array, |reply| {
            let range = stream.range(first, StreamId::MAX).take(count);
            entries = range.map(|entry| reply_entry(reply, entry)).count();
            entries
        });
        entries > 0
    }

    /// The same for a group's consumer, which is made if there is none; tells also whether it was. Its own pending
    /// entries it always gets, be it none.
    fn serve_consumer(&self, core: &mut Core, database: usize, reader: &Reader<'_>, reply: &mut Reply) -> Served {
        let now = core.now().0;
        let Ok(Some(stream)) = core.write_as::<&mut Stream>(database, self.key) else {
            return Served::default();
        };
        let served = stream.with_group(reader.group, |stream, group| {
            let (consumer, is_new) = group.consumer_at_work(reader.consumer, now);
            if let Asked::After(id) = self.asked {
                let ids = own_pending(group, consumer, id, self.count);
                reply_history(reply, stream, group, ids, now);
                return Served {
                    is_served: true,
                    is_new_consumer: is_new,
                    delivered: Vec::new(),
                };
            }
            let mut delivered = Vec::new();
            reply.deferred(Reply::array, |reply| {
                let keep = reader.keeps.then_some(now);
                stream.deliver(group, consumer, self.count, keep, |entry| {
                    delivered.push(entry.id);
                    reply_entry(reply, entry);
                })
            });
            Served {
                is_served: !delivered.is_empty(),
                is_new_consumer: is_new,
                delivered,
            }
        });
        let served = served.unwrap_or_default();
        core.dirty += u64::from(served.is_served);
        served
    }
}

/// A consumer's pending entries behind an ID.
fn own_pending(group: &Group, consumer: ConsumerId, after: StreamId, count: usize) -> Vec<StreamId> {
    let own = group.consumer(consumer).pending();
    let behind = after.next().into_iter().flat_map(|first| own.range(first..));
    behind.take(count).copied().collect()
}

/// Gives a consumer its own pending entries once more. Of those that are gone from the stream only the ID is left.
fn reply_history(reply: &mut Reply, stream: &Stream, group: &mut Group, ids: Vec<StreamId>, now: i64) {
    reply.array(ids.len());
    for id in ids {
        match stream.get(id) {
            Some(entry) => {
                reply_entry(reply, entry);
                group.redeliver(id, now);
            }
            None => {
                reply.array(2);
                reply_id(reply, id);
                reply.null_array();
            }
        }
    }
}

/// Waits for any of the streams. `$` becomes the ID it stands for; `+` stays, since there is no last entry yet.
fn wait(
    ctx: &mut Context<'_>,
    args: Args<'_>,
    options: &Options<'_>,
    asked: &[Asked],
    timeout: Option<Millis>,
) -> Outcome {
    let keys = options.keys_at..options.keys_at + options.streams;
    let ids_at = keys.end;
    let has_now = asked.iter().any(|asked| matches!(asked, Asked::FromNow(_)));
    let argv = has_now.then(|| {
        let resolved =
            args.iter().enumerate().map(
                |(index, arg)| match index.checked_sub(ids_at).and_then(|at| asked.get(at)) {
                    Some(Asked::FromNow(id)) => id.format(&mut [0; ID_TEXT_MAX]).to_vec(),
                    _ => arg.to_vec(),
                },
            );
        resolved.collect()
    });
    ctx.wait(Wait {
        keys: keys.map(|at| args.at(at).into()).collect(),
        for_type: Type::Stream,
        timeout,
        when_gone: options.reader.is_some(),
        on_timeout: Nothing::NullArray,
        argv,
    })
}
