//! What SET and MSETEX may be asked for beyond keys and values: on which condition to store, and until when.

use super::expiry::{DeadlineForm, syntax_error};
use super::values::Text;
use crate::keyspace::{Deadline, EntryRef};
use crate::resp::request::Args;
use crate::server::failure::Failure;
use crate::timer::Millis;

/// What a key must be like for a command to have its way with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition<'a> {
    #[default]
    None,
    /// NX: it is not there.
    Absent,
    /// XX: it is there.
    Present,
    /// IFEQ: it holds this string.
    Equal(&'a [u8]),
}

impl Condition<'_> {
    /// Whether the key is like that. The error is that of a key which holds no string to compare.
    pub fn is_met_by(self, entry: Option<EntryRef<'_>>) -> Result<bool, Failure> {
        Ok(match (self, entry) {
            (Condition::None, _) => true,
            (Condition::Absent, entry) => entry.is_none(),
            (Condition::Present, entry) => entry.is_some(),
            (Condition::Equal(_), None) => false,
            (Condition::Equal(text), Some(entry)) => Text::of_entry(entry)?.bytes() == text,
        })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetOptions<'a> {
    pub condition: Condition<'a>,
    /// Whether the answer is what the key held before.
    pub get: bool,
    keep_ttl: bool,
    deadline: Option<(DeadlineForm, &'a [u8])>,
}

impl<'a> SetOptions<'a> {
    /// Reads the options of SET.
    pub fn of_one(words: Args<'a>) -> Result<Self, Failure> {
        Self::parse(words, true)
    }

    /// Reads the options of MSETEX: none that is about the value of one key.
    pub fn of_many(words: Args<'a>) -> Result<Self, Failure> {
        Self::parse(words, false)
    }

    fn parse(words: Args<'a>, of_one: bool) -> Result<Self, Failure> {
        let mut options = SetOptions::default();
        let mut at = 0;
        while let Some(option) = words.get(at) {
            at += 1;
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            let may_be = |condition| options.condition == Condition::None || options.condition == condition;
            if is(b"nx") && may_be(Condition::Absent) {
                options.condition = Condition::Absent;
            } else if is(b"xx") && may_be(Condition::Present) {
                options.condition = Condition::Present;
            } else if is(b"ifeq")
                && of_one
                && options.condition == Condition::None
                && let Some(value) = words.get(at)
            {
                options.condition = Condition::Equal(value);
                at += 1;
            } else if is(b"get") && of_one {
                options.get = true;
            } else if is(b"keepttl") && options.deadline.is_none() {
                options.keep_ttl = true;
            } else if let Some(form) = DeadlineForm::parse(option)
                && options.deadline.is_none_or(|(earlier, _)| earlier == form)
                && !options.keep_ttl
                && let Some(value) = words.get(at)
            {
                options.deadline = Some((form, value));
                at += 1;
            } else {
                return syntax_error();
            }
        }
        Ok(options)
    }

    /// Until when to store. `command` is named in the error.
    pub fn deadline(&self, now: Millis, command: &str) -> Result<Deadline, Failure> {
        Ok(match self.deadline {
            Some((form, text)) => Deadline::At(form.positive_deadline(text, now, command)?),
            None if self.keep_ttl => Deadline::Keep,
            None => Deadline::Clear,
        })
    }
}
