//! Everyday use through a real client library: what a program written for Redis does must simply work.

mod support;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::mpsc;
use std::thread;

use redis::streams::{
    StreamAutoClaimOptions, StreamAutoClaimReply, StreamClaimReply, StreamInfoGroupsReply, StreamPendingCountReply,
    StreamPendingReply, StreamReadOptions, StreamReadReply,
};
use redis::{
    Commands, Connection, ConnectionInfo, Direction, ErrorKind, ExpireOption, IntoConnectionInfo, ProtocolVersion,
    PushKind, RedisResult, Value,
};
use support::PATIENCE;
use support::server::{Binary, Server};

/// Makes a further client of the server that a test runs on.
type Join<'a> = &'a dyn Fn() -> RedisResult<Connection>;

/// Runs `test` on fresh servers, once a protocol.
fn with_both_protocols(test: impl Fn(&mut Connection) -> RedisResult<()>) {
    with_several_clients(|join| test(&mut join()?));
}

/// The same for a test of more than one client.
fn with_several_clients(test: impl Fn(Join) -> RedisResult<()>) {
    for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
        let server = Server::start(Binary::UnderTest);
        let outcome = test(&|| connect(&server, protocol));
        outcome.unwrap_or_else(|error| panic!("{protocol:?}: {error}\n{}", server.log()));
    }
}

fn connect(server: &Server, protocol: ProtocolVersion) -> RedisResult<Connection> {
    let mut info: ConnectionInfo = format!("redis://127.0.0.1:{}/", server.port()).into_connection_info()?;
    info.redis.protocol = protocol;
    redis::Client::open(info)?.get_connection()
}

#[test]
fn strings() {
    with_both_protocols(|connection| {
        let () = connection.set("greeting", "hello")?;
        assert_eq!(connection.get::<_, String>("greeting")?, "hello");
        assert_eq!(connection.get::<_, Option<String>>("missing")?, None);
        assert_eq!(connection.append::<_, _, usize>("greeting", " world")?, 11);
        assert_eq!(connection.getrange::<_, String>("greeting", -5, -1)?, "world");
        assert_eq!(connection.incr::<_, _, i64>("counter", 41)?, 41);
        assert_eq!(connection.incr::<_, _, i64>("counter", 1)?, 42);
        assert_eq!(connection.incr::<_, _, f64>("ratio", 0.1)?, 0.1);
        let () = connection.mset(&[("a", 1), ("b", 2)])?;
        assert_eq!(
            connection.mget::<_, Vec<Option<i64>>>(&["a", "b", "c"])?,
            [Some(1), Some(2), None]
        );
        let binary: Vec<u8> = (0..=255).collect();
        let () = connection.set("binary", &binary)?;
        assert_eq!(connection.get::<_, Vec<u8>>("binary")?, binary);
        assert!(!connection.set_nx::<_, _, bool>("a", 3)?);
        assert_eq!(connection.get_del::<_, Option<i64>>("a")?, Some(1));
        Ok(())
    });
}

#[test]
fn expiry() {
    with_both_protocols(|connection| {
        let () = connection.set_ex("session", "token", 1000)?;
        let ttl: i64 = connection.ttl("session")?;
        assert!((990..=1000).contains(&ttl), "{ttl}");
        assert!(connection.persist::<_, bool>("session")?);
        assert_eq!(connection.ttl::<_, i64>("session")?, -1);
        assert_eq!(connection.ttl::<_, i64>("missing")?, -2);
        assert!(connection.expire::<_, bool>("session", 100)?);
        let longer = redis::cmd("EXPIRE")
            .arg("session")
            .arg(50)
            .arg(ExpireOption::GT)
            .query::<bool>(connection)?;
        assert!(!longer);
        let () = connection.pset_ex("brief", "x", 20)?;
        support::wait_until("the key expires", || {
            matches!(connection.exists::<_, bool>("brief"), Ok(false))
        });
        Ok(())
    });
}

#[test]
fn pipelines() {
    with_both_protocols(|connection| {
        let (first, second): (i64, i64) = redis::pipe()
            .incr("n", 5)
            .set("other", 1)
            .ignore()
            .incr("n", 2)
            .query(connection)?;
        assert_eq!((first, second), (5, 7));
        let mut pipeline = redis::pipe();
        for number in 0..10_000 {
            pipeline.set(format!("key:{number}"), number).ignore();
        }
        let () = pipeline.query(connection)?;
        assert_eq!(redis::cmd("DBSIZE").query::<usize>(connection)?, 10_002);
        let seen: HashSet<String> = connection.scan_match("key:*")?.collect();
        assert_eq!(seen.len(), 10_000);
        let () = redis::cmd("FLUSHDB").query(connection)?;
        assert_eq!(redis::cmd("DBSIZE").query::<usize>(connection)?, 0);
        Ok(())
    });
}

#[test]
fn errors() {
    with_both_protocols(|connection| {
        let () = connection.set("text", "abc")?;
        let wrong_type = connection.lpush::<_, _, i64>("text", 1).expect_err("not a list");
        assert_eq!(wrong_type.code(), Some("WRONGTYPE"));
        let not_a_number = connection.incr::<_, _, i64>("text", 1).expect_err("not a number");
        assert_eq!(not_a_number.kind(), ErrorKind::ResponseError);
        assert_eq!(not_a_number.detail(), Some("value is not an integer or out of range"));
        let unknown = redis::cmd("NOSUCH")
            .arg("a")
            .query::<()>(connection)
            .expect_err("no such command");
        assert!(unknown.to_string().contains("unknown command"), "{unknown}");
        Ok(())
    });
}

#[test]
fn lists_sets_and_hashes() {
    with_both_protocols(|connection| {
        assert_eq!(connection.rpush::<_, _, usize>("queue", &["a", "b", "c"])?, 3);
        assert_eq!(connection.lpush::<_, _, usize>("queue", "first")?, 4);
        assert_eq!(
            connection.lrange::<_, Vec<String>>("queue", 0, -1)?,
            ["first", "a", "b", "c"]
        );
        assert_eq!(
            connection.lpop::<_, Option<String>>("queue", None)?,
            Some("first".into())
        );
        assert_eq!(
            connection.rpop::<_, Vec<String>>("queue", 2.try_into().ok())?,
            ["c", "b"]
        );
        assert_eq!(connection.sadd::<_, _, usize>("tags", &["x", "y", "x"])?, 2);
        let members: BTreeSet<String> = connection.smembers("tags")?;
        assert_eq!(members.into_iter().collect::<Vec<_>>(), ["x", "y"]);
        let () = connection.hset_multiple("user", &[("name", "ada"), ("born", "1815")])?;
        assert_eq!(connection.hget::<_, _, String>("user", "name")?, "ada");
        let user: HashMap<String, String> = connection.hgetall("user")?;
        assert_eq!(user.len(), 2);
        assert_eq!(user["born"], "1815");
        Ok(())
    });
}

#[test]
fn sorted_sets() {
    with_both_protocols(|connection| {
        let scores = [(3.5, "c"), (1.0, "a"), (2.0, "b"), (f64::INFINITY, "z")];
        assert_eq!(connection.zadd_multiple::<_, _, _, usize>("scores", &scores)?, 4);
        assert_eq!(connection.zscore::<_, _, f64>("scores", "c")?, 3.5);
        let all: Vec<(String, f64)> = connection.zrange_withscores("scores", 0, -1)?;
        assert_eq!(all[0], ("a".into(), 1.0));
        assert_eq!(all[3], ("z".into(), f64::INFINITY));
        let mut range = redis::cmd("ZRANGE");
        range
            .arg("scores")
            .arg("(1")
            .arg("+inf")
            .arg("BYSCORE")
            .arg("LIMIT")
            .arg(0)
            .arg(2);
        assert_eq!(range.query::<Vec<String>>(connection)?, ["b", "c"]);
        let popped: Vec<(String, f64)> = connection.zpopmin("scores", 2)?;
        assert_eq!(popped, [("a".into(), 1.0), ("b".into(), 2.0)]);
        Ok(())
    });
}

#[test]
fn streams() {
    with_both_protocols(|connection| {
        let id: String = connection.xadd("events", "1-1", &[("kind", "login")])?;
        assert_eq!(id, "1-1");
        let id: String = connection.xadd("events", "*", &[("kind", "logout")])?;
        let milliseconds = id.split('-').next().and_then(|text| text.parse::<u64>().ok());
        assert!(
            milliseconds.is_some_and(|milliseconds| milliseconds > 1_600_000_000_000),
            "{id}"
        );
        assert_eq!(connection.xlen::<_, usize>("events")?, 2);
        let stale = connection.xadd::<_, _, _, _, String>("events", "1-1", &[("kind", "again")]);
        assert!(
            stale
                .expect_err("an ID that is not larger")
                .to_string()
                .contains("equal or smaller")
        );
        Ok(())
    });
}

/// The IDs in a reply of XREAD or XREADGROUP.
fn ids(reply: Option<StreamReadReply>) -> Vec<String> {
    let keys = reply.into_iter().flat_map(|reply| reply.keys);
    keys.flat_map(|key| key.ids).map(|entry| entry.id).collect()
}

#[test]
fn consumer_groups() {
    with_several_clients(|join| {
        let mut client = join()?;
        let first: String = client.xadd("events", "*", &[("kind", "login"), ("who", "ada")])?;
        let second: String = client.xadd("events", "*", &[("kind", "logout")])?;
        let () = client.xgroup_create("events", "workers", "0")?;
        let () = client.xgroup_create_mkstream("jobs", "workers", "$")?;
        let unread = StreamReadOptions::default().group("workers", "alice").count(10);
        let taken = client.xread_options(&["events"], &[">"], &unread)?;
        assert_eq!(ids(taken), [first.clone(), second.clone()]);
        assert_eq!(client.xack::<_, _, _, usize>("events", "workers", &[&first])?, 1);
        let StreamPendingReply::Data(pending) = client.xpending("events", "workers")? else {
            panic!("one is pending");
        };
        assert_eq!((pending.count, &*pending.consumers[0].name), (1, "alice"));
        let pending: StreamPendingCountReply = client.xpending_count("events", "workers", "-", "+", 10)?;
        assert_eq!((&pending.ids[0].id, pending.ids[0].times_delivered), (&second, 1));
        let claimed: StreamClaimReply = client.xclaim("events", "workers", "bob", 0, &[&second])?;
        assert_eq!(claimed.ids[0].get::<String>("kind"), Some("logout".into()));
        let options = StreamAutoClaimOptions::default().count(5);
        let claimed: StreamAutoClaimReply =
            client.xautoclaim_options("events", "workers", "carol", 0, "0-0", options)?;
        assert_eq!((&*claimed.next_stream_id, &claimed.claimed[0].id), ("0-0", &second));
        let groups: StreamInfoGroupsReply = client.xinfo_groups("events")?;
        assert_eq!((groups.groups[0].pending, groups.groups[0].lag), (1, Some(0)));
        let mut job = String::new();
        let read = while_waiting(
            &mut client,
            join()?,
            |worker| {
                let options = StreamReadOptions::default().group("workers", "dave").block(0);
                worker.xread_options(&["jobs"], &[">"], &options)
            },
            |client| {
                job = client.xadd("jobs", "*", &[("n", 1)])?;
                Ok(())
            },
        )?;
        assert_eq!(ids(read), [job]);
        let briefly = StreamReadOptions::default().group("workers", "dave").block(5);
        assert_eq!(ids(client.xread_options(&["jobs"], &[">"], &briefly)?), [""; 0]);
        Ok(())
    });
}

/// Has `worker` wait in a thread of its own until `offer` gives it what it waits for.
fn while_waiting<T: Send + 'static>(
    client: &mut Connection,
    mut worker: Connection,
    wait: impl FnOnce(&mut Connection) -> RedisResult<T> + Send + 'static,
    offer: impl FnOnce(&mut Connection) -> RedisResult<()>,
) -> RedisResult<T> {
    worker.set_read_timeout(Some(PATIENCE))?;
    let waiting = thread::spawn(move || wait(&mut worker));
    support::wait_until("somebody waits", || {
        let clients = redis::cmd("INFO").arg("clients").query::<String>(client);
        clients.is_ok_and(|clients| clients.contains("blocked_clients:1\r\n"))
    });
    offer(client)?;
    waiting.join().expect("no panic")
}

#[test]
fn blocking_pops() {
    with_several_clients(|join| {
        let mut client = join()?;
        let popped = while_waiting(
            &mut client,
            join()?,
            |worker| worker.blpop::<_, Option<(String, String)>>(&["first", "second"], 0.0),
            |client| client.rpush("second", "job"),
        )?;
        assert_eq!(popped, Some(("second".into(), "job".into())));
        let moved = while_waiting(
            &mut client,
            join()?,
            |worker| worker.blmove::<_, _, Option<String>>("from", "to", Direction::Left, Direction::Right, 0.0),
            |client| client.rpush("from", "x"),
        )?;
        assert_eq!(moved, Some("x".into()));
        let best = while_waiting(
            &mut client,
            join()?,
            |worker| worker.bzpopmax::<_, Option<(String, String, f64)>>("scores", 0.0),
            |client| client.zadd("scores", "a", 1.5),
        )?;
        assert_eq!(best, Some(("scores".into(), "a".into(), 1.5)));
        assert_eq!(client.blpop::<_, Option<(String, String)>>("nothing", 0.01)?, None);
        Ok(())
    });
}

#[test]
fn transactions() {
    with_several_clients(|join| {
        let (mut client, mut other) = (join()?, join()?);
        let () = client.set("stock", 5)?;
        let mut attempts = 0;
        let (left, orders): (i64, usize) = redis::transaction(&mut client, &["stock"], |client, pipe| {
            attempts += 1;
            let left: i64 = client.get("stock")?;
            if attempts == 1 {
                let () = other.decr("stock", 1)?;
            }
            let pipe = pipe.set("stock", left - 1).ignore().get("stock");
            pipe.rpush("orders", "one").query(client)
        })?;
        assert_eq!((left, orders, attempts), (3, 1, 2));
        // A command that fails leaves the others standing; one that is refused leaves none.
        let mut pipe = redis::pipe();
        pipe.atomic().set("text", "x").lpush("text", "y").incr("counter", 1);
        pipe.query::<()>(&mut client).expect_err("a string is no list");
        assert_eq!(client.mget::<_, (String, i64)>(&["text", "counter"])?, ("x".into(), 1));
        let mut pipe = redis::pipe();
        pipe.atomic().set("never", 1).cmd("NOSUCH");
        pipe.query::<()>(&mut client).expect_err("no such command");
        assert!(!client.exists::<_, bool>("never")?);
        Ok(())
    });
}

#[test]
fn messages() {
    with_several_clients(|join| {
        let (mut publisher, mut listener) = (join()?, join()?);
        let mut messages = listener.as_pubsub();
        messages.set_read_timeout(Some(PATIENCE))?;
        messages.subscribe(&["news", "sport"])?;
        messages.psubscribe("n?ws*")?;
        support::wait_until("it is subscribed", || {
            let patterns = redis::cmd("PUBSUB").arg("NUMPAT").query::<usize>(&mut publisher);
            patterns.is_ok_and(|patterns| patterns == 1)
        });
        let channels: BTreeSet<String> = redis::cmd("PUBSUB").arg("CHANNELS").query(&mut publisher)?;
        assert_eq!(channels.into_iter().collect::<Vec<_>>(), ["news", "sport"]);
        assert_eq!(publisher.publish::<_, _, usize>("news", "hello")?, 2);
        let (direct, by_pattern) = (messages.get_message()?, messages.get_message()?);
        assert_eq!(
            (direct.get_channel_name(), direct.get_payload::<String>()?),
            ("news", "hello".into())
        );
        assert!(!direct.from_pattern());
        assert_eq!(by_pattern.get_pattern::<String>()?, "n?ws*");
        // A key that expires is told without anybody asking for it.
        let () = redis::cmd("CONFIG")
            .arg(&["SET", "notify-keyspace-events", "Ex"])
            .query(&mut publisher)?;
        messages.subscribe("__keyevent@0__:expired")?;
        support::wait_until("it is subscribed", || {
            let counts = redis::cmd("PUBSUB")
                .arg(&["NUMSUB", "__keyevent@0__:expired"])
                .query::<(String, usize)>(&mut publisher);
            counts.is_ok_and(|(_, count)| count == 1)
        });
        let () = publisher.pset_ex("brief", "x", 1)?;
        assert_eq!(messages.get_message()?.get_payload::<String>()?, "brief");
        // Afterwards the connection is one like any other.
        drop(messages);
        assert_eq!(listener.publish::<_, _, usize>("news", "again")?, 0);
        Ok(())
    });
}

/// Client-side caching: a client that has read a key is told when it changes.
#[test]
fn tracking() {
    let server = Server::start(Binary::UnderTest);
    let run = || {
        let mut writer = connect(&server, ProtocolVersion::RESP3)?;
        let () = writer.set("cached", 1)?;
        let mut reader = connect(&server, ProtocolVersion::RESP3)?;
        let (sender, pushes) = mpsc::channel();
        reader.set_push_sender(sender);
        let () = redis::cmd("CLIENT").arg(&["TRACKING", "ON"]).query(&mut reader)?;
        assert_eq!(reader.get::<_, i64>("cached")?, 1);
        let () = writer.set("cached", 2)?;
        let () = redis::cmd("PING").query(&mut reader)?;
        let push = pushes
            .try_recv()
            .expect("it comes before the reply to what was sent later");
        let name = Value::BulkString(b"cached".to_vec());
        assert_eq!(
            (push.kind, push.data),
            (PushKind::Invalidate, vec![Value::Array(vec![name])])
        );
        // RESP2 knows no pushes: another connection gets them as messages.
        let mut listener = connect(&server, ProtocolVersion::RESP2)?;
        let id: i64 = redis::cmd("CLIENT").arg("ID").query(&mut listener)?;
        let mut invalidations = listener.as_pubsub();
        invalidations.set_read_timeout(Some(PATIENCE))?;
        invalidations.subscribe("__redis__:invalidate")?;
        let mut reader = connect(&server, ProtocolVersion::RESP2)?;
        let () = redis::cmd("CLIENT")
            .arg(&["TRACKING", "ON", "REDIRECT"])
            .arg(id)
            .query(&mut reader)?;
        assert_eq!(reader.get::<_, i64>("cached")?, 2);
        let () = writer.del("cached")?;
        assert_eq!(invalidations.get_message()?.get_payload::<Vec<String>>()?, ["cached"]);
        RedisResult::Ok(())
    };
    run().unwrap_or_else(|error| panic!("{error}\n{}", server.log()));
}

#[test]
fn counts_bits_places_and_sorting() {
    with_both_protocols(|connection| {
        assert!(connection.pfadd::<_, _, bool>("visitors", &["a", "b", "c"])?);
        let () = connection.pfadd("others", &["c", "d"])?;
        let () = connection.pfmerge("all", &["visitors", "others"])?;
        assert_eq!(connection.pfcount::<_, usize>("all")?, 4);
        let () = connection.setbit("bits", 7, true)?;
        assert_eq!(connection.bitcount::<_, usize>("bits")?, 1);
        let towns = [(13.361389, 38.115556, "Palermo"), (15.087269, 37.502669, "Catania")];
        assert_eq!(connection.geo_add::<_, _, usize>("sicily", &towns[..])?, 2);
        let far: f64 = connection.geo_dist("sicily", "Palermo", "Catania", redis::geo::Unit::Kilometers)?;
        assert!((166.0..167.0).contains(&far), "{far}");
        let () = connection.rpush("numbers", &[10, 9, 100])?;
        let sorted: Vec<i64> = redis::cmd("SORT").arg(&["numbers", "DESC"]).query(connection)?;
        assert_eq!(sorted, [100, 10, 9]);
        for number in 0..1000 {
            let () = connection.hset("big", format!("field:{number}"), number)?;
        }
        let fields: HashMap<String, i64> = connection.hscan_match("big", "field:*")?.collect();
        assert_eq!(fields.len(), 1000);
        Ok(())
    });
}

#[test]
fn each_protocol_has_its_own_types() {
    let server = Server::start(Binary::UnderTest);
    let replies = |protocol| {
        let mut connection = connect(&server, protocol)?;
        let () = redis::cmd("FLUSHALL").query(&mut connection)?;
        let () = connection.hset("hash", "field", "value")?;
        let () = connection.sadd("set", "member")?;
        let () = connection.zadd("scores", "member", 1.5)?;
        let questions = [
            "HGETALL hash",
            "SMEMBERS set",
            "ZSCORE scores member",
            "GET nothing",
            "BLPOP nothing 0.001",
        ];
        let ask = |question: &str| {
            let words: Vec<&str> = question.split(' ').collect();
            redis::Cmd::new().arg(words).query::<Value>(&mut connection)
        };
        questions.map(ask).into_iter().collect::<RedisResult<Vec<Value>>>()
    };
    let text = |text: &str| Value::BulkString(text.into());
    let (pair, member) = ((text("field"), text("value")), text("member"));
    let resp2 = vec![
        Value::Array(vec![pair.0.clone(), pair.1.clone()]),
        Value::Array(vec![member.clone()]),
        text("1.5"),
        Value::Nil,
        Value::Nil,
    ];
    let resp3 = vec![
        Value::Map(vec![pair]),
        Value::Set(vec![member]),
        Value::Double(1.5),
        Value::Nil,
        Value::Nil,
    ];
    assert_eq!(replies(ProtocolVersion::RESP2), Ok(resp2));
    assert_eq!(replies(ProtocolVersion::RESP3), Ok(resp3));
}

#[test]
fn databases_are_apart() {
    with_both_protocols(|connection| {
        let () = connection.set("key", "zero")?;
        let () = redis::cmd("SELECT").arg(1).query(connection)?;
        assert!(!connection.exists::<_, bool>("key")?);
        let () = connection.set("key", "one")?;
        let () = redis::cmd("SWAPDB").arg(0).arg(1).query(connection)?;
        assert_eq!(connection.get::<_, String>("key")?, "zero");
        Ok(())
    });
}
