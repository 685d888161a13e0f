//! Which function runs which command. The table of facts is next door; this is the one list that ties the two.

use std::sync::LazyLock;

use super::table::{self, COMMAND_COUNT, CommandSpec};
use super::{
    acl, bitfields, bitmaps, blocking_lists, client, cluster, command_log, config, connection, debug, dump,
    field_expiry, functions, geo, hash_random, hashes, hyperloglogs, introspect, keys, latency, lcs, list_edits,
    list_moves, lists, lolwut, memory, migrate, modules, object, pubsub, replication, saving, scan, scan_values,
    scripts, server, set_algebra, sets, sort, sorted_sets, streams, strings, tracking, transactions, ttl, vectors,
    waiting,
};
use crate::resp::request::Args;
use crate::server::{Context, Outcome};

/// A command's code. Writes its reply, or says why it failed.
pub type Handler = fn(&mut Context<'_>, Args<'_>) -> Outcome;

/// The handlers by command id.
pub struct Handlers {
    by_id: [Option<Handler>; COMMAND_COUNT],
}

/// A family's commands: full names (`client|list`) and their code.
pub type Family = &'static [(&'static str, Handler)];

const FAMILIES: &[Family] = &[
    acl::COMMANDS,
    bitfields::COMMANDS,
    bitmaps::COMMANDS,
    blocking_lists::COMMANDS,
    client::COMMANDS,
    cluster::COMMANDS,
    command_log::COMMANDS,
    config::COMMANDS,
    connection::COMMANDS,
    debug::COMMANDS,
    dump::COMMANDS,
    field_expiry::COMMANDS,
    functions::COMMANDS,
    geo::COMMANDS,
    hash_random::COMMANDS,
    hashes::COMMANDS,
    hyperloglogs::COMMANDS,
    introspect::COMMANDS,
    keys::COMMANDS,
    latency::COMMANDS,
    lcs::COMMANDS,
    list_edits::COMMANDS,
    list_moves::COMMANDS,
    lists::COMMANDS,
    lolwut::COMMANDS,
    memory::COMMANDS,
    migrate::COMMANDS,
    modules::COMMANDS,
    object::COMMANDS,
    pubsub::COMMANDS,
    saving::COMMANDS,
    scan::COMMANDS,
    scan_values::COMMANDS,
    scripts::COMMANDS,
    server::COMMANDS,
    set_algebra::COMMANDS,
    sets::COMMANDS,
    sort::COMMANDS,
    sorted_sets::COMMANDS,
    streams::COMMANDS,
    strings::COMMANDS,
    tracking::COMMANDS,
    transactions::COMMANDS,
    ttl::COMMANDS,
    vectors::COMMANDS,
    replication::COMMANDS,
    waiting::COMMANDS,
];

impl Handlers {
    /// The handlers, gathered once a process.
    ///
    /// # Panics
    /// If a family names a command the table does not have: a mistake of ours that any start shows.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Handlers> = LazyLock::new(Handlers::gather);
        &SHARED
    }

    /// Tells the command table which commands exist. Not part of [`Handlers::shared`], since that would be known to
    /// the whole process, and tests of the table count on all.
    pub fn announce(&self) {
        let built = |id: &u16| self.by_id[usize::from(*id)].is_some();
        table::set_built((0..COMMAND_COUNT as u16).filter(built));
    }

    fn gather() -> Self {
        let mut by_id = [None; COMMAND_COUNT];
        for (name, handler) in FAMILIES.iter().copied().flatten() {
            let spec = table::lookup_own_full(name.as_bytes()).unwrap_or_else(|| panic!("no command is called {name}"));
            by_id[usize::from(spec.id)] = Some(*handler);
        }
        Handlers { by_id }
    }

    #[inline]
    pub fn get(&self, spec: &CommandSpec) -> Option<Handler> {
        self.by_id[usize::from(spec.id)]
    }
}
