//! Which commands clients may know of.
//!
//! The table lists commands whether or not anything runs them; what has no handler is, to clients, unknown: COMMAND
//! does not show it and calling it fails as for any misspelling. The dispatcher knows the handlers and says so once, at
//! start. So is what `rename-command` took away. Before that (in tests of the table alone) everything is visible.

use super::renamed::is_reachable;
use super::{COMMAND_COUNT, CommandId, CommandSpec, all, by_id};
use std::sync::OnceLock;

const WORDS: usize = COMMAND_COUNT.div_ceil(64);

/// A set of commands: one bit an id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandSet {
    bits: [u64; WORDS],
}

impl CommandSet {
    pub const EMPTY: CommandSet = CommandSet { bits: [0; WORDS] };

    /// O(1).
    pub fn insert(&mut self, id: CommandId) {
        self.bits[usize::from(id / 64)] |= 1 << (id % 64);
    }

    /// O(1).
    pub fn remove(&mut self, id: CommandId) {
        self.bits[usize::from(id / 64)] &= !(1 << (id % 64));
    }

    /// O(1).
    pub fn contains(&self, id: CommandId) -> bool {
        self.bits[usize::from(id / 64)] & 1 << (id % 64) != 0
    }

    /// How many commands the set has.
    pub fn len(&self) -> usize {
        self.bits.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|&word| word == 0)
    }

    /// The members in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &'static CommandSpec> {
        all().iter().filter(|spec| self.contains(spec.id))
    }
}

impl FromIterator<CommandId> for CommandSet {
    fn from_iter<I: IntoIterator<Item = CommandId>>(ids: I) -> CommandSet {
        let mut set = CommandSet::EMPTY;
        ids.into_iter().for_each(|id| set.insert(id));
        set
    }
}

static BUILT: OnceLock<CommandSet> = OnceLock::new();

/// Says which commands have a handler; a container is included with its first subcommand. What no name reaches by then
/// (see [`super::renamed`]) is left out. Later calls change nothing.
pub fn set_built(ids: impl IntoIterator<Item = CommandId>) {
    let with_container = |id| [Some(id), by_id(id).parent].into_iter().flatten();
    let ids = ids.into_iter().filter(|&id| is_reachable(by_id(id)));
    BUILT.get_or_init(|| ids.flat_map(with_container).collect());
}

/// Whether clients may know of the command.
pub fn is_visible(spec: &CommandSpec) -> bool {
    BUILT.get().is_none_or(|built| built.contains(spec.id))
}

/// The commands of a slice that clients may know of: `visible(top_level())`, `visible(spec.subcommands())`.
pub fn visible(specs: &'static [CommandSpec]) -> impl Iterator<Item = &'static CommandSpec> + Clone {
    specs.iter().filter(|spec| is_visible(spec))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_set_is_a_set() {
        let mut set: CommandSet = [0, 63, 64, 381].into_iter().collect();
        assert_eq!(set.len(), 4);
        assert!(set.contains(63) && set.contains(64) && !set.contains(65));
        assert_eq!(set.iter().map(|spec| spec.id).collect::<Vec<_>>(), [0, 63, 64, 381]);
        set.remove(64);
        set.remove(65);
        assert_eq!(set.len(), 3);
        assert!(!set.is_empty() && CommandSet::EMPTY.is_empty());
    }
}
