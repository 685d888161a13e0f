//! `maxmemory-clients`: what all clients weigh together, and which of them go when it is too much.
//!
//! While there is a limit, every session that was read from or written to is weighed again at the end of the tick, and
//! the sum is kept; without one nothing is counted. Only what a client holds by itself counts: input that has not
//! become a command yet, replies it has not read, its subscriptions, its transaction and the prefixes it tracks. The heaviest go first, as many as it takes.

use super::core::Core;
use super::session::SessionIndex;

impl Core {
    /// Takes the limit over from the settings and weighs everybody. O(clients).
    pub fn apply_client_limit(&mut self) {
        let settings = &self.settings;
        self.client_limit = settings.maxmemory_clients.bytes(settings.maxmemory) as usize;
        let weighing = self.client_limit > 0;
        let mut sum = 0;
        for session in self.sessions_mut() {
            session.weight = if weighing && !session.doomed {
                session.memory()
            } else {
                0
            };
            sum += session.weight;
        }
        self.clients_weight = sum;
    }

    /// Whether clients are to be weighed when they were read from or written to.
    #[inline]
    pub fn weighs_clients(&self) -> bool {
        self.client_limit > 0
    }

    /// Weighs one session again, if it is still there.
    pub fn weigh(&mut self, index: SessionIndex) {
        let Some(session) = self.find_session(index) else {
            return;
        };
        let before = session.weight;
        let now = if session.doomed { 0 } else { session.memory() };
        session.weight = now;
        self.clients_weight = self.clients_weight - before + now;
    }

    /// Weighs all that have replies to be sent, and lets the heaviest go if it is too much.
    pub(super) fn weigh_outgoing(&mut self) {
        let outgoing = std::mem::take(&mut self.outgoing);
        for &index in &outgoing {
            self.weigh(index);
        }
        self.evict_clients();
        // That a client goes may have been told to others.
        let joined = std::mem::replace(&mut self.outgoing, outgoing);
        self.outgoing.extend(joined);
    }

    /// Closes the heaviest clients until the rest is within the limit. Clients with CLIENT NO-EVICT stay, but count.
    /// O(1) below the limit, else O(clients log clients).
    pub fn evict_clients(&mut self) {
        if self.client_limit == 0 || self.clients_weight <= self.client_limit {
            return;
        }
        let mut evictable: Vec<(usize, SessionIndex)> = self
            .sessions()
            .filter(|session| !session.no_evict && !session.doomed)
            .map(|session| (session.weight, session.index))
            .collect();
        evictable.sort_unstable_by_key(|&(weight, _)| weight);
        let now = self.moment.now;
        while self.clients_weight > self.client_limit
            && let Some((_, index)) = evictable.pop()
        {
            let line = super::client_line::client_line(self.session(index), now);
            crate::log::notice(&format!("Evicting client: {line}"));
            self.stats.evicted_clients += 1;
            self.ask_close(index, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::server::SessionIndex;
    use crate::server::testing::Server;

    /// A server with clients that hold so many bytes of input each; the first client holds none.
    fn server_with(sizes: &[usize]) -> (Server, Vec<SessionIndex>) {
        let mut server = Server::start();
        let clients: Vec<_> = sizes
            .iter()
            .map(|&size| {
                let index = server.connect();
                server.core.session(index).input_bytes = size;
                index
            })
            .collect();
        (server, clients)
    }

    fn is_gone(server: &mut Server, index: SessionIndex) -> bool {
        server.core.session(index).doomed
    }

    #[test]
    fn the_heaviest_clients_go_until_the_rest_fits() {
        let (mut server, clients) = server_with(&[100_000, 900_000, 500_000]);
        server.ask("CONFIG SET maxmemory-clients 700000");
        server.core.evict_clients();
        let gone: Vec<bool> = clients.iter().map(|&index| is_gone(&mut server, index)).collect();
        assert_eq!(gone, [false, true, false]);
        assert_eq!(server.core.stats.evicted_clients, 1);
        server.core.close(clients[1]);
        // Nothing more happens until somebody grows.
        server.core.evict_clients();
        assert_eq!(server.core.stats.evicted_clients, 1);
        server.core.session(clients[0]).input_bytes = 600_000;
        server.core.weigh(clients[0]);
        server.core.evict_clients();
        assert!(is_gone(&mut server, clients[0]));
        assert!(!is_gone(&mut server, clients[2]));
    }

    #[test]
    fn who_may_not_be_evicted_counts_all_the_same() {
        let (mut server, clients) = server_with(&[900_000, 100_000]);
        server.core.session(clients[0]).no_evict = true;
        server.core.session(SessionIndex(0)).no_evict = true;
        server.ask("CONFIG SET maxmemory-clients 500000");
        server.core.evict_clients();
        assert!(!is_gone(&mut server, clients[0]));
        assert!(is_gone(&mut server, clients[1]));
        // Nobody is left to go: that is borne.
        server.core.evict_clients();
        assert_eq!(server.core.stats.evicted_clients, 1);
    }

    #[test]
    fn a_share_of_maxmemory_follows_it() {
        let (mut server, clients) = server_with(&[900_000]);
        server.core.session(SessionIndex(0)).no_evict = true;
        server.ask("CONFIG SET maxmemory-clients 1%");
        server.core.evict_clients();
        assert!(!is_gone(&mut server, clients[0]), "one percent of no limit is no limit");
        server.ask("CONFIG SET maxmemory 100mb");
        server.core.evict_clients();
        assert!(!is_gone(&mut server, clients[0]));
        server.ask("CONFIG SET maxmemory 80mb");
        server.core.evict_clients();
        assert!(is_gone(&mut server, clients[0]));
    }

    #[test]
    fn nobody_goes_for_a_client_that_is_being_closed() {
        let (mut server, clients) = server_with(&[900_000, 400_000]);
        server.ask("CONFIG SET maxmemory-clients 500000");
        server.core.ask_close(clients[0], true);
        server.core.weigh(clients[0]);
        server.core.evict_clients();
        assert_eq!(server.core.stats.evicted_clients, 0);
    }

    #[test]
    fn transactions_weigh() {
        let mut server = Server::start();
        let memory = |server: &mut Server| server.core.session(SessionIndex(0)).memory();
        let before = memory(&mut server);
        server.ask(&format!("WATCH {}", "k".repeat(1000)));
        let watching = memory(&mut server);
        assert!(watching > before + 2000, "{before} {watching}");
        server.ask("MULTI");
        server.ask(&format!("SET k {}", "v".repeat(5000)));
        assert!(memory(&mut server) > watching + 5000);
        server.ask("DISCARD");
        assert_eq!(memory(&mut server), before);
    }

    #[test]
    fn tracked_prefixes_weigh() {
        let mut server = Server::start();
        let memory = |server: &mut Server| server.core.session(SessionIndex(0)).memory();
        let before = memory(&mut server);
        for prefix in ["a".repeat(500), "b".repeat(500)] {
            server.ask(&format!("CLIENT TRACKING ON BCAST PREFIX {prefix}"));
        }
        assert!(memory(&mut server) > before + 2000);
        server.ask("CLIENT TRACKING OFF");
        assert_eq!(memory(&mut server), before);
    }

    #[test]
    fn subscriptions_weigh() {
        let mut server = Server::start();
        let before = server.core.session(SessionIndex(0)).memory();
        let name = "n".repeat(1000);
        server.ask(&format!("SUBSCRIBE {name}"));
        let with = server.core.session(SessionIndex(0)).memory();
        assert!(with > before + 1000, "{before} {with}");
        server.ask(&format!("UNSUBSCRIBE {name}"));
        assert_eq!(server.core.session(SessionIndex(0)).memory(), before);
    }
}
