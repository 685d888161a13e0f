//! The end of the server: what it waits for and does before the process may go.
//!
//! A shutdown first waits until the replicas have everything, so that none of them lacks what was answered here:
//! writes are paused meanwhile, for `shutdown-timeout` seconds at most. Then comes what keeps the data: the append-only
//! file is written and synced, and a last snapshot saved where the settings or the options ask for one. If that fails
//! the server goes on, and who has said SHUTDOWN hears of it.

use super::append_only::State;
use super::blocking::Unblock;
use super::core::Core;
use super::pause::Holder;
use crate::config::compound::ShutdownOptions;
use crate::log;
use crate::timer::Millis;

/// What has come of a shutdown that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The process may end.
    Ready,
    /// Not before the replicas have everything, or their time is up.
    Waits,
    /// The server goes on.
    Failed,
}

/// A shutdown that goes on.
pub struct Shutdown {
    options: ShutdownOptions,
    /// Up to when replicas are waited for, on the monotonic clock; `None` while it is not begun, which DEBUG PAUSE-CRON
    /// keeps a signal from.
    until: Option<Millis>,
}

impl Core {
    /// Begins a shutdown, and ends it if there is nothing to wait for.
    pub fn begin_shutdown(&mut self, options: ShutdownOptions) -> Ending {
        if self.shutdown.as_ref().is_some_and(|shutdown| shutdown.until.is_some()) {
            return Ending::Waits;
        }
        log::warning("User requested shutdown...");
        let patience = i64::from(self.settings.shutdown_timeout) * 1000;
        let waits = !options.now && patience > 0 && !self.do_replicas_have_all();
        let until = match waits {
            true => self.monotonic.saturating_add(patience),
            false => self.monotonic,
        };
        self.shutdown = Some(Box::new(Shutdown {
            options,
            until: Some(until),
        }));
        if !waits {
            return self.finish_shutdown();
        }
        self.hold_writes(Holder::Shutdown);
        log::notice("Waiting for replicas before shutting down.");
        Ending::Waits
    }

    /// Keeps a shutdown for when rounds are no longer paused, and no script runs.
    pub fn hold_shutdown(&mut self, options: ShutdownOptions) {
        self.shutdown = Some(Box::new(Shutdown { options, until: None }));
    }

    /// Whether a shutdown goes on that need not wait any longer. O(replicas) while one does.
    pub fn is_shutdown_due(&self) -> bool {
        let Some(shutdown) = &self.shutdown else { return false };
        match shutdown.until {
            Some(until) => until <= self.monotonic || self.do_replicas_have_all(),
            None => !self.rounds_paused && !self.scripts.is_running(),
        }
    }

    /// How long the shutdown will wait at most, in ms, if one does.
    pub fn shutdown_in(&self) -> Option<i64> {
        let until = self.shutdown.as_ref()?.until?;
        Some(until.since(self.monotonic).max(0))
    }

    /// Does what must be done before the process ends. If that fails, everything is as before the shutdown.
    pub fn finish_shutdown(&mut self) -> Ending {
        let Some(options) = self.shutdown.as_ref().map(|shutdown| shutdown.options) else {
            return Ending::Failed;
        };
        self.tell_of_replicas();
        if self.save_everything(options) {
            return Ending::Ready;
        }
        log::warning("Errors trying to shut down the server. Check the logs for more information.");
        self.cancel_shutdown();
        Ending::Failed
    }

    /// SHUTDOWN ABORT: false if there is none.
    pub fn abort_shutdown(&mut self) -> bool {
        if self.shutdown.is_none() {
            return false;
        }
        self.cancel_shutdown();
        log::notice("Shutdown manually aborted.");
        true
    }

    /// Lets everybody go on. O(clients that wait).
    fn cancel_shutdown(&mut self) {
        self.shutdown = None;
        self.release_writes(Holder::Shutdown);
        for index in self.waiting.for_shutdown() {
            self.unblock(index, Unblock::ShutdownFailed);
        }
    }

    fn do_replicas_have_all(&self) -> bool {
        let offset = self.propagation.offset;
        self.replica_lines().iter().all(|replica| replica.acked >= offset)
    }

    fn tell_of_replicas(&self) {
        let (offset, replicas) = (self.propagation.offset, self.replica_lines());
        let mut lagging = 0;
        for replica in replicas.iter().filter(|replica| replica.acked < offset) {
            lagging += 1;
            log::warning(&format!(
                "Lagging replica {}:{} reported offset {} behind master, lag={}, state={}.",
                replica.ip,
                replica.port,
                offset - replica.acked,
                if replica.is_online { replica.lag } else { 0 },
                replica.state
            ));
        }
        if !replicas.is_empty() {
            log::notice(&format!(
                "{} of {} replicas are in sync when shutting down.",
                replicas.len() - lagging,
                replicas.len()
            ));
        }
    }

    /// Whether the data is kept as the settings and options want it.
    fn save_everything(&mut self, options: ShutdownOptions) -> bool {
        self.stop_snapshot();
        if self.append_only.rewriting.is_some() && self.append_only.state == State::Waiting {
            // The log has no base yet, and nothing of what was there before it was switched on.
            if !options.force {
                log::warning("Writing initial AOF, can't exit.");
                return false;
            }
            log::warning("Writing initial AOF. Exit anyway.");
        }
        self.stop_rewrite();
        self.finish_log();
        let wanted = options.save || !self.settings.save.0.is_empty() && !options.nosave;
        if !wanted || self.loading.is_some() {
            return true;
        }
        log::notice("Saving the final RDB snapshot before exiting.");
        if self.save().is_ok() {
            return true;
        }
        if options.force {
            log::warning("Error trying to save the DB, but exit all the same as it was asked for.");
            return true;
        }
        log::warning("Error trying to save the DB, can't exit.");
        false
    }
}

#[cfg(test)]
mod tests {
    use crate::server::core::Effect;
    use crate::server::testing::Server;

    const FAILED: &str = "-ERR Errors trying to SHUTDOWN. Check logs.|";

    /// A server with a replica that has everything so far, and the replica.
    fn with_replica() -> (Server, crate::server::SessionIndex) {
        let mut server = Server::start();
        let replica = server.connect();
        for line in ["REPLCONF listening-port 7000", "PSYNC ? -1"] {
            server.ask_as(replica, line);
        }
        assert_eq!(server.core.propagate(), Ok(()));
        server.core.look_at_child();
        acknowledge(&mut server, replica);
        (server, replica)
    }

    fn acknowledge(server: &mut Server, replica: crate::server::SessionIndex) {
        assert_eq!(server.core.propagate(), Ok(()));
        let line = format!("REPLCONF ACK {}", server.core.propagation.offset);
        server.ask_as(replica, &line);
    }

    fn ends(server: &Server) -> bool {
        server
            .core
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Shutdown))
    }

    #[test]
    fn a_shutdown_waits_until_the_replicas_have_everything() {
        let (mut server, replica) = with_replica();
        server.ask("SET a 1");
        let other = server.connect();
        assert_eq!(server.ask("SHUTDOWN NOSAVE"), "");
        assert_eq!(server.ask_as(other, "SHUTDOWN NOSAVE").as_deref(), Some(""));
        let writer = server.connect();
        let info = server.ask_as(writer, "INFO").expect("reads are not paused");
        assert!(info.contains("|shutdown_in_milliseconds:10000|"), "{info}");
        assert!(info.contains("|blocked_clients:2|"), "{info}");
        // All but the replica.
        assert!(info.contains("|connected_clients:3|"), "{info}");
        assert_eq!(server.ask_as(writer, "SET a 2"), None, "writes are");
        assert_eq!(server.ask_as(writer, "CLIENT UNBLOCK 1").as_deref(), Some(":0|"));
        assert!(!server.core.is_shutdown_due() && !ends(&server));
        acknowledge(&mut server, replica);
        assert!(server.core.is_shutdown_due());
    }

    #[test]
    fn a_shutdown_waits_no_longer_than_it_may() {
        let (mut server, _) = with_replica();
        server.ask("SET a 1");
        server.ask("CONFIG SET shutdown-timeout 3");
        assert_eq!(server.ask("SHUTDOWN NOSAVE"), "");
        assert!(!server.at(2999).core.is_shutdown_due());
        assert!(server.at(3000).core.is_shutdown_due());
        for options in ["NOSAVE NOW", "NOSAVE"] {
            let (mut server, _) = with_replica();
            server.ask("SET a 1");
            if options == "NOSAVE" {
                server.ask("CONFIG SET shutdown-timeout 0");
            }
            server.ask(&format!("SHUTDOWN {options}"));
            assert!(ends(&server), "{options}");
        }
    }

    #[test]
    fn an_aborted_shutdown_lets_everybody_go_on() {
        let (mut server, _) = with_replica();
        server.ask("SET a 1");
        assert_eq!(server.ask("SHUTDOWN"), "");
        let other = server.connect();
        assert_eq!(server.ask_as(other, "SET a 2"), None);
        // What a client has paused itself it may end, but not this.
        server.ask_as(other, "CLIENT UNPAUSE");
        let writer = server.connect();
        assert_eq!(server.ask_as(writer, "SET a 2"), None);
        let controller = server.connect();
        assert_eq!(server.ask_as(controller, "SHUTDOWN ABORT").as_deref(), Some("+OK|"));
        assert_eq!(server.ask_as(controller, "SET a 2").as_deref(), Some("+OK|"));
        assert_eq!(server.ask("PING"), format!("{FAILED}+PONG|"));
        assert!(!server.ask("INFO server").contains("shutdown_in_milliseconds"));
        assert_eq!(server.ask("SHUTDOWN ABORT"), "-ERR No shutdown in progress.|");
    }

    #[test]
    fn no_shutdown_leaves_a_log_without_its_first_base() {
        let mut server = Server::start();
        server.ask("SET a 1");
        server.ask("CONFIG SET appendonly yes");
        assert_eq!(server.ask("SHUTDOWN NOSAVE"), FAILED);
        assert_eq!(server.ask("SET a 2"), "+OK|");
        server.core.look_at_child();
        server.ask("SHUTDOWN NOSAVE");
        assert!(ends(&server));
    }
}
