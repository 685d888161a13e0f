//! The command table against the facts that Redis reports about itself (`tests/fixtures/reference`).

use aeolus::commands::introspect::command;
use aeolus::resp::reply::{Protocol, Reply};
use serde_json::{Map, Value, json};

/// Commands that came after the base version: with Redis 8.0, and with Valkey 9.1.
const LATER: [&str; 12] = [
    "hexpire",
    "hexpireat",
    "hexpiretime",
    "hgetdel",
    "hgetex",
    "hpersist",
    "hpexpire",
    "hpexpireat",
    "hpexpiretime",
    "hpttl",
    "hsetex",
    "httl",
];
const OF_VALKEY: [&str; 3] = ["commandlog", "delifeq", "msetex"];
/// Subcommands of Valkey 9.1 that older commands got.
const SUBCOMMANDS_OF_VALKEY: [(&str, &str); 3] = [("client", "capa"), ("client", "import-source"), ("script", "show")];

/// A RESP value as JSON: maps keep their order only if `serde_json` does, sets and arrays are arrays.
struct Parser<'a> {
    rest: &'a [u8],
}

impl<'a> Parser<'a> {
    fn line(&mut self) -> &'a str {
        let end = self
            .rest
            .windows(2)
            .position(|pair| pair == b"\r\n")
            .expect("a line end");
        let line = &self.rest[..end];
        self.rest = &self.rest[end + 2..];
        std::str::from_utf8(line).expect("UTF-8")
    }

    fn value(&mut self) -> Value {
        let line = self.line();
        let (kind, text) = line.split_at(1);
        let number = || text.parse::<i64>().expect("a number");
        match kind {
            "+" | "-" => json!(text),
            ":" => json!(number()),
            "_" => Value::Null,
            "$" => {
                let bytes = &self.rest[..number() as usize];
                self.rest = &self.rest[bytes.len() + 2..];
                json!(std::str::from_utf8(bytes).expect("UTF-8"))
            }
            "*" | "~" => (0..number()).map(|_| self.value()).collect(),
            "%" => Value::Object((0..number()).map(|_| self.pair()).collect::<Map<_, _>>()),
            other => panic!("unexpected type {other}"),
        }
    }

    fn pair(&mut self) -> (String, Value) {
        let name = self.value();
        (name.as_str().expect("a name").to_owned(), self.value())
    }
}

fn ask(line: &str) -> Value {
    let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    let mut reply = Reply::new(Protocol::Resp3);
    command(&args, &mut reply);
    let mut parser = Parser { rest: &reply.bytes };
    let value = parser.value();
    assert!(parser.rest.is_empty(), "{line}: bytes left over");
    value
}

/// The commands for vector sets. Redis has them from a module, which is a flag of theirs, says that each of them writes, and
/// puts them in no category; here they say what they do. What is left to compare are their other flags and their keys.
fn of_a_module(later: &Map<String, Value>) -> impl Iterator<Item = (String, Value)> {
    let module = later.iter().filter(|(_, facts)| facts["group"] == "module");
    let ours = module.filter(|(name, _)| ask(&format!("COMMAND INFO {name}"))[0] != Value::Null);
    ours.map(|(name, facts)| {
        let (name, mut facts) = (name.to_lowercase(), facts.clone());
        let (_, own) = self::facts(&ask(&format!("COMMAND INFO {name}"))[0], "");
        for said in ["acl", "tips"] {
            facts[said] = own[said].clone();
        }
        facts["keyspecs"][0]["flags"] = own["keyspecs"][0]["flags"].clone();
        facts["since"] = json!("8.0.0");
        facts["group"] = json!("vector_set");
        if let Some(flags) = facts["flags"].as_array_mut() {
            flags.retain(|flag| flag != "module");
        }
        (name, facts)
    })
}

fn reference() -> Map<String, Value> {
    let read = |text: &str| match serde_json::from_str(text).expect("JSON") {
        Value::Object(commands) => commands,
        other => panic!("not an object: {other}"),
    };
    let mut commands = read(include_str!("fixtures/reference/commands-redis-7.2.json"));
    let later = read(include_str!("fixtures/reference/commands-redis-8.0.json"));
    commands.extend(of_a_module(&later));
    commands.extend(later.into_iter().filter(|(name, _)| LATER.contains(&name.as_str())));
    let of_valkey = read(include_str!("fixtures/reference/commands-valkey-9.1.json"));
    for (name, sub) in SUBCOMMANDS_OF_VALKEY {
        commands[name]["subcommands"][sub] = of_valkey[name]["subcommands"][sub].clone();
    }
    let is_taken = |name: &String| OF_VALKEY.contains(&name.as_str());
    commands.extend(of_valkey.into_iter().filter(|(name, _)| is_taken(name)));
    commands
}

/// A key spec in the form of the reference.
fn key_spec(spec: &Value) -> Value {
    let part = |name: &str| json!([spec[name]["type"], spec[name]["spec"]]);
    json!({"flags": spec["flags"], "begin": part("begin_search"), "find": part("find_keys")})
}

/// An element of COMMAND INFO in the form of the reference.
fn facts(info: &Value, prefix: &str) -> (String, Value) {
    let name = info[0]
        .as_str()
        .expect("a name")
        .strip_prefix(prefix)
        .expect("the container's name")
        .to_owned();
    let mut facts = json!({
        "arity": info[1],
        "flags": info[2],
        "first": info[3],
        "last": info[4],
        "step": info[5],
        "acl": info[6],
        "tips": info[7],
        "keyspecs": info[8].as_array().expect("key specs").iter().map(key_spec).collect::<Vec<_>>(),
    });
    let subcommands = info[9].as_array().expect("subcommands");
    if !subcommands.is_empty() {
        let prefix = format!("{name}|");
        facts["subcommands"] = Value::Object(subcommands.iter().map(|sub| self::facts(sub, &prefix)).collect());
    }
    (name, facts)
}

#[test]
fn command_info_answers_the_reference_for_every_command() {
    let reference = reference();
    assert_eq!(ask("command count"), json!(reference.len()));
    assert_eq!(ask("command").as_array().map(Vec::len), Some(reference.len()));
    for (name, want) in &reference {
        let (answered, facts) = facts(&ask(&format!("command info {name}"))[0], "");
        assert_eq!(answered, *name);
        let Value::Object(facts) = facts else {
            panic!("facts are an object")
        };
        for (fact, value) in &facts {
            assert_eq!(*value, want[fact], "{name}: {fact}");
        }
        assert_eq!(
            facts.contains_key("subcommands"),
            want.get("subcommands").is_some(),
            "{name}"
        );
    }
}

#[test]
fn command_docs_answers_since_and_group_of_the_reference() {
    let docs = ask("command docs");
    for (name, want) in &reference() {
        for fact in ["since", "group"] {
            assert_eq!(docs[name][fact], want[fact], "{name}: {fact}");
        }
    }
}

#[test]
fn command_docs_describes_every_command_and_argument() {
    fn check_arguments(name: &str, arguments: &Value) {
        for argument in arguments.as_array().into_iter().flatten() {
            let kind = argument["type"].as_str().expect("a type");
            assert!(
                !argument["name"].as_str().expect("a name").is_empty(),
                "{name}: {argument}"
            );
            assert_eq!(
                argument.get("arguments").is_some(),
                ["oneof", "block"].contains(&kind),
                "{name}: {argument}"
            );
            check_arguments(name, &argument["arguments"]);
        }
    }
    fn check(docs: &Value) {
        for (name, doc) in docs.as_object().into_iter().flatten() {
            let summary = doc["summary"].as_str().expect("a summary");
            assert!(
                summary.ends_with('.') && summary.starts_with(char::is_uppercase),
                "{name}: {summary}"
            );
            check_arguments(name, &doc["arguments"]);
            check(&doc["subcommands"]);
        }
    }
    check(&ask("command docs"));
}

#[test]
fn names_are_found_in_any_case_and_unknown_ones_are_null_or_left_out() {
    let info = ask("command info GeT nosuch Config|GET config|nosuch get|x");
    assert_eq!(info[0][0], json!("get"));
    assert_eq!(info[2][0], json!("config|get"));
    assert_eq!([&info[1], &info[3], &info[4]], [&Value::Null; 3]);
    let docs = ask("command docs GET nosuch xgroup|create");
    assert_eq!(docs.as_object().map(Map::len), Some(2));
    assert!(docs.get("get").is_some() && docs.get("xgroup|create").is_some());
}

#[test]
fn lists_are_filtered() {
    let sorted = |line: &str| {
        let mut names: Vec<String> = serde_json::from_value(ask(line)).expect("names");
        names.sort();
        names
    };
    let everything = sorted("command list");
    let reference = reference();
    let subcommands = |command: &Value| command["subcommands"].as_object().map_or(0, Map::len);
    assert_eq!(
        everything.len(),
        reference.len() + reference.values().map(subcommands).sum::<usize>()
    );
    assert!(everything.contains(&"xgroup|create".to_owned()));
    assert_eq!(
        sorted("command list filterby pattern XR*"),
        ["xrange", "xread", "xreadgroup", "xrevrange"]
    );
    assert_eq!(
        sorted("command list filterby aclcat Transaction"),
        ["discard", "exec", "multi", "unwatch", "watch"]
    );
    assert!(sorted("command list FilterBy AclCat nosuch").is_empty());
    assert!(sorted("command list filterby module m").is_empty());
    for wrong in [
        "command list x",
        "command list filterby aclcat",
        "command list filterby name x",
    ] {
        assert_eq!(ask(wrong), json!("ERR syntax error"), "{wrong}");
    }
}

#[test]
fn getkeys_finds_keys_and_says_why_not() {
    let cases = [
        ("get a", json!(["a"])),
        ("mset a 1 b 2", json!(["a", "b"])),
        ("xgroup create s g $", json!(["s"])),
        ("zunionstore d 2 a b weights 1 2", json!(["d", "a", "b"])),
        ("xread count 2 streams a b 0 0", json!(["a", "b"])),
        ("xreadgroup group streams c streams s >", json!(["s"])),
        ("eval s 2 a b c", json!(["a", "b"])),
        ("eval s 0", json!([])),
        ("eval s x", json!([])),
        ("eval s 5 a", json!([])),
        ("georadius k 0 0 1 m store d", json!(["k", "d"])),
        ("georadius k 0 0 1 m store", json!(["k"])),
        ("georadius k 0 0 1 m store a storedist b", json!(["k", "b"])),
        ("georadius k 0 0 1 m store store", json!(["k", "store"])),
        ("georadius k 0 0 1 m store storedist store", json!(["k", "storedist"])),
        (
            "georadiusbymember k m 1 m store a count 1 store b asc",
            json!(["k", "b"]),
        ),
        ("zunion +2 a b", json!(["a", "b"])),
        ("zunionstore d 02 a b", json!(["a", "b", "d"])),
        ("zunion -1 a b", json!("ERR Invalid arguments specified for command")),
        (
            "migrate h 1 k 0 10 keys a",
            json!("ERR Invalid arguments specified for command"),
        ),
        ("sort k by store get store store d limit 0 1", json!(["k", "d"])),
        ("sort k store a store b", json!(["k", "b"])),
        ("migrate h 1 k 0 10 auth keys", json!(["k"])),
        ("blpop a b 0", json!(["a", "b"])),
        ("msetex 2 a 1 b 2 ex 1", json!(["a", "b"])),
        ("msetex 2 a 1 b", json!(["a", "b"])),
        (
            "msetex 02 a 1 b 2",
            json!("ERR Invalid arguments specified for command"),
        ),
        ("msetex 2 a 1", json!("ERR Invalid arguments specified for command")),
        ("get", json!("ERR Invalid number of arguments specified for command")),
        ("ping", json!("ERR The command has no key arguments")),
        ("config get x", json!("ERR The command has no key arguments")),
        ("publish a b", json!("ERR The command has no key arguments")),
        ("nosuch a", json!("ERR Invalid command specified")),
        ("config nosuch", json!("ERR Invalid command specified")),
        ("zunion 0 a", json!("ERR Invalid arguments specified for command")),
        (
            "xread count 1 count",
            json!("ERR Invalid arguments specified for command"),
        ),
    ];
    for (line, want) in cases {
        assert_eq!(ask(&format!("command getkeys {line}")), want, "{line}");
    }
}

#[test]
fn getkeysandflags_tells_what_options_make_of_the_access() {
    let cases = [
        ("set k v", json!([["k", ["OW", "update"]]])),
        ("set k v ex 1 GET", json!([["k", ["RW", "access", "update"]]])),
        ("set k v ifeq x", json!([["k", ["OW", "update"]]])),
        ("set k v ifeq get", json!([["k", ["RW", "access", "update"]]])),
        ("delifeq k v", json!([["k", ["RM", "delete"]]])),
        ("msetex 1 k v", json!([["k", ["OW", "update"]]])),
        ("bitfield k get u8 0", json!([["k", ["RO", "access"]]])),
        (
            "bitfield k get u8 0 set u8 0 1",
            json!([["k", ["RW", "access", "update"]]]),
        ),
        (
            "rename a b",
            json!([["a", ["RW", "access", "delete"]], ["b", ["OW", "update"]]]),
        ),
        ("del a", json!([["a", ["RM", "delete"]]])),
    ];
    for (line, want) in cases {
        assert_eq!(ask(&format!("command getkeysandflags {line}")), want, "{line}");
    }
}
