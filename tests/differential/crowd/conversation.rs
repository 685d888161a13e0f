//! Random conversations: who says what, from one table of commands.

use std::fmt;

use crate::grammar::{self, Node};
use crate::support::random::Random;
use crate::support::reply::show;
use crate::values::Filler;

/// The client whose steps the rig takes itself: it is in no transaction, waits for nothing, and is heard by nobody.
pub const CONTROL: usize = usize::MAX;

/// Stands for the id that a client has on each server: `$a`.
pub const ID: u8 = b'$';

/// A wait that ends before the rig goes on. In seconds for those that take seconds, in milliseconds for the others.
pub const BRIEFLY: [&[u8]; 2] = [b"0.004", b"4"];

/// One command of one client. No arguments: the client hangs up.
#[derive(Clone, Debug)]
pub struct Step {
    pub client: usize,
    pub args: Vec<Vec<u8>>,
}

impl Step {
    /// The command's name in capitals.
    pub fn name(&self) -> String {
        match self.args.first() {
            Some(name) => String::from_utf8_lossy(name).to_ascii_uppercase(),
            None => "(hang up)".into(),
        }
    }

    /// Whether this waits only briefly, so that its answer comes whatever the others do.
    pub fn waits_briefly(&self) -> bool {
        let timeout = match self.name().as_str() {
            "BLPOP" | "BRPOP" | "BLMOVE" | "BRPOPLPUSH" | "BZPOPMIN" | "BZPOPMAX" => self.args.last(),
            "BLMPOP" | "BZMPOP" => self.args.get(1),
            "XREAD" | "XREADGROUP" => {
                let block = self.args.iter().position(|arg| arg == b"BLOCK");
                block.and_then(|at| self.args.get(at + 1))
            }
            _ => None,
        };
        timeout.is_some_and(|timeout| BRIEFLY.contains(&timeout.as_slice()))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:", name(self.client))?;
        if self.args.is_empty() {
            return write!(out, " (hang up)");
        }
        self.args.iter().try_for_each(|arg| write!(out, " \"{}\"", show(arg)))
    }
}

/// What a client is called in texts.
pub fn name(client: usize) -> char {
    match client {
        CONTROL => '*',
        _ => (b'a' + client as u8) as char,
    }
}

/// A program for several clients, as many as there are protocols.
#[derive(Clone, Debug)]
pub struct Conversation {
    pub protocols: Vec<u8>,
    pub steps: Vec<Step>,
}

/// Steps of a conversation.
const LENGTH: usize = 120;

type Keys = &'static [&'static [u8]];

const LISTS: Keys = &[b"l:1", b"l:2", b"l:3"];
const SORTED_SETS: Keys = &[b"z:1", b"z:2"];
const STREAMS: Keys = &[b"x:1", b"x:2"];
const OTHERS: Keys = &[b"s:1", b"s:2", b"h:1", b"t:1"];
const ALL: Keys = &[
    b"l:1", b"l:2", b"l:3", b"z:1", b"z:2", b"x:1", b"x:2", b"s:1", b"s:2", b"h:1", b"t:1",
];

/// Weight, keys that `key` stands for, and syntax. Replies must be fixed to the byte, and no step may depend on the time.
/// `MEANT` stands for another client's id. Lower-case letters name slots, so keys and their prefixes are in capitals here,
/// as are the channels of events.
const COMMANDS: &[(usize, Keys, &str)] = &[
    // Those that wait, for ever or briefly.
    (8, LISTS, "<BLPOP|BRPOP> key [key] <0|0|0.004>"),
    (2, ALL, "<BLPOP|BRPOP> key key key <0|0|0.004>"),
    (
        6,
        LISTS,
        "BLMOVE key <key|anykey> <LEFT|RIGHT> <LEFT|RIGHT> <0|0|0.004>",
    ),
    (3, LISTS, "BRPOPLPUSH key key <0|0|0.004>"),
    (
        5,
        LISTS,
        "BLMPOP <0|0|0.004> <1 key|2 key key> <LEFT|RIGHT> [COUNT <1|2|5>]",
    ),
    (6, SORTED_SETS, "<BZPOPMIN|BZPOPMAX> key [key|anykey] <0|0|0.004>"),
    (
        4,
        SORTED_SETS,
        "BZMPOP <0|0|0.004> <1 key|2 key key> <MIN|MAX> [COUNT <1|2|5>]",
    ),
    (
        6,
        STREAMS,
        "XREAD [COUNT <1|2>] BLOCK <0|0|4> STREAMS <key <$|0|1-1>|key key $ 5>",
    ),
    (
        8,
        STREAMS,
        "XREADGROUP GROUP <G|G|H> <C|D> [COUNT <1|2>] BLOCK <0|0|4> [NOACK] STREAMS <key unread|key 0|key key unread unread>",
    ),
    // Those that serve them.
    (8, LISTS, "<LPUSH|RPUSH> key member..."),
    (2, LISTS, "LMOVE key key <LEFT|RIGHT> <LEFT|RIGHT>"),
    (2, LISTS, "<LPOP|RPOP> key [<1|2>]"),
    (
        2,
        LISTS,
        "<LLEN key|LRANGE key 0 -1|LTRIM key 1 -1|LINSERT key BEFORE member member|LPUSHX key member>",
    ),
    (6, SORTED_SETS, "ZADD key [NX|XX|GT] [CH] score member"),
    (
        2,
        SORTED_SETS,
        "<ZINCRBY key 1.5 member|ZREM key member|ZPOPMIN key|ZRANGE key 0 -1 WITHSCORES|ZUNIONSTORE key 2 key key>",
    ),
    (1, SORTED_SETS, "GEOADD key 13.361389 38.115556 member"),
    (
        8,
        STREAMS,
        "XADD key [NOMKSTREAM] [MAXLEN 3] <1-*|2-*|1000-*> member member",
    ),
    (5, STREAMS, "XGROUP CREATE key <G|G|H> <0|$|1-1> [MKSTREAM]"),
    (
        2,
        STREAMS,
        "<XACK key G 1-0 1-1 2-0|XLEN key|XRANGE key - +|XDEL key 1-0 1-1|XPENDING key G|XTRIM key MAXLEN 1>",
    ),
    (
        2,
        STREAMS,
        "<XCLAIM key G <C|D> 0 1-0 1-1 JUSTID|XAUTOCLAIM key G D 0 0 JUSTID|XGROUP DELCONSUMER key G C|XGROUP CREATECONSUMER key G D>",
    ),
    (
        2,
        STREAMS,
        "<XGROUP DESTROY key <G|H>|XGROUP SETID key G <0|$>|XSETID key 2000-0>",
    ),
    // What makes keys come, go and change under those that wait, watch or cache.
    (4, ALL, "DEL key [key]"),
    (2, ALL, "<UNLINK key|EXISTS key|TYPE key|PERSIST key|TTL key>"),
    (4, ALL, "RENAME key key"),
    (1, ALL, "<RENAMENX key key|COPY key key [REPLACE]|MOVE key 1>"),
    (1, ALL, "SORT key ALPHA STORE key"),
    (3, OTHERS, "SET key member [NX|XX|KEEPTTL] [GET]"),
    (1, ALL, "SET key member"),
    (
        2,
        OTHERS,
        "<INCR key|APPEND key member|GETDEL key|STRLEN key|SETRANGE key 3 member>",
    ),
    (4, OTHERS, "<GET key|MGET key key|GET key>"),
    (
        2,
        OTHERS,
        "<HSET H:1 A member|HGET H:1 A|HDEL H:1 A|SADD T:1 A member|SREM T:1 A|SCARD T:1>",
    ),
    (
        1,
        ALL,
        "<EXPIRE key 100000|PEXPIRE key -1|EXPIREAT key 1|GETEX key PERSIST>",
    ),
    (1, ALL, "<FLUSHALL|FLUSHDB|SWAPDB 0 1>"),
    (1, ALL, "SELECT <0|0|1>"),
    // Transactions.
    (7, ALL, "MULTI"),
    (9, ALL, "EXEC"),
    (1, ALL, "DISCARD"),
    (5, ALL, "WATCH key [key]"),
    (1, ALL, "UNWATCH"),
    (1, ALL, "<NOSUCHCOMMAND|GET|LPUSH S:1>"),
    // Messages and events.
    (3, ALL, "SUBSCRIBE <NEWS|SPORT|__KEYSPACE@0__:L:1|__KEYEVENT@0__:DEL>"),
    (2, ALL, "PSUBSCRIBE <N*|*|__KEYSPACE*>"),
    (2, ALL, "SSUBSCRIBE <ORDERS|NEWS> [BILLS]"),
    (
        2,
        ALL,
        "<UNSUBSCRIBE <NEWS|SPORT>|PUNSUBSCRIBE <N*|*>|SUNSUBSCRIBE <ORDERS|BILLS>>",
    ),
    (5, ALL, "PUBLISH <NEWS|SPORT> member"),
    (3, ALL, "SPUBLISH <ORDERS|BILLS> member"),
    (
        1,
        ALL,
        "<PUBSUB NUMSUB NEWS SPORT|PUBSUB NUMPAT|PUBSUB SHARDNUMSUB ORDERS|PING|PING member>",
    ),
    (1, ALL, "CONFIG SET NOTIFY-KEYSPACE-EVENTS <KEA|KEA|KLE|E$X|AK>"),
    // Caching.
    (
        4,
        ALL,
        "CLIENT TRACKING ON [BCAST] [OPTIN|OPTOUT|NOLOOP|PREFIX L: BCAST|PREFIX S: PREFIX H: BCAST]",
    ),
    (1, ALL, "CLIENT TRACKING ON REDIRECT MEANT [BCAST]"),
    (1, ALL, "CLIENT TRACKING OFF"),
    (2, ALL, "CLIENT CACHING <YES|NO>"),
    // Clients about clients.
    (5, ALL, "CLIENT UNBLOCK MEANT [TIMEOUT|ERROR]"),
    (1, ALL, "CLIENT KILL ID MEANT"),
    (
        1,
        ALL,
        "CLIENT <NO-EVICT ON|SETNAME ABC|GETNAME|GETREDIR|TRACKINGINFO|ID>",
    ),
    (1, ALL, "RESET"),
];

/// Makes conversations; the same seed makes the same ones.
pub struct Writer {
    random: Random,
    commands: Vec<(Keys, Vec<Node>)>,
    /// Each command's index, as often as its weight says.
    lottery: Vec<usize>,
}

impl Writer {
    pub fn new(seed: u64) -> Writer {
        let weights = COMMANDS.iter().enumerate();
        Writer {
            random: Random::new(seed),
            commands: COMMANDS
                .iter()
                .map(|(_, keys, syntax)| (*keys, grammar::parse(syntax)))
                .collect(),
            lottery: weights.flat_map(|(index, (weight, ..))| vec![index; *weight]).collect(),
        }
    }

    /// One conversation of two to four clients. A third of the commands stays out of it: with all of them in every
    /// conversation some would hide what others do.
    pub fn conversation(&mut self) -> Conversation {
        let kept: Vec<bool> = self.commands.iter().map(|_| self.random.percent(67)).collect();
        let lottery: Vec<usize> = self.lottery.iter().copied().filter(|&at| kept[at]).collect();
        let lottery = if lottery.is_empty() {
            self.lottery.clone()
        } else {
            lottery
        };
        let clients = 2 + self.random.below(3);
        let protocols = (0..clients).map(|_| 2 + self.random.below(2) as u8).collect();
        let mut steps = Vec::new();
        if self.random.percent(50) {
            steps.push(Step {
                client: 0,
                args: ["CONFIG", "SET", "notify-keyspace-events", "KEA"].map(Vec::from).into(),
            });
        }
        while steps.len() < LENGTH {
            let step = match self.random.below(100) {
                0 => Step {
                    client: self.random.below(clients),
                    args: Vec::new(),
                },
                1 | 2 => self.expiry(),
                _ => {
                    let command = *self.random.pick(&lottery);
                    self.step(command, clients)
                }
            };
            steps.push(step);
        }
        Conversation { protocols, steps }
    }

    /// A key that is gone when the step ends.
    fn expiry(&mut self) -> Step {
        let key = *self.random.pick(ALL);
        Step {
            client: CONTROL,
            args: vec![b"PEXPIRE".to_vec(), key.to_vec(), b"1".to_vec()],
        }
    }

    fn step(&mut self, command: usize, clients: usize) -> Step {
        let (keys, nodes) = &self.commands[command];
        let filler = Filler { keys, all_keys: ALL };
        let mut args = Vec::new();
        let mut fill = |slot, random: &mut Random| filler.fill(slot, random);
        grammar::expand(nodes, &mut self.random, &mut fill, &mut args);
        for arg in &mut args {
            if arg == b"MEANT" {
                *arg = vec![ID, b'a' + self.random.below(clients) as u8];
            } else if arg.get(1) == Some(&b':') || arg.starts_with(b"__") {
                arg.make_ascii_lowercase();
            }
        }
        Step {
            client: self.random.below(clients),
            args,
        }
    }
}

#[test]
fn what_waits_briefly_is_known() {
    let step = |line: &str| Step {
        client: 0,
        args: line.split(' ').map(|word| word.as_bytes().to_vec()).collect(),
    };
    assert!(step("BLPOP a 0.004").waits_briefly() && !step("BLPOP a 0").waits_briefly());
    assert!(step("BLMPOP 0.004 1 a LEFT").waits_briefly() && !step("BLMPOP 0 1 4 LEFT COUNT 4").waits_briefly());
    assert!(step("XREAD BLOCK 4 STREAMS a $").waits_briefly() && !step("XREAD COUNT 4 STREAMS a 0").waits_briefly());
}
