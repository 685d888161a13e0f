//! Reading streams: nodes as they stand in memory, what the stream remembers, and its groups.

use super::Trust;
use super::elements::NODE_WEIGHT;
use crate::persistence::rdb::{Error, Source, Value};
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

/// A stream that is being read.
pub struct StreamReader {
    stream: Box<Stream>,
    generation: Generation,
    trust: Trust,
    stage: Stage,
    /// Buffers of the node that is read.
    key: Vec<u8>,
    node: Vec<u8>,
}

/// What comes next, and of how many.
enum Stage {
    Nodes(u64),
    /// Groups, the next of which begins here.
    Groups(u64),
    /// Amid a group, with so many behind it.
    Group(Box<GroupReader>, u64),
}

struct GroupReader {
    name: Vec<u8>,
    pending: Vec<Unowned>,
    stage: GroupStage,
}

enum GroupStage {
    Pending(u64),
    Consumers(u64),
    /// Entries that are pending for a consumer, and how many consumers are behind it.
    Entries {
        consumer: ConsumerId,
        entries: u64,
        consumers: u64,
    },
    /// All have been read; what is pending goes to its owners.
    Assign(std::vec::IntoIter<Unowned>),
}

/// A pending entry, whose owner is told later.
struct Unowned {
    id: StreamId,
    delivery_time: i64,
    delivery_count: u64,
    owner: Option<ConsumerId>,
}

impl StreamReader {
    pub fn begin<S: Source>(source: &mut S, generation: Generation, trust: Trust) -> Result<Self, Error> {
        Ok(StreamReader {
            stream: Box::new(Stream::new()),
            generation,
            trust,
            stage: Stage::Nodes(source.length()?),
            key: Vec::new(),
            node: Vec::new(),
        })
    }

    /// Reads about `most` elements more, of which nodes weigh [`NODE_WEIGHT`]; true once all has been read.
    pub fn read<S: Source>(&mut self, source: &mut S, most: u64) -> Result<bool, Error> {
        let mut read = 0;
        while read < most {
            match &mut self.stage {
                Stage::Nodes(0) => {
                    self.facts(source)?;
                    self.stage = Stage::Groups(source.length()?);
                }
                Stage::Nodes(left) => {
                    *left -= 1;
                    self.node(source)?;
                    read += NODE_WEIGHT - 1;
                }
                Stage::Groups(0) => return Ok(true),
                Stage::Groups(left) => {
                    let behind = *left - 1;
                    let group = Box::new(self.begin_group(source)?);
                    self.stage = Stage::Group(group, behind);
                }
                Stage::Group(reader, behind) => {
                    let group = self
                        .stream
                        .group_mut(&reader.name)
                        .ok_or(Error::Corrupt("stream group"))?;
                    if reader.step(source, group, self.generation)? {
                        self.stage = Stage::Groups(*behind);
                    }
                }
            }
            read += 1;
        }
        Ok(false)
    }

    pub fn finish(self) -> Value {
        Value::Stream(self.stream)
    }

    fn node<S: Source>(&mut self, source: &mut S) -> Result<(), Error> {
        source.string(&mut self.key)?;
        source.string(&mut self.node)?;
        let key = self.key.as_slice().try_into();
        let master_id = StreamId::from_be_bytes(key.map_err(|_| Error::Corrupt("a stream node's ID"))?);
        let pushed = match self.trust {
            Trust::Nothing => self.stream.push_raw_node(master_id, &self.node),
            Trust::StreamNodes => self.stream.push_trusted_node(master_id, &self.node),
        };
        pushed.map_err(|_| Error::Corrupt("Stream listpack integrity check failed"))
    }

    /// What stands between the nodes and the groups.
    fn facts<S: Source>(&mut self, source: &mut S) -> Result<(), Error> {
        let stream = &mut self.stream;
        if source.length()? != stream.len() {
            return Err(Error::Corrupt("a stream counts other entries than it has"));
        }
        let top = stream.last_id;
        stream.last_id = id(source)?;
        if stream.last_id < top {
            return Err(Error::Corrupt("a stream's last ID is not its last"));
        }
        if self.generation >= Generation::Second {
            // The first ID, which the nodes tell too.
            id(source)?;
            stream.max_deleted_id = id(source)?;
            stream.entries_added = counter(source)?;
        } else {
            stream.entries_added = stream.len();
        }
        Ok(())
    }

    fn begin_group<S: Source>(&mut self, source: &mut S) -> Result<GroupReader, Error> {
        let name = source.owned_string()?;
        let last_id = id(source)?;
        let entries_read = match self.generation {
            Generation::First => self.stream.entries_up_to(last_id),
            // Redis keeps a signed number, and -1 for "not known".
            Generation::Second | Generation::Third => Some(source.length()?).filter(|&read| read <= i64::MAX as u64),
        };
        if !self.stream.create_group(&name, last_id, entries_read) {
            return Err(Error::Corrupt("a stream has a group twice"));
        }
        Ok(GroupReader {
            name,
            pending: Vec::new(),
            stage: GroupStage::Pending(source.length()?),
        })
    }
}

impl GroupReader {
    /// Reads the next thing; true once there is none left.
    fn step<S: Source>(&mut self, source: &mut S, group: &mut Group, generation: Generation) -> Result<bool, Error> {
        match &mut self.stage {
            GroupStage::Pending(0) => self.stage = GroupStage::Consumers(source.length()?),
            GroupStage::Pending(left) => {
                *left -= 1;
                self.pending_entry(source)?;
            }
            GroupStage::Consumers(0) => {
                let pending = std::mem::take(&mut self.pending);
                self.stage = GroupStage::Assign(pending.into_iter());
            }
            GroupStage::Consumers(left) => {
                let consumers = *left - 1;
                self.stage = GroupStage::Entries {
                    consumer: consumer(source, group, generation)?,
                    entries: source.length()?,
                    consumers,
                };
            }
            GroupStage::Entries {
                entries: 0, consumers, ..
            } => self.stage = GroupStage::Consumers(*consumers),
            GroupStage::Entries { consumer, entries, .. } => {
                *entries -= 1;
                let (consumer, id) = (*consumer, raw_id(source)?);
                self.own(id, consumer)?;
            }
            GroupStage::Assign(pending) => {
                let Some(entry) = pending.next() else {
                    return Ok(true);
                };
                let consumer = entry.owner.ok_or(Error::Corrupt("a pending entry of no consumer"))?;
                let pending = Pending {
                    consumer,
                    delivery_time: entry.delivery_time,
                    delivery_count: entry.delivery_count,
                };
                group.assign(entry.id, pending);
            }
        }
        Ok(false)
    }

    fn pending_entry<S: Source>(&mut self, source: &mut S) -> Result<(), Error> {
        let id = raw_id(source)?;
        if self.pending.last().is_some_and(|before| before.id >= id) {
            return Err(Error::Corrupt("pending entries are out of order"));
        }
        self.pending.push(Unowned {
            id,
            delivery_time: moment(source)?,
            delivery_count: counter(source)?,
            owner: None,
        });
        Ok(())
    }

    fn own(&mut self, id: StreamId, consumer: ConsumerId) -> Result<(), Error> {
        let place = self.pending.binary_search_by_key(&id, |entry| entry.id);
        let entry = place.ok().and_then(|place| self.pending.get_mut(place));
        match entry {
            Some(entry) if entry.owner.is_none() => entry.owner = Some(consumer),
            Some(_) => {
                return Err(Error::Corrupt(
                    "Stream consumer PEL entry already has a consumer assigned",
                ));
            }
            None => return Err(Error::Corrupt("an entry pending for a consumer and not for its group")),
        }
        Ok(())
    }
}

fn consumer<S: Source>(source: &mut S, group: &mut Group, generation: Generation) -> Result<ConsumerId, Error> {
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
    Ok(consumer)
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
