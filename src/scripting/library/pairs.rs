//! Walks over a table, also such as can be left and taken up again.

use mlua::table::TablePairs;
use mlua::{Table, Value};
use self_cell::self_cell;

/// The keys of a table alone. Values are asked for as booleans, which any value is to Lua, since those need no reference.
pub fn keys(table: &Table) -> impl Iterator<Item = mlua::Result<Value>> {
    table.pairs::<Value, bool>().map(|pair| pair.map(|(key, _)| key))
}

type Walk<'a> = TablePairs<'a, Value, Value>;

self_cell!(
    /// A table and a walk over its pairs, during which it does not change.
    pub struct Pairs {
        owner: Table,
        #[not_covariant]
        dependent: Walk,
    }
);

impl Pairs {
    pub fn of(table: &Table) -> Pairs {
        Pairs::new(table.clone(), |table| table.pairs())
    }

    pub fn next(&mut self) -> mlua::Result<Option<(Value, Value)>> {
        self.with_dependent_mut(|_, walk| walk.next().transpose())
    }
}
