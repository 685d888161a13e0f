//! SLOWLOG: commands that took longer than `slowlog-log-slower-than` microseconds.

use super::handlers::Family;
use super::table::{errors, help};
use crate::format::number::parse_i64;
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::slowlog::Entry;
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[
    ("slowlog|get", get),
    ("slowlog|help", help),
    ("slowlog|len", len),
    ("slowlog|reset", reset),
];

/// Entries shown unless a number is given.
const SHOWN: usize = 10;

/// SLOWLOG GET [count]
fn get(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(errors::unusable_subcommand(&args.to_vec()).into());
    }
    let count = match args.get(2).map(parse_i64) {
        None => SHOWN,
        Some(Some(-1)) => usize::MAX,
        Some(Some(count)) if count >= 0 => count as usize,
        Some(_) => return Err("ERR count should be greater than or equal to -1".into()),
    };
    let slowlog = &ctx.core.slowlog;
    ctx.reply.array(count.min(slowlog.len()));
    for entry in slowlog.iter().take(count) {
        reply_entry(&mut ctx.reply, entry);
    }
    Ok(())
}

fn reply_entry(reply: &mut Reply, entry: &Entry) {
    reply.array(6);
    reply.int(entry.id as i64);
    reply.int(entry.time);
    reply.int(entry.micros as i64);
    reply.array(entry.arguments.len());
    for argument in &entry.arguments {
        reply.bulk(argument);
    }
    reply.bulk(&entry.peer);
    reply.bulk(&entry.name);
}

/// SLOWLOG LEN
fn len(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    ctx.reply.len(ctx.core.slowlog.len());
    Ok(())
}

/// SLOWLOG RESET
fn reset(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    ctx.core.slowlog.reset();
    ctx.reply.ok();
    Ok(())
}

/// SLOWLOG HELP
fn help(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    help::help(args.at(0), "slowlog", &mut ctx.reply);
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
}
