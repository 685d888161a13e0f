//! Commands about the server as a whole: INFO, TIME, MONITOR, SHUTDOWN.

use super::expiry::syntax_error;
use super::handlers::Family;
use crate::config::compound::ShutdownOptions;
use crate::keyspace::Type;
use crate::resp::request::Args;
use crate::server::blocking::{Nothing, SHUTDOWN_FAILED, Wait};
use crate::server::failure::Failure;
use crate::server::shutdown::Ending;
use crate::server::{Context, Effect, Outcome, info};

pub const COMMANDS: Family = &[
    ("info", info_command),
    ("shutdown", shutdown),
    ("monitor", monitor),
    ("time", time),
];

/// INFO [section [section ...]]
fn info_command(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let text = info::report(ctx.core, &args.from(1).to_vec());
    ctx.reply.verbatim("txt", text);
    Ok(())
}

/// MONITOR: shows every command from now on. Asked twice, it answers once.
fn monitor(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    if ctx.core.in_transaction {
        return Err("ERR MONITOR isn't allowed for DENY BLOCKING client".into());
    }
    if ctx.core.start_monitoring(ctx.session) {
        ctx.reply.ok();
    }
    Ok(())
}

/// TIME
fn time(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    let micros = ctx.core.scripts.unix_micros();
    ctx.reply.array(2);
    ctx.reply.bulk_int(micros / 1_000_000);
    ctx.reply.bulk_int(micros % 1_000_000);
    Ok(())
}

/// What SHUTDOWN was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shutdown {
    Abort,
    Exit(ShutdownOptions),
}

impl Shutdown {
    fn parse(args: Args<'_>) -> Result<Self, Failure> {
        let (mut options, mut abort) = (ShutdownOptions::default(), false);
        for option in args.from(1).iter() {
            match option.to_ascii_lowercase().as_slice() {
                b"nosave" => options.nosave = true,
                b"save" => options.save = true,
                b"now" => options.now = true,
                b"force" => options.force = true,
                b"abort" => abort = true,
                _ => return syntax_error(),
            }
        }
        if options.save && options.nosave {
            return syntax_error();
        }
        match abort {
            true if options != ShutdownOptions::default() => syntax_error(),
            true => Ok(Shutdown::Abort),
            false => Ok(Shutdown::Exit(options)),
        }
    }
}

/// SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]
fn shutdown(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let options = match Shutdown::parse(args)? {
        Shutdown::Abort if ctx.core.abort_shutdown() => {
            ctx.reply.ok();
            return Ok(());
        }
        Shutdown::Abort => return Err("ERR No shutdown in progress.".into()),
        Shutdown::Exit(options) => options,
    };
    if !options.nosave
        && let Some(text) = ctx.core.busy_text_of_shutdown()
    {
        return Err(text.into());
    }
    match ctx.core.begin_shutdown(options) {
        Ending::Ready => {
            ctx.core.effects.push(Effect::Shutdown);
            // The connection closes instead of a reply, and what the client sent behind SHUTDOWN no longer runs.
            ctx.session().closing = true;
            Ok(())
        }
        Ending::Waits => ctx.wait(Wait {
            keys: Vec::new(),
            for_type: Type::String,
            timeout: None,
            when_gone: false,
            on_timeout: Nothing::Never,
            argv: None,
        }),
        Ending::Failed => Err(SHUTDOWN_FAILED.into()),
    }
}

#[cfg(test)]
mod tests {
    use crate::server::Effect;
    use crate::server::testing::Server;

    #[test]
    fn shutdown_checks_its_options_before_it_acts() {
        let mut server = Server::start();
        for line in [
            "SHUTDOWN x",
            "SHUTDOWN SAVE NOSAVE",
            "SHUTDOWN ABORT NOW",
            "SHUTDOWN force abort",
        ] {
            assert_eq!(server.ask(line), "-ERR syntax error|", "{line}");
        }
        assert_eq!(server.ask("SHUTDOWN ABORT"), "-ERR No shutdown in progress.|");
        server.host.set_room(0);
        assert_eq!(
            server.ask("SHUTDOWN SAVE"),
            "-ERR Errors trying to SHUTDOWN. Check logs.|"
        );
        assert!(server.core.effects.is_empty());
        assert_eq!(server.ask("SHUTDOWN NoSave NOW"), "");
        assert_eq!(server.core.effects, [Effect::Shutdown]);
    }

    #[test]
    fn info_answers_for_the_sections_named() {
        let mut server = Server::start();
        assert_eq!(server.ask("INFO nosuch"), "$0||");
        assert_eq!(server.ask("SET k v PX 1000"), "+OK|");
        assert_eq!(
            server.ask("INFO KEYSPACE"),
            "$59|# Keyspace|db0:keys=1,expires=1,avg_ttl=1000,subexpiry=0||"
        );
    }
}
