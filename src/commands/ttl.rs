//! Deadlines of keys: the EXPIRE family sets them, the TTL family tells them, PERSIST takes them away.
//!
//! A deadline is a moment of Unix time in milliseconds, whatever unit it was given in. A key is there before its
//! deadline and gone from it on, so one that is set to now or earlier deletes the key at once.

use super::expiry::DeadlineForm;
use super::handlers::Family;
use crate::keyspace::Key;
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

/// The error for an unknown option, which is quoted up to a NUL, and without line breaks at its end.
fn unsupported(option: &[u8]) -> Failure {
    let shown = option.split(|&byte| byte == 0).next().unwrap_or_default();
    let breaks = shown.iter().rev().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    let shown = &shown[..shown.len() - breaks.count()];
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
    if deadline <= ctx.core.gone_by() {
        ctx.core.delete(ctx.database, key);
        ctx.changed(Class::GENERIC, "del", key.bytes);
        record_past(ctx, key);
    } else {
        ctx.core.set_deadline(ctx.database, key, Some(deadline));
        ctx.changed(Class::GENERIC, "expire", key.bytes);
        record_deadline(ctx, key, deadline);
    }
    Ok(())
}

/// Records that a key got a deadline, whatever unit it was given in and from when on.
pub fn record_deadline(ctx: &mut Context<'_>, key: Key<'_>, deadline: Millis) {
    let mut digits = itoa::Buffer::new();
    ctx.record(&[b"PEXPIREAT", key.bytes, digits.format(deadline.0).as_bytes()]);
}

/// Records that a key got a deadline in the past and so was deleted.
pub fn record_past(ctx: &mut Context<'_>, key: Key<'_>) {
    let unlink = ctx.core.settings.lazyfree_lazy_expire;
    ctx.record(&[if unlink { b"UNLINK" } else { b"DEL" }, key.bytes]);
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
            let millis = form.told(deadline, now);
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

#[cfg(test)]
mod tests {
    use crate::server::testing::{START, Server};

    #[test]
    fn a_key_lives_to_its_deadline_and_not_on_it() {
        let mut server = Server::start();
        server.ask("SET a 1");
        assert_eq!(server.ask("PEXPIRE a 1500"), ":1|");
        assert_eq!(server.ask("PEXPIRETIME a"), format!(":{}|", START + 1500));
        assert_eq!(server.ask("TTL a"), ":2|", "seconds are rounded to the nearest");
        assert_eq!(server.at(1001).ask("TTL a"), ":0|");
        assert_eq!(server.at(1499).ask("PTTL a"), ":1|");
        assert_eq!(server.ask("GET a"), "$1|1|");
        assert_eq!(server.at(1500).ask("GET a"), "$-1|");
        assert_eq!(server.ask("PTTL a"), ":-2|");
    }

    #[test]
    fn reads_and_writes_expire_a_key_that_the_wheel_has_not_reached() {
        let mut server = Server::start();
        server.ask("SET a 5 PX 10");
        server.ask("SET b 5 PX 10");
        server.listen();
        let told = server.at(10).ask("INCR a");
        assert!(told.starts_with(":1|") && told.contains("expired|$1|a|"), "{told}");
        assert_eq!(server.ask("PTTL a"), ":-1|");
        let told = server.ask("GET b");
        assert!(
            told.contains("expired|$1|b|") && told.ends_with("keymiss|$1|b|"),
            "{told}"
        );
        assert_eq!(server.core.stats.expired_keys, 2);
        assert_eq!(server.expire_due(), "", "nothing is left to expire");
    }

    #[test]
    fn the_wheel_expires_what_nobody_looks_at() {
        let mut server = Server::start();
        for n in 0..1000 {
            server.ask(&format!("SET {n} x PX {}", 1 + n % 100));
        }
        server.ask("PEXPIRE 7 500");
        server.ask("PERSIST 8");
        assert_eq!(server.core.next_due().map(|due| due.0 <= START + 1), Some(true));
        server.at(50).expire_due();
        assert_eq!(server.ask("DBSIZE"), ":502|");
        server.at(100).expire_due();
        assert_eq!(server.ask("DBSIZE"), ":2|");
        server.at(500).expire_due();
        assert_eq!(server.ask("KEYS *"), "*1|$1|8|");
        assert_eq!(server.core.stats.expired_keys, 999);
    }

    #[test]
    fn a_deadline_in_the_past_deletes() {
        let mut server = Server::start();
        server.listen();
        for past in [
            "EXPIRE a 0",
            "EXPIRE a -1",
            "PEXPIRE a -9223372036854775808",
            "EXPIREAT a 1",
            "PEXPIREAT a -5",
            &format!("PEXPIREAT a {START}"),
        ] {
            server.ask("SET a 1");
            let dirty = server.core.dirty;
            let told = server.ask(past);
            assert!(
                told.starts_with(":1|") && told.ends_with(":del|$1|a|"),
                "{past}: {told}"
            );
            assert_eq!(server.core.dirty, dirty + 1);
            assert!(server.core.keyspace.is_empty());
        }
        assert_eq!(server.core.stats.expired_keys, 0);
    }

    #[test]
    fn conditions_compare_with_the_deadline_before() {
        let mut server = Server::start();
        // Deadline before, or 0 for none; command; whether it is set.
        let cases = [
            (0, "PEXPIRE a 100 NX", true),
            (50, "PEXPIRE a 100 NX", false),
            (0, "PEXPIRE a 100 XX", false),
            (50, "PEXPIRE a 100 XX", true),
            (0, "PEXPIRE a 100 GT", false),
            (100, "PEXPIRE a 100 GT", false),
            (99, "PEXPIRE a 100 gt", true),
            (0, "PEXPIRE a 100 LT", true),
            (100, "PEXPIRE a 100 LT", false),
            (101, "PEXPIRE a 100 XX LT", true),
            (0, "PEXPIRE a 100 XX LT", false),
            (99, "PEXPIRE a 100 XX GT GT", true),
        ];
        for (before, command, set) in cases {
            server.ask("SET a 1");
            if before > 0 {
                server.ask(&format!("PEXPIRE a {before}"));
            }
            assert_eq!(
                server.ask(command),
                format!(":{}|", i64::from(set)),
                "{before} {command}"
            );
            let expected = match (set, before) {
                (true, _) => 100,
                (false, 0) => -1,
                (false, before) => before,
            };
            assert_eq!(server.ask("PTTL a"), format!(":{expected}|"), "{before} {command}");
        }
    }

    #[test]
    fn errors_come_in_redis_order() {
        let mut server = Server::start();
        let cases = [
            ("EXPIRE a x foo", "Unsupported option foo"),
            (
                "EXPIRE a x NX GT",
                "NX and XX, GT or LT options at the same time are not compatible",
            ),
            (
                "EXPIRE a x GT LT",
                "GT and LT options at the same time are not compatible",
            ),
            ("EXPIRE a x", "value is not an integer or out of range"),
            ("EXPIRE a 9223372036854776", "invalid expire time in 'expire' command"),
            (
                "EXPIREAT a -9223372036854776",
                "invalid expire time in 'expireat' command",
            ),
            (
                "PEXPIRE a 9223372036854775807",
                "invalid expire time in 'pexpire' command",
            ),
        ];
        for (command, text) in cases {
            assert_eq!(server.ask(command), format!("-ERR {text}|"));
        }
        assert_eq!(server.ask("PEXPIREAT nosuch 9223372036854775807"), ":0|");
        assert_eq!(
            server.run(&[b"EXPIRE", b"a", b"1", b"q\0z"]),
            "-ERR Unsupported option q|"
        );
    }
}
