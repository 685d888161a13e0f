//! Streams, which have one form.

use super::ViewMut;
use crate::config::Settings;
use crate::keyspace::database::{EntryMut, Times};
use crate::types::stream::{NodeLimits, Stream};

impl<'a> ViewMut<'a> for &'a mut Stream {
    type Limits = ();

    fn limits(_: &Settings) {}

    fn of(entry: EntryMut<'a>, (): (), _: Times) -> Option<Self> {
        entry.into_boxed()
    }
}

/// When a node of a stream is full.
pub fn node_limits(settings: &Settings) -> NodeLimits {
    NodeLimits {
        max_bytes: settings.stream_node_max_bytes as usize,
        max_entries: settings.stream_node_max_entries as usize,
    }
}
