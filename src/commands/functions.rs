//! FUNCTION and its subcommands, FCALL and FCALL_RO.
//!
//! What libraries are is in [`crate::scripting::functions`], how their functions run in [`crate::server::scripts`].

use super::handlers::Family;
use super::table::errors::unusable_subcommand;
use super::table::help::help as help_of;
use crate::format::{glob, number};
use crate::persistence::rdb::encode::Options;
use crate::persistence::rdb::payload;
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::scripting::Kind;
use crate::scripting::functions::{Function, Library, PATIENCE, Policy, Refusal};
use crate::server::failure::Failure;
use crate::server::scripts::{Start, run};
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[
    ("fcall", fcall),
    ("fcall_ro", fcall),
    ("function|delete", delete),
    ("function|dump", dump),
    ("function|flush", flush),
    ("function|help", help),
    ("function|kill", kill),
    ("function|list", list),
    ("function|load", load),
    ("function|restore", restore),
    ("function|stats", stats),
];

fn refused(refusal: Refusal) -> Failure {
    [b"ERR ", &*refusal].concat().into()
}

/// FCALL function numkeys [key ...] [arg ...], FCALL_RO likewise
fn fcall(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let function = ctx
        .core
        .libraries()
        .and_then(|libraries| libraries.function(args.at(1)));
    let function = function.cloned().ok_or("ERR Function not found")?;
    let keys = count_of_keys(&args)?;
    let name = String::from_utf8_lossy(&function.name);
    let start = Start {
        kind: Kind::Functions,
        function: function.id,
        name: &name,
        flags: function.flags,
        is_read_only: ctx.spec.name.ends_with("_ro"),
        keys: args.range(3..3 + keys),
        args: args.from(3 + keys),
    };
    run(ctx, &start)
}

fn count_of_keys(args: &Args<'_>) -> Result<usize, Failure> {
    let count = number::parse_i64(args.at(2)).ok_or("ERR Bad number of keys provided")?;
    if count > (args.len() - 3) as i64 {
        return Err("ERR Number of keys can't be greater than number of args".into());
    }
    usize::try_from(count).map_err(|_| "ERR Number of keys can't be negative".into())
}

/// FUNCTION LOAD [REPLACE] code
fn load(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let last = args.len() - 1;
    let options = args.range(2..last);
    if let Some(option) = options.iter().find(|option| !option.eq_ignore_ascii_case(b"replace")) {
        return Err([b"ERR Unknown option given: ", option].concat().into());
    }
    let may_replace = options.len() > 0;
    // A primary, or the log, has loaded it before.
    let patience = (!ctx.core.is_obeyed(ctx.session)).then_some(PATIENCE);
    let source = args.at(last);
    let loaded = ctx
        .core
        .with_functions(|functions, engine| functions.load(engine, source, may_replace, patience))?;
    ctx.reply.bulk(loaded.map_err(refused)?);
    ctx.core.dirty += 1;
    Ok(())
}

/// FUNCTION DELETE library
fn delete(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let is_gone = ctx.core.libraries().is_some()
        && ctx
            .core
            .with_functions(|functions, engine| functions.delete(engine, args.at(2)))?;
    if !is_gone {
        return Err("ERR Library not found".into());
    }
    ctx.core.dirty += 1;
    ctx.reply.ok();
    Ok(())
}

/// FUNCTION FLUSH [ASYNC | SYNC]
fn flush(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(unusable_subcommand(&args.to_vec()).into());
    }
    let is_mode = |word: &[u8]| word.eq_ignore_ascii_case(b"sync") || word.eq_ignore_ascii_case(b"async");
    if args.get(2).is_some_and(|word| !is_mode(word)) {
        return Err("ERR FUNCTION FLUSH only supports SYNC|ASYNC option".into());
    }
    ctx.core.drop_functions();
    ctx.core.dirty += 1;
    ctx.reply.ok();
    Ok(())
}

/// FUNCTION KILL
fn kill(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    ctx.core.kill_script(Kind::Functions)?;
    ctx.reply.ok();
    Ok(())
}

/// FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]
fn list(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (mut pattern, mut with_code) = (None, false);
    let mut at = 2;
    while let Some(option) = args.get(at) {
        at += 1;
        if !with_code && option.eq_ignore_ascii_case(b"withcode") {
            with_code = true;
        } else if pattern.is_none() && option.eq_ignore_ascii_case(b"libraryname") {
            pattern = Some(args.get(at).ok_or("ERR library name argument was not given")?);
            at += 1;
        } else {
            return Err([b"ERR Unknown argument ", option].concat().into());
        }
    }
    let all = ctx.core.libraries().into_iter().flat_map(|libraries| libraries.iter());
    let is_meant = |library: &&Library| pattern.is_none_or(|pattern| glob::matches(pattern, &library.name, true));
    let libraries: Vec<&Library> = all.filter(is_meant).collect();
    ctx.reply.array(libraries.len());
    for library in libraries {
        show(library, with_code, ctx.reply);
    }
    Ok(())
}

fn show(library: &Library, with_code: bool, reply: &mut Reply) {
    reply.map(if with_code { 4 } else { 3 });
    reply.bulk("library_name");
    reply.bulk(&library.name);
    reply.bulk("engine");
    reply.bulk("LUA");
    reply.bulk("functions");
    reply.array(library.functions.len());
    for function in &library.functions {
        let Function {
            name,
            description,
            flags,
            ..
        } = function;
        reply.map(3);
        reply.bulk("name");
        reply.bulk(name);
        reply.bulk("description");
        reply.bulk_or_null(description.as_ref());
        reply.bulk("flags");
        reply.set(flags.names().count());
        flags.names().for_each(|flag| reply.simple(flag));
    }
    if with_code {
        reply.bulk("library_code");
        reply.bulk(&library.source);
    }
}

/// FUNCTION STATS
fn stats(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let (core, reply) = (&*ctx.core, &mut ctx.reply);
    let running = core.scripts.running();
    if let (Some(text), true) = (
        core.busy_text_of_shutdown(),
        running.is_some_and(|run| run.kind() == Kind::Scripts),
    ) {
        return Err(text.into());
    }
    reply.map(2);
    reply.bulk("running_script");
    match running {
        Some(run) => {
            reply.map(3);
            reply.bulk("name");
            reply.bulk(run.name());
            reply.bulk("command");
            let command = run.command();
            reply.array(command.len());
            command.iter().for_each(|word| reply.bulk(word));
            reply.bulk("duration_ms");
            reply.int(core.monotonic.since(run.begun()));
        }
        None => reply.null(),
    }
    reply.bulk("engines");
    reply.map(1);
    reply.bulk("LUA");
    reply.map(2);
    reply.bulk("libraries_count");
    reply.int(core.libraries().map_or(0, |libraries| libraries.len() as i64));
    reply.bulk("functions_count");
    reply.int(
        core.libraries()
            .map_or(0, |libraries| libraries.function_count() as i64),
    );
    Ok(())
}

/// FUNCTION DUMP
fn dump(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let options = Options {
        compress: ctx.core.settings.rdbcompression,
        ..Options::default()
    };
    let libraries = ctx.core.libraries().into_iter().flat_map(|libraries| libraries.iter());
    ctx.reply.bulk(payload::dump_functions(
        libraries.map(|library| &*library.source),
        options,
    ));
    Ok(())
}

/// FUNCTION RESTORE payload [FLUSH | APPEND | REPLACE]
fn restore(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 4 {
        return Err(unusable_subcommand(&args.to_vec()).into());
    }
    let policy = match args.get(3).map(<[u8]>::to_ascii_lowercase).as_deref() {
        None | Some(b"append") => Policy::Append,
        Some(b"replace") => Policy::Replace,
        Some(b"flush") => Policy::Flush,
        Some(_) => {
            let text = "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.";
            return Err(text.into());
        }
    };
    let opened = payload::open(args.at(2), ctx.core.checksums_count);
    let (_, body) = opened.map_err(|_| "ERR DUMP payload version or checksum are wrong")?;
    let sources = payload::functions(body).map_err(|error| format!("ERR {error}"))?;
    let restored = ctx
        .core
        .with_functions(|functions, engine| functions.restore(engine, &sources, policy))?;
    restored.map_err(refused)?;
    ctx.core.dirty += 1;
    ctx.reply.ok();
    Ok(())
}

/// FUNCTION HELP
fn help(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    help_of(args.at(0), "function", ctx.reply);
    Ok(())
}
