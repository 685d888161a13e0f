//! Deadlines of a hash's fields: the HEXPIRE family sets them, the HTTL family tells them, HPERSIST takes them away; HSETEX,
//! HGETEX and HGETDEL do the like together with the values.
//!
//! A field is there before its deadline and gone from it on, so one that is given a deadline of now or earlier is removed
//! at once, and the key with the last. What expires later does so by the wheel (see [`crate::keyspace::expiry`]).

use super::expiry::DeadlineForm;
use super::handlers::Family;
use super::table::errors::wrong_arity;
use super::values::{FieldDeadline, HashMut, delete_emptied, new_hash};
use crate::format::number::parse_i64;
use crate::keyspace::Key;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::timer::Millis;
use crate::types::hash::HashRef;

pub const COMMANDS: Family = &[
    ("hexpire", hexpire),
    ("hexpireat", hexpireat),
    ("hexpiretime", hexpiretime),
    ("hgetdel", hgetdel),
    ("hgetex", hgetex),
    ("hpersist", hpersist),
    ("hpexpire", hpexpire),
    ("hpexpireat", hpexpireat),
    ("hpexpiretime", hpexpiretime),
    ("hpttl", hpttl),
    ("hsetex", hsetex),
    ("httl", httl),
];

/// The latest deadline a field may have, in Unix milliseconds.
const LATEST: Millis = Millis((1 << 46) - 1);

const MISPLACED: &str = "ERR Mandatory argument FIELDS is missing or not at the right position";
const MISCOUNTED: &str = "ERR The `numfields` parameter must match the number of arguments";
const NOT_POSITIVE: &str = "ERR Number of fields must be a positive integer";
const NOT_ABOVE_ZERO: &str = "ERR Parameter `numFields` should be greater than 0";
const NEGATIVE_TIME: &str = "ERR invalid expire time, must be >= 0";

/// What is answered for a field.
const NO_FIELD: i64 = -2;
const NO_DEADLINE: i64 = -1;
const NOT_MET: i64 = 0;
const DONE: i64 = 1;
const REMOVED: i64 = 2;

/// Reads `FIELDS count field [field ...]`, which begins at argument `at` and ends the command.
fn parse_fields<'a>(args: Args<'a>, at: usize, bad_count: &'static str) -> Result<Args<'a>, Failure> {
    if !args.get(at).is_some_and(|word| word.eq_ignore_ascii_case(b"fields")) {
        return Err(MISPLACED.into());
    }
    let count = args.get(at + 1).and_then(parse_i64).filter(|count| *count > 0);
    let (count, fields) = (count.ok_or(bad_count)?, args.from(at + 2));
    match usize::try_from(count) == Ok(fields.len()) {
        true => Ok(fields),
        false => Err(MISCOUNTED.into()),
    }
}

/// Reads a deadline.
fn parse_deadline(ctx: &Context<'_>, text: &[u8], form: DeadlineForm) -> Result<Millis, Failure> {
    let value = integer(text)?;
    if value < 0 {
        return Err(NEGATIVE_TIME.into());
    }
    let deadline = form.deadline(value, ctx.now()).filter(|at| *at <= LATEST);
    deadline.ok_or_else(|| format!("ERR invalid expire time in '{}' command", ctx.spec.name).into())
}

/// On which condition a field gets its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Always,
    /// NX: it has none.
    Absent,
    /// XX: it has one.
    Present,
    /// GT: the new one is later. None at all is later than any.
    Later,
    /// LT: the new one is earlier.
    Earlier,
}

impl Condition {
    /// `None` if the word is no condition.
    fn parse(word: &[u8]) -> Option<Self> {
        Some(match &word.to_ascii_lowercase()[..] {
            b"nx" => Condition::Absent,
            b"xx" => Condition::Present,
            b"gt" => Condition::Later,
            b"lt" => Condition::Earlier,
            _ => return None,
        })
    }

    fn allows(self, old: Option<Millis>, new: Millis) -> bool {
        match self {
            Condition::Always => true,
            Condition::Absent => old.is_none(),
            Condition::Present => old.is_some(),
            Condition::Later => old.is_some_and(|old| new > old),
            Condition::Earlier => old.is_none_or(|old| new < old),
        }
    }
}

/// What a command did to the fields of a hash.
#[derive(Debug)]
struct Changes<'a> {
    updated: usize,
    removed: usize,
    /// Which they are, if changes are recorded.
    fields: Vec<&'a [u8]>,
    recording: bool,
    /// From which deadline on a field goes as soon as it is given one.
    gone_by: Millis,
}

impl<'a> Changes<'a> {
    fn new(ctx: &Context<'_>) -> Self {
        Changes {
            updated: 0,
            removed: 0,
            fields: Vec::new(),
            recording: ctx.core.propagation.is_on,
            gone_by: ctx.core.gone_by(),
        }
    }

    /// Gives a field that is there a deadline, or removes it if that has passed; gives what is answered for it.
    fn expire(&mut self, hash: &mut HashMut<'_>, field: &'a [u8], deadline: Millis) -> i64 {
        if deadline <= self.gone_by {
            self.remove(hash, field);
            return REMOVED;
        }
        self.update(hash, field, Some(deadline));
        DONE
    }

    fn update(&mut self, hash: &mut HashMut<'_>, field: &'a [u8], deadline: Option<Millis>) {
        hash.set_deadline(field, deadline);
        self.updated += 1;
        self.note(field);
    }

    fn remove(&mut self, hash: &mut HashMut<'_>, field: &'a [u8]) {
        hash.remove(field);
        self.removed += 1;
        self.note(field);
    }

    fn note(&mut self, field: &'a [u8]) {
        if self.recording {
            self.fields.push(field);
        }
    }

    fn is_none(&self) -> bool {
        self.updated + self.removed == 0
    }

    /// Records a request with all fields that were changed, counted or not.
    fn record(&self, ctx: &mut Context<'_>, head: &[&[u8]], counted: bool) {
        if !self.recording {
            return;
        }
        let mut digits = itoa::Buffer::new();
        let mut words = head.to_vec();
        if counted {
            words.extend([b"FIELDS", digits.format(self.fields.len()).as_bytes()]);
        }
        words.extend(&self.fields);
        ctx.record(&words);
    }

    fn record_removal(&self, ctx: &mut Context<'_>, key: Key<'_>) {
        self.record(ctx, &[b"HDEL", key.bytes], false);
    }
}

/// Deletes a key whose hash has no fields any more.
fn delete_if_emptied(ctx: &mut Context<'_>, key: Key<'_>) -> Outcome {
    let hash = ctx.core.write_as::<HashMut>(ctx.database, key)?;
    if hash.is_some_and(|mut hash| hash.is_emptied()) {
        delete_emptied(ctx, key);
    }
    Ok(())
}

/// HEXPIRE, HPEXPIRE, HEXPIREAT and HPEXPIREAT: key deadline [NX | XX | GT | LT] FIELDS count field [field ...].
fn set_deadlines(ctx: &mut Context<'_>, args: Args<'_>, form: DeadlineForm) -> Outcome {
    let key = ctx.key(&args, 1);
    ctx.core.write_as::<HashMut>(ctx.database, key)?;
    let deadline = parse_deadline(ctx, args.at(2), form)?;
    let condition = Condition::parse(args.at(3));
    let fields = parse_fields(args, 3 + usize::from(condition.is_some()), NOT_ABOVE_ZERO)?;
    let condition = condition.unwrap_or(Condition::Always);
    let mut changes = Changes::new(ctx);
    let mut hash = ctx.core.write_as::<HashMut>(ctx.database, key)?;
    if let Some(hash) = &mut hash {
        hash.make_timed();
    }
    ctx.reply.array(fields.len());
    for field in fields.iter() {
        let code = match &mut hash {
            None => NO_FIELD,
            Some(hash) => match hash.view().deadline(field) {
                None => NO_FIELD,
                Some(old) if !condition.allows(old, deadline) => NOT_MET,
                Some(_) => changes.expire(hash, field, deadline),
            },
        };
        ctx.reply.int(code);
    }
    tell_expiry(ctx, key, &changes, deadline)
}

/// Tells and records what became of the fields that a command has given this deadline.
fn tell_expiry(ctx: &mut Context<'_>, key: Key<'_>, changes: &Changes<'_>, deadline: Millis) -> Outcome {
    if changes.is_none() {
        return Ok(());
    }
    ctx.core.stats.expired_subkeys += changes.removed as u64;
    let event = if changes.removed > 0 { "hdel" } else { "hexpire" };
    ctx.changed_times(changes.updated + changes.removed, Class::HASH, event, key.bytes);
    if changes.removed > 0 {
        changes.record_removal(ctx, key);
        return delete_if_emptied(ctx, key);
    }
    let mut digits = itoa::Buffer::new();
    let deadline = digits.format(deadline.0).as_bytes();
    changes.record(ctx, &[b"HPEXPIREAT", key.bytes, deadline], true);
    Ok(())
}

/// HEXPIRE key seconds [NX | XX | GT | LT] FIELDS count field [field ...]
fn hexpire(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set_deadlines(ctx, args, DeadlineForm::EX)
}

/// HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS count field [field ...]
fn hpexpire(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set_deadlines(ctx, args, DeadlineForm::PX)
}

/// HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS count field [field ...]
fn hexpireat(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set_deadlines(ctx, args, DeadlineForm::EXAT)
}

/// HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS count field [field ...]
fn hpexpireat(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set_deadlines(ctx, args, DeadlineForm::PXAT)
}

/// Tells deadlines in the form asked for. Seconds are rounded up, so that what is left is never told as nothing.
fn tell_deadlines(ctx: &mut Context<'_>, args: Args<'_>, form: DeadlineForm) -> Outcome {
    let (key, now) = (ctx.key(&args, 1), ctx.now());
    let hash = ctx.core.read_as::<HashRef>(ctx.database, key)?;
    let fields = parse_fields(args, 2, NOT_POSITIVE)?;
    ctx.reply.array(fields.len());
    for field in fields.iter() {
        let told = match hash.and_then(|hash| hash.deadline(field)) {
            None => NO_FIELD,
            Some(None) => NO_DEADLINE,
            Some(Some(deadline)) => {
                let millis = form.told(deadline, now);
                if form.seconds { (millis + 999) / 1000 } else { millis }
            }
        };
        ctx.reply.int(told);
    }
    Ok(())
}

/// HTTL key FIELDS count field [field ...]
fn httl(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell_deadlines(ctx, args, DeadlineForm::EX)
}

/// HPTTL key FIELDS count field [field ...]
fn hpttl(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell_deadlines(ctx, args, DeadlineForm::PX)
}

/// HEXPIRETIME key FIELDS count field [field ...]
fn hexpiretime(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell_deadlines(ctx, args, DeadlineForm::EXAT)
}

/// HPEXPIRETIME key FIELDS count field [field ...]
fn hpexpiretime(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell_deadlines(ctx, args, DeadlineForm::PXAT)
}

/// HPERSIST key FIELDS count field [field ...]. Counts as one change, however many deadlines go.
fn hpersist(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let mut changes = Changes::new(ctx);
    let mut hash = ctx.core.write_as::<HashMut>(ctx.database, key)?;
    let fields = parse_fields(args, 2, NOT_POSITIVE)?;
    ctx.reply.array(fields.len());
    for field in fields.iter() {
        let code = match &mut hash {
            None => NO_FIELD,
            Some(hash) => match hash.view().deadline(field) {
                None => NO_FIELD,
                Some(None) => NO_DEADLINE,
                Some(Some(_)) => {
                    changes.update(hash, field, None);
                    DONE
                }
            },
        };
        ctx.reply.int(code);
    }
    if !changes.is_none() {
        ctx.changed(Class::HASH, "hpersist", key.bytes);
        changes.record(ctx, &[b"HPERSIST", key.bytes], true);
    }
    Ok(())
}

/// HGETDEL key FIELDS count field [field ...]
fn hgetdel(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let mut changes = Changes::new(ctx);
    let mut hash = ctx.core.write_as::<HashMut>(ctx.database, key)?;
    let fields = parse_fields(args, 2, NOT_POSITIVE)?;
    ctx.reply.array(fields.len());
    for field in fields.iter() {
        let Some(hash) = &mut hash else {
            ctx.reply.null();
            continue;
        };
        match hash.view().get(field) {
            Some(value) => ctx.reply.element(value),
            None => {
                ctx.reply.null();
                continue;
            }
        }
        changes.remove(hash, field);
    }
    if !changes.is_none() {
        ctx.changed_times(changes.removed, Class::HASH, "hdel", key.bytes);
        changes.record_removal(ctx, key);
        delete_if_emptied(ctx, key)?;
    }
    Ok(())
}

/// What HGETEX does to the deadlines of the fields it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Only,
    Expire(Millis),
    Persist,
}

/// HGETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] FIELDS count
/// field [field ...]
fn hgetex(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    ctx.core.write_as::<HashMut>(ctx.database, key)?;
    let option = args.at(2);
    let (reading, at) = match DeadlineForm::parse(option) {
        Some(form) => (Reading::Expire(parse_deadline(ctx, args.at(3), form)?), 4),
        None if option.eq_ignore_ascii_case(b"persist") => (Reading::Persist, 3),
        None => (Reading::Only, 2),
    };
    let fields = parse_fields(args, at, NOT_POSITIVE)?;
    let mut changes = Changes::new(ctx);
    let mut hash = ctx.core.write_as::<HashMut>(ctx.database, key)?;
    if let Some(hash) = hash.as_mut().filter(|_| reading != Reading::Only) {
        hash.make_timed();
    }
    ctx.reply.array(fields.len());
    for field in fields.iter() {
        let Some(hash) = &mut hash else {
            ctx.reply.null();
            continue;
        };
        match hash.view().get(field) {
            Some(value) => ctx.reply.element(value),
            None => {
                ctx.reply.null();
                continue;
            }
        }
        match reading {
            Reading::Only => {}
            Reading::Expire(deadline) => {
                changes.expire(hash, field, deadline);
            }
            Reading::Persist if hash.view().deadline(field).flatten().is_some() => changes.update(hash, field, None),
            Reading::Persist => {}
        }
    }
    match reading {
        Reading::Expire(deadline) => tell_expiry(ctx, key, &changes, deadline)?,
        Reading::Persist if !changes.is_none() => {
            ctx.changed_times(changes.updated, Class::HASH, "hpersist", key.bytes);
            changes.record(ctx, &[b"HPERSIST", key.bytes], true);
        }
        Reading::Only | Reading::Persist => {}
    }
    Ok(())
}

/// HSETEX's options.
struct SetOptions<'a> {
    /// FNX or FXX: set all or nothing, by whether the fields are there.
    present: Option<bool>,
    deadline: Option<Millis>,
    keep: bool,
    /// Fields and values in turn.
    pairs: Args<'a>,
}

impl<'a> SetOptions<'a> {
    /// Reads what stands behind the key, up to FIELDS and its pairs, which end the command.
    fn parse(ctx: &Context<'_>, args: Args<'a>) -> Result<Self, Failure> {
        let mut options = SetOptions {
            present: None,
            deadline: None,
            keep: false,
            pairs: args.from(args.len()),
        };
        let arity = || Failure::from(wrong_arity(ctx.spec.name));
        let mut at = 2;
        while let Some(word) = args.get(at) {
            let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
            let form = DeadlineForm::parse(word);
            if is(b"fields") {
                options.pairs = pairs_of(args, at).ok_or_else(arity)??;
                return Ok(options);
            } else if form.is_some() || is(b"keepttl") {
                if options.deadline.is_some() || options.keep {
                    return Err("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified".into());
                }
                match form {
                    None => options.keep = true,
                    Some(form) => {
                        at += 1;
                        let text = args.get(at).ok_or("ERR missing expire time")?;
                        options.deadline = Some(parse_deadline(ctx, text, form)?);
                    }
                }
            } else if is(b"fxx") || is(b"fnx") {
                if options.present.is_some() {
                    return Err("ERR Only one of FXX or FNX arguments can be specified".into());
                }
                options.present = Some(is(b"fxx"));
            } else {
                let shown = word.split(|&byte| byte == 0).next().unwrap_or_default();
                return Err([b"ERR unknown argument: ", shown].concat().into());
            }
            at += 1;
        }
        Err(arity())
    }
}

/// The pairs behind a FIELDS at argument `at`; `None` if there are not as many arguments as it says.
fn pairs_of(args: Args<'_>, at: usize) -> Option<Result<Args<'_>, Failure>> {
    if at + 3 >= args.len() {
        return None;
    }
    let count = parse_i64(args.at(at + 1)).filter(|count| (1..=i64::from(i32::MAX)).contains(count));
    let Some(count) = count else {
        return Some(Err("ERR invalid number of fields".into()));
    };
    let pairs = args.from(at + 2);
    (pairs.len() as i64 == 2 * count).then_some(Ok(pairs))
}

/// HSETEX key [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]
/// FIELDS count field value [field value ...]
fn hsetex(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let options = SetOptions::parse(ctx, args)?;
    let key = ctx.key(&args, 1);
    let pairs = options.pairs;
    let fields = || pairs.iter().step_by(2);
    ctx.core.expire_named(ctx.database, key, fields());
    let found = ctx.core.write_as::<HashMut>(ctx.database, key)?;
    let exists = found.is_some();
    let met = match (found, options.present) {
        (_, None) | (None, Some(false)) => true,
        (None, Some(true)) => false,
        (Some(mut hash), Some(present)) => fields().all(|field| hash.view().contains(field) == present),
    };
    if !met {
        ctx.reply.int(0);
        return Ok(());
    }
    if !exists {
        let (hash, _) = new_hash(pairs.range(0..2).iter(), &ctx.core.settings);
        ctx.core.create(ctx.database, key, hash);
    }
    let keep = match options.keep || options.deadline.is_some() {
        true => FieldDeadline::Keep,
        false => FieldDeadline::Clear,
    };
    let mut changes = Changes::new(ctx);
    if let Some(mut hash) = ctx.core.write_as::<HashMut>(ctx.database, key)? {
        hash.make_room(pairs.iter());
        if options.deadline.is_some() {
            hash.make_timed();
        }
        for (field, value) in fields().zip(pairs.iter().skip(1).step_by(2)) {
            hash.set(field, value, keep);
            if let Some(deadline) = options.deadline {
                changes.expire(&mut hash, field, deadline);
            }
        }
    }
    ctx.core.stats.expired_subkeys += changes.removed as u64;
    ctx.changed_times(pairs.len() / 2, Class::HASH, "hset", key.bytes);
    if !changes.is_none() {
        let event = if changes.removed > 0 { "hdel" } else { "hexpire" };
        ctx.notify(Class::HASH, event, key.bytes);
    }
    if changes.removed > 0 {
        changes.record_removal(ctx, key);
    } else {
        record_set(ctx, key, &options);
    }
    ctx.reply.int(1);
    delete_if_emptied(ctx, key)
}

/// Records what HSETEX has set: without its condition, which was met, and with its time as a deadline.
fn record_set(ctx: &mut Context<'_>, key: Key<'_>, options: &SetOptions<'_>) {
    if !ctx.core.propagation.is_on {
        return;
    }
    let (mut deadline_digits, mut count_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
    let mut words: Vec<&[u8]> = match (options.deadline, options.keep) {
        (None, false) => vec![b"HSET", key.bytes],
        (None, true) => vec![b"HSETEX", key.bytes, b"KEEPTTL"],
        (Some(at), _) => vec![b"HSETEX", key.bytes, b"PXAT", deadline_digits.format(at.0).as_bytes()],
    };
    if words[0] == b"HSETEX" {
        words.extend([b"FIELDS", count_digits.format(options.pairs.len() / 2).as_bytes()]);
    }
    words.extend(options.pairs.iter());
    ctx.record(&words);
}

#[cfg(test)]
#[path = "field_expiry_tests.rs"]
mod tests;
