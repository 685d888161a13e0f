//! EVAL, EVALSHA and their read-only forms, and SCRIPT.
//!
//! Sources are compiled once and known by their digest from then on. How scripts run, and what they may, is in
//! [`crate::server::scripts`].

use std::rc::Rc;

use super::handlers::Family;
use super::table::help::help as help_of;
use crate::resp::request::Args;
use crate::scripting::{Kind, hex};
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::scripts::{Digest, Start, parse_digest, run};
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[
    ("eval", eval),
    ("eval_ro", eval),
    ("evalsha", evalsha),
    ("evalsha_ro", evalsha),
    ("script|debug", debug),
    ("script|exists", exists),
    ("script|flush", flush),
    ("script|help", help),
    ("script|kill", kill),
    ("script|load", load),
    ("script|show", show),
];

const NO_SCRIPT: &str = "NOSCRIPT No matching script. Please use EVAL.";

/// EVAL script numkeys [key ...] [arg ...]
fn eval(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let keys = count_of_keys(&args)?;
    let digest = ctx.core.scripts.load(args.at(1))?;
    call(ctx, &digest, keys)
}

/// EVALSHA sha1 numkeys [key ...] [arg ...]
fn evalsha(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let digest = parse_digest(args.at(1));
    if args.at(1).len() != 40 {
        return Err(NO_SCRIPT.into());
    }
    let keys = count_of_keys(&args)?;
    match digest.filter(|digest| ctx.core.scripts.find(digest).is_some()) {
        Some(digest) => call(ctx, &digest, keys),
        None => Err(NO_SCRIPT.into()),
    }
}

/// How many of the arguments are keys; at most all behind the number itself.
pub fn count_of_keys(args: &Args<'_>) -> Result<usize, Failure> {
    let count = integer(args.at(2))?;
    if count > (args.len() - 3) as i64 {
        return Err("ERR Number of keys can't be greater than number of args".into());
    }
    usize::try_from(count).map_err(|_| "ERR Number of keys can't be negative".into())
}

fn call(ctx: &mut Context<'_>, digest: &Digest, keys: usize) -> Outcome {
    let Some(script) = ctx.core.scripts.find(digest) else {
        return Err(NO_SCRIPT.into());
    };
    let name = Rc::clone(&script.name);
    let start = Start {
        kind: Kind::Scripts,
        function: script.function,
        name: &name,
        flags: script.flags,
        is_read_only: ctx.spec.name.ends_with("_ro"),
        keys: ctx.args.range(3..3 + keys),
        args: ctx.args.from(3 + keys),
    };
    run(ctx, &start)
}

/// SCRIPT LOAD script
fn load(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let digest = ctx.core.scripts.load(args.at(2))?;
    ctx.reply.bulk(hex(&digest));
    Ok(())
}

/// SCRIPT SHOW sha1
fn show(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let scripts = &ctx.core.scripts;
    let script = parse_digest(args.at(2)).and_then(|digest| scripts.find(&digest));
    let script = script.ok_or("NOSCRIPT No matching script.")?;
    ctx.reply.bulk(&*script.source);
    Ok(())
}

/// SCRIPT EXISTS sha1 [sha1 ...]
fn exists(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let digests = args.from(2);
    ctx.reply.array(digests.len());
    for text in digests.iter() {
        let is_lower = !text.iter().any(u8::is_ascii_uppercase);
        let digest = parse_digest(text).filter(|_| is_lower);
        let is_there = digest.is_some_and(|digest| ctx.core.scripts.find(&digest).is_some());
        ctx.reply.int(i64::from(is_there));
    }
    Ok(())
}

/// SCRIPT FLUSH [ASYNC | SYNC]
fn flush(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let is_mode = |word: &[u8]| word.eq_ignore_ascii_case(b"sync") || word.eq_ignore_ascii_case(b"async");
    if args.len() > 3 || args.get(2).is_some_and(|word| !is_mode(word)) {
        return Err("ERR SCRIPT FLUSH only support SYNC|ASYNC option".into());
    }
    ctx.core.scripts.reset(Kind::Scripts);
    ctx.reply.ok();
    Ok(())
}

/// SCRIPT KILL
fn kill(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    ctx.core.kill_script(Kind::Scripts)?;
    ctx.reply.ok();
    Ok(())
}

/// SCRIPT DEBUG YES | SYNC | NO
fn debug(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match args.at(2).to_ascii_lowercase().as_slice() {
        b"no" => {
            ctx.reply.ok();
            Ok(())
        }
        b"yes" | b"sync" => Err("ERR The debugger of scripts is not built".into()),
        _ => Err("ERR Use SCRIPT DEBUG YES/SYNC/NO".into()),
    }
}

/// SCRIPT HELP
fn help(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    help_of(args.at(0), "script", ctx.reply);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::server::testing::Server;

    #[test]
    fn sources_are_shown_as_they_came() {
        let mut server = Server::start();
        let source = "#!lua flags=no-writes\nreturn 3";
        server.run(&[b"EVAL", source.as_bytes(), b"0"]);
        let digest = server.run(&[b"SCRIPT", b"LOAD", source.as_bytes()]);
        let digest = digest.split('|').nth(1).expect("a digest").to_owned();
        let shown = format!("$30|{source}|");
        assert_eq!(server.ask(&format!("SCRIPT SHOW {digest}")), shown);
        assert_eq!(
            server.ask(&format!("SCRIPT SHOW {}", digest.to_ascii_uppercase())),
            shown
        );
        server.ask("SCRIPT FLUSH");
        for digest in [&*digest, "x"] {
            assert_eq!(
                server.ask(&format!("SCRIPT SHOW {digest}")),
                "-NOSCRIPT No matching script.|"
            );
        }
    }
}
