//! A walk over a table that can be left and taken up again.

use mlua::{Function, Lua, Table, Value};

/// Lua's own `next`.
#[derive(Clone)]
pub struct Next(Function);

impl Next {
    pub fn of(lua: &Lua) -> mlua::Result<Next> {
        lua.globals().raw_get("next").map(Next)
    }
}

/// A walk over the pairs of a table, which does not change meanwhile.
pub struct Pairs {
    table: Table,
    /// The key of the pair that was last.
    key: Value,
}

impl Pairs {
    pub fn of(table: &Table) -> Pairs {
        Pairs {
            table: table.clone(),
            key: Value::Nil,
        }
    }

    pub fn next(&mut self, next: &Next) -> mlua::Result<Option<(Value, Value)>> {
        let (key, value): (Value, Value) = next.0.call((&self.table, &self.key))?;
        if key.is_nil() {
            return Ok(None);
        }
        self.key = key.clone();
        Ok(Some((key, value)))
    }
}
