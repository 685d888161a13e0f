//! CONFIG: the settings, read and changed while the server runs.
//!
//! The settings themselves, their ranges and texts are [`crate::config`]'s. Here a change takes effect: most settings
//! are simply read where they matter, some have to be told to the core, and those that concern sockets and the log go
//! out as an effect. Whatever can fail is tried before the reply, so that a CONFIG SET that fails has changed nothing.

use super::expiry::syntax_error;
use super::handlers::Family;
use super::table::help::help;
use crate::config::rewrite::{Extent, OwnedLines};
use crate::config::{SetError, Setter, Settings};
use crate::crash;
use crate::format::reason;
use crate::log;
use crate::reactor::process;
use crate::resp::request::Args;
use crate::server::{Context, Core, Effect, Outcome};

pub const COMMANDS: Family = &[
    ("config|get", get),
    ("config|help", config_help),
    ("config|resetstat", resetstat),
    ("config|rewrite", rewrite),
    ("config|set", set),
];

/// CONFIG GET pattern [pattern ...]
fn get(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let found = ctx.core.settings.get(&args.from(2).to_vec());
    ctx.reply.map(found.len());
    for (name, value) in found {
        ctx.reply.bulk(name.as_bytes());
        ctx.reply.bulk(value);
    }
    Ok(())
}

/// CONFIG SET directive value [directive value ...]: all or none.
fn set(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if !args.len().is_multiple_of(2) {
        return syntax_error();
    }
    let pairs: Vec<_> = (2..args.len())
        .step_by(2)
        .map(|at| (args.at(at), args.at(at + 1)))
        .collect();
    let setter = Setter {
        is_local: ctx.session().is_local(),
        while_loading: ctx.core.loading.is_some() || ctx.core.is_loading_aside(),
    };
    let before = ctx.core.settings.clone();
    let changed = ctx
        .core
        .settings
        .set_many(&pairs, setter)
        .map_err(|error| error.to_string())?;
    if let Err(error) = try_out(&before, &ctx.core.settings, &changed) {
        ctx.core.settings = before;
        return Err(error.to_string().into());
    }
    if changed.contains(&"appendonly") && ctx.core.switch_log().is_err() {
        ctx.core.settings = before;
        let error = SetError::rejected(b"appendonly", "Unable to turn on AOF. Check server logs.");
        return Err(error.to_string().into());
    }
    take_effect(ctx.core, &changed);
    ctx.core.note_what_is_gone(ctx.session);
    ctx.core.note_hampering();
    ctx.reply.ok();
    Ok(())
}

const CANNOT_LISTEN: &str = "Unable to listen on this port. Check server logs.";

/// Checks with the system what it may refuse. The directory comes last, being the one that is changed here.
fn try_out(before: &Settings, after: &Settings, changed: &[&'static str]) -> Result<(), SetError> {
    let has = |name: &str| changed.contains(&name);
    if has("bind") && after.port != 0 && !process::can_listen(after, 0) {
        return Err(SetError::rejected(b"bind", "Failed to bind to specified addresses."));
    }
    if has("port") && after.port != 0 && !process::can_listen(after, after.port) {
        return Err(SetError::rejected(b"port", CANNOT_LISTEN));
    }
    try_tls(after, changed)?;
    if has("maxclients") {
        try_maxclients(before, after)?;
    }
    if has("dir") {
        let changed = std::env::set_current_dir(after.dir.as_path());
        changed.map_err(|error| SetError::rejected(b"dir", reason(&error)))?;
    }
    Ok(())
}

/// Certificates and keys must be there and fit, once they are needed.
fn try_tls(after: &Settings, changed: &[&'static str]) -> Result<(), SetError> {
    let Some(name) = changed.iter().find(|name| name.starts_with("tls-")) else {
        return Ok(());
    };
    if let Err(error) = process::load_tls(after) {
        log::warning(&error);
        return Err(SetError::rejected(
            name.as_bytes(),
            "Unable to update TLS configuration. Check server logs.",
        ));
    }
    if changed.contains(&"tls-port") && after.tls_port != 0 && !process::can_listen(after, after.tls_port) {
        return Err(SetError::rejected(b"tls-port", CANNOT_LISTEN));
    }
    Ok(())
}

/// Every client needs a descriptor.
fn try_maxclients(before: &Settings, after: &Settings) -> Result<(), SetError> {
    let wanted = u64::from(after.maxclients);
    let fits = process::fit_descriptor_limit(wanted);
    if after.maxclients <= before.maxclients || fits >= wanted {
        return Ok(());
    }
    let reason = format!("The operating system is not able to handle the specified number of clients, try with {fits}");
    Err(SetError::rejected(b"maxclients", reason))
}

/// Tells the parts of the server that do not read the settings each time.
fn take_effect(core: &mut Core, changed: &[&'static str]) {
    let has = |names: &[&str]| changed.iter().any(|name| names.contains(name));
    if has(&["maxmemory-policy", "lfu-log-factor", "lfu-decay-time"]) {
        core.apply_clock_settings();
    }
    if has(&["requirepass"]) {
        core.acl.set_default_password(core.settings.requirepass.as_bytes());
    }
    if has(&["maxmemory", "maxmemory-clients"]) {
        core.apply_client_limit();
    }
    if has(&["maxmemory", "maxmemory-policy"]) {
        make_room(core);
    }
    if has(&["crash-log-enabled"]) {
        crash::set_enabled(core.settings.crash_log_enabled);
    }
    if has(&["use-exit-on-panic"]) {
        crash::set_exits_on_panic(core.settings.use_exit_on_panic);
    }
    if has(&["aof-disable-auto-gc"]) {
        core.remove_history();
    }
    if has(&["port", "bind", "loglevel"]) || changed.iter().any(|name| name.starts_with("tls-")) {
        core.effects.push(Effect::Reconfigure(changed.to_vec()));
    }
}

/// Starts evicting if the new limit is below what is in use: soon, so that no eviction becomes part of a transaction.
fn make_room(core: &mut Core) {
    let (limit, used) = (core.settings.maxmemory, core.used_memory() as u64);
    if limit > 0 && used > limit {
        log::warning(&format!(
            "maxmemory is now {limit} bytes and {used} are in use: keys will be evicted or writes refused, as \
             maxmemory-policy says."
        ));
    }
    core.make_room_soon();
}

/// CONFIG REWRITE
fn rewrite(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    if ctx.core.facts.config_path.is_none() {
        return Err("ERR The server is running without a config file".into());
    }
    rewrite_file(ctx.core, Extent::Changed).map_err(|reason| format!("ERR Rewriting config file: {reason}"))?;
    ctx.reply.ok();
    Ok(())
}

/// Rewrites the file that the configuration came from; gives the reason if it fails.
pub(super) fn rewrite_file(core: &Core, extent: Extent) -> Result<(), String> {
    let Some(path) = &core.facts.config_path else {
        return Err("the server is running without a config file".into());
    };
    // Where there is an ACL file, that has them.
    let users = match core.settings.aclfile.is_empty() {
        true => core.acl.config_lines(),
        false => Vec::new(),
    };
    let users = OwnedLines {
        directive: "user",
        lines: &users,
    };
    if let Err(error) = core.settings.rewrite(path, &[users], extent) {
        let reason = reason(&error);
        log::warning(&format!("CONFIG REWRITE failed: {reason}"));
        return Err(reason);
    }
    log::notice("CONFIG REWRITE executed with success.");
    Ok(())
}

/// CONFIG RESETSTAT
fn resetstat(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    ctx.core.reset_stats();
    ctx.reply.ok();
    Ok(())
}

/// CONFIG HELP
fn config_help(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    help(args.at(0), "config", ctx.reply);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Effect;
    use crate::server::testing::Server;

    #[test]
    fn a_setting_that_cannot_take_effect_takes_the_others_back() {
        let mut server = Server::start();
        let reply = server.run(&[b"CONFIG", b"SET", b"hz", b"50", b"bind", b"192.0.2.1"]);
        let want =
            "-ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses.|";
        assert_eq!(reply, want);
        assert_eq!(server.ask("CONFIG GET hz"), "*2|$2|hz|$2|10|");
        assert!(server.core.effects.is_empty());
    }

    #[test]
    fn what_concerns_the_log_goes_out_as_an_effect() {
        let mut server = Server::start();
        assert_eq!(server.ask("CONFIG SET loglevel warning timeout 5"), "+OK|");
        assert_eq!(server.core.effects, [Effect::Reconfigure(vec!["timeout", "loglevel"])]);
    }

    #[test]
    fn resetting_the_counts_leaves_only_the_reset_itself() {
        let mut server = Server::start();
        server.ask("GET missing");
        server.ask("NOSUCH");
        assert_eq!(server.ask("CONFIG RESETSTAT"), "+OK|");
        let stats = &server.core.stats;
        assert_eq!(
            (
                stats.keyspace_misses,
                stats.total_error_replies,
                stats.total_commands_processed
            ),
            (0, 0, 1)
        );
        assert!(server.core.error_stats.is_empty());
    }

    #[test]
    fn resetting_the_counts_leaves_those_of_refusals() {
        let mut server = Server::start();
        server.ask("AUTH nobody x");
        server.ask("CONFIG RESETSTAT");
        assert!(server.ask("INFO stats").contains("acl_access_denied_auth:1|"));
    }

    #[test]
    fn resetting_the_counts_forgets_what_was_freed() {
        let mut server = Server::start();
        for member in 0..200 {
            server.ask(&format!("SADD large m{member}"));
        }
        server.ask("UNLINK large");
        while !server.core.keyspace.graveyard.step(64) {}
        assert!(server.ask("INFO memory").contains("lazyfreed_objects:1|"));
        server.ask("CONFIG RESETSTAT");
        assert!(server.ask("INFO memory").contains("lazyfreed_objects:0|"));
    }
}
