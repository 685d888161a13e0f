//! Connections that are not clients': to a primary, to replicas, and those that migrations and snapshots go through.

use mio::Interest;
use mio::unix::SourceFd;

use super::{PIPE, READ, Reactor, Received};
use crate::config::compound::PrimaryAddress;
use crate::format::reason;
use crate::reactor::connection::Partial;
use crate::reactor::listener::Stream;
use crate::server::core::Effect;
use crate::server::migration::{ChannelId, Order};
use crate::server::session::SessionIndex;

/// Writes to one replica in one tick.
const FEEDS: usize = 16;

impl Reactor {
    pub(super) fn dial(&mut self, address: &PrimaryAddress) {
        let (host, source) = (
            address.host.to_string(),
            self.core.settings.bind_source_addr.to_string(),
        );
        let dialled = self.dialer.dial(&host, address.port, &source, self.poll.registry());
        if let Err(error) = dialled {
            self.core.primary_unreachable(&reason(&error));
        }
    }

    #[cold]
    pub(super) fn hear_of_dialling(&mut self) {
        self.channels.note_resolved();
        match self.dialer.outcome(self.poll.registry()) {
            None => {}
            Some(Ok(stream)) => self.greet_primary(stream),
            Some(Err(error)) => self.core.primary_unreachable(&reason(&error)),
        }
    }

    /// Goes on with a socket that is connected to the primary.
    fn greet_primary(&mut self, mut stream: Stream) {
        if self.core.settings.tls_replication {
            stream = match stream.secure(self.tls.as_ref()) {
                Ok(stream) => stream,
                Err(error) => return self.core.primary_unreachable(&reason(&error)),
            };
        }
        let addresses = stream.addresses();
        match self.admit(stream, &addresses) {
            Some(index) => self.core.primary_answered(index),
            None => self.core.primary_unreachable("the system has no room for it"),
        }
    }

    pub(super) fn obey(&mut self, id: ChannelId, order: Order) {
        let source = self.core.settings.bind_source_addr.to_string();
        let registry = self.poll.registry();
        self.channels.obey(id, order, &source, registry, &mut self.core);
    }

    /// Watches a pipe to a child. The system forgets it when it is closed.
    pub(super) fn watch(&mut self, descriptor: i32) {
        let registry = self.poll.registry();
        if let Err(error) = registry.register(&mut SourceFd(&descriptor), PIPE, Interest::READABLE) {
            crate::log::warning(&format!("Registering a pipe failed: {error}"));
        }
        self.core.pump_pipe();
    }

    /// Reads what the primary has sent into the arena at `used`; gives the bytes that stay there. Its requests are never
    /// read into buffers of their own, so that all bytes are seen in order.
    #[inline(never)]
    pub(super) fn read_primary(&mut self, index: usize, used: usize) -> usize {
        if self.core.must_not_read(SessionIndex(index)) {
            return 0;
        }
        let outcome = self.connections[index].read(&mut self.arena[used..used + READ]);
        let read = self.note_read(index, &outcome);
        self.core.stats.total_net_repl_input_bytes += read as u64;
        let taken = self.core.take_from_primary(&self.arena[used..used + read]);
        // Whatever the handshake ended with, the link may be another's by now.
        if taken == read || !self.core.replication.is_primary(SessionIndex(index)) {
            return 0;
        }
        taken + self.receive(index, used + taken..used + read)
    }

    /// Runs what the primary has sent while its snapshot was loaded.
    pub(super) fn go_on_with_stream(&mut self, index: usize, early: Vec<u8>) {
        let Some(connection) = self.connections.get_mut(index) else {
            return;
        };
        if !early.is_empty() {
            connection.partial = Some(Box::new(Partial {
                input: early,
                ..Partial::default()
            }));
            self.core.effects.push(Effect::Resume(SessionIndex(index)));
        }
        self.queue(index);
    }

    /// Runs what the primary has sent as a batch of its own, and counts it before anything else runs: whoever asks for
    /// the offset, or changes the role, must find data and offset at the same place. False if the input is not the primary's.
    #[inline(never)]
    pub(super) fn run_primary_stream(&mut self, at: usize) -> bool {
        let index = self.received[at].connection;
        if !self.core.replication.is_primary(SessionIndex(index)) {
            return false;
        }
        self.run_batch();
        self.parse(at);
        self.run_batch();
        self.settle(at);
        // Settled for this tick: nothing is left to forget.
        self.received[at] = Received::own(index);
        let partial = self.connections.get(index).and_then(|it| it.partial.as_ref());
        let left = partial.map_or(0, |partial| partial.input.len());
        self.core.primary_stream_ran(left);
        true
    }

    /// Writes to a replica what it has yet to take of its snapshot or the stream, some of it.
    pub(super) fn feed_replica(&mut self, index: usize) {
        let session = SessionIndex(index);
        if self.connections[index].is_feeding {
            return;
        }
        for _ in 0..FEEDS {
            let Some(bytes) = self.core.next_for_replica(session) else {
                crate::log::warning("Closing a replica whose snapshot or stream cannot be read any more.");
                return self.core.ask_close(session, true);
            };
            if bytes.is_empty() {
                return;
            }
            let (wanted, connection) = (bytes.len(), &mut self.connections[index]);
            match connection.write(bytes) {
                Ok(written) => {
                    self.core.stats.total_net_output_bytes += written as u64;
                    self.core.replica_took(session, written);
                    if written < wanted {
                        connection.is_feeding = true;
                        return;
                    }
                }
                Err(_) => return self.core.ask_close(session, true),
            }
        }
        self.core.mark_outgoing(session);
        self.busy = true;
    }
}
