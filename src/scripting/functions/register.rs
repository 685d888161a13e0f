//! `redis.register_function`, which a library calls once for each of its functions while it is loaded.
//!
//! It takes a name and a function, or one table with the arguments by name: `function_name`, `callback`, `description`
//! and `flags`.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use mlua::{Function, Lua, MultiValue, Table, Value};

use super::metadata::check_name;
use crate::scripting::engine::Engine;
use crate::scripting::errors::reply_error;
use crate::scripting::shebang::Flags;

const LOADING: &str = include_str!("loading.lua");

/// What was registered, without the callback.
pub struct Registered {
    pub name: Box<[u8]>,
    pub description: Option<Box<[u8]>>,
    pub flags: Flags,
}

/// What a library has registered so far.
#[derive(Default)]
struct Batch {
    functions: Vec<Registered>,
    names: HashSet<Box<[u8]>>,
}

/// The function of scripts, and the world in which libraries find it.
pub struct Registration {
    /// Set while a library is loaded.
    registered: Rc<RefCell<Option<Batch>>>,
    /// The functions in the same order. They live in a table of Lua's: what Rust holds directly has little room.
    callbacks: Table,
    environment: Table,
    /// Where the environment leads to, by its `__index`: what a library finds, or its functions.
    leads_to: Table,
    loading: Table,
    globals: Table,
}

impl Registration {
    pub fn new(engine: &Engine) -> mlua::Result<Registration> {
        let lua = engine.lua();
        let (registered, callbacks) = (Rc::default(), lua.create_table()?);
        let (shared, table): (Rc<RefCell<Option<Batch>>>, _) = (Rc::clone(&registered), callbacks.clone());
        let register = lua.create_function(move |lua, args: MultiValue| {
            // Taken out meanwhile: looking into tables may run code that calls this again.
            let Some(mut registered) = shared.take() else {
                return Err(refused(
                    "redis.register_function can only be called on FUNCTION LOAD command",
                ));
            };
            let done = register(lua, &mut registered, &table, &args);
            shared.replace(Some(registered));
            done
        })?;
        let globals = engine.globals().clone();
        let chunk = lua.load(LOADING).set_name("=prelude");
        let (environment, leads_to, loading) = chunk.call((&globals, register, engine.close()))?;
        Ok(Registration {
            registered,
            callbacks,
            environment,
            leads_to,
            loading,
            globals,
        })
    }

    /// Compiles a library, without its first line.
    ///
    /// # Errors
    /// What Lua says is wrong with it.
    pub fn compile(&self, engine: &Engine, code: &[u8]) -> Result<Function, String> {
        let chunk = engine
            .lua()
            .load(code)
            .set_name("@user_function")
            .set_environment(self.environment.clone());
        chunk
            .set_mode(mlua::chunk::ChunkMode::Text)
            .into_function()
            .map_err(|error| match error {
                mlua::Error::SyntaxError { message, .. } => message,
                other => other.to_string(),
            })
    }

    /// From now on a library is loaded.
    pub fn begin(&self) {
        self.registered.replace(Some(Batch::default()));
        self.lead_to(&self.loading);
    }

    /// The loading is over. What was registered meanwhile.
    pub fn end(&self) -> Vec<Registered> {
        self.lead_to(&self.globals);
        self.registered.take().unwrap_or_default().functions
    }

    /// The function that was registered so many others after the first.
    pub fn callback(&self, index: usize) -> mlua::Result<Function> {
        let callback = self.callbacks.raw_get(index + 1)?;
        self.callbacks.raw_set(index + 1, Value::Nil)?;
        Ok(callback)
    }

    fn lead_to(&self, globals: &Table) {
        let set = self.leads_to.raw_set("__index", globals);
        debug_assert!(set.is_ok(), "a field that is there can be set");
    }
}

fn refused(text: &str) -> mlua::Error {
    reply_error(format!("ERR {text}"), false)
}

fn register(lua: &Lua, registered: &mut Batch, callbacks: &Table, args: &MultiValue) -> mlua::Result<()> {
    let (function, callback) = match args.len() {
        1 => named(lua, args.front().unwrap_or(&Value::Nil))?,
        2 => {
            let name = text(lua, args.front());
            let name = name.ok_or_else(|| refused("first argument to redis.register_function must be a string"))?;
            let Some(Value::Function(callback)) = args.get(1) else {
                return Err(refused("second argument to redis.register_function must be a function"));
            };
            (
                Registered {
                    name,
                    description: None,
                    flags: Flags::default(),
                },
                callback.clone(),
            )
        }
        _ => return Err(refused("wrong number of arguments to redis.register_function")),
    };
    if let Err(refusal) = check_name(&function.name) {
        return Err(refused(&String::from_utf8_lossy(&refusal)));
    }
    if !registered.names.insert(function.name.clone()) {
        return Err(refused("Function already exists in the library"));
    }
    registered.functions.push(function);
    callbacks.raw_set(registered.functions.len(), callback)
}

/// The arguments of a table.
fn named(lua: &Lua, table: &Value) -> mlua::Result<(Registered, Function)> {
    let Value::Table(table) = table else {
        return Err(refused(
            "calling redis.register_function with a single argument is only applicable to Lua table (representing named \
             arguments).",
        ));
    };
    let (mut name, mut description, mut flags, mut callback) = (None, None, Flags::default(), None);
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let Some(key) = lua.coerce_string(key)? else {
            return Err(refused(
                "named argument key given to redis.register_function is not a string",
            ));
        };
        let must_be = |argument: &str, kind: &str| {
            refused(&format!(
                "{argument} argument given to redis.register_function must be a {kind}"
            ))
        };
        match key.as_bytes().to_ascii_lowercase().as_slice() {
            b"function_name" => name = Some(text(lua, Some(&value)).ok_or_else(|| must_be("function_name", "string"))?),
            b"description" => {
                description = Some(text(lua, Some(&value)).ok_or_else(|| must_be("description", "string"))?)
            }
            b"callback" => match value {
                Value::Function(function) => callback = Some(function),
                _ => return Err(must_be("callback", "function")),
            },
            b"flags" => match value {
                Value::Table(names) => flags = read_flags(lua, &names)?,
                _ => {
                    return Err(refused(
                        "flags argument to redis.register_function must be a table representing function flags",
                    ));
                }
            },
            _ => return Err(refused("unknown argument given to redis.register_function")),
        }
    }
    let name = name.ok_or_else(|| refused("redis.register_function must get a function name argument"))?;
    let callback = callback.ok_or_else(|| refused("redis.register_function must get a callback argument"))?;
    Ok((
        Registered {
            name,
            description,
            flags,
        },
        callback,
    ))
}

fn read_flags(lua: &Lua, names: &Table) -> mlua::Result<Flags> {
    let mut flags = Flags::default();
    for index in 1.. {
        let name: Value = names.get(index)?;
        if name.is_nil() {
            break;
        }
        let name = lua
            .coerce_string(name)?
            .map(|name| name.as_bytes().to_ascii_lowercase());
        if !name.is_some_and(|name| flags.set(&name)) {
            return Err(refused("unknown flag given"));
        }
    }
    Ok(flags)
}

/// A string, or a number as one.
fn text(lua: &Lua, value: Option<&Value>) -> Option<Box<[u8]>> {
    let text = lua.coerce_string(value?.clone()).ok()??;
    Some((&*text.as_bytes()).into())
}
