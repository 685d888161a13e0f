//! The world of a script: Lua's own libraries without what reaches outside, `redis`, and nothing that it could change for
//! the next one. The rules are written in Lua, see `prelude.lua`.

use std::rc::Rc;

use mlua::{Function, Lua, LuaOptions, MultiValue, StdLib, Table, Value};

use super::engine::Exchange;
use super::errors::{argument_error, is_final, located, plain, text_error};
use super::{Kind, api, library};

const PRELUDE: &str = include_str!("prelude.lua");

/// An interpreter that is ready for scripts.
pub(super) struct Sandbox {
    pub lua: Lua,
    /// The globals as they are behind what scripts see of them.
    pub globals: Table,
    /// Lua's `xpcall`, the handler of errors that goes with it, and what makes a function of one with arguments. No Lua
    /// code stands around a script: one that is killed would be killed once more there.
    pub xpcall: Function,
    pub handler: Function,
    pub bound: Function,
    /// Makes of a table one like it that cannot be changed.
    pub close: Function,
}

impl Sandbox {
    pub fn new(kind: Kind, has_deprecated: bool, exchange: &Rc<Exchange>) -> mlua::Result<Self> {
        let lua = Lua::new_with(
            StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS,
            LuaOptions::default(),
        )?;
        let globals = lua.globals();
        api::install(&lua, &globals, kind, exchange)?;
        install_random(&lua, &globals, exchange)?;
        library::install(&lua, &globals)?;
        let (plain, handler) = (lua.create_function(seen)?, lua.create_function(located)?);
        let prelude = lua.load(PRELUDE).set_name("=prelude").into_function()?;
        let (environment, xpcall, bound, close) =
            prelude.call::<(Table, Function, Function, Function)>((&globals, plain, has_deprecated))?;
        lua.set_globals(environment)?;
        Ok(Sandbox {
            lua,
            globals,
            xpcall,
            handler,
            bound,
            close,
        })
    }
}

/// What an error is to scripts, and whether it is the end of one.
fn seen(lua: &Lua, caught: Value) -> mlua::Result<(Value, bool)> {
    let is_final = is_final(&caught);
    Ok((plain(lua, caught)?, is_final))
}

/// Puts a generator into `math` whose numbers are the same everywhere.
fn install_random(lua: &Lua, globals: &Table, exchange: &Rc<Exchange>) -> mlua::Result<()> {
    let math: Table = globals.get("math")?;
    let shared = Rc::clone(exchange);
    let random = lua.create_function(move |lua, args: MultiValue| {
        if !shared.is_running() {
            return Err(text_error(
                lua,
                "math.random can only be called inside a script invocation",
            ));
        }
        let fraction = shared.random.fraction();
        let bound = |position: usize| int_argument(lua, &args, position, "random");
        let empty = |position: usize| argument_error(lua, position, "random", "interval is empty");
        let (low, high) = match args.len() {
            0 => return Ok(fraction),
            1 => (1, bound(1)?),
            2 => (bound(1)?, bound(2)?),
            _ => return Err(text_error(lua, "wrong number of arguments")),
        };
        if low > high {
            return Err(empty(args.len()));
        }
        Ok((fraction * f64::from(high.wrapping_sub(low).wrapping_add(1))).floor() + f64::from(low))
    })?;
    math.raw_set("random", random)?;
    let shared = Rc::clone(exchange);
    let seed = lua.create_function(move |lua, args: MultiValue| {
        if !shared.is_running() {
            return Err(text_error(
                lua,
                "math.randomseed can only be called inside a script invocation",
            ));
        }
        shared.random.seed(int_argument(lua, &args, 1, "randomseed")?);
        Ok(())
    })?;
    math.raw_set("randomseed", seed)
}

/// An argument that has to be a number, as C makes an `int` of it.
fn int_argument(lua: &Lua, args: &MultiValue, position: usize, function: &str) -> mlua::Result<i32> {
    let value = args.get(position - 1);
    match value.and_then(|value| lua.coerce_number(value.clone()).ok().flatten()) {
        Some(number) => Ok(number as i64 as i32),
        None => {
            let given = value.map_or("no value", Value::type_name);
            let why = format!("number expected, got {given}");
            Err(argument_error(lua, position, function, &why))
        }
    }
}
