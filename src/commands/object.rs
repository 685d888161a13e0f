//! OBJECT: how a value is stored and when it was last used.

use super::handlers::Family;
use crate::commands::table::help::help;
use crate::keyspace::evict::{is_lfu, reads_clock};
use crate::keyspace::{EntryRef, Kind, ValueRef};
use crate::resp::request::Args;
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[
    ("object|encoding", encoding),
    ("object|freq", freq),
    ("object|help", object_help),
    ("object|idletime", idletime),
    ("object|refcount", refcount),
];

/// Redis keeps strings up to this length in one allocation with their header, and calls them `embstr`.
const EMBEDDED_MAX: usize = 44;
/// Redis shares one object among all values that are an integer below this, unless the eviction policy needs a clock
/// for each.
const SHARED_INTEGERS: i64 = 10_000;
/// The reference count of a shared object.
const SHARED: i64 = i32::MAX as i64;

/// Replies with what `look` finds out about the key at `args[2]`, or null. The lookup is counted but is no access.
fn describe(ctx: &mut Context<'_>, args: Args<'_>, look: impl FnOnce(&mut Context<'_>, Seen) -> Outcome) -> Outcome {
    let key = ctx.key(&args, 2);
    let seen = ctx.core.peek(ctx.database, key).map(Seen::of);
    ctx.core.count_lookup(seen.is_some());
    match seen {
        Some(seen) => look(ctx, seen),
        None => {
            ctx.reply.null();
            Ok(())
        }
    }
}

/// What OBJECT's subcommands want to know of an entry.
#[derive(Clone, Copy)]
struct Seen {
    encoding: &'static str,
    int: Option<i64>,
    clock: u32,
}

impl Seen {
    fn of(entry: EntryRef<'_>) -> Self {
        let int = match entry.value() {
            ValueRef::Int(value) => Some(value),
            _ => None,
        };
        Seen {
            encoding: encoding_of(entry),
            int,
            clock: entry.clock(),
        }
    }
}

/// The name Redis has for the way an entry's value is stored.
pub fn encoding_of(entry: EntryRef<'_>) -> &'static str {
    match entry.kind() {
        Kind::Int => "int",
        Kind::Str => match entry.value() {
            ValueRef::Str(bytes) if bytes.len() <= EMBEDDED_MAX => "embstr",
            _ => "raw",
        },
        // Redis says the same of whatever a module keeps, as vector sets are to it.
        Kind::StrEdited | Kind::StrHeap | Kind::VectorSet => "raw",
        Kind::ListPacked | Kind::SetPacked | Kind::HashPacked | Kind::ZsetPacked => "listpack",
        Kind::HashTimedPacked => "listpackex",
        Kind::List => "quicklist",
        Kind::SetInts => "intset",
        Kind::Set | Kind::Hash | Kind::HashTimed => "hashtable",
        Kind::Zset => "skiplist",
        Kind::Stream => "stream",
    }
}

/// OBJECT ENCODING key
fn encoding(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    describe(ctx, args, |ctx, seen| {
        ctx.reply.bulk(seen.encoding);
        Ok(())
    })
}

/// OBJECT REFCOUNT key. Values are never shared here; the small integers that Redis shares are told as if they were.
fn refcount(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    describe(ctx, args, |ctx, seen| {
        let settings = &ctx.core.settings;
        let keeps_clocks = settings.maxmemory > 0 && reads_clock(settings.maxmemory_policy);
        let shared = seen.int.is_some_and(|value| (0..SHARED_INTEGERS).contains(&value)) && !keeps_clocks;
        ctx.reply.int(if shared { SHARED } else { 1 });
        Ok(())
    })
}

/// OBJECT IDLETIME key: seconds since the last access.
fn idletime(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    describe(ctx, args, |ctx, seen| {
        if is_lfu(ctx.core.settings.maxmemory_policy) {
            return Err(
                "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when \
                        switching between policies at runtime LRU and LFU data will take some time to adjust."
                    .into(),
            );
        }
        let idle = ctx.core.moment.clock.idle_ms(seen.clock) / 1000;
        ctx.reply.int(idle);
        Ok(())
    })
}

/// OBJECT FREQ key: the logarithmic counter of accesses.
fn freq(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    describe(ctx, args, |ctx, seen| {
        if !is_lfu(ctx.core.settings.maxmemory_policy) {
            return Err(
                "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that \
                        when switching between policies at runtime LRU and LFU data will take some time to adjust."
                    .into(),
            );
        }
        let frequency = ctx.core.moment.clock.frequency(seen.clock);
        ctx.reply.int(i64::from(frequency));
        Ok(())
    })
}

/// OBJECT HELP
fn object_help(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    help(args.at(0), "object", ctx.reply);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::config::choice::MaxmemoryPolicy;
    use crate::server::testing::Server;

    #[test]
    fn strings_have_three_encodings() {
        let mut server = Server::start();
        let cases = [
            ("12345", "int"),
            ("012345", "embstr"),
            (&"x".repeat(44), "embstr"),
            (&"x".repeat(45), "raw"),
            (&"x".repeat(5000), "raw"),
        ];
        for (value, encoding) in cases {
            server.ask(&format!("SET a {value}"));
            assert_eq!(
                server.ask("OBJECT ENCODING a"),
                format!("${}|{encoding}|", encoding.len())
            );
        }
        server.ask("SET a x");
        server.ask("APPEND a y");
        assert_eq!(server.ask("OBJECT ENCODING a"), "$3|raw|");
        assert_eq!(server.ask("OBJECT ENCODING nosuch"), "$-1|");
        assert_eq!(
            server.ask("OBJECT"),
            "-ERR wrong number of arguments for 'object' command|"
        );
    }

    #[test]
    fn small_integers_look_shared_unless_the_policy_keeps_clocks() {
        let mut server = Server::start();
        server.ask("MSET small 9999 large 10000 text x");
        assert_eq!(server.ask("OBJECT REFCOUNT small"), ":2147483647|");
        assert_eq!(server.ask("OBJECT REFCOUNT large"), ":1|");
        assert_eq!(server.ask("OBJECT REFCOUNT text"), ":1|");
        server.core.settings.maxmemory = 1 << 40;
        server.core.settings.maxmemory_policy = MaxmemoryPolicy::AllkeysLru;
        assert_eq!(server.ask("OBJECT REFCOUNT small"), ":1|");
    }

    #[test]
    fn the_policy_decides_which_clock_is_told() {
        let mut server = Server::start();
        server.ask("SET a x");
        assert_eq!(server.at(7000).ask("OBJECT IDLETIME a"), ":7|");
        assert!(
            server
                .ask("OBJECT FREQ a")
                .starts_with("-ERR An LFU maxmemory policy is not selected")
        );
        server.core.settings.maxmemory_policy = MaxmemoryPolicy::AllkeysLfu;
        server.core.apply_clock_settings();
        server.ask("SET a x");
        assert_eq!(server.ask("OBJECT FREQ a"), ":5|");
        assert!(
            server
                .ask("OBJECT IDLETIME a")
                .starts_with("-ERR An LFU maxmemory policy is selected")
        );
        assert_eq!(server.ask("OBJECT FREQ nosuch"), "$-1|");
    }
}
