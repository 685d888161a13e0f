//! What the commands for connections do and which arguments they take.

use super::build::*;

// Arguments that several commands share.
const ENABLED: Arg = one_of("enabled", &[option("ON"), option("OFF")]);

pub const AUTH: Docs = docs("Logs this connection in.", "O(N) for N passwords of the user",
    &[string("username").since("6.0.0").optional(), string("password")]);
pub const CLIENT: Docs = docs("Holds the commands for client connections.", "Set by the subcommand", &[]);
pub const CLIENT_CACHING: Docs = docs("Says whether the keys of the next command are to be tracked.", "O(1)",
    &[one_of("mode", &[option("YES"), option("NO")])]);
pub const CLIENT_CAPA: Docs = docs("Says what the client is capable of.", "O(1)", &[string("capability").multiple()]);
pub const CLIENT_GETNAME: Docs = docs("Tells the name of this connection.", "O(1)", &[]);
pub const CLIENT_GETREDIR: Docs = docs("Tells which client receives the invalidations of this one.", "O(1)", &[]);
pub const CLIENT_HELP: Docs = docs("Lists the subcommands of CLIENT.", "O(1)", &[]);
pub const CLIENT_ID: Docs = docs("Tells the ID of this connection.", "O(1)", &[]);
pub const CLIENT_IMPORT_SOURCE: Docs = docs(
    "Says whether this connection imports data and sees keys that have expired, under `import-mode`.", "O(1)",
    &[ENABLED]);
pub const CLIENT_INFO: Docs = docs("Describes this connection.", "O(1)", &[]);
/// The filters of Valkey 9 that CLIENT KILL and CLIENT LIST have in common.
macro_rules! and_filters_of_valkey {
    ($($older:expr,)*) => {
        &[
            $($older,)*
            integer("maxage").token("MAXAGE").since("8.0.0").optional(),
            string("name").token("NAME").since("9.0.0").optional(),
            integer("idle").token("IDLE").since("9.0.0").optional(),
            string("flags").token("FLAGS").since("9.0.0").optional(),
            string("lib-name").token("LIB-NAME").since("9.0.0").optional(),
            string("lib-ver").token("LIB-VER").since("9.0.0").optional(),
            integer("db").token("DB").since("9.0.0").optional(),
            string("capa").token("CAPA").since("9.0.0").optional(),
            string("ip").token("IP").since("9.0.0").optional(),
            one_of("not-client-type", CLIENT_TYPES).token("NOT-TYPE").since("9.0.0").optional(),
            integer("not-client-id").token("NOT-ID").since("9.0.0").optional().multiple(),
            string("not-username").token("NOT-USER").since("9.0.0").optional(),
            string("not-addr").token("NOT-ADDR").display("ip:port").since("9.0.0").optional(),
            string("not-laddr").token("NOT-LADDR").display("ip:port").since("9.0.0").optional(),
            string("not-name").token("NOT-NAME").since("9.0.0").optional(),
            string("not-flags").token("NOT-FLAGS").since("9.0.0").optional(),
            string("not-lib-name").token("NOT-LIB-NAME").since("9.0.0").optional(),
            string("not-lib-ver").token("NOT-LIB-VER").since("9.0.0").optional(),
            integer("not-db").token("NOT-DB").since("9.0.0").optional(),
            string("not-capa").token("NOT-CAPA").since("9.0.0").optional(),
            string("not-ip").token("NOT-IP").since("9.0.0").optional(),
        ]
    };
}
const CLIENT_TYPES: &[Arg] = &[
    option("NORMAL"), option("MASTER").since("3.2.0"), option("PRIMARY").since("8.0.0"), option("SLAVE"),
    option("REPLICA").since("5.0.0"), option("PUBSUB"),
];
pub const CLIENT_KILL: Docs = docs("Closes connections.", "O(N) for N connections", &[
    one_of("filter", &[
        string("old-format").display("ip:port").deprecated("2.8.12"),
        one_of("new-format", and_filters_of_valkey![
            integer("client-id").token("ID").since("2.8.12").optional().multiple(),
            one_of("client-type", CLIENT_TYPES).token("TYPE").since("2.8.12").optional(),
            string("username").token("USER").optional(),
            string("addr").token("ADDR").display("ip:port").optional(),
            string("laddr").token("LADDR").display("ip:port").since("6.2.0").optional(),
            SKIPME,
        ]).multiple(),
    ]),
]);
const SKIPME: Arg = one_of("skipme", &[option("YES"), option("NO")]).token("SKIPME").optional();
pub const CLIENT_LIST: Docs = docs("Describes the connections that are open.", "O(N) for N connections",
    and_filters_of_valkey![
    one_of("client-type", CLIENT_TYPES).token("TYPE").since("5.0.0").optional(),
    integer("client-id").token("ID").since("6.2.0").optional().multiple(),
    string("username").token("USER").since("8.1.0").optional(),
    string("addr").token("ADDR").display("ip:port").since("8.1.0").optional(),
    string("laddr").token("LADDR").display("ip:port").since("8.1.0").optional(),
    SKIPME.since("8.1.0"),
]);
pub const CLIENT_NO_EVICT: Docs = docs("Exempts this connection from client eviction, or ends that.", "O(1)",
    &[ENABLED]);
pub const CLIENT_NO_TOUCH: Docs = docs("Says whether the commands of this connection renew the access times of keys.",
    "O(1)",
    &[ENABLED]);
pub const CLIENT_PAUSE: Docs = docs("Holds back the commands of all clients for a while.", "O(1)", &[
    integer("timeout"), one_of("mode", &[option("WRITE"), option("ALL")]).since("6.2.0").optional(),
]);
pub const CLIENT_REPLY: Docs = docs("Turns the replies to this connection on or off.", "O(1)",
    &[one_of("action", &[option("ON"), option("OFF"), option("SKIP")])]);
pub const CLIENT_SETINFO: Docs = docs("Records the name or version of the client library.", "O(1)", &[
    one_of("attr", &[
        string("libname").token("LIB-NAME"), string("libver").token("LIB-VER"),
    ]),
]);
pub const CLIENT_SETNAME: Docs = docs("Names this connection.", "O(1)", &[string("connection-name")]);
pub const CLIENT_TRACKING: Docs = docs("Turns server-assisted client-side caching on or off.",
    "O(1), and more with some options", &[
    one_of("status", &[option("ON"), option("OFF")]), integer("client-id").token("REDIRECT").optional(),
    string("prefix").token("PREFIX").optional().multiple().multiple_token(), option("BCAST").optional(),
    option("OPTIN").optional(), option("OPTOUT").optional(), option("NOLOOP").optional(),
]);
pub const CLIENT_TRACKINGINFO: Docs = docs("Describes the client-side caching of this connection.", "O(1)", &[]);
pub const CLIENT_UNBLOCK: Docs = docs("Wakes a client that waits in a blocking command.",
    "O(log(N)) for N connections", &[
    integer("client-id"), one_of("unblock-type", &[option("TIMEOUT"), option("ERROR")]).optional(),
]);
pub const CLIENT_UNPAUSE: Docs = docs("Ends CLIENT PAUSE.", "O(N) for N clients held back", &[]);
pub const ECHO: Docs = docs("Answers with the message it was given.", "O(1)", &[string("message")]);
pub const HELLO: Docs = docs("Greets the server and may switch the protocol, log in and name the connection.",
    "O(1)", &[
    block("arguments", &[
        integer("protover"), block("auth", &[string("username"), string("password")]).token("AUTH").optional(),
        string("clientname").token("SETNAME").optional(),
    ]).optional(),
]);
pub const PING: Docs = docs("Shows that the server is alive.", "O(1)", &[string("message").optional()]);
pub const QUIT: Docs = docs("Closes this connection.", "O(1)", &[]).deprecated("7.2.0", "closing the connection");
pub const RESET: Docs = docs("Puts this connection back into the state it began in.", "O(1)", &[]);
pub const SELECT: Docs = docs("Chooses the database of this connection.", "O(1)", &[integer("index")]);
