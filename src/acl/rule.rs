//! The language of ACL rules: one word a rule, read here into what it means. What a rule does to a user is said where users
//! and selectors are.
//!
//! Rules that stand for the whole of something (`allkeys`, `nopass`, `reset`) are words, others have a sign in front: `+` and
//! `-` for commands, `@` behind them for categories, `~` and `%` for keys, `&` for channels, `>`, `<`, `#` and `!` for
//! passwords; and rules in parentheses are a selector of their own. Their reference is redis.io's page on ACL.

use sha2::{Digest, Sha256};

use super::selector::{KeyAccess, KeyPattern};
use crate::commands::table::flags::AclCategory;
use crate::commands::table::{self, CommandSpec};
use crate::config::quoting;

/// The SHA-256 of a password: passwords themselves are never kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PasswordHash(pub [u8; 32]);

impl PasswordHash {
    pub fn of(password: &[u8]) -> Self {
        PasswordHash(Sha256::digest(password).into())
    }

    /// Reads 64 hexadecimal digits in lower case.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut hash = [0; 32];
        if text.len() != 2 * hash.len() {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(PasswordHash(hash))
    }

    pub fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Compares without stopping at the first difference: how long it takes must not tell how much of a guess was right.
    pub fn is_same(&self, other: &PasswordHash) -> bool {
        let different = self.0.iter().zip(other.0).fold(0, |all, (a, b)| all | (a ^ b));
        std::hint::black_box(different) == 0
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// A rule for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    Enable(bool),
    NoPassword,
    ResetPasswords,
    AddPassword(PasswordHash),
    RemovePassword(PasswordHash),
    /// See [`super::User::sanitizes_payload`].
    SanitizePayload(bool),
    ClearSelectors,
    Reset,
    /// Another selector, by its rules.
    Selector(Vec<SelectorRule>),
    /// For the user's root.
    Root(SelectorRule),
}

/// A rule for a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectorRule {
    AllKeys,
    ResetKeys,
    Keys(KeyPattern),
    AllChannels,
    ResetChannels,
    Channel(Box<[u8]>),
    AllCommands,
    NoCommands,
    Command(CommandRule),
}

/// A rule about some commands.
#[derive(Clone, Debug)]
pub struct CommandRule {
    pub is_allowed: bool,
    pub subject: Subject,
    /// As it is shown: in lower case, with its sign.
    pub text: Box<[u8]>,
}

/// Which commands a rule is about.
#[derive(Clone, Debug)]
pub enum Subject {
    /// One, with its subcommands if it has any.
    Command(&'static CommandSpec),
    /// One, when this is its first argument.
    FirstArgument(&'static CommandSpec, Box<[u8]>),
    Category(AclCategory),
}

impl PartialEq for CommandRule {
    fn eq(&self, other: &CommandRule) -> bool {
        self.text == other.text
    }
}

impl Eq for CommandRule {}

impl CommandRule {
    /// Whether an older rule says nothing any more beside this one: about the same, or a part of it.
    pub fn overrides(&self, old: &CommandRule) -> bool {
        let (new, old) = (&self.text[1..], &old.text[1..]);
        old.strip_prefix(new)
            .is_some_and(|rest| matches!(rest, [] | [b'|', ..]))
    }
}

/// Why a rule is none, or cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleError {
    UnknownCommand,
    Syntax,
    KeysAfterAll,
    ChannelsAfterAll,
    NoSuchPassword,
    BadHash,
    FirstArgumentOfSubcommand,
}

impl RuleError {
    pub const fn text(self) -> &'static str {
        match self {
            RuleError::UnknownCommand => "Unknown command or category name in ACL",
            RuleError::Syntax => "Syntax error",
            RuleError::KeysAfterAll => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. \
                 Try 'resetkeys' to start with an empty list of patterns"
            }
            RuleError::ChannelsAfterAll => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any \
                 effect. Try 'resetchannels' to start with an empty list of channels"
            }
            RuleError::NoSuchPassword => "The password you are trying to remove from the user does not exist",
            RuleError::BadHash => {
                "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
            }
            RuleError::FirstArgumentOfSubcommand => "Allowing first-arg of a subcommand is not supported",
        }
    }
}

impl Rule {
    /// Reads a rule; None for an empty word, which changes nothing.
    pub fn parse(word: &[u8]) -> Result<Option<Rule>, RuleError> {
        let rule = match word.to_ascii_lowercase().as_slice() {
            b"" => return Ok(None),
            b"on" => Rule::Enable(true),
            b"off" => Rule::Enable(false),
            b"nopass" => Rule::NoPassword,
            b"resetpass" => Rule::ResetPasswords,
            b"sanitize-payload" => Rule::SanitizePayload(true),
            b"skip-sanitize-payload" => Rule::SanitizePayload(false),
            b"clearselectors" => Rule::ClearSelectors,
            b"reset" => Rule::Reset,
            _ => Rule::parse_signed(word)?,
        };
        Ok(Some(rule))
    }

    fn parse_signed(word: &[u8]) -> Result<Rule, RuleError> {
        let hash = |text| PasswordHash::parse(text).ok_or(RuleError::BadHash);
        Ok(match word {
            [b'>', password @ ..] => Rule::AddPassword(PasswordHash::of(password)),
            [b'#', text @ ..] => Rule::AddPassword(hash(text)?),
            [b'<', password @ ..] => Rule::RemovePassword(PasswordHash::of(password)),
            [b'!', text @ ..] => Rule::RemovePassword(hash(text)?),
            [b'(', rules @ .., b')'] => Rule::Selector(SelectorRule::parse_all(rules)?),
            _ => Rule::Root(SelectorRule::parse(word)?),
        })
    }
}

impl SelectorRule {
    fn parse_all(text: &[u8]) -> Result<Vec<SelectorRule>, RuleError> {
        let words = quoting::split(text).ok_or(RuleError::Syntax)?;
        words.iter().map(|word| SelectorRule::parse(word)).collect()
    }

    fn parse(word: &[u8]) -> Result<SelectorRule, RuleError> {
        Ok(match word.to_ascii_lowercase().as_slice() {
            b"allkeys" | b"~*" => SelectorRule::AllKeys,
            b"resetkeys" => SelectorRule::ResetKeys,
            b"allchannels" | b"&*" => SelectorRule::AllChannels,
            b"resetchannels" => SelectorRule::ResetChannels,
            b"allcommands" | b"+@all" => SelectorRule::AllCommands,
            b"nocommands" | b"-@all" => SelectorRule::NoCommands,
            _ => SelectorRule::parse_signed(word)?,
        })
    }

    fn parse_signed(word: &[u8]) -> Result<SelectorRule, RuleError> {
        match word {
            [b'~', pattern @ ..] => keys(pattern, KeyAccess::ALL),
            [b'%', rest @ ..] => keys_with_access(rest),
            [b'&', pattern @ ..] => Ok(SelectorRule::Channel(without_spaces(pattern)?)),
            [sign @ (b'+' | b'-'), name @ ..] => {
                let is_allowed = *sign == b'+';
                Ok(SelectorRule::Command(CommandRule {
                    is_allowed,
                    subject: subject(name, is_allowed)?,
                    text: word.to_ascii_lowercase().into(),
                }))
            }
            _ => Err(RuleError::Syntax),
        }
    }
}

fn keys(pattern: &[u8], access: KeyAccess) -> Result<SelectorRule, RuleError> {
    Ok(SelectorRule::Keys(KeyPattern {
        pattern: without_spaces(pattern)?,
        access,
    }))
}

/// Letters for what is allowed, up to the `~`: each once, and one at least.
fn keys_with_access(text: &[u8]) -> Result<SelectorRule, RuleError> {
    let mut access = KeyAccess {
        read: false,
        write: false,
    };
    let mut rest = text;
    while let [letter, after @ ..] = rest {
        rest = after;
        match letter.to_ascii_uppercase() {
            b'R' if !access.read => access.read = true,
            b'W' if !access.write => access.write = true,
            b'~' => break,
            _ => return Err(RuleError::Syntax),
        }
    }
    match access.read || access.write {
        true => keys(rest, access),
        false => Err(RuleError::Syntax),
    }
}

/// A pattern with a space could not be told from two in a file.
fn without_spaces(pattern: &[u8]) -> Result<Box<[u8]>, RuleError> {
    match pattern.iter().any(|&byte| quoting::is_space(byte) || byte == 0) {
        true => Err(RuleError::Syntax),
        false => Ok(pattern.into()),
    }
}

/// What stands behind the sign of a rule about commands.
fn subject(name: &[u8], is_allowed: bool) -> Result<Subject, RuleError> {
    if let [b'@', category @ ..] = name {
        let category = AclCategory::parse(category).ok_or(RuleError::UnknownCommand)?;
        return Ok(Subject::Category(category));
    }
    let Some(bar) = memchr::memrchr(b'|', name).filter(|_| is_allowed) else {
        return command(name).map(Subject::Command);
    };
    let (container, argument) = (command(&name[..bar])?, &name[bar + 1..]);
    if container.parent.is_some() {
        return Err(RuleError::FirstArgumentOfSubcommand);
    }
    if argument.is_empty() {
        return Err(RuleError::Syntax);
    }
    // As with patterns.
    let argument = without_spaces(argument)?;
    match container.is_container() {
        true => command(name).map(Subject::Command),
        false => Ok(Subject::FirstArgument(container, argument.to_ascii_lowercase().into())),
    }
}

/// The command of this name, which stays its name here when clients know it by another.
fn command(name: &[u8]) -> Result<&'static CommandSpec, RuleError> {
    table::lookup_own_full(name)
        .filter(|spec| table::is_visible(spec))
        .ok_or(RuleError::UnknownCommand)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_kept_as_hashes_and_read_back() {
        let hash = PasswordHash::of(b"abc");
        assert_eq!(
            hash.to_hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(PasswordHash::parse(hash.to_hex().as_bytes()), Some(hash));
        assert!(hash.is_same(&PasswordHash::of(b"abc")) && !hash.is_same(&PasswordHash::of(b"abd")));
        let upper = hash.to_hex().to_uppercase();
        for bad in [&upper[..], &upper[1..], "", "ba"] {
            assert_eq!(PasswordHash::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn words_are_rules_whatever_their_case_and_nothing_is_no_rule() {
        assert_eq!(Rule::parse(b""), Ok(None));
        assert_eq!(Rule::parse(b"ON"), Ok(Some(Rule::Enable(true))));
        assert_eq!(Rule::parse(b"AllKeys"), Ok(Some(Rule::Root(SelectorRule::AllKeys))));
        assert_eq!(Rule::parse(b"+@ALL"), Ok(Some(Rule::Root(SelectorRule::AllCommands))));
        for (word, error) in [
            ("+foo", RuleError::UnknownCommand),
            ("-@foo", RuleError::UnknownCommand),
            ("+config|nosuch", RuleError::UnknownCommand),
            ("+config|get|x", RuleError::FirstArgumentOfSubcommand),
            ("+config|", RuleError::Syntax),
            ("-select|0", RuleError::UnknownCommand),
            ("%~x", RuleError::Syntax),
            ("%RR~x", RuleError::Syntax),
            ("~a b", RuleError::Syntax),
            ("&a b", RuleError::Syntax),
            ("#12", RuleError::BadHash),
            ("(+foo)", RuleError::UnknownCommand),
            ("(on)", RuleError::Syntax),
            ("what", RuleError::Syntax),
        ] {
            assert_eq!(Rule::parse(word.as_bytes()), Err(error), "{word}");
        }
    }
}
