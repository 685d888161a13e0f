//! Vector sets, which have one form.

use super::{View, ViewMut};
use crate::config::Settings;
use crate::keyspace::ValueRef;
use crate::keyspace::database::{EntryMut, Times};
use crate::types::vector_set::VectorSet;

impl<'a> View<'a> for &'a VectorSet {
    fn of(value: ValueRef<'a>) -> Option<Self> {
        match value {
            ValueRef::VectorSet(set) => Some(set),
            _ => None,
        }
    }
}

impl<'a> ViewMut<'a> for &'a mut VectorSet {
    type Limits = ();

    fn limits(_: &Settings) {}

    fn of(entry: EntryMut<'a>, (): (), _: Times) -> Option<Self> {
        entry.into_boxed()
    }
}
