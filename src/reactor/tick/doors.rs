//! How connections come to be: listeners, whom they let in, and where they listen once the settings have changed.

use std::io;

use mio::Token;

use super::{FIRST_CONNECTION, FIRST_LISTENER, Reactor};
use crate::format::reason;
use crate::reactor::connection::Connection;
use crate::reactor::listener::{Listener, Stream};
use crate::reactor::process::{apply_settings, load_tls, open_listeners};
use crate::server::session::SessionIndex;

/// Connections accepted from one listener in one tick.
const ACCEPTS: usize = 256;

impl Reactor {
    #[inline(never)]
    pub(super) fn accept(&mut self, at: usize) {
        for _ in 0..ACCEPTS {
            match self.listeners[at].accept() {
                Ok((stream, addresses)) => self.open(stream, &addresses),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // Out of descriptors, most likely: the listener is asked again when the next tick comes.
                    crate::log::warning(&format!("Accepting client connection: {}", reason(&error)));
                    return;
                }
            }
        }
        self.accept_again.push(at);
    }

    fn open(&mut self, mut stream: Stream, addresses: &str) {
        if let Some(refusal) = self.refusal(&stream) {
            // The peer may not read it; it is told as far as one write goes.
            let _ = io::Write::write(&mut stream, refusal.as_bytes());
            self.core.stats.rejected_connections += 1;
            return;
        }
        self.admit(stream, addresses);
    }

    /// What a new client is told instead of being served.
    fn refusal(&self, stream: &Stream) -> Option<&'static str> {
        let settings = &self.core.settings;
        if self.core.session_count() >= settings.maxclients as usize {
            return Some("-ERR max number of clients reached\r\n");
        }
        if settings.protected_mode && self.core.acl.default_user().needs_no_password && !stream.is_local() {
            return Some(
                "-DENIED Aeolus is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. To allow others, set a password, or turn protected mode off with CONFIG SET protected-mode no from this machine.\r\n",
            );
        }
        None
    }

    /// Makes a socket a session's. `None` if the system refuses.
    pub(super) fn admit(&mut self, mut stream: Stream, addresses: &str) -> Option<SessionIndex> {
        stream.tune(self.core.settings.tcp_keepalive as u64);
        let entry = self.connections.vacant_entry();
        let index = entry.key();
        if let Err(error) = stream.register(self.poll.registry(), Token(FIRST_CONNECTION + index)) {
            crate::log::warning(&format!("Registering a client's socket failed: {error}"));
            return None;
        }
        let session = self.core.open(SessionIndex(index));
        session.addresses = addresses.into();
        session.unix_socket = stream.is_unix();
        session.fd = stream.fd();
        entry.insert(Connection::new(stream));
        // Registered after the first bytes may have come: an edge could be missed, so it is read once unasked.
        self.queue(index);
        Some(SessionIndex(index))
    }

    pub(super) fn reconfigure(&mut self, names: &[&'static str]) {
        apply_settings(&self.core.settings, names);
        if names.iter().any(|name| name.starts_with("tls-")) {
            self.reload_tls();
        }
        if names
            .iter()
            .any(|name| matches!(*name, "port" | "tls-port" | "bind" | "tcp-backlog"))
        {
            self.rebind();
        }
    }

    /// Reads certificates and keys anew, for connections that are opened from now on.
    fn reload_tls(&mut self) {
        match load_tls(&self.core.settings) {
            Ok(tls) => self.tls = tls,
            Err(error) => crate::log::warning(&error),
        }
        for listener in &mut self.listeners {
            if let (Listener::Tls(_, old), Some(new)) = (listener, &self.tls) {
                *old = new.clone();
            }
        }
    }

    /// Listens where the settings now say. On the same port the old sockets close first, or the addresses that stay
    /// would be taken; on another the new ones open first, and if that fails the old ones stay.
    fn rebind(&mut self) {
        let wanted = [self.core.settings.port, self.core.settings.tls_port];
        let is_wanted = |listener: &Listener| listener.port().is_some_and(|port| wanted.contains(&port));
        if self.listeners.iter().any(is_wanted) {
            self.close_listeners();
        }
        match open_listeners(&self.core.settings, self.tls.as_ref()) {
            Ok(mut listeners) => {
                self.close_listeners();
                for (at, listener) in listeners.iter_mut().enumerate() {
                    if let Err(error) = listener.register(self.poll.registry(), Token(FIRST_LISTENER + at)) {
                        crate::log::warning(&format!("Registering a listening socket failed: {error}"));
                    }
                }
                self.listeners = listeners;
            }
            Err(error) => crate::log::warning(&error.0),
        }
    }

    pub(super) fn close_listeners(&mut self) {
        self.accept_again.clear();
        for mut listener in self.listeners.drain(..) {
            // Closing takes it out of the poll as well.
            let _ = listener.deregister(self.poll.registry());
        }
    }
}
