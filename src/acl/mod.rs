//! Access control lists: users, what each of them may do, and what was refused.
//!
//! Every connection is some user's. It begins as the one called `default`, which may do everything and needs no password
//! until somebody says otherwise, and AUTH makes it another's. A user is changed by rules, words such as `+@read` or
//! `~cache:*` ([`rule`]), which are followed in their order; they say what commands, keys and channels its selectors
//! ([`selector`]) have.
//!
//! Connections keep their user's id and not a copy of its rights, so that a change holds from the next request on. Who is
//! removed is closed. Where no user is restricted, which is the usual case, nothing is looked up: [`Acl::restricts`] says
//! so, and the dispatcher asks it first.

pub mod file;
pub mod log;
pub mod rule;
pub mod selector;
pub mod user;

use std::collections::BTreeMap;
use std::rc::Rc;

use log::Log;
use rule::RuleError;
use selector::Denied;
pub use user::User;

use crate::commands::table::CommandSpec;

/// Number of a user, used again only when that user is gone and all its clients are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserId(u32);

impl UserId {
    /// No user's, ever: that of a client whose user is gone.
    pub const NOBODY: UserId = UserId(u32::MAX);
}

/// Whose a connection is. The name is there to be shown; what the user may do now is asked by its id.
#[derive(Clone, Debug)]
pub struct Identity {
    pub id: UserId,
    pub name: Rc<[u8]>,
}

/// The name of the user that clients begin as.
pub const DEFAULT_NAME: &[u8] = b"default";

/// A word that is no rule for this user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRule {
    pub word: Vec<u8>,
    pub error: RuleError,
}

pub struct Acl {
    /// By id. The default user is the first and always there.
    users: Vec<Option<User>>,
    /// Places among them that are free again.
    free: Vec<UserId>,
    ids: BTreeMap<Rc<[u8]>, UserId>,
    pub log: Log,
    /// How many users are refused something.
    restricted: usize,
    asks_password: bool,
}

impl Default for Acl {
    fn default() -> Self {
        let mut acl = Acl {
            users: Vec::new(),
            free: Vec::new(),
            ids: BTreeMap::new(),
            log: Log::default(),
            restricted: 0,
            asks_password: false,
        };
        acl.put(default_user());
        acl
    }
}

/// The default user as it is without any rules: it may do everything, and anybody may be it.
fn default_user() -> User {
    let mut user = User::new(DEFAULT_NAME, false);
    for word in [&b"on"[..], b"nopass", b"~*", b"&*", b"+@all"] {
        let known = user.apply(word, false);
        debug_assert_eq!(known, Ok(()));
    }
    user
}

impl Acl {
    pub const DEFAULT: UserId = UserId(0);

    /// Whether some user is refused something. O(1).
    #[inline]
    pub fn restricts(&self) -> bool {
        self.restricted > 0
    }

    /// Whether a client has to say who it is before it may do anything. O(1).
    #[inline]
    pub fn asks_password(&self) -> bool {
        self.asks_password
    }

    /// O(log users).
    pub fn find(&self, name: &[u8]) -> Option<UserId> {
        self.ids.get(name).copied()
    }

    /// None once the user is removed. O(1).
    pub fn get(&self, id: UserId) -> Option<&User> {
        self.users.get(id.0 as usize)?.as_ref()
    }

    pub fn default_user(&self) -> &User {
        self.get(Acl::DEFAULT).expect("the default user is never removed")
    }

    /// All users, by name.
    pub fn iter(&self) -> impl Iterator<Item = &User> {
        self.ids.values().filter_map(|&id| self.get(id))
    }

    /// Whose a connection is at first.
    pub fn beginner(&self) -> Identity {
        Identity {
            id: Acl::DEFAULT,
            name: Rc::clone(&self.default_user().name),
        }
    }

    /// The user that this is the name and a password of.
    pub fn authenticate(&self, name: &[u8], password: &[u8]) -> Option<Identity> {
        let id = self.find(name)?;
        let user = self.get(id)?;
        user.accepts(password).then(|| Identity {
            id,
            name: Rc::clone(&user.name),
        })
    }

    /// Whether a user may run a command with these arguments, of which the first is its name.
    pub fn check(&self, id: UserId, spec: &CommandSpec, args: &[&[u8]]) -> Result<(), Denied> {
        self.get(id).ok_or(Denied::Command)?.check(spec, args)
    }

    /// The user of this name after some rules: changed, or new. Nothing is changed yet, see [`Acl::put`].
    ///
    /// # Errors
    /// The first word that is no rule for it.
    pub fn draft<'w>(
        &self,
        name: &[u8],
        words: impl IntoIterator<Item = &'w [u8]>,
        all_channels: bool,
    ) -> Result<User, BadRule> {
        let known = self.find(name).and_then(|id| self.get(id)).cloned();
        let mut user = known.unwrap_or_else(|| User::new(name, all_channels));
        for word in words {
            let followed = user.apply(word, all_channels);
            followed.map_err(|error| BadRule {
                word: word.to_vec(),
                error,
            })?;
        }
        Ok(user)
    }

    /// Lets a user be as drafted. O(log users).
    pub fn put(&mut self, user: User) -> UserId {
        let id = self.find(&user.name).unwrap_or_else(|| self.free_id());
        self.ids.insert(user.name.clone(), id);
        self.place(id, Some(user));
        id
    }

    fn free_id(&mut self) -> UserId {
        self.free.pop().unwrap_or_else(|| {
            self.users.push(None);
            UserId(self.users.len() as u32 - 1)
        })
    }

    /// Puts a user in the place of the one that was there, and counts who is restricted.
    fn place(&mut self, id: UserId, user: Option<User>) {
        let is_restricted = |user: &Option<User>| user.as_ref().is_some_and(|user| !user.is_unrestricted());
        self.restricted += usize::from(is_restricted(&user));
        let before = std::mem::replace(&mut self.users[id.0 as usize], user);
        self.restricted -= usize::from(is_restricted(&before));
        let default = self.users[0].as_ref();
        self.asks_password = default.is_some_and(|user| !user.needs_no_password || !user.is_enabled);
    }

    /// Removes a user. Its clients must be closed before another takes its id.
    ///
    /// # Panics
    /// If it is the default user, without which no client could begin.
    pub fn remove(&mut self, name: &[u8]) -> Option<UserId> {
        assert!(name != DEFAULT_NAME, "the default user stays");
        let id = self.ids.remove(name)?;
        self.place(id, None);
        self.free.push(id);
        Some(id)
    }

    /// What the setting `requirepass` says: the default user's one password, or none if it is empty.
    pub fn set_default_password(&mut self, password: &[u8]) {
        let mut user = self.default_user().clone();
        let word = match password {
            [] => b"nopass".to_vec(),
            password => [b">", password].concat(),
        };
        for word in [&b"resetpass"[..], &word] {
            let known = user.apply(word, false);
            debug_assert_eq!(known, Ok(()));
        }
        self.put(user);
    }
}

/// Whether a user may be called this: names stand between spaces.
pub fn is_name(name: &[u8]) -> bool {
    !name
        .iter()
        .any(|&byte| crate::config::quoting::is_space(byte) || byte == 0)
}

/// Words with those joined to one that stand together in parentheses: `(+get`, `~a)` are `(+get ~a)`.
///
/// # Errors
/// The word with the parenthesis that is not closed.
pub fn join_parentheses(words: &[&[u8]]) -> Result<Vec<Vec<u8>>, Vec<u8>> {
    let mut joined = Vec::new();
    let mut open: Option<(usize, Vec<u8>)> = None;
    for (at, word) in words.iter().enumerate() {
        match open.take() {
            None if word.starts_with(b"(") && !word.ends_with(b")") => open = Some((at, word.to_vec())),
            None => joined.push(word.to_vec()),
            Some((start, mut whole)) => {
                whole.push(b' ');
                whole.extend_from_slice(word);
                match word.ends_with(b")") {
                    true => joined.push(whole),
                    false => open = Some((start, whole)),
                }
            }
        }
    }
    match open {
        Some((start, _)) => Err(words[start].to_vec()),
        None => Ok(joined),
    }
}

#[cfg(test)]
mod tests;
