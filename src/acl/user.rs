//! A user: who may be one, and what they may do.

use std::rc::Rc;

use super::rule::{PasswordHash, Rule, RuleError};
use super::selector::{Denied, Selector};
use crate::commands::table::CommandSpec;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: Rc<[u8]>,
    pub is_enabled: bool,
    /// Any password will do.
    pub needs_no_password: bool,
    pub passwords: Vec<PasswordHash>,
    /// Whether the values that the user restores are checked to their ends where `sanitize-dump-payload` is `clients`
    /// (`sanitize-payload`, `skip-sanitize-payload`).
    pub sanitizes_payload: bool,
    pub root: Selector,
    pub selectors: Vec<Selector>,
}

impl User {
    /// A user who may do nothing yet, and has no password to say so.
    pub fn new(name: &[u8], all_channels: bool) -> User {
        User {
            name: name.into(),
            is_enabled: false,
            needs_no_password: false,
            passwords: Vec::new(),
            sanitizes_payload: true,
            root: Selector::closed(all_channels),
            selectors: Vec::new(),
        }
    }

    /// Follows the rule in a word.
    ///
    /// # Errors
    /// If it is none, or contradicts those before. The user is as before.
    pub fn apply(&mut self, word: &[u8], all_channels: bool) -> Result<(), RuleError> {
        match Rule::parse(word)? {
            Some(rule) => self.follow(rule, all_channels),
            None => Ok(()),
        }
    }

    fn follow(&mut self, rule: Rule, all_channels: bool) -> Result<(), RuleError> {
        match rule {
            Rule::Enable(is_enabled) => self.is_enabled = is_enabled,
            Rule::NoPassword => self.set_no_password(true),
            Rule::ResetPasswords => self.set_no_password(false),
            Rule::AddPassword(hash) => self.add_password(hash),
            Rule::RemovePassword(hash) => {
                let at = self.passwords.iter().position(|known| *known == hash);
                self.passwords.remove(at.ok_or(RuleError::NoSuchPassword)?);
            }
            Rule::SanitizePayload(sanitizes) => self.sanitizes_payload = sanitizes,
            Rule::ClearSelectors => self.selectors.clear(),
            Rule::Reset => *self = User::new(&self.name, all_channels),
            Rule::Root(rule) => self.root.apply(rule)?,
            Rule::Selector(rules) => {
                let mut selector = Selector::closed(all_channels);
                for rule in rules {
                    selector.apply(rule)?;
                }
                self.selectors.push(selector);
            }
        }
        Ok(())
    }

    fn set_no_password(&mut self, needs_none: bool) {
        self.needs_no_password = needs_none;
        self.passwords.clear();
    }

    fn add_password(&mut self, hash: PasswordHash) {
        self.needs_no_password = false;
        if !self.passwords.contains(&hash) {
            self.passwords.push(hash);
        }
    }

    /// Whether this password lets its client be the user.
    pub fn accepts(&self, password: &[u8]) -> bool {
        if !self.is_enabled {
            return false;
        }
        if self.needs_no_password {
            return true;
        }
        let guess = PasswordHash::of(password);
        // All of them, so that the time taken does not tell which it was.
        self.passwords
            .iter()
            .fold(false, |found, known| known.is_same(&guess) | found)
    }

    pub fn selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// Whether a command may be run with these arguments, of which the first is its name.
    ///
    /// # Errors
    /// Where the selector refuses that comes furthest: a key that is not allowed says more than a command which another
    /// selector does not allow at all.
    pub fn check(&self, spec: &CommandSpec, args: &[&[u8]]) -> Result<(), Denied> {
        let mut furthest = Denied::Command;
        for selector in self.selectors() {
            match selector.check(spec, args) {
                Ok(()) => return Ok(()),
                Err(denied) => furthest = furthest.max(denied),
            }
        }
        Err(furthest)
    }

    /// Whether some selector lets a client go on listening to a channel or a pattern of channels.
    pub fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.selectors()
            .any(|selector| selector.allows_channel(channel, is_pattern))
    }

    /// Whether some selector lets the command read whatever key it likes.
    pub fn allows_reading_any(&self, spec: &CommandSpec, args: &[&[u8]]) -> bool {
        self.selectors().any(|selector| selector.allows_reading_any(spec, args))
    }

    /// Whether nothing is refused to this user.
    pub fn is_unrestricted(&self) -> bool {
        self.selectors().any(Selector::allows_everything)
    }

    /// The words of ACL GETUSER's flags.
    pub fn flags(&self) -> Vec<&'static str> {
        let sanitizing = match self.sanitizes_payload {
            true => "sanitize-payload",
            false => "skip-sanitize-payload",
        };
        let flags = [
            Some(if self.is_enabled { "on" } else { "off" }),
            self.needs_no_password.then_some("nopass"),
            Some(sanitizing),
        ];
        flags.into_iter().flatten().collect()
    }

    /// The line that makes this user, as it stands in files.
    pub fn describe(&self) -> Vec<u8> {
        let mut line = [b"user ", &*self.name].concat();
        let mut add = |word: &[u8]| {
            line.push(b' ');
            line.extend_from_slice(word);
        };
        self.flags().iter().for_each(|flag| add(flag.as_bytes()));
        for hash in &self.passwords {
            add(format!("#{}", hash.to_hex()).as_bytes());
        }
        add(&self.root.describe());
        for selector in &self.selectors {
            add(&[b"(", &*selector.describe_nested(), b")"].concat());
        }
        line
    }
}
