//! What users may do, where requests meet it: refusals and who hears of them, logins, and clients whose user has changed.
//!
//! The lists themselves are [`crate::acl`]'s. Sessions without a user, those of this server's own, may do everything: what the
//! primary or the append-only file says has been allowed before.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::client_line::client_line;
use super::core::Core;
use super::pubsub::Topic;
use super::session::{Session, SessionIndex};
use crate::acl::file::{self, UserLine};
use crate::acl::log::{Place, Reason, Refusal};
use crate::acl::selector::Denied;
use crate::acl::{DEFAULT_NAME, User, UserId};
use crate::commands::table::CommandSpec;
use crate::config::choice::AclPubsubDefault;
use crate::format::reason;
use crate::log;
use crate::resp::request::Args;

const TWO_SOURCES: &str = "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. This setup is very likely to lead to configuration errors and security holes, please define either an ACL file or declare users directly in your redis.conf, but not both.";

impl Core {
    /// Why the session's user may not run this command, if there is a reason; it is counted and logged. `args` begin with the
    /// command's name.
    ///
    /// Without restricted users, one branch.
    #[inline]
    pub fn denied(
        &mut self,
        index: SessionIndex,
        spec: &'static CommandSpec,
        args: Args<'_>,
        place: Place,
    ) -> Option<(Denied, Vec<u8>)> {
        match self.acl.restricts() {
            true => self.check_access(index, spec, args, place),
            false => None,
        }
    }

    #[cold]
    fn check_access(
        &mut self,
        index: SessionIndex,
        spec: &'static CommandSpec,
        args: Args<'_>,
        place: Place,
    ) -> Option<(Denied, Vec<u8>)> {
        let user = self.session(index).user.clone()?;
        if self.acl.get(user.id).is_some_and(User::is_unrestricted) {
            return None;
        }
        let words = args.to_vec();
        let denied = self.acl.check(user.id, spec, &words).err()?;
        let object = denied.object(spec, &words);
        *match denied {
            Denied::Command => &mut self.stats.acl_access_denied_cmd,
            Denied::Key(_) => &mut self.stats.acl_access_denied_key,
            Denied::Channel(_) => &mut self.stats.acl_access_denied_channel,
        } += 1;
        let text = denied.text(&user.name, object, false);
        let refusal = Refusal::new(denied.into(), place, object, &user.name);
        self.log_refusal(index, refusal);
        Some((denied, text))
    }

    fn log_refusal(&mut self, index: SessionIndex, refusal: Refusal) {
        let (now, max) = (self.moment.now, self.settings.acllog_max_len as usize);
        let acting = self.scripts.acting(index);
        let line = client_line(self.session(acting), now);
        self.acl.log.add(refusal, line, now, max);
    }

    /// Whether the session's user may read every key there is by this command.
    pub fn may_read_any(&mut self, index: SessionIndex, spec: &CommandSpec, args: Args<'_>) -> bool {
        if !self.acl.restricts() {
            return true;
        }
        let Some(user) = self.session(index).user.clone() else {
            return true;
        };
        let user = self.acl.get(user.id);
        user.is_some_and(|user| user.allows_reading_any(spec, &args.to_vec()))
    }

    /// Whether the session's user has `skip-sanitize-payload`. Sessions without a user have not.
    pub fn is_spared_checks(&mut self, index: SessionIndex) -> bool {
        let user = self.session(index).user.as_ref().map(|user| user.id);
        let user = user.and_then(|id| self.acl.get(id));
        user.is_some_and(|user| !user.sanitizes_payload)
    }

    /// Lets a client be a user, if the password is right. If not, that is counted and logged; `word` is what asked for it.
    pub fn log_in(&mut self, index: SessionIndex, name: &[u8], password: &[u8], word: &[u8]) -> bool {
        if let Some(user) = self.acl.authenticate(name, password) {
            let session = self.session(index);
            session.user = Some(user);
            session.authenticated = true;
            return true;
        }
        self.stats.acl_access_denied_auth += 1;
        let place = match self.in_transaction {
            true => Place::Transaction,
            false => Place::TopLevel,
        };
        self.log_refusal(index, Refusal::new(Reason::Auth, place, word, name));
        false
    }

    /// Lets a session be the default user's, as every connection begins; whether that is enough is seen from its first request.
    pub fn log_out(&mut self, index: SessionIndex) {
        let (user, authenticated) = (self.acl.beginner(), !self.acl.asks_password());
        let session = self.session(index);
        session.user = Some(user);
        session.authenticated = authenticated;
    }

    /// Whether new users and selectors may use all channels.
    pub fn opens_channels(&self) -> bool {
        self.settings.acl_pubsub_default == AclPubsubDefault::Allchannels
    }

    /// Lets a user be as drafted, and closes those of its clients that listen to what it may not any longer.
    pub fn put_user(&mut self, user: User) {
        let id = self.acl.put(user);
        let Some(user) = self.acl.get(id) else { return };
        let deaf: Vec<SessionIndex> = self
            .sessions()
            .filter(|session| session.is_user(id) && !may_listen(session, user))
            .map(|session| session.index)
            .collect();
        self.close_sessions(&deaf);
    }

    /// Removes users and closes their clients. Says how many there were. O(names + sessions).
    pub fn remove_users<'n>(&mut self, names: impl Iterator<Item = &'n [u8]>) -> usize {
        let removed: BTreeSet<UserId> = names.filter_map(|name| self.acl.remove(name)).collect();
        if removed.is_empty() {
            return 0;
        }
        let is_orphan = |session: &&Session| session.user.as_ref().is_some_and(|user| removed.contains(&user.id));
        let orphans: Vec<SessionIndex> = self.sessions().filter(is_orphan).map(|session| session.index).collect();
        for &index in &orphans {
            // One that is still answered must not be another's who gets the number.
            if let Some(user) = &mut self.session(index).user {
                user.id = UserId::NOBODY;
            }
        }
        self.close_sessions(&orphans);
        removed.len()
    }

    /// Makes the users that the server starts with: those of the configuration, or of the ACL file.
    ///
    /// # Errors
    /// What is wrong with them, for the log.
    pub fn load_users(&mut self, lines: &[UserLine]) -> Result<(), String> {
        let file = self.settings.aclfile.to_string();
        if !lines.is_empty() && !file.is_empty() {
            return Err(TWO_SOURCES.to_owned());
        }
        if file.is_empty() {
            let all_channels = self.opens_channels();
            return self.acl.configure(lines, all_channels).map_err(|reason| {
                log::warning(&reason);
                "Critical error while loading ACLs. Exiting.".to_owned()
            });
        }
        self.load_acl_file()
            .map_err(|reason| format!("Aborting startup because of ACL errors: {reason}"))
    }

    /// Lets the users be those of the ACL file.
    ///
    /// # Errors
    /// All that is wrong with it; nothing has changed then.
    pub fn load_acl_file(&mut self) -> Result<(), String> {
        let path = self.settings.aclfile.to_string();
        let text = std::fs::read(&path)
            .map_err(|error| format!("Error loading ACLs, opening file '{path}': {}", reason(&error)))?;
        let users = file::read(&path, &text, self.opens_channels())?;
        self.replace_users(users);
        Ok(())
    }

    /// Makes these all the users there are.
    pub fn replace_users(&mut self, users: Vec<User>) {
        let names: BTreeSet<Rc<[u8]>> = users.iter().map(|user| user.name.clone()).collect();
        let is_kept = |name: &[u8]| name == DEFAULT_NAME || names.contains(name);
        let gone: Vec<Rc<[u8]>> = self
            .acl
            .iter()
            .map(|user| user.name.clone())
            .filter(|name| !is_kept(name))
            .collect();
        self.remove_users(gone.iter().map(|name| &**name));
        for user in users {
            self.acl.put(user);
        }
        let may_stay = |session: &Session| {
            let user = session.user.as_ref().and_then(|user| self.acl.get(user.id));
            user.is_none_or(|user| may_listen(session, user))
        };
        let deaf: Vec<SessionIndex> = self
            .sessions()
            .filter(|session| !may_stay(session))
            .map(|session| session.index)
            .collect();
        self.close_sessions(&deaf);
    }

    /// Closes sessions. Who asked for it is still answered, and is nobody's user afterwards.
    fn close_sessions(&mut self, indices: &[SessionIndex]) {
        for &index in indices {
            let is_caller = self.caller == Some(index);
            self.ask_close(index, !is_caller);
        }
    }
}

/// Whether a user may listen to everything that the session has subscribed to.
fn may_listen(session: &Session, user: &User) -> bool {
    let Some(subscriptions) = &session.subscriptions else {
        return true;
    };
    [Topic::Channel, Topic::Pattern, Topic::ShardChannel]
        .into_iter()
        .all(|topic| {
            let is_pattern = topic == Topic::Pattern;
            let mut names = subscriptions.of(topic).iter();
            names.all(|name| user.allows_channel(name, is_pattern))
        })
}
