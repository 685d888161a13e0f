//! CLIENT: the connections, seen and steered from one of them.

use super::client_filter::{Filters, is_filter};
use super::connection::{check_client_name, is_printable_word};
use super::expiry::syntax_error;
use super::handlers::Family;
use super::table::help::help;
use crate::resp::request::Args;
use crate::server::blocking::Unblock;
use crate::server::client_line::client_line;
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::pause::Pause;
use crate::server::session::{ClientId, Redirects, ReplyMode, Session};
use crate::server::{Context, Core, Outcome, SessionIndex};
use crate::timer::Millis;

pub const COMMANDS: Family = &[
    ("client|capa", capa),
    ("client|getname", getname),
    ("client|help", client_help),
    ("client|id", id),
    ("client|import-source", import_source),
    ("client|info", info),
    ("client|kill", kill),
    ("client|list", list),
    ("client|no-evict", no_evict),
    ("client|no-touch", no_touch),
    ("client|pause", pause),
    ("client|reply", reply),
    ("client|setinfo", setinfo),
    ("client|setname", setname),
    ("client|unblock", unblock),
    ("client|unpause", unpause),
];

/// The clients, oldest first. Those that are being torn down are gone already to everyone who asks.
fn clients(core: &Core) -> Vec<&Session> {
    let mut sessions: Vec<&Session> = core.sessions().filter(|session| !session.doomed).collect();
    sessions.sort_unstable_by_key(|session| session.id);
    sessions
}

/// CLIENT ID
fn id(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let id = ctx.session().id.0;
    ctx.reply.int(id as i64);
    Ok(())
}

/// CLIENT INFO
fn info(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let now = ctx.now();
    let line = client_line(ctx.session(), now);
    ctx.reply.verbatim("txt", line + "\n");
    Ok(())
}

/// CLIENT LIST [option value [option value ...]]. The options are those of CLIENT KILL.
fn list(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() == 3 {
        return syntax_error();
    }
    let clients = clients(ctx.core);
    let listed = if names_only_ids(args) {
        with_ids(&clients, args.from(3))?
    } else {
        fitting(ctx, &Filters::default().read(args, ctx.core)?)
    };
    let now = ctx.now();
    let lines: String = listed
        .into_iter()
        .map(|session| client_line(session, now) + "\n")
        .collect();
    ctx.reply.verbatim("txt", lines);
    Ok(())
}

/// Whether CLIENT LIST is asked for ids and nothing else, and so answers in their order, and bears with any number.
fn names_only_ids(args: Args<'_>) -> bool {
    args.get(2).is_some_and(|option| option.eq_ignore_ascii_case(b"id")) && !args.from(3).iter().any(is_filter)
}

/// The clients that `ids` name, in their order; ids of no client are passed over. O(ids × log clients).
fn with_ids<'s>(clients: &[&'s Session], ids: Args<'_>) -> Result<Vec<&'s Session>, Failure> {
    let mut found = Vec::new();
    for text in ids.iter() {
        let id = integer(text).map_err(|_| Failure::from("ERR Invalid client ID"))?;
        let id = ClientId(u64::try_from(id).unwrap_or_default());
        found.extend(
            clients
                .binary_search_by_key(&id, |session| session.id)
                .map(|at| clients[at]),
        );
    }
    Ok(found)
}

/// CLIENT GETNAME
fn getname(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let name = ctx.core.session(ctx.session).name();
    ctx.reply.bulk_or_null((!name.is_empty()).then_some(name));
    Ok(())
}

/// CLIENT SETNAME name
fn setname(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    check_client_name(args.at(2))?;
    ctx.session().names_mut().name = args.at(2).into();
    ctx.reply.ok();
    Ok(())
}

/// CLIENT SETINFO <LIB-NAME name | LIB-VER version>
fn setinfo(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (attribute, value) = (args.at(2), args.at(3));
    let names = ctx.session().names_mut();
    let field = if attribute.eq_ignore_ascii_case(b"lib-name") {
        &mut names.lib_name
    } else if attribute.eq_ignore_ascii_case(b"lib-ver") {
        &mut names.lib_version
    } else {
        return Err([b"ERR Unrecognized option '", attribute, b"'"].concat().into());
    };
    if !is_printable_word(value) {
        let reason = b" cannot contain spaces, newlines or special characters.";
        return Err([b"ERR ", attribute, reason].concat().into());
    }
    *field = value.into();
    ctx.reply.ok();
    Ok(())
}

/// CLIENT KILL <ip:port | option value [option value ...]>. The options stand in [`super::client_filter`].
fn kill(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() == 3 {
        if kill_fitting(ctx, &Filters::address(args.at(2))) == 0 {
            return Err("ERR No such client".into());
        }
        ctx.reply.ok();
        return Ok(());
    }
    let filters = Filters::sparing_the_caller().read(args, ctx.core)?;
    let killed = kill_fitting(ctx, &filters);
    ctx.reply.len(killed);
    Ok(())
}

/// The clients that fit, oldest first. O(clients × filters).
fn fitting<'c>(ctx: &'c Context<'_>, filters: &Filters<'_>) -> Vec<&'c Session> {
    let mut clients = clients(ctx.core);
    let (caller, now) = (ctx.session, ctx.now());
    clients.retain(|session| filters.fit(session, caller, now));
    clients
}

/// Closes the clients that fit and counts them. The caller, if it is one of them, still gets its reply.
fn kill_fitting(ctx: &mut Context<'_>, filters: &Filters<'_>) -> usize {
    let caller = ctx.session;
    let fitting: Vec<SessionIndex> = fitting(ctx, filters).iter().map(|session| session.index).collect();
    for &index in &fitting {
        ctx.core.ask_close(index, index != caller);
    }
    fitting.len()
}

/// CLIENT PAUSE timeout [WRITE | ALL]
fn pause(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let all = match args.get(3) {
        _ if args.len() > 4 => return Err(wrong_form("PAUSE")),
        None => true,
        Some(mode) if mode.eq_ignore_ascii_case(b"all") => true,
        Some(mode) if mode.eq_ignore_ascii_case(b"write") => false,
        Some(_) => return Err("ERR CLIENT PAUSE mode must be WRITE or ALL".into()),
    };
    let timeout = parse_timeout(args.at(2), ctx.now())?;
    let until = ctx.core.monotonic.saturating_add(timeout);
    ctx.core.pause_clients(Pause { until, all });
    ctx.reply.ok();
    Ok(())
}

/// Milliseconds from now that do not reach beyond the end of time.
fn parse_timeout(text: &[u8], now: Millis) -> Result<i64, Failure> {
    match integer(text) {
        Err(_) => Err("ERR timeout is not an integer or out of range".into()),
        Ok(timeout) if timeout < 0 => Err("ERR timeout is negative".into()),
        Ok(timeout) if timeout.checked_add(now.0).is_none() => Err("ERR timeout is out of range".into()),
        Ok(timeout) => Ok(timeout),
    }
}

/// CLIENT UNPAUSE
fn unpause(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    ctx.core.unpause();
    ctx.reply.ok();
    Ok(())
}

/// CLIENT REPLY <ON | OFF | SKIP>. Only ON is answered: the other two say not to.
fn reply(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mode = args.at(2);
    let session = ctx.session();
    if mode.eq_ignore_ascii_case(b"on") {
        session.reply_mode = ReplyMode::On;
        ctx.reply.ok();
    } else if mode.eq_ignore_ascii_case(b"off") {
        session.reply_mode = ReplyMode::Off;
    } else if mode.eq_ignore_ascii_case(b"skip") {
        if session.reply_mode != ReplyMode::Off {
            session.reply_mode = ReplyMode::SkipNext;
        }
    } else {
        return syntax_error();
    }
    Ok(())
}

fn on_or_off(text: &[u8]) -> Result<bool, Failure> {
    match text {
        _ if text.eq_ignore_ascii_case(b"on") => Ok(true),
        _ if text.eq_ignore_ascii_case(b"off") => Ok(false),
        _ => syntax_error(),
    }
}

/// CLIENT NO-EVICT <ON | OFF>
fn no_evict(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.session().no_evict = on_or_off(args.at(2))?;
    ctx.reply.ok();
    Ok(())
}

/// CLIENT NO-TOUCH <ON | OFF>
fn no_touch(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.session().no_touch = on_or_off(args.at(2))?;
    ctx.reply.ok();
    Ok(())
}

/// CLIENT CAPA capability [capability ...]. Those that nobody here has heard of are passed over.
fn capa(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let is_redirect = |word: &[u8]| word.eq_ignore_ascii_case(b"redirect");
    let session = ctx.session();
    if session.redirects == Redirects::Nothing && args.from(2).iter().any(is_redirect) {
        session.redirects = Redirects::All;
    }
    ctx.reply.ok();
    Ok(())
}

/// CLIENT IMPORT-SOURCE <ON | OFF>
fn import_source(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if !ctx.core.settings.import_mode && !args.at(2).eq_ignore_ascii_case(b"off") {
        return Err("ERR Server is not in import mode".into());
    }
    ctx.session().imports = on_or_off(args.at(2))?;
    ctx.core.note_what_is_gone(ctx.session);
    ctx.reply.ok();
    Ok(())
}

/// CLIENT UNBLOCK client-id [TIMEOUT | ERROR]. A client that waits for a pause to end is not waiting for data and stays.
fn unblock(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let why = match args.get(3) {
        _ if args.len() > 4 => return Err(wrong_form("UNBLOCK")),
        Some(reason) if reason.eq_ignore_ascii_case(b"error") => Unblock::Error,
        Some(reason) if reason.eq_ignore_ascii_case(b"timeout") => Unblock::Timeout,
        None => Unblock::Timeout,
        Some(_) => return Err("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR".into()),
    };
    let id = integer(args.at(2))?;
    let target = ctx.core.sessions().find(|session| session.id.0 as i64 == id);
    let loading = &ctx.core.loading;
    let waits_for_load = |id: ClientId| loading.as_ref().is_some_and(|loading| loading.is_for(id));
    // Nor is one that waits for a load, for the server to end, or for another server.
    let target = target.filter(|session| !waits_for_load(session.id));
    let target = target.map(|session| session.index);
    let target = target
        .filter(|index| !ctx.core.waiting.for_shutdown().contains(index) && !ctx.core.is_session_migrating(*index));
    let unblocked = target.is_some_and(|index| ctx.core.unblock(index, why));
    ctx.reply.int(i64::from(unblocked));
    Ok(())
}

/// The error for a number of arguments that the command table lets through.
fn wrong_form(subcommand: &str) -> Failure {
    format!("ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try CLIENT HELP.").into()
}

/// CLIENT HELP
fn client_help(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    help(args.at(0), "client", ctx.reply);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::testing::Server;

    /// A server with a second client, which has id 2.
    fn server_of_two() -> (Server, SessionIndex) {
        let mut server = Server::start();
        let other = SessionIndex(1);
        server.core.open(other).addresses = "127.0.0.1:7 127.0.0.1:6379".into();
        (server, other)
    }

    #[test]
    fn a_killed_client_is_gone_at_once() {
        let (mut server, other) = server_of_two();
        server
            .core
            .subscribe(other, crate::server::pubsub::Topic::Channel, b"news");
        assert_eq!(server.ask("CLIENT KILL ID 2 ADDR 127.0.0.1:8"), ":0|");
        assert_eq!(server.ask("CLIENT KILL ID 2 TYPE pubsub ADDR 127.0.0.1:7"), ":1|");
        assert_eq!(server.ask("PUBLISH news x"), ":0|");
        assert_eq!(server.ask("CLIENT LIST ID 2"), "$0||");
        assert_eq!(server.ask("CLIENT KILL 127.0.0.1:7"), "-ERR No such client|");
    }

    #[test]
    fn the_caller_is_spared_unless_it_says_otherwise() {
        let (mut server, _) = server_of_two();
        assert_eq!(server.ask("CLIENT KILL TYPE normal"), ":1|");
        assert_eq!(server.ask("CLIENT KILL TYPE normal SKIPME no"), ":1|");
        let caller = server.core.session(SessionIndex(0));
        assert!(caller.closing && !caller.doomed);
    }

    #[test]
    fn age_is_in_whole_seconds() {
        let (mut server, _) = server_of_two();
        server.at(2_000);
        assert_eq!(server.ask("CLIENT KILL MAXAGE 3"), ":0|");
        assert_eq!(server.ask("CLIENT KILL MAXAGE 2"), ":1|");
    }

    #[test]
    fn a_pause_is_only_ever_made_longer_and_stricter() {
        let (mut server, _) = server_of_two();
        server.at(0).ask("CLIENT PAUSE 1000 WRITE");
        server.ask("CLIENT PAUSE 10 WRITE");
        let pause = |until, all| {
            Some(Pause {
                until: Millis(until),
                all,
            })
        };
        assert_eq!(server.core.pause, pause(1000, false));
        server.ask("CLIENT PAUSE 1000");
        assert_eq!(server.at(2000).ask("CLIENT PAUSE 5 WRITE"), "+OK|");
        assert_eq!(server.core.pause, pause(2005, false));
    }
}
