//! Signals, and how the loop ends: SHUTDOWN and a first SIGTERM save and close, a second SIGINT is obeyed at once.

use std::sync::atomic::Ordering;

use super::Reactor;
use crate::config::compound::ShutdownOptions;
use crate::server::core::Core;
use crate::server::shutdown::Ending;

impl Reactor {
    #[cold]
    pub(super) fn take_signals(&mut self) {
        for signal in self.signals.pending() {
            let settings = &self.core.settings;
            match signal {
                libc::SIGCHLD => self.core.look_at_child(),
                libc::SIGINT => self.shut_down("SIGINT", settings.shutdown_on_sigint),
                libc::SIGTERM => self.shut_down("SIGTERM", settings.shutdown_on_sigterm),
                _ => {}
            }
        }
    }

    /// Begins a shutdown. While one goes on, a second interrupt is an impatient user's and ends the process.
    fn shut_down(&mut self, signal: &str, options: ShutdownOptions) {
        if self.core.shutdown.is_some() {
            if signal == "SIGINT" {
                self.insist();
            }
            return;
        }
        crate::log::warning(&format!("Received {signal} scheduling shutdown..."));
        // What a script has half done is not to be saved.
        if self.core.rounds_paused || self.core.scripts.is_running() {
            self.core.hold_shutdown(options);
        } else {
            self.shut_down_interruptibly(|core| core.begin_shutdown(options));
        }
    }

    /// Goes on with a shutdown that waited, once it need not any longer.
    pub(super) fn end_shutdown(&mut self) {
        // One that has just ended is still there.
        if !self.shutting_down && self.core.is_shutdown_due() {
            self.shut_down_interruptibly(Core::finish_shutdown);
        }
    }

    /// Saving takes long; another signal cuts it short.
    #[cold]
    fn shut_down_interruptibly(&mut self, step: impl FnOnce(&mut Core) -> Ending) {
        let insisted = self.signals.next();
        self.core.interrupt = Some(insisted.clone());
        self.shutting_down |= step(&mut self.core) == Ending::Ready;
        self.core.interrupt = None;
        if insisted.load(Ordering::Relaxed) {
            self.insist();
        }
    }

    fn insist(&mut self) {
        self.failure = Some("You insist... exiting now.".to_owned());
    }
}
