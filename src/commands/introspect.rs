//! COMMAND: the server describes itself from its table.
//!
//! Clients read it to route requests (where are the keys?), to show hints and to check what a server can do. Only
//! commands that have a handler are shown: see [`crate::commands::table::visible`]. Elements come in table order, where
//! Redis gives the order of its hash table.

use super::handlers::Family;
use super::table::docs::history::{Changes, history};
use super::table::docs::{Arg, Status};
use super::table::errors::{self, wrong_arity};
use super::table::flags::{AclCategory, KeyFlags};
use super::table::help::help;
use super::table::key_spec::{BeginSearch, FindKeys, KeySpec};
use super::table::keys::{KeyError, KeyRef, keys};
use super::table::{CommandSpec, is_visible, lookup, lookup_full, top_level, visible};
use crate::format::glob;
use crate::resp::reply::Reply;
use crate::resp::request::Args;
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[
    ("command", run),
    ("command|count", run),
    ("command|docs", run),
    ("command|getkeys", run),
    ("command|getkeysandflags", run),
    ("command|help", run),
    ("command|info", run),
    ("command|list", run),
];

/// COMMAND [subcommand [argument ...]]
fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    command(&args.to_vec(), ctx.reply);
    Ok(())
}

/// COMMAND with or without a subcommand. `args[0]` is `command`.
pub fn command(args: &[&[u8]], reply: &mut Reply) {
    let spec = match errors::resolve(args) {
        Ok(spec) => spec,
        Err(unresolved) => return reply.error(unresolved.text(args)),
    };
    match spec.name {
        "command|count" => count(reply),
        "command|info" => info(&args[2..], reply),
        "command|docs" => docs(&args[2..], reply),
        "command|list" => list(&args[2..], reply),
        "command|getkeys" => getkeys(&args[2..], reply),
        "command|getkeysandflags" => getkeysandflags(&args[2..], reply),
        "command|help" => help(args[0], "command", reply),
        "command" => all(reply),
        other => reply.error(wrong_arity(other)),
    }
}

/// COMMAND: every command. O(commands).
pub fn all(reply: &mut Reply) {
    let commands = visible(top_level());
    reply.array(commands.clone().count());
    commands.for_each(|spec| describe(spec, reply));
}

/// COMMAND COUNT: how many commands there are, subcommands not counted.
pub fn count(reply: &mut Reply) {
    reply.len(visible(top_level()).count());
}

/// COMMAND INFO [name ...]: the named commands, null for unknown ones; without names, every command.
pub fn info(names: &[&[u8]], reply: &mut Reply) {
    if names.is_empty() {
        return all(reply);
    }
    reply.array(names.len());
    for name in names {
        match find(name) {
            Some(spec) => describe(spec, reply),
            None => reply.null(),
        }
    }
}

/// COMMAND DOCS [name ...]: documentation of the named commands, leaving out unknown ones; without names, of all.
pub fn docs(names: &[&[u8]], reply: &mut Reply) {
    let specs: Vec<&CommandSpec> = if names.is_empty() {
        visible(top_level()).collect()
    } else {
        names.iter().filter_map(|name| find(name)).collect()
    };
    document_all(&specs, reply);
}

/// COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN glob]: names, those of subcommands included.
pub fn list(filter: &[&[u8]], reply: &mut Reply) {
    let is = |at: usize, word: &[u8]| filter.get(at).is_some_and(|arg| arg.eq_ignore_ascii_case(word));
    match filter {
        [] => list_where(|_| true, reply),
        // No command comes from a module.
        [_, _, _] if is(0, b"filterby") && is(1, b"module") => list_where(|_| false, reply),
        [_, _, name] if is(0, b"filterby") && is(1, b"aclcat") => match AclCategory::parse(name) {
            Some(category) => list_where(|spec| spec.categories.contains(category), reply),
            None => list_where(|_| false, reply),
        },
        [_, _, pattern] if is(0, b"filterby") && is(1, b"pattern") => {
            list_where(|spec| glob::matches(pattern, spec.name.as_bytes(), true), reply);
        }
        _ => reply.error("ERR syntax error"),
    }
}

fn list_where(wanted: impl Fn(&CommandSpec) -> bool, reply: &mut Reply) {
    let with_subcommands = |spec: &'static CommandSpec| std::iter::once(spec).chain(visible(spec.subcommands()));
    let names: Vec<&str> = visible(top_level())
        .flat_map(with_subcommands)
        .filter(|spec| wanted(spec))
        .map(|spec| spec.name)
        .collect();
    reply.array(names.len());
    names.iter().for_each(|name| reply.bulk(name));
}

/// COMMAND GETKEYS command [arg ...]: the keys of a command line.
pub fn getkeys(line: &[&[u8]], reply: &mut Reply) {
    match keys_of_line(line) {
        Ok(keys) => {
            reply.array(keys.len());
            keys.iter().for_each(|key| reply.bulk(line[key.index]));
        }
        Err(error) => reply.error(error.text()),
    }
}

/// COMMAND GETKEYSANDFLAGS command [arg ...]: the keys of a command line and what happens to them.
pub fn getkeysandflags(line: &[&[u8]], reply: &mut Reply) {
    match keys_of_line(line) {
        Ok(keys) => {
            reply.array(keys.len());
            for key in &keys {
                reply.array(2);
                reply.bulk(line[key.index]);
                key_flags(key.flags, reply);
            }
        }
        Err(error) => reply.error(error.text()),
    }
}

fn keys_of_line(line: &[&[u8]]) -> Result<Vec<KeyRef>, KeyError> {
    let known = |spec: &&'static CommandSpec| is_visible(spec);
    let name = line.first().ok_or(KeyError::UnknownCommand)?;
    let mut spec = lookup(name).filter(known).ok_or(KeyError::UnknownCommand)?;
    if spec.is_container()
        && let Some(name) = line.get(1)
    {
        spec = spec.subcommand(name).filter(known).ok_or(KeyError::UnknownCommand)?;
    }
    keys(spec, line)
}

fn find(name: &[u8]) -> Option<&'static CommandSpec> {
    lookup_full(name).filter(|spec| is_visible(spec))
}

/// The ten elements of a command: name, arity, flags, first key, last key, step, categories, tips, key specs and
/// subcommands.
fn describe(spec: &CommandSpec, reply: &mut Reply) {
    reply.array(10);
    reply.bulk(spec.name);
    reply.int(i64::from(spec.arity));
    reply.set(spec.flags.count());
    spec.flags.iter().for_each(|flag| reply.simple(flag.name()));
    let range = spec.legacy_range;
    for position in [range.first, range.last, range.step] {
        reply.int(i64::from(position));
    }
    reply.set(spec.categories.count());
    spec.categories
        .iter()
        .for_each(|category| reply.simple(format!("@{}", category.name())));
    reply.set(spec.tips.len());
    spec.tips.iter().for_each(|tip| reply.bulk(tip));
    reply.set(spec.key_specs.len());
    spec.key_specs
        .iter()
        .for_each(|key_spec| describe_key_spec(key_spec, reply));
    describe_subcommands(spec, reply);
}

/// A command without subcommands has an empty set of them, a container an array.
fn describe_subcommands(spec: &CommandSpec, reply: &mut Reply) {
    if !spec.is_container() {
        return reply.set(0);
    }
    let subcommands = visible(spec.subcommands());
    reply.array(subcommands.clone().count());
    subcommands.for_each(|sub| describe(sub, reply));
}

fn key_flags(flags: KeyFlags, reply: &mut Reply) {
    reply.set(flags.count());
    flags.iter().for_each(|flag| reply.simple(flag.name()));
}

fn describe_key_spec(spec: &KeySpec, reply: &mut Reply) {
    reply.map(3 + usize::from(spec.note.is_some()));
    if let Some(note) = spec.note {
        reply.bulk("notes");
        reply.bulk(note);
    }
    reply.bulk("flags");
    key_flags(spec.flags, reply);
    reply.bulk("begin_search");
    describe_begin(spec.place.begin, reply);
    reply.bulk("find_keys");
    describe_find(spec.place.find, reply);
}

fn describe_begin(begin: BeginSearch, reply: &mut Reply) {
    match begin {
        BeginSearch::Index(index) => describe_rule("index", &[("index", i64::from(index))], reply),
        BeginSearch::Unknown => describe_rule("unknown", &[], reply),
        BeginSearch::Keyword { keyword, start_from } => {
            begin_rule("keyword", 2, reply);
            reply.bulk("keyword");
            reply.bulk(keyword);
            number_field("startfrom", i64::from(start_from), reply);
        }
    }
}

fn describe_find(find: FindKeys, reply: &mut Reply) {
    match find {
        FindKeys::Range { last, step, limit } => {
            let fields = [
                ("lastkey", i64::from(last)),
                ("keystep", i64::from(step)),
                ("limit", i64::from(limit)),
            ];
            describe_rule("range", &fields, reply);
        }
        FindKeys::KeyNum { count_at, first, step } => {
            let (count_at, first, step) = (i64::from(count_at), i64::from(first), i64::from(step));
            describe_rule(
                "keynum",
                &[("keynumidx", count_at), ("firstkey", first), ("keystep", step)],
                reply,
            );
        }
        FindKeys::Unknown => describe_rule("unknown", &[], reply),
    }
}

fn describe_rule(kind: &str, fields: &[(&str, i64)], reply: &mut Reply) {
    begin_rule(kind, fields.len(), reply);
    fields
        .iter()
        .for_each(|&(name, value)| number_field(name, value, reply));
}

fn begin_rule(kind: &str, fields: usize, reply: &mut Reply) {
    reply.map(2);
    reply.bulk("type");
    reply.bulk(kind);
    reply.bulk("spec");
    reply.map(fields);
}

fn number_field(name: &str, value: i64, reply: &mut Reply) {
    reply.bulk(name);
    reply.int(value);
}

fn document_all(specs: &[&CommandSpec], reply: &mut Reply) {
    reply.map(specs.len());
    for spec in specs {
        reply.bulk(spec.name);
        document(spec, reply);
    }
}

/// Writes `name` and `value` as bulk strings and counts one field more.
fn field(fields: &mut usize, name: &str, value: &str, reply: &mut Reply) {
    *fields += 1;
    reply.bulk(name);
    reply.bulk(value);
}

/// A map whose number of fields is known only once they are written.
fn map_of_fields(reply: &mut Reply, body: impl FnOnce(&mut usize, &mut Reply)) {
    reply.deferred(Reply::map, |reply| {
        let mut fields = 0;
        body(&mut fields, reply);
        fields
    });
}

fn document(spec: &CommandSpec, reply: &mut Reply) {
    let docs = spec.docs;
    map_of_fields(reply, |fields, reply| {
        field(fields, "summary", docs.summary, reply);
        field(fields, "since", spec.since, reply);
        field(fields, "group", spec.group.name(), reply);
        if !docs.complexity.is_empty() {
            field(fields, "complexity", docs.complexity, reply);
        }
        document_status(fields, docs.status, reply);
        document_history(fields, history(spec.name), reply);
        if !docs.arguments.is_empty() {
            *fields += 1;
            reply.bulk("arguments");
            document_arguments(docs.arguments, reply);
        }
        if spec.is_container() {
            *fields += 1;
            reply.bulk("subcommands");
            document_all(&visible(spec.subcommands()).collect::<Vec<_>>(), reply);
        }
    });
}

fn document_status(fields: &mut usize, status: Status, reply: &mut Reply) {
    let flag = match status {
        Status::Current => return,
        Status::Deprecated { .. } => "deprecated",
        Status::System => "syscmd",
    };
    *fields += 1;
    reply.bulk("doc_flags");
    reply.set(1);
    reply.simple(flag);
    if let Status::Deprecated { since, replaced_by } = status {
        field(fields, "deprecated_since", since, reply);
        field(fields, "replaced_by", replaced_by, reply);
    }
}

fn document_history(fields: &mut usize, changes: Changes, reply: &mut Reply) {
    if changes.is_empty() {
        return;
    }
    *fields += 1;
    reply.bulk("history");
    reply.set(changes.len());
    for (version, change) in changes {
        reply.array(2);
        reply.bulk(version);
        reply.bulk(change);
    }
}

fn document_arguments(arguments: &[Arg], reply: &mut Reply) {
    reply.array(arguments.len());
    arguments.iter().for_each(|arg| document_argument(arg, reply));
}

fn document_argument(arg: &Arg, reply: &mut Reply) {
    map_of_fields(reply, |fields, reply| {
        field(fields, "name", &arg.name(), reply);
        field(fields, "type", arg.kind.name(), reply);
        if let Some(text) = arg.display_text() {
            field(fields, "display_text", &text, reply);
        }
        if let Some(index) = arg.key_spec {
            *fields += 1;
            number_field("key_spec_index", i64::from(index), reply);
        }
        let texts = [
            ("token", arg.token),
            ("since", arg.since),
            ("deprecated_since", arg.deprecated_since),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                field(fields, name, text, reply);
            }
        }
        document_argument_flags(fields, arg, reply);
        if !arg.arguments.is_empty() {
            *fields += 1;
            reply.bulk("arguments");
            document_arguments(arg.arguments, reply);
        }
    });
}

fn document_argument_flags(fields: &mut usize, arg: &Arg, reply: &mut Reply) {
    let flags = [
        ("optional", arg.optional),
        ("multiple", arg.multiple),
        ("multiple_token", arg.multiple_token),
    ];
    let set = flags.iter().filter(|(_, set)| *set);
    if set.clone().next().is_none() {
        return;
    }
    *fields += 1;
    reply.bulk("flags");
    reply.set(set.clone().count());
    set.for_each(|(name, _)| reply.simple(name));
}
