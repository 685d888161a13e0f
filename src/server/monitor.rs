//! MONITOR: every command that runs, shown to whoever asked for it.

use super::command_log;
use super::core::Core;
use super::os;
use super::session::SessionIndex;
use crate::commands::table::CommandSpec;
use crate::commands::table::flags::Flag;
use crate::config::quoting::quote;
use crate::resp::request::Args;

impl Core {
    /// Lets a client see all commands from now on; false if it does already.
    pub fn start_monitoring(&mut self, index: SessionIndex) -> bool {
        if std::mem::replace(&mut self.session(index).monitor, true) {
            return false;
        }
        self.monitors.push(index);
        true
    }

    pub fn stop_monitoring(&mut self, index: SessionIndex) {
        self.monitors.retain(|monitor| *monitor != index);
        if let Some(session) = self.find_session(index) {
            session.monitor = false;
        }
    }

    /// Shows a command to those who monitor, as `+1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`. Administrators'
    /// commands are left out, and secrets in others. O(monitors × bytes).
    #[cold]
    pub fn show_to_monitors(&mut self, index: SessionIndex, database: usize, spec: &CommandSpec, args: Args<'_>) {
        if !spec.flags.contains(Flag::Admin) && !spec.flags.contains(Flag::SkipMonitor) {
            self.show_any(index, database, spec, args);
        }
    }

    /// The same for a command that calls a script, which shows itself before the script's commands do.
    #[cold]
    pub(super) fn show_script_to_monitors(
        &mut self,
        index: SessionIndex,
        database: usize,
        spec: &CommandSpec,
        args: Args<'_>,
    ) {
        self.show_any(index, database, spec, args);
    }

    fn show_any(&mut self, index: SessionIndex, database: usize, spec: &CommandSpec, args: Args<'_>) {
        let session = self.session(index);
        let peer = match session.unix_socket {
            true => format!("unix:{}", session.peer().trim_end_matches(":0")),
            false => session.peer().to_owned(),
        };
        let micros = os::unix_micros();
        let head = format!("{}.{:06} [{database} {peer}]", micros / 1_000_000, micros % 1_000_000);
        let mut line = head.into_bytes();
        for word in command_log::redacted(spec, args) {
            line.push(b' ');
            line.extend_from_slice(&quote(word));
        }
        for monitor in self.monitors.clone() {
            self.push(monitor, |reply| reply.simple(&line));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::server::testing::Server;

    #[test]
    fn a_big_value_is_shown_whole() {
        let mut server = Server::start();
        let monitor = server.connect();
        server.ask_as(monitor, "MONITOR");
        let value = "x".repeat(40_000);
        server.ask(&format!("SET k {value}"));
        let shown = server.take_reply_of(monitor);
        assert!(
            shown.contains(&format!("\"SET\" \"k\" \"{value}\"")),
            "{} bytes",
            shown.len()
        );
    }
}
