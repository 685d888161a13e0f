//! `CONFIG GET` and `CONFIG SET` on plain data.
//!
//! `CONFIG SET` is all or nothing: every name is checked before any value is, and every value before any takes effect.
//! The caller gets the names of what changed and applies side effects; should one fail, it goes back to the clone of
//! the settings it took before. `Settings` is a few kilobytes, so a clone costs nothing that a human could notice.

use std::borrow::Cow;
use std::fmt;

use super::Settings;
use super::choice::Permission;
use super::settings::TABLE;
use super::table::{Access, Setting, find};
use crate::format::glob;

/// The slowest and fastest `hz` in use; others are accepted and brought within.
const HZ_RANGE: std::ops::RangeInclusive<i32> = 1..=500;
/// The smallest replication backlog that is ever allocated, in bytes.
const MIN_REPL_BACKLOG_SIZE: u64 = 16 * 1024;

/// Settings that name a file, which is read again whenever they are set.
const FILES: [&str; 6] = [
    "tls-cert-file",
    "tls-key-file",
    "tls-client-cert-file",
    "tls-client-key-file",
    "tls-ca-cert-file",
    "tls-ca-cert-dir",
];

/// Settings that must stay while data is loaded: where from, and whether what changes meanwhile is logged.
const FIXED_WHILE_LOADING: [&str; 3] = ["appendonly", "dir", "repl-diskless-load"];

/// Who sets, and when.
#[derive(Clone, Copy, Debug)]
pub struct Setter {
    /// Whether the client is on this machine, which `enable-protected-configs local` asks.
    pub is_local: bool,
    /// Whether the server is loading its data.
    pub while_loading: bool,
}

/// Why `CONFIG SET` changed nothing. Prints as the whole error reply, its code included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    /// The setting decides how data is loaded, which is being done.
    Loading,
    /// There is no such setting.
    Unknown {
        /// The name as the client wrote it.
        name: String,
    },
    /// The setting cannot be set, or not to this value.
    Rejected {
        /// The name: as the client wrote it if it may not be set, as the table has it if the value is wrong.
        name: String,
        /// What is wrong, in Redis's words.
        reason: String,
    },
}

impl SetError {
    /// The error for a setting whose value was fine but could not be put into effect.
    pub fn rejected(name: &[u8], reason: impl Into<String>) -> Self {
        SetError::Rejected {
            name: reply_text(name),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetError::Loading => f.write_str("LOADING Redis is loading the dataset in memory"),
            SetError::Unknown { name } => {
                write!(f, "ERR Unknown option or number of arguments for CONFIG SET - '{name}'")
            }
            SetError::Rejected { name, reason } => {
                write!(
                    f,
                    "ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"
                )
            }
        }
    }
}

impl std::error::Error for SetError {}

/// A name for use in an error reply, which is a single line.
fn reply_text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).replace(['\r', '\n'], " ")
}

impl Settings {
    /// The port that INFO and the log name: that for plain connections, or else that for TLS.
    pub fn shown_port(&self) -> u16 {
        match self.port {
            0 => self.tls_port,
            port => port,
        }
    }

    /// The settings whose names match any of `patterns`, each once, with their values; O(patterns × settings).
    ///
    /// A pattern without `*`, `?` or `[` is a name and is echoed as the client spelled it; a hidden setting is found
    /// only so.
    pub fn get(&self, patterns: &[&[u8]]) -> Vec<(Cow<'static, str>, Vec<u8>)> {
        let mut found: Vec<(Cow<'static, str>, Vec<u8>)> = Vec::new();
        let mut add = |name: Cow<'static, str>, setting: &Setting| {
            if !found.iter().any(|(seen, _)| seen.eq_ignore_ascii_case(&name)) {
                found.push((name, setting.show(self)));
            }
        };
        for pattern in patterns {
            if !pattern.iter().any(|b| b"*?[".contains(b)) {
                if let Some(setting) = find(pattern) {
                    add(String::from_utf8_lossy(pattern).into_owned().into(), setting);
                }
                continue;
            }
            for setting in TABLE.iter().filter(|setting| setting.access != Access::Hidden) {
                for name in setting
                    .names()
                    .filter(|name| glob::matches(pattern, name.as_bytes(), true))
                {
                    add(name.into(), setting);
                }
            }
        }
        found
    }

    /// Sets several settings at once, or none. Gives the names of those whose value is now another, or may be: a file of the
    /// same name.
    pub fn set_many(&mut self, pairs: &[(&[u8], &[u8])], setter: Setter) -> Result<Vec<&'static str>, SetError> {
        let allowed = check_names(pairs, self.enable_protected_configs, setter)?;
        let mut next = self.clone();
        for ((setting, spelling), (_, value)) in allowed.iter().zip(pairs) {
            if setting.name == "save" {
                next.save.0.clear();
            }
            let assigned = setting.assign_argument(&mut next, value);
            assigned.map_err(|reason| SetError::rejected(spelling.as_bytes(), reason))?;
        }
        next.settle();
        if next.repl_backlog_size != self.repl_backlog_size {
            next.repl_backlog_size = next.repl_backlog_size.max(MIN_REPL_BACKLOG_SIZE);
        }
        let is_file = |setting: &Setting| {
            FILES.contains(&setting.name) && allowed.iter().any(|(named, _)| named.name == setting.name)
        };
        let changed = TABLE
            .iter()
            .filter(|setting| !setting.same(self, &next) || is_file(setting))
            .map(|setting| setting.name)
            .collect();
        *self = next;
        Ok(changed)
    }

    /// Puts one setting back to what it is in `from`; for undoing a change that could not be put into effect.
    pub fn restore(&mut self, name: &str, from: &Settings) {
        if let Some(setting) = find(name.as_bytes()) {
            (setting.restore)(self, from);
        }
    }

    /// Brings within bounds what is accepted outside of them.
    pub(super) fn settle(&mut self) {
        self.hz = self.hz.clamp(*HZ_RANGE.start(), *HZ_RANGE.end());
    }
}

/// Finds the setting and spelling of each name and checks that it may be set, before any value is looked at.
fn check_names(
    pairs: &[(&[u8], &[u8])],
    protected: Permission,
    setter: Setter,
) -> Result<Vec<(&'static Setting, &'static str)>, SetError> {
    let mut allowed: Vec<(&'static Setting, &'static str)> = Vec::with_capacity(pairs.len());
    for (name, _) in pairs {
        let reject = |reason: &str| Err(SetError::rejected(name, reason));
        let Some((setting, spelling)) = find_spelling(name) else {
            return Err(SetError::Unknown { name: reply_text(name) });
        };
        match setting.access {
            Access::Startup => return reject("can't set immutable config"),
            Access::Protected if !protected.allows(setter.is_local) => return reject("can't set protected config"),
            Access::Protected | Access::Runtime | Access::Hidden => {}
        }
        if setter.while_loading && FIXED_WHILE_LOADING.contains(&setting.name) {
            return Err(SetError::Loading);
        }
        // An alias counts as a setting of its own, so both may be set at once and the last one wins.
        if allowed.iter().any(|&(_, seen)| seen == spelling) {
            return reject("duplicate parameter");
        }
        allowed.push((setting, spelling));
    }
    Ok(allowed)
}

fn find_spelling(name: &[u8]) -> Option<(&'static Setting, &'static str)> {
    let setting = find(name)?;
    let spelling = setting.names().find(|own| own.as_bytes().eq_ignore_ascii_case(name))?;
    Some((setting, spelling))
}
