//! The short way to a command does what the long one does.

use crate::config::choice::AppendFsync;
use crate::host::memory::MemoryHost;
use crate::server::session::SessionIndex;
use crate::server::testing::Server;

/// Ordinary commands and their errors. `K` stands for one of a few keys, `N` for a small number.
const ORDINARY: &[&str] = &[
    "SET K N",
    "SET K N GET",
    "SET K N EX 1",
    "SET K word",
    "SETRANGE K N x",
    "GET K",
    "GETDEL K",
    "GETEX K PX 500",
    "MGET K K K",
    "MSET K N K N",
    "MSETNX K N K N",
    "INCR K",
    "DECRBY K N",
    "INCRBYFLOAT K 0.5",
    "APPEND K word",
    "STRLEN K",
    "LCS K K",
    "DEL K",
    "UNLINK K K",
    "EXISTS K K",
    "TYPE K",
    "TTL K",
    "PTTL K",
    "EXPIRE K 1",
    "PEXPIRE K N",
    "PERSIST K",
    "RENAME K K",
    "COPY K K REPLACE",
    "MOVE K N",
    "TOUCH K",
    "RANDOMKEY",
    "DBSIZE",
    "SCAN 0 COUNT 100",
    "DUMP K",
    "LPUSH K N word",
    "RPUSHX K N",
    "LPOP K",
    "RPOP K 2",
    "LRANGE K 0 -1",
    "LLEN K",
    "LMOVE K K LEFT RIGHT",
    "LINSERT K BEFORE N word",
    "LTRIM K 0 2",
    "SADD K N word",
    "SREM K N",
    "SPOP K",
    "SRANDMEMBER K 2",
    "SMEMBERS K",
    "SINTER K K",
    "SUNIONSTORE K K K",
    "SMOVE K K N",
    "HSET K N word",
    "HGETALL K",
    "HINCRBY K N 3",
    "HDEL K N",
    "HRANDFIELD K",
    "HPEXPIRE K 300 FIELDS 1 N",
    "ZADD K N word",
    "ZINCRBY K N word",
    "ZPOPMIN K",
    "ZRANGE K 0 -1 WITHSCORES",
    "ZRANGEBYSCORE K -inf +inf",
    "ZRANGESTORE K K 0 1",
    "ZREM K word",
    "SETBIT K N 1",
    "BITCOUNT K",
    "PFADD K word",
    "PFCOUNT K",
    "GEOADD K 1 2 word",
    "GEOPOS K word",
    "XADD K * field N",
    "XLEN K",
    "XRANGE K - +",
    "XTRIM K MAXLEN N",
    "GET",
    "GET K K",
    "INCR K 1",
    "SET K N NX XX",
    "HSET K N",
    "XADD K",
];

/// What may stand between them, and changes how the next one has to run.
const OTHERS: &[&str] = &[
    "SELECT N",
    "SELECT 99",
    "MULTI",
    "EXEC",
    "DISCARD",
    "WATCH K",
    "CLIENT REPLY SKIP",
    "CLIENT NO-TOUCH ON",
    "CLIENT NO-TOUCH OFF",
    "PING",
    "RESET",
    "HELLO 3",
    "HELLO 2",
    "SORT K",
    "SWAPDB 0 1",
    "EVAL return(redis.call('incr',KEYS[1])) 1 K",
    "NOSUCH",
    "OBJECT ENCODING K",
    "FLUSHDB",
    "BLPOP K 0.001",
];

fn line(random: &mut fastrand::Rng) -> String {
    let of = if random.u8(..) < 40 { OTHERS } else { ORDINARY };
    let template = random.choice(of).copied().unwrap_or_default();
    let words = template.split(' ').map(|word| match word {
        "K" => format!("k{}", random.u8(..6)),
        "N" => random.u8(..9).to_string(),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// What INFO tells of the commands that ran, without the times they took.
fn statistics(server: &mut Server) -> Vec<String> {
    let info = server.ask("INFO stats commandstats errorstats keyspace persistence");
    let told = |line: &&str| {
        [
            "cmdstat_",
            "errorstat_",
            "keyspace_",
            "db",
            "expired",
            "total_error",
            "rdb_changes",
            "total_commands",
        ]
        .iter()
        .any(|start| line.starts_with(start))
    };
    let without_times = |line: &str| {
        line.split(',')
            .filter(|part| !part.starts_with("usec"))
            .collect::<Vec<_>>()
            .join(",")
    };
    info.split('|').filter(told).map(without_times).collect()
}

/// The same commands run by two servers, of which one has a client in MONITOR, and so lets nothing take the short way.
#[test]
fn the_short_way_does_what_the_long_one_does() {
    let hosts = [MemoryHost::default(), MemoryHost::default()];
    let mut servers = hosts
        .each_ref()
        .map(|host| Server::logging(host, 0, AppendFsync::Always));
    let [short, long] = &mut servers;
    let monitor = long.connect();
    assert_eq!(long.ask_as(monitor, "MONITOR").as_deref(), Some("+OK|"));
    // Both count a MONITOR, and neither has a client more.
    let idle = short.connect();
    short.ask_as(idle, "MONITOR");
    short.ask_as(idle, "RESET");
    long.ask("PING");
    assert!(short.core.is_clear(SessionIndex(0)) && !long.core.is_clear(SessionIndex(0)));
    let mut random = fastrand::Rng::with_seed(25);
    for server in [&mut *short, &mut *long] {
        server.core.random = fastrand::Rng::with_seed(9);
        server.ask("CONFIG RESETSTAT");
    }
    let mut clear = 0;
    for round in 0..20_000 {
        let lines: Vec<String> = (0..random.usize(1..9)).map(|_| line(&mut random)).collect();
        clear += usize::from(short.core.is_clear(SessionIndex(0)));
        assert_eq!(
            short.at(round * 7).ask_all(&lines),
            long.at(round * 7).ask_all(&lines),
            "{lines:?}"
        );
        for server in [&mut *short, &mut *long] {
            server.expire_due();
            server.core.end_late_waits();
            server.core.propagate().expect("room on the disk");
            server.take_reply_of(monitor);
        }
    }
    assert!(clear > 5_000, "{clear}");
    assert_eq!(statistics(short), statistics(long));
    let names = hosts[0].names();
    assert!(names.iter().any(|name| name.ends_with(".incr.aof")));
    for name in names.iter().filter(|name| name.ends_with(".aof")) {
        assert!(hosts[0].bytes(name) == hosts[1].bytes(name), "{name}");
    }
}
