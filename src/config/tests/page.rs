//! `docs/configuration.md`, written from the table so that it cannot disagree with it.

use std::fs;
use std::path::Path;

use crate::config::Settings;
use crate::config::settings::TABLE;
use crate::config::table::{Access, Setting, Status};

const HEADER: &str = "\
# Settings

Aeolus reads the configuration file of Redis 7.2 and takes the same settings on its command line, with the same names and
ranges, and the same defaults but for that of `sanitize-dump-payload`:

    aeolus /etc/redis/redis.conf
    aeolus --port 6380 --save \"\" --maxmemory 1gb
    echo 'maxmemory-policy allkeys-lru' | aeolus -

A setting that does nothing yet is accepted and reported, and the table says why it does nothing; one given another
value than its default leaves a warning in the log. *Changed* says how a setting may change: `CONFIG SET` while the
server runs, only at the *start*, or *protected*, which is `CONFIG SET` if `enable-protected-configs` allows it. Bytes
may have a unit: `1k` is 1000 bytes, `1kb` 1024, likewise `m`, `mb`, `g` and `gb`, in any case. An empty default is
shown as `\"\"`.

`CONFIG REWRITE` writes the current settings back into the file the server was started with and keeps its comments.

This page is generated: `AEOLUS_BLESS=1 cargo test --lib config::tests::page` writes it anew after a change of
`src/config/settings.rs`.

| Setting | Type and range | Default | Changed | Effect |
| --- | --- | --- | --- | --- |
";

fn row(setting: &Setting, defaults: &Settings) -> String {
    let names: Vec<String> = setting.names().map(|name| format!("`{name}`")).collect();
    let default = String::from_utf8(setting.show(defaults)).expect("defaults are UTF-8");
    let default = if default.is_empty() { "\"\"".into() } else { default };
    let changed = match setting.access {
        Access::Runtime => "`CONFIG SET`",
        Access::Startup => "start",
        Access::Protected => "protected",
        Access::Hidden => "`CONFIG SET`, hidden",
    };
    let mut effect = setting
        .effect
        .iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join(" ");
    if let Status::Inert(why) = setting.status {
        effect.push_str(&format!(" **No effect**: {why}."));
    }
    format!(
        "| {} | {} | `{default}` | {changed} | {effect} |\n",
        names.join(", "),
        (setting.describe)()
    )
}

#[test]
fn the_page_agrees_with_the_table() {
    let defaults = Settings::default();
    let page: String = std::iter::once(HEADER.to_string())
        .chain(TABLE.iter().map(|s| row(s, &defaults)))
        .collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    if std::env::var_os("AEOLUS_BLESS").is_some() {
        fs::write(&path, &page).expect("docs/ is writable");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "docs/configuration.md is out of date; run the tests with AEOLUS_BLESS=1"
    );
}
