//! DEBUG POPULATE: many keys at once, for tests that need a full keyspace and not a long wait.

use crate::keyspace::{Key, NewValue};
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::{Context, Outcome};

const NOT_POSITIVE: &str = "ERR value is out of range, must be positive";

/// DEBUG POPULATE count [prefix [size]]
///
/// Makes the keys `prefix:0`, `prefix:1` and so on that are not there yet, with the values `value:0`, `value:1` ...,
/// cut off or filled up with zero bytes to `size`. Nobody is told of them. O(count × size).
pub(super) fn populate(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = natural(args.at(2))?;
    let prefix = args.get(3).unwrap_or(b"key");
    let size = args.get(4).map_or(Ok(0), natural)?;
    if size as u64 > ctx.core.settings.proto_max_bulk_len as u64 {
        return Err("ERR string exceeds maximum allowed size (proto-max-bulk-len)".into());
    }
    let database = ctx.database;
    for number in 0..count {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(number).as_bytes();
        let name = [prefix, b":", digits].concat();
        let key = Key::new(&name);
        if ctx.core.exists(database, key) {
            continue;
        }
        let mut value = [b"value:", digits].concat();
        if size > 0 {
            value.resize(size, 0);
        }
        let (db, _, moment) = ctx.core.writer(database);
        db.insert(key, NewValue::Str(&value), None, moment);
    }
    ctx.reply.ok();
    Ok(())
}

/// A count that must not be negative, with DEBUG's error.
fn natural(text: &[u8]) -> Result<usize, crate::server::Failure> {
    let value = integer(text).ok().and_then(|value| usize::try_from(value).ok());
    value.ok_or_else(|| NOT_POSITIVE.into())
}
