//! Channels and patterns, and who listens.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::session::SessionIndex;
use crate::format::glob;

type Listeners = HashSet<SessionIndex>;

#[derive(Default)]
pub struct PubSub {
    channels: HashMap<Box<[u8]>, Listeners>,
    patterns: BTreeMap<Box<[u8]>, Listeners>,
}

impl PubSub {
    pub fn subscribe(&mut self, channel: &[u8], session: SessionIndex) {
        self.channels.entry(channel.into()).or_default().insert(session);
    }

    pub fn unsubscribe(&mut self, channel: &[u8], session: SessionIndex) {
        let Some(listeners) = self.channels.get_mut(channel) else { return };
        listeners.remove(&session);
        if listeners.is_empty() {
            self.channels.remove(channel);
        }
    }

    pub fn subscribe_pattern(&mut self, pattern: &[u8], session: SessionIndex) {
        self.patterns.entry(pattern.into()).or_default().insert(session);
    }

    pub fn unsubscribe_pattern(&mut self, pattern: &[u8], session: SessionIndex) {
        let Some(listeners) = self.patterns.get_mut(pattern) else { return };
        listeners.remove(&session);
        if listeners.is_empty() {
            self.patterns.remove(pattern);
        }
    }

    /// Everyone who hears a message on `channel`, with the pattern it came by.
    pub fn listeners<'a>(
        &'a self,
        channel: &'a [u8],
    ) -> impl Iterator<Item = (Option<&'a [u8]>, SessionIndex)> + 'a {
        let direct = self.channels.get(channel).into_iter().flatten().map(|session| (None, *session));
        let by_pattern = self
            .patterns
            .iter()
            .filter(move |(pattern, _)| glob::matches(pattern, channel, false))
            .flat_map(|(pattern, listeners)| listeners.iter().map(move |session| (Some(&**pattern), *session)));
        direct.chain(by_pattern)
    }

    pub fn is_idle(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty()
    }

    pub fn channel_names(&self) -> impl Iterator<Item = &[u8]> {
        self.channels.keys().map(|name| &**name)
    }

    pub fn channel_count(&self) -> usize {
        self.channels.len()
    }

    pub fn pattern_count(&self) -> usize {
        self.patterns.len()
    }

    /// Clients subscribed to `channel` itself.
    pub fn subscribers(&self, channel: &[u8]) -> usize {
        self.channels.get(channel).map_or(0, HashSet::len)
    }
}
