//! What later versions added to commands, for COMMAND DOCS.

/// What a command learned, and with which version of Redis, or of Valkey where it says so.
pub type Changes = &'static [(&'static str, &'static str)];

/// The changes of a command by its full name, oldest first. O(log(commands)).
pub fn history(name: &str) -> Changes {
    HISTORY.binary_search_by_key(&name, |(name, _)| name).map_or(&[], |at| HISTORY[at].1)
}

/// By name, for the binary search.
const HISTORY: &[(&str, Changes)] = &[
    ("acl|getuser", &[
        ("6.2.0", "Shows rules for Pub/Sub channels."),
        ("7.0.0", "Shows selectors; key and channel patterns read as in rules."),
    ]),
    ("acl|log", &[("7.2.0", "Entries carry an ID and the times of their creation and last change.")]),
    ("acl|setuser", &[
        ("6.2.0", "Rules for Pub/Sub channels."),
        ("7.0.0", "Selectors and separate rules for reading and writing keys."),
    ]),
    ("auth", &[("6.0.0", "A user name in front of the password.")]),
    ("bgsave", &[("3.2.2", "`SCHEDULE`."), ("8.1.0", "`CANCEL`, of Valkey.")]),
    ("bitcount", &[("7.0.0", "`BYTE` and `BIT`.")]),
    ("bitpos", &[("7.0.0", "`BYTE` and `BIT`.")]),
    ("blpop", &[("6.0.0", "The timeout may have a fraction.")]),
    ("brpop", &[("6.0.0", "The timeout may have a fraction.")]),
    ("brpoplpush", &[("6.0.0", "The timeout may have a fraction.")]),
    ("bzpopmax", &[("6.0.0", "The timeout may have a fraction.")]),
    ("bzpopmin", &[("6.0.0", "The timeout may have a fraction.")]),
    ("client|kill", &[
        ("2.8.12", "Filters by option and value."),
        ("2.8.12", "`ID`."),
        ("3.2.0", "`TYPE master`."),
        ("5.0.0", "`TYPE replica`; `slave` still works."),
        ("6.2.0", "`LADDR`."),
        ("8.0.0", "`MAXAGE`, and `TYPE primary` of Valkey."),
        ("8.1.0", "`ID` with several IDs, of Valkey."),
        ("9.0.0", "More filters, and those that begin with `NOT-`, of Valkey."),
    ]),
    ("client|list", &[
        ("2.8.12", "The field `id`."),
        ("5.0.0", "`TYPE`."),
        ("6.0.0", "The field `user`."),
        ("6.2.0", "`ID`, and the fields `argv-mem`, `tot-mem`, `laddr` and `redir`."),
        ("7.0.0", "The fields `resp`, `multi-mem`, `rbs` and `rbp`."),
        ("7.0.3", "The field `ssub`."),
        ("8.1.0", "The filters of `CLIENT KILL`, of Valkey."),
        ("9.0.0", "More filters, and those that begin with `NOT-`, of Valkey."),
    ]),
    ("client|pause", &[("6.2.0", "`WRITE` and `ALL`.")]),
    ("cluster|meet", &[("4.0.0", "The port of the cluster bus.")]),
    ("cluster|slots", &[("4.0.0", "Answers with node IDs."), ("7.0.0", "Answers with further network addresses.")]),
    ("command|info", &[("7.0.0", "Without names, describes every command.")]),
    ("config|get", &[("7.0.0", "Several patterns at once.")]),
    ("config|set", &[("7.0.0", "Several settings at once.")]),
    ("exists", &[("3.0.3", "Several keys at once.")]),
    ("expire", &[("7.0.0", "`NX`, `XX`, `GT` and `LT`.")]),
    ("expireat", &[("7.0.0", "`NX`, `XX`, `GT` and `LT`.")]),
    ("flushall", &[("4.0.0", "`ASYNC`."), ("6.2.0", "`SYNC`.")]),
    ("flushdb", &[("4.0.0", "`ASYNC`."), ("6.2.0", "`SYNC`.")]),
    ("geoadd", &[("6.2.0", "`CH`, `NX` and `XX`.")]),
    ("georadius", &[("6.2.0", "`ANY` after `COUNT`."), ("7.0.0", "Units in upper case.")]),
    ("georadius_ro", &[("6.2.0", "`ANY` after `COUNT`."), ("7.0.0", "Units in upper case.")]),
    ("georadiusbymember", &[("6.2.0", "`ANY` after `COUNT`."), ("7.0.0", "Units in upper case.")]),
    ("georadiusbymember_ro", &[("6.2.0", "`ANY` after `COUNT`."), ("7.0.0", "Units in upper case.")]),
    ("geosearch", &[("7.0.0", "Units in upper case.")]),
    ("geosearchstore", &[("7.0.0", "Units in upper case.")]),
    ("hdel", &[("2.4.0", "Several fields at once.")]),
    ("hello", &[("6.2.0", "Without a protocol version, only describes the connection.")]),
    ("hset", &[("4.0.0", "Several fields at once.")]),
    ("info", &[("7.0.0", "Several sections at once.")]),
    ("lpop", &[("6.2.0", "A count.")]),
    ("lpush", &[("2.4.0", "Several elements at once.")]),
    ("lpushx", &[("4.0.0", "Several elements at once.")]),
    ("migrate", &[
        ("3.0.0", "`COPY` and `REPLACE`."),
        ("3.0.6", "`KEYS`."),
        ("4.0.7", "`AUTH`."),
        ("6.0.0", "`AUTH2`."),
    ]),
    ("pexpire", &[("7.0.0", "`NX`, `XX`, `GT` and `LT`.")]),
    ("pexpireat", &[("7.0.0", "`NX`, `XX`, `GT` and `LT`.")]),
    ("pttl", &[("2.8.0", "Answers -2 for a missing key.")]),
    ("renamenx", &[("3.2.0", "A key may be renamed to its own name.")]),
    ("restore", &[("3.0.0", "`REPLACE`."), ("5.0.0", "`ABSTTL`."), ("5.0.0", "`IDLETIME` and `FREQ`.")]),
    ("restore-asking", &[("3.0.0", "`REPLACE`."), ("5.0.0", "`ABSTTL`."), ("5.0.0", "`IDLETIME` and `FREQ`.")]),
    ("rpop", &[("6.2.0", "A count.")]),
    ("rpush", &[("2.4.0", "Several elements at once.")]),
    ("rpushx", &[("4.0.0", "Several elements at once.")]),
    ("sadd", &[("2.4.0", "Several members at once.")]),
    ("scan", &[("6.0.0", "`TYPE`.")]),
    ("script|flush", &[("6.2.0", "`ASYNC` and `SYNC`.")]),
    ("set", &[
        ("2.6.12", "`EX`, `PX`, `NX` and `XX`."),
        ("6.0.0", "`KEEPTTL`."),
        ("6.2.0", "`GET`, `EXAT` and `PXAT`."),
        ("7.0.0", "`NX` together with `GET`."),
        ("8.1.0", "`IFEQ`, of Valkey."),
    ]),
    ("shutdown", &[("7.0.0", "`NOW`, `FORCE` and `ABORT`.")]),
    ("slowlog|get", &[("4.0.0", "Entries carry the address and the name of the client.")]),
    ("spop", &[("3.2.0", "A count.")]),
    ("srandmember", &[("2.6.0", "A count.")]),
    ("srem", &[("2.4.0", "Several members at once.")]),
    ("ttl", &[("2.8.0", "Answers -2 for a missing key.")]),
    ("xadd", &[("6.2.0", "`NOMKSTREAM`, `MINID` and `LIMIT`."), ("7.0.0", "IDs of the form `<ms>-*`.")]),
    ("xautoclaim", &[("7.0.0", "Answers with the IDs that were pending but no longer in the stream.")]),
    ("xgroup|create", &[("7.0.0", "`ENTRIESREAD`.")]),
    ("xgroup|setid", &[("7.0.0", "`ENTRIESREAD`.")]),
    ("xinfo|consumers", &[("7.2.0", "The field `inactive`; `idle` counts attempts that found nothing too.")]),
    ("xinfo|groups", &[("7.0.0", "The fields `entries-read` and `lag`.")]),
    ("xinfo|stream", &[
        ("6.0.0", "`FULL`."),
        ("7.0.0", "Counters of entries added, deleted and read, and the `lag` of groups."),
        ("7.2.0", "The field `active-time`; `seen-time` counts attempts that found nothing too."),
    ]),
    ("xpending", &[("6.2.0", "`IDLE`, and ranges that leave out their ends.")]),
    ("xrange", &[("6.2.0", "Ranges that leave out their ends.")]),
    ("xrevrange", &[("6.2.0", "Ranges that leave out their ends.")]),
    ("xsetid", &[("7.0.0", "`ENTRIESADDED` and `MAXDELETEDID`.")]),
    ("xtrim", &[("6.2.0", "`MINID` and `LIMIT`.")]),
    ("zadd", &[
        ("2.4.0", "Several members at once."),
        ("3.0.2", "`XX`, `NX`, `CH` and `INCR`."),
        ("6.2.0", "`GT` and `LT`."),
    ]),
    ("zrange", &[("6.2.0", "`REV`, `BYSCORE`, `BYLEX` and `LIMIT`.")]),
    ("zrangebyscore", &[("2.0.0", "`WITHSCORES`.")]),
    ("zrank", &[("7.2.0", "`WITHSCORE`.")]),
    ("zrem", &[("2.4.0", "Several members at once.")]),
    ("zrevrangebyscore", &[("2.1.6", "Ranges that leave out their ends.")]),
    ("zrevrank", &[("7.2.0", "`WITHSCORE`.")]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::table::lookup_full;

    #[test]
    fn entries_are_sorted_and_about_commands_that_exist() {
        assert!(HISTORY.is_sorted_by_key(|(name, _)| name));
        for (name, changes) in HISTORY {
            assert!(lookup_full(name.as_bytes()).is_some() && !changes.is_empty(), "{name}");
        }
        assert_eq!(history("zrank"), [("7.2.0", "`WITHSCORE`.")]);
        assert!(history("get").is_empty());
    }
}
