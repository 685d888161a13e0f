//! MIGRATE: keys to another server. What happens between both is in [`crate::server::migration`].
//!
//! The command runs twice: first it sends the keys and lets its client wait, then it deletes here what has arrived there,
//! which is recorded as a DEL. In a transaction nobody can wait, so there it is refused.

use super::expiry::syntax_error;
use super::handlers::Family;
use crate::keyspace::Key;
use crate::persistence::rdb::encode::Options;
use crate::persistence::rdb::payload;
use crate::resp::encode;
use crate::resp::request::Args;
use crate::server::blocking::Wait;
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::migration::{self, Cargo, Target};
use crate::server::notify::Class;
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[("migrate", migrate)];

/// How long a target may be silent if the command says nothing sensible, in ms.
const PATIENCE: i64 = 1000;
/// A longer one is for ever, and would not fit behind the present.
const PATIENCE_MAX: i64 = i64::MAX >> 2;

const KEY_AND_KEYS: &str = "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string";
const IN_TRANSACTION: &str =
    "ERR MIGRATE is not allowed inside a transaction or a script: all clients would have to wait for the target";
const CONNECTING: &str = "IOERR error or timeout connecting to the client";
const WRITING: &str = "IOERR error or timeout writing to target instance";
const READING: &str = "IOERR error or timeout reading to target instance";

/// What the command line says behind the timeout.
#[derive(Default)]
struct MigrateOptions<'a> {
    copy: bool,
    replace: bool,
    /// The arguments of AUTH.
    auth: Vec<&'a [u8]>,
    /// Where the keys stand.
    keys: std::ops::Range<usize>,
}

impl<'a> MigrateOptions<'a> {
    fn parse(args: &Args<'a>) -> Result<Self, Failure> {
        let mut options = MigrateOptions {
            keys: 3..4,
            ..MigrateOptions::default()
        };
        let mut at = 6;
        while let Some(option) = args.get(at) {
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            let behind = args.len() - 1 - at;
            if is(b"copy") {
                options.copy = true;
            } else if is(b"replace") {
                options.replace = true;
            } else if is(b"auth") && behind >= 1 {
                options.auth = vec![args.at(at + 1)];
                at += 1;
            } else if is(b"auth2") && behind >= 2 {
                options.auth = vec![args.at(at + 1), args.at(at + 2)];
                at += 2;
            } else if is(b"keys") {
                if !args.at(3).is_empty() {
                    return Err(KEY_AND_KEYS.into());
                }
                options.keys = at + 1..args.len();
                break;
            } else {
                return syntax_error();
            }
            at += 1;
        }
        Ok(options)
    }
}

/// MIGRATE host port key|"" destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2 username password]
/// [KEYS key ...]
fn migrate(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if let Some(outcome) = ctx.core.migrations.take_outcome(ctx.session) {
        let copies = MigrateOptions::parse(&args)?.copy;
        return finish(ctx, outcome, copies);
    }
    let options = MigrateOptions::parse(&args)?;
    let patience = match integer(args.at(5))? {
        ..=0 => PATIENCE,
        patience => patience.min(PATIENCE_MAX),
    };
    let database = integer(args.at(4))?;
    if ctx.core.in_transaction {
        return Err(IN_TRANSACTION.into());
    }
    let (keys, restores) = pack(ctx, &args, &options);
    if keys.is_empty() {
        ctx.reply.simple("NOKEY");
        return Ok(());
    }
    let auth: Vec<&[u8]> = std::iter::once(&b"AUTH"[..])
        .chain(options.auth.iter().copied())
        .collect();
    let cargo = Cargo {
        target: target(&args)?,
        database,
        auth: if options.auth.is_empty() {
            Vec::new()
        } else {
            encoded(&auth)
        },
        select: encoded(&[b"SELECT", database.to_string().as_bytes()]),
        restores,
        keys,
        patience,
    };
    ctx.core.begin_migration(ctx.session, ctx.database, cargo);
    ctx.wait(Wait::elsewhere())
}

/// Nobody listens at a port that is none.
fn target(args: &Args<'_>) -> Result<Target, Failure> {
    let port = std::str::from_utf8(args.at(2))
        .ok()
        .and_then(|text| text.parse::<i64>().ok());
    let port = match port {
        Some(..0) => return Err(CONNECTING.into()),
        port => port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0),
    };
    Ok(Target {
        host: String::from_utf8_lossy(args.at(1)).into_owned(),
        port: port.ok_or(WRITING)?,
    })
}

fn encoded(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode::request(&mut bytes, words.len(), words.iter().copied());
    bytes
}

/// A RESTORE for each of the keys that are there. O(bytes of their values).
fn pack(ctx: &mut Context<'_>, args: &Args<'_>, options: &MigrateOptions<'_>) -> (Vec<Box<[u8]>>, Vec<u8>) {
    let dump_options = Options {
        compress: ctx.core.settings.rdbcompression,
        ..Options::default()
    };
    let now = ctx.now();
    let (mut keys, mut restores) = (Vec::new(), Vec::new());
    for index in options.keys.clone() {
        let key = Key::new(args.at(index));
        let Some(entry) = ctx.core.read(ctx.database, key) else {
            continue;
        };
        let ttl = entry.deadline().map_or(0, |at| at.since(now).max(1)).to_string();
        let value = payload::dump(entry.value(), dump_options);
        let words: [&[u8]; 5] = [b"RESTORE", key.bytes, ttl.as_bytes(), &value, b"REPLACE"];
        let words = &words[..if options.replace { 5 } else { 4 }];
        encode::request(&mut restores, words.len(), words.iter().copied());
        keys.push(key.bytes.into());
    }
    (keys, restores)
}

/// Deletes what has arrived, and tells the client how all went.
fn finish(ctx: &mut Context<'_>, outcome: migration::Outcome, copies: bool) -> Outcome {
    let arrived = if copies { Vec::new() } else { outcome.arrived };
    let mut deleted: Vec<&[u8]> = vec![b"DEL"];
    for key in &arrived {
        if ctx.core.delete_live(ctx.database, Key::new(key)) {
            ctx.changed(Class::GENERIC, "del", key);
            deleted.push(key);
        }
    }
    if deleted.len() > 1 {
        ctx.record(&deleted);
    }
    match outcome.failure {
        None => ctx.reply.ok(),
        Some(migration::Failure::Refused(text)) => {
            return Err([b"ERR Target instance replied with error: ", &*text].concat().into());
        }
        Some(migration::Failure::Connecting) => return Err(CONNECTING.into()),
        Some(migration::Failure::Writing) => return Err(WRITING.into()),
        Some(migration::Failure::Reading) => return Err(READING.into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::server::core::Effect;
    use crate::server::migration::{ChannelId, Order};
    use crate::server::session::SessionIndex;
    use crate::server::testing::Server;

    const ONE: ChannelId = ChannelId(1);

    /// What is to be sent over a channel, as text; the orders that are no sending by name.
    fn orders(server: &mut Server) -> Vec<String> {
        let effects = std::mem::take(&mut server.core.effects);
        let shown = effects.into_iter().filter_map(|effect| match effect {
            Effect::Channel(ChannelId(id), Order::Send(bytes)) => {
                Some(format!("{id} {}", String::from_utf8_lossy(&bytes).replace("\r\n", "|")))
            }
            Effect::Channel(ChannelId(id), Order::Dial(host, port)) => Some(format!("{id} dial {host}:{port}")),
            Effect::Channel(ChannelId(id), Order::Close) => Some(format!("{id} close")),
            _ => None,
        });
        shown.collect()
    }

    #[test]
    fn a_key_goes_when_the_target_has_it() {
        let mut server = Server::start();
        server.ask("SET k v");
        server.ask("EXPIRE k 100");
        assert_eq!(server.ask("MIGRATE 127.0.0.1 7000 k 9 1000"), "");
        let orders = self::orders(&mut server);
        assert_eq!(orders[0], "1 dial 127.0.0.1:7000");
        assert!(
            orders[1].starts_with("1 *2|$6|SELECT|$1|9|*4|$7|RESTORE|$1|k|$6|100000|"),
            "{orders:?}"
        );
        server.core.channel_opened(ONE);
        server.core.channel_written(ONE, true);
        server.core.channel_heard(ONE, b"+OK\r\n+O");
        server.core.tend_migrations();
        assert_eq!(server.core.migrations.kept(), 0);
        server.core.channel_heard(ONE, b"K\r\n");
        server.core.tend_migrations();
        assert_eq!(server.core.migrations.kept(), 1);
        assert_eq!(server.ask("EXISTS k"), "+OK|:0|");
        // The channel is used again, with its database.
        server.ask("SET k v");
        server.ask("MIGRATE 127.0.0.1 7000 k 9 1000 COPY REPLACE");
        let orders = self::orders(&mut server);
        assert!(orders[0].starts_with("1 *5|$7|RESTORE|$1|k|$1|0|"), "{orders:?}");
        server.core.channel_heard(ONE, b"+OK\r\n");
        server.core.tend_migrations();
        assert_eq!(server.ask("EXISTS k"), "+OK|:1|");
    }

    #[test]
    fn a_kept_channel_that_is_gone_is_dialled_again_once() {
        let mut server = Server::start();
        server.ask("SET k v");
        server.ask("MIGRATE h 7000 k 0 1000 COPY");
        server.core.channel_heard(ONE, b"+OK\r\n+OK\r\n");
        server.core.tend_migrations();
        assert_eq!(server.ask("MIGRATE h 7000 k 0 1000 COPY"), "+OK|");
        orders(&mut server);
        server.core.channel_lost(ONE, false);
        let again = orders(&mut server);
        assert_eq!(again[..2], ["1 close", "2 dial h:7000"]);
        server.core.channel_lost(ChannelId(2), false);
        server.core.tend_migrations();
        assert_eq!(
            server.ask("PING"),
            "-IOERR error or timeout writing to target instance|+PONG|"
        );
    }

    #[test]
    fn writes_to_keys_on_their_way_wait() {
        let mut server = Server::start();
        server.ask("MSET a 1 b 2");
        assert_eq!(server.ask("MIGRATE h 7000 a 0 1000"), "");
        let other = server.connect();
        assert_eq!(server.ask_as(other, "GET a").as_deref(), Some("$1|1|"));
        assert_eq!(server.ask_as(other, "SET b 3").as_deref(), Some("+OK|"));
        for held in ["SET a 4", "RENAME b a", "FLUSHALL", "EVAL x 0"] {
            assert_eq!(server.ask_as(other, held), None, "{held}");
        }
        server
            .core
            .channel_heard(ONE, b"+OK\r\n-BUSYKEY Target key name already exists.\r\n");
        server.core.tend_migrations();
        assert_eq!(
            server.ask("PING"),
            "-ERR Target instance replied with error: BUSYKEY Target key name already exists.|+PONG|"
        );
        assert!(server.core.effects.contains(&Effect::Resume(other)));
    }

    #[test]
    fn a_silent_target_is_given_up() {
        let mut server = Server::start();
        server.ask("SET k v");
        for (say, error) in [
            (0, "-IOERR error or timeout connecting to the client|"),
            (1, "-IOERR error or timeout writing to target instance|"),
            (2, "-IOERR error or timeout reading to target instance|"),
        ] {
            let channel = ChannelId(say + 1);
            let begun = 10_000 * say as i64;
            server.at(begun).ask("MIGRATE h 7000 k 0 100");
            if say > 0 {
                server.core.channel_opened(channel);
            }
            if say > 1 {
                server.core.channel_written(channel, true);
            }
            server.at(begun + 100).core.tend_migrations();
            assert!(!server.core.migrations.is_idle());
            server.at(begun + 101).core.tend_migrations();
            assert!(server.core.migrations.is_idle());
            assert_eq!(server.ask("EXISTS k"), format!("{error}:1|"));
        }
    }

    #[test]
    fn nonsense_is_no_confirmation() {
        let mut server = Server::start();
        server.ask("SET k v");
        for (at, bytes) in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"+OK\r\n+OK\r\n+OK\r\n",
            &[b'+'; 5000],
        ]
        .into_iter()
        .enumerate()
        {
            server.ask("MIGRATE h 7000 k 0 1000 COPY");
            server.core.channel_written(ChannelId(at + 1), true);
            server.core.channel_heard(ChannelId(at + 1), bytes);
            server.core.tend_migrations();
            assert_eq!(
                server.ask("EXISTS k"),
                "-IOERR error or timeout reading to target instance|:1|"
            );
        }
    }

    #[test]
    fn whoever_leaves_takes_nothing_along() {
        let mut server = Server::start();
        server.ask("MSET a 1 b 2");
        server.ask("MIGRATE h 7000 a 0 1000");
        server.core.stop_waiting(SessionIndex(0));
        assert!(server.core.migrations.is_idle());
        assert_eq!(orders(&mut server).last().map(String::as_str), Some("1 close"));
        server.core.channel_heard(ONE, b"+OK\r\n+OK\r\n");
        server.core.tend_migrations();
        assert_eq!(server.ask("EXISTS a"), ":1|");
    }

    #[test]
    fn nobody_waits_in_a_transaction() {
        let mut server = Server::start();
        server.ask("SET k v");
        server.ask("MULTI");
        server.ask("MIGRATE h 7000 k 0 1000");
        assert!(
            server
                .ask("EXEC")
                .contains("-ERR MIGRATE is not allowed inside a transaction")
        );
    }
}
