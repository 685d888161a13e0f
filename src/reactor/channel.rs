//! Connections to other servers over which the core speaks on behalf of a client (MIGRATE).
//!
//! They are no sessions: nothing that comes over them is a request. The core knows a channel by a number and gives
//! [`Order`]s; what becomes of it is told to the core. A channel is looked after in the tick in which it was given an
//! order or an event told of it, and a bounded number of bytes goes each way.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::Arc;

use mio::{Registry, Token, Waker};

use super::dialer::Dialer;
use super::listener::Stream;
use crate::server::core::Core;
use crate::server::migration::{ChannelId, Order};
use crate::tls::Tls;

/// Bytes read or written at a time, and how often in one tick.
const PIECE: usize = 64 * 1024;
const PIECES: usize = 16;

/// How far a channel is.
enum Way {
    Dialling(Dialer),
    Open(Stream),
}

struct Channel {
    way: Way,
    /// What is still to be written, from `written` on.
    output: Vec<u8>,
    written: usize,
    /// Whether it is in the list of those to be looked after.
    is_due: bool,
}

/// What looking after a channel came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tended {
    /// An event will tell when there is more to do.
    Done,
    /// There is more to do already.
    Again,
    Lost,
}

pub struct Channels {
    open: BTreeMap<ChannelId, Channel>,
    due: Vec<ChannelId>,
    /// The token of the first channel; each has that of its number.
    first_token: usize,
    waker: Arc<Waker>,
}

impl Channels {
    pub fn new(first_token: usize, waker: Arc<Waker>) -> Self {
        Channels {
            open: BTreeMap::new(),
            due: Vec::new(),
            first_token,
            waker,
        }
    }

    /// Whether some have to be looked after at once.
    pub fn are_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Notes that an event told of a channel.
    pub fn note(&mut self, token: Token) {
        self.make_due(ChannelId(token.0 - self.first_token));
    }

    /// Notes that a name was found, for whoever looked for it.
    pub fn note_resolved(&mut self) {
        let dialling = |channel: &Channel| matches!(channel.way, Way::Dialling(_));
        let waiting: Vec<_> = self.open.iter().filter(|(_, channel)| dialling(channel)).collect();
        let waiting: Vec<_> = waiting.into_iter().map(|(id, _)| *id).collect();
        waiting.into_iter().for_each(|id| self.make_due(id));
    }

    fn make_due(&mut self, id: ChannelId) {
        if let Some(channel) = self.open.get_mut(&id)
            && !channel.is_due
        {
            channel.is_due = true;
            self.due.push(id);
        }
    }

    /// Does what the core wants. `source` is the local address that connections come from, if one is asked for.
    pub fn obey(&mut self, id: ChannelId, order: Order, source: &str, registry: &Registry, core: &mut Core) {
        match order {
            Order::Dial(host, port) => {
                let mut dialer = Dialer::new(Token(self.first_token + id.0), self.waker.clone());
                if let Err(error) = dialer.dial(&host, port, source, registry) {
                    return lost(id, &error, core);
                }
                let channel = Channel {
                    way: Way::Dialling(dialer),
                    output: Vec::new(),
                    written: 0,
                    is_due: false,
                };
                self.open.insert(id, channel);
            }
            Order::Send(bytes) => {
                if let Some(channel) = self.open.get_mut(&id) {
                    channel.output.drain(..channel.written);
                    channel.written = 0;
                    channel.output.extend_from_slice(&bytes);
                    self.make_due(id);
                }
            }
            Order::Close => {
                if let Some(channel) = self.open.remove(&id)
                    && let Way::Open(mut stream) = channel.way
                {
                    let _ = stream.deregister(registry);
                }
            }
        }
    }

    /// Looks after all that are due, once each.
    #[cold]
    pub fn tend(&mut self, registry: &Registry, tls: Option<&Tls>, core: &mut Core) {
        for id in std::mem::take(&mut self.due) {
            let Some(channel) = self.open.get_mut(&id) else {
                continue;
            };
            channel.is_due = false;
            let tended = channel.tend(id, Token(self.first_token + id.0), registry, tls, core);
            match tended {
                Ok(Tended::Done) => {}
                Ok(Tended::Again) => self.make_due(id),
                Ok(Tended::Lost) => core.channel_lost(id, false),
                Err(error) => lost(id, &error, core),
            }
        }
    }
}

fn lost(id: ChannelId, error: &io::Error, core: &mut Core) {
    let reason = crate::format::reason(error);
    crate::log::verbose(&format!("The connection to the target of a MIGRATE failed: {reason}"));
    // Names that are not found are no matter of sockets, and have no number of the system.
    core.channel_lost(id, error.raw_os_error().is_none());
}

impl Channel {
    fn tend(
        &mut self,
        id: ChannelId,
        token: Token,
        registry: &Registry,
        tls: Option<&Tls>,
        core: &mut Core,
    ) -> io::Result<Tended> {
        if let Way::Dialling(dialer) = &mut self.way {
            let Some(outcome) = dialer.outcome(registry) else {
                return Ok(Tended::Done);
            };
            let mut stream = outcome?;
            stream.tune(0);
            if core.settings.tls_cluster {
                stream = stream.secure(tls)?;
            }
            stream.register(registry, token)?;
            self.way = Way::Open(stream);
            core.channel_opened(id);
        }
        let written = self.write(id, core)?;
        let read = self.read(id, core)?;
        Ok(match (written, read) {
            (_, Tended::Lost) => Tended::Lost,
            (Tended::Done, Tended::Done) => Tended::Done,
            _ => Tended::Again,
        })
    }

    fn write(&mut self, id: ChannelId, core: &mut Core) -> io::Result<Tended> {
        let Way::Open(stream) = &mut self.way else {
            return Ok(Tended::Done);
        };
        if stream.owes() {
            stream.flush()?;
        }
        for _ in 0..PIECES {
            let rest = &self.output[self.written..];
            if rest.is_empty() {
                self.output = Vec::new();
                self.written = 0;
                return Ok(Tended::Done);
            }
            match stream.write(&rest[..rest.len().min(PIECE)]) {
                Ok(count) => {
                    self.written += count;
                    core.stats.total_net_output_bytes += count as u64;
                    core.channel_written(id, self.written == self.output.len());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Tended::Done),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Tended::Again)
    }

    fn read(&mut self, id: ChannelId, core: &mut Core) -> io::Result<Tended> {
        let Way::Open(stream) = &mut self.way else {
            return Ok(Tended::Done);
        };
        let mut buffer = [0; 4096];
        for _ in 0..PIECES {
            match stream.read(&mut buffer) {
                Ok(0) => return Ok(Tended::Lost),
                Ok(count) => {
                    core.stats.total_net_input_bytes += count as u64;
                    core.channel_heard(id, &buffer[..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Tended::Done),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Tended::Again)
    }
}
