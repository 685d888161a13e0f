//! What only the core shows: events, encodings, what is buried, and the replies of both protocols.

use crate::server::testing::Server;

/// How a listening client is told of an event.
fn told(event: &str, key: &str) -> String {
    let channel = format!("__keyevent@0__:{event}");
    format!(
        ">4|$8|pmessage|$12|__keyevent@*|${}|{channel}|${}|{key}|",
        channel.len(),
        key.len()
    )
}

fn fill(server: &mut Server, key: &str, members: usize) {
    for chunk in (0..members).collect::<Vec<_>>().chunks(500) {
        let pairs: Vec<String> = chunk.iter().map(|n| format!("{n} m{n:07}")).collect();
        server.ask(&format!("zadd {key} {}", pairs.join(" ")));
    }
}

#[test]
fn stored_results_tell_one_event_and_replace_what_was_there() {
    let mut server = Server::start();
    server.ask("zadd a 1 x 2 y");
    server.ask("sadd b y z");
    server.ask("sadd d other");
    server.ask("set c text ex 100");
    server.listen();
    let dirty = server.core.dirty;
    let reply = server.ask("zunionstore c 2 a b weights 2 -0");
    assert_eq!(reply, format!(":3|{}", told("zunionstore", "c")));
    assert_eq!(server.core.dirty, dirty + 1);
    assert_eq!(server.ask("ttl c"), ":-1|");
    let scores = server.ask("zrange c 0 -1 withscores");
    assert_eq!(scores, "*3|*2|$1|z|,0|*2|$1|x|,2|*2|$1|y|,4|");
    assert_eq!(server.ask("zinterstore c 2 a d"), format!(":0|{}", told("del", "c")));
    assert_eq!(
        server.ask("zdiffstore c 2 a a"),
        ":0|",
        "nothing was there to be deleted"
    );
    let new = format!(":1|{}{}", told("new", "c"), told("zrangestore", "c"));
    assert_eq!(server.ask("zrangestore c a 0 0"), new);
}

#[test]
fn an_input_of_another_type_leaves_the_destination_alone() {
    let mut server = Server::start();
    server.ask("zadd a 1 x");
    server.ask("set s text");
    for command in [
        "zunionstore a 2 a s",
        "zrangestore a s 0 -1",
        "zdiffstore a 1 s nonsense",
    ] {
        assert!(server.ask(command).starts_with("-WRONGTYPE "), "{command}");
    }
    assert_eq!(server.ask("zunionstore a 1 a nonsense"), "-ERR syntax error|");
    assert_eq!(server.ask("zcard a"), ":1|");
}

#[test]
fn sums_and_products_that_are_no_numbers_are_zero() {
    let mut server = Server::start();
    server.ask("zadd a inf x");
    server.ask("zadd b -inf x 1 y");
    assert_eq!(server.ask("zunion 2 a b withscores"), "*4|$1|x|$1|0|$1|y|$1|1|");
    assert_eq!(server.ask("zunion 1 a weights 0 withscores"), "*2|$1|x|$1|0|");
    assert_eq!(server.ask("zinter 2 a b aggregate min withscores"), "*2|$1|x|$4|-inf|");
    assert_eq!(
        server.ask("zinter 2 a b weights nan 1"),
        "-ERR weight value is not a float|"
    );
}

#[test]
fn differences_are_the_same_by_either_method() {
    let mut server = Server::start();
    fill(&mut server, "a", 1000);
    fill(&mut server, "b", 990);
    // Few inputs are looked up in, many small ones are taken away.
    let few = server.ask("zdiff 2 a b withscores");
    let many = server.ask("zdiff 7 a b no no no no no withscores");
    assert!(few.starts_with("*20|$8|m0000990|$3|990|"), "{few}");
    assert_eq!(few, many);
}

#[test]
fn members_in_different_forms_are_the_same() {
    let mut server = Server::start();
    // An integer is one in a listpack and an intset, and a text in a table.
    server.ask("zadd a 1 12 2 x");
    server.ask("sadd b 12 13");
    server.ask("config set zset-max-listpack-entries 0");
    server.ask("zadd c 5 12");
    assert_eq!(
        server.ask("zunion 3 a b c withscores aggregate sum"),
        "*6|$2|13|$1|1|$1|x|$1|2|$2|12|$1|7|"
    );
    assert_eq!(server.ask("zinter 3 a b c"), "*1|$2|12|");
    assert_eq!(server.ask("zdiff 2 c b"), "*0|");
    assert_eq!(server.ask("zintercard 2 c b limit 0"), ":1|");
}

#[test]
fn nearly_all_members_are_removed_by_keeping_the_others() {
    let mut server = Server::start();
    fill(&mut server, "z", 10_000);
    server.ask("expire z 1000");
    assert_eq!(server.ask("zremrangebyrank z 3 -4"), ":9994|");
    assert_eq!(server.core.keyspace.graveyard.pending(), 1);
    assert_eq!(server.ask("zrange z 2 3"), "*2|$8|m0000002|$8|m0009997|");
    assert_eq!(server.ask("zscore z m0009997"), "$4|9997|");
    assert_eq!(server.ask("zscore z m0005000"), "$-1|");
    assert_eq!(server.ask("object encoding z"), "$8|skiplist|");
    assert_eq!(server.ask("ttl z"), ":1000|");
    while server.core.housekeep() {}
    assert_eq!(server.core.keyspace.graveyard.pending(), 0);
}

#[test]
fn removing_a_range_tells_what_was_removed() {
    let mut server = Server::start();
    server.ask("zadd z 1 a 2 b 3 c");
    server.listen();
    let dirty = server.core.dirty;
    assert_eq!(
        server.ask("zremrangebyscore z (1 2"),
        format!(":1|{}", told("zremrangebyscore", "z"))
    );
    assert_eq!(server.ask("zremrangebyscore z 7 8"), ":0|");
    let all = format!(":2|{}{}", told("zremrangebyrank", "z"), told("del", "z"));
    assert_eq!(server.ask("zremrangebyrank z 0 -1"), all);
    assert_eq!(server.core.dirty, dirty + 3);
}

#[test]
fn zmpop_pops_from_the_first_key_that_is_there() {
    let mut server = Server::start();
    server.ask("zadd b 1 x 2 y 3 z");
    server.ask("set s text");
    assert_eq!(
        server.ask("zmpop 3 a b s max count 2"),
        "*2|$1|b|*2|*2|$1|z|$1|3|*2|$1|y|$1|2|"
    );
    assert!(server.ask("zmpop 2 s b min").starts_with("-WRONGTYPE "));
    assert_eq!(server.ask("zmpop 2 a b min count 9"), "*2|$1|b|*1|*2|$1|x|$1|1|");
    assert_eq!(server.ask("zmpop 2 a b min"), "*-1|");
    for (line, error) in [
        ("zmpop 0 a min", "ERR numkeys should be greater than 0"),
        ("zmpop x a min", "ERR numkeys should be greater than 0"),
        ("zmpop 9223372036854775807 a min", "ERR syntax error"),
        ("zmpop 1 a middle", "ERR syntax error"),
        ("zmpop 1 a min count 0", "ERR count should be greater than 0"),
        ("zmpop 1 a min count 1 count 1", "ERR syntax error"),
        ("zmpop 1 a min count", "ERR syntax error"),
    ] {
        assert_eq!(server.ask(line), format!("-{error}|"), "{line}");
    }
}

/// The members of a flat reply.
fn members(reply: &str) -> Vec<String> {
    let parts = reply.split('|').skip(1).collect::<Vec<_>>();
    parts.chunks_exact(2).map(|part| part[1].to_owned()).collect()
}

#[test]
fn random_members_are_distinct_unless_repeats_are_asked_for() {
    let mut server = Server::start();
    for size in [5, 100, 3000] {
        fill(&mut server, "z", size);
        for count in [1, 2, 4, size / 4, size / 2, size - 1, size, size + 5] {
            let mut drawn = members(&server.ask(&format!("zrandmember z {count}")));
            drawn.sort();
            drawn.dedup();
            assert_eq!(drawn.len(), count.min(size), "{count} of {size}");
            let repeated = members(&server.ask(&format!("zrandmember z -{count}")));
            assert_eq!(repeated.len(), count);
        }
        server.ask("del z");
    }
    assert_eq!(server.ask("zrandmember z"), "$-1|");
    assert_eq!(server.ask("zrandmember z -3"), "*0|");
}

#[test]
fn replies_that_cannot_be_are_errors() {
    let mut server = Server::start();
    server.ask("zadd z 1 a");
    let most = "zrandmember z -9223372036854775807";
    assert_eq!(server.ask(most), "-ERR value is out of range|");
    assert_eq!(server.ask(&format!("{most} withscores")), "-ERR value is out of range|");
    assert_eq!(
        server.ask("zrandmember z -9223372036854775808"),
        "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807|"
    );
}

#[test]
fn whoever_waits_is_served_as_if_asking_again() {
    let mut server = Server::start();
    let (first, second) = (server.connect(), server.connect());
    server.ask_as(first, "bzmpop 0 2 a b max count 2");
    server.ask_as(second, "bzpopmin b 0.1");
    server.ask("zadd b 1 x 2 y 3 z 4 w");
    assert_eq!(server.take_reply_of(first), "*2|$1|b|*2|*2|$1|w|$1|4|*2|$1|z|$1|3|");
    assert_eq!(server.take_reply_of(second), "*3|$1|b|$1|x|$1|1|");
    assert_eq!(server.ask("zcard b"), ":1|");
    server.ask_as(second, "bzpopmin a 0.1");
    server.at(200).core.end_late_waits();
    assert_eq!(server.take_reply_of(second), "*-1|");
}

#[test]
fn a_negative_offset_leaves_nothing() {
    let mut server = Server::start();
    server.ask("zadd z 1 a 2 b 3 c");
    for command in [
        "zrangebyscore z -inf inf limit -1 9",
        "zrange z + - bylex rev limit -2 9",
    ] {
        assert_eq!(server.ask(command), "*0|", "{command}");
    }
    assert_eq!(server.ask("zrangestore z z -inf inf byscore limit -1 9"), ":0|");
    assert_eq!(server.ask("exists z"), ":0|");
}
