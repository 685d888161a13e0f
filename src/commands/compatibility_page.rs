//! `docs/compatibility.md`, written from the command table and the handlers so that it cannot disagree with them.

use std::fs;
use std::path::Path;

use super::handlers::Handlers;
use super::table::docs::Status;
use super::table::flags::Group;
use super::table::{CommandSpec, all, top_level};

const HEADER: &str = "\
# Commands

These are the commands of Redis 7.2, and some that came with newer servers, by group. One that is built takes the
options of Redis 7.2 and answers as Redis does, to the byte; one that is not is unknown to clients, and `COMMAND` does not
list it. There is no cluster mode and no interface for modules: what needs them is *refused*, in the words of a Redis that
has neither. *Since* is the version of Redis that brought the command; where it names Valkey, the command is Valkey's and
answers as Valkey 9.1 does. So do `SET` with `IFEQ`, `ZSCAN` with `NOSCORES`, `BGSAVE` with `CANCEL`, and the filters of
`CLIENT LIST` and `CLIENT KILL`.

The commands for vector sets take the options of Redis 8.0 and answer as it does. Which elements are found, and how they are
linked, is another graph's business and may differ where there are more than a few; so may the last digit of a score. Here
they say which keys they only read, `COPY` copies vector sets, `\\u` in a JSON text is the character it stands for, `REDUCE`
takes as many numbers as make a matrix of 64 MiB and draws others than Redis does, also on a replica of Redis that hears of a
new key, and whatever is infinite counts as zero. The keyspace hears of a vector set that is created and of one that is
deleted, also as its last element goes. No command works aside on a thread, whatever `CAS` or the lack of `NOTHREAD` says:
`VSIM` with `TRUTH` looks at every element, about six milliseconds for 100,000 of 128 components, and everybody waits for it,
as for a large `EF` or `FILTER-EF`.

This page is generated: `AEOLUS_BLESS=1 cargo test --lib commands::compatibility_page` writes it anew after a change of
the command table or of the handlers.

";

fn title(group: Group) -> &'static str {
    match group {
        Group::String => "Strings",
        Group::Bitmap => "Bitmaps",
        Group::List => "Lists",
        Group::Set => "Sets",
        Group::Hash => "Hashes",
        Group::SortedSet => "Sorted sets",
        Group::Geo => "Places",
        Group::HyperLogLog => "HyperLogLogs",
        Group::Stream => "Streams",
        Group::VectorSet => "Vector sets",
        Group::Generic => "Keys of any type",
        Group::PubSub => "Pub/Sub",
        Group::Transactions => "Transactions",
        Group::Scripting => "Scripts and functions",
        Group::Connection => "Connections",
        Group::Server => "Server",
        Group::Cluster => "Cluster",
    }
}

fn is_built(spec: &CommandSpec) -> bool {
    Handlers::shared().get(spec).is_some()
}

/// Whether the command does nothing but to say that there is no cluster, or are no modules.
fn is_refused(spec: &CommandSpec) -> bool {
    spec.group == Group::Cluster || matches!(spec.name, "module|load" | "module|loadex" | "module|unload")
}

/// A command with those below it; one that only gathers others has no row of its own.
fn family(spec: &'static CommandSpec) -> impl Iterator<Item = &'static CommandSpec> + Clone {
    let alone = (!spec.is_container() || is_built(spec)).then_some(spec);
    alone.into_iter().chain(spec.subcommands())
}

fn row(spec: &CommandSpec) -> String {
    let name = spec.name.replace('|', " ").to_ascii_uppercase();
    let built = match (is_built(spec), is_refused(spec)) {
        (_, true) => "refused",
        (true, false) => "yes",
        (false, false) => "not yet",
    };
    let deprecated = match spec.docs.status {
        Status::Deprecated { since, .. } => format!(" Deprecated since {since}."),
        Status::Current | Status::System => String::new(),
    };
    let summary = spec.docs.summary.replace('|', "\\|");
    let server = if spec.is_valkeys { "Valkey " } else { "" };
    format!(
        "| `{name}` | {server}{} | {built} | {summary}{deprecated} |\n",
        spec.since
    )
}

fn page() -> String {
    let listed = top_level().iter().flat_map(family);
    let built = listed
        .clone()
        .filter(|spec| is_built(spec) && !is_refused(spec))
        .count();
    let refused = listed.clone().filter(|spec| is_refused(spec)).count();
    let mut page = format!(
        "{HEADER}Of {} commands and subcommands, {built} are built and {refused} refused.\n",
        listed.count()
    );
    let mut group = None;
    for spec in top_level() {
        if group.replace(spec.group) != Some(spec.group) {
            let title = title(spec.group);
            page += &format!("\n## {title}\n\n| Command | Since | Built | What it does |\n| --- | --- | --- | --- |\n");
        }
        page.extend(family(spec).map(row));
    }
    page
}

#[test]
fn the_page_agrees_with_the_table() {
    let page = page();
    assert!(
        all()
            .iter()
            .filter(|spec| is_built(spec))
            .all(|spec| page.contains(&row(spec)))
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compatibility.md");
    if std::env::var_os("AEOLUS_BLESS").is_some() {
        fs::write(&path, &page).expect("docs/ is writable");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "docs/compatibility.md is out of date; run the tests with AEOLUS_BLESS=1"
    );
}
