//! Rewriting the append-only file: a base made of the data as they are, in the place of the log that has led there.
//!
//! ```text
//! preparing     an empty increment is made, and the manifest that will name it is written and synced under another name
//! the switch    what is recorded goes to the old increment, the manifest gets its name, the next record will go to the new
//!               increment, and a child is forked: the data that it sees are those between both
//! writing       the child writes the base
//! taking over   the base gets its name, and a manifest is written in which it stands for everything before the new increment
//! ```
//!
//! Syncs and the removal of large files are done aside, as *errands* ([`crate::host::Errand`]), so that clients wait for
//! the switch alone, which is a rename and the fork. Whatever a crash interrupts, the manifest of that moment names files that
//! are whole: up to the switch nobody knows the new increment, and up to the end of the taking over the old base and both
//! increments say all that the new base does.

use std::io;
use std::path::{Path, PathBuf};

use super::{FAILURES_BEFORE_DELAY, FIRST_DELAY, Form, LONGEST_DELAY, State, TEMPORARY, write_base};
use crate::config::choice::AppendFsync;
use crate::format::reason;
use crate::host::{Exit, Host, News, Output, Progress, Remarks};
use crate::log;
use crate::persistence::aof::Manifest;
use crate::server::core::{Core, Effect};
use crate::server::session::SessionIndex;
use crate::server::snapshots;
use crate::server::stopwatch::Stopwatch;
use crate::timer::Millis;

/// A rewrite that goes on.
pub struct Rewriting {
    pub started: Millis,
    pub progress: Progress,
    stage: Stage,
}

enum Stage {
    Preparing(Prepared),
    Writing(Writing),
    TakingOver(Taking),
}

/// The increment that changes will go to from the switch on, and the manifest that names it.
struct Prepared {
    path: PathBuf,
    file: Box<dyn Output>,
    manifest: Manifest,
}

/// What a child is at.
#[derive(Clone, Copy)]
struct Writing {
    child: u32,
    /// The replication offset of the data that it sees.
    offset: u64,
    /// The first increment that will stay.
    first_increment: u64,
    /// Whether the base is a snapshot or requests.
    as_snapshot: bool,
}

/// What the log will be when the base is taken over.
struct Taking {
    manifest: Manifest,
    base: PathBuf,
    /// Where the child has written the base.
    temporary: PathBuf,
    /// The replication offset of the data in it.
    offset: u64,
    /// What the increment is called that had no name before the log had a base.
    named: Option<PathBuf>,
}

impl Rewriting {
    /// Whether the disk is at work for it aside, so that somebody must ask when that is done.
    fn has_errand(&self) -> bool {
        matches!(self.stage, Stage::Preparing(_) | Stage::TakingOver(_))
    }
}

impl Core {
    pub(super) fn rewrite_when_due(&mut self) {
        if self.has_child() || self.loading.is_some() {
            return;
        }
        let log = &self.append_only;
        if log.is_scheduled || log.state == State::Waiting {
            if log.is_scheduled || !self.is_held_back() {
                self.append_only.is_scheduled = false;
                // A failure is logged and counted.
                let _ = self.rewrite_log();
            }
            return;
        }
        let (percentage, least) = (
            self.settings.auto_aof_rewrite_percentage as u64,
            self.settings.auto_aof_rewrite_min_size as u64,
        );
        let base = log.base_size.max(1);
        let growth = (log.size * 100 / base).saturating_sub(100);
        if percentage > 0 && log.size > least && growth >= percentage && !self.is_held_back() {
            log::notice(&format!("Starting automatic rewriting of AOF on {growth}% growth"));
            // A failure is logged and counted.
            let _ = self.rewrite_log();
        }
    }

    /// Whether a rewrite that would begin by itself must not, since too many have failed one after the other. The first
    /// one to be held back starts the delay, so that failures of rewrites that were asked for cost nothing.
    fn is_held_back(&mut self) -> bool {
        let now = self.moment.now;
        let log = &mut self.append_only;
        if log.failures < FAILURES_BEFORE_DELAY {
            (log.held_back_until, log.delay) = (None, 0);
            return false;
        }
        if let Some(until) = log.held_back_until {
            if now >= until {
                log.held_back_until = None;
            }
            return now < until;
        }
        log.delay = (2 * log.delay).clamp(FIRST_DELAY, LONGEST_DELAY);
        log.held_back_until = Some(now.saturating_add(log.delay));
        log::warning(&format!(
            "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in {} minutes",
            log.delay / 60_000
        ));
        true
    }

    /// Begins to rewrite the log.
    ///
    /// # Errors
    /// What the disk says, or the system when it cannot fork; logged. What goes wrong aside is logged only.
    pub fn rewrite_log(&mut self) -> io::Result<()> {
        let begun = self.try_rewrite();
        if let Err(error) = &begun {
            self.rewrite_not_begun(error);
        }
        begun
    }

    fn rewrite_not_begun(&mut self, error: &io::Error) {
        log::warning(&format!(
            "Can't rewrite append only file in background: {}",
            reason(error)
        ));
        self.drop_waiting_file();
        self.rewrite_failed();
    }

    pub(super) fn try_rewrite(&mut self) -> io::Result<()> {
        self.host.create_directory(self.settings.appenddirname.as_path())?;
        match self.append_only.state {
            State::On => return self.prepare_rewrite(),
            State::Waiting => {
                self.write_out()?;
                let path = self.log_path(&self.waiting_name());
                let file = self.make_increment(&path, WHEN)?;
                self.enter_increment(path, file);
                self.start_recording();
            }
            State::Off => self.know_old_log(),
        }
        self.start_writing()
    }

    /// Writes all that is recorded to the increment that it belongs to.
    fn write_out(&mut self) -> io::Result<()> {
        self.gather_records();
        self.write_pending()?;
        if self.settings.appendfsync == AppendFsync::Always
            && let Err(reason) = self.sync_log()
        {
            self.effects.push(Effect::Abort(reason.clone()));
            return Err(io::Error::other(reason));
        }
        Ok(())
    }

    fn temporary_manifest(&self) -> PathBuf {
        self.log_path(&format!("{TEMPORARY}{}", self.manifest_name()))
    }

    // Preparing.

    fn prepare_rewrite(&mut self) -> io::Result<()> {
        let increment = self.next_increment();
        let path = self.log_path(&increment.name);
        let file = self.make_increment(&path, WHEN)?;
        let mut manifest = self.append_only.manifest.clone();
        manifest.increments.push(increment);
        let (temporary, text) = (self.temporary_manifest(), manifest.format());
        let begun = self.host.begin_errand(Box::new(move |host| {
            write_synced(host, &temporary, &text)?;
            Ok(Remarks::new())
        }));
        if let Err(error) = begun {
            // Nobody has written to it.
            let _ = self.host.remove(&path);
            return Err(error);
        }
        self.set_stage(Stage::Preparing(Prepared { path, file, manifest }));
        // Where it took no time, whoever has asked hears what went wrong.
        match self.host.errand_outcome() {
            Some(outcome) => self.prepared(outcome),
            None => Ok(()),
        }
    }

    fn prepared(&mut self, outcome: io::Result<Remarks>) -> io::Result<()> {
        match self.append_only.rewriting.take() {
            Some(Rewriting {
                stage: Stage::Preparing(prepared),
                ..
            }) => {
                self.switch_to(prepared, outcome.map(drop))?;
                self.start_writing()
            }
            other => {
                self.append_only.rewriting = other;
                Ok(())
            }
        }
    }

    fn set_stage(&mut self, stage: Stage) {
        let (started, progress) = match &self.append_only.rewriting {
            Some(rewriting) => (rewriting.started, rewriting.progress),
            None => (self.moment.now, Progress::default()),
        };
        self.append_only.rewriting = Some(Rewriting {
            started,
            progress,
            stage,
        });
    }

    /// Whether a base that is begun now would have half of a transaction or of a script.
    fn is_amid_changes(&self) -> bool {
        self.in_transaction || self.scripts.is_running()
    }

    /// Whether something of a rewrite is done aside.
    pub(super) fn has_errand(&self) -> bool {
        self.append_only.rewriting.as_ref().is_some_and(Rewriting::has_errand)
    }

    /// Goes on with a rewrite once what was done aside is done.
    pub(super) fn hear_of_errand(&mut self) {
        let Some(rewriting) = &self.append_only.rewriting else {
            return;
        };
        let may_go_on = match rewriting.stage {
            Stage::Preparing(_) => !self.is_amid_changes(),
            Stage::Writing(_) => false,
            Stage::TakingOver(_) => true,
        };
        if may_go_on && let Some(outcome) = self.host.errand_outcome() {
            self.errand_ended(outcome);
        }
    }

    fn errand_ended(&mut self, outcome: io::Result<Remarks>) {
        match self.append_only.rewriting.take() {
            Some(Rewriting {
                stage: Stage::TakingOver(taking),
                ..
            }) => self.taken_over(outcome, taking),
            other => {
                self.append_only.rewriting = other;
                let begun = self.prepared(outcome);
                if let Err(error) = &begun {
                    self.rewrite_not_begun(error);
                }
                self.tell_asker(begun);
            }
        }
    }

    /// Lets what is done aside come to its end, for somebody who is to change what it is about. A rewrite that is still
    /// being prepared is put off if it cannot begin now.
    pub(in crate::server) fn finish_errand(&mut self) {
        if !self.has_errand() {
            return;
        }
        let is_taking_over = matches!(
            self.append_only.rewriting,
            Some(Rewriting {
                stage: Stage::TakingOver(_),
                ..
            })
        );
        if !is_taking_over && self.is_amid_changes() {
            self.drop_prepared();
            self.append_only.is_scheduled = true;
            return;
        }
        if let Some(outcome) = self.host.await_errand() {
            self.errand_ended(outcome);
        }
    }

    /// Notes that this client has asked for the rewrite that is being prepared: its command is run again once that has begun, or
    /// cannot. False if it has begun already.
    pub fn let_asker_wait(&mut self, index: SessionIndex) -> bool {
        let is_prepared = self.has_errand();
        if is_prepared {
            self.append_only.asker = Some((index, self.session(index).id));
        }
        is_prepared
    }

    /// Answers who has asked for the rewrite, if somebody has and is still there.
    fn tell_asker(&mut self, begun: io::Result<()>) {
        let asker = self.append_only.asker.take();
        if let Some(index) = asker.and_then(|asker| self.still_there(asker)) {
            self.append_only.begun = Some(begun);
            self.run_again(index);
            self.append_only.begun = None;
        }
    }

    /// Takes back what was prepared.
    fn drop_prepared(&mut self) {
        // However it has ended, it was in vain.
        let _ = self.host.await_errand();
        if let Some(Rewriting {
            stage: Stage::Preparing(prepared),
            ..
        }) = self.append_only.rewriting.take()
        {
            self.remove_prepared(&prepared);
        }
        self.tell_asker(Err(io::ErrorKind::Interrupted.into()));
    }

    /// Nobody knows these files.
    fn remove_prepared(&mut self, prepared: &Prepared) {
        let _ = self.host.remove(&prepared.path);
        let temporary = self.temporary_manifest();
        let _ = self.host.remove(&temporary);
    }

    // The switch.

    /// Goes over to the prepared increment, if it could be `prepared` and what is recorded for the old one is written.
    fn switch_to(&mut self, next: Prepared, prepared: io::Result<()>) -> io::Result<()> {
        let (temporary, path) = (self.temporary_manifest(), self.log_path(&self.manifest_name()));
        let switched = prepared
            .and_then(|()| self.write_out())
            .and_then(|()| self.host.rename_soon(&temporary, &path));
        if let Err(error) = switched {
            self.remove_prepared(&next);
            return Err(error);
        }
        self.append_only.manifest = next.manifest;
        self.enter_increment(next.path, next.file);
        Ok(())
    }

    fn start_writing(&mut self) -> io::Result<()> {
        let form = self.base_form();
        let started = Stopwatch::read();
        let facts = snapshots::facts(
            &self.settings,
            &self.moment,
            self.functions.as_deref(),
            &self.keyspace,
            true,
        );
        let keyspace = &self.keyspace;
        self.host.fork(&mut |host, tell| {
            let path = rewrite_temporary(host.process_id());
            write_base(host, &path, keyspace, &facts, form, tell)
        })?;
        self.count_fork(started);
        let child = self.host.child().unwrap_or_default();
        log::notice(&format!("Background append only file rewriting started by pid {child}"));
        self.set_stage(Stage::Writing(Writing {
            child,
            offset: self.propagation.offset,
            first_increment: self.append_only.manifest.increment_sequence(),
            as_snapshot: matches!(form, Form::Snapshot),
        }));
        Ok(())
    }

    // Writing.

    /// Hears what the child has to tell, if there is one.
    pub(in crate::server) fn hear_of_rewriter(&mut self, news: News) {
        let Some(rewriting) = &mut self.append_only.rewriting else {
            return;
        };
        rewriting.progress = news.progress.unwrap_or(rewriting.progress);
        if let (Some(exit), Stage::Writing(writing)) = (news.exit, &rewriting.stage) {
            let (writing, progress, started) = (*writing, rewriting.progress, rewriting.started);
            self.append_only.last_copied = progress.copied;
            self.append_only.last_duration = Some(self.moment.now.since(started));
            self.rewriter_ended(exit, writing);
        }
    }

    fn rewriter_ended(&mut self, exit: Exit, writing: Writing) {
        match exit {
            Exit::Done => {
                log::notice("Background AOF rewrite terminated with success");
                return self.take_over(writing);
            }
            Exit::Failed => log::warning("Background AOF rewrite terminated with error"),
            Exit::Stopped => log::warning("Background AOF rewrite terminated by us"),
            Exit::Killed(signal) => log::warning(&format!("Background AOF rewrite terminated by signal {signal}")),
        }
        self.append_only.rewriting = None;
        // It may be gone already.
        let _ = self.host.remove(&rewrite_temporary(writing.child));
        self.drop_waiting_file();
        if exit != Exit::Stopped {
            self.rewrite_failed();
        }
    }

    /// Ends a rewrite, whose work would be in vain; one whose base is being taken over has done it.
    pub fn stop_rewrite(&mut self) {
        match self.append_only.rewriting.as_ref().map(|rewriting| &rewriting.stage) {
            None => {}
            Some(Stage::Preparing(_)) => self.drop_prepared(),
            Some(Stage::Writing(_)) => {
                let child = self.host.child().unwrap_or_default();
                log::notice(&format!("Killing running AOF rewrite child: {child}"));
                self.host.kill_child();
            }
            Some(Stage::TakingOver(_)) => self.finish_errand(),
        }
    }

    // Taking over.

    fn take_over(&mut self, writing: Writing) {
        let base = self.base_file(writing.as_snapshot);
        let log = &self.append_only;
        let base_path = self.log_path(&base.name);
        let mut named = None;
        let whole = match log.state {
            // No increment belongs to it: the log is off.
            State::Off => log.manifest.rewritten(base, u64::MAX),
            State::Waiting => {
                let increment = self.next_increment();
                named = Some(self.log_path(&increment.name));
                let mut manifest = log.manifest.rewritten(base, u64::MAX);
                manifest.increments.push(increment);
                manifest
            }
            State::On => log.manifest.rewritten(base, writing.first_increment),
        };
        let mut manifest = whole.clone();
        let history = match self.settings.aof_disable_auto_gc {
            true => Vec::new(),
            false => std::mem::take(&mut manifest.history),
        };
        for file in &history {
            log::notice(&format!("Removing the history file {}", file.name));
        }
        let takeover = Takeover {
            temporary: rewrite_temporary(writing.child),
            base: base_path.clone(),
            renamed: named.clone().map(|named| (log.path.clone(), named)),
            history: history.iter().map(|file| self.log_path(&file.name)).collect(),
            manifest: self.log_path(&self.manifest_name()),
            temporary_manifest: self.temporary_manifest(),
            with_history: whole.format(),
            without: manifest.format(),
        };
        let is_waited_for = log.state != State::On;
        let taking = Taking {
            manifest,
            base: base_path,
            temporary: takeover.temporary.clone(),
            named,
            offset: writing.offset,
        };
        if let Err(error) = self.host.begin_errand(Box::new(move |host| takeover.run(host))) {
            return self.taken_over(Err(error), taking);
        }
        self.set_stage(Stage::TakingOver(taking));
        // The log begins here, or is none: nobody may come between.
        match is_waited_for {
            true => self.finish_errand(),
            false => self.hear_of_errand(),
        }
    }

    fn taken_over(&mut self, outcome: io::Result<Remarks>, taking: Taking) {
        self.append_only.rewriting = None;
        let outcome = outcome.and_then(|remarks| Ok((remarks, self.host.open(&taking.base)?.len)));
        let (remarks, size) = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                log::warning(&format!("Error taking over the rewritten AOF: {}", reason(&error)));
                // It may be gone already.
                let _ = self.host.remove(&taking.temporary);
                self.drop_waiting_file();
                return self.rewrite_failed();
            }
        };
        remarks.iter().for_each(|remark| log::warning(remark));
        let log = &mut self.append_only;
        log.manifest = taking.manifest;
        if let Some(path) = taking.named {
            log.path = path;
            self.begin_with_base(taking.offset);
        }
        let log = &mut self.append_only;
        let increments = log.manifest.increments.len();
        // One increment is the rule; of older ones that stayed the size is not known apart.
        let appended = if increments == 1 { log.file_size } else { 0 };
        (log.size, log.base_size) = (size + appended, size);
        (log.is_rewrite_ok, log.failures) = (true, 0);
        log.rewrites += 1;
        log::notice("Background AOF rewrite finished successfully");
        // If the setting has changed meanwhile.
        self.remove_history();
    }

    pub(super) fn rewrite_failed(&mut self) {
        let log = &mut self.append_only;
        log.is_rewrite_ok = false;
        log.failures += 1;
    }
}

const WHEN: &str = "on background rewrite";

/// What is done with the files when a base is taken over.
struct Takeover {
    temporary: PathBuf,
    base: PathBuf,
    /// The increment that gets its name now, and that name.
    renamed: Option<(PathBuf, PathBuf)>,
    history: Vec<PathBuf>,
    manifest: PathBuf,
    temporary_manifest: PathBuf,
    /// Texts of the manifest as long as the history is there, and when it is not.
    with_history: Vec<u8>,
    without: Vec<u8>,
}

impl Takeover {
    fn run(&self, host: &mut dyn Host) -> io::Result<Remarks> {
        host.rename(&self.temporary, &self.base)?;
        if let Err(error) = self.name(host) {
            // No manifest names them.
            let _ = host.remove(&self.base);
            if let Some((_, named)) = &self.renamed {
                let _ = host.remove(named);
            }
            return Err(error);
        }
        if self.history.is_empty() {
            return Ok(Remarks::new());
        }
        for path in &self.history {
            // One that cannot be removed stays; no manifest names it.
            let _ = host.remove(path);
        }
        Ok(match self.write_manifest(host, &self.without) {
            Ok(()) => Remarks::new(),
            // The one that is there names files that are gone, and reads as well.
            Err(error) => vec![format!("Fail to write the AOF manifest file: {}", reason(&error))],
        })
    }

    fn name(&self, host: &mut dyn Host) -> io::Result<()> {
        if let Some((from, to)) = &self.renamed {
            host.rename(from, to)?;
        }
        self.write_manifest(host, &self.with_history)
    }

    fn write_manifest(&self, host: &mut dyn Host, text: &[u8]) -> io::Result<()> {
        write_synced(host, &self.temporary_manifest, text)?;
        host.rename(&self.temporary_manifest, &self.manifest)
    }
}

/// Writes a file to the last byte on the disk.
pub(super) fn write_synced(host: &mut dyn Host, path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = host.create(path)?;
    file.write_all(text)?;
    file.sync()
}

/// The temporary name of a base that a child writes.
fn rewrite_temporary(process: u32) -> PathBuf {
    format!("temp-rewriteaof-bg-{process}.aof").into()
}
