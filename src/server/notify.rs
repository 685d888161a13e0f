//! Keyspace notifications: what happened to which key, told to whoever subscribed.

use super::core::Core;

pub use crate::config::compound::KeyspaceEvents as Class;

impl Core {
    /// Tells that `event` happened to `key`, if the setting asks for its class.
    #[inline]
    pub fn notify(&mut self, class: Class, event: &str, key: &[u8], database: usize) {
        let wanted = self.settings.notify_keyspace_events;
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

    /// Sends a message to everyone who listens on a shard channel; gives how many got it. O(listeners).
    pub fn publish_in_shard(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let listeners: Vec<_> = self.pubsub.shard_listeners(channel).collect();
        for to in &listeners {
            self.push(*to, |reply| {
                reply.push(3);
                reply.bulk("smessage");
                reply.bulk(channel);
                reply.bulk(message);
            });
        }
        listeners.len()
    }

    /// Sends a message to everyone who listens on `channel`; gives how many got it. O(listeners + patterns).
    pub fn publish(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let listeners: Vec<_> = self
            .pubsub
            .listeners(channel)
            .map(|(pattern, to)| (pattern.map(<[u8]>::to_vec), to))
            .collect();
        for (pattern, to) in &listeners {
            self.push(*to, |reply| {
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
            });
        }
        listeners.len()
    }
}
