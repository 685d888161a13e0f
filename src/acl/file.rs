//! Users in files: the ACL file, and the `user` lines of the configuration.
//!
//! An ACL file has one user a line, as ACL LIST prints them, and nothing else: no comments, and quotes only around words of a
//! selector that could not be told from others without. It is all or nothing; a file with a mistake anywhere changes no user.
//! Every mistake is named, since somebody has to correct them all.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::rc::Rc;

use super::rule::RuleError;
use super::user::User;
use super::{Acl, BadRule, default_user, is_name, join_parentheses};
use crate::config::quoting;
use crate::config::rewrite::replace_file;

const NOTHING_CHANGED: &str =
    "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";

/// A `user` line of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserLine {
    pub name: Vec<u8>,
    pub rules: Vec<Vec<u8>>,
}

/// Why a `user` line is wrong: whose, and the reason. A mistake in parentheses is told of `user` itself, as Redis does.
pub struct BadLine {
    pub whose: Vec<u8>,
    pub reason: &'static str,
}

impl UserLine {
    /// Reads the words behind `user`. Names of commands are not looked up yet.
    ///
    /// # Errors
    /// The first mistake, whatever commands there are.
    pub fn read(words: &[&[u8]], known: &mut BTreeSet<Vec<u8>>) -> Result<UserLine, BadLine> {
        let (name, rules) = words.split_first().expect("a directive with a value");
        let bad = |whose: &[u8], reason| BadLine {
            whose: whose.to_vec(),
            reason,
        };
        if !known.insert(name.to_vec()) {
            let reason = "Duplicate user found. A user can only be defined once in config files";
            return Err(bad(name, reason));
        }
        let rules = join_parentheses(rules).map_err(|_| bad(b"user", "Wrong format"))?;
        let mut trial = User::new(name, false);
        for word in &rules {
            match trial.apply(word, false) {
                Ok(()) | Err(RuleError::UnknownCommand) => {}
                Err(error) if word.starts_with(b"(") => return Err(bad(b"user", error.text())),
                Err(error) => return Err(bad(name, error.text())),
            }
        }
        Ok(UserLine {
            name: name.to_vec(),
            rules,
        })
    }
}

impl Acl {
    /// Makes the users of the configuration.
    ///
    /// # Errors
    /// The first mistake, worded for the log.
    pub fn configure(&mut self, lines: &[UserLine], all_channels: bool) -> Result<(), String> {
        for UserLine { name, rules } in lines {
            if !is_name(name) {
                return Err("Spaces not allowed in ACL usernames".to_owned());
            }
            // What a file says about the default user is all that holds for it.
            let reset = (name == super::DEFAULT_NAME).then_some(&b"reset"[..]);
            let words = reset.into_iter().chain(rules.iter().map(Vec::as_slice));
            let user = self
                .draft(name, words, all_channels)
                .map_err(|BadRule { word, error }| {
                    format!(
                        "Error loading ACL rule '{}' for the user named '{}': {}",
                        String::from_utf8_lossy(&word),
                        String::from_utf8_lossy(name),
                        error.text()
                    )
                })?;
            self.put(user);
        }
        Ok(())
    }

    /// The users as lines of a file, by name.
    pub fn lines(&self) -> Vec<Vec<u8>> {
        self.iter().map(User::describe).collect()
    }

    /// The users as lines of a configuration file, where quotes mean something: words that have some are quoted.
    pub fn config_lines(&self) -> Vec<Vec<u8>> {
        let quoted = |line: Vec<u8>| {
            let words = line.split(|&byte| byte == b' ').map(quoting::quoted_if_needed);
            words.collect::<Vec<_>>().join(&b' ')
        };
        self.lines().into_iter().map(quoted).collect()
    }

    /// Writes the users to a file. It is replaced whole, or not at all.
    ///
    /// # Errors
    /// What the system says.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let mut text = self.lines().join(&b'\n');
        text.push(b'\n');
        replace_file(path, &text)
    }
}

/// Reads the users of an ACL file. There is a default user among them, whether the file has a line for it or not.
///
/// # Errors
/// All mistakes in one text, each with the number of its line.
pub fn read(path: &str, text: &[u8], all_channels: bool) -> Result<Vec<User>, String> {
    let mut users: Vec<User> = Vec::new();
    let mut names = BTreeSet::new();
    let mut mistakes = String::new();
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        match read_line(line, &names, all_channels) {
            Ok(user) => {
                names.insert(user.name.clone());
                users.push(user);
            }
            Err(told) => told
                .iter()
                .for_each(|mistake| mistakes += &mistake.text(path, index + 1)),
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes + NOTHING_CHANGED);
    }
    if !names.contains(super::DEFAULT_NAME) {
        users.push(default_user());
    }
    Ok(users)
}

enum Mistake {
    NoUser,
    Name(Vec<u8>),
    Duplicate(Vec<u8>),
    Parenthesis,
    /// A rule about no command there is.
    Unknown(Vec<u8>),
    Rule(RuleError),
}

impl Mistake {
    fn text(&self, path: &str, line: usize) -> String {
        let word = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
        match self {
            Mistake::NoUser => format!("{path}:{line} should start with user keyword followed by the username. "),
            Mistake::Name(name) => format!("{path}:{line}: username '{}' contains invalid characters. ", word(name)),
            Mistake::Duplicate(name) => format!("WARNING: Duplicate user '{}' found on line {line}. ", word(name)),
            Mistake::Parenthesis => format!("{path}:{line}: Unmatched parenthesis in selector definition."),
            Mistake::Unknown(rule) => format!(
                "{path}:{line}: Error in applying operation '{}': {}. ",
                word(rule),
                RuleError::UnknownCommand.text()
            ),
            Mistake::Rule(error) => format!("{path}:{line}: {}. ", error.text()),
        }
    }
}

fn read_line(line: &[u8], known: &BTreeSet<Rc<[u8]>>, all_channels: bool) -> Result<User, Vec<Mistake>> {
    let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let [b"user", name, rules @ ..] = words.as_slice() else {
        return Err(vec![Mistake::NoUser]);
    };
    if !is_name(name) {
        return Err(vec![Mistake::Name(name.to_vec())]);
    }
    if known.contains(*name) {
        return Err(vec![Mistake::Duplicate(name.to_vec())]);
    }
    let rules = join_parentheses(rules).map_err(|_| vec![Mistake::Parenthesis])?;
    let mut user = User::new(name, all_channels);
    let (mut mistakes, mut is_misread) = (Vec::new(), false);
    for rule in rules {
        match user.apply(rule.trim_ascii(), all_channels) {
            Ok(()) => {}
            Err(RuleError::UnknownCommand) => mistakes.push(Mistake::Unknown(rule)),
            // Others may only follow from the first.
            Err(_) if is_misread => {}
            Err(error) => {
                is_misread = true;
                mistakes.push(Mistake::Rule(error));
            }
        }
    }
    if mistakes.is_empty() { Ok(user) } else { Err(mistakes) }
}
