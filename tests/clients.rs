//! Everyday use through a real client library: what a program written for Redis does must simply work.

mod support;

use std::collections::{BTreeSet, HashMap, HashSet};

use redis::{
    Commands, Connection, ConnectionInfo, ErrorKind, ExpireOption, IntoConnectionInfo, ProtocolVersion, RedisResult,
    Value,
};
use support::server::{Binary, Server};

/// Runs `test` on fresh servers, once a protocol.
fn with_both_protocols(test: impl Fn(&mut Connection) -> RedisResult<()>) {
    for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
        let server = Server::start(Binary::UnderTest);
        let outcome = connect(&server, protocol).and_then(|mut connection| test(&mut connection));
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

#[test]
fn each_protocol_has_its_own_types() {
    let server = Server::start(Binary::UnderTest);
    let hash = |protocol| {
        let mut connection = connect(&server, protocol)?;
        let () = connection.hset("hash", "field", "value")?;
        redis::cmd("HGETALL").arg("hash").query::<Value>(&mut connection)
    };
    let pair = || {
        (
            Value::BulkString(b"field".to_vec()),
            Value::BulkString(b"value".to_vec()),
        )
    };
    assert_eq!(hash(ProtocolVersion::RESP2), Ok(Value::Array(vec![pair().0, pair().1])));
    assert_eq!(hash(ProtocolVersion::RESP3), Ok(Value::Map(vec![pair()])));
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
