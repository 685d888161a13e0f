//! DUMP and RESTORE: a value as bytes, and back.
//!
//! The bytes are those of Redis ([`crate::persistence::rdb::payload`]). DUMP writes them as Redis 7.0 does, which every
//! later server reads too, but for hashes whose fields have deadlines, which came with 7.4. RESTORE takes those of all
//! versions and checks them whole before the keyspace sees anything of them, unless `sanitize-dump-payload` says that whoever
//! sends streams is to be trusted.

use super::expiry::syntax_error;
use super::handlers::Family;
use super::ttl::record_past;
use super::values::{Origin, load_limits};
use crate::keyspace::{ClockMode, Deadline, Key};
use crate::persistence::rdb::encode::Options;
use crate::persistence::rdb::{Value, ValueType, decode, payload};
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::notify::Class;
use crate::server::{Context, Outcome};
use crate::timer::Millis;

pub const COMMANDS: Family = &[("dump", dump), ("restore", restore), ("restore-asking", restore)];

const BUSY_KEY: &str = "BUSYKEY Target key name already exists.";
const WRONG_FOOTER: &str = "ERR DUMP payload version or checksum are wrong";
const BAD_FORMAT: &str = "ERR Bad data format";

/// DUMP key
fn dump(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args, 1);
    let options = Options {
        compress: ctx.core.settings.rdbcompression,
        ..Options::default()
    };
    match ctx.core.read(ctx.database, key) {
        Some(entry) => ctx.reply.bulk(payload::dump(entry.value(), options)),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// When the restored key was last used, as far as the command says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastUse {
    Now,
    /// IDLETIME, in seconds.
    Idle(i64),
    /// FREQ
    Frequency(u8),
}

/// RESTORE's options.
struct RestoreOptions {
    replace: bool,
    absolute: bool,
    last_use: LastUse,
}

impl RestoreOptions {
    fn parse(args: Args<'_>) -> Result<Self, Failure> {
        let mut options = RestoreOptions {
            replace: false,
            absolute: false,
            last_use: LastUse::Now,
        };
        let mut at = 4;
        while let Some(option) = args.get(at) {
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            if is(b"replace") {
                options.replace = true;
            } else if is(b"absttl") {
                options.absolute = true;
            } else if is(b"idletime")
                && !matches!(options.last_use, LastUse::Frequency(_))
                && let Some(seconds) = args.get(at + 1)
            {
                options.last_use = LastUse::Idle(idle_time(seconds)?);
                at += 1;
            } else if is(b"freq")
                && !matches!(options.last_use, LastUse::Idle(_))
                && let Some(frequency) = args.get(at + 1)
            {
                options.last_use = LastUse::Frequency(access_frequency(frequency)?);
                at += 1;
            } else {
                return syntax_error();
            }
            at += 1;
        }
        Ok(options)
    }
}

fn idle_time(text: &[u8]) -> Result<i64, Failure> {
    match integer(text)? {
        seconds @ 0.. => Ok(seconds),
        _ => Err("ERR Invalid IDLETIME value, must be >= 0".into()),
    }
}

fn access_frequency(text: &[u8]) -> Result<u8, Failure> {
    u8::try_from(integer(text)?).map_err(|_| "ERR Invalid FREQ value, must be >= 0 and <= 255".into())
}

/// RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]
fn restore(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let options = RestoreOptions::parse(args)?;
    let key = ctx.key(&args, 1);
    if !options.replace && ctx.core.write(ctx.database, key).is_some() {
        return Err(BUSY_KEY.into());
    }
    let ttl = integer(args.at(2))?;
    if ttl < 0 {
        return Err("ERR Invalid TTL value, must be >= 0".into());
    }
    let value = decode_payload(ctx, args.at(3))?;
    let replaced = options.replace && ctx.core.delete_live(ctx.database, key);
    let deadline = deadline(ttl, options.absolute, ctx.now());
    if deadline.is_some_and(|at| at <= ctx.core.gone_by()) {
        // It would expire at once; all there is to tell is what it has replaced.
        if replaced {
            ctx.changed(Class::GENERIC, "del", key.bytes);
            record_past(ctx, key);
        }
        ctx.reply.ok();
        return Ok(());
    }
    put(ctx, key, value, deadline);
    set_last_use(ctx, key, options.last_use);
    ctx.changed(Class::GENERIC, "restore", key.bytes);
    if let (Some(at), false) = (deadline, options.absolute) {
        record_absolute(ctx, args, at);
    }
    ctx.reply.ok();
    Ok(())
}

/// Records the command with its time to live as a deadline.
fn record_absolute(ctx: &mut Context<'_>, args: Args<'_>, deadline: Millis) {
    let mut digits = itoa::Buffer::new();
    let mut words = args.to_vec();
    words[2] = digits.format(deadline.0).as_bytes();
    words.push(b"ABSTTL");
    ctx.record(&words);
}

fn decode_payload(ctx: &mut Context<'_>, bytes: &[u8]) -> Result<Value, Failure> {
    let (dialect, mut body) = payload::open(bytes, ctx.core.checksums_count).map_err(|_| WRONG_FOOTER)?;
    let (&code, rest) = body.split_first().ok_or(BAD_FORMAT)?;
    body = rest;
    let value_type = ValueType::from_code(code, dialect).ok_or(BAD_FORMAT)?;
    let origin = origin(ctx);
    let value = decode::value(&mut body, value_type, &load_limits(&ctx.core.settings, origin));
    value.map_err(|error| {
        // The client is told no more than in Redis; who looks after the server may want to know.
        crate::log::verbose(&format!("A value to be restored is refused: {error}"));
        BAD_FORMAT.into()
    })
}

/// Where the command comes from.
fn origin(ctx: &mut Context<'_>) -> Origin {
    if ctx.core.is_replaying {
        Origin::File
    } else if ctx.core.replication.is_primary(ctx.session) {
        Origin::Primary
    } else if ctx.core.is_spared_checks(ctx.session) {
        Origin::SparedClient
    } else {
        Origin::Client
    }
}

/// The deadline that a time to live means; 0 is none. One beyond the end of time wraps around to the past, as in Redis.
fn deadline(ttl: i64, absolute: bool, now: Millis) -> Option<Millis> {
    match (ttl, absolute) {
        (0, _) => None,
        (at, true) => Some(Millis(at)),
        (ttl, false) => Some(Millis(ttl.wrapping_add(now.0))),
    }
}

fn put(ctx: &mut Context<'_>, key: Key<'_>, value: Value, deadline: Option<Millis>) {
    let (db, graveyard, moment) = ctx.core.writer(ctx.database);
    let deadline = deadline.map_or(Deadline::Clear, Deadline::At);
    value.store(|value| db.set(key, value, deadline, moment, graveyard));
    ctx.notify(Class::NEW, "new", key.bytes);
}

/// Sets the access clock, if it is of the kind that the policy keeps.
fn set_last_use(ctx: &mut Context<'_>, key: Key<'_>, last_use: LastUse) {
    let (db, _, moment) = ctx.core.writer(ctx.database);
    let clock = moment.clock;
    let value = match (last_use, clock.mode) {
        (LastUse::Idle(seconds), ClockMode::Lru) => clock.idle_since(seconds),
        (LastUse::Frequency(frequency), ClockMode::Lfu) => clock.with_frequency(frequency),
        _ => return,
    };
    db.set_clock(key, value);
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::config::choice::MaxmemoryPolicy;
    use crate::keyspace::{Key, ValueRef};
    use crate::persistence::rdb::encode::Options;
    use crate::persistence::rdb::{Version, payload};
    use crate::server::testing::{START, Server};

    /// The payload of a stream whose second and last entry miscounts its elements.
    pub(crate) fn broken_stream(server: &mut Server) -> Vec<u8> {
        server.ask("XADD broken 1-1 f v");
        server.ask("XADD broken 1-2 f v");
        let plain = Options {
            compress: false,
            ..Options::default()
        };
        let entry = server.core.peek(0, Key::new(b"broken")).expect("it was just made");
        let mut payload = payload::dump(entry.value(), plain);
        server.ask("DEL broken");
        let end = payload.windows(3).rposition(|bytes| bytes == [4, 1, 0xFF]);
        payload[end.expect("a node's end")] = 5;
        // Version and checksum.
        payload.truncate(payload.len() - 10);
        payload::seal(&mut payload, Version::REDIS_7_0);
        payload
    }

    /// The payload of a key, which the text of a reply would spoil.
    fn payload_of(server: &mut Server, key: &str) -> Vec<u8> {
        let entry = server.core.peek(0, Key::new(key.as_bytes())).expect("the key is there");
        payload::dump(entry.value(), Options::default())
    }

    fn restore(server: &mut Server, key: &str, ttl: &str, payload: &[u8], options: &str) -> String {
        let mut words = vec![b"RESTORE", key.as_bytes(), ttl.as_bytes(), payload];
        words.extend(options.split(' ').filter(|word| !word.is_empty()).map(str::as_bytes));
        server.run(&words)
    }

    fn events(told: &str) -> Vec<&str> {
        told.split("__keyevent@0__:")
            .skip(1)
            .filter_map(|event| event.split('|').next())
            .collect()
    }

    #[test]
    fn values_go_out_and_come_back() {
        let mut server = Server::start();
        server.ask("SET s hello");
        assert!(server.ask("DUMP s").starts_with("$17|\0\u{5}hello\n\0"));
        assert_eq!(server.ask("DUMP nosuch"), "$-1|");
        server.ask("RPUSH l a b c");
        let payload = payload_of(&mut server, "l");
        assert_eq!(restore(&mut server, "copy", "0", &payload, ""), "+OK|");
        assert_eq!(server.ask("LRANGE copy 0 -1"), "*3|$1|a|$1|b|$1|c|");
        assert_eq!(server.ask("PTTL copy"), ":-1|");
        assert_eq!(
            restore(&mut server, "copy", "0", &payload, ""),
            "-BUSYKEY Target key name already exists.|"
        );
        assert_eq!(restore(&mut server, "s", "500", &payload, "replace"), "+OK|");
        assert_eq!(server.ask("PTTL s"), ":500|");
        server.at(500).expire_due();
        assert_eq!(server.ask("TYPE s"), "+none|");
    }

    #[test]
    fn errors_come_in_redis_order() {
        let mut server = Server::start();
        server.ask("SET s hello");
        let good = payload_of(&mut server, "s");
        let mut bad = good.clone();
        bad[3] ^= 1;
        let cases: [(&str, &str, &[u8], &str, &str); 13] = [
            ("s", "x", &bad, "NOSUCH", "-ERR syntax error|"),
            ("s", "x", &bad, "IDLETIME", "-ERR syntax error|"),
            ("s", "x", &bad, "IDLETIME 1 FREQ 1", "-ERR syntax error|"),
            ("s", "x", &bad, "FREQ 1 IDLETIME 1", "-ERR syntax error|"),
            (
                "s",
                "x",
                &bad,
                "IDLETIME -1",
                "-ERR Invalid IDLETIME value, must be >= 0|",
            ),
            (
                "s",
                "x",
                &bad,
                "FREQ 256",
                "-ERR Invalid FREQ value, must be >= 0 and <= 255|",
            ),
            (
                "s",
                "x",
                &bad,
                "FREQ x",
                "-ERR value is not an integer or out of range|",
            ),
            ("s", "x", &bad, "", "-BUSYKEY Target key name already exists.|"),
            ("n", "x", &bad, "", "-ERR value is not an integer or out of range|"),
            ("n", "-1", &bad, "", "-ERR Invalid TTL value, must be >= 0|"),
            ("n", "0", &bad, "", "-ERR DUMP payload version or checksum are wrong|"),
            ("n", "0", b"", "", "-ERR DUMP payload version or checksum are wrong|"),
            ("s", "0", &good, "IDLETIME 1 IDLETIME 2 REPLACE REPLACE", "+OK|"),
        ];
        for (key, ttl, payload, options, reply) in cases {
            assert_eq!(restore(&mut server, key, ttl, payload, options), reply, "{options}");
        }
        for body in [
            &b""[..],
            b"\x00",
            b"\x00\x05abc",
            b"\x06\x00",
            b"\x01\x00",
            b"\x63",
            b"\xff",
        ] {
            let mut payload = body.to_vec();
            payload::seal(&mut payload, Version::REDIS_7_0);
            assert_eq!(restore(&mut server, "n", "0", &payload, ""), "-ERR Bad data format|");
        }
        assert_eq!(server.ask("DBSIZE"), ":1|");
    }

    #[test]
    fn whoever_is_trusted_may_bring_broken_streams() {
        use crate::config::choice::SanitizeDumpPayload::{Clients, No, Yes};
        let mut server = Server::start();
        let broken = broken_stream(&mut server);
        for (setting, is_file, is_taken) in [
            (Yes, false, false),
            (Yes, true, false),
            (Clients, false, false),
            (Clients, true, true),
            (No, false, true),
            (No, true, true),
        ] {
            server.core.settings.sanitize_dump_payload = setting;
            server.core.is_replaying = is_file;
            restore(&mut server, "copy", "0", &broken, "");
            server.core.is_replaying = false;
            let deleted = format!(":{}|", u8::from(is_taken));
            assert_eq!(server.ask("DEL copy"), deleted, "{setting:?} {is_file}");
        }
    }

    #[test]
    fn a_user_may_be_spared_the_check() {
        use crate::config::choice::SanitizeDumpPayload::{Clients, No, Yes};
        let mut server = Server::start();
        let broken = broken_stream(&mut server);
        for (setting, rule, is_taken) in [
            (Yes, "skip-sanitize-payload", false),
            (Clients, "skip-sanitize-payload", true),
            (Clients, "sanitize-payload", false),
            (No, "sanitize-payload", true),
        ] {
            server.core.settings.sanitize_dump_payload = setting;
            assert_eq!(server.ask(&format!("ACL SETUSER default {rule}")), "+OK|");
            restore(&mut server, "copy", "0", &broken, "");
            let deleted = format!(":{}|", u8::from(is_taken));
            assert_eq!(server.ask("DEL copy"), deleted, "{setting:?} {rule}");
        }
    }

    #[test]
    fn a_deadline_in_the_past_leaves_nothing() {
        let mut server = Server::start();
        server.ask("SET s hello");
        let payload = payload_of(&mut server, "s");
        server.listen();
        let told = restore(&mut server, "n", "1", &payload, "ABSTTL");
        assert_eq!((told.starts_with("+OK|"), events(&told)), (true, vec![]));
        let dirty = server.core.dirty;
        let told = restore(&mut server, "s", "1", &payload, "ABSTTL REPLACE");
        assert_eq!((told.starts_with("+OK|"), events(&told)), (true, vec!["del"]));
        assert_eq!(server.core.dirty, dirty + 1);
        // Beyond the end of time is the past.
        let told = restore(&mut server, "n", "9223372036854775807", &payload, "");
        assert_eq!((told.starts_with("+OK|"), events(&told)), (true, vec![]));
        assert!(server.core.keyspace.is_empty());
        let at = (START + 50).to_string();
        let told = restore(&mut server, "n", &at, &payload, "ABSTTL");
        assert_eq!(events(&told), ["new", "restore"]);
        assert!(server.ask("PTTL n").starts_with(":50|"));
        let told = restore(&mut server, "n", "0", &payload, "REPLACE");
        assert_eq!(events(&told), ["new", "restore"]);
        assert!(server.ask("PTTL n").starts_with(":-1|"));
    }

    #[test]
    fn the_access_clock_is_restored_if_it_is_the_policys() {
        let mut server = Server::start();
        server.ask("SET s hello");
        let payload = payload_of(&mut server, "s");
        restore(&mut server, "n", "0", &payload, "IDLETIME 1000");
        assert_eq!(server.ask("OBJECT IDLETIME n"), ":1000|");
        assert_eq!(server.at(5000).ask("OBJECT IDLETIME n"), ":1005|");
        restore(&mut server, "n", "0", &payload, "FREQ 77 REPLACE");
        assert_eq!(server.ask("OBJECT IDLETIME n"), ":0|");
        server.core.settings.maxmemory_policy = MaxmemoryPolicy::AllkeysLfu;
        server.core.apply_clock_settings();
        restore(&mut server, "n", "0", &payload, "FREQ 77 REPLACE");
        assert_eq!(server.ask("OBJECT FREQ n"), ":77|");
        restore(&mut server, "n", "0", &payload, "IDLETIME 9 REPLACE");
        assert_eq!(server.ask("OBJECT FREQ n"), ":5|");
    }

    #[test]
    fn compression_is_a_setting() {
        let mut server = Server::start();
        server.ask(&format!("SET s {}", "a".repeat(1000)));
        assert!(server.ask("DUMP s").starts_with("$33|"), "{}", server.ask("DUMP s"));
        server.core.settings.rdbcompression = false;
        assert!(server.ask("DUMP s").starts_with("$1013|"));
    }

    #[test]
    fn strings_are_kept_as_set_would_keep_them() {
        let mut server = Server::start();
        for text in ["12345", "short", &"x".repeat(1024), &"x".repeat(1025)] {
            server.run(&[b"SET", b"s", text.as_bytes()]);
            let payload = payload_of(&mut server, "s");
            restore(&mut server, "n", "0", &payload, "REPLACE");
            let mut kind = |key: &[u8]| server.core.peek(0, Key::new(key)).map(|entry| entry.kind());
            assert_eq!(kind(b"n"), kind(b"s"));
        }
        // One that was edited is a number again.
        server.ask("SET s 12");
        server.ask("APPEND s 3");
        let payload = payload_of(&mut server, "s");
        restore(&mut server, "n", "0", &payload, "REPLACE");
        let entry = server.core.peek(0, Key::new(b"n")).expect("just restored");
        assert!(matches!(entry.value(), ValueRef::Int(123)));
    }
}
