//! ACL: users, what they may do, and what was refused to them. [`crate::acl`] says what the rules mean.

use super::handlers::Family;
use super::table::flags::AclCategory;
use super::table::{self, CommandSpec, errors, errors::Unresolved, help, is_visible};
use crate::acl::log::Entry;
use crate::acl::selector::Selector;
use crate::acl::{BadRule, DEFAULT_NAME, is_name, join_parentheses};
use crate::format::reason;
use crate::log;
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::context::integer;
use crate::server::failure::Failure;
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[
    ("acl|cat", cat),
    ("acl|deluser", deluser),
    ("acl|dryrun", dryrun),
    ("acl|genpass", genpass),
    ("acl|getuser", getuser),
    ("acl|help", help),
    ("acl|list", list),
    ("acl|load", load),
    ("acl|log", log_entries),
    ("acl|save", save),
    ("acl|setuser", setuser),
    ("acl|users", users),
    ("acl|whoami", whoami),
];

/// Entries that ACL LOG shows unless a number is given.
const SHOWN: usize = 10;
/// Bits of a password that ACL GENPASS makes unless a number is given, and the most.
const PASSWORD_BITS: i64 = 256;
const MOST_PASSWORD_BITS: i64 = 4096;

const NO_FILE: &str = "ERR This instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a configuration file set) in order to store users in the configuration.";

/// ACL SETUSER username [rule ...]: all of the rules or none.
fn setuser(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let name = args.at(2);
    if !is_name(name) {
        return Err("ERR Usernames can't contain spaces or null characters".into());
    }
    let words = join_parentheses(&args.from(3).to_vec()).map_err(|word| {
        let start = b"ERR Unmatched parenthesis in acl selector starting at '";
        Failure::from([start, &*word, b"'."].concat())
    })?;
    let (words, all_channels) = (words.iter().map(Vec::as_slice), ctx.core.opens_channels());
    let user = ctx
        .core
        .acl
        .draft(name, words, all_channels)
        .map_err(|BadRule { word, error }| {
            let start = b"ERR Error in ACL SETUSER modifier '";
            Failure::from([start, &*word, b"': ", error.text().as_bytes()].concat())
        })?;
    ctx.core.put_user(user);
    ctx.reply.ok();
    Ok(())
}

/// ACL DELUSER username [username ...]
fn deluser(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let names = args.from(2);
    if names.iter().any(|name| name == DEFAULT_NAME) {
        return Err("ERR The 'default' user cannot be removed".into());
    }
    let removed = ctx.core.remove_users(names.iter());
    ctx.reply.len(removed);
    Ok(())
}

/// ACL GETUSER username
fn getuser(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let acl = &ctx.core.acl;
    let Some(user) = acl.find(args.at(2)).and_then(|id| acl.get(id)) else {
        ctx.reply.null();
        return Ok(());
    };
    let reply = &mut ctx.reply;
    reply.map(6);
    reply.bulk("flags");
    let flags = user.flags();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag));
    reply.bulk("passwords");
    reply.array(user.passwords.len());
    user.passwords.iter().for_each(|hash| reply.bulk(hash.to_hex()));
    reply_selector(reply, &user.root);
    reply.bulk("selectors");
    reply.array(user.selectors.len());
    for selector in &user.selectors {
        reply.map(3);
        reply_selector(reply, selector);
    }
    Ok(())
}

/// Three fields of a map.
fn reply_selector(reply: &mut Reply, selector: &Selector) {
    for (field, rules) in [
        ("commands", selector.command_rules()),
        ("keys", selector.key_rules()),
        ("channels", selector.channel_rules()),
    ] {
        reply.bulk(field);
        reply.bulk(rules);
    }
}

/// ACL LIST
fn list(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let lines = ctx.core.acl.lines();
    ctx.reply.array(lines.len());
    lines.iter().for_each(|line| ctx.reply.bulk(line));
    Ok(())
}

/// ACL USERS
fn users(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let acl = &ctx.core.acl;
    ctx.reply.array(acl.iter().count());
    acl.iter().for_each(|user| ctx.reply.bulk(&*user.name));
    Ok(())
}

/// ACL WHOAMI
fn whoami(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    match &ctx.core.session(ctx.session).user {
        Some(user) => ctx.reply.bulk(&*user.name),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// ACL CAT [category]
fn cat(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let names: Vec<&str> = match (args.get(2), args.len()) {
        (None, _) => AclCategory::ALL.iter().map(|category| category.name()).collect(),
        (Some(name), 3) => {
            let unknown = || Failure::from([b"ERR Unknown category '", name, b"'"].concat());
            let category = AclCategory::parse(name).ok_or_else(unknown)?;
            let is_in = |spec: &&CommandSpec| spec.categories.contains(category) && is_visible(spec);
            table::all().iter().filter(is_in).map(|spec| spec.name).collect()
        }
        _ => return Err(errors::unusable_subcommand(&args.to_vec()).into()),
    };
    ctx.reply.array(names.len());
    names.iter().for_each(|name| ctx.reply.bulk(name));
    Ok(())
}

/// ACL DRYRUN username command [arg ...]
fn dryrun(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (name, line) = (args.at(2), args.from(3).to_vec());
    let Some(id) = ctx.core.acl.find(name) else {
        return Err([b"ERR User '", name, b"' not found"].concat().into());
    };
    let spec = match errors::resolve(&line) {
        Ok(spec) => spec,
        Err(Unresolved::WrongArity(spec)) => return Err(errors::wrong_arity(spec.name).into()),
        Err(Unresolved::UnknownCommand | Unresolved::UnknownSubcommand) => {
            return Err([b"ERR Command '", line[0], b"' not found"].concat().into());
        }
    };
    let Err(denied) = ctx.core.acl.check(id, spec, &line) else {
        ctx.reply.ok();
        return Ok(());
    };
    let text = denied.text(name, denied.object(spec, &line), true);
    ctx.reply.bulk(text);
    Ok(())
}

/// ACL GENPASS [bits]: as many hexadecimal digits as hold so many bits.
fn genpass(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let bits = match args.get(2) {
        _ if args.len() > 3 => return Err(errors::unusable_subcommand(&args.to_vec()).into()),
        None => PASSWORD_BITS,
        Some(text) => integer(text)?,
    };
    if !(1..=MOST_PASSWORD_BITS).contains(&bits) {
        return Err(format!(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to \
             {MOST_PASSWORD_BITS}"
        )
        .into());
    }
    let digits = (bits as usize).div_ceil(4);
    let mut bytes = vec![0; digits.div_ceil(2)];
    // What guards a server must not be guessed: nothing less than the system's own random bytes will do.
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| std::io::Read::read_exact(&mut source, &mut bytes))
        .map_err(|error| format!("ERR The system gives no random bytes: {}", reason(&error)))?;
    let mut password: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    password.truncate(digits);
    ctx.reply.bulk(password);
    Ok(())
}

/// ACL LOG [count | RESET]
fn log_entries(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = match args.get(2) {
        _ if args.len() > 3 => return Err(errors::unusable_subcommand(&args.to_vec()).into()),
        None => SHOWN,
        Some(word) if word.eq_ignore_ascii_case(b"reset") => {
            ctx.core.acl.log.reset();
            ctx.reply.ok();
            return Ok(());
        }
        Some(text) => integer(text)?.max(0) as usize,
    };
    let now = ctx.now();
    let entries = ctx.core.acl.log.iter();
    ctx.reply.array(count.min(entries.len()));
    for entry in entries.take(count) {
        let age = now.since(entry.created) as f64 / 1000.0;
        reply_entry(ctx.reply, entry, age);
    }
    Ok(())
}

fn reply_entry(reply: &mut Reply, entry: &Entry, age: f64) {
    let refusal = &entry.refusal;
    reply.map(10);
    reply.bulk("count");
    reply.int(entry.count as i64);
    for (field, text) in [
        ("reason", refusal.reason.name().as_bytes()),
        ("context", refusal.place.name().as_bytes()),
        ("object", &refusal.object),
        ("username", &refusal.user),
    ] {
        reply.bulk(field);
        reply.bulk(text);
    }
    reply.bulk("age-seconds");
    reply.double(age);
    reply.bulk("client-info");
    reply.bulk(&entry.client);
    for (field, number) in [
        ("entry-id", entry.id as i64),
        ("timestamp-created", entry.created.0),
        ("timestamp-last-updated", entry.updated.0),
    ] {
        reply.bulk(field);
        reply.int(number);
    }
}

/// ACL LOAD: the users of the ACL file, and no others.
fn load(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    if ctx.core.settings.aclfile.is_empty() {
        return Err(NO_FILE.into());
    }
    ctx.core.load_acl_file().map_err(|reason| format!("ERR {reason}"))?;
    ctx.reply.ok();
    Ok(())
}

/// ACL SAVE
fn save(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let path = ctx.core.settings.aclfile.to_string();
    if path.is_empty() {
        return Err(NO_FILE.into());
    }
    if let Err(error) = ctx.core.acl.save(path.as_ref()) {
        log::warning(&format!("Saving the ACL file {path}: {}", reason(&error)));
        return Err(
            "ERR There was an error trying to save the ACLs. Please check the server logs for more information".into(),
        );
    }
    ctx.reply.ok();
    Ok(())
}

/// ACL HELP
fn help(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    help::help(args.at(0), "acl", ctx.reply);
    Ok(())
}
