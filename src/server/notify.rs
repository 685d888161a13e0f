//! Keyspace notifications: what happened to which key, told to whoever subscribed.

use super::core::Core;
use crate::resp::reply::Protocol;

/// A class of events, as the letters of `notify-keyspace-events` select them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Class(pub u32);

impl Class {
    /// `K`: events are told on `__keyspace@N__:KEY`.
    pub const KEYSPACE: Class = Class(1 << 0);
    /// `E`: events are told on `__keyevent@N__:EVENT`.
    pub const KEYEVENT: Class = Class(1 << 1);
    pub const GENERIC: Class = Class(1 << 2);
    pub const STRING: Class = Class(1 << 3);
    pub const LIST: Class = Class(1 << 4);
    pub const SET: Class = Class(1 << 5);
    pub const HASH: Class = Class(1 << 6);
    pub const ZSET: Class = Class(1 << 7);
    pub const EXPIRED: Class = Class(1 << 8);
    pub const EVICTED: Class = Class(1 << 9);
    pub const STREAM: Class = Class(1 << 10);
    pub const KEY_MISS: Class = Class(1 << 11);
    pub const MODULE: Class = Class(1 << 13);
    pub const NEW: Class = Class(1 << 14);

    pub fn contains(self, other: Class) -> bool {
        self.0 & other.0 != 0
    }
}

impl Core {
    /// Tells that `event` happened to `key`, if the setting asks for its class.
    #[inline]
    pub fn notify(&mut self, class: Class, event: &str, key: &[u8], database: usize) {
        let wanted = Class(self.settings.notify_keyspace_events.bits());
        if wanted.contains(class) {
            self.tell(wanted, event, key, database);
        }
    }

    #[cold]
    fn tell(&mut self, wanted: Class, event: &str, key: &[u8], database: usize) {
        if self.pubsub.is_idle() {
            return;
        }
        if wanted.contains(Class::KEYSPACE) {
            let channel = [format!("__keyspace@{database}__:").as_bytes(), key].concat();
            self.publish(&channel, event.as_bytes());
        }
        if wanted.contains(Class::KEYEVENT) {
            let channel = format!("__keyevent@{database}__:{event}");
            self.publish(channel.as_bytes(), key);
        }
    }

    /// Sends a message to everyone who listens on `channel`; gives how many got it. O(listeners + patterns).
    pub fn publish(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let listeners: Vec<_> =
            self.pubsub.listeners(channel).map(|(pattern, to)| (pattern.map(<[u8]>::to_vec), to)).collect();
        for (pattern, to) in &listeners {
            let session = self.session(*to);
            let reply = &mut session.reply;
            reply.protocol = session.protocol;
            debug_assert!(matches!(reply.protocol, Protocol::Resp2 | Protocol::Resp3));
            match pattern {
                Some(pattern) => {
                    reply.push(4);
                    reply.bulk(b"pmessage");
                    reply.bulk(pattern);
                }
                None => {
                    reply.push(3);
                    reply.bulk(b"message");
                }
            }
            reply.bulk(channel);
            reply.bulk(message);
            self.mark_outgoing(*to);
        }
        listeners.len()
    }
}
