//! Replication: copies of the data elsewhere, kept equal by the stream of changes.
//!
//! A server is a *primary* or a *replica* of one. Both number the bytes of one stream: the *replication offset* says how
//! many there were since the history began, and the history has a *replication ID*. Whoever has the same ID and offset has
//! the same data. A replica that was cut off so goes on where it was (*partial resync*) while the primary's backlog has
//! what it missed, and gets a snapshot first otherwise (*full resync*).
//!
//! - [`stream`] keeps the bytes, once for all replicas;
//! - [`primary`] serves replicas: handshake, snapshot, stream, acknowledgements;
//! - [`link`] is the other end: the connection to a primary, up to the point where its stream is run like a client's
//!   requests;
//! - [`failover`] lets a primary and a replica change places;
//! - [`roles`] changes between both, and says what a replica does not do by itself.
//!
//! A replica passes its primary's bytes on as they are, so that replicas of replicas share one history. What it changes
//! itself, if it is writable, goes to its own append-only file alone.

pub mod failover;
pub mod link;
pub mod primary;
pub(super) mod roles;
pub mod stream;
mod transfer;

use super::session::SessionIndex;
use crate::timer::Millis;
use failover::Failover;
use link::{Position, PrimaryLink};
use stream::Stream;
use transfer::Piped;

/// The end of the ID before the present one: whoever has its history up to there has ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerId {
    pub id: String,
    /// Offset up to which both histories are the same.
    pub until: u64,
}

/// What the server knows of replication.
#[derive(Default)]
pub struct Replication {
    /// 40 hexadecimal digits.
    pub id: String,
    pub former: Option<FormerId>,
    pub stream: Stream,
    /// Sessions of replicas, in the order in which they came.
    pub replicas: Vec<SessionIndex>,
    /// Since when there are none, while the stream is kept, on the monotonic clock.
    pub(super) alone_since: Millis,
    /// When replicas were last pinged.
    pub(super) pinged: Millis,
    /// Whether replicas have acknowledged something since those who wait for that were looked at.
    pub(super) has_new_acks: bool,
    /// Whether somebody waits for replicas to acknowledge, and they have not been asked yet.
    pub wants_acks: bool,
    /// A snapshot that goes to replicas as it is written.
    piped: Option<Piped>,
    /// The connection to the primary, while this server is a replica.
    pub link: Option<Box<PrimaryLink>>,
    /// A change of places with a replica, while it goes on.
    pub failover: Option<Box<Failover>>,
    /// The history of the data that the server was started with.
    restored: Option<Position>,
    /// The database in which the primary's stream is; kept while the link is down.
    pub(super) primary_database: u32,
}

impl Replication {
    #[inline]
    pub fn is_replica(&self) -> bool {
        self.link.is_some()
    }

    /// Whether this session is the connection to the primary.
    #[inline]
    pub fn is_primary(&self, index: SessionIndex) -> bool {
        self.link.as_ref().is_some_and(|link| link.session == Some(index))
    }

    /// Whether the copy is as new as the primary's data, a round trip aside.
    pub fn is_link_up(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.is_up())
    }
}
