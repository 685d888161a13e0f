//! The rows of the command table, one file a group, and the few words they are written in.
//!
//! A row is `cmd(name, arity, since, flags, ACL categories, docs)`, followed by its keys, its tips and its subcommands.
//! The arity counts the command name; a negative one is a minimum. Categories that flags imply are left out. Rows are
//! aligned by hand, which is why rustfmt passes them over.

use super::docs::Docs;
use super::flags::{AclCategories, AclCategory, Flag, Flags, Group};
use super::key_spec::{ArgRange, KeySpec};

#[rustfmt::skip] mod bitmap;
#[rustfmt::skip] mod cluster;
#[rustfmt::skip] mod connection;
#[rustfmt::skip] mod generic;
#[rustfmt::skip] mod geo;
#[rustfmt::skip] mod hash;
#[rustfmt::skip] mod hyperloglog;
#[rustfmt::skip] mod list;
#[rustfmt::skip] mod pubsub;
#[rustfmt::skip] mod scripting;
#[rustfmt::skip] mod server;
#[rustfmt::skip] mod set;
#[rustfmt::skip] mod sorted_set;
#[rustfmt::skip] mod stream;
#[rustfmt::skip] mod string;
#[rustfmt::skip] mod transactions;
#[rustfmt::skip] mod vector_set;

/// All rows. Command ids follow this order.
pub const GROUPS: &[(Group, &[Row])] = &[
    (Group::String, string::COMMANDS),
    (Group::Bitmap, bitmap::COMMANDS),
    (Group::List, list::COMMANDS),
    (Group::Set, set::COMMANDS),
    (Group::Hash, hash::COMMANDS),
    (Group::SortedSet, sorted_set::COMMANDS),
    (Group::Geo, geo::COMMANDS),
    (Group::HyperLogLog, hyperloglog::COMMANDS),
    (Group::Stream, stream::COMMANDS),
    (Group::VectorSet, vector_set::COMMANDS),
    (Group::Generic, generic::COMMANDS),
    (Group::PubSub, pubsub::COMMANDS),
    (Group::Transactions, transactions::COMMANDS),
    (Group::Scripting, scripting::COMMANDS),
    (Group::Connection, connection::COMMANDS),
    (Group::Server, server::COMMANDS),
    (Group::Cluster, cluster::COMMANDS),
];

/// A command as its file declares it, before it has an id.
#[derive(Clone, Copy)]
pub struct Row {
    /// In lower case; subcommands as `container|name`.
    pub name: &'static str,
    pub arity: i16,
    pub since: &'static str,
    pub flags: Flags,
    pub categories: AclCategories,
    pub docs: &'static Docs,
    pub keys: &'static [KeySpec],
    pub elements: ArgRange,
    pub tips: &'static [&'static str],
    pub subcommands: &'static [Row],
    pub is_valkeys: bool,
}

const fn cmd(
    name: &'static str,
    arity: i16,
    since: &'static str,
    flags: &[Flag],
    categories: &[AclCategory],
    docs: &'static Docs,
) -> Row {
    let flags = Flags::of(flags);
    let categories = AclCategories::of(categories).implied_by(flags);
    Row {
        name,
        arity,
        since,
        flags,
        categories,
        docs,
        keys: &[],
        elements: ArgRange::NONE,
        tips: &[],
        subcommands: &[],
        is_valkeys: false,
    }
}

impl Row {
    const fn keys(mut self, keys: &'static [KeySpec]) -> Row {
        self.keys = keys;
        self
    }

    const fn elements(mut self, elements: ArgRange) -> Row {
        self.elements = elements;
        self
    }

    const fn tips(mut self, tips: &'static [&'static str]) -> Row {
        self.tips = tips;
        self
    }

    /// Says that the command is Valkey's, and that `since` is a version of Valkey.
    const fn of_valkey(mut self) -> Row {
        self.is_valkeys = true;
        self
    }

    const fn subcommands(mut self, rows: &'static [Row]) -> Row {
        self.subcommands = rows;
        self
    }
}

/// Tips: what clients and proxies may assume about routing a command and joining its replies.
mod tips {
    pub const NONDETERMINISTIC_OUTPUT: &str = "nondeterministic_output";
    pub const NONDETERMINISTIC_OUTPUT_ORDER: &str = "nondeterministic_output_order";
    pub const REQUEST_POLICY_ALL_NODES: &str = "request_policy:all_nodes";
    pub const REQUEST_POLICY_ALL_SHARDS: &str = "request_policy:all_shards";
    pub const REQUEST_POLICY_MULTI_SHARD: &str = "request_policy:multi_shard";
    pub const REQUEST_POLICY_SPECIAL: &str = "request_policy:special";
    pub const RESPONSE_POLICY_AGG_LOGICAL_AND: &str = "response_policy:agg_logical_and";
    pub const RESPONSE_POLICY_AGG_MIN: &str = "response_policy:agg_min";
    pub const RESPONSE_POLICY_AGG_SUM: &str = "response_policy:agg_sum";
    pub const RESPONSE_POLICY_ALL_SUCCEEDED: &str = "response_policy:all_succeeded";
    pub const RESPONSE_POLICY_ONE_SUCCEEDED: &str = "response_policy:one_succeeded";
    pub const RESPONSE_POLICY_SPECIAL: &str = "response_policy:special";
}

/// What every file of rows imports. Only categories that no flag implies: the others share their names with flags.
mod prelude {
    pub(super) use super::tips::*;
    pub(super) use super::{Row, cmd};
    pub(super) use crate::commands::table::flags::AclCategory::{
        Admin as AdminCategory, Bitmap, Connection, Dangerous, Geo, Hash, HyperLogLog, Keyspace, List, Scripting, Set,
        SortedSet, Stream, String, Transaction,
    };
    pub(super) use crate::commands::table::flags::Flag::*;
    pub(super) use crate::commands::table::key_spec::*;
}
