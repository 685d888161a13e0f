//! SLOWLOG and COMMANDLOG: commands that took long, or whose requests or replies were large. The slow log is the one of
//! both.

use super::handlers::Family;
use super::table::{errors, help};
use crate::format::number::parse_i64;
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::command_log::{Entry, Kind};
use crate::server::failure::Failure;
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[
    ("commandlog|get", get_of_kind),
    ("commandlog|help", help),
    ("commandlog|len", len),
    ("commandlog|reset", reset),
    ("slowlog|get", get_slow),
    ("slowlog|help", help),
    ("slowlog|len", len),
    ("slowlog|reset", reset),
];

/// Entries shown unless a number is given.
const SHOWN: usize = 10;

/// SLOWLOG GET [count]
fn get_slow(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(errors::unusable_subcommand(&args.to_vec()).into());
    }
    let count = args.get(2).map(parse_count).transpose()?;
    reply_entries(ctx, Kind::Slow, count.unwrap_or(SHOWN));
    Ok(())
}

/// COMMANDLOG GET count <SLOW | LARGE-REQUEST | LARGE-REPLY>
fn get_of_kind(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = parse_count(args.at(2))?;
    let kind = parse_kind(args.at(3))?;
    reply_entries(ctx, kind, count);
    Ok(())
}

/// How many entries are wanted; -1 wants all.
fn parse_count(text: &[u8]) -> Result<usize, Failure> {
    match parse_i64(text) {
        Some(-1) => Ok(usize::MAX),
        Some(count) if count >= 0 => Ok(count as usize),
        _ => Err("ERR count should be greater than or equal to -1".into()),
    }
}

fn parse_kind(text: &[u8]) -> Result<Kind, Failure> {
    let kinds: [(&[u8], Kind); 3] = [
        (b"slow", Kind::Slow),
        (b"large-request", Kind::LargeRequest),
        (b"large-reply", Kind::LargeReply),
    ];
    let found = kinds.into_iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
    found
        .map(|(_, kind)| kind)
        .ok_or_else(|| "ERR type should be one of the following: slow, large-request, large-reply".into())
}

/// Which log a subcommand is about: COMMANDLOG is told, SLOWLOG needs no word.
fn kind_of(args: &Args<'_>) -> Result<Kind, Failure> {
    args.get(2).map_or(Ok(Kind::Slow), parse_kind)
}

fn reply_entries(ctx: &mut Context<'_>, kind: Kind, count: usize) {
    let log = ctx.core.command_logs.of(kind);
    ctx.reply.array(count.min(log.len()));
    for entry in log.iter().take(count) {
        reply_entry(ctx.reply, entry);
    }
}

fn reply_entry(reply: &mut Reply, entry: &Entry) {
    reply.array(6);
    reply.int(entry.id as i64);
    reply.int(entry.time);
    reply.int(entry.amount as i64);
    reply.array(entry.arguments.len());
    for argument in &entry.arguments {
        reply.bulk(argument);
    }
    reply.bulk(&entry.peer);
    reply.bulk(&entry.name);
}

/// SLOWLOG LEN, COMMANDLOG LEN <SLOW | LARGE-REQUEST | LARGE-REPLY>
fn len(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let kind = kind_of(&args)?;
    ctx.reply.len(ctx.core.command_logs.of(kind).len());
    Ok(())
}

/// SLOWLOG RESET, COMMANDLOG RESET <SLOW | LARGE-REQUEST | LARGE-REPLY>
fn reset(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let kind = kind_of(&args)?;
    ctx.core.command_logs.of_mut(kind).reset();
    ctx.reply.ok();
    Ok(())
}

/// SLOWLOG HELP, COMMANDLOG HELP
fn help(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (container, _) = ctx.spec.name.split_once('|').unwrap_or_default();
    help::help(args.at(0), container, ctx.reply);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::server::testing::Server;

    #[test]
    fn the_newest_come_first_and_secrets_do_not_come() {
        let mut server = Server::start();
        server.core.settings.slowlog_log_slower_than = 0;
        server.ask("AUTH secret");
        server.ask("GET key");
        assert_eq!(server.ask("SLOWLOG LEN"), ":2|");
        let entries = server.ask("SLOWLOG GET 2");
        let (newest, older) = (entries.find("LEN|"), entries.find("GET|$3|key|"));
        assert!(entries.starts_with("*2|*6|:2|") && newest < older, "{entries}");
        let all = server.ask("SLOWLOG GET -1");
        assert!(all.contains("AUTH|$10|(redacted)|") && !all.contains("secret"), "{all}");
        assert_eq!(server.ask("SLOWLOG RESET"), "+OK|");
        assert_eq!(
            server.ask("SLOWLOG GET -2"),
            "-ERR count should be greater than or equal to -1|"
        );
    }

    #[test]
    fn a_value_that_the_keyspace_has_taken_over_is_shown_like_any_other() {
        let mut server = logging(0, -1);
        server.core.settings.slowlog_log_slower_than = 0;
        server.ask(&format!("SET k {}", "x".repeat(40_000)));
        let shown = format!("SET|$1|k|$150|{}... (39872 more bytes)|", "x".repeat(128));
        for (log, amount) in [("COMMANDLOG GET 1 large-request", ":40030|"), ("SLOWLOG GET 2", "")] {
            let entry = server.ask(log);
            assert!(entry.contains(&shown) && entry.contains(amount), "{log}: {entry}");
        }
        assert_eq!(server.ask("STRLEN k"), ":40000|");
    }

    /// The numbers and first words of the entries of a log, without those of who looks.
    fn logged(server: &mut Server, kind: &str) -> String {
        let entries = server.ask(&format!("COMMANDLOG GET -1 {kind}"));
        let entries = entries.split("*6|").skip(1).map(|entry| {
            let lines: Vec<&str> = entry.split('|').collect();
            format!("{} {}", lines[2], lines[5])
        });
        let entries = entries.filter(|entry| !entry.ends_with("COMMANDLOG"));
        entries.collect::<Vec<_>>().join(", ")
    }

    fn logging(request: i64, reply: i64) -> Server {
        let mut server = Server::start();
        server.core.settings.commandlog_request_larger_than = request;
        server.core.settings.commandlog_reply_larger_than = reply;
        server
    }

    #[test]
    fn large_requests_and_replies_are_logged_from_their_limit_on() {
        let mut server = logging(40, 20);
        for len in 8..16 {
            server.ask(&format!("SET k {}", "x".repeat(len)));
            server.ask("GET k");
        }
        assert_eq!(logged(&mut server, "large-request"), ":42 SET, :41 SET, :40 SET");
        server.ask("COMMANDLOG RESET large-request");
        assert_eq!(logged(&mut server, "large-reply"), ":22 GET, :21 GET, :20 GET");
        assert_eq!(server.ask("COMMANDLOG LEN slow"), ":0|");
        assert_eq!(server.ask("SLOWLOG LEN"), ":0|");
    }

    #[test]
    fn off_means_nothing_and_none_kept_means_none() {
        let mut server = logging(-1, -1);
        server.ask(&format!("SET k {}", "x".repeat(2 << 20)));
        server.ask("GET k");
        server.core.settings.commandlog_request_larger_than = 0;
        server.core.settings.commandlog_large_request_max_len = 0;
        server.ask("PING");
        assert_eq!(server.ask("COMMANDLOG LEN large-request"), ":0|");
        assert_eq!(server.ask("COMMANDLOG LEN large-reply"), ":0|");
        server.core.settings.commandlog_large_request_max_len = 2;
        for _ in 0..3 {
            server.ask("PING");
        }
        assert_eq!(server.ask("COMMANDLOG LEN large-request"), ":2|");
    }

    #[test]
    fn a_command_counts_wherever_it_comes_from() {
        let mut server = logging(50, 50);
        let value = "x".repeat(50);
        for line in ["MULTI", &format!("SET k {value}"), "GET k", "EXEC"] {
            server.ask(line);
        }
        server.run(&[b"EVAL", b"return redis.call('get', 'k') .. ''", b"0"]);
        server.run(&[
            b"EVAL",
            b"redis.call('set', 'l', ARGV[1]) return 1",
            b"0",
            value.as_bytes(),
        ]);
        // What a script asks for has not come over the wire.
        assert_eq!(logged(&mut server, "large-request"), ":125 EVAL, :63 EVAL, :77 SET");
        assert_eq!(logged(&mut server, "large-reply"), ":57 EVAL, :57 get, :57 GET");
    }

    #[test]
    fn one_that_waits_is_logged_when_it_is_served() {
        let mut server = logging(50, 10);
        let waiter = server.connect();
        server.ask_as(waiter, &format!("BLPOP {} q 0", "k".repeat(50)));
        assert_eq!(server.ask("COMMANDLOG LEN large-request"), ":0|");
        server.ask("RPUSH q x");
        assert_eq!(logged(&mut server, "large-request"), ":86 BLPOP");
        server.ask("COMMANDLOG RESET large-request");
        let replies = logged(&mut server, "large-reply");
        assert!(replies.contains(":18 BLPOP"), "{replies}");
    }

    #[test]
    fn a_client_that_is_told_nothing_gets_no_large_reply() {
        let mut server = logging(-1, 10);
        server.ask(&format!("SET k {}", "x".repeat(50)));
        server.ask("CLIENT REPLY OFF");
        server.ask("GET k");
        server.ask("CLIENT REPLY ON");
        assert_eq!(server.ask("COMMANDLOG LEN large-reply"), ":0|");
    }
}
