use super::*;
use crate::types::testing::Rng;

const JSON: &[u8] =
    br#"{"a":1,"b":2.5,"s":"hello","t":true,"f":false,"z":null,"list":[1,"x",3],"object":{"q":1},"last":"8"}"#;

fn matches(expression: &str) -> bool {
    let filter = Filter::new(expression.as_bytes());
    filter.unwrap_or_else(|_| panic!("{expression}")).matches(JSON)
}

#[test]
fn expressions_are_computed() {
    let true_ones = [
        ".a == 1",
        ".a==1&&.b==2.5",
        ".s == 'hello'",
        ".t",
        "!.f",
        "not .f",
        "!.z",
        "1 in .list",
        "\"x\" in .list",
        ".a in [1, 2]",
        ".s in ['x', 'hello',]",
        ".last > 7",
        ".last == '8'",
        ".s == 0",
        "2 ** 3 ** 2 == 512",
        "-2 ** 2 == 4",
        "7 % 4 == 3",
        "-7 % 4 == -3",
        "1 / 0 > 5",
        "2 + 3 * 4 == 14",
        "2 - 3 - 4 == -5",
        "1 or 0 and 0",
        "not (0 and 0)",
        "!0 == 1",
        "1--1 == 2",
        "3 == 3 > 0",
        "5 == 1 in [0]",
        "0/0",
        ".z == .z",
        ".a==1and.b==2.5",
        "(((.a)))",
        "()1",
        ".list",
        "1.e5 == 100000",
    ];
    for expression in true_ones {
        assert!(matches(expression), "{expression}");
    }
    let false_ones = [
        ".a == 2",
        ".missing",
        "!.missing",
        ".a or .missing",
        ".object",
        "!.object",
        ".z == 0",
        ".f",
        "0",
        "2 in .list",
        "'el' in .s",
        "not 1 == 2",
        "(1 or 0) and 0",
        ".q == 1",
        "'a' < 'b'",
        "0/0 == 0/0",
        ".z < 0",
    ];
    for expression in false_ones {
        assert!(!matches(expression), "{expression}");
    }
}

#[test]
fn what_is_no_expression_is_named_from_where_it_goes_wrong() {
    let cases = [
        ("", 0),
        (".a >", 0),
        ("foo", 0),
        ("(1", 0),
        ("1)", 0),
        ("1 1", 0),
        ("\"abc", 0),
        ("[1", 0),
        ("!! 1", 0),
        (".a AND .b", 6),
        (".a = 1", 4),
        (".a === 1", 6),
        ("1 foo bar", 5),
        (".a @ 1", 3),
        ("[,1]", 1),
        ("[1 2]", 3),
        ("[.a]", 1),
        ("1e+5 == 1", 2),
        (". a", 0),
        (".a.b", 0),
    ];
    for (expression, at) in cases {
        assert_eq!(
            Filter::new(expression.as_bytes()).err(),
            Some(SyntaxError { at }),
            "{expression}"
        );
    }
}

#[test]
fn fields_are_found_in_what_is_no_whole_object() {
    let filter = Filter::new(b".k == 3").expect("an expression");
    let found = [
        r#"{"k":3}"#,
        r#"  { "j" : [ "]" , {"k":1} ] , "k" : 3 "#,
        r#"{"k":3,"k":4}"#,
        r#"{"k":03"#,
        r#"{"k":+3"#,
        r#"{"j":"\"","k":3"#,
        r#"{"j":{"k":1},"k":3.0e0}"#,
        r#"{"j":null,"k":"3"}"#,
    ];
    for json in found {
        assert!(filter.matches(json.as_bytes()), "{json}");
    }
    let lost = [
        "",
        "[]",
        "{}",
        "{k:3}",
        r#"{"j":1 "k":3}"#,
        r#"{"j":nope,"k":3}"#,
        r#"{"k":tru}"#,
        r#"{"k":.3}"#,
        r#"{"k":"#,
        r#"{"k":[1,2}"#,
        r#"{"k":"3}"#,
        r#"{"j":[1,2,"k":3"#,
        r#"{"\u006b":3}"#,
    ];
    for json in lost {
        assert!(!filter.matches(json.as_bytes()), "{json}");
    }
    let deep = format!("{{\"j\":{}{},\"k\":3}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(filter.matches(deep.as_bytes()));
}

#[test]
fn texts_are_unescaped() {
    let filter = Filter::new("'a\"b\n\u{e9}\u{1F600}q' == .k".as_bytes()).expect("an expression");
    assert!(filter.matches(br#"{"k":"a\"b\n\u00e9\ud83d\ude00\q"}"#));
    let filter = Filter::new("'\u{FFFD}u0' == .k".as_bytes()).expect("an expression");
    assert!(filter.matches(br#"{"k":"\ud83d\u0"}"#));
}

#[test]
fn nothing_makes_it_panic() {
    let words = [
        "(", ")", "[", "]", ",", ".", ".a", ".list", "1", "-1", "0", "'x'", "\"", "'", "\\", "and", "or", "not", "!",
        "in", "==", "!=", "<", ">=", "+", "-", "*", "**", "/", "%", " ", "é", "\0", "e", "{", "}", ":", "null", "true",
        "u", "\\u00",
    ];
    let mut rng = Rng::new(1);
    let mut text = |words: &[&str]| -> String { (0..rng.below(12)).map(|_| words[rng.below(words.len())]).collect() };
    let mut read = 0;
    for _ in 0..200_000 {
        let (expression, json) = (text(&words), text(&words));
        if let Ok(filter) = Filter::new(expression.as_bytes()) {
            read += 1;
            filter.matches(JSON);
            filter.matches(json.as_bytes());
            filter.matches(format!("{{\"a\":{json}").as_bytes());
        }
    }
    assert!(read > 1_000, "{read}");
}
