//! Commands that must not fail and do.
//!
//! What a primary or the append-only file says has been done before, with success. Where it fails the data is not what it
//! was there; a replica that is told a reply takes it for a command. All of that is logged and counted, and the server
//! stops if `propagation-error-behavior` wants it.

use super::core::{Core, Effect};
use super::session::SessionIndex;
use crate::commands::table::CommandSpec;
use crate::config::choice::PropagationErrorBehavior;
use crate::log;

/// Bytes of an error that the log gets to see.
const TOLD: usize = 4096;

impl Core {
    /// An error is the reply to a command. Costs nothing unless the command is one that must not fail.
    #[cold]
    pub(super) fn note_error(&mut self, index: SessionIndex, spec: Option<&'static CommandSpec>, error: &[u8]) {
        let behavior = self.settings.propagation_error_behavior;
        let (from, to, is_fatal) = if self.is_replaying {
            (
                "server",
                "AOF-loading-client",
                behavior == PropagationErrorBehavior::Panic,
            )
        } else if self.replication.is_primary(index) {
            // Who writes to a replica has to expect that.
            let may_stop = self.settings.replica_read_only && behavior != PropagationErrorBehavior::Ignore;
            ("replica", "master", may_stop)
        } else {
            return;
        };
        let name = spec
            .or(self.session(index).last_command)
            .map_or("<unknown>", |spec| spec.name);
        self.tell_of_divergence(from, to, error, name);
        if is_fatal {
            self.effects.push(Effect::Abort(format!(
                "This {from} panicked sending an error to its {to} after processing the command '{name}'"
            )));
        }
    }

    /// Logs and counts an error that is no client's.
    pub(super) fn tell_of_divergence(&mut self, from: &str, to: &str, error: &[u8], name: &str) {
        self.stats.unexpected_error_replies += 1;
        let error = error.split(|&byte| byte == b'\r').next().unwrap_or(error);
        let error = String::from_utf8_lossy(&error[..error.len().min(TOLD)]);
        log::warning(&format!(
            "== CRITICAL == This {from} is sending an error to its {to}: '{error}' after processing the command '{name}'"
        ));
    }
}
