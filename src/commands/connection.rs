//! Commands about the connection itself: who the client is, which protocol it speaks, which database it uses.
//!
//! Every client is some user's, at first the default one's. Who may be which is [`crate::acl`]'s to say.

use super::expiry::syntax_error;
use super::handlers::Family;
use crate::acl::DEFAULT_NAME;
use crate::config::REDIS_VERSION;
use crate::resp::reply::Protocol;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[
    ("auth", auth),
    ("echo", echo),
    ("hello", hello),
    ("ping", ping),
    ("quit", quit),
    ("reset", reset),
    ("select", select),
];

/// PING [message]. To a RESP2 subscriber it answers as a message would come.
fn ping(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 2 {
        return Err("ERR wrong number of arguments for 'ping' command".into());
    }
    let session = ctx.session();
    if session.protocol == Protocol::Resp2 && session.is_subscriber() {
        ctx.reply.array(2);
        ctx.reply.bulk(b"pong");
        ctx.reply.bulk(args.get(1).unwrap_or_default());
        return Ok(());
    }
    match args.get(1) {
        Some(message) => ctx.reply.bulk(message),
        None => ctx.reply.simple("PONG"),
    }
    Ok(())
}

/// ECHO message
fn echo(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.reply.bulk(args.at(1));
    Ok(())
}

/// AUTH [username] password
fn auth(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        2 if ctx.core.acl.default_user().needs_no_password => {
            return Err(
                "ERR AUTH <password> called without any password configured for the default user. \
                        Are you sure your configuration is correct?"
                    .into(),
            );
        }
        2 => authenticate(ctx, DEFAULT_NAME, args.at(1))?,
        3 => authenticate(ctx, args.at(1), args.at(2))?,
        _ => return syntax_error(),
    }
    ctx.reply.ok();
    Ok(())
}

/// Lets the client in if user and password are right.
fn authenticate(ctx: &mut Context<'_>, user: &[u8], password: &[u8]) -> Outcome {
    let word = ctx.args.at(0);
    match ctx.core.log_in(ctx.session, user, password, word) {
        true => Ok(()),
        false => Err("WRONGPASS invalid username-password pair or user is disabled.".into()),
    }
}

/// What HELLO was asked for beyond the protocol.
#[derive(Default)]
struct HelloOptions<'a> {
    credentials: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

impl<'a> HelloOptions<'a> {
    fn parse(args: Args<'a>) -> Result<Self, Failure> {
        let mut options = HelloOptions::default();
        let mut at = 2;
        while let Some(option) = args.get(at) {
            if option.eq_ignore_ascii_case(b"auth")
                && let (Some(user), Some(password)) = (args.get(at + 1), args.get(at + 2))
            {
                options.credentials = Some((user, password));
                at += 3;
            } else if option.eq_ignore_ascii_case(b"setname")
                && let Some(name) = args.get(at + 1)
            {
                check_client_name(name)?;
                options.name = Some(name);
                at += 2;
            } else {
                return Err([b"ERR Syntax error in HELLO option '", option, b"'"].concat().into());
            }
        }
        Ok(options)
    }
}

/// HELLO [protover [AUTH username password] [SETNAME clientname]]
fn hello(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let protocol = args.get(1).map(parse_protocol).transpose()?;
    let options = HelloOptions::parse(args)?;
    if let Some((user, password)) = options.credentials {
        authenticate(ctx, user, password)?;
    }
    if !ctx.session().authenticated {
        return Err(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> \
                    AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol \
                    version at the same time"
                .into(),
        );
    }
    if let Some(name) = options.name {
        ctx.session().names_mut().name = name.into();
    }
    if let Some(protocol) = protocol {
        speak(ctx, protocol);
    }
    introduce(ctx);
    Ok(())
}

fn parse_protocol(text: &[u8]) -> Result<Protocol, Failure> {
    match integer(text) {
        Ok(2) => Ok(Protocol::Resp2),
        Ok(3) => Ok(Protocol::Resp3),
        Ok(_) => Err("NOPROTO unsupported protocol version".into()),
        Err(_) => Err("ERR Protocol version is not an integer or out of range".into()),
    }
}

/// Changes the protocol, of the reply to the present command as well.
fn speak(ctx: &mut Context<'_>, protocol: Protocol) {
    ctx.session().protocol = protocol;
    ctx.reply.protocol = protocol;
}

/// The server's facts, as HELLO ends.
fn introduce(ctx: &mut Context<'_>) {
    let role = if ctx.core.replication.is_replica() {
        "replica"
    } else {
        "master"
    };
    let session = ctx.session();
    let (id, protocol) = (session.id.0, session.protocol);
    let zone = &ctx.core.settings.availability_zone;
    let reply = &mut ctx.reply;
    reply.map(7 + usize::from(!zone.is_empty()));
    for (field, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        reply.bulk(field);
        reply.bulk(value);
    }
    reply.bulk("proto");
    reply.int(if protocol == Protocol::Resp3 { 3 } else { 2 });
    reply.bulk("id");
    reply.int(id as i64);
    for (field, value) in [("mode", "standalone"), ("role", role)] {
        reply.bulk(field);
        reply.bulk(value);
    }
    reply.bulk("modules");
    reply.array(0);
    if !zone.is_empty() {
        reply.bulk("availability_zone");
        reply.bulk(zone.as_bytes());
    }
}

/// A client's name stands in CLIENT LIST between spaces, one client a line.
pub fn check_client_name(name: &[u8]) -> Outcome {
    if is_printable_word(name) {
        return Ok(());
    }
    Err("ERR Client names cannot contain spaces, newlines or special characters.".into())
}

/// Whether a text has only visible ASCII characters, up to a NUL, where Redis's check ends.
pub fn is_printable_word(text: &[u8]) -> bool {
    text.iter().take_while(|&&byte| byte != 0).all(u8::is_ascii_graphic)
}

/// SELECT index
fn select(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let index = integer(args.at(1))?;
    if i32::try_from(index).is_err() {
        return Err(format!(
            "ERR value is out of range, value must between {} and {}",
            i32::MIN,
            i32::MAX
        )
        .into());
    }
    if index < 0 || index >= i64::from(ctx.core.settings.databases) {
        return Err("ERR DB index is out of range".into());
    }
    ctx.session().database = index as u32;
    ctx.reply.ok();
    Ok(())
}

/// QUIT: goodbye, behind all replies.
fn quit(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    ctx.reply.ok();
    ctx.core.ask_close(ctx.session, false);
    Ok(())
}

/// RESET: the connection as it was when it was accepted.
fn reset(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    ctx.core.unsubscribe_all(ctx.session);
    ctx.core.end_transaction(ctx.session);
    ctx.core.untrack(ctx.session);
    ctx.core.stop_monitoring(ctx.session);
    ctx.session().reset();
    ctx.core.note_what_is_gone(ctx.session);
    ctx.core.log_out(ctx.session);
    ctx.reply.protocol = Protocol::Resp2;
    ctx.reply.simple("RESET");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::testing::Server;

    #[test]
    fn a_password_holds_until_it_is_taken_back() {
        let mut server = Server::start();
        server.ask("CONFIG SET requirepass secret");
        assert_eq!(server.ask("PING"), "+PONG|", "who is in stays in");
        assert_eq!(server.ask("RESET"), "+RESET|");
        assert_eq!(server.ask("PING"), "-NOAUTH Authentication required.|");
        assert!(server.ask("HELLO 3 AUTH default wrong").starts_with("-WRONGPASS "));
        assert_eq!(server.core.stats.acl_access_denied_auth, 1);
        assert!(server.ask("HELLO 3 AUTH default secret SETNAME me").starts_with("%7|"));
        server.ask("RESET");
        server.core.acl.set_default_password(b"");
        assert_eq!(server.ask("PING"), "+PONG|");
    }

    #[test]
    fn hello_tells_the_zone_if_there_is_one() {
        let mut server = Server::start();
        assert!(server.ask("HELLO 3").ends_with("|$7|modules|*0|"));
        server.ask("CONFIG SET availability-zone here");
        assert!(server.ask("HELLO 2").starts_with("*16|"));
        assert!(
            server
                .ask("HELLO 3")
                .ends_with("|$7|modules|*0|$17|availability_zone|$4|here|")
        );
        assert!(server.ask("INFO server").contains("|availability_zone:here|"));
    }

    #[test]
    fn hello_tells_the_role() {
        let mut server = Server::start();
        assert!(server.ask("HELLO 2").contains("|$4|role|$6|master|"));
        server.ask("REPLICAOF 127.0.0.1 1");
        assert!(server.ask("HELLO 3").contains("|$4|role|$7|replica|"));
    }

    #[test]
    fn names_are_visible_words() {
        assert!(is_printable_word(b"") && is_printable_word(b"a-b!~"));
        for name in [&b"a b"[..], b"a\n", b"\x7f", b"\xc3\xa9"] {
            assert!(check_client_name(name).is_err());
        }
    }
}
