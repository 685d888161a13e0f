use crate::server::testing::Server;

fn server() -> Server {
    let mut server = Server::start();
    server.ask("RPUSH l 3 1 10 2");
    server.ask("MSET w_1 40 w_2 30 w_3 20 w_10 10 o_1 one o_2 two");
    server.ask("HSET h_1 f x");
    server
}

#[test]
fn elements_are_compared_as_numbers_or_texts_or_by_weight() {
    let mut server = server();
    let cases = [
        ("SORT l", "1 2 3 10"),
        ("SORT l DESC", "10 3 2 1"),
        ("SORT l ALPHA", "1 10 2 3"),
        ("SORT l ALPHA DESC LIMIT 1 2", "2 10"),
        ("SORT l BY w_*", "10 3 2 1"),
        ("SORT l BY w_* DESC LIMIT 0 1", "1"),
        ("SORT l BY o_* ALPHA", "3 10 1 2"),
        ("SORT l BY h_*->f ALPHA DESC LIMIT 0 1", "1"),
        ("SORT l BY nosort", "3 1 10 2"),
        ("SORT l BY nosort DESC LIMIT 1 2", "10 1"),
        ("SORT l BY w_* BY nosort", "3 1 10 2"),
        ("SORT l BY nosort BY w_*", "3 1 10 2"),
        ("SORT l BY nosuch_*", "1 10 2 3"),
        ("SORT l LIMIT 3 100", "10"),
        ("SORT l LIMIT -5 2", "1 2"),
        ("SORT l LIMIT 4 2", ""),
        ("SORT l LIMIT 0 0", ""),
        ("SORT l LIMIT 1 -1", "2 3 10"),
        ("SORT nosuch", ""),
        ("SORT_RO l LIMIT 0 1", "1"),
    ];
    for (command, elements) in cases {
        let elements: Vec<&str> = elements.split_ascii_whitespace().collect();
        let bulks: String = elements.iter().map(|text| format!("${}|{text}|", text.len())).collect();
        assert_eq!(server.ask(command), format!("*{}|{bulks}", elements.len()), "{command}");
    }
}

#[test]
fn other_keys_are_looked_up() {
    let mut server = server();
    assert_eq!(
        server.ask("SORT l LIMIT 0 2 GET # GET o_* GET h_*->f GET w_* GET constant"),
        "*10|$1|1|$3|one|$1|x|$2|40|$-1|$1|2|$3|two|$-1|$2|30|$-1|"
    );
    assert_eq!(server.ask("SORT l GET h_* LIMIT 0 1"), "*1|$-1|");
}

#[test]
fn results_are_stored_as_lists() {
    let mut server = server();
    server.listen();
    let told = server.ask("SORT l GET o_* STORE d");
    assert!(told.starts_with(":4|") && told.contains("sortstore"), "{told}");
    assert_eq!(server.ask("LRANGE d 0 -1"), "*4|$3|one|$3|two|$0||$0||");
    let told = server.ask("SORT l STORE l");
    assert!(told.contains("sortstore") && !told.contains("new"), "{told}");
    assert_eq!(server.ask("LRANGE l 0 0"), "*1|$1|1|");
    let told = server.ask("SORT nosuch STORE d");
    assert!(told.starts_with(":0|") && told.contains("__:del|"), "{told}");
    assert!(server.ask("EXISTS d").starts_with(":0|"));
}

#[test]
fn a_set_is_stored_in_order_even_if_none_is_asked_for() {
    let mut server = Server::start();
    server.ask("SADD s c 5 b a 10");
    assert_eq!(server.ask("SORT s BY nosort STORE d"), ":5|");
    assert_eq!(server.ask("LRANGE d 0 -1"), "*5|$2|10|$1|5|$1|a|$1|b|$1|c|");
}

#[test]
fn a_sorted_set_has_an_order_and_becomes_large() {
    let mut server = Server::start();
    server.ask("ZADD z 1 c 2 b 3 a");
    assert_eq!(server.ask("SORT z BY nosort LIMIT 0 2"), "*2|$1|c|$1|b|");
    assert_eq!(server.ask("SORT z BY nosort DESC LIMIT 1 1"), "*1|$1|b|");
    assert_eq!(server.ask("SORT z ALPHA"), "*3|$1|a|$1|b|$1|c|");
    assert_eq!(server.ask("OBJECT ENCODING z"), "$8|skiplist|");
}

#[test]
fn mistakes_are_told() {
    let mut server = server();
    server.ask("RPUSH texts a b");
    server.ask("SET text x");
    let cases = [
        ("SORT texts", "-ERR One or more scores can't be converted into double|"),
        (
            "SORT l BY o_*",
            "-ERR One or more scores can't be converted into double|",
        ),
        ("SORT l LIMIT 1", "-ERR syntax error|"),
        ("SORT l LIMIT 1 x", "-ERR value is not an integer or out of range|"),
        ("SORT l GET", "-ERR syntax error|"),
        ("SORT_RO l STORE d", "-ERR syntax error|"),
        (
            "SORT text",
            "-WRONGTYPE Operation against a key holding the wrong kind of value|",
        ),
    ];
    for (command, error) in cases {
        assert_eq!(server.ask(command), error, "{command}");
    }
    // A mistake in a number leaves the target alone.
    server.ask("SET d x");
    assert!(server.ask("SORT texts STORE d").starts_with("-ERR"));
    assert_eq!(server.ask("GET d"), "$1|x|");
}

#[test]
fn elements_of_the_same_weight_keep_their_order() {
    let mut server = Server::start();
    let elements: Vec<String> = (0..50).map(|number| format!("{}", number * 37 % 50)).collect();
    server.ask(&format!("RPUSH l {}", elements.join(" ")));
    let all = server.ask("LRANGE l 0 -1");
    assert_eq!(server.ask("SORT l BY nosuch_* ALPHA"), all);
    assert_eq!(server.ask("SORT l BY nosuch_* ALPHA DESC"), all);
}
