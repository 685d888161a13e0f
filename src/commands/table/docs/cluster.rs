//! What the commands for cluster mode do and which arguments they take.

use super::build::*;

// Arguments that several commands share.
const RANGE: Arg = block("range", &[integer("start-slot"), integer("end-slot")]).multiple();

pub const ASKING: Docs = docs("Announces a command that was redirected to a slot being imported.", "O(1)", &[]);
pub const CLUSTER: Docs = docs("Holds the commands of cluster mode.", "Set by the subcommand", &[]);
pub const CLUSTER_ADDSLOTS: Docs = docs("Assigns hash slots to this node.", "O(N) for N slots",
    &[integer("slot").multiple()]);
pub const CLUSTER_ADDSLOTSRANGE: Docs = docs("Assigns ranges of hash slots to this node.",
    "O(N) for N slots in all ranges",
    &[RANGE]);
pub const CLUSTER_BUMPEPOCH: Docs = docs("Raises the configuration epoch of the cluster.", "O(1)", &[]);
pub const CLUSTER_COUNT_FAILURE_REPORTS: Docs = docs("Counts the nodes that report another node as failing.",
    "O(N) for N reports",
    &[string("node-id")]);
pub const CLUSTER_COUNTKEYSINSLOT: Docs = docs("Counts the keys of a hash slot.", "O(1)", &[integer("slot")]);
pub const CLUSTER_DELSLOTS: Docs = docs("Takes hash slots away from this node.", "O(N) for N slots",
    &[integer("slot").multiple()]);
pub const CLUSTER_DELSLOTSRANGE: Docs = docs("Takes ranges of hash slots away from this node.",
    "O(N) for N slots in all ranges",
    &[RANGE]);
pub const CLUSTER_FAILOVER: Docs = docs("Makes a replica take over from its master.",
    "O(1)", &[one_of("options", &[option("FORCE"), option("TAKEOVER")]).optional()]);
pub const CLUSTER_FLUSHSLOTS: Docs = docs("Takes all hash slots away from this node.", "O(1)", &[]);
pub const CLUSTER_FORGET: Docs = docs("Removes a node from the list of known nodes.", "O(1)", &[string("node-id")]);
pub const CLUSTER_GETKEYSINSLOT: Docs = docs("Lists keys of a hash slot.", "O(N) for N keys returned",
    &[integer("slot"), integer("count")]);
pub const CLUSTER_HELP: Docs = docs("Lists the subcommands of CLUSTER.", "O(1)", &[]);
pub const CLUSTER_INFO: Docs = docs("Reports the state of the cluster as this node sees it.", "O(1)", &[]);
pub const CLUSTER_KEYSLOT: Docs = docs("Tells the hash slot of a key.", "O(N) for N bytes in the key",
    &[string("key")]);
pub const CLUSTER_LINKS: Docs = docs("Lists the connections between this node and others.", "O(N) for N nodes", &[]);
pub const CLUSTER_MEET: Docs = docs("Introduces a node to this one.", "O(1)", &[
    string("ip"), integer("port"), integer("cluster-bus-port").since("4.0.0").optional(),
]);
pub const CLUSTER_MYID: Docs = docs("Tells the ID of this node.", "O(1)", &[]);
pub const CLUSTER_MYSHARDID: Docs = docs("Tells the ID of the shard this node belongs to.", "O(1)", &[]);
pub const CLUSTER_NODES: Docs = docs("Describes the cluster in the format of the node file.",
    "O(N) for N nodes", &[]);
pub const CLUSTER_REPLICAS: Docs = docs("Lists the replicas of a master.", "O(N) for N replicas",
    &[string("node-id")]);
pub const CLUSTER_REPLICATE: Docs = docs("Makes this node a replica of a master.", "O(1)", &[string("node-id")]);
pub const CLUSTER_RESET: Docs = docs(
    "Makes this node forget the cluster.",
    "O(N) for N nodes known; may empty the dataset as well", &[
        one_of("reset-type", &[option("HARD"), option("SOFT")]).optional(),
    ]);
pub const CLUSTER_SAVECONFIG: Docs = docs("Writes the node file to disk.", "O(1)", &[]);
pub const CLUSTER_SET_CONFIG_EPOCH: Docs = docs("Sets the configuration epoch of a new node.", "O(1)",
    &[integer("config-epoch")]);
pub const CLUSTER_SETSLOT: Docs = docs("Binds a hash slot to a node or marks it as moving.", "O(1)", &[
    integer("slot"),
    one_of("subcommand", &[
        string("importing").token("IMPORTING").display("node-id"),
        string("migrating").token("MIGRATING").display("node-id"),
        string("node").token("NODE").display("node-id"), option("STABLE"),
    ]),
]);
pub const CLUSTER_SHARDS: Docs = docs("Lists the shards with their slots and nodes.", "O(N) for N nodes", &[]);
pub const CLUSTER_SLAVES: Docs = docs("Lists the replicas of a master; the old name of CLUSTER REPLICAS.",
    "O(N) for N replicas",
    &[string("node-id")]).deprecated("5.0.0", "`CLUSTER REPLICAS`");
pub const CLUSTER_SLOTS: Docs = docs("Lists which nodes serve which slots.", "O(N) for N nodes", &[]);
pub const READONLY: Docs = docs("Allows reads from a replica node on this connection.", "O(1)", &[]);
pub const READWRITE: Docs = docs("Ends what READONLY allowed.", "O(1)", &[]);
