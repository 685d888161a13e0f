//! Users by their rules, and what these let them do. The expectations are those of real servers.

use super::rule::RuleError;
use super::selector::Denied;
use super::{Acl, BadRule, User, file, is_name, join_parentheses};
use crate::commands::table::lookup_full;

fn user(rules: &str) -> User {
    try_user(rules).expect("rules")
}

fn try_user(rules: &str) -> Result<User, BadRule> {
    let words: Vec<&[u8]> = rules.split(' ').map(str::as_bytes).collect();
    let words = join_parentheses(&words).expect("pairs of parentheses");
    Acl::default().draft(b"bob", words.iter().map(Vec::as_slice), false)
}

fn check(user: &User, line: &str) -> Result<(), Denied> {
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    let container = lookup_full(words[0]).expect("a command");
    let spec = match container.is_container() {
        true => container.subcommand(words[1]).expect("a subcommand"),
        false => container,
    };
    user.check(spec, &words)
}

/// The user's line without what each new user's begins with.
fn described(rules: &str) -> String {
    let line = String::from_utf8(user(rules).describe()).expect("text");
    let rest = line.strip_prefix("user bob off sanitize-payload ");
    rest.unwrap_or_else(|| panic!("{line}")).to_owned()
}

#[test]
fn a_new_user_may_do_nothing_and_the_default_user_everything() {
    let acl = Acl::default();
    assert!(!acl.restricts() && !acl.asks_password());
    let line = acl.default_user().describe();
    assert_eq!(line, b"user default on nopass sanitize-payload ~* &* +@all");
    assert_eq!(described(""), "resetchannels -@all");
    assert_eq!(check(&user(""), "get k"), Err(Denied::Command));
    assert_eq!(
        check(&user(""), "auth k"),
        Ok(()),
        "whoever it is, they may say who they are"
    );
}

#[test]
fn later_rules_about_commands_take_the_place_of_those_they_override() {
    for (rules, want) in [
        ("+@read -get +config|get", "resetchannels -@all +@read -get +config|get"),
        ("+config|get +config|set +config", "resetchannels -@all +config"),
        ("+config +config|get", "resetchannels -@all +config +config|get"),
        ("+get -get", "resetchannels -@all -get"),
        ("+GET +@READ +get", "resetchannels -@all +@read +get"),
        ("+@all -@all +get", "resetchannels -@all +get"),
        ("+get +@all", "resetchannels +@all"),
        ("+@all -get", "resetchannels +@all -get"),
        ("+select|0 +select|1", "resetchannels -@all +select|0 +select|1"),
        ("~a %R~b %W~c %RW~d", "~a %R~b %W~c ~d resetchannels -@all"),
        ("%R~a %w~a", "~a resetchannels -@all"),
        ("~a ~* ", "~* resetchannels -@all"),
        ("&a &b", "resetchannels &a &b -@all"),
        ("&a &*", "&* -@all"),
        (
            "(+get ~a) (-@all )",
            "resetchannels -@all (~a resetchannels -@all +get) (resetchannels -@all)",
        ),
        ("(+get) clearselectors", "resetchannels -@all"),
    ] {
        assert_eq!(described(rules), want, "{rules}");
    }
}

#[test]
fn a_described_user_is_made_again_by_its_description() {
    for rules in [
        "on >secret >other ~a* %R~b &c +@read -get (%W~x +set) (allkeys allcommands allchannels)",
        "on nopass skip-sanitize-payload +@all -@dangerous +config|get +select|0",
        "",
    ] {
        let made = user(rules);
        let line = String::from_utf8(made.describe()).expect("text");
        assert_eq!(
            user(line.strip_prefix("user bob ").expect("a user's line")),
            made,
            "{line}"
        );
    }
}

#[test]
fn rules_that_contradict_those_before_are_refused() {
    for (rules, word, error) in [
        ("~* ~a", "~a", RuleError::KeysAfterAll),
        ("&* &a", "&a", RuleError::ChannelsAfterAll),
        ("(~* ~a)", "(~* ~a)", RuleError::KeysAfterAll),
        ("<nothing", "<nothing", RuleError::NoSuchPassword),
    ] {
        let word = word.as_bytes().to_vec();
        assert_eq!(try_user(rules), Err(BadRule { word, error }), "{rules}");
    }
}

#[test]
fn commands_are_allowed_by_name_by_category_and_by_first_argument() {
    let reader = user("+@read -strlen +config|get +select|0 +client -client|kill allkeys");
    for (line, want) in [
        ("get k", true),
        ("strlen k", false),
        ("set k v", false),
        ("config get x", true),
        ("config set x y", false),
        ("select 0", true),
        ("select 1", false),
        ("client list", true),
        ("client kill x", false),
        ("hello 3", true),
    ] {
        assert_eq!(check(&reader, line).is_ok(), want, "{line}");
    }
}

#[test]
fn keys_are_allowed_by_what_is_done_to_them() {
    let copier = user("+@all %R~r* %W~w*");
    for (line, want) in [
        ("copy r1 w1", Ok(())),
        ("copy w1 r1", Err(Denied::Key(1))),
        ("set w1 x", Ok(())),
        ("set w1 x get", Err(Denied::Key(1))),
        ("set r1 x", Err(Denied::Key(1))),
        ("strlen w1", Ok(())), // its length is not its data
        ("strlen q1", Err(Denied::Key(1))),
        ("getdel w1", Err(Denied::Key(1))),
        ("mset w1 1 r2 2", Err(Denied::Key(3))),
        ("sort r1 store w1", Ok(())),
        ("sort r1 store r1", Err(Denied::Key(3))),
        ("bitfield r1 get u8 0", Ok(())),
        ("bitfield r1 set u8 0 1", Err(Denied::Key(1))),
        ("eval x 2 r1 w1", Err(Denied::Key(3))),
        ("eval_ro x 1 r1", Ok(())),
        ("xread streams r1 0", Ok(())),
        ("keys *", Ok(())),
        ("ping", Ok(())),
    ] {
        assert_eq!(check(&copier, line), want, "{line}");
    }
}

#[test]
fn channels_are_matched_and_patterns_of_channels_compared() {
    let listener = user("+@all allkeys &news.* &x");
    for (line, want) in [
        ("subscribe news.a x", Ok(())),
        ("subscribe news.a y", Err(Denied::Channel(2))),
        ("psubscribe news.*", Ok(())),
        ("psubscribe news.a", Err(Denied::Channel(1))),
        ("publish news.a message", Ok(())),
        ("publish y message", Err(Denied::Channel(1))),
        ("spublish y message", Err(Denied::Channel(1))),
        ("ssubscribe news.b", Ok(())),
        ("unsubscribe y", Ok(())),
    ] {
        assert_eq!(check(&listener, line), want, "{line}");
    }
}

#[test]
fn one_selector_must_allow_all_of_a_request() {
    let split = user("+get ~a (+set ~b)");
    for (line, want) in [
        ("get a", Ok(())),
        ("set b x", Ok(())),
        ("get b", Err(Denied::Key(1))),
        ("set a x", Err(Denied::Key(1))),
        ("del a", Err(Denied::Command)),
    ] {
        assert_eq!(check(&split, line), want, "{line}");
    }
}

#[test]
fn passwords_let_enabled_users_in() {
    let mut acl = Acl::default();
    let mut put = |rules: &str| {
        let user = acl
            .draft(b"bob", rules.split(' ').map(str::as_bytes), false)
            .expect("rules");
        acl.put(user);
        let may = |password: &[u8]| acl.authenticate(b"bob", password).is_some();
        (may(b"a"), may(b"b"), may(b""))
    };
    assert_eq!(put(">a"), (false, false, false));
    assert_eq!(put("on"), (true, false, false));
    assert_eq!(put(">b <a"), (false, true, false));
    assert_eq!(put("nopass"), (true, true, true));
    assert_eq!(put(">a"), (true, false, false));
    assert_eq!(put("resetpass"), (false, false, false));
    assert_eq!(put("nopass off"), (false, false, false));
}

#[test]
fn whether_anybody_is_restricted_is_kept() {
    let mut acl = Acl::default();
    let mut put = |name: &str, rules: &str| {
        let words: Vec<&[u8]> = rules.split(' ').map(str::as_bytes).collect();
        let words = join_parentheses(&words).expect("pairs of parentheses");
        let drafted = acl.draft(name.as_bytes(), words.iter().map(Vec::as_slice), false);
        acl.put(drafted.expect("rules"));
        (acl.restricts(), acl.asks_password())
    };
    assert_eq!(put("a", "allkeys allcommands allchannels"), (false, false));
    assert_eq!(put("b", "allkeys"), (true, false));
    assert_eq!(put("b", "(~* &* +@all)"), (false, false));
    assert_eq!(put("default", ">x"), (false, true));
    assert_eq!(put("default", "nopass off"), (false, true));
    assert_eq!(put("default", "on -get"), (true, false));
    acl.remove(b"b");
    assert!(acl.find(b"b").is_none() && acl.restricts());
}

#[test]
fn a_file_is_read_whole_or_every_mistake_is_told() {
    let text = b"user bob on nopass ~x (+get ~y)\n\n  user al off -@all \r\n";
    let users = file::read("f", text, false).expect("users");
    let lines: Vec<_> = users.iter().map(User::describe).map(String::from_utf8).collect();
    assert_eq!(
        lines,
        [
            Ok("user bob on nopass sanitize-payload ~x resetchannels -@all (~y resetchannels -@all +get)".to_owned()),
            Ok("user al off sanitize-payload resetchannels -@all".to_owned()),
            Ok("user default on nopass sanitize-payload ~* &* +@all".to_owned()),
        ]
    );
    let text = b"usr a on\n\nuser b +foo +bar\nuser\nuser c \"x y\"\n# comment\nuser e (+get ~x\nuser d\nuser d\n";
    assert_eq!(
        file::read("f", text, false),
        Err(
            "f:1 should start with user keyword followed by the username. f:3: Error in applying operation '+foo': \
             Unknown command or category name in ACL. f:3: Error in applying operation '+bar': Unknown command or \
             category name in ACL. f:4 should start with user keyword followed by the username. f:5: Syntax error. f:6 \
             should start with user keyword followed by the username. f:7: Unmatched parenthesis in selector \
             definition.WARNING: Duplicate user 'd' found on line 9. WARNING: ACL errors detected, no change to the \
             previously active ACL rules was performed"
                .to_owned()
        )
    );
}

#[test]
fn names_have_no_spaces() {
    assert!(is_name(b"bob") && is_name(b"\xff-"));
    for name in [&b"a b"[..], b"a\tb", b"a\0"] {
        assert!(!is_name(name), "{name:?}");
    }
}

#[test]
fn words_in_parentheses_are_one() {
    let join = |words: &[&'static str]| {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        join_parentheses(&words).map(|joined| {
            joined
                .into_iter()
                .map(|word| String::from_utf8(word).expect("text"))
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(
        join(&["on", "(+get", "~a", "~b)", "off"]),
        Ok(vec!["on".into(), "(+get ~a ~b)".into(), "off".into()])
    );
    assert_eq!(join(&["(+get)", "()"]), Ok(vec!["(+get)".into(), "()".into()]));
    assert_eq!(join(&["on", "(+get", "~a"]), Err(b"(+get".to_vec()));
}

#[test]
fn a_selector_with_quotes_and_parentheses_in_its_patterns_is_read_back() {
    for rules in ["(+get ~\"a)\")", "(~\"a\\\"b\" &\"it's\" +get)", "(~\"'\" &\"x)\")"] {
        // In one word: what is split at spaces would not have the quotes.
        let made = Acl::default().draft(b"bob", [rules.as_bytes()], false).expect(rules);
        let line = made.describe();
        let text = [&b"user default on\n"[..], &line].concat();
        let users = file::read("f", &text, false).unwrap_or_else(|told| panic!("{rules}: {told}"));
        assert!(users.contains(&made), "{rules}: {}", line.escape_ascii());
    }
}

#[test]
fn lines_of_a_configuration_are_quoted_where_they_must_be() {
    let mut acl = Acl::default();
    for (name, word) in [
        ("a\"b", "~it's"),
        ("", "on"),
        ("x", "(~\"a\\\"b\")"),
        ("y", "~\u{e9}\u{1}"),
    ] {
        let user = acl.draft(name.as_bytes(), [word.as_bytes()], false).expect("a rule");
        acl.put(user);
    }
    let mut again = Acl::default();
    let (mut known, mut lines) = (Default::default(), Vec::new());
    for line in acl.config_lines() {
        let words = crate::config::quoting::split(&line).expect("quotes are closed");
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let read = file::UserLine::read(&words[1..], &mut known);
        lines.push(read.unwrap_or_else(|bad| panic!("{}: {}", line.escape_ascii(), bad.reason)));
    }
    again.configure(&lines, false).expect("good lines");
    assert_eq!(again.lines(), acl.lines());
}

#[test]
fn a_first_argument_is_one_word_as_patterns_are() {
    for word in ["+get|a b", "+get|a\nuser", "+get|\0"] {
        let told = Acl::default().draft(b"bob", [word.as_bytes()], false).expect_err(word);
        assert_eq!(told.error, RuleError::Syntax, "{word:?}");
    }
}

#[test]
fn numbers_of_users_are_used_again_but_nobodys() {
    let mut acl = Acl::default();
    let put = |acl: &mut Acl, name: &[u8]| {
        let user = acl.draft(name, [&b"+get"[..]], false).expect("a rule");
        acl.put(user)
    };
    let one = put(&mut acl, b"one");
    let two = put(&mut acl, b"two");
    assert_eq!(acl.remove(b"one"), Some(one));
    assert!(acl.restricts());
    assert_eq!(put(&mut acl, b"three"), one);
    assert_eq!((acl.remove(b"two"), acl.remove(b"three")), (Some(two), Some(one)));
    assert!(!acl.restricts() && acl.get(super::UserId::NOBODY).is_none());
}

#[test]
fn a_line_too_short_has_no_channel_to_be_refused() {
    let spec = lookup_full(b"publish").expect("a command");
    let user = user("+@all");
    assert_eq!(user.check(spec, &[b"publish"]), Ok(()));
    assert_eq!(user.check(spec, &[b"publish", b"x"]), Err(Denied::Channel(1)));
}
