//! What the commands for scripts and functions do and which arguments they take.

use super::build::*;

pub const EVAL: Docs = docs("Runs a Lua script.", "That of the script", &[
    string("script"), integer("numkeys"), key(0).optional().multiple(), string("arg").optional().multiple(),
]);
pub const EVAL_RO: Docs = docs("Runs a Lua script that only reads.", "That of the script", &[
    string("script"), integer("numkeys"), key(0).optional().multiple(), string("arg").optional().multiple(),
]);
pub const EVALSHA: Docs = docs("Runs a cached Lua script by its SHA1 digest.", "That of the script", &[
    string("sha1"), integer("numkeys"), key(0).optional().multiple(), string("arg").optional().multiple(),
]);
pub const EVALSHA_RO: Docs = docs("Runs a cached Lua script that only reads, by its SHA1 digest.",
    "That of the script", &[
    string("sha1"), integer("numkeys"), key(0).optional().multiple(), string("arg").optional().multiple(),
]);
pub const FCALL: Docs = docs("Calls a function of a library.", "That of the function", &[
    string("function"), integer("numkeys"), key(0).optional().multiple(), string("arg").optional().multiple(),
]);
pub const FCALL_RO: Docs = docs("Calls a function of a library that only reads.", "That of the function", &[
    string("function"), integer("numkeys"), key(0).optional().multiple(), string("arg").optional().multiple(),
]);
pub const FUNCTION: Docs = docs("Holds the commands for function libraries.", "Set by the subcommand", &[]);
pub const FUNCTION_DELETE: Docs = docs("Removes a library and its functions.", "O(1)", &[string("library-name")]);
pub const FUNCTION_DUMP: Docs = docs("Answers with all libraries in serialized form.", "O(N) for N functions", &[]);
pub const FUNCTION_FLUSH: Docs = docs("Removes all libraries.",
    "O(N) for N functions removed", &[one_of("flush-type", &[option("ASYNC"), option("SYNC")]).optional()]);
pub const FUNCTION_HELP: Docs = docs("Lists the subcommands of FUNCTION.", "O(1)", &[]);
pub const FUNCTION_KILL: Docs = docs("Stops the function that is running.", "O(1)", &[]);
pub const FUNCTION_LIST: Docs = docs("Describes the libraries.", "O(N) for N functions", &[
    string("library-name-pattern").token("LIBRARYNAME").optional(), option("WITHCODE").optional(),
]);
pub const FUNCTION_LOAD: Docs = docs("Loads a library.", "O(1), not counting compilation",
    &[option("REPLACE").optional(), string("function-code")]);
pub const FUNCTION_RESTORE: Docs = docs("Brings back libraries from their serialized form.",
    "O(N) for N functions in the payload", &[
    string("serialized-value"),
    one_of("policy", &[option("FLUSH"), option("APPEND"), option("REPLACE")]).optional(),
]);
pub const FUNCTION_STATS: Docs = docs("Describes the function that is running and the engines.", "O(1)", &[]);
pub const SCRIPT: Docs = docs("Holds the commands for Lua scripts.", "Set by the subcommand", &[]);
pub const SCRIPT_DEBUG: Docs = docs("Sets how scripts are debugged.", "O(1)",
    &[one_of("mode", &[option("YES"), option("SYNC"), option("NO")])]);
pub const SCRIPT_EXISTS: Docs = docs("Tells which scripts are in the cache.", "O(N) for N digests",
    &[string("sha1").multiple()]);
pub const SCRIPT_FLUSH: Docs = docs("Empties the script cache.", "O(N) for N scripts cached", &[
    one_of("flush-type", &[option("ASYNC"), option("SYNC")]).since("6.2.0").optional(),
]);
pub const SCRIPT_HELP: Docs = docs("Lists the subcommands of SCRIPT.", "O(1)", &[]);
pub const SCRIPT_KILL: Docs = docs("Stops the script that is running.", "O(1)", &[]);
pub const SCRIPT_LOAD: Docs = docs("Puts a script into the cache without running it.", "O(N) for N bytes of script",
    &[string("script")]);
pub const SCRIPT_SHOW: Docs = docs("Shows the source of a script in the cache.", "O(1)", &[string("sha1")]);
