//! Names that `rename-command` gave to commands, or took from them.
//!
//! Said once, before anything is served; nearly always nothing is, so that a lookup then costs one load and a branch that
//! is never taken. To clients a command keeps its own name in everything it tells of itself (COMMAND, INFO, errors): only
//! what it is called by changes. Whoever reads a log of requests has to find commands by either name, since the server
//! writes some records by itself and others as a client called them.

use std::cmp::Ordering;
use std::sync::OnceLock;

use super::lookup::lookup_own;
use super::{CommandSet, CommandSpec};

/// What commands are called by, where it differs from the table.
#[derive(Debug, Default)]
pub struct Renames {
    /// Commands that their own names do not reach any more.
    moved: CommandSet,
    /// The new names in lower case, sorted.
    names: Vec<(Box<[u8]>, &'static CommandSpec)>,
}

/// Why a command cannot be renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenameError {
    NoSuchCommand,
    NameTaken,
}

impl RenameError {
    /// Redis's words for it.
    pub fn text(self) -> &'static str {
        match self {
            RenameError::NoSuchCommand => "No such command in rename-command",
            RenameError::NameTaken => "Target command name already exists",
        }
    }
}

impl Renames {
    /// Calls the command `name` by `new_name`, or by nothing if that is empty. `name` is what it is called by so far, so
    /// a command may be renamed twice. O(renames).
    ///
    /// # Errors
    /// If nothing is called `name`, or something else is called `new_name`.
    pub fn rename(&mut self, name: &[u8], new_name: &[u8]) -> Result<(), RenameError> {
        let spec = self.lookup(name).ok_or(RenameError::NoSuchCommand)?;
        match self.place(name) {
            Ok(at) => drop(self.names.remove(at)),
            Err(_) => self.moved.insert(spec.id),
        }
        if new_name.is_empty() {
            return Ok(());
        }
        if self.lookup(new_name).is_some() {
            return Err(RenameError::NameTaken);
        }
        let at = self.place(new_name).unwrap_or_else(|at| at);
        self.names.insert(at, (new_name.to_ascii_lowercase().into(), spec));
        Ok(())
    }

    /// The command that is called `name`. O(log renames).
    fn lookup(&self, name: &[u8]) -> Option<&'static CommandSpec> {
        match self.place(name) {
            Ok(at) => Some(self.names[at].1),
            Err(_) => lookup_own(name).filter(|spec| !self.moved.contains(spec.id)),
        }
    }

    /// Where `name` is among the new names, or would have to be.
    fn place(&self, name: &[u8]) -> Result<usize, usize> {
        self.names.binary_search_by(|(known, _)| compare(known, name))
    }

    /// The commands that nothing is called by any more.
    fn unreachable(&self) -> CommandSet {
        let mut gone = self.moved;
        self.names.iter().for_each(|(_, spec)| gone.remove(spec.id));
        gone
    }
}

/// A name in lower case against one in any.
fn compare(known: &[u8], name: &[u8]) -> Ordering {
    known.iter().copied().cmp(name.iter().map(u8::to_ascii_lowercase))
}

static RENAMES: OnceLock<Renames> = OnceLock::new();

/// Makes these the names of commands for the whole process. Later calls change nothing.
pub fn set_renames(renames: Renames) {
    RENAMES.get_or_init(|| renames);
}

/// The top-level command that clients call by this name, whatever the case of its letters. O(1) while none is renamed,
/// no allocation.
#[inline]
pub fn lookup(name: &[u8]) -> Option<&'static CommandSpec> {
    match RENAMES.get() {
        None => lookup_own(name),
        Some(renames) => lookup_renamed(renames, name),
    }
}

#[cold]
fn lookup_renamed(renames: &Renames, name: &[u8]) -> Option<&'static CommandSpec> {
    renames.lookup(name)
}

/// Whether some name reaches the command, or for a subcommand its container. O(renames), or O(1) while there are none.
pub fn is_reachable(spec: &CommandSpec) -> bool {
    let Some(renames) = RENAMES.get() else {
        return true;
    };
    !renames.unreachable().contains(spec.parent.unwrap_or(spec.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::table::{by_id, top_level};

    fn called(renames: &Renames, name: &str) -> Option<&'static str> {
        renames.lookup(name.as_bytes()).map(|spec| spec.name)
    }

    #[test]
    fn a_new_name_takes_the_place_of_the_old() {
        let mut renames = Renames::default();
        renames.rename(b"GET", b"Fetch").expect("GET is a command");
        assert_eq!(called(&renames, "get"), None);
        assert_eq!(called(&renames, "FETCH"), Some("get"));
        assert_eq!(called(&renames, "fetc"), None);
        assert_eq!(called(&renames, "set"), Some("set"));
        // A name that is free may be had, also an old one, and names may go round.
        renames.rename(b"set", b"get").expect("GET is free");
        renames.rename(b"fetch", b"set").expect("SET is free");
        assert_eq!(
            (called(&renames, "get"), called(&renames, "SET")),
            (Some("set"), Some("get"))
        );
        assert_eq!(called(&renames, "fetch"), None);
        assert!(renames.unreachable().is_empty());
        renames.rename(b"set", b"").expect("it is GET's name");
        assert_eq!(called(&renames, "set"), None);
        let gone: Vec<_> = renames.unreachable().iter().map(|spec| spec.name).collect();
        assert_eq!(gone, ["get"]);
    }

    #[test]
    fn what_cannot_be_renamed_is_told() {
        let mut renames = Renames::default();
        let mut rename = |name: &str, new: &str| {
            renames
                .rename(name.as_bytes(), new.as_bytes())
                .map_err(RenameError::text)
        };
        assert_eq!(rename("nosuch", "x"), Err("No such command in rename-command"));
        assert_eq!(rename("config|get", "x"), Err("No such command in rename-command"));
        assert_eq!(rename("get", "SET"), Err("Target command name already exists"));
        assert_eq!(rename("mget", "MGET"), Ok(()));
        assert_eq!(rename("del", ""), Ok(()));
        assert_eq!(rename("del", "x"), Err("No such command in rename-command"));
    }

    #[test]
    fn every_command_can_be_renamed() {
        let mut renames = Renames::default();
        let new_name = |spec: &CommandSpec| format!("my-{}", spec.name).into_bytes();
        for spec in top_level() {
            renames.rename(spec.name.as_bytes(), &new_name(spec)).expect(spec.name);
        }
        for spec in top_level() {
            assert!(renames.lookup(spec.name.as_bytes()).is_none());
            let found = renames.lookup(&new_name(spec)).map(|found| by_id(found.id).name);
            assert_eq!(found, Some(spec.name));
        }
    }
}
