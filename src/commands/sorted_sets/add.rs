//! ZADD and ZINCRBY, and what GEOADD has in common with them.

use crate::commands::expiry::syntax_error;
use crate::commands::values::{ViewMut, ZsetBuilder, ZsetMut};
use crate::format::number::{parse_double, parse_i64};
use crate::keyspace::Key;
use crate::resp::request::Args;
use crate::server::failure::{Failure, NOT_FLOAT};
use crate::server::notify::Class;
use crate::server::{Context, Outcome};

/// Scores up to this magnitude are read as integers first, which is quicker; doubles hold all of them.
const EXACT_INTEGERS: u64 = 1 << 53;

fn parse_score(text: &[u8]) -> Result<f64, Failure> {
    match parse_i64(text) {
        Some(value) if value.unsigned_abs() <= EXACT_INTEGERS => Ok(value as f64),
        _ => parse_double(text).ok_or_else(|| NOT_FLOAT.into()),
    }
}

/// ZADD's options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddOptions {
    pub only_absent: bool,
    pub only_present: bool,
    pub only_greater: bool,
    pub only_less: bool,
    pub count_changed: bool,
    pub increment: bool,
}

/// What became of one member.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Added {
    New(f64),
    Changed(f64),
    Same(f64),
    /// An option kept it from being written.
    Skipped,
    /// An increment of one infinity by the other.
    NotANumber,
}

impl AddOptions {
    /// Reads options from the third argument on, beyond those given; says also where the scores begin.
    fn parse(mut options: AddOptions, args: Args<'_>) -> (Self, usize) {
        let mut at = 2;
        while let Some(option) = args.get(at) {
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            if is(b"nx") {
                options.only_absent = true;
            } else if is(b"xx") {
                options.only_present = true;
            } else if is(b"gt") {
                options.only_greater = true;
            } else if is(b"lt") {
                options.only_less = true;
            } else if is(b"ch") {
                options.count_changed = true;
            } else if is(b"incr") {
                options.increment = true;
            } else {
                break;
            }
            at += 1;
        }
        (options, at)
    }

    fn check(self, pairs: usize) -> Outcome {
        if self.only_absent && self.only_present {
            return Err("ERR XX and NX options at the same time are not compatible".into());
        }
        let exclusive = [self.only_greater, self.only_less, self.only_absent];
        if exclusive.into_iter().filter(|&chosen| chosen).count() > 1 {
            return Err("ERR GT, LT, and/or NX options at the same time are not compatible".into());
        }
        if self.increment && pairs > 1 {
            return Err("ERR INCR option supports a single increment-element pair".into());
        }
        Ok(())
    }

    /// What becomes of a member that has the score `old`, if it has one, and is given `score`.
    fn apply(self, old: Option<f64>, score: f64) -> Added {
        let Some(old) = old else {
            return if self.only_present {
                Added::Skipped
            } else {
                Added::New(score)
            };
        };
        if self.only_absent {
            return Added::Skipped;
        }
        let score = if self.increment { old + score } else { score };
        if score.is_nan() {
            return Added::NotANumber;
        }
        if self.only_greater && score <= old || self.only_less && score >= old {
            return Added::Skipped;
        }
        if score == old {
            Added::Same(score)
        } else {
            Added::Changed(score)
        }
    }
}

impl Added {
    /// The score to write.
    fn written(self) -> Option<f64> {
        match self {
            Added::New(score) | Added::Changed(score) => Some(score),
            Added::Same(_) | Added::Skipped | Added::NotANumber => None,
        }
    }
}

/// ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]
pub(super) fn zadd(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    add(ctx, args, AddOptions::default())
}

/// ZINCRBY key increment member. An increment that is spelt like an option of ZADD is taken for one, as Redis does.
pub(super) fn zincrby(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let options = AddOptions {
        increment: true,
        ..AddOptions::default()
    };
    add(ctx, args, options)
}

fn add(ctx: &mut Context<'_>, args: Args<'_>, options: AddOptions) -> Outcome {
    let (options, first) = AddOptions::parse(options, args);
    let rest = args.len() - first;
    if rest == 0 || rest % 2 == 1 {
        return syntax_error();
    }
    options.check(rest / 2)?;
    add_pairs(ctx, args, options, first)
}

/// Adds the pairs from argument `first` on, or none of them if a score is no number.
fn add_pairs(ctx: &mut Context<'_>, args: Args<'_>, options: AddOptions, first: usize) -> Outcome {
    let pairs = (first..args.len()).step_by(2);
    // Scores are read twice, which costs less than a place to keep them, and a single one only once.
    let score_of_first = parse_score(args.at(first))?;
    for at in pairs.clone().skip(1) {
        parse_score(args.at(at))?;
    }
    let score = |at: usize| {
        if at == first {
            score_of_first
        } else {
            parse_score(args.at(at)).unwrap_or_default()
        }
    };
    let members = pairs.map(|at| (args.at(at + 1), move || score(at)));
    let key = ctx.key(&args, 1);
    add_members(ctx, key, options, members)
}

/// Adds members to the sorted set of `key`, each with what gives its score, and replies as ZADD does.
pub fn add_members<'m, S: FnOnce() -> f64>(
    ctx: &mut Context<'_>,
    key: Key<'_>,
    options: AddOptions,
    members: impl ExactSizeIterator<Item = (&'m [u8], S)> + Clone,
) -> Outcome {
    let (mut new, mut changed, mut last) = (0, 0, Added::Skipped);
    let mut decide = |old: Option<f64>, score: f64| {
        last = options.apply(old, score);
        match last {
            Added::New(_) => new += 1,
            Added::Changed(_) => changed += 1,
            Added::Same(_) | Added::Skipped | Added::NotANumber => {}
        }
        last.written()
    };
    let longest = || members.clone().map(|(member, _)| member.len()).max().unwrap_or(0);
    match ctx.core.write_as::<ZsetMut>(ctx.database, key)? {
        Some(mut zset) => {
            zset.expect(members.len(), longest);
            members.for_each(|(member, score)| zset.update(member, |old| decide(old, score())));
        }
        None if options.only_present => {}
        None => {
            let mut zset = ZsetBuilder::new(members.len(), longest(), ZsetMut::limits(&ctx.core.settings));
            members.for_each(|(member, score)| zset.update(member, |old| decide(old, score())));
            ctx.core.create(ctx.database, key, zset.finish());
        }
    }
    if new + changed > 0 {
        let event = if options.increment { "zincr" } else { "zadd" };
        ctx.changed_times(new + changed, Class::ZSET, event, key.bytes);
    }
    match last {
        Added::NotANumber => return Err("ERR resulting score is not a number (NaN)".into()),
        Added::New(score) | Added::Changed(score) | Added::Same(score) if options.increment => ctx.reply.double(score),
        Added::Skipped if options.increment => ctx.reply.null(),
        Added::New(_) | Added::Changed(_) | Added::Same(_) | Added::Skipped if options.count_changed => {
            ctx.reply.len(new + changed);
        }
        Added::New(_) | Added::Changed(_) | Added::Same(_) | Added::Skipped => ctx.reply.len(new),
    }
    Ok(())
}
