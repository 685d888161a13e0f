use super::*;
use crate::config::Settings;
use crate::server::session::SessionIndex;
use crate::server::testing::Server;
use crate::timer::Millis;

const SECTION_NAMES: [&str; 13] = [
    "Server",
    "Clients",
    "Memory",
    "Persistence",
    "Stats",
    "Replication",
    "CPU",
    "Modules",
    "Commandstats",
    "Errorstats",
    "Latencystats",
    "Cluster",
    "Keyspace",
];

fn core() -> Core {
    let mut core = Core::new(
        Settings::default(),
        Millis(1_700_000_000_000),
        Box::new(crate::host::memory::MemoryHost::default()),
    );
    core.open(SessionIndex(0));
    core
}

fn headings(text: &str) -> Vec<&str> {
    text.split("\r\n").filter_map(|line| line.strip_prefix("# ")).collect()
}

fn fields(text: &str) -> Vec<&str> {
    text.split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn fields_are_those_of_redis_in_its_order_and_then_ours() {
    let reference = include_str!("../../../tests/fixtures/reference/info-redis-7.2.json");
    let reference: serde_json::Value = serde_json::from_str(reference).expect("the fixture is JSON");
    let core = core();
    for section in [
        "Server",
        "Clients",
        "Memory",
        "Persistence",
        "Stats",
        "Replication",
        "CPU",
        "Cluster",
    ] {
        let text = report(&core, &[section.as_bytes()]);
        let want = reference[section].as_array().expect("the fixture has every section");
        let want: Vec<_> = want.iter().filter_map(|name| name.as_str()).collect();
        let ours = fields(&text);
        assert_eq!(ours[..want.len()], want, "{section}");
    }
}

#[test]
fn sections_are_chosen_by_name_and_come_once() {
    let core = core();
    assert_eq!(headings(&report(&core, &[b"ALL"])), SECTION_NAMES);
    assert_eq!(headings(&report(&core, &[b"everything", b"cpu"])), SECTION_NAMES);
    let default: Vec<_> = SECTION_NAMES
        .into_iter()
        .filter(|name| !["Commandstats", "Latencystats"].contains(name))
        .collect();
    assert_eq!(headings(&report(&core, &[])), default);
    assert_eq!(
        headings(&report(&core, &[b"keyspace", b"nosuch", b"Cpu", b"CPU"])),
        ["CPU", "Keyspace"]
    );
    assert_eq!(report(&core, &[b"nosuch"]), "");
}

#[test]
fn sections_stand_apart_by_an_empty_line() {
    let core = core();
    assert_eq!(report(&core, &[b"modules"]), "# Modules\r\n");
    assert_eq!(
        report(&core, &[b"modules", b"cluster", b"keyspace"]),
        "# Modules\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\n"
    );
}

#[test]
fn what_happened_is_listed_by_command_and_code() {
    let mut core = core();
    let get = crate::commands::table::lookup(b"get").expect("GET is a command");
    let stats = core.stats_of(get.id);
    (stats.calls, stats.nanos) = (3, 10_000);
    stats.latency.get_or_insert_default().record(1024);
    core.count_error(Some(get), b"WRONGTYPE", false);
    core.count_error(None, b"ERR", true);
    let text = report(&core, &[b"commandstats", b"errorstats", b"latencystats"]);
    assert_eq!(
        text,
        "# Commandstats\r\ncmdstat_get:calls=3,usec=10,usec_per_call=3.33,rejected_calls=0,failed_calls=1\r\n\
         \r\n# Errorstats\r\nerrorstat_ERR:count=1\r\nerrorstat_WRONGTYPE:count=1\r\n\
         \r\n# Latencystats\r\nlatency_percentiles_usec_get:p50=1.152,p99=1.152,p99.9=1.152\r\n"
    );
}

#[test]
fn errors_that_scripts_make_up_are_counted_under_a_bounded_number_of_codes() {
    let mut server = Server::start();
    for line in ["nospace", "", "x".repeat(31).as_str(), "Y".repeat(30).as_str()] {
        let text = if line == "nospace" {
            line.to_owned()
        } else {
            format!("{line} z")
        };
        server.run(&[b"EVAL", b"return redis.error_reply(ARGV[1])", b"0", text.as_bytes()]);
    }
    let counts = format!(
        "errorstat_:count=1|errorstat_ERR:count=2|errorstat_{}:count=1|",
        "Y".repeat(30)
    );
    assert!(server.ask("INFO errorstats").contains(&counts));
    for n in 0..200 {
        let text = format!("E{n} made up");
        server.run(&[b"EVAL", b"return redis.error_reply(ARGV[1])", b"0", text.as_bytes()]);
    }
    let text = server.ask("INFO errorstats");
    assert_eq!(text.matches("errorstat_").count(), 129);
    assert!(text.contains("errorstat_E124:count=1|"));
    assert!(text.contains("errorstat_ERRORSTATS_OVERFLOW:count=75|"));
    server.ask("LPUSH l 1");
    server.ask("GET l");
    server.run(&[b"EVAL", b"return redis.error_reply('E0 again')", b"0"]);
    let text = server.ask("INFO errorstats");
    assert!(text.contains("errorstat_WRONGTYPE:count=1|"));
    assert!(text.contains("errorstat_E0:count=2|"));
}

#[test]
fn clients_are_counted_by_what_they_do() {
    let mut server = Server::start();
    let (other, third) = (server.connect(), server.connect());
    let told = |server: &mut Server, field: &str| {
        let text = server.ask("INFO clients");
        let lines = text.split('|').filter_map(|line| line.strip_prefix(field));
        lines.map(|value| value[1..].to_owned()).next()
    };
    let check = |server: &mut Server, clients: [&str; 3]| {
        let fields = ["pubsub_clients", "watching_clients", "total_watched_keys"];
        assert_eq!(
            fields.map(|field| told(server, field)),
            clients.map(|count| Some(count.to_owned()))
        );
    };
    check(&mut server, ["0", "0", "0"]);
    server.ask_as(other, "WATCH a b");
    server.ask_as(third, "WATCH b");
    check(&mut server, ["0", "2", "2"]);
    // Who has lost what was watched is still to be told.
    server.ask("SET a 1");
    check(&mut server, ["0", "2", "1"]);
    server.ask_as(other, "UNWATCH");
    server.ask_as(third, "SUBSCRIBE c");
    check(&mut server, ["1", "1", "1"]);
}

#[test]
fn a_pause_is_told_with_its_reason_and_its_end() {
    let mut server = Server::start();
    let none = "paused_reason:none|paused_actions:none|paused_timeout_milliseconds:0|";
    assert!(server.ask("INFO clients").contains(none));
    server.ask("CLIENT PAUSE 1000 WRITE");
    let write = "paused_reason:client_pause|paused_actions:write|paused_timeout_milliseconds:600|";
    assert!(server.at(400).ask("INFO clients").contains(write));
    server.ask("CLIENT PAUSE 1000 ALL");
    server.ask("CLIENT PAUSE 1000 ALL");
    let paused = server.core.paused().expect("there is a pause");
    assert_eq!((paused.all, paused.millis), (true, 1000));
    assert!(server.at(1401).ask("INFO clients").contains(none));
}

#[test]
fn a_peak_of_memory_stays() {
    let mut server = Server::start();
    server.ask("SETRANGE k 5000000 x");
    server.at(1).ask("DEL k");
    let memory = server.ask("INFO memory");
    let peak = memory
        .split("used_memory_peak:")
        .nth(1)
        .and_then(|rest| rest.split('|').next());
    assert!(
        peak.is_some_and(|peak| peak.parse().is_ok_and(|peak: usize| peak > 5_000_000)),
        "{memory}"
    );
}
