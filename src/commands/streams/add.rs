//! XADD and XTRIM, which share the options of trimming.

use super::{INVALID_ID, parse_id, reply_id};
use crate::commands::expiry::syntax_error;
use crate::commands::table::errors::wrong_arity;
use crate::commands::values::{NewCollection, node_limits};
use crate::keyspace::NewValue;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::stream::{AppendError, ID_TEXT_MAX, InvalidId, NewId, NodeLimits, Stream, StreamId, Trim, TrimBy};

/// Nodes that trimming with `~` looks at unless LIMIT says otherwise, so that no command takes long.
const TRIM_NODES: u64 = 100;
/// What bounds that limit when nodes hold very many entries, and what it is when they may hold any number.
const TRIM_LIMIT_MAX: u64 = 1_000_000;
const TRIM_LIMIT_UNBOUNDED: u64 = 10_000;

/// The trimming options of XADD and XTRIM while they are read.
#[derive(Clone, Copy, Debug, Default)]
struct TrimOptions {
    by: Option<TrimBy>,
    approximate: bool,
    limit: Option<u64>,
}

impl TrimOptions {
    /// Reads the trimming option at `at`, if one is there; gives where the next argument is.
    fn parse(&mut self, args: Args<'_>, at: usize) -> Result<Option<usize>, Failure> {
        let (Some(option), Some(value)) = (args.get(at), args.get(at + 1)) else {
            return Ok(None);
        };
        let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
        if is(b"limit") {
            let limit = integer(value)?;
            let limit = u64::try_from(limit).map_err(|_| "ERR The LIMIT argument must be >= 0.")?;
            self.limit = Some(limit);
            return Ok(Some(at + 2));
        }
        if !is(b"maxlen") && !is(b"minid") {
            return Ok(None);
        }
        if self.by.is_some() {
            return Err("ERR syntax error, MAXLEN and MINID options at the same time are not compatible".into());
        }
        let (value, next) = match (value, args.get(at + 2)) {
            (b"~" | b"=", Some(behind)) => (behind, at + 3),
            _ => (value, at + 2),
        };
        self.approximate = next == at + 3 && args.at(at + 1) == b"~";
        self.by = Some(if is(b"maxlen") {
            let len = u64::try_from(integer(value)?).map_err(|_| "ERR The MAXLEN argument must be >= 0.")?;
            TrimBy::MaxLen(len)
        } else {
            TrimBy::MinId(parse_id(value, 0)?)
        });
        Ok(Some(next))
    }

    /// What the options ask for together, once all are read.
    fn finish(self, limits: NodeLimits) -> Result<Option<Trim>, Failure> {
        if self.limit.is_some_and(|limit| limit > 0) && self.by.is_none() {
            return Err("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy".into());
        }
        if self.limit.is_some() && !self.approximate {
            return Err("ERR syntax error, LIMIT cannot be used without the special ~ option".into());
        }
        let limit = match self.limit {
            Some(limit) => limit,
            None if !self.approximate => 0,
            None if limits.max_entries == 0 => TRIM_LIMIT_UNBOUNDED,
            None => (limits.max_entries as u64)
                .saturating_mul(TRIM_NODES)
                .min(TRIM_LIMIT_MAX),
        };
        Ok(self.by.map(|by| Trim {
            by,
            approximate: self.approximate,
            limit,
        }))
    }
}

/// XADD's arguments up to the fields.
struct AddOptions {
    create: bool,
    trim: Option<Trim>,
    id: NewId,
    /// The argument where fields and values begin.
    fields_at: usize,
}

impl AddOptions {
    fn parse(args: Args<'_>, limits: NodeLimits) -> Result<Self, Failure> {
        let (mut create, mut trim, mut id, mut at) = (true, TrimOptions::default(), None, 2);
        while let Some(argument) = args.get(at) {
            if argument == b"*" {
                id = Some(NewId::Auto);
                break;
            }
            if let Some(next) = trim.parse(args, at)? {
                at = next;
            } else if argument.eq_ignore_ascii_case(b"nomkstream") {
                create = false;
                at += 1;
            } else {
                // Neither an option nor an ID: reported as a bad ID.
                id = Some(NewId::parse(argument).map_err(|InvalidId| INVALID_ID)?);
                break;
            }
        }
        let trim = trim.finish(limits)?;
        let fields_at = at + 1;
        let fields = args.len().saturating_sub(fields_at);
        match id {
            Some(id) if fields >= 2 && fields % 2 == 0 => Ok(AddOptions {
                create,
                trim,
                id,
                fields_at,
            }),
            _ => Err(wrong_arity("xadd").into()),
        }
    }
}

/// XADD key [NOMKSTREAM] [MAXLEN | MINID [= | ~] threshold [LIMIT count]] * | id field value [field value ...]
pub fn xadd(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let limits = node_limits(&ctx.core.settings);
    let options = AddOptions::parse(args, limits)?;
    if options.id == NewId::Explicit(StreamId::MIN) {
        return Err("ERR The ID specified in XADD must be greater than 0-0".into());
    }
    let (key, now) = (ctx.key(&args, 1), ctx.now().0 as u64);
    let fields = (options.fields_at..args.len())
        .step_by(2)
        .map(|at| (args.at(at), args.at(at + 1)));
    let (id, trimmed, len) = match ctx.core.write_as::<&mut Stream>(ctx.database, key)? {
        Some(stream) => append(stream, &options, fields, now, limits)?,
        None if !options.create => {
            ctx.reply.null();
            return Ok(());
        }
        None => {
            let mut stream = Box::new(Stream::new());
            let added = append(&mut stream, &options, fields, now, limits)?;
            ctx.core
                .create(ctx.database, key, NewCollection::Large(NewValue::boxed(stream)));
            added
        }
    };
    reply_id(ctx.reply, id);
    ctx.changed(Class::STREAM, "xadd", key.bytes);
    if trimmed > 0 {
        ctx.notify(Class::STREAM, "xtrim", key.bytes);
    }
    record_added(ctx, args, &options, id, (trimmed > 0).then_some(len));
    Ok(())
}

/// Records an entry with the ID it was given, and a trimming by the length it came to: what `~` leaves depends on nodes
/// that others may have cut otherwise.
fn record_added(ctx: &mut Context<'_>, args: Args<'_>, options: &AddOptions, id: StreamId, len: Option<u64>) {
    if !ctx.core.propagation.is_on {
        return;
    }
    let (mut id_text, mut digits) = ([0; ID_TEXT_MAX], itoa::Buffer::new());
    let mut words: Vec<&[u8]> = vec![b"XADD", args.at(1)];
    if let Some(len) = len {
        words.extend([&b"MAXLEN"[..], b"=", digits.format(len).as_bytes()]);
    }
    words.push(id.format(&mut id_text));
    words.extend((options.fields_at..args.len()).map(|at| args.at(at)));
    ctx.record(&words);
}

/// Adds an entry and trims; gives the entry's ID, how many were trimmed, and how many are left.
fn append<'f>(
    stream: &mut Stream,
    options: &AddOptions,
    fields: impl Iterator<Item = (&'f [u8], &'f [u8])> + Clone,
    now: u64,
    limits: NodeLimits,
) -> Result<(StreamId, u64, u64), Failure> {
    if stream.last_id == StreamId::MAX {
        return Err("ERR The stream has exhausted the last possible ID, unable to add more items".into());
    }
    let appended = match stream.next_id(options.id, now) {
        Some(id) => stream.append(id, fields, limits).map(|()| id),
        None => Err(AppendError::IdTooSmall),
    };
    let id = appended.map_err(|error| match error {
        AppendError::IdTooSmall => "ERR The ID specified in XADD is equal or smaller than the target stream top item",
        AppendError::TooLarge => "ERR Elements are too large to be stored",
    })?;
    let trimmed = options.trim.map_or(0, |trim| stream.trim(trim));
    Ok((id, trimmed, stream.len()))
}

/// XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT count]
pub fn xtrim(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (mut options, mut at) = (TrimOptions::default(), 2);
    while at < args.len() {
        match options.parse(args, at)? {
            Some(next) => at = next,
            None => return syntax_error(),
        }
    }
    let no_strategy = "ERR syntax error, XTRIM must be called with a trimming strategy";
    if options.by.is_none() && options.limit.unwrap_or(0) == 0 {
        return Err(no_strategy.into());
    }
    let trim = options.finish(node_limits(&ctx.core.settings))?.ok_or(no_strategy)?;
    let key = ctx.key(&args, 1);
    let stream = ctx.core.write_as::<&mut Stream>(ctx.database, key)?;
    let (trimmed, len) = stream.map_or((0, 0), |stream| (stream.trim(trim), stream.len()));
    ctx.reply.int(trimmed as i64);
    if trimmed > 0 {
        ctx.changed_times(trimmed as usize, Class::STREAM, "xtrim", key.bytes);
        let mut digits = itoa::Buffer::new();
        ctx.record(&[b"XTRIM", key.bytes, b"MAXLEN", b"=", digits.format(len).as_bytes()]);
    }
    Ok(())
}
