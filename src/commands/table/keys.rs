//! Which arguments of a command line are keys, and what happens to each.
//!
//! ACL rules, client-side caching, cluster routing and COMMAND GETKEYS ask. The key specs of the table answer for
//! nearly every command. They cannot for five kinds of command, which are read by functions of their own below: SORT, whose
//! STORE may stand anywhere; GEORADIUS, whose STORE may stand there twice; MIGRATE, whose one key may be empty and stand for
//! a list at the end; and SET and BITFIELD, whose keys are known but whose options decide between reading and writing.
//!
//! A line can be malformed: a count of keys beyond the end, a range past it. Then no keys are claimed at all, and the
//! command itself reports the syntax error; a guess would let the line through an ACL check with the wrong keys.
//! One leniency is Redis's: a count that is no canonical number (`+2`, `02`) is read as C's `atoi` would, and its keys
//! carry no flags, although every command then refuses such a count.

use super::CommandSpec;
use super::flags::{Flag, KeyFlag, KeyFlags};
use super::key_spec::{BeginSearch, FindKeys, KEY_1, KeySpec, OVERWRITE, POP, Place, READ, READ_UPDATE};

/// An argument that is a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRef {
    /// Which argument; the command name is argument 0.
    pub index: usize,
    /// What happens to the key.
    pub flags: KeyFlags,
}

/// Why no keys could be extracted. [`KeyError::text`] has the error as COMMAND GETKEYS words it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    UnknownCommand,
    NoKeys,
    WrongArity,
    Malformed,
}

impl KeyError {
    pub const fn text(self) -> &'static str {
        match self {
            KeyError::UnknownCommand => "ERR Invalid command specified",
            KeyError::NoKeys => "ERR The command has no key arguments",
            KeyError::WrongArity => "ERR Invalid number of arguments specified for command",
            KeyError::Malformed => "ERR Invalid arguments specified for command",
        }
    }
}

/// The keys of a command line, in the order of the key specs. `args[0]` is the command name.
///
/// O(keys), and O(arguments) for commands whose keys follow a keyword.
pub fn keys(spec: &CommandSpec, args: &[&[u8]]) -> Result<Vec<KeyRef>, KeyError> {
    let mut found = Vec::new();
    keys_into(spec, args, &mut found)?;
    Ok(found)
}

/// [`keys`], appending to a buffer that the caller keeps. On an error nothing is appended.
pub fn keys_into(spec: &CommandSpec, args: &[&[u8]], found: &mut Vec<KeyRef>) -> Result<(), KeyError> {
    if !spec.has_keys() {
        return Err(KeyError::NoKeys);
    }
    if !spec.accepts(args.len()) {
        return Err(KeyError::WrongArity);
    }
    let before = found.len();
    extract(spec, args, found);
    if found.len() == before && !spec.flags.contains(Flag::NoMandatoryKeys) {
        return Err(KeyError::Malformed);
    }
    Ok(())
}

impl CommandSpec {
    /// Whether any argument can be a key; shard channels are none.
    pub fn has_keys(&self) -> bool {
        self.key_specs.iter().any(|spec| !spec.flags.contains(KeyFlag::NotKey))
    }
}

/// Finds no keys when the line is malformed.
fn extract(spec: &CommandSpec, args: &[&[u8]], found: &mut Vec<KeyRef>) {
    match spec.name {
        "set" => found.push(KeyRef {
            index: 1,
            flags: access_of_set(args),
        }),
        "bitfield" => found.push(KeyRef {
            index: 1,
            flags: access_of_bitfield(args),
        }),
        "sort" => keys_of_sort(args, found),
        "georadius" => keys_of_georadius(6, args, found),
        "georadiusbymember" => keys_of_georadius(5, args, found),
        "sort_ro" => found.push(KeyRef { index: 1, flags: READ }),
        "migrate" => keys_of_migrate(args, found),
        _ => {
            let before = found.len();
            let complete = spec
                .key_specs
                .iter()
                .all(|spec| keys_of_spec(spec, args, found).is_some());
            if !complete {
                found.truncate(before);
                keys_by_loose_count(spec, args, found);
            }
        }
    }
}

/// None when the arguments contradict the spec.
fn keys_of_spec(spec: &KeySpec, args: &[&[u8]], found: &mut Vec<KeyRef>) -> Option<()> {
    if spec.flags.contains(KeyFlag::NotKey) {
        return Some(());
    }
    let begin = match spec.place.begin {
        BeginSearch::Index(index) => usize::from(index),
        BeginSearch::Keyword { keyword, start_from } => match find_keyword(keyword, start_from, args) {
            Some(index) if index + 1 < args.len() => index + 1,
            // The option is not there, or without a value, nor are its keys.
            _ => return Some(()),
        },
        BeginSearch::Unknown => return None,
    };
    let (first, last, step) = bounds(spec.place, begin, args)?;
    if first > last || last >= args.len() {
        return None;
    }
    found.extend((first..=last).step_by(step).map(|index| KeyRef {
        index,
        flags: spec.flags,
    }));
    Some(())
}

/// Looks from argument `start_from` on; from the end backwards when negative. Never at the command name.
fn find_keyword(keyword: &str, start_from: i8, args: &[&[u8]]) -> Option<usize> {
    let is_keyword = |&index: &usize| args[index].eq_ignore_ascii_case(keyword.as_bytes());
    let start = usize::from(start_from.unsigned_abs());
    if start_from >= 0 {
        return (start..args.len()).find(is_keyword);
    }
    (1..=args.len().checked_sub(start)?).rev().find(is_keyword)
}

/// First and last key and the step, where the first key is at `begin` or announced there.
fn bounds(place: Place, begin: usize, args: &[&[u8]]) -> Option<(usize, usize, usize)> {
    match place.find {
        FindKeys::Range { last, step, limit } => {
            let back = usize::from(last.unsigned_abs());
            let end = match (last >= 0, limit) {
                (true, _) => begin + back,
                (false, 0 | 1) => args.len().checked_sub(back)?,
                (false, limit) => (begin + args.len().checked_sub(begin)? / usize::from(limit)).checked_sub(back)?,
            };
            Some((begin, end, usize::from(step)))
        }
        FindKeys::KeyNum { count_at, first, step } => {
            let count = count_of_keys(args.get(begin + usize::from(count_at))?)?;
            let (first, step) = (begin + usize::from(first), usize::from(step));
            let last = count.checked_sub(1)?.checked_mul(step)?.checked_add(first)?;
            Some((first, last, step))
        }
        FindKeys::Unknown => None,
    }
}

/// A positive number in its one canonical spelling: no sign, no space, no leading zero.
fn count_of_keys(text: &[u8]) -> Option<usize> {
    text.first().filter(|first| matches!(first, b'1'..=b'9'))?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The second reading of a count of keys, for lines whose count is not canonical: flags unknown, destination last. MSETEX,
/// whose keys have values between them, is not read so.
fn keys_by_loose_count(spec: &CommandSpec, args: &[&[u8]], found: &mut Vec<KeyRef>) {
    let counts = |key_spec: &&KeySpec| matches!(key_spec.place.find, FindKeys::KeyNum { step: 1, .. });
    let Some(BeginSearch::Index(at)) = spec.key_specs.iter().find(counts).map(|key_spec| key_spec.place.begin) else {
        return;
    };
    let first = usize::from(at) + 1;
    let count = args.get(usize::from(at)).map_or(0, |text| leading_number(text));
    if count == 0 || count > args.len() - first {
        return;
    }
    let destination = spec
        .key_specs
        .iter()
        .any(|key_spec| key_spec.place == KEY_1)
        .then_some(1);
    let flags = KeyFlags::default();
    found.extend(
        (first..first + count)
            .chain(destination)
            .map(|index| KeyRef { index, flags }),
    );
}

/// The number at the beginning of a text after spaces and a plus sign; 0 for anything else.
fn leading_number(text: &[u8]) -> usize {
    let text = text.trim_ascii_start();
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| {
        number.saturating_mul(10).saturating_add(usize::from(digit - b'0'))
    })
}

/// SET reads only with the option GET.
fn access_of_set(args: &[&[u8]]) -> KeyFlags {
    let reads = args.iter().skip(3).any(|arg| arg.eq_ignore_ascii_case(b"get"));
    if reads { READ_UPDATE } else { OVERWRITE }
}

/// BITFIELD writes unless all its operations are GET; OVERFLOW is a mode for those that follow.
fn access_of_bitfield(args: &[&[u8]]) -> KeyFlags {
    let mut rest = args.get(2..).unwrap_or_default();
    loop {
        rest = match rest {
            [] => return READ,
            [get, _encoding, _offset, rest @ ..] if get.eq_ignore_ascii_case(b"get") => rest,
            [overflow, _behaviour, rest @ ..] if overflow.eq_ignore_ascii_case(b"overflow") => rest,
            _ => return READ_UPDATE,
        };
    }
}

/// SORT key [options]: the argument after the last STORE is a key, unless the word is the value of another option.
fn keys_of_sort(args: &[&[u8]], found: &mut Vec<KeyRef>) {
    found.push(KeyRef { index: 1, flags: READ });
    let mut store = None;
    let mut at = 2;
    while let Some(word) = args.get(at) {
        let is = |option: &[u8]| word.eq_ignore_ascii_case(option);
        if is(b"store") && at + 1 < args.len() {
            store = Some(at + 1);
        }
        at += match () {
            () if is(b"limit") => 3,
            () if is(b"get") || is(b"by") => 2,
            () => 1,
        };
    }
    found.extend(store.map(|index| KeyRef {
        index,
        flags: OVERWRITE,
    }));
}

/// GEORADIUS key longitude latitude radius unit [options], and GEORADIUSBYMEMBER: the last of STORE and STOREDIST says what
/// is written. Key specs find the first of each, so that a second would pass by what a user may write to.
fn keys_of_georadius(options: usize, args: &[&[u8]], found: &mut Vec<KeyRef>) {
    found.push(KeyRef { index: 1, flags: READ });
    let mut store = None;
    let mut at = options;
    while at + 1 < args.len() {
        let is = |option: &[u8]| args[at].eq_ignore_ascii_case(option);
        at += if is(b"store") || is(b"storedist") {
            store = Some(at + 1);
            2
        } else {
            1
        };
    }
    found.extend(store.map(|index| KeyRef {
        index,
        flags: OVERWRITE,
    }));
}

/// MIGRATE host port key|"" db timeout [options] [KEYS key ...]: one key, or all after KEYS if that one is empty.
/// With both a key and a list MIGRATE refuses the line. A KEYS that ends the line is not looked for.
fn keys_of_migrate(args: &[&[u8]], found: &mut Vec<KeyRef>) {
    let keys = match find_keyword("KEYS", -2, args).and_then(|_| keys_option_of_migrate(args)) {
        None => 3..4,
        Some(at) if args[3].is_empty() => at + 1..args.len(),
        Some(_) => return,
    };
    found.extend(keys.map(|index| KeyRef { index, flags: POP }));
}

/// Where KEYS stands among the options, and not as the value of one.
fn keys_option_of_migrate(args: &[&[u8]]) -> Option<usize> {
    let mut at = 6;
    loop {
        let word = args.get(at)?;
        let is = |option: &[u8]| word.eq_ignore_ascii_case(option);
        at += match () {
            () if is(b"keys") => return Some(at),
            () if is(b"auth2") => 3,
            () if is(b"auth") => 2,
            () => 1,
        };
    }
}
