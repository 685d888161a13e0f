//! Key specs: where in a command line the keys are, and what happens to them.
//!
//! A spec has three parts: where to begin (an index, or the argument after a keyword), how to go on from there (a
//! range, or a count given in the line itself), and the access. Most commands share a handful of combinations, so rows
//! read `READ.at(KEY_1)`: an access constant at a place constant. New combinations get a name below.

use super::flags::{KeyFlag, KeyFlags};

/// Where the first key may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeginSearch {
    /// At this argument; the command name is argument 0.
    Index(u8),
    /// After this keyword, looked for from argument `start_from` on; from the end backwards when negative.
    Keyword { keyword: &'static str, start_from: i8 },
    /// No rule can tell: ask the command.
    Unknown,
}

/// Which arguments are keys, seen from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindKeys {
    /// Every `step`th argument through `last`: relative to the first key, or to the end when negative.
    /// A `limit` above 1 ends the range after that fraction of the remaining arguments.
    Range { last: i8, step: u8, limit: u8 },
    /// The argument `count_at` says how many keys there are, the first one at `first`; both relative to the beginning.
    KeyNum { count_at: u8, first: u8, step: u8 },
    /// No rule can tell: ask the command.
    Unknown,
}

/// Where keys are, without what happens to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub begin: BeginSearch,
    pub find: FindKeys,
}

/// One group of key arguments of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpec {
    pub flags: KeyFlags,
    pub place: Place,
    /// A remark for readers of COMMAND INFO.
    pub note: Option<&'static str>,
}

impl KeyFlags {
    /// A spec for keys accessed this way.
    pub const fn at(self, place: Place) -> KeySpec {
        KeySpec {
            flags: self,
            place,
            note: None,
        }
    }
}

impl KeySpec {
    pub const fn note(mut self, note: &'static str) -> KeySpec {
        self.note = Some(note);
        self
    }

    /// The first argument, the last (from the end when negative) and the step, when that is all there is to it.
    const fn legacy_range(&self) -> Option<ArgRange> {
        let (BeginSearch::Index(first), FindKeys::Range { last, step, limit: 0 }) = (self.place.begin, self.place.find)
        else {
            return None;
        };
        let first = first as i16;
        let last = if last >= 0 { first + last as i16 } else { last as i16 };
        Some(ArgRange {
            first,
            last,
            step: step as i16,
        })
    }
}

/// Which arguments are keys, as COMMAND told it before there were key specs; or which are elements. All zero: none at
/// known places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArgRange {
    /// The first argument.
    pub first: i16,
    /// The last argument; counted from the end when negative.
    pub last: i16,
    /// From one to the next.
    pub step: i16,
}

impl ArgRange {
    pub const NONE: ArgRange = ArgRange::every(0, 0, 0);
    /// Nothing but the first argument behind the name: what most commands with keys have.
    pub const FIRST: ArgRange = ArgRange::every(1, 1, 1);

    /// Every `step`th argument from `first` to `last`.
    const fn every(step: i16, first: i16, last: i16) -> ArgRange {
        ArgRange { first, last, step }
    }

    #[inline]
    pub const fn is_none(self) -> bool {
        self.first == 0
    }

    /// The arguments of this range, which is not none, in a request of `argc`.
    #[inline]
    pub fn indices(self, argc: usize) -> impl Iterator<Item = usize> {
        let end = if self.last < 0 {
            argc.saturating_sub(self.last.unsigned_abs() as usize - 1)
        } else {
            argc.min(self.last as usize + 1)
        };
        (self.first as usize..end).step_by(self.step.max(1) as usize)
    }

    /// Which one of this range the argument at `index`, which is not the name, is, if it is one. The range's end is not
    /// looked at.
    #[inline]
    pub fn position(self, index: usize) -> Option<usize> {
        if index == self.first as usize {
            return Some(0);
        }
        let behind = index.checked_sub(self.first as usize)?;
        let step = usize::try_from(self.step).ok().filter(|&step| step > 0)?;
        if step == 1 {
            // Spares the division.
            return Some(behind);
        }
        (behind % step == 0).then(|| behind / step)
    }

    /// What the specs say as one range: that of the first fixed spec, and of those that continue it without a gap
    /// (`RENAME` has two specs for arguments 1 and 2, hence the range 1 to 2).
    pub const fn of(specs: &[KeySpec]) -> ArgRange {
        let mut whole = ArgRange::NONE;
        let mut i = 0;
        while i < specs.len() {
            if let Some(range) = specs[i].legacy_range() {
                if whole.is_none() {
                    whole = range;
                } else if whole.last > 0 && whole.last + 1 == range.first {
                    whole.last = range.last;
                }
            }
            i += 1;
        }
        whole
    }
}

use KeyFlag::{Access, Delete, Incomplete, Insert, NotKey, Ow, Rm, Ro, Rw, Update, VariableFlags};

/// Answers with data of the value.
pub const READ: KeyFlags = KeyFlags::of(&[Ro, Access]);
/// Looks at type, length, deadline or existence, not at the data.
pub const METADATA: KeyFlags = KeyFlags::of(&[Ro]);
/// Replaces the value without looking at it.
pub const OVERWRITE: KeyFlags = KeyFlags::of(&[Ow, Update]);
/// Makes a value where there was none, and never replaces one.
pub const CREATE: KeyFlags = KeyFlags::of(&[Ow, Insert]);
/// Removes the entry without looking at it.
pub const DELETE: KeyFlags = KeyFlags::of(&[Rm, Delete]);
/// Changes data without telling what it was.
pub const UPDATE: KeyFlags = KeyFlags::of(&[Rw, Update]);
/// Adds data to the value.
pub const INSERT: KeyFlags = KeyFlags::of(&[Rw, Insert]);
/// Takes data out of the value without telling what it was.
pub const REMOVE: KeyFlags = KeyFlags::of(&[Rw, Delete]);
/// Answers with data and takes it out of the value.
pub const POP: KeyFlags = KeyFlags::of(&[Rw, Access, Delete]);
/// [`POP`] for a spec that may miss keys.
pub const POP_INCOMPLETE: KeyFlags = KeyFlags::of(&[Rw, Access, Delete, Incomplete]);
/// Answers with data and changes it.
pub const READ_UPDATE: KeyFlags = KeyFlags::of(&[Rw, Access, Update]);
/// Answers with data and adds to it.
pub const READ_INSERT: KeyFlags = KeyFlags::of(&[Rw, Access, Insert]);
/// Answers with data and may rewrite the value without changing what it means.
pub const READ_WRITE: KeyFlags = KeyFlags::of(&[Rw, Access]);
/// At most reads and updates; the options of the command decide what it really does.
pub const VARIABLE: KeyFlags = KeyFlags::of(&[Rw, Access, Update, VariableFlags]);
/// Not a key but a shard channel: hashed to a slot like one, and in no database.
pub const CHANNEL: KeyFlags = KeyFlags::of(&[NotKey]);

const fn range(first: u8, last: i8, step: u8) -> Place {
    Place {
        begin: BeginSearch::Index(first),
        find: FindKeys::Range { last, step, limit: 0 },
    }
}

const fn numkeys(at: u8, step: u8) -> Place {
    Place {
        begin: BeginSearch::Index(at),
        find: FindKeys::KeyNum {
            count_at: 0,
            first: 1,
            step,
        },
    }
}

const fn after(keyword: &'static str, start_from: i8, last: i8, limit: u8) -> Place {
    Place {
        begin: BeginSearch::Keyword { keyword, start_from },
        find: FindKeys::Range { last, step: 1, limit },
    }
}

// Where a command without options names elements of the collection at its first key.
pub const ELEMENT_2: ArgRange = ArgRange::every(1, 2, 2);
pub const ELEMENT_3: ArgRange = ArgRange::every(1, 3, 3);
pub const ELEMENTS_FROM_2: ArgRange = ArgRange::every(1, 2, -1);
pub const ELEMENTS_FROM_2_EVERY_SECOND: ArgRange = ArgRange::every(2, 2, -1);
pub const ELEMENTS_FROM_3_EVERY_SECOND: ArgRange = ArgRange::every(2, 3, -1);

pub const KEY_1: Place = range(1, 0, 1);
pub const KEY_2: Place = range(2, 0, 1);
pub const KEY_3: Place = range(3, 0, 1);
pub const KEYS_1_AND_2: Place = range(1, 1, 1);
pub const KEYS_FROM_1: Place = range(1, -1, 1);
pub const KEYS_FROM_2: Place = range(2, -1, 1);
pub const KEYS_FROM_3: Place = range(3, -1, 1);
pub const KEYS_FROM_1_EVERY_SECOND: Place = range(1, -1, 2);
pub const KEYS_FROM_1_BUT_LAST_ARG: Place = range(1, -2, 1);
pub const NUMKEYS_AT_1: Place = numkeys(1, 1);
pub const NUMKEYS_AT_1_EVERY_SECOND: Place = numkeys(1, 2);
pub const NUMKEYS_AT_2: Place = numkeys(2, 1);
pub const STORE_FROM_5: Place = after("STORE", 5, 0, 0);
pub const STORE_FROM_6: Place = after("STORE", 6, 0, 0);
pub const STOREDIST_FROM_5: Place = after("STOREDIST", 5, 0, 0);
pub const STOREDIST_FROM_6: Place = after("STOREDIST", 6, 0, 0);
/// The keys of MIGRATE, which end the line: looked for from the last argument but one.
pub const KEYS_KEYWORD: Place = after("KEYS", -2, -1, 0);
/// Keys, then as many IDs: the first half of what follows.
pub const STREAMS_FROM_1: Place = after("STREAMS", 1, -1, 2);
pub const STREAMS_FROM_4: Place = after("STREAMS", 4, -1, 2);
pub const UNKNOWN: Place = Place {
    begin: BeginSearch::Unknown,
    find: FindKeys::Unknown,
};
