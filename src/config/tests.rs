//! The table against Redis's reported defaults, the texts of errors, and files read, changed and written back.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::choice::{LogLevel, MaxmemoryPolicy};
use super::command_line::load_from;
use super::compound::{KeyspaceEvents, MemoryOrPercent, SavePoint};
use super::rewrite::{Extent, OwnedLines};
use super::settings::TABLE;
use super::table::{Access, Status};
use super::*;

mod page;

/// Loads arguments, with `stdin` for standard input.
fn start(args: &[&str], stdin: &str) -> Result<Startup, StartError> {
    let args = ["aeolus"].iter().chain(args).map(OsString::from);
    load_from(args, &mut stdin.as_bytes())
}

/// The line number, line and reason of the error that a start with these arguments ends in.
fn line_error(args: &[&str], stdin: &str) -> (usize, String, String) {
    match start(args, stdin) {
        Err(StartError::Line(error)) => (error.line, error.text, error.reason),
        other => panic!("{args:?} {stdin:?}: {other:?}"),
    }
}

fn settings(text: &str) -> Settings {
    start(&["-"], text)
        .unwrap_or_else(|error| panic!("{text:?}: {error}"))
        .settings
}

fn get(settings: &Settings, name: &str) -> String {
    let found = settings.get(&[name.as_bytes()]);
    assert_eq!(found.len(), 1, "{name}");
    String::from_utf8(found[0].1.clone()).expect("a text value")
}

const LOCAL: Setter = Setter {
    is_local: true,
    while_loading: false,
};

fn set(settings: &mut Settings, pairs: &[(&str, &str)]) -> Result<Vec<&'static str>, String> {
    let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
    settings.set_many(&pairs, LOCAL).map_err(|error| error.to_string())
}

/// What follows the dash in the error of setting `name` to `value`.
fn reason(name: &str, value: &str) -> String {
    let error = set(&mut Settings::default(), &[(name, value)]).expect_err(name);
    let start = format!("ERR CONFIG SET failed (possibly related to argument '{name}') - ");
    error
        .strip_prefix(&start)
        .unwrap_or_else(|| panic!("{error}"))
        .to_string()
}

/// Settings, and names of settings, that Redis 7.2 does not have.
const OWN: [&str; 14] = [
    "availability-zone",
    "commandlog-execution-slower-than",
    "commandlog-large-reply-max-len",
    "commandlog-large-request-max-len",
    "commandlog-reply-larger-than",
    "commandlog-request-larger-than",
    "commandlog-slow-execution-max-len",
    "dual-channel-replication-enabled",
    "hide-user-data-from-log",
    "import-mode",
    "primaryauth",
    "primaryuser",
    "rdb-version",
    "rdb-version-check",
];

/// Settings whose default is another here by intent, and Redis's.
const OTHER_DEFAULTS: [(&str, &str); 1] = [("sanitize-dump-payload", "no")];

/// The names and defaults that Redis 7.2 reports: a flat JSON object of strings, one a line.
fn reference() -> BTreeMap<String, String> {
    let text = include_str!("../../tests/fixtures/reference/config-redis-7.2.json");
    let quoted = |line: &str| -> Vec<String> { line.split('"').map(str::to_string).collect() };
    let lines = text.lines().map(quoted).filter(|parts| parts.len() == 5);
    lines.map(|parts| (parts[1].clone(), parts[3].clone())).collect()
}

#[test]
fn every_default_is_that_of_redis_or_another_by_intent() {
    let defaults = Settings::default();
    let mut ours: BTreeMap<String, String> = defaults
        .get(&[b"*"])
        .into_iter()
        .map(|(name, value)| (name.into_owned(), String::from_utf8(value).expect("a text value")))
        .collect();
    for own in OWN {
        assert!(ours.remove(own).is_some(), "{own}");
    }
    for (name, theirs) in OTHER_DEFAULTS {
        let differs = ours
            .insert(name.into(), theirs.into())
            .is_some_and(|ours| ours != theirs);
        assert!(differs, "{name}");
    }
    assert_eq!(ours, reference());
    assert!(ours.len() > 190);
}

#[test]
fn names_are_unique() {
    let names: Vec<&str> = TABLE.iter().flat_map(|setting| setting.names()).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}

#[test]
fn every_value_reads_back() {
    let defaults = Settings::default();
    for setting in TABLE
        .iter()
        .filter(|setting| !["dir", "replicaof"].contains(&setting.name))
    {
        let mut copy = defaults.clone();
        let value = setting.show(&defaults);
        if setting.name == "save" {
            copy.save.0.clear();
        }
        assert_eq!(setting.assign_argument(&mut copy, &value), Ok(()), "{}", setting.name);
        assert!(setting.same(&copy, &defaults), "{}", setting.name);
    }
}

#[test]
fn get_finds_names_and_patterns_once() {
    let settings = Settings::default();
    let names = |patterns: &[&str]| -> Vec<String> {
        let patterns: Vec<&[u8]> = patterns.iter().map(|p| p.as_bytes()).collect();
        settings
            .get(&patterns)
            .into_iter()
            .map(|(name, _)| name.into_owned())
            .collect()
    };
    assert_eq!(names(&["TIMEOUT", "timeout", "TIME*"]), ["TIMEOUT"]);
    assert_eq!(names(&["TIME*", "Timeout"]), ["timeout"]);
    assert_eq!(names(&["nosuch", "nosuch*", "\\timeout"]), [""; 0]);
    assert_eq!(names(&["[t]imeout"]), ["timeout"]);
    assert_eq!(names(&["*-priority"]), ["replica-priority", "slave-priority"]);
    assert_eq!(names(&["watchdog*"]), [""; 0], "hidden");
    assert_eq!(names(&["watchdog-period"]), ["watchdog-period"]);
}

#[test]
fn set_is_all_or_nothing() {
    let mut settings = Settings::default();
    assert_eq!(
        set(
            &mut settings,
            &[("timeout", "5"), ("HZ", "1000"), ("maxclients", "10000")]
        ),
        Ok(vec!["timeout", "hz"])
    );
    assert_eq!((settings.timeout, settings.hz), (5, 500));
    let before = settings.clone();
    let failed = |name: &str, reason: &str| {
        Err(format!(
            "ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"
        ))
    };
    let not_integer = "argument couldn't be parsed into an integer";
    let immutable = "can't set immutable config";
    let cases: &[(&[(&str, &str)], _)] = &[
        (&[("timeout", "6"), ("hz", "x")], failed("hz", not_integer)),
        (&[("TimeOut", "x")], failed("timeout", not_integer)),
        (&[("SLAVE-priority", "x")], failed("slave-priority", not_integer)),
        (
            &[("timeout", "6"), ("TIMEOUT", "7")],
            failed("TIMEOUT", "duplicate parameter"),
        ),
        (&[("timeout", "x"), ("databases", "4")], failed("databases", immutable)),
        (&[("databases", "4"), ("nosuch", "1")], failed("databases", immutable)),
        (
            &[("dbfilename", "x")],
            failed("dbfilename", "can't set protected config"),
        ),
        (
            &[("nosuch\r\n", "1"), ("databases", "4")],
            Err("ERR Unknown option or number of arguments for CONFIG SET - 'nosuch  '".into()),
        ),
    ];
    for (pairs, want) in cases {
        assert_eq!(set(&mut settings, pairs), *want);
        assert_eq!(settings, before);
    }
    let aliases = [("slave-priority", "5"), ("replica-priority", "6")];
    assert_eq!(set(&mut settings, &aliases), Ok(vec!["replica-priority"]));
    assert_eq!(settings.replica_priority, 6);
    settings.restore("replica-priority", &before);
    assert_eq!(settings, before);
}

#[test]
fn protected_settings_follow_their_permission() {
    let mut local = settings("enable-protected-configs local");
    let remote = Setter {
        is_local: false,
        ..LOCAL
    };
    assert!(local.set_many(&[(b"dbfilename", b"x")], remote).is_err());
    assert_eq!(local.set_many(&[(b"dbfilename", b"x")], LOCAL), Ok(vec!["dbfilename"]));
    assert_eq!(local.dbfilename.as_bytes(), b"x");
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().canonicalize().expect("its path");
    let name = path.to_str().expect("UTF-8");
    assert_eq!(set(&mut local, &[("dir", name)]), Ok(vec!["dir"]));
    assert_eq!(get(&local, "dir"), name);
    let missing = set(&mut local, &[("dir", "nosuch")]).expect_err("a missing directory");
    assert!(missing.ends_with("- No such file or directory"), "{missing}");
}

#[test]
fn values_are_refused_in_the_words_of_redis() {
    let cases = [
        ("port", "65536", "argument must be between 0 and 65535 inclusive"),
        ("port", "010", "argument couldn't be parsed into an integer"),
        ("port", " 7", "argument couldn't be parsed into an integer"),
        ("maxclients", "0", "argument must be between 1 and 4294967295 inclusive"),
        (
            "slowlog-log-slower-than",
            "-2",
            "argument must be between -1 and 9223372036854775807 inclusive",
        ),
        (
            "hash-max-listpack-value",
            "18446744073709551615",
            "argument must be between 0 and 9223372036854775807 inclusive",
        ),
        (
            "client-query-buffer-limit",
            "5",
            "argument must be between 1048576 and 9223372036854775807 inclusive",
        ),
        ("maxmemory", "1.5gb", "argument must be a memory value"),
        ("maxmemory", "-1", "argument must be a memory value"),
        ("maxmemory-clients", "x", "argument must be a memory or percent value"),
        ("maxmemory-clients", "%", "argument must be a memory or percent value"),
        ("maxmemory-clients", "-5%", "argument must be a memory or percent value"),
        (
            "maxmemory-clients",
            "200%",
            "percentage argument must be less or equal to 100",
        ),
        (
            "maxmemory-clients",
            "9223372036854775808",
            "percentage argument must be less or equal to 100",
        ),
        ("appendonly", "maybe", "argument must be 'yes' or 'no'"),
        (
            "appendfsync",
            "",
            "argument(s) must be one of the following: everysec, always, no",
        ),
        (
            "oom-score-adj",
            "x",
            "argument(s) must be one of the following: no, yes, relative, absolute",
        ),
        (
            "notify-keyspace-events",
            "Q",
            "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
        ),
        ("save", "10", "Invalid save parameters"),
        ("save", " ", "Invalid save parameters"),
        ("save", "10  1", "Invalid save parameters"),
        ("save", "0 1", "Invalid save parameters"),
        ("save", "1 -1", "Invalid save parameters"),
        ("save", "0x10 1", "Invalid save parameters"),
        (
            "client-output-buffer-limit",
            "normal 0 0",
            "Wrong number of arguments in buffer limit configuration.",
        ),
        (
            "client-output-buffer-limit",
            "master 5 6 7",
            "Invalid client class specified in buffer limit configuration.",
        ),
        (
            "client-output-buffer-limit",
            "slave 1 2 -1",
            "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
        ),
        (
            "latency-tracking-info-percentiles",
            "1 x",
            "Invalid latency-tracking-info-percentiles parameters",
        ),
        (
            "latency-tracking-info-percentiles",
            "nan",
            "Invalid latency-tracking-info-percentiles parameters",
        ),
        (
            "latency-tracking-info-percentiles",
            "101",
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
        ),
        (
            "shutdown-on-sigterm",
            "",
            "argument(s) must be one of the following: default, save, nosave, now, force",
        ),
        (
            "shutdown-on-sigterm",
            "save nosave",
            "shutdown options SAVE and NOSAVE can't be used simultaneously",
        ),
        ("oom-score-adj-values", "1 2", "wrong number of arguments"),
        (
            "oom-score-adj-values",
            "1 2 9999",
            "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
        ),
        (
            "proc-title-template",
            "{title}",
            "template format is invalid or contains unknown variables",
        ),
        (
            "proc-title-template",
            "x {TITLE}",
            "template format is invalid or contains unknown variables",
        ),
        (
            "proc-title-template",
            "{",
            "template format is invalid or contains unknown variables",
        ),
        (
            "cluster-announce-hostname",
            "a b",
            "Hostnames may only contain alphanumeric characters, hyphens or dots",
        ),
        (
            "bind",
            "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7",
            "Too many bind addresses specified.",
        ),
        ("locale-collate", "x", "Invalid locale name"),
    ];
    for (name, value, want) in cases {
        assert_eq!(reason(name, value), want, "{name} {value:?}");
    }
}

#[test]
fn values_are_printed_as_redis_does() {
    let cases = [
        ("loglevel", "NOTICE", "notice"),
        ("maxmemory", "1Kb", "1024"),
        ("maxmemory", "gb", "0"),
        ("maxmemory-clients", "10%", "10%"),
        ("maxmemory-clients", "0%", "0"),
        ("maxmemory-clients", "18446744073709551615", "1%"),
        ("oom-score-adj", "relative", "yes"),
        ("notify-keyspace-events", "KEA", "AKE"),
        ("notify-keyspace-events", "KEtd", "tdKE"),
        ("notify-keyspace-events", "AKEmn", "AKEm"),
        ("notify-keyspace-events", "mn", "nm"),
        ("notify-keyspace-events", "$lshzxegtd", "A"),
        ("save", "", ""),
        ("save", "1 1 2 2 1 1", "1 1 2 2 1 1"),
        ("save", "+1 1", "1 1"),
        ("save", "9999999999 9999999999", "9999999999 1410065407"),
        (
            "client-output-buffer-limit",
            "REPLICA 5 6kb 7 pubsub 1 2 3",
            "normal 0 0 0 slave 5 6144 7 pubsub 1 2 3",
        ),
        (
            "client-output-buffer-limit",
            "",
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        ),
        ("latency-tracking-info-percentiles", "", ""),
        (
            "latency-tracking-info-percentiles",
            "0 .5 1e1 33.3333333333 100",
            "0 0.5 10 33.333333 100",
        ),
        ("shutdown-on-sigterm", "now save", "save now"),
        ("shutdown-on-sigterm", "default", "default"),
        ("repl-backlog-size", "1", "16384"),
        ("bind", "127.0.0.1 -::1", "127.0.0.1 -::1"),
        ("bind", "", ""),
        ("proc-title-template", "x{title}", "x{title}"),
        ("list-max-ziplist-size", "-7", "-7"),
    ];
    for (name, value, want) in cases {
        let mut settings = Settings::default();
        assert!(set(&mut settings, &[(name, value)]).is_ok(), "{name} {value:?}");
        assert_eq!(get(&settings, name), want, "{name} {value:?}");
    }
}

#[test]
fn files_are_read_line_by_line() {
    let settings = settings(
        "# comment\n\n  port 7000\r\nSAVE 900 1\nsave 300 10\n\"requirepass\" \"a b\\x01\"\nloglevel DEBUG\n\
         client-output-buffer-limit pubsub 1mb 1mb 5\nmaxmemory-policy allkeys-lfu\nnotify-keyspace-events KEg\n\
         unixsocketperm 700\nmaxmemory-clients 5%\nslaveof no one\nlist-max-ziplist-value 64\n\
         user default on nopass ~* &* +@all\nrepl-backlog-size 1\n",
    );
    assert_eq!(settings.port, 7000);
    let point = |seconds, changes| SavePoint { seconds, changes };
    assert_eq!(settings.save.0, [point(900, 1), point(300, 10)]);
    assert_eq!(settings.requirepass.as_bytes(), b"a b\x01");
    assert_eq!(settings.loglevel, LogLevel::Debug);
    assert_eq!(settings.client_output_buffer_limit.pubsub.hard, 1 << 20);
    assert_eq!(settings.maxmemory_policy, MaxmemoryPolicy::AllkeysLfu);
    assert!(settings.notify_keyspace_events.contains(KeyspaceEvents::GENERIC));
    assert!(!settings.notify_keyspace_events.contains(KeyspaceEvents::ALL));
    assert_eq!(settings.unixsocketperm, 0o700);
    assert_eq!(settings.maxmemory_clients, MemoryOrPercent::Percent(5));
    assert_eq!(settings.replicaof.0, None);
    assert_eq!(settings.repl_backlog_size, 1);
}

#[test]
fn save_lines_add_up() {
    let cases = [
        ("save 1 1\nsave \"\"", ""),
        ("save 1 1\nsave", "1 1"),
        ("save \"\"\nsave 1 1", "1 1"),
        ("save", ""),
        ("save 1 1 2 2\nsave \" 3  3 \"", "1 1 2 2 3 3"),
    ];
    for (text, want) in cases {
        assert_eq!(get(&settings(text), "save"), want, "{text}");
    }
    let startup = start(&["-", "--save", "2", "2"], "save 1 1").expect("a start");
    assert_eq!(get(&startup.settings, "save"), "1 1 2 2");
}

#[test]
fn wrong_lines_are_reported_in_the_words_of_redis() {
    let bad = "Bad directive or wrong number of arguments";
    let unbalanced = "Unbalanced quotes in configuration line";
    let not_integer = "argument couldn't be parsed into an integer";
    let arguments = "wrong number of arguments";
    let cases = [
        ("# c\n\nport abc", 3, "port abc", not_integer),
        ("port \"abc\n", 1, "port \"abc", unbalanced),
        ("port \"a\"b\n", 1, "port \"a\"b", unbalanced),
        ("\t port 1 2 \r\n", 1, "port 1 2", arguments),
        ("port", 1, "port", arguments),
        ("masterauth", 1, "masterauth", arguments),
        ("timeout 5 # hi", 1, "timeout 5 # hi", arguments),
        ("include", 1, "include", bad),
        ("\"\" x", 1, "\"\" x", bad),
        ("vm-enabled no", 1, "vm-enabled no", bad),
        ("rename-command get", 1, "rename-command get", bad),
        (
            "sentinel x",
            1,
            "sentinel x",
            "sentinel directive while not in sentinel mode",
        ),
        ("dir /nonexistent", 1, "dir /nonexistent", "No such file or directory"),
        ("dir \"\"", 1, "dir \"\"", "No such file or directory"),
        ("replicaof h x", 1, "replicaof h x", "Invalid master port"),
        ("replicaof h 1 2", 1, "replicaof h 1 2", arguments),
        ("save 1 2 3", 1, "save 1 2 3", "Invalid save parameters"),
        (
            "dbfilename a/b",
            1,
            "dbfilename a/b",
            "dbfilename can't be a path, just a filename",
        ),
        (
            "appendfilename \"\"",
            1,
            "appendfilename \"\"",
            "appendfilename can't be empty",
        ),
        (
            "appenddirname a/b",
            1,
            "appenddirname a/b",
            "appenddirname can't be a path, just a dirname",
        ),
        (
            "unixsocketperm 888",
            1,
            "unixsocketperm 888",
            "argument couldn't be parsed as an octal number",
        ),
        (
            "unixsocketperm 1777",
            1,
            "unixsocketperm 1777",
            "argument must be between 0 and 777 inclusive",
        ),
        (
            "user a on\nuser a off",
            2,
            "user a off",
            "Error in user declaration 'a': Duplicate user found. A user can only be defined once in config files",
        ),
        (
            "user a on what",
            1,
            "user a on what",
            "Error in user declaration 'a': Syntax error",
        ),
        (
            "user a (what)",
            1,
            "user a (what)",
            "Error in user declaration 'user': Syntax error",
        ),
        (
            "user a (+get ~a",
            1,
            "user a (+get ~a",
            "Error in user declaration 'user': Wrong format",
        ),
        ("loadmodule /x.so", 1, "loadmodule /x.so", "Modules are not supported"),
    ];
    for (text, line, shown, reason) in cases {
        assert_eq!(
            line_error(&["-"], text),
            (line, shown.to_string(), reason.to_string()),
            "{text:?}"
        );
    }
    let error = start(&["--port", "abc"], "").expect_err("a bad port");
    assert_eq!(
        error.to_string(),
        "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.0) ***\nReading the configuration file, at line 2\n\
         >>> 'port \"abc\"'\nargument couldn't be parsed into an integer"
    );
    assert_eq!(error.exit_code(), 1);
    let error = start(&["-"], "cluster-enabled yes\nreplicaof h 1").expect_err("a replica in a cluster");
    assert!(
        error
            .to_string()
            .ends_with(") ***\nreplicaof directive not allowed in cluster mode"),
        "{error}"
    );
}

#[test]
fn options_become_lines() {
    let reported = |args: &[&str]| {
        let (line, text, _) = line_error(args, "");
        (line, text)
    };
    let cases: &[(&[&str], usize, &str)] = &[
        (&["--port", "1", "2"], 2, "port \"1\" \"2\""),
        (&["--port", "17240", "--", "x"], 3, "\"x\""),
        (&["-x"], 2, "\"-x\""),
        (&["--port", "-1"], 2, "port \"-1\""),
        (&["--port=1"], 2, "port=1"),
        (&["--PORT", "x"], 2, "PORT \"x\""),
        (&["--", "port", "x"], 2, "\"port\" \"x\""),
        (&["---port", "x"], 2, "-port \"x\""),
        (&["--port", "--help"], 2, "port \"--help\""),
        (&["--port", "1", "-v"], 2, "port \"1\" \"-v\""),
        (&["--port x", "--timeout", "1"], 2, "port x"),
        (&["--save", "--port", "x"], 3, "port \"x\""),
        (&["--save", "60", "1000", "--port", "x"], 3, "port \"x\""),
        (&["--masterauth", "--secret", "--port", "x"], 3, "port \"x\""),
        (&["-", "x"], 2, "\"x\""),
        (&["--requirepass", "a\"b\n", "--port", "x"], 3, "port \"x\""),
    ];
    for (args, line, text) in cases {
        assert_eq!(reported(args), (*line, text.to_string()), "{args:?}");
    }
    let args = [
        "--bind",
        "127.0.0.1",
        "-::1",
        "--masterauth",
        "--secret",
        "--replicaof",
        "h 1",
        "--save",
    ];
    let settings = start(&args, "").expect("a start").settings;
    assert_eq!(get(&settings, "bind"), "127.0.0.1 -::1");
    assert_eq!(get(&settings, "masterauth"), "--secret");
    assert_eq!(get(&settings, "slaveof"), "h 1");
    assert_eq!(get(&settings, "save"), "");
}

#[test]
fn some_arguments_stand_alone() {
    let information = |arg| match start(&[arg], "") {
        Err(StartError::Information(text)) => text,
        other => panic!("{other:?}"),
    };
    assert!(information("--help").contains("Usage: aeolus [/path/to/redis.conf]"));
    assert!(information("-v").contains("redis=7.2.0"));
    assert!(matches!(start(&["--test-memory", "4"], ""), Err(StartError::Usage(_))));
    assert!(matches!(
        start(&["x.conf", "--sentinel"], ""),
        Err(StartError::Usage(_))
    ));
}

#[test]
fn files_include_others() {
    let folder = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).expect("a file");
    let root = folder.path().display().to_string();
    write(
        "main.conf",
        format!("port 1\ninclude {root}/part*.conf\ninclude {root}/none*.conf\ntimeout 9"),
    );
    write("part2.conf", "port 3\n".into());
    write("part1.conf", "port 2\nhz 20\nrename-command get \"\"\n".into());
    let main = format!("{root}/main.conf");
    let startup = start(&[&main, "--hz", "30"], "").expect("a start");
    assert_eq!(
        (startup.settings.port, startup.settings.timeout, startup.settings.hz),
        (3, 9, 30)
    );
    assert_eq!(startup.config_file.as_deref(), Some(Path::new(&main)));
    let error = startup.renamed_commands[0]
        .reject("No such command in rename-command")
        .to_string();
    assert!(
        error.ends_with("at line 3\n>>> 'rename-command get \"\"'\nNo such command in rename-command"),
        "{error}"
    );
    write("circle.conf", format!("include {root}/circle.conf"));
    assert!(matches!(
        start(&[&format!("{root}/circle.conf")], ""),
        Err(StartError::Open { .. })
    ));
    let missing = start(&["/nonexistent.conf"], "")
        .expect_err("a missing file")
        .to_string();
    assert_eq!(
        missing,
        "Fatal error, can't open config file '/nonexistent.conf': No such file or directory"
    );
}

#[test]
fn inert_settings_are_warned_of() {
    let startup = start(&["-"], "tls-dh-params-file a\nio-threads 1\ntls-dh-params-file b").expect("a start");
    assert_eq!(
        startup.warnings,
        ["The setting 'tls-dh-params-file' has no effect: keys are exchanged over elliptic curves only"]
    );
    for setting in TABLE {
        let Status::Inert(why) = setting.status else { continue };
        assert!(!why.is_empty() && !why.ends_with('.'), "{}", setting.name);
    }
}

#[test]
fn rewriting_keeps_what_the_author_wrote() {
    let old = "# a comment\nport 7000\n  # indented\nsave 900 1\nsave 300 10\n\ntimeout 0\n   timeout   7\n\
               hash-max-ziplist-entries 100\nslave-priority 50\nslave-priority 60\n\
               client-output-buffer-limit normal 1mb 1mb 5\nclient-output-buffer-limit slave 1mb 1mb 5\n\
               loglevel notice\nmaxmemory 100mb\nrename-command FLUSHALL \"\"\nrequirepass \"a bc\\x01\"\n\
               bind 127.0.0.1 -::1\nnotify-keyspace-events KEA\n\"lazyfree-lazy-expire\" yes\nunixsocket ''\n\
               # trailing comment\n";
    let mut changed = settings(old);
    let text = |settings: &Settings, old: &str| -> String {
        String::from_utf8(settings.rewritten(old.as_bytes(), &[], Extent::Changed)).expect("UTF-8")
    };
    let dir = get(&changed, "dir");
    let added =
        format!("\n# Generated by CONFIG REWRITE\ndir \"{dir}\"\nlatency-tracking-info-percentiles 50 99 99.9\n");
    let first = text(&changed, old);
    assert_eq!(
        first,
        format!(
            "# a comment\nport 7000\n# indented\nsave 900 1\nsave 300 10\n\ntimeout 7\n\n\
             hash-max-listpack-entries 100\nreplica-priority 60\n\n\
             client-output-buffer-limit normal 1mb 1mb 5\nclient-output-buffer-limit replica 1mb 1mb 5\n\
             loglevel notice\nmaxmemory 100mb\nrename-command FLUSHALL \"\"\nrequirepass \"a bc\\x01\"\n\
             bind 127.0.0.1 -::1\nnotify-keyspace-events \"AKE\"\nlazyfree-lazy-expire yes\n\n\
             # trailing comment\n{added}"
        )
    );
    let pairs = [
        ("save", ""),
        ("loglevel", "debug"),
        ("timeout", "0"),
        ("hz", "20"),
        ("maxmemory", "1073741824"),
    ];
    set(&mut changed, &pairs).expect("good values");
    let second = text(&changed, &first);
    for line in ["save \"\"\n\n", "\ntimeout 0\n", "\nmaxmemory 1gb\n", "99.9\n\nhz 20\n"] {
        assert!(second.contains(line), "{line} in {second}");
    }
    assert_eq!(settings(&second), changed);
    let third = text(&changed, &second);
    assert_eq!(text(&changed, &third), third, "rewriting again changes nothing");
}

#[test]
fn a_rewritten_file_reads_back() {
    let mut all = settings("");
    let pairs = [
        ("requirepass", "a \"b\" \\ \u{1f}é"),
        ("save", "1 2 3 4"),
        ("client-output-buffer-limit", "pubsub 1gb 3 4"),
        ("maxmemory-clients", "7%"),
        ("shutdown-on-sigterm", "now force"),
        ("notify-keyspace-events", "Kg$"),
        ("bind", "127.0.0.1 -::1"),
        ("latency-tracking-info-percentiles", "1 2.5"),
        ("oom-score-adj-values", "1 2 3"),
        ("appendfsync", "always"),
        ("list-max-listpack-size", "-1"),
        ("repl-backlog-size", "1500000"),
    ];
    set(&mut all, &pairs).expect("good values");
    all.replicaof = settings("replicaof h 7").replicaof;
    all.unixsocketperm = 0o640;
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("redis.conf");
    let users = [b"user default on nopass".to_vec()];
    all.rewrite(
        &path,
        &[OwnedLines {
            directive: "user",
            lines: &users,
        }],
        Extent::Changed,
    )
    .expect("a written file");
    let written = fs::read_to_string(&path).expect("the file");
    let without_users = written.replace("user default on nopass\n", "");
    assert_ne!(without_users, written);
    assert_eq!(settings(&without_users), all);
    assert_eq!(
        fs::read_dir(folder.path()).expect("the directory").count(),
        1,
        "no temporary file is left"
    );
}

#[test]
fn unreadable_lines_become_comments() {
    let kept = Settings::default().rewritten(b"nosuch 1\nport \"x\ninclude a\n", &[], Extent::Changed);
    let kept = String::from_utf8(kept).expect("UTF-8");
    assert!(
        kept.starts_with("# ??? nosuch 1\n# ??? port \"x\ninclude a\n\n# Generated"),
        "{kept}"
    );
}

#[test]
fn hidden_settings_are_set_by_name() {
    let mut settings = Settings::default();
    assert_eq!(
        set(&mut settings, &[("key-load-delay", "-5")]),
        Ok(vec!["key-load-delay"])
    );
    assert_eq!(
        TABLE.iter().filter(|setting| setting.access == Access::Hidden).count(),
        8
    );
}

#[test]
fn a_whole_rewrite_has_a_line_for_every_setting_and_reads_back_the_same() {
    let text = String::from_utf8(Settings::default().rewritten(b"", &[], Extent::All)).expect("UTF-8");
    for name in ["maxmemory", "hash-max-listpack-entries", "bind", "timeout"] {
        assert!(
            text.lines().any(|line| line.split(' ').next() == Some(name)),
            "{name}: {text}"
        );
    }
    assert!(settings(&text) == settings(""), "{text}");
}
