//! REPLICAOF and what servers say to each other: REPLCONF, PSYNC, SYNC; and ROLE.

use super::handlers::Family;
use crate::config::Text;
use crate::config::compound::PrimaryAddress;
use crate::config::quoting;
use crate::format::number::parse_i64;
use crate::log;
use crate::resp::request::Args;
use crate::server::client_line::client_line;
use crate::server::context::{int32, integer};
use crate::server::replication::failover::Request;
use crate::server::replication::link;
use crate::server::replication::primary::{Answer, Parts};
use crate::server::{Context, Failure, Outcome};

pub const COMMANDS: Family = &[
    ("failover", failover),
    ("psync", psync),
    ("replconf", replconf),
    ("replicaof", replicaof),
    ("role", role),
    ("slaveof", replicaof),
    ("sync", sync),
];

/// REPLICAOF host port, REPLICAOF NO ONE
fn replicaof(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let is_no_one = args.at(1).eq_ignore_ascii_case(b"no") && args.at(2).eq_ignore_ascii_case(b"one");
    if ctx.core.replication.failover.is_some() {
        return Err("ERR REPLICAOF not allowed while failing over.".into());
    }
    let now = ctx.now();
    let client = client_line(ctx.session(), now);
    if is_no_one {
        if ctx.core.replication.is_replica() {
            ctx.core.become_primary();
            log::notice(&format!("MASTER MODE enabled (user request from '{client}')"));
        }
        ctx.reply.ok();
        return Ok(());
    }
    if ctx
        .session()
        .replica
        .as_ref()
        .is_some_and(|replica| replica.is_online())
    {
        return Err("ERR Command is not valid when client is a replica.".into());
    }
    let port = int32(args.at(2))?;
    let Ok(port) = u16::try_from(port) else {
        return Err("ERR Invalid master port".into());
    };
    let address = PrimaryAddress {
        host: Text::from(args.at(1)),
        port,
    };
    let shown = format!("{}:{}", address.host, address.port);
    if !ctx.core.replicate(address) {
        log::notice(
            "REPLICAOF would result into synchronization with the master we are already connected with. No operation performed.",
        );
        ctx.reply.simple("OK Already connected to specified master");
        return Ok(());
    }
    log::notice(&format!("REPLICAOF {shown} enabled (user request from '{client}')"));
    ctx.reply.ok();
    Ok(())
}

/// ROLE
fn role(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    if let Some(link) = &ctx.core.replication.link {
        link::write_role(ctx.core, link, ctx.reply);
        return Ok(());
    }
    let mut replicas = ctx.core.replica_lines();
    replicas.retain(|replica| replica.is_online);
    ctx.reply.array(3);
    ctx.reply.bulk(b"master");
    ctx.reply.int(ctx.core.propagation.offset as i64);
    ctx.reply.array(replicas.len());
    for replica in replicas {
        ctx.reply.array(3);
        ctx.reply.bulk(replica.ip.as_bytes());
        ctx.reply.bulk(replica.port.to_string().as_bytes());
        ctx.reply.bulk(replica.acked.to_string().as_bytes());
    }
    Ok(())
}

/// FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]
fn failover(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() == 2 && args.at(1).eq_ignore_ascii_case(b"abort") {
        if !ctx.core.abort_failover() {
            return Err("ERR No failover in progress.".into());
        }
        ctx.reply.ok();
        return Ok(());
    }
    let request = parse_failover(args)?;
    ctx.core.begin_failover(request)?;
    ctx.reply.ok();
    Ok(())
}

fn parse_failover(args: Args<'_>) -> Result<Request, Failure> {
    let mut request = Request::default();
    let mut at = 1;
    while at < args.len() {
        let (option, left) = (args.at(at), args.len() - at - 1);
        if option.eq_ignore_ascii_case(b"timeout") && left >= 1 && request.timeout.is_none() {
            let timeout = integer(args.at(at + 1))?;
            if timeout <= 0 {
                return Err("ERR FAILOVER timeout must be greater than 0".into());
            }
            request.timeout = Some(timeout);
            at += 2;
        } else if option.eq_ignore_ascii_case(b"to") && left >= 2 && request.target.is_none() {
            request.target = Some(PrimaryAddress {
                host: Text::from(args.at(at + 1)),
                // No replica listens on what is no port.
                port: u16::try_from(integer(args.at(at + 2))?).unwrap_or(0),
            });
            at += 3;
        } else if option.eq_ignore_ascii_case(b"force") && !request.is_forced {
            request.is_forced = true;
            at += 1;
        } else {
            return Err("ERR syntax error".into());
        }
    }
    Ok(request)
}

/// PSYNC replicationid offset [FAILOVER]
fn psync(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let Ok(offset) = integer(args.at(2)) else {
        let name = ctx.core.replica_name(ctx.session);
        log::warning(&format!(
            "Replica {name} asks for synchronization but with a wrong offset"
        ));
        return Err("ERR value is not an integer or out of range".into());
    };
    if args.get(3).is_some_and(|word| word.eq_ignore_ascii_case(b"failover")) {
        let now = ctx.now();
        let client = client_line(ctx.session(), now);
        ctx.core.replace_primary(args.at(1), &client)?;
    }
    begin(ctx, Some((args.at(1), offset)))
}

/// SYNC, of servers before 2.8
fn sync(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    begin(ctx, None)
}

fn begin(ctx: &mut Context<'_>, known: Option<(&[u8], i64)>) -> Outcome {
    let index = ctx.session;
    if ctx.core.replication.replicas.contains(&index) {
        return Ok(());
    }
    if ctx.core.replication.is_replica() && !ctx.core.replication.is_link_up() {
        return Err("NOMASTERLINK Can't SYNC while not connected with my master".into());
    }
    if ctx.session().output_bytes() > 0 || !ctx.reply.bytes.is_empty() {
        return Err("ERR SYNC and PSYNC are invalid with pending output".into());
    }
    if !ctx.core.replica_of(index).can_have_its_parts() {
        return Err("ERR Filtered replica requires EOF capability".into());
    }
    let name = ctx.core.replica_name(index);
    log::notice(&format!("Replica {name} asks for synchronization"));
    let is_old = known.is_none();
    // "?" is asked by who has nothing.
    let known = known.filter(|(id, _)| *id != b"?");
    match ctx.core.take_replica(index, known, is_old) {
        Answer::Continues(text) => ctx.reply.simple(&text),
        Answer::Later => {}
    }
    Ok(())
}

/// REPLCONF option value ...
fn replconf(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len().is_multiple_of(2) {
        return Err("ERR syntax error".into());
    }
    let index = ctx.session;
    for at in (1..args.len()).step_by(2) {
        let (option, value) = (args.at(at).to_ascii_lowercase(), args.at(at + 1));
        match &option[..] {
            b"listening-port" => {
                let port = integer(value)?;
                ctx.core.replica_of(index).port = u16::try_from(port).unwrap_or(0);
            }
            b"ip-address" => {
                let address = String::from_utf8_lossy(value).into_owned();
                if address.len() > 255 {
                    return Err(format!(
                        "ERR REPLCONF ip-address provided by replica instance is too long: {} bytes",
                        address.len()
                    )
                    .into());
                }
                ctx.core.replica_of(index).address = address.into();
            }
            b"capa" if value.eq_ignore_ascii_case(b"psync2") => ctx.core.replica_takes_new_id(index),
            b"capa" if value.eq_ignore_ascii_case(b"eof") => ctx.core.replica_takes_mark(index),
            b"rdb-only" => ctx.core.replica_of(index).wants_only_snapshot = yes_or_no(value)?,
            b"rdb-filter-only" => ctx.core.replica_of(index).parts = parts(value)?,
            // Whatever else it can do is not made use of.
            b"capa" | b"version" => {}
            b"ack" => return acknowledged(ctx, args),
            b"getack" => {
                ctx.core.want_ack();
                return Ok(());
            }
            _ => {
                let option = String::from_utf8_lossy(args.at(at));
                return Err(format!("ERR Unrecognized REPLCONF option: {option}").into());
            }
        }
    }
    ctx.reply.ok();
    Ok(())
}

/// 0 or 1
fn yes_or_no(text: &[u8]) -> Result<bool, Failure> {
    match integer(text)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err("ERR value is out of range, value must between 0 and 1".into()),
    }
}

/// The names of what a snapshot is to have; what is not named it has not.
fn parts(text: &[u8]) -> Result<Parts, Failure> {
    let names = quoting::split(text).ok_or("ERR Missing rdb-filter-only values")?;
    let mut parts = Parts::NONE;
    for name in names {
        if !name.eq_ignore_ascii_case(b"functions") {
            let name = String::from_utf8_lossy(&name);
            return Err(format!("ERR Unsupported rdb-filter-only option: {name}").into());
        }
        parts.functions = true;
    }
    Ok(parts)
}

/// REPLCONF ACK offset [FACK offset], to which there is no answer.
fn acknowledged(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let number = |text: Option<&[u8]>| text.and_then(parse_i64).and_then(|offset| u64::try_from(offset).ok());
    let has_synced = args.get(3).is_some_and(|word| word.eq_ignore_ascii_case(b"fack"));
    let synced = has_synced.then(|| number(args.get(4))).flatten();
    if let Some(offset) = number(args.get(2)) {
        ctx.core.replica_acked(ctx.session, offset, synced);
    }
    Ok(())
}
