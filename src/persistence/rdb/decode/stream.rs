//! Reading streams: nodes as they stand in memory, what the stream remembers, and its groups.

use super::super::{Error, Source, Value};
use crate::types::stream::{ConsumerId, Group, Pending, Stream, StreamId};

/// What was added to the body over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generation {
    First,
    /// First ID, highest deleted ID, entries added, and entries read by each group.
    Second,
    /// When consumers were active.
    Third,
}

pub fn stream<S: Source>(source: &mut S, generation: Generation) -> Result<Value, Error> {
    let mut stream = Box::new(Stream::new());
    nodes(source, &mut stream)?;
    if source.length()? != stream.len() {
        return Err(Error::Corrupt("a stream counts other entries than it has"));
    }
    let top = stream.last_id;
    stream.last_id = id(source)?;
    if stream.last_id < top {
        return Err(Error::Corrupt("a stream's last ID is not its last"));
    }
    if generation >= Generation::Second {
        // The first ID, which the nodes tell too.
        id(source)?;
        stream.max_deleted_id = id(source)?;
        stream.entries_added = counter(source)?;
    } else {
        stream.entries_added = stream.len();
    }
    for _ in 0..source.length()? {
        group(source, &mut stream, generation)?;
    }
    Ok(Value::Stream(stream))
}

fn nodes<S: Source>(source: &mut S, stream: &mut Stream) -> Result<(), Error> {
    let (mut key, mut bytes) = (Vec::new(), Vec::new());
    for _ in 0..source.length()? {
        source.string(&mut key)?;
        source.string(&mut bytes)?;
        let key = key.as_slice().try_into();
        let master_id = StreamId::from_be_bytes(key.map_err(|_| Error::Corrupt("a stream node's ID"))?);
        stream
            .push_raw_node(master_id, &bytes)
            .map_err(|_| Error::Corrupt("Stream listpack integrity check failed"))?;
    }
    Ok(())
}

fn id<S: Source>(source: &mut S) -> Result<StreamId, Error> {
    Ok(StreamId::new(source.length()?, source.length()?))
}

fn raw_id<S: Source>(source: &mut S) -> Result<StreamId, Error> {
    Ok(StreamId::from_be_bytes(source.bytes()?))
}

/// A moment that others are taken from: never before the epoch, so that the difference fits.
fn moment<S: Source>(source: &mut S) -> Result<i64, Error> {
    Ok(source.millis()?.max(0))
}

/// A number that will be counted on: with room above it.
fn counter<S: Source>(source: &mut S) -> Result<u64, Error> {
    Ok(source.length()?.min(i64::MAX as u64))
}

/// A pending entry, whose owner is told later.
struct Unowned {
    id: StreamId,
    delivery_time: i64,
    delivery_count: u64,
    owner: Option<ConsumerId>,
}

fn group<S: Source>(source: &mut S, stream: &mut Stream, generation: Generation) -> Result<(), Error> {
    let name = source.owned_string()?;
    let last_id = id(source)?;
    let entries_read = match generation {
        Generation::First => stream.entries_up_to(last_id),
        // Redis keeps a signed number, and -1 for "not known".
        Generation::Second | Generation::Third => Some(source.length()?).filter(|&read| read <= i64::MAX as u64),
    };
    if !stream.create_group(&name, last_id, entries_read) {
        return Err(Error::Corrupt("a stream has a group twice"));
    }
    let group = stream.group_mut(&name).ok_or(Error::Corrupt("stream group"))?;
    let mut pending = pending(source)?;
    for _ in 0..source.length()? {
        consumer(source, group, &mut pending, generation)?;
    }
    for entry in pending {
        let consumer = entry.owner.ok_or(Error::Corrupt("a pending entry of no consumer"))?;
        group.assign(
            entry.id,
            Pending {
                consumer,
                delivery_time: entry.delivery_time,
                delivery_count: entry.delivery_count,
            },
        );
    }
    Ok(())
}

fn pending<S: Source>(source: &mut S) -> Result<Vec<Unowned>, Error> {
    let mut pending: Vec<Unowned> = Vec::new();
    for _ in 0..source.length()? {
        let id = raw_id(source)?;
        if pending.last().is_some_and(|before| before.id >= id) {
            return Err(Error::Corrupt("pending entries are out of order"));
        }
        pending.push(Unowned {
            id,
            delivery_time: moment(source)?,
            delivery_count: counter(source)?,
            owner: None,
        });
    }
    Ok(pending)
}

fn consumer<S: Source>(
    source: &mut S,
    group: &mut Group,
    pending: &mut [Unowned],
    generation: Generation,
) -> Result<(), Error> {
    let name = source.owned_string()?;
    let seen_time = moment(source)?;
    let active_time = match generation {
        Generation::Third => Some(source.millis()?).filter(|&at| at >= 0),
        // The best guess there is.
        Generation::First | Generation::Second => Some(seen_time),
    };
    let consumer = group
        .add_consumer(&name, seen_time)
        .ok_or(Error::Corrupt("Duplicate stream consumer detected"))?;
    group.consumer_mut(consumer).active_time = active_time;
    for _ in 0..source.length()? {
        let id = raw_id(source)?;
        let place = pending.binary_search_by_key(&id, |entry| entry.id);
        let entry = place.ok().and_then(|place| pending.get_mut(place));
        match entry {
            Some(entry) if entry.owner.is_none() => entry.owner = Some(consumer),
            Some(_) => {
                return Err(Error::Corrupt(
                    "Stream consumer PEL entry already has a consumer assigned",
                ));
            }
            None => return Err(Error::Corrupt("an entry pending for a consumer and not for its group")),
        }
    }
    Ok(())
}
