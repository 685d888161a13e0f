//! XDEL and XSETID.

use super::{changed_aside, parse_id, parse_ids};
use crate::commands::expiry::syntax_error;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::{Failure, NO_SUCH_KEY};
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::types::stream::{Stream, StreamId};

/// XDEL key id [id ...]: flags entries as deleted. An emptied stream stays, since it remembers its last ID.
pub fn xdel(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let Some(stream) = ctx.core.write_as::<&mut Stream>(ctx.database, key)? else {
        ctx.reply.int(0);
        return Ok(());
    };
    let ids = parse_ids(args.from(2).iter())?;
    let deleted = ids.into_iter().filter(|&id| stream.delete(id)).count();
    ctx.reply.len(deleted);
    if deleted > 0 {
        ctx.changed_times(deleted, Class::STREAM, "xdel", key.bytes);
    }
    Ok(())
}

/// XSETID's arguments: what a stream shall remember.
struct Memory {
    last_id: StreamId,
    entries_added: Option<u64>,
    max_deleted_id: StreamId,
}

impl Memory {
    fn parse(args: Args<'_>) -> Result<Self, Failure> {
        let mut memory = Memory {
            last_id: parse_id(args.at(2), 0)?,
            entries_added: None,
            max_deleted_id: StreamId::MIN,
        };
        let mut at = 3;
        while let Some(option) = args.get(at) {
            match args.get(at + 1) {
                Some(value) if option.eq_ignore_ascii_case(b"entriesadded") => {
                    let count = u64::try_from(integer(value)?).map_err(|_| "ERR entries_added must be positive")?;
                    memory.entries_added = Some(count);
                }
                Some(value) if option.eq_ignore_ascii_case(b"maxdeletedid") => {
                    memory.max_deleted_id = parse_id(value, 0)?;
                    if memory.last_id < memory.max_deleted_id {
                        return Err(
                            "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id".into(),
                        );
                    }
                }
                _ => return syntax_error(),
            }
            at += 2;
        }
        Ok(memory)
    }

    /// Refuses what the stream's entries contradict.
    fn check(&self, stream: &Stream) -> Outcome {
        if self.last_id < stream.max_deleted_id {
            return Err("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id".into());
        }
        let Some(last) = stream.last() else { return Ok(()) };
        if self.last_id < last.id {
            return Err("ERR The ID specified in XSETID is smaller than the target stream top item".into());
        }
        if self.entries_added.is_some_and(|added| added < stream.len()) {
            return Err("ERR The entries_added specified in XSETID is smaller than the target stream length".into());
        }
        Ok(())
    }
}

/// XSETID key last-id [ENTRIESADDED count] [MAXDELETEDID id]
pub fn xsetid(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let memory = Memory::parse(args)?;
    let key = ctx.key(&args, 1);
    let Some(stream) = ctx.core.write_as::<&mut Stream>(ctx.database, key)? else {
        return Err(NO_SUCH_KEY.into());
    };
    memory.check(stream)?;
    stream.last_id = memory.last_id;
    if let Some(added) = memory.entries_added {
        stream.entries_added = added;
    }
    // 0-0 is not told from an option that was not given.
    if memory.max_deleted_id != StreamId::MIN {
        stream.max_deleted_id = memory.max_deleted_id;
    }
    ctx.reply.ok();
    changed_aside(ctx, "xsetid", key.bytes);
    Ok(())
}
