//! What the commands for running the server do and which arguments they take.

use super::build::*;

// Arguments that several commands share.
const HOST_PORT: Arg = block("host-port", &[string("host"), integer("port")]);
const NO_ONE: Arg = block("no-one", &[option("NO"), option("ONE")]);
const FLUSH_TYPE: Arg = one_of("flush-type", &[
    option("ASYNC").since("4.0.0"),
    option("SYNC").since("6.2.0"),
]).optional();
const ARGS: Arg = one_of("args", &[HOST_PORT, NO_ONE]);

const LOG_TYPE: Arg = one_of("type", &[option("SLOW"), option("LARGE-REQUEST"), option("LARGE-REPLY")]);

pub const ACL: Docs = docs("Holds the commands for users and their permissions.", "Set by the subcommand", &[]);
pub const ACL_CAT: Docs = docs("Lists the command categories, or the commands of one.",
    "O(1), as categories and commands are fixed",
    &[string("category").optional()]);
pub const ACL_DELUSER: Docs = docs("Removes users and disconnects their clients.", "O(N) for N users given",
    &[string("username").multiple()]);
pub const ACL_DRYRUN: Docs = docs("Tells whether a user could run a command, without running it.", "O(1)", &[
    string("username"), string("command"), string("arg").optional().multiple(),
]);
pub const ACL_GENPASS: Docs = docs("Makes a random password.", "O(1)", &[integer("bits").optional()]);
pub const ACL_GETUSER: Docs = docs("Shows the rules of a user.", "O(N) for N rules of the user",
    &[string("username")]);
pub const ACL_HELP: Docs = docs("Lists the subcommands of ACL.", "O(1)", &[]);
pub const ACL_LIST: Docs = docs("Lists all users as lines of an ACL file.", "O(N) for N users", &[]);
pub const ACL_LOAD: Docs = docs("Reads the users from the ACL file again.", "O(N) for N users", &[]);
pub const ACL_LOG: Docs = docs("Shows the commands and logins that were refused lately.",
    "O(N) for N entries shown", &[one_of("operation", &[integer("count"), option("RESET")]).optional()]);
pub const ACL_SAVE: Docs = docs("Writes the users to the ACL file.", "O(N) for N users", &[]);
pub const ACL_SETUSER: Docs = docs("Creates a user or changes its rules.", "O(N) for N rules given",
    &[string("username"), string("rule").optional().multiple()]);
pub const ACL_USERS: Docs = docs("Lists the names of all users.", "O(N) for N users", &[]);
pub const ACL_WHOAMI: Docs = docs("Names the user of this connection.", "O(1)", &[]);
pub const BGREWRITEAOF: Docs = docs("Rewrites the append-only file in the background.", "O(1)", &[]);
pub const BGSAVE: Docs = docs("Saves the dataset to disk in the background.", "O(1)",
    &[one_of("operation", &[option("SCHEDULE").since("3.2.2"), option("CANCEL").since("8.1.0")]).optional()]);
pub const COMMAND: Docs = docs("Describes every command.", "O(N) for N commands in the server", &[]);
pub const COMMAND_COUNT: Docs = docs("Counts the commands of this server.", "O(1)", &[]);
pub const COMMAND_DOCS: Docs = docs("Documents commands: what they do and which arguments they take.",
    "O(N) for N commands asked about",
    &[string("command-name").optional().multiple()]);
pub const COMMAND_GETKEYS: Docs = docs("Extracts the key names from a command line.", "O(N) for N arguments",
    &[string("command"), string("arg").optional().multiple()]);
pub const COMMAND_GETKEYSANDFLAGS: Docs = docs(
    "Extracts the key names from a command line, and how each one is accessed.",
    "O(N) for N arguments", &[string("command"), string("arg").optional().multiple()]);
pub const COMMAND_HELP: Docs = docs("Lists the subcommands of COMMAND.", "O(1)", &[]);
pub const COMMAND_INFO: Docs = docs("Describes the commands that are named, or all.",
    "O(N) for N commands asked about",
    &[string("command-name").optional().multiple()]);
pub const COMMAND_LIST: Docs = docs("Lists the names of commands.", "O(N) for N commands in the server", &[
    one_of("filterby", &[
        string("module-name").token("MODULE"), string("category").token("ACLCAT"),
        pattern("pattern").token("PATTERN"),
    ]).token("FILTERBY").optional(),
]);
pub const COMMANDLOG: Docs = docs("Holds the commands of the command log.", "Set by the subcommand", &[]);
pub const COMMANDLOG_GET: Docs = docs("Shows the latest commands that were slow, or had a large request or reply.",
    "O(N) for N entries returned",
    &[integer("count"), LOG_TYPE]);
pub const COMMANDLOG_HELP: Docs = docs("Lists the subcommands of COMMANDLOG.", "O(1)", &[]);
pub const COMMANDLOG_LEN: Docs = docs("Tells how many entries of a kind the command log has.", "O(1)", &[LOG_TYPE]);
pub const COMMANDLOG_RESET: Docs = docs("Forgets the entries of a kind in the command log.", "O(N) for N entries",
    &[LOG_TYPE]);
pub const CONFIG: Docs = docs("Holds the commands for the server's settings.", "Set by the subcommand", &[]);
pub const CONFIG_GET: Docs = docs("Shows the settings that match patterns.", "O(N) for N patterns given",
    &[string("parameter").multiple()]);
pub const CONFIG_HELP: Docs = docs("Lists the subcommands of CONFIG.", "O(1)", &[]);
pub const CONFIG_RESETSTAT: Docs = docs("Sets the counters of INFO back to zero.", "O(1)", &[]);
pub const CONFIG_REWRITE: Docs = docs("Writes the present settings to the configuration file.", "O(1)", &[]);
pub const CONFIG_SET: Docs = docs("Changes settings while the server runs.", "O(N) for N settings given",
    &[block("data", &[string("parameter"), string("value")]).multiple()]);
pub const DBSIZE: Docs = docs("Counts the keys of the database.", "O(1)", &[]);
pub const DEBUG: Docs = docs("Holds commands for debugging the server.", "Set by the subcommand", &[]).system();
pub const FAILOVER: Docs = docs("Hands the role of the master to one of its replicas.", "O(1)", &[
    block("target", &[string("host"), integer("port"), option("FORCE").optional()]).token("TO").optional(),
    option("ABORT").optional(), integer("milliseconds").token("TIMEOUT").optional(),
]);
pub const FLUSHALL: Docs = docs("Removes all keys of all databases.", "O(N) for N keys in all databases",
    &[FLUSH_TYPE]);
pub const FLUSHDB: Docs = docs("Removes all keys of the database.", "O(N) for N keys in the database", &[FLUSH_TYPE]);
pub const INFO: Docs = docs("Reports the state and the statistics of the server.", "O(1)",
    &[string("section").optional().multiple()]);
pub const LASTSAVE: Docs = docs("Tells the Unix time of the last successful save.", "O(1)", &[]);
pub const LATENCY: Docs = docs("Holds the commands of the latency monitor.", "Set by the subcommand", &[]);
pub const LATENCY_DOCTOR: Docs = docs("Reports on latency in plain words.", "O(1)", &[]);
pub const LATENCY_GRAPH: Docs = docs("Draws the latency of an event over time in text.", "O(1)", &[string("event")]);
pub const LATENCY_HELP: Docs = docs("Lists the subcommands of LATENCY.", "O(1)", &[]);
pub const LATENCY_HISTOGRAM: Docs = docs("Shows how the run times of commands are distributed.",
    "O(N) for N commands with a histogram",
    &[string("command").optional().multiple()]);
pub const LATENCY_HISTORY: Docs = docs("Shows the latency samples of an event.", "O(1)", &[string("event")]);
pub const LATENCY_LATEST: Docs = docs("Shows the latest latency sample of every event.", "O(1)", &[]);
pub const LATENCY_RESET: Docs = docs("Forgets the latency samples of some or all events.", "O(1)",
    &[string("event").optional().multiple()]);
pub const LOLWUT: Docs = docs("Draws a piece of computer art and tells the version.", "",
    &[integer("version").token("VERSION").optional()]);
pub const MEMORY: Docs = docs("Holds the commands about memory.", "Set by the subcommand", &[]);
pub const MEMORY_DOCTOR: Docs = docs("Reports on memory problems in plain words.", "O(1)", &[]);
pub const MEMORY_HELP: Docs = docs("Lists the subcommands of MEMORY.", "O(1)", &[]);
pub const MEMORY_MALLOC_STATS: Docs = docs("Shows the statistics of the allocator.",
    "Grows with the memory allocated; may be slow", &[]);
pub const MEMORY_PURGE: Docs = docs("Asks the allocator to give unused memory back.",
    "Grows with the memory allocated; may be slow", &[]);
pub const MEMORY_STATS: Docs = docs("Shows where the memory goes.", "O(1)", &[]);
pub const MEMORY_USAGE: Docs = docs("Estimates how many bytes a key and its value take.",
    "O(N) for N elements sampled",
    &[key(0), integer("count").token("SAMPLES").optional()]);
pub const MODULE: Docs = docs("Holds the commands for modules.", "Set by the subcommand", &[]);
pub const MODULE_HELP: Docs = docs("Lists the subcommands of MODULE.", "O(1)", &[]);
pub const MODULE_LIST: Docs = docs("Lists the modules that are loaded.", "O(N) for N modules", &[]);
pub const MODULE_LOAD: Docs = docs("Loads a module.", "O(1)", &[string("path"), string("arg").optional().multiple()]);
pub const MODULE_LOADEX: Docs = docs("Loads a module with settings and arguments of its own.", "O(1)", &[
    string("path"),
    block("configs", &[string("name"), string("value")]).token("CONFIG").optional().multiple().multiple_token(),
    string("args").token("ARGS").optional().multiple(),
]);
pub const MODULE_UNLOAD: Docs = docs("Unloads a module.", "O(1)", &[string("name")]);
pub const MONITOR: Docs = docs("Streams every command the server runs to this connection.", "", &[]);
pub const PSYNC: Docs = docs("Starts or resumes the replication stream; sent by replicas.", "",
    &[string("replicationid"), integer("offset")]);
pub const REPLCONF: Docs = docs("Settles the details of replication between a master and a replica.",
    "O(1)", &[]).system();
pub const REPLICAOF: Docs = docs("Makes this server a replica of another one, or a master again.", "O(1)", &[ARGS]);
pub const RESTORE_ASKING: Docs = docs(
    "Makes a key from its serialized form while its cluster slot is being imported.",
    "O(1) to make the key and O(N*M) to rebuild N elements of average size M", &[
        key(0), integer("ttl"), string("serialized-value"), option("REPLACE").since("3.0.0").optional(),
        option("ABSTTL").since("5.0.0").optional(),
        integer("seconds").token("IDLETIME").since("5.0.0").optional(),
        integer("frequency").token("FREQ").since("5.0.0").optional(),
    ]).system();
pub const ROLE: Docs = docs("Tells the part this server plays in replication.", "O(1)", &[]);
pub const SAVE: Docs = docs("Saves the dataset to disk and answers when that is done.",
    "O(N) for N keys in all databases", &[]);
pub const SHUTDOWN: Docs = docs("Saves the dataset if so configured and stops the server.",
    "O(N) for N keys when saving, otherwise O(1)", &[
    one_of("abort-selector", &[
        block("save-selector-block", &[
            one_of("save-selector", &[option("NOSAVE"), option("SAVE")]).optional(),
            option("NOW").since("7.0.0").optional(), option("FORCE").since("7.0.0").optional(),
        ]),
        option("ABORT").since("7.0.0"),
    ]).optional(),
]);
pub const SLAVEOF: Docs = docs(
    "Makes this server a replica of another one, or a master again; the old name of REPLICAOF.",
    "O(1)", &[ARGS]).deprecated("5.0.0", "`REPLICAOF`");
pub const SLOWLOG: Docs = docs("Holds the commands of the slow log.", "Set by the subcommand", &[]);
pub const SLOWLOG_GET: Docs = docs("Shows the latest entries of the slow log.", "O(N) for N entries returned",
    &[integer("count").optional()]);
pub const SLOWLOG_HELP: Docs = docs("Lists the subcommands of SLOWLOG.", "O(1)", &[]);
pub const SLOWLOG_LEN: Docs = docs("Tells how many entries the slow log has.", "O(1)", &[]);
pub const SLOWLOG_RESET: Docs = docs("Empties the slow log.", "O(N) for N entries", &[]);
pub const SWAPDB: Docs = docs("Swaps the contents of two databases.",
    "O(N) for N clients that watch or wait for keys of either",
    &[integer("index1"), integer("index2")]);
pub const SYNC: Docs = docs("Starts the replication stream; sent by replicas of old.", "", &[]);
pub const TIME: Docs = docs("Tells the time of the server.", "O(1)", &[]);
