//! A client as the core knows it: who it is, what it has chosen, what it is owed. Sockets are the reactor's business.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::blocking::Waiting;
use super::pubsub::Topic;
use super::replication::primary::Replica;
use super::tracking::Tracker;
use super::transaction::Transaction;
use crate::acl::{Identity, UserId};
use crate::commands::table::CommandSpec;
use crate::resp::reply::{Protocol, Reply};
use crate::timer::Millis;

/// A client's number, never used twice while the server runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// Where the session stands in the core's table and its connection in the reactor's: the same small number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionIndex(pub usize);

/// CLIENT REPLY's three states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyMode {
    #[default]
    On,
    Off,
    /// No reply to the next command, then on again.
    SkipNext,
    /// No reply to the present command.
    Skip,
}

/// Which commands a client would rather have the primary run. It learns where that is from the error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redirects {
    #[default]
    Nothing,
    /// CLIENT CAPA REDIRECT.
    All,
    /// The same client has said READONLY.
    Writes,
}

/// Why a session's commands wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// CLIENT PAUSE: the command has not run and will be tried again.
    Paused,
    /// A blocking command found nothing and waits for its keys.
    Waiting,
    /// The script that it has called has not ended in its slice, see [`super::scripts`].
    Running,
}

/// What a name in a set of subscriptions costs besides its bytes: the pointer with its length, and a node's share.
const NAME_OVERHEAD: usize = 24;

/// What a client is subscribed to. Behind a pointer: most clients never subscribe.
#[derive(Debug, Default)]
pub struct Subscriptions {
    pub channels: BTreeSet<Box<[u8]>>,
    pub patterns: BTreeSet<Box<[u8]>>,
    /// Shard channels, which live apart from the others.
    pub shard_channels: BTreeSet<Box<[u8]>>,
    /// Bytes of all the names.
    pub name_bytes: usize,
}

impl Subscriptions {
    pub fn of(&self, topic: Topic) -> &BTreeSet<Box<[u8]>> {
        match topic {
            Topic::Channel => &self.channels,
            Topic::Pattern => &self.patterns,
            Topic::ShardChannel => &self.shard_channels,
        }
    }

    pub fn of_mut(&mut self, topic: Topic) -> &mut BTreeSet<Box<[u8]>> {
        match topic {
            Topic::Channel => &mut self.channels,
            Topic::Pattern => &mut self.patterns,
            Topic::ShardChannel => &mut self.shard_channels,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shard_channels.is_empty()
    }

    /// Bytes of the names and of the sets they stand in.
    pub fn memory(&self) -> usize {
        let names = self.channels.len() + self.patterns.len() + self.shard_channels.len();
        size_of::<Self>() + names * NAME_OVERHEAD + self.name_bytes
    }
}

/// Names a client gave itself or its library.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub name: Box<[u8]>,
    pub lib_name: Box<[u8]>,
    pub lib_version: Box<[u8]>,
}

/// From this many bytes on a reply buffer is set aside, and the output limits are looked at, in the middle of a tick.
pub const REPLY_BLOCK: usize = 256 * 1024;
/// Replies of fewer bytes are not held against a client in the tick that makes them, whatever its limits.
pub const SHORT_REPLY: usize = 16 * 1024;

pub struct Session {
    pub id: ClientId,
    pub index: SessionIndex,
    /// The selected database.
    pub database: u32,
    pub protocol: Protocol,
    /// Whose it is. Nobody's are the sessions of this server's own, which may do everything.
    pub user: Option<Identity>,
    /// Whether the user's password was given, if the default user needs one.
    pub authenticated: bool,
    pub unix_socket: bool,
    pub reply_mode: ReplyMode,
    /// Exempt from eviction of clients.
    pub no_evict: bool,
    /// Reads of this client leave the access clocks alone.
    pub no_touch: bool,
    /// What it is sent away with where this server is a replica.
    pub redirects: Redirects,
    /// Copies another server's data here and sees keys that have expired (CLIENT IMPORT-SOURCE).
    pub imports: bool,
    /// Sees every command (MONITOR).
    pub monitor: bool,
    /// Whether it is the connection to this server's primary.
    pub is_primary: bool,
    /// To be closed once its replies are written.
    pub closing: bool,
    /// To be closed at once, replies or not.
    pub doomed: bool,
    /// Whether the session stands in the core's list of those with something to write.
    pub has_output: bool,
    pub blocked: Option<Blocked>,
    /// What it waits for, see [`super::blocking`].
    pub waiting: Option<Box<Waiting>>,
    pub transaction: Option<Box<Transaction>>,
    pub tracking: Option<Box<Tracker>>,
    pub subscriptions: Option<Box<Subscriptions>>,
    /// What is known of it as a replica.
    pub replica: Option<Box<Replica>>,
    pub names: Option<Box<Names>>,
    /// Peer and own address, as `ip:port` or `path:0`, joined by a space.
    pub addresses: Box<str>,
    pub fd: i32,
    pub created: Millis,
    pub last_interaction: Millis,
    /// Asked for last, whether or not it was refused; `None` if there is no such command.
    pub last_command: Option<&'static CommandSpec>,
    /// How many commands the transaction has that EXEC runs.
    pub executing: Option<usize>,
    /// Where among all records the last of what this client has caused ends.
    pub write_offset: u64,
    /// Replies not yet handed to the socket.
    pub reply: Reply,
    /// Replies before that one, in blocks of [`REPLY_BLOCK`] bytes or more: a buffer that grew for ever would be copied
    /// again and again.
    pub blocks: Vec<Vec<u8>>,
    /// Bytes the socket has not taken yet, behind which the reply waits.
    pub backlog_bytes: usize,
    /// Bytes this client sent that are not arguments of a command yet, or belong to the request that runs.
    pub input_len: usize,
    /// Bytes of buffers that hold input for this client.
    pub input_bytes: usize,
    /// What it is counted as under `maxmemory-clients`.
    pub weight: usize,
    /// Since when the soft output limit is exceeded.
    pub soft_limit_since: Option<Millis>,
}

impl Session {
    pub fn new(id: ClientId, index: SessionIndex, now: Millis) -> Self {
        Session {
            id,
            index,
            database: 0,
            protocol: Protocol::Resp2,
            user: None,
            authenticated: false,
            unix_socket: false,
            reply_mode: ReplyMode::On,
            no_evict: false,
            no_touch: false,
            redirects: Redirects::Nothing,
            imports: false,
            monitor: false,
            is_primary: false,
            closing: false,
            doomed: false,
            has_output: false,
            blocked: None,
            waiting: None,
            transaction: None,
            tracking: None,
            subscriptions: None,
            replica: None,
            names: None,
            addresses: "".into(),
            fd: -1,
            created: now,
            last_interaction: now,
            last_command: None,
            executing: None,
            write_offset: 0,
            reply: Reply::default(),
            blocks: Vec::new(),
            backlog_bytes: 0,
            input_len: 0,
            input_bytes: 0,
            weight: 0,
            soft_limit_since: None,
        }
    }

    pub fn peer(&self) -> &str {
        self.addresses.split(' ').next().unwrap_or("")
    }

    pub fn own_address(&self) -> &str {
        self.addresses.split(' ').nth(1).unwrap_or("")
    }

    pub fn name(&self) -> &[u8] {
        self.names.as_ref().map_or(b"", |names| &names.name)
    }

    pub fn names_mut(&mut self) -> &mut Names {
        self.names.get_or_insert_default()
    }

    /// Subscriptions counted with those of `topic`: channels and patterns together, shard channels apart.
    pub fn subscription_count(&self, topic: Topic) -> usize {
        let Some(subscriptions) = &self.subscriptions else {
            return 0;
        };
        match topic {
            Topic::Channel | Topic::Pattern => subscriptions.channels.len() + subscriptions.patterns.len(),
            Topic::ShardChannel => subscriptions.shard_channels.len(),
        }
    }

    pub fn is_subscriber(&self) -> bool {
        self.subscriptions.is_some()
    }

    /// Whether MULTI was said, and neither EXEC nor DISCARD yet.
    pub fn is_queueing(&self) -> bool {
        self.transaction
            .as_ref()
            .is_some_and(|transaction| transaction.is_open())
    }

    /// Whether WATCH was said, and nothing yet that ends it.
    pub fn is_watching(&self) -> bool {
        self.transaction
            .as_ref()
            .is_some_and(|transaction| transaction.is_watching())
    }

    pub fn is_user(&self, id: UserId) -> bool {
        self.user.as_ref().is_some_and(|user| user.id == id)
    }

    /// Whether the session's next command may run now.
    pub fn is_runnable(&self) -> bool {
        self.blocked.is_none() && !self.closing && !self.doomed
    }

    /// The address that the client comes from, without its port; none if it has come over a Unix socket.
    pub fn ip(&self) -> Option<&str> {
        let (host, _) = self.peer().rsplit_once(':').filter(|_| !self.unix_socket)?;
        Some(host.trim_matches(['[', ']']))
    }

    /// Whether the client runs on this machine.
    pub fn is_local(&self) -> bool {
        let is_loopback = |host: &str| host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
        self.unix_socket || self.ip().is_some_and(is_loopback)
    }

    /// Bytes owed to the client.
    pub fn output_bytes(&self) -> usize {
        self.backlog_bytes + self.reply.bytes.len() + self.blocks.iter().map(Vec::len).sum::<usize>()
    }

    /// Bytes the client costs, its buffers included.
    pub fn memory(&self) -> usize {
        let own = crate::memory::size_class(size_of::<Session>()) + self.addresses.len();
        let subscriptions = self
            .subscriptions
            .as_ref()
            .map_or(0, |subscriptions| subscriptions.memory());
        let transaction = self.transaction.as_ref().map_or(0, |transaction| transaction.memory());
        let tracking = self.tracking.as_ref().map_or(0, |tracker| tracker.memory());
        let blocks: usize = self.blocks.iter().map(Vec::capacity).sum();
        let state = subscriptions + transaction + tracking;
        own + state + self.input_bytes + self.reply.bytes.capacity() + blocks + self.backlog_bytes
    }

    /// What `RESET` undoes.
    pub fn reset(&mut self) {
        self.database = 0;
        self.protocol = Protocol::Resp2;
        // Skipping the reply to RESET itself was asked for before it.
        if self.reply_mode != ReplyMode::Skip {
            self.reply_mode = ReplyMode::On;
        }
        self.no_evict = false;
        self.no_touch = false;
        self.imports = false;
        // What it is capable of it still is.
        if self.redirects == Redirects::Writes {
            self.redirects = Redirects::All;
        }
        if let Some(names) = &mut self.names {
            names.name = Box::default();
        }
    }
}
