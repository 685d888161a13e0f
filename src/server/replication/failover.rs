//! FAILOVER: a primary and one of its replicas change places, and no write is lost unless it is forced.
//!
//! ```text
//! Waiting -> (the replica has everything) -> Handing -> (it has answered as primary) -> over
//! ```
//!
//! Writes are held back from the beginning to the end, so that there is an offset at which the replica has everything.
//! Then this server turns to it as to its primary, and asks for the stream with the word FAILOVER: the replica takes that
//! for the order to become one, if both have the same history. Whoever was held back goes on at the end, and hears
//! `-READONLY`. A failover that is given up in time leaves everything as it was.

use crate::config::Text;
use crate::config::compound::PrimaryAddress;
use crate::log;
use crate::server::core::Core;
use crate::server::pause::Holder;
use crate::timer::Millis;

/// What FAILOVER asks for.
#[derive(Default)]
pub struct Request {
    /// The replica that is to be the primary; any, if none is named.
    pub target: Option<PrimaryAddress>,
    /// How long to wait for it, in ms.
    pub timeout: Option<i64>,
    /// Whether it takes over at the end of that time whatever it has.
    pub is_forced: bool,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Handing,
}

/// A failover that goes on.
pub struct Failover {
    stage: Stage,
    target: Option<PrimaryAddress>,
    /// Up to when the replica is waited for, on the monotonic clock.
    until: Option<Millis>,
    is_forced: bool,
}

impl Failover {
    /// Redis's word for how far it has come, as INFO gives it.
    pub fn word(&self) -> &'static str {
        match self.stage {
            Stage::Waiting => "waiting-for-sync",
            Stage::Handing => "failover-in-progress",
        }
    }

    pub fn until(&self) -> Option<Millis> {
        self.until
    }

    /// How the log names who is to take over.
    fn name(&self) -> String {
        match &self.target {
            Some(PrimaryAddress { host, port }) => format!("{host}:{port}"),
            None => "any replica".to_owned(),
        }
    }
}

impl Core {
    /// FAILOVER.
    ///
    /// # Errors
    /// Why it cannot begin, as the client is to hear it.
    pub fn begin_failover(&mut self, request: Request) -> Result<(), &'static str> {
        if self.replication.failover.is_some() {
            return Err("ERR FAILOVER already in progress.");
        }
        if self.replication.is_replica() {
            return Err("ERR FAILOVER is not valid when server is a replica.");
        }
        if self.replication.replicas.is_empty() {
            return Err("ERR FAILOVER requires connected replicas.");
        }
        if request.is_forced && (request.target.is_none() || request.timeout.is_none()) {
            return Err("ERR FAILOVER with force option requires both a timeout and target HOST and IP.");
        }
        if let Some(target) = &request.target {
            let found = self.replica_lines().into_iter().find(|line| line.is_at(target));
            let found = found.ok_or("ERR FAILOVER target HOST and PORT is not a replica.")?;
            if !found.is_online {
                return Err("ERR FAILOVER target replica is not online.");
            }
        }
        let failover = Failover {
            stage: Stage::Waiting,
            until: request.timeout.map(|timeout| self.monotonic.saturating_add(timeout)),
            target: request.target,
            is_forced: request.is_forced,
        };
        log::notice(&format!("FAILOVER requested to {}.", failover.name()));
        self.replication.failover = Some(Box::new(failover));
        self.hold_writes(Holder::Failover);
        // Otherwise a replica says only once a second what it has.
        self.replication.wants_acks = true;
        Ok(())
    }

    /// FAILOVER ABORT: false if there is none.
    pub fn abort_failover(&mut self) -> bool {
        let is_on = self.replication.failover.is_some();
        self.give_failover_up("Failover manually aborted");
        is_on
    }

    fn give_failover_up(&mut self, why: &str) {
        let Some(failover) = self.replication.failover.take() else {
            return;
        };
        log::notice(&format!("FAILOVER to {} aborted: {why}", failover.name()));
        if failover.stage == Stage::Handing {
            self.become_primary();
        }
        self.release_writes(Holder::Failover);
    }

    /// Hands over once a replica has everything, or gives up when it has not in time. To be called once a tick. O(replicas)
    /// while a failover waits, O(1) otherwise.
    pub fn tend_failover(&mut self) {
        let Some(failover) = self.replication.failover.as_deref() else {
            return;
        };
        if failover.stage == Stage::Handing {
            return;
        }
        let offset = self.propagation.offset;
        let is_wanted = |line: &super::primary::ReplicaLine| match &failover.target {
            Some(target) => line.is_at(target),
            None => true,
        };
        let mut lines = self.replica_lines().into_iter();
        let ready = lines.find(|line| line.is_online && line.acked == offset && is_wanted(line));
        let is_late = failover.until.is_some_and(|until| until <= self.monotonic);
        let (name, is_forced) = (failover.name(), failover.is_forced);
        if let Some(ready) = ready {
            let target = PrimaryAddress {
                host: Text::from(ready.ip.as_bytes()),
                port: ready.port,
            };
            log::notice(&format!(
                "Failover target {}:{} is synced, failing over.",
                target.host, target.port
            ));
            self.hand_over(target);
        } else if is_late && is_forced {
            log::notice(&format!("FAILOVER to {name} time out exceeded, failing over."));
            if let Some(target) = failover.target.clone() {
                self.hand_over(target);
            }
        } else if is_late {
            self.give_failover_up("Replica never caught up before timeout");
        }
    }

    /// Turns to the replica as to a primary.
    fn hand_over(&mut self, target: PrimaryAddress) {
        if let Some(failover) = &mut self.replication.failover {
            failover.stage = Stage::Handing;
            failover.until = None;
            failover.target = Some(target.clone());
        }
        self.replicate(target);
    }

    /// Whether the next PSYNC is the order to become the primary.
    pub(super) fn is_handing_over(&self) -> bool {
        let failover = self.replication.failover.as_ref();
        failover.is_some_and(|failover| failover.stage == Stage::Handing)
    }

    /// The replica has answered as this server's primary, or as somebody who will not be.
    pub(super) fn failover_answered(&mut self, is_accepted: bool) {
        if !self.is_handing_over() {
            return;
        }
        if !is_accepted {
            return self.give_failover_up("Failover target rejected psync request");
        }
        self.replication.failover = None;
        self.release_writes(Holder::Failover);
    }

    /// PSYNC id offset FAILOVER: the primary wants this server in its place.
    ///
    /// # Errors
    /// Why not, as the other is to hear it.
    pub fn replace_primary(&mut self, id: &[u8], client: &str) -> Result<(), &'static str> {
        log::warning(&format!(
            "Failover request received for replid {}.",
            String::from_utf8_lossy(id)
        ));
        if !self.replication.is_replica() {
            return Err("ERR PSYNC FAILOVER can't be sent to a master.");
        }
        if id != self.replication.id.as_bytes() {
            return Err("ERR PSYNC FAILOVER replid must match my replid.");
        }
        self.become_primary();
        log::notice(&format!("MASTER MODE enabled (failover request from '{client}')"));
        Ok(())
    }
}
