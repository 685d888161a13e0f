//! A selector: commands, keys and channels that somebody may use together.
//!
//! Every user has one, the *root*, and may have more. A request passes if one selector lets all of it pass; what two of
//! them allow in part is not added up.
//!
//! Which commands are allowed is kept twice. The set of ids is what requests are checked against. The rules as they were
//! written, as far as later ones have not overridden them, are what is shown and saved: `+@read` stands for commands that
//! the next version of the server will have, a list of today's names would not.

use std::collections::BTreeMap;

use super::rule::{CommandRule, RuleError, SelectorRule, Subject};
use crate::commands::table::flags::{AclCategory, Flag, KeyFlag, KeyFlags};
use crate::commands::table::keys::{KeyRef, keys};
use crate::commands::table::{self, CommandId, CommandSet, CommandSpec};
use crate::config::quoting;
use crate::format::glob;

/// What may be done to keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyAccess {
    pub read: bool,
    pub write: bool,
}

impl KeyAccess {
    pub const ALL: KeyAccess = KeyAccess {
        read: true,
        write: true,
    };

    /// What a command needs that treats its key this way. One that only looks at a key's type or length needs no right to
    /// its data, only some right to the key.
    fn needed_by(flags: KeyFlags) -> KeyAccess {
        let has_any = |wanted: &[KeyFlag]| wanted.iter().any(|&flag| flags.contains(flag));
        KeyAccess {
            read: has_any(&[KeyFlag::Access]),
            write: has_any(&[KeyFlag::Insert, KeyFlag::Delete, KeyFlag::Update]),
        }
    }

    fn covers(self, needed: KeyAccess) -> bool {
        (self.read || !needed.read) && (self.write || !needed.write)
    }

    fn and(self, other: KeyAccess) -> KeyAccess {
        KeyAccess {
            read: self.read || other.read,
            write: self.write || other.write,
        }
    }

    /// What stands before the pattern of keys that may be used like this.
    fn sign(self) -> &'static [u8] {
        match (self.read, self.write) {
            (true, true) => b"~",
            (true, false) => b"%R~",
            (false, true) => b"%W~",
            (false, false) => unreachable!("a rule gives some access"),
        }
    }
}

/// Keys by a glob pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPattern {
    pub pattern: Box<[u8]>,
    pub access: KeyAccess,
}

/// Where a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denied {
    Command,
    /// The key is this argument.
    Key(usize),
    /// The channel, or the pattern of channels, is this argument.
    Channel(usize),
}

impl Denied {
    /// What the command was refused: its own name, a key or a channel.
    pub fn object<'a>(self, spec: &CommandSpec, args: &[&'a [u8]]) -> &'a [u8]
    where
        'static: 'a,
    {
        match self {
            Denied::Command => spec.name.as_bytes(),
            Denied::Key(at) | Denied::Channel(at) => args[at],
        }
    }

    /// The refusal in words. What keys and channels there are is told only to those who administer users, `in_full`.
    pub fn text(self, user: &[u8], object: &[u8], in_full: bool) -> Vec<u8> {
        let (to_what, kind): (&[u8], &[u8]) = match self {
            Denied::Command => (b"run", b"command"),
            Denied::Key(_) if in_full => (b"access", b"key"),
            Denied::Channel(_) if in_full => (b"access", b"channel"),
            Denied::Key(_) => return b"No permissions to access a key".to_vec(),
            Denied::Channel(_) => return b"No permissions to access a channel".to_vec(),
        };
        [
            b"User ",
            user,
            b" has no permissions to ",
            to_what,
            b" the '",
            object,
            b"' ",
            kind,
        ]
        .concat()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Whether everything is allowed that the rules do not take away, commands of later versions included.
    is_open: bool,
    commands: CommandSet,
    /// The first arguments with which commands are allowed that otherwise are not (`+select|0`).
    first_arguments: BTreeMap<CommandId, Vec<Box<[u8]>>>,
    rules: Vec<CommandRule>,
    all_keys: bool,
    keys: Vec<KeyPattern>,
    all_channels: bool,
    channels: Vec<Box<[u8]>>,
}

impl Selector {
    /// Allows nothing, or only every channel.
    pub fn closed(all_channels: bool) -> Selector {
        Selector {
            all_channels,
            ..Selector::default()
        }
    }

    /// Whether nothing is refused.
    pub fn allows_everything(&self) -> bool {
        self.is_open && self.rules.is_empty() && self.all_keys && self.all_channels
    }

    // Rules.

    /// # Errors
    /// If a pattern is added to everything.
    pub fn apply(&mut self, rule: SelectorRule) -> Result<(), RuleError> {
        match rule {
            SelectorRule::AllKeys => self.set_keys(true),
            SelectorRule::ResetKeys => self.set_keys(false),
            SelectorRule::Keys(_) if self.all_keys => return Err(RuleError::KeysAfterAll),
            SelectorRule::Keys(keys) => self.add_keys(keys),
            SelectorRule::AllChannels => self.set_channels(true),
            SelectorRule::ResetChannels => self.set_channels(false),
            SelectorRule::Channel(_) if self.all_channels => return Err(RuleError::ChannelsAfterAll),
            SelectorRule::Channel(pattern) if self.channels.contains(&pattern) => {}
            SelectorRule::Channel(pattern) => self.channels.push(pattern),
            SelectorRule::AllCommands => self.set_commands(true),
            SelectorRule::NoCommands => self.set_commands(false),
            SelectorRule::Command(rule) => self.add_command_rule(rule),
        }
        Ok(())
    }

    fn set_keys(&mut self, all: bool) {
        self.all_keys = all;
        self.keys.clear();
    }

    fn add_keys(&mut self, added: KeyPattern) {
        match self.keys.iter_mut().find(|keys| keys.pattern == added.pattern) {
            Some(keys) => keys.access = keys.access.and(added.access),
            None => self.keys.push(added),
        }
    }

    fn set_channels(&mut self, all: bool) {
        self.all_channels = all;
        self.channels.clear();
    }

    fn set_commands(&mut self, all: bool) {
        self.is_open = all;
        self.commands = match all {
            true => table::all().iter().map(|spec| spec.id).collect(),
            false => CommandSet::EMPTY,
        };
        self.first_arguments.clear();
        self.rules.clear();
    }

    fn add_command_rule(&mut self, rule: CommandRule) {
        match &rule.subject {
            Subject::Command(spec) => self.allow(spec, rule.is_allowed),
            Subject::FirstArgument(spec, argument) => {
                let arguments = self.first_arguments.entry(spec.id).or_default();
                if !arguments.contains(argument) {
                    arguments.push(argument.clone());
                }
            }
            Subject::Category(category) => self.allow_category(*category, rule.is_allowed),
        }
        // Who was ruled over before, by name or as part of this, is no longer.
        self.rules.retain(|old| !rule.overrides(old));
        self.rules.push(rule);
    }

    fn allow_category(&mut self, category: AclCategory, is_allowed: bool) {
        for spec in table::all() {
            if spec.categories.contains(category) {
                self.allow(spec, is_allowed);
            }
        }
    }

    /// A command with all its subcommands.
    fn allow(&mut self, spec: &CommandSpec, is_allowed: bool) {
        let family = std::iter::once(spec).chain(spec.subcommands());
        for spec in family {
            match is_allowed {
                true => self.commands.insert(spec.id),
                false => self.commands.remove(spec.id),
            }
            self.first_arguments.remove(&spec.id);
        }
    }

    // Checks.

    /// Whether the command may be run with these arguments, of which the first is its name. O(arguments × patterns), or O(1)
    /// where all keys and channels are allowed.
    pub fn check(&self, spec: &CommandSpec, args: &[&[u8]]) -> Result<(), Denied> {
        if !self.allows_command(spec, args) {
            return Err(Denied::Command);
        }
        if !self.all_keys && spec.has_keys() {
            // A line without its keys is malformed; the command says so.
            let keys = keys(spec, args).unwrap_or_default();
            if let Some(denied) = keys.into_iter().find(|key| !self.allows_key(args, *key)) {
                return Err(Denied::Key(denied.index));
            }
        }
        self.check_channels(spec, args)
    }

    fn allows_command(&self, spec: &CommandSpec, args: &[&[u8]]) -> bool {
        if self.commands.contains(spec.id) || spec.flags.contains(Flag::NoAuth) {
            return true;
        }
        let (Some(arguments), Some(first)) = (self.first_arguments.get(&spec.id), args.get(1)) else {
            return false;
        };
        arguments.iter().any(|argument| argument.eq_ignore_ascii_case(first))
    }

    fn allows_key(&self, args: &[&[u8]], key: KeyRef) -> bool {
        self.allows_keys(args[key.index], KeyAccess::needed_by(key.flags))
    }

    fn allows_keys(&self, key: &[u8], needed: KeyAccess) -> bool {
        self.all_keys
            || self
                .keys
                .iter()
                .any(|keys| keys.access.covers(needed) && glob::matches(&keys.pattern, key, false))
    }

    /// Whether every key there is may be read by this command: for SORT, whose patterns name keys that no rule can foresee.
    pub fn allows_reading_any(&self, spec: &CommandSpec, args: &[&[u8]]) -> bool {
        let may_read_all = |keys: &KeyPattern| keys.access.read && *keys.pattern == *b"*";
        let is_unrestricted = self.all_keys || self.keys.iter().any(may_read_all);
        is_unrestricted && self.check(spec, args).is_ok()
    }

    fn check_channels(&self, spec: &CommandSpec, args: &[&[u8]]) -> Result<(), Denied> {
        if self.all_channels {
            return Ok(());
        }
        let (indices, is_pattern) = match spec.name {
            "publish" | "spublish" => (1..2, false),
            "subscribe" | "ssubscribe" => (1..args.len(), false),
            "psubscribe" => (1..args.len(), true),
            _ => return Ok(()),
        };
        // A script may ask about a line that is too short.
        for index in indices.take_while(|index| *index < args.len()) {
            if !self.allows_channel(args[index], is_pattern) {
                return Err(Denied::Channel(index));
            }
        }
        Ok(())
    }

    /// Whether somebody may listen to a channel. A pattern must be one of those allowed: whether it means no more than one of
    /// them is more than can be told.
    pub fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.all_channels
            || self.channels.iter().any(|allowed| match is_pattern {
                true => **allowed == *channel,
                false => glob::matches(allowed, channel, false),
            })
    }

    // Descriptions.

    /// The rules for commands, for the field of ACL GETUSER.
    pub fn command_rules(&self) -> Vec<u8> {
        joined(self.command_words())
    }

    fn command_words(&self) -> Vec<Vec<u8>> {
        let all = match self.is_open {
            true => b"+@all".to_vec(),
            false => b"-@all".to_vec(),
        };
        let rules = self.rules.iter().map(|rule| rule.text.to_vec());
        std::iter::once(all).chain(rules).collect()
    }

    /// The patterns of keys with their signs, for the field of ACL GETUSER.
    pub fn key_rules(&self) -> Vec<u8> {
        joined(self.key_words())
    }

    fn key_words(&self) -> Vec<Vec<u8>> {
        if self.all_keys {
            return vec![b"~*".to_vec()];
        }
        let keys = self.keys.iter();
        keys.map(|keys| [keys.access.sign(), &keys.pattern].concat()).collect()
    }

    /// The patterns of channels with their sign, for the field of ACL GETUSER.
    pub fn channel_rules(&self) -> Vec<u8> {
        joined(self.channel_words())
    }

    fn channel_words(&self) -> Vec<Vec<u8>> {
        if self.all_channels {
            return vec![b"&*".to_vec()];
        }
        let channels = self.channels.iter();
        channels.map(|pattern| [b"&", &**pattern].concat()).collect()
    }

    /// Everything, as rules that make the selector anew.
    pub fn describe(&self) -> Vec<u8> {
        joined(self.words())
    }

    /// The same for one in parentheses. Between them quotes mean something, and a word's last parenthesis.
    pub fn describe_nested(&self) -> Vec<u8> {
        let quoted = |word: Vec<u8>| match word.ends_with(b")") {
            true => quoting::quote(&word),
            false => quoting::quoted_if_needed(&word),
        };
        joined(self.words().into_iter().map(quoted).collect())
    }

    fn words(&self) -> Vec<Vec<u8>> {
        let mut words = self.key_words();
        if !self.all_channels {
            words.push(b"resetchannels".to_vec());
        }
        words.extend(self.channel_words());
        words.extend(self.command_words());
        words
    }
}

fn joined(words: Vec<Vec<u8>>) -> Vec<u8> {
    words.join(&b' ')
}
