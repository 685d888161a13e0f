//! The HELP subcommand of container commands: how each subcommand is called and what it does.
//!
//! Usage lines begin at the margin and are Redis's; descriptions follow, four spaces in. Only subcommands that a
//! client may call are shown, as everywhere.

use super::{CommandSpec, is_visible, lookup_own};
use crate::resp::reply::Reply;

/// One entry of a help text.
struct Entry {
    /// The line that shows how to call it; its first word is the subcommand.
    usage: &'static str,
    /// What it does, line by line, without the margin.
    about: &'static [&'static str],
}

const fn entry(usage: &'static str, about: &'static [&'static str]) -> Entry {
    Entry { usage, about }
}

/// Answers `CONTAINER HELP`. `typed` is the container's name as the client wrote it, `container` its name in the table.
pub fn help(typed: &[u8], container: &str, reply: &mut Reply) {
    let spec = lookup_own(container.as_bytes());
    let shown = entries(container)
        .iter()
        .filter(|entry| spec.is_some_and(|spec| is_shown(entry, spec)));
    let lines: Vec<String> = shown.flat_map(lines_of).collect();
    help_reply(typed, &lines, reply);
}

/// Answers with a heading, these lines and the entry of HELP itself. O(lines).
pub fn help_reply(typed: &[u8], lines: &[impl AsRef<str>], reply: &mut Reply) {
    let name = String::from_utf8_lossy(typed).to_ascii_uppercase();
    reply.array(lines.len() + 3);
    reply.simple(format!(
        "{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    ));
    lines.iter().for_each(|line| reply.simple(line.as_ref()));
    reply.simple("HELP");
    reply.simple("    Shows this text.");
}

/// Whether the entry is about a subcommand that exists here, or about the container called without one.
fn is_shown(entry: &Entry, container: &CommandSpec) -> bool {
    let word = entry.usage.split(' ').next().unwrap_or_default();
    container.subcommand(word.as_bytes()).map_or(word == "(no", is_visible)
}

fn lines_of(entry: &Entry) -> impl Iterator<Item = String> {
    let usage = entry.usage.split('\n').map(str::to_owned);
    usage.chain(entry.about.iter().map(|line| format!("    {line}")))
}

fn entries(container: &str) -> &'static [Entry] {
    match container {
        "acl" => ACL,
        "client" => CLIENT,
        "command" => COMMAND,
        "commandlog" => COMMANDLOG,
        "config" => CONFIG,
        "function" => FUNCTION,
        "latency" => LATENCY,
        "memory" => MEMORY,
        "module" => MODULE,
        "object" => OBJECT,
        "pubsub" => PUBSUB,
        "script" => SCRIPT,
        "slowlog" => SLOWLOG,
        "xgroup" => XGROUP,
        "xinfo" => XINFO,
        _ => &[],
    }
}

const ACL: &[Entry] = &[
    entry(
        "CAT [<category>]",
        &["Lists the categories, or the commands of one <category>."],
    ),
    entry("DELUSER <username> [<username> ...]", &["Removes users."]),
    entry(
        "DRYRUN <username> <command> [<arg> ...]",
        &["Tells whether a user could run a command, without running it."],
    ),
    entry("GETUSER <username>", &["Shows the rules of a user."]),
    entry(
        "GENPASS [<bits>]",
        &["Makes a random password of 256 bits, or of as many as `bits` says."],
    ),
    entry("LIST", &["Lists the users as lines of an ACL file."]),
    entry("LOAD", &["Reads the users from the ACL file again."]),
    entry(
        "LOG [<count> | RESET]",
        &["Shows what was refused lately, or forgets it."],
    ),
    entry("SAVE", &["Writes the users to the ACL file."]),
    entry(
        "SETUSER <username> <attribute> [<attribute> ...]",
        &["Creates a user or changes its rules."],
    ),
    entry("USERS", &["Lists the names of the users."]),
    entry("WHOAMI", &["Names the user of this connection."]),
];

const CLIENT: &[Entry] = &[
    entry(
        "CACHING (YES|NO)",
        &["Tracks the keys of the next command, or does not, under OPTIN or OPTOUT."],
    ),
    entry(
        "CAPA <capability> [<capability> ...]",
        &[
            "Says what the client is capable of. Capabilities are:",
            "* REDIRECT: it goes to the primary when a replica tells it where that is.",
        ],
    ),
    entry(
        "GETREDIR",
        &["Tells the ID of the client that invalidations are sent to."],
    ),
    entry("GETNAME", &["Tells the name of this connection."]),
    entry("ID", &["Tells the ID of this connection."]),
    entry("INFO", &["Describes this connection."]),
    entry("KILL <ip:port>", &["Closes the connection that comes from <ip:port>."]),
    entry(
        "KILL <option> <value> [<option> <value> [...]]",
        &[
            "Closes the connections that all options fit. Options are:",
            "* ADDR (<ip:port>|<unixsocket>:0)",
            "  Those that come from this address.",
            "* LADDR (<ip:port>|<unixsocket>:0)",
            "  Those that arrived at this address of the server.",
            "* IP <ip>",
            "  Those that come from this address, from whichever port.",
            "* ID <client-id> [<client-id> ...]",
            "  Those with these IDs.",
            "* TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
            "  Those of this type.",
            "* USER <username>",
            "  Those logged in as this user.",
            "* NAME <name>, LIB-NAME <name>, LIB-VER <version>",
            "  Those that have called themselves so.",
            "* DB <number>",
            "  Those that have selected this database.",
            "* FLAGS <letters>",
            "  Those that have all these flags in CLIENT LIST.",
            "* CAPA <letters>",
            "  Those with these capabilities; r stands for REDIRECT.",
            "* MAXAGE <seconds>, IDLE <seconds>",
            "  Those that are so old, or have been idle for so long.",
            "* NOT-ADDR, NOT-LADDR, NOT-IP, NOT-ID, NOT-TYPE, NOT-USER, NOT-NAME, NOT-LIB-NAME, NOT-LIB-VER, NOT-DB,",
            "  NOT-FLAGS, NOT-CAPA",
            "  Those of which the same does not hold.",
            "* SKIPME (YES|NO)",
            "  Spares this connection unless told NO.",
        ],
    ),
    entry(
        "LIST [options ...]",
        &["Describes the connections. Options are those of KILL; nobody is left out unless they say so."],
    ),
    entry("UNPAUSE", &["Ends a pause; clients go on."]),
    entry(
        "PAUSE <timeout> [WRITE|ALL]",
        &["Holds back writes, or all commands, for <timeout> milliseconds."],
    ),
    entry(
        "REPLY (ON|OFF|SKIP)",
        &["Turns the replies to this connection on or off, or skips the next one."],
    ),
    entry("SETNAME <name>", &["Names this connection <name>."]),
    entry(
        "SETINFO <option> <value>",
        &[
            "Records a fact about the client. Options are:",
            "* LIB-NAME: its library.",
            "* LIB-VER: the library's version.",
        ],
    ),
    entry(
        "UNBLOCK <clientid> [TIMEOUT|ERROR]",
        &["Wakes a client that waits in a blocking command."],
    ),
    entry(
        "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]\n         [OPTIN] [OPTOUT] [NOLOOP]",
        &["Turns server-assisted client-side caching on or off."],
    ),
    entry(
        "TRACKINGINFO",
        &["Describes the client-side caching of this connection."],
    ),
    entry(
        "NO-EVICT (ON|OFF)",
        &["Exempts this connection from client eviction, or ends that."],
    ),
    entry(
        "NO-TOUCH (ON|OFF)",
        &["While on, commands leave the access times of keys alone."],
    ),
    entry(
        "IMPORT-SOURCE (ON|OFF)",
        &["While on, under import-mode, this connection sees keys that have expired."],
    ),
];

const COMMAND: &[Entry] = &[
    entry("(no subcommand)", &["Describes every command."]),
    entry("COUNT", &["Counts the commands."]),
    entry("LIST", &["Lists the names of the commands."]),
    entry(
        "INFO [<command-name> ...]",
        &["Describes the commands that are named, or all."],
    ),
    entry(
        "DOCS [<command-name> ...]",
        &["Documents the commands that are named, or all."],
    ),
    entry("GETKEYS <full-command>", &["Extracts the keys of a command line."]),
    entry(
        "GETKEYSANDFLAGS <full-command>",
        &["Extracts the keys of a command line and how each is accessed."],
    ),
];

const CONFIG: &[Entry] = &[
    entry(
        "GET <pattern>",
        &["Shows the settings whose names match the glob <pattern>."],
    ),
    entry("SET <directive> <value>", &["Changes the setting <directive>."]),
    entry("RESETSTAT", &["Sets the counters of INFO back to zero."]),
    entry("REWRITE", &["Writes the present settings to the configuration file."]),
];

const FUNCTION: &[Entry] = &[
    entry("LOAD [REPLACE] <FUNCTION CODE>", &["Loads a library from its code."]),
    entry("DELETE <LIBRARY NAME>", &["Removes a library."]),
    entry(
        "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
        &[
            "Describes the libraries, or those whose names match LIBRARYNAME:",
            "* name",
            "* engine",
            "* functions",
            "* code, if WITHCODE is given",
        ],
    ),
    entry(
        "STATS",
        &[
            "Describes the function that is running, null if none is:",
            "* name",
            "* the command that called it",
            "* milliseconds since then",
            "and lists the engines.",
        ],
    ),
    entry("KILL", &["Stops the function that is running."]),
    entry(
        "FLUSH [ASYNC|SYNC]",
        &[
            "Removes all libraries. Without a mode, lazyfree-lazy-user-flush decides. Modes are:",
            "* ASYNC: memory is freed later.",
            "* SYNC: memory is freed at once.",
        ],
    ),
    entry("DUMP", &["Serializes all libraries, for FUNCTION RESTORE."]),
    entry(
        "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
        &[
            "Brings back libraries from the payload of FUNCTION DUMP. Policies are:",
            "* FLUSH: removes the libraries that are there first.",
            "* APPEND: keeps them and fails if a name is taken; the default.",
            "* REPLACE: replaces libraries of the same name; fails if a function's name",
            "  is taken by another library.",
        ],
    ),
];

const LATENCY: &[Entry] = &[
    entry("DOCTOR", &["Reports on latency in plain words."]),
    entry("GRAPH <event>", &["Draws the latency of <event> over time in text."]),
    entry("HISTORY <event>", &["Shows the latency samples of <event>."]),
    entry("LATEST", &["Shows the latest latency sample of every event."]),
    entry(
        "RESET [<event> ...]",
        &["Forgets the samples of the events given, or of all."],
    ),
    entry(
        "HISTOGRAM [COMMAND ...]",
        &["Shows how the run times of the commands given, or of all, are distributed."],
    ),
];

const MEMORY: &[Entry] = &[
    entry("DOCTOR", &["Reports on memory problems in plain words."]),
    entry("MALLOC-STATS", &["Shows the statistics of the allocator."]),
    entry("PURGE", &["Asks the allocator to give unused memory back."]),
    entry("STATS", &["Shows where the memory goes."]),
    entry(
        "USAGE <key> [SAMPLES <count>]",
        &[
            "Estimates the bytes that <key> and its value take, from <count> of its",
            "elements (5 by default, 0 for all).",
        ],
    ),
];

const MODULE: &[Entry] = &[
    entry("LIST", &["Lists the modules that are loaded."]),
    entry(
        "LOAD <path> [<arg> ...]",
        &["Loads the module at <path>, with arguments."],
    ),
    entry(
        "LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
        &["Loads the module at <path>, with settings and arguments."],
    ),
    entry("UNLOAD <name>", &["Unloads a module."]),
];

const OBJECT: &[Entry] = &[
    entry(
        "ENCODING <key>",
        &["Names the representation in which the value of <key> is stored."],
    ),
    entry(
        "FREQ <key>",
        &["Tells the access counter of <key>, which grows with the logarithm of its accesses."],
    ),
    entry(
        "IDLETIME <key>",
        &["Tells about how many seconds ago <key> was last accessed."],
    ),
    entry("REFCOUNT <key>", &["Tells how many references the value of <key> has."]),
];

const PUBSUB: &[Entry] = &[
    entry(
        "CHANNELS [<pattern>]",
        &["Lists the channels with subscribers that match <pattern> ('*' by default)."],
    ),
    entry("NUMPAT", &["Counts the distinct patterns that are subscribed to."]),
    entry(
        "NUMSUB [<channel> ...]",
        &["Counts the subscribers of the channels given, those by pattern left out."],
    ),
    entry(
        "SHARDCHANNELS [<pattern>]",
        &["Lists the shard channels with subscribers that match <pattern> ('*' by default)."],
    ),
    entry(
        "SHARDNUMSUB [<shardchannel> ...]",
        &["Counts the subscribers of the shard channels given."],
    ),
];

const SCRIPT: &[Entry] = &[
    entry(
        "DEBUG (YES|SYNC|NO)",
        &["Sets how the scripts that follow are debugged."],
    ),
    entry(
        "EXISTS <sha1> [<sha1> ...]",
        &["Tells which of the scripts are in the cache."],
    ),
    entry(
        "FLUSH [ASYNC|SYNC]",
        &[
            "Empties the script cache. Without a mode, lazyfree-lazy-user-flush decides. Modes are:",
            "* ASYNC: memory is freed later.",
            "* SYNC: memory is freed at once.",
        ],
    ),
    entry("KILL", &["Stops the script that is running."]),
    entry("LOAD <script>", &["Puts a script into the cache without running it."]),
    entry("SHOW <sha1>", &["Shows the source of a script in the cache."]),
];

const COMMANDLOG: &[Entry] = &[
    entry(
        "GET <count> <type>",
        &[
            "Shows the latest <count> entries (all for -1) of <type>, which is SLOW, LARGE-REQUEST or LARGE-REPLY:",
            "id, Unix time, microseconds or bytes, arguments, address of the client, name of the client",
        ],
    ),
    entry("LEN <type>", &["Tells how many entries of <type> there are."]),
    entry("RESET <type>", &["Forgets the entries of <type>."]),
];

const SLOWLOG: &[Entry] = &[
    entry(
        "GET [<count>]",
        &[
            "Shows the latest <count> entries (10 by default, all for -1), each of them:",
            "id, Unix time, microseconds, arguments, address of the client, name of the client",
        ],
    ),
    entry("LEN", &["Tells how many entries there are."]),
    entry("RESET", &["Empties the slow log."]),
];

const XGROUP: &[Entry] = &[
    entry(
        "CREATE <key> <groupname> <id|$> [option]",
        &[
            "Starts a consumer group. Options are:",
            "* MKSTREAM",
            "  Starts an empty stream if the key is missing.",
            "* ENTRIESREAD entries_read",
            "  Sets how many entries count as read.",
        ],
    ),
    entry(
        "CREATECONSUMER <key> <groupname> <consumer>",
        &["Adds a consumer to a group."],
    ),
    entry(
        "DELCONSUMER <key> <groupname> <consumer>",
        &["Takes a consumer out of a group."],
    ),
    entry("DESTROY <key> <groupname>", &["Removes a group."]),
    entry(
        "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
        &["Sets the last entry that a group was given, and how many count as read."],
    ),
];

const XINFO: &[Entry] = &[
    entry(
        "CONSUMERS <key> <groupname>",
        &["Describes the consumers of <groupname>."],
    ),
    entry("GROUPS <key>", &["Describes the groups of the stream."]),
    entry("STREAM <key> [FULL [COUNT <count>]", &["Describes the stream."]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::table::top_level;
    use crate::resp::reply::Protocol;

    #[test]
    fn every_container_explains_every_subcommand() {
        for container in top_level()
            .iter()
            .filter(|spec| spec.is_container() && spec.name != "cluster")
        {
            let explains = |sub: &CommandSpec| {
                let name = sub.short_name().to_ascii_uppercase();
                entries(container.name)
                    .iter()
                    .any(|entry| entry.usage.split(' ').next() == Some(&name))
            };
            for sub in container.subcommands().iter().filter(|sub| sub.short_name() != "help") {
                assert!(explains(sub), "{}", sub.name);
            }
            for entry in entries(container.name) {
                assert!(is_shown(entry, container), "{}: {}", container.name, entry.usage);
            }
        }
    }

    #[test]
    fn a_help_text_has_a_heading_and_a_last_entry() {
        let mut reply = Reply::new(Protocol::Resp2);
        help_reply(b"xInfo", &["A <b>", "    Does."], &mut reply);
        let want = "*5\r\n+XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n\
                    +A <b>\r\n+    Does.\r\n+HELP\r\n+    Shows this text.\r\n";
        assert_eq!(reply.bytes, want.as_bytes());
    }

    #[test]
    fn continued_usage_lines_keep_their_margin() {
        let mut reply = Reply::new(Protocol::Resp2);
        help(b"client", "client", &mut reply);
        let text = String::from_utf8(reply.bytes).expect("help is text");
        assert!(text.contains("[...]]\r\n+         [OPTIN] [OPTOUT] [NOLOOP]\r\n+    Turns"));
        let announced: usize = text[1..]
            .split('\r')
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a count");
        assert_eq!(text.matches("\r\n").count() - 1, announced);
    }
}
