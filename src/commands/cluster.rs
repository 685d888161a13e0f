//! CLUSTER and its kin, as a server answers that is no node of a cluster: it says so, whatever it is asked. Clients that look
//! for a cluster first go on from there. READONLY and READWRITE mean something all the same to clients that have said CLIENT
//! CAPA REDIRECT.

use super::handlers::Family;
use crate::resp::request::Args;
use crate::server::session::Redirects;
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[
    ("asking", no_cluster),
    ("cluster|addslots", no_cluster),
    ("cluster|addslotsrange", no_cluster),
    ("cluster|bumpepoch", no_cluster),
    ("cluster|count-failure-reports", no_cluster),
    ("cluster|countkeysinslot", no_cluster),
    ("cluster|delslots", no_cluster),
    ("cluster|delslotsrange", no_cluster),
    ("cluster|failover", no_cluster),
    ("cluster|flushslots", no_cluster),
    ("cluster|forget", no_cluster),
    ("cluster|getkeysinslot", no_cluster),
    ("cluster|help", no_cluster),
    ("cluster|info", no_cluster),
    ("cluster|keyslot", no_cluster),
    ("cluster|links", no_cluster),
    ("cluster|meet", no_cluster),
    ("cluster|myid", no_cluster),
    ("cluster|myshardid", no_cluster),
    ("cluster|nodes", no_cluster),
    ("cluster|replicas", no_cluster),
    ("cluster|replicate", no_cluster),
    ("cluster|reset", no_cluster),
    ("cluster|saveconfig", no_cluster),
    ("cluster|set-config-epoch", no_cluster),
    ("cluster|setslot", no_cluster),
    ("cluster|shards", no_cluster),
    ("cluster|slaves", no_cluster),
    ("cluster|slots", no_cluster),
    ("readonly", readonly),
    ("readwrite", readwrite),
];

/// READONLY. Of a client that replicas send to their primary: reads are run here all the same.
fn readonly(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    redirect(ctx, args, Redirects::Writes)
}

/// READWRITE takes that back.
fn readwrite(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    redirect(ctx, args, Redirects::All)
}

fn redirect(ctx: &mut Context<'_>, args: Args<'_>, what: Redirects) -> Outcome {
    if ctx.session().redirects == Redirects::Nothing {
        return no_cluster(ctx, args);
    }
    ctx.session().redirects = what;
    ctx.reply.ok();
    Ok(())
}

fn no_cluster(_: &mut Context<'_>, _: Args<'_>) -> Outcome {
    Err("ERR This instance has cluster support disabled".into())
}

#[cfg(test)]
mod tests {
    use crate::server::testing::Server;

    #[test]
    fn a_server_that_is_no_node_says_so() {
        let mut server = Server::start();
        for line in [
            "CLUSTER INFO",
            "cluster help",
            "CLUSTER KEYSLOT k",
            "ASKING",
            "READONLY",
            "READWRITE",
        ] {
            assert_eq!(
                server.ask(line),
                "-ERR This instance has cluster support disabled|",
                "{line}"
            );
        }
        assert_eq!(
            server.ask("CLUSTER NOSUCH"),
            "-ERR unknown subcommand 'NOSUCH'. Try CLUSTER HELP.|"
        );
        assert_eq!(
            server.ask("CLUSTER ADDSLOTS"),
            "-ERR wrong number of arguments for 'cluster|addslots' command|"
        );
    }
}
