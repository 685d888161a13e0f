//! What every row must keep to.

use super::*;
use docs::{Arg, ArgKind};
use std::collections::HashSet;

#[test]
fn ids_are_places_and_names_are_unique_and_in_lower_case() {
    let mut names = HashSet::new();
    for (place, spec) in all().iter().enumerate() {
        assert_eq!(usize::from(spec.id), place);
        assert!(std::ptr::eq(by_id(spec.id), spec));
        assert!(names.insert(spec.name), "{} twice", spec.name);
        assert_eq!(spec.name, spec.name.to_ascii_lowercase());
        assert_eq!(spec.parent.is_some(), place >= TOP_LEVEL_COUNT, "{}", spec.name);
        assert_ne!(spec.arity, 0, "{}", spec.name);
    }
}

#[test]
fn subcommands_carry_the_name_of_their_container() {
    for container in top_level() {
        for sub in container.subcommands() {
            assert_eq!(sub.parent, Some(container.id));
            assert_eq!(sub.name, format!("{}|{}", container.name, sub.short_name()));
            let found = container.subcommand(sub.short_name().to_ascii_uppercase().as_bytes());
            assert_eq!(found.map(|found| found.id), Some(sub.id));
            assert_eq!(lookup_full(sub.name.as_bytes()).map(|found| found.id), Some(sub.id));
        }
        assert!(container.subcommand(b"nosuch").is_none());
    }
}

#[test]
fn arguments_point_at_key_specs_that_exist() {
    fn check(spec: &CommandSpec, args: &[Arg]) {
        for arg in args {
            assert!(
                arg.key_spec.is_none_or(|at| usize::from(at) < spec.key_specs.len()),
                "{}: {arg:?}",
                spec.name
            );
            assert!(
                arg.kind != ArgKind::Key || arg.key_spec.is_some(),
                "{}: {arg:?}",
                spec.name
            );
            check(spec, arg.arguments);
        }
    }
    all().iter().for_each(|spec| check(spec, spec.docs.arguments));
}

#[test]
fn arity_is_exact_or_a_minimum() {
    let get = lookup(b"get").expect("get");
    assert_eq!([1, 2, 3].map(|argc| get.accepts(argc)), [false, true, false]);
    let mget = lookup(b"mget").expect("mget");
    assert_eq!([1, 2, 30].map(|argc| mget.accepts(argc)), [false, true, true]);
}

#[test]
fn simple_keys_are_those_that_one_range_tells() {
    let range = |name: &str| {
        lookup(name.as_bytes())
            .and_then(CommandSpec::simple_keys)
            .map(|r| (r.first, r.last, r.step))
    };
    assert_eq!(range("get"), Some((1, 1, 1)));
    assert_eq!(range("mset"), Some((1, -1, 2)));
    assert_eq!(range("rename"), Some((1, 2, 1)));
    assert_eq!(range("blpop"), Some((1, -2, 1)));
    assert_eq!(["ping", "eval", "sort", "xread"].map(range), [None; 4]);
}

#[test]
fn elements_stand_behind_the_one_key() {
    let elements = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let spec = lookup(words[0].as_bytes()).expect(line);
        assert!(spec.accepts(words.len()), "{line}");
        spec.elements
            .indices(words.len())
            .map(|at| words[at])
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(elements("sadd key m n o"), "m n o");
    assert_eq!(elements("smove key other m"), "m");
    assert_eq!(elements("hget key f"), "f");
    assert_eq!(elements("hset key f 1 g 2"), "f g");
    assert_eq!(elements("zadd key 1 m 2 n"), "m n");
    assert_eq!(elements("zrank key m withscore"), "m");
    for spec in all().iter().filter(|spec| !spec.elements.is_none()) {
        let first_key = spec.simple_keys().map(|keys| keys.first);
        assert_eq!(first_key, Some(1), "{}", spec.name);
        assert!(
            (2..spec.arity.abs().max(3)).contains(&spec.elements.first),
            "{}",
            spec.name
        );
    }
}

#[test]
fn ordinary_commands_do_nothing_but_read_or_write_keys() {
    let is_ordinary = |name: &&str| lookup(name.as_bytes()).expect("a command").is_ordinary;
    let ordinary = [
        "get", "set", "incr", "mget", "mset", "lpush", "sadd", "hset", "zadd", "xadd", "expire", "del", "scan",
    ];
    assert!(ordinary.iter().all(is_ordinary));
    let others = [
        "ping",
        "auth",
        "select",
        "multi",
        "exec",
        "watch",
        "eval",
        "fcall",
        "blpop",
        "xread",
        "sort",
        "keys",
        "flushall",
        "subscribe",
        "publish",
        "client",
        "object",
        "xgroup",
        "wait",
        "monitor",
        "psync",
        "restore",
        "shutdown",
    ];
    assert!(!others.iter().any(is_ordinary));
}
