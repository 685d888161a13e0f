//! The command table: every fact about every command, said once.
//!
//! Arity checks, ACL rules, key extraction, COMMAND and the dispatcher all read it, so that none of them can disagree
//! with another. The rows are written in [`specs`], with one line or two a command. Here they are laid out, while
//! compiling, into one flat array: top-level commands first, then all subcommands. The place in the array is the
//! command's id, small and dense; whatever others keep about commands (handlers, call counts, ACL bitmaps) is an array
//! with that index instead of another table of names.
//!
//! Nothing is built at start and nothing is locked: the table is read-only data of the program.

pub mod declared;
pub mod docs;
pub mod errors;
pub mod flags;
pub mod help;
pub mod key_spec;
pub mod keys;
mod lookup;
pub mod renamed;
mod specs;
mod visible;

use docs::Docs;
use flags::{AclCategories, AclCategory, Flag, Flags, Group};
use key_spec::{ArgRange, KeySpec};
use specs::{GROUPS, Row};

pub use lookup::lookup_own;
pub use renamed::lookup;
pub use visible::{CommandSet, is_visible, set_built, visible};

/// Index of a command or subcommand in the table: below [`COMMAND_COUNT`].
pub type CommandId = u16;

/// One command or subcommand.
#[derive(Clone, Debug)]
pub struct CommandSpec {
    pub id: CommandId,
    /// The container this is a subcommand of.
    pub parent: Option<CommandId>,
    /// In lower case; subcommands as `container|name`.
    pub name: &'static str,
    /// The number of arguments with the command name, or the least number, negated.
    pub arity: i16,
    pub flags: Flags,
    pub categories: AclCategories,
    /// The key positions as one range; for MovableKeys commands those that are fixed.
    pub legacy_range: ArgRange,
    /// The arguments that name elements of the collection at the first key: a hint of what to prefetch, as options may
    /// move them.
    pub elements: ArgRange,
    pub tips: &'static [&'static str],
    pub key_specs: &'static [KeySpec],
    /// The version of Redis that brought the command, or of Valkey.
    pub since: &'static str,
    /// Whether the command is Valkey's and none of Redis 8.0.
    pub is_valkeys: bool,
    pub group: Group,
    /// Whether it does nothing but read or write keys, at once: it changes nothing about its client or the server, waits for
    /// nothing and runs no other command.
    pub is_ordinary: bool,
    pub docs: &'static Docs,
    first_subcommand: CommandId,
    subcommand_count: u16,
}

impl CommandSpec {
    /// The name without that of the container.
    pub fn short_name(&self) -> &'static str {
        self.name.split_once('|').map_or(self.name, |(_, short)| short)
    }

    /// Whether the command only gathers subcommands.
    pub const fn is_container(&self) -> bool {
        self.subcommand_count > 0
    }

    /// The subcommands, by name. O(1).
    pub fn subcommands(&self) -> &'static [CommandSpec] {
        let first = usize::from(self.first_subcommand);
        &TABLE[first..first + usize::from(self.subcommand_count)]
    }

    /// The subcommand of this (short) name, whatever the case of its letters. O(subcommands), of which there are
    /// at most 28; names of another length cost one comparison of integers.
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static CommandSpec> {
        self.subcommands().iter().find(|sub| {
            let short = &sub.name.as_bytes()[self.name.len() + 1..];
            short.eq_ignore_ascii_case(name)
        })
    }

    /// Whether so many arguments, with the command name, are allowed.
    pub const fn accepts(&self, argc: usize) -> bool {
        let want = self.arity.unsigned_abs() as usize;
        if self.arity >= 0 { argc == want } else { argc >= want }
    }

    /// The key positions, when one range says it all: enough to prefetch keys without looking at arguments.
    /// None for commands without keys and for those whose other arguments move the keys about.
    pub const fn simple_keys(&self) -> Option<ArgRange> {
        if self.legacy_range.is_none() || self.flags.contains(Flag::MovableKeys) {
            return None;
        }
        Some(self.legacy_range)
    }
}

/// How many top-level commands there are; their ids come first.
pub const TOP_LEVEL_COUNT: usize = count(false);

/// How many commands and subcommands there are.
pub const COMMAND_COUNT: usize = count(true);

static TABLE: [CommandSpec; COMMAND_COUNT] = layout();

/// The command with this id.
///
/// # Panics
/// For numbers that are no id, which no spec carries.
pub fn by_id(id: CommandId) -> &'static CommandSpec {
    &TABLE[usize::from(id)]
}

/// Every command and subcommand, by id.
pub fn all() -> &'static [CommandSpec] {
    &TABLE
}

/// Every top-level command, by id.
pub fn top_level() -> &'static [CommandSpec] {
    &TABLE[..TOP_LEVEL_COUNT]
}

/// The command that clients call by this name, or the subcommand of a `container|name`; whatever the case of the letters.
pub fn lookup_full(name: &[u8]) -> Option<&'static CommandSpec> {
    full(name, lookup)
}

/// The command whose own name this is, or the subcommand of a `container|name`; whatever the case of the letters.
pub fn lookup_own_full(name: &[u8]) -> Option<&'static CommandSpec> {
    full(name, lookup_own)
}

fn full(name: &[u8], lookup: fn(&[u8]) -> Option<&'static CommandSpec>) -> Option<&'static CommandSpec> {
    match memchr::memchr(b'|', name) {
        Some(bar) => lookup(&name[..bar])?.subcommand(&name[bar + 1..]),
        None => lookup(name),
    }
}

const fn count(with_subcommands: bool) -> usize {
    let mut total = 0;
    let mut g = 0;
    while g < GROUPS.len() {
        let rows = GROUPS[g].1;
        total += rows.len();
        let mut r = 0;
        while with_subcommands && r < rows.len() {
            total += rows[r].subcommands.len();
            r += 1;
        }
        g += 1;
    }
    total
}

const fn layout() -> [CommandSpec; COMMAND_COUNT] {
    // Every place is overwritten below; an array must begin as something.
    let mut table = [const { spec_of(&GROUPS[0].1[0], 0, None, GROUPS[0].0, 0) }; COMMAND_COUNT];
    let mut id = 0;
    let mut next_subcommand = TOP_LEVEL_COUNT;
    let mut g = 0;
    while g < GROUPS.len() {
        let (group, rows) = GROUPS[g];
        let mut r = 0;
        while r < rows.len() {
            let row = &rows[r];
            table[id] = spec_of(row, id, None, group, next_subcommand);
            let mut s = 0;
            while s < row.subcommands.len() {
                let sub = &row.subcommands[s];
                table[next_subcommand] = spec_of(sub, next_subcommand, Some(id as CommandId), group, 0);
                next_subcommand += 1;
                s += 1;
            }
            id += 1;
            r += 1;
        }
        g += 1;
    }
    table
}

const fn spec_of(
    row: &Row,
    id: usize,
    parent: Option<CommandId>,
    group: Group,
    first_subcommand: usize,
) -> CommandSpec {
    CommandSpec {
        id: id as CommandId,
        parent,
        name: row.name,
        arity: row.arity,
        flags: row.flags,
        categories: row.categories,
        legacy_range: ArgRange::of(row.keys),
        elements: row.elements,
        tips: row.tips,
        key_specs: row.keys,
        since: row.since,
        is_valkeys: row.is_valkeys,
        group,
        is_ordinary: is_ordinary(row),
        docs: row.docs,
        first_subcommand: first_subcommand as CommandId,
        subcommand_count: row.subcommands.len() as u16,
    }
}

const fn is_ordinary(row: &Row) -> bool {
    const OTHERS: Flags = Flags::of(&[
        Flag::Admin,
        Flag::PubSub,
        Flag::NoScript,
        Flag::Blocking,
        Flag::SkipMonitor,
        Flag::NoMulti,
        Flag::MovableKeys,
    ]);
    let is_of_keys = row.flags.contains(Flag::ReadOnly) || row.flags.contains(Flag::Write);
    let is_grave = row.categories.contains(AclCategory::Dangerous);
    is_of_keys && !is_grave && row.flags.bits() & OTHERS.bits() == 0 && row.subcommands.is_empty()
}

#[cfg(test)]
mod tests;
