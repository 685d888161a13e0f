//! The shape of a row in the table of settings, and the macro that makes the table.
//!
//! The macro turns each entry into a field of `Settings`, its default and a [`Setting`] row whose function pointers
//! reach that field. The type of the field brings its own parsing and printing ([`Value`](super::value::Value)), so an
//! entry is one line and a sentence, and a field cannot exist without a row nor a row without a field.

use super::{Settings, quoting};

/// Whether a setting has an effect in this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The server reads it.
    Active,
    /// Accepted, kept and reported, but nothing reads it, for the reason given.
    Inert(&'static str),
}

/// When a setting may change and who may see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `CONFIG SET` changes it while the server runs.
    Runtime,
    /// Only the configuration file and the command line set it.
    Startup,
    /// `CONFIG SET` changes it if `enable-protected-configs` allows: it names files the server writes.
    Protected,
    /// As [`Access::Runtime`], but shown only to those who ask by its exact name: an aid to testing.
    Hidden,
}

/// One row: everything about one setting.
pub struct Setting {
    /// The name as `CONFIG GET` and the configuration file spell it.
    pub name: &'static str,
    /// A second name from older releases, reported by `CONFIG GET *` as a setting of its own.
    pub alias: Option<&'static str>,
    /// When it may change.
    pub access: Access,
    /// Whether anything reads it.
    pub status: Status,
    /// What it does, in a sentence or two.
    pub effect: &'static [&'static str],
    /// Whether the value is a list of words, given as several arguments or as one with spaces.
    pub several: bool,
    /// The type and range in words, for the documentation.
    pub describe: fn() -> String,
    pub(super) show: fn(&Settings) -> Vec<u8>,
    pub(super) assign: fn(&mut Settings, &[&[u8]]) -> Result<(), String>,
    pub(super) restore: fn(&mut Settings, &Settings),
    pub(super) same: fn(&Settings, &Settings) -> bool,
    pub(super) file_lines: fn(&Settings, &Settings) -> Vec<FileLine>,
}

/// One line a setting wants in a rewritten configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLine {
    /// What follows the name, quoted where the type needs it.
    pub value: Vec<u8>,
    /// Whether to add the line when the file has none: a default needs no line.
    pub needed: bool,
}

impl Setting {
    /// Whether `name` is the name or the alias of this setting; case does not matter.
    pub fn is_named(&self, name: &[u8]) -> bool {
        self.names().any(|own| own.as_bytes().eq_ignore_ascii_case(name))
    }

    /// The name, then the alias if there is one.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.alias)
    }

    /// Gives the setting a new value from the words of a configuration line after the name. A list may also be one
    /// quoted word, which is then split like a line: `save "60 1000"`.
    ///
    /// The error is Redis's text for what is wrong with the value; the old value then stands.
    pub fn assign_line(&self, settings: &mut Settings, words: &[&[u8]]) -> Result<(), String> {
        match words {
            [list] if self.several => {
                let words = quoting::split(list).unwrap_or_default();
                let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                (self.assign)(settings, &words)
            }
            [_] => (self.assign)(settings, words),
            _ if self.several => (self.assign)(settings, words),
            _ => Err("wrong number of arguments".into()),
        }
    }

    /// Gives the setting a new value from an argument of `CONFIG SET`, where a list is split at every single space.
    ///
    /// The error is as in [`Setting::assign_line`].
    pub fn assign_argument(&self, settings: &mut Settings, argument: &[u8]) -> Result<(), String> {
        let words = match argument {
            [] if self.several => Vec::new(),
            _ if self.several => argument.split(|&b| b == b' ').collect(),
            _ => vec![argument],
        };
        (self.assign)(settings, &words)
    }

    /// The value as `CONFIG GET` prints it.
    pub fn show(&self, settings: &Settings) -> Vec<u8> {
        (self.show)(settings)
    }

    /// Whether both hold the same value of this setting.
    pub fn same(&self, a: &Settings, b: &Settings) -> bool {
        (self.same)(a, b)
    }
}

/// The row of the setting with this name or alias, in any case. O(settings).
pub fn find(name: &[u8]) -> Option<&'static Setting> {
    super::settings::TABLE.iter().find(|setting| setting.is_named(name))
}

/// Makes `Settings`, its defaults and `TABLE` from entries of the form
///
/// ```text
/// /// What it does.
/// "name" ("alias") field: Type = default, Domain, Access, Status;
/// ```
macro_rules! settings {
    ($(
        $(#[doc = $effect:literal])+
        $name:literal $(($alias:literal))?
        $field:ident: $type:ty = $default:expr, $domain:expr, $access:expr, $status:expr;
    )+) => {
        /// The value of every setting, a field each. `Default` gives Redis's defaults.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Settings {
            $($(#[doc = $effect])+ pub $field: $type,)+
        }

        impl Default for Settings {
            fn default() -> Self {
                Settings { $($field: $default,)+ }
            }
        }

        /// Every setting, in the order `CONFIG GET *` reports them.
        pub static TABLE: &[Setting] = &[$(
            Setting {
                name: $name,
                alias: settings!(@alias $($alias)?),
                access: $access,
                status: $status,
                effect: &[$($effect),+],
                several: <$type as Value>::SEVERAL,
                describe: || <$type as Value>::describe(&$domain),
                show: |settings| settings.$field.show(&$domain),
                assign: |settings, words| settings.$field.assign(words, &$domain),
                restore: |settings, from| settings.$field.clone_from(&from.$field),
                same: |a, b| a.$field == b.$field,
                file_lines: |settings, defaults| settings.$field.file_lines(&defaults.$field, &$domain),
            },
        )+];
    };
    (@alias) => { None };
    (@alias $alias:literal) => { Some($alias) };
}
pub(super) use settings;
