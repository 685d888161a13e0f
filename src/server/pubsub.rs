//! Channels and patterns, and who listens.
//!
//! A subscription is known twice: the server looks from a channel to its listeners when a message comes, a session
//! looks at its own names to count and to leave them. Both are changed only here, together.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::core::Core;
use super::session::SessionIndex;
use crate::format::glob;
use crate::resp::reply::Reply;

type Listeners = HashSet<SessionIndex>;

/// What a subscription names: one channel, or every channel that matches a glob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    Channel,
    Pattern,
    /// A channel of one shard. A server by itself is one shard, whose channels live apart from the others.
    ShardChannel,
}

#[derive(Default)]
pub struct PubSub {
    channels: HashMap<Box<[u8]>, Listeners>,
    patterns: BTreeMap<Box<[u8]>, Listeners>,
    shard_channels: HashMap<Box<[u8]>, Listeners>,
}

impl PubSub {
    fn add(&mut self, topic: Topic, name: &[u8], session: SessionIndex) {
        let listeners = match topic {
            Topic::Channel => self.channels.entry(name.into()).or_default(),
            Topic::Pattern => self.patterns.entry(name.into()).or_default(),
            Topic::ShardChannel => self.shard_channels.entry(name.into()).or_default(),
        };
        listeners.insert(session);
    }

    fn remove(&mut self, topic: Topic, name: &[u8], session: SessionIndex) {
        let listeners = match topic {
            Topic::Channel => self.channels.get_mut(name),
            Topic::Pattern => self.patterns.get_mut(name),
            Topic::ShardChannel => self.shard_channels.get_mut(name),
        };
        let Some(listeners) = listeners else { return };
        listeners.remove(&session);
        if !listeners.is_empty() {
            return;
        }
        match topic {
            Topic::Channel => self.channels.remove(name),
            Topic::Pattern => self.patterns.remove(name),
            Topic::ShardChannel => self.shard_channels.remove(name),
        };
    }

    /// Everyone who hears a message on `channel`, with the pattern it came by.
    pub fn listeners<'a>(&'a self, channel: &'a [u8]) -> impl Iterator<Item = (Option<&'a [u8]>, SessionIndex)> + 'a {
        let direct = self
            .channels
            .get(channel)
            .into_iter()
            .flatten()
            .map(|session| (None, *session));
        let by_pattern = self
            .patterns
            .iter()
            .filter(move |(pattern, _)| glob::matches(pattern, channel, false))
            .flat_map(|(pattern, listeners)| listeners.iter().map(move |session| (Some(&**pattern), *session)));
        direct.chain(by_pattern)
    }

    /// Everyone who hears a message on a shard channel.
    pub fn shard_listeners(&self, channel: &[u8]) -> impl Iterator<Item = SessionIndex> + '_ {
        self.shard_channels.get(channel).into_iter().flatten().copied()
    }

    /// Whether nobody listens to anything that keyspace events could be told on.
    pub fn is_idle(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty()
    }

    /// The channels, of either kind or the patterns, that somebody listens to.
    pub fn names(&self, topic: Topic) -> Vec<&[u8]> {
        match topic {
            Topic::Channel => self.channels.keys().map(|name| &**name).collect(),
            Topic::Pattern => self.patterns.keys().map(|name| &**name).collect(),
            Topic::ShardChannel => self.shard_channels.keys().map(|name| &**name).collect(),
        }
    }

    /// How many there are of these.
    pub fn count(&self, topic: Topic) -> usize {
        match topic {
            Topic::Channel => self.channels.len(),
            Topic::Pattern => self.patterns.len(),
            Topic::ShardChannel => self.shard_channels.len(),
        }
    }

    /// Clients subscribed to exactly this.
    pub fn subscribers(&self, topic: Topic, name: &[u8]) -> usize {
        let listeners = match topic {
            Topic::Channel => self.channels.get(name),
            Topic::Pattern => self.patterns.get(name),
            Topic::ShardChannel => self.shard_channels.get(name),
        };
        listeners.map_or(0, HashSet::len)
    }
}

impl Core {
    /// Subscribes a session to `name`; once is enough.
    pub fn subscribe(&mut self, index: SessionIndex, topic: Topic, name: &[u8]) {
        let Some(session) = self.find_session(index) else {
            return;
        };
        let subscriptions = session.subscriptions.get_or_insert_default();
        if subscriptions.of_mut(topic).insert(name.into()) {
            subscriptions.name_bytes += name.len();
            self.pubsub.add(topic, name, index);
        }
    }

    /// Ends one subscription of a session, if there is such.
    pub fn unsubscribe(&mut self, index: SessionIndex, topic: Topic, name: &[u8]) {
        let Some(session) = self.find_session(index) else {
            return;
        };
        let Some(subscriptions) = &mut session.subscriptions else {
            return;
        };
        if !subscriptions.of_mut(topic).remove(name) {
            return;
        }
        subscriptions.name_bytes -= name.len();
        if subscriptions.is_empty() {
            session.subscriptions = None;
        }
        self.pubsub.remove(topic, name, index);
    }

    /// Ends all subscriptions of a session, unheard. O(subscriptions).
    pub fn unsubscribe_all(&mut self, index: SessionIndex) {
        let taken = self
            .find_session(index)
            .and_then(|session| session.subscriptions.take());
        let Some(subscriptions) = taken else { return };
        for topic in [Topic::Channel, Topic::Pattern, Topic::ShardChannel] {
            for name in subscriptions.of(topic) {
                self.pubsub.remove(topic, name, index);
            }
        }
    }

    /// Writes to a session what is not the reply to a command: to its own command's client too, behind the reply, and
    /// whether or not that client wants replies.
    pub fn push(&mut self, to: SessionIndex, write: impl FnOnce(&mut Reply)) {
        let Some(session) = self.find_session(to) else { return };
        session.reply.protocol = session.protocol;
        write(&mut session.reply);
        let much = session.reply.bytes.len() >= super::session::REPLY_BLOCK;
        self.pushes += 1;
        self.mark_outgoing(to);
        if much {
            self.check_output_limit(to);
        }
    }
}

impl Core {
    /// Puts what a command pushed to its own client behind that command's reply.
    pub fn take_pushed(&mut self, index: SessionIndex, reply: &mut Reply) {
        reply.bytes.append(&mut self.session(index).reply.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::timer::Millis;

    fn core(sessions: usize) -> Core {
        let mut core = Core::new(
            Settings::default(),
            Millis(1),
            Box::new(crate::host::memory::MemoryHost::default()),
        );
        for index in 0..sessions {
            core.open(SessionIndex(index));
        }
        core
    }

    #[test]
    fn session_and_server_agree_about_subscriptions() {
        let (mut core, a, b) = (core(2), SessionIndex(0), SessionIndex(1));
        for _ in 0..2 {
            core.subscribe(a, Topic::Channel, b"news");
        }
        core.subscribe(b, Topic::Channel, b"news");
        core.subscribe(a, Topic::Pattern, b"n*");
        assert_eq!(
            (
                core.session(a).subscription_count(Topic::Channel),
                core.session(b).subscription_count(Topic::Channel)
            ),
            (2, 1)
        );
        assert_eq!(
            (
                core.pubsub.subscribers(Topic::Channel, b"news"),
                core.pubsub.count(Topic::Pattern)
            ),
            (2, 1)
        );
        core.unsubscribe(b, Topic::Channel, b"other");
        core.unsubscribe(b, Topic::Channel, b"news");
        core.unsubscribe(b, Topic::Channel, b"news");
        assert!(core.session(b).subscriptions.is_none());
        assert_eq!(core.pubsub.subscribers(Topic::Channel, b"news"), 1);
        core.unsubscribe_all(a);
        assert!(core.pubsub.is_idle() && !core.session(a).is_subscriber());
    }

    #[test]
    fn a_closed_session_hears_nothing_more() {
        let (mut core, a) = (core(1), SessionIndex(0));
        core.subscribe(a, Topic::Channel, b"news");
        assert_eq!(core.publish(b"news", b"one"), 1);
        core.ask_close(a, true);
        assert_eq!(core.publish(b"news", b"two"), 0);
        core.close(a);
        assert!(core.pubsub.is_idle());
    }
}
