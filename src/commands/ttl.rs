//! Deadlines of keys: the EXPIRE family sets them, the TTL family tells them, PERSIST takes them away.
//!
//! A deadline is a moment of Unix time in milliseconds, whatever unit it was given in. A key is there before its
//! deadline and gone from it on, so one that is set to now or earlier deletes the key at once.

use super::expiry::DeadlineForm;
use super::handlers::Family;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::timer::Millis;

pub const COMMANDS: Family = &[
    ("expire", expire),
    ("expireat", expireat),
    ("expiretime", expiretime),
    ("persist", persist),
    ("pexpire", pexpire),
    ("pexpireat", pexpireat),
    ("pexpiretime", pexpiretime),
    ("pttl", pttl),
    ("ttl", ttl),
];

/// On which condition EXPIRE sets a deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Conditions {
    /// NX: the key has none.
    absent: bool,
    /// XX: the key has one.
    present: bool,
    /// GT: the new one is later.
    later: bool,
    /// LT: the new one is earlier.
    earlier: bool,
}

impl Conditions {
    /// Reads the options from `args[3]` on.
    fn parse(args: Args<'_>) -> Result<Self, Failure> {
        let mut conditions = Conditions::default();
        for option in args.from(3).iter() {
            match option.to_ascii_lowercase().as_slice() {
                b"nx" => conditions.absent = true,
                b"xx" => conditions.present = true,
                b"gt" => conditions.later = true,
                b"lt" => conditions.earlier = true,
                _ => return Err(unsupported(option)),
            }
        }
        let Conditions {
            absent,
            present,
            later,
            earlier,
        } = conditions;
        if absent && (present || later || earlier) {
            return Err("ERR NX and XX, GT or LT options at the same time are not compatible".into());
        }
        if later && earlier {
            return Err("ERR GT and LT options at the same time are not compatible".into());
        }
        Ok(conditions)
    }

    /// Whether they allow `new` in the place of `old`. A key without a deadline counts as expiring never.
    fn allow(self, old: Option<Millis>, new: Millis) -> bool {
        let never = Millis::MAX;
        !(self.absent && old.is_some()
            || self.present && old.is_none()
            || self.later && old.is_none_or(|old| new <= old)
            || self.earlier && new >= old.unwrap_or(never) && old.is_some())
    }
}

/// The error for an unknown option, which is quoted up to a NUL, if it has one.
fn unsupported(option: &[u8]) -> Failure {
    let shown = option.split(|&byte| byte == 0).next().unwrap_or_default();
    [b"ERR Unsupported option ", shown].concat().into()
}

/// EXPIRE, PEXPIRE, EXPIREAT and PEXPIREAT: key deadline [NX | XX | GT | LT].
fn set_deadline(ctx: &mut Context<'_>, args: Args<'_>, form: DeadlineForm) -> Outcome {
    let conditions = Conditions::parse(args)?;
    let value = integer(args.at(2))?;
    let deadline = form
        .deadline(value, ctx.now())
        .ok_or_else(|| format!("ERR invalid expire time in '{}' command", ctx.spec.name))?;
    let key = ctx.key(&args, 1);
    let allowed = match ctx.core.write(ctx.database, key) {
        Some(entry) => conditions.allow(entry.as_ref().deadline(), deadline),
        None => false,
    };
    ctx.reply.int(i64::from(allowed));
    if !allowed {
        return Ok(());
    }
    if deadline <= ctx.now() {
        ctx.core.delete(ctx.database, key);
        ctx.changed(Class::GENERIC, "del", key.bytes);
    } else {
        ctx.core.set_deadline(ctx.database, key, Some(deadline));
        ctx.changed(Class::GENERIC, "expire", key.bytes);
    }
    Ok(())
}

/// EXPIRE key seconds [NX | XX | GT | LT]
fn expire(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set_deadline(ctx, args, DeadlineForm::EX)
}

/// PEXPIRE key milliseconds [NX | XX | GT | LT]
fn pexpire(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set_deadline(ctx, args, DeadlineForm::PX)
}

/// EXPIREAT key unix-time-seconds [NX | XX | GT | LT]
fn expireat(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set_deadline(ctx, args, DeadlineForm::EXAT)
}

/// PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]
fn pexpireat(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set_deadline(ctx, args, DeadlineForm::PXAT)
}

/// Tells a key's deadline in the form asked for: -2 if there is no such key, -1 if it has no deadline. Seconds are
/// rounded to the nearest.
fn tell_deadline(ctx: &mut Context<'_>, args: Args<'_>, form: DeadlineForm) -> Outcome {
    let key = ctx.key(&args, 1);
    let now = ctx.now();
    let told = match ctx.core.inspect(ctx.database, key, |entry| entry.deadline()) {
        None => -2,
        Some(None) => -1,
        Some(Some(deadline)) => {
            let millis = if form.absolute { deadline.0 } else { deadline.since(now) };
            if form.seconds {
                millis.saturating_add(500) / 1000
            } else {
                millis
            }
        }
    };
    ctx.reply.int(told);
    Ok(())
}

/// TTL key
fn ttl(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell_deadline(ctx, args, DeadlineForm::EX)
}

/// PTTL key
fn pttl(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell_deadline(ctx, args, DeadlineForm::PX)
}

/// EXPIRETIME key
fn expiretime(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell_deadline(ctx, args, DeadlineForm::EXAT)
}

/// PEXPIRETIME key
fn pexpiretime(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell_deadline(ctx, args, DeadlineForm::PXAT)
}

/// PERSIST key
fn persist(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let volatile = match ctx.core.write(ctx.database, key) {
        Some(entry) => entry.as_ref().deadline().is_some(),
        None => false,
    };
    if volatile {
        ctx.core.set_deadline(ctx.database, key, None);
        ctx.changed(Class::GENERIC, "persist", key.bytes);
    }
    ctx.reply.int(i64::from(volatile));
    Ok(())
}
