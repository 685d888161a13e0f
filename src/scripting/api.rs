//! `redis`, the table through which scripts reach the server.

use std::rc::Rc;

use mlua::{Lua, MultiValue, Table, Value};
use sha1::{Digest as _, Sha1};

use super::Kind;
use super::convert::Incoming;
use super::engine::{Answer, Event, Exchange};
use super::errors::{reply_error, reply_table, with_code};
use crate::config::REDIS_VERSION;
use crate::log::{self, Level};
use crate::resp::reply::Protocol;

/// Where what a script changes is recorded: bits of `redis.set_repl`.
pub const REPL_AOF: u8 = 1;
pub const REPL_REPLICA: u8 = 2;
pub const REPL_ALL: u8 = REPL_AOF | REPL_REPLICA;

/// Sets `redis`, and `server` for scripts that call it so, in `globals`.
pub(super) fn install(lua: &Lua, globals: &Table, kind: Kind, exchange: &Rc<Exchange>) -> mlua::Result<()> {
    let redis = lua.create_table()?;
    for (name, raises) in [("call", true), ("pcall", false)] {
        let shared = Rc::clone(exchange);
        let call = move |lua: &Lua, args: MultiValue| call(lua, &shared, &args, raises);
        redis.raw_set(name, lua.create_function(call)?)?;
    }
    redis.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    redis.raw_set("error_reply", lua.create_function(error_reply)?)?;
    redis.raw_set("status_reply", lua.create_function(status_reply)?)?;
    redis.raw_set("log", lua.create_function(log)?)?;
    for (level, name) in ["LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING"]
        .iter()
        .enumerate()
    {
        redis.raw_set(*name, level)?;
    }
    let shared = Rc::clone(exchange);
    let set = move |_: &Lua, args: MultiValue| set_resp(&shared, &args);
    redis.raw_set("setresp", lua.create_function(set)?)?;
    let shared = Rc::clone(exchange);
    let set = move |_: &Lua, args: MultiValue| set_repl(&shared, &args);
    redis.raw_set("set_repl", lua.create_function(set)?)?;
    let shared = Rc::clone(exchange);
    let check = move |_: &Lua, args: MultiValue| acl_check(&shared, &args);
    redis.raw_set("acl_check_cmd", lua.create_function(check)?)?;
    redis.raw_set("REPL_NONE", 0)?;
    redis.raw_set("REPL_AOF", REPL_AOF)?;
    redis.raw_set("REPL_SLAVE", REPL_REPLICA)?;
    redis.raw_set("REPL_REPLICA", REPL_REPLICA)?;
    redis.raw_set("REPL_ALL", REPL_ALL)?;
    redis.raw_set("REDIS_VERSION", REDIS_VERSION)?;
    redis.raw_set("REDIS_VERSION_NUM", version_number())?;
    if kind == Kind::Scripts {
        // Effects are always what is replicated; there is no debugger.
        redis.raw_set("replicate_commands", lua.create_function(|_, ()| Ok(true))?)?;
        redis.raw_set("breakpoint", lua.create_function(|_, _: MultiValue| Ok(false))?)?;
        redis.raw_set("debug", lua.create_function(|_, _: MultiValue| Ok(()))?)?;
    }
    globals.raw_set("server", &redis)?;
    globals.raw_set("redis", redis)
}

/// Major, minor and patch, each in a byte.
fn version_number() -> u32 {
    let parts = REDIS_VERSION.split('.').map(|part| part.parse().unwrap_or(0));
    parts.fold(0, |number, part: u32| number << 8 | part)
}

/// `redis.call` and `redis.pcall`: asks the server to run a command, and waits for its reply.
fn call(lua: &Lua, exchange: &Exchange, args: &MultiValue, raises: bool) -> mlua::Result<Value> {
    if !exchange.is_running() {
        return Err(reply_error(
            "ERR redis.call/pcall can only be called inside a script invocation",
            false,
        ));
    }
    if let Err(text) = exchange.take_arguments(args) {
        return match raises {
            true => Err(reply_error(text, false)),
            false => reply_table(lua, text.as_bytes(), false).map(Value::Table),
        };
    }
    match exchange.ask(Event::Call) {
        Answer::Replied | Answer::GoOn => {
            let reply = exchange.reply.borrow();
            if reply.bytes.first() != Some(&b'-') || !raises {
                return Incoming::new(&reply.bytes).value(lua);
            }
            let line = reply.bytes[1..].split(|&byte| byte == b'\r').next().unwrap_or_default();
            Err(reply_error(with_code(line), true))
        }
        Answer::Killed => Err(exchange.killed()),
    }
}

/// `redis.sha1hex`
fn sha1hex(lua: &Lua, args: MultiValue) -> mlua::Result<String> {
    let [value] = args.as_slices().0 else {
        return Err(reply_error("ERR wrong number of arguments", false));
    };
    let text = lua.coerce_string(value.clone())?;
    let digest = Sha1::digest(text.map(|text| text.as_bytes().to_vec()).unwrap_or_default());
    Ok(super::hex(&digest.into()))
}

/// The text of a reply that a script makes of a string, and of nothing else.
fn single_string(args: &MultiValue) -> Option<Vec<u8>> {
    match (args.len(), args.front()) {
        (1, Some(Value::String(text))) => Some(text.as_bytes().to_vec()),
        _ => None,
    }
}

const NOT_ONE_STRING: &[u8] = b"ERR wrong number or type of arguments";

/// `redis.error_reply`
fn error_reply(lua: &Lua, args: MultiValue) -> mlua::Result<Table> {
    let Some(text) = single_string(&args) else {
        return reply_table(lua, NOT_ONE_STRING, false);
    };
    reply_table(lua, &with_code(text.strip_prefix(b"-").unwrap_or(&text)), false)
}

/// `redis.status_reply`
fn status_reply(lua: &Lua, args: MultiValue) -> mlua::Result<Table> {
    let Some(text) = single_string(&args) else {
        return reply_table(lua, NOT_ONE_STRING, false);
    };
    let table = lua.create_table()?;
    table.raw_set("ok", lua.create_string(text)?)?;
    Ok(table)
}

/// `redis.log`
fn log(lua: &Lua, args: MultiValue) -> mlua::Result<()> {
    if args.len() < 2 {
        return Err(reply_error("ERR redis.log() requires two arguments or more.", false));
    }
    let Some(level) = as_int(args.front()) else {
        return Err(reply_error("ERR First argument must be a number (log level).", false));
    };
    let write = match level {
        0 => log::debug,
        1 => log::verbose,
        2 => log::notice,
        3 => log::warning,
        _ => return Err(reply_error("ERR Invalid debug level.", false)),
    };
    if !log::is_shown([Level::Debug, Level::Verbose, Level::Notice, Level::Warning][level as usize]) {
        return Ok(());
    }
    let mut message = Vec::new();
    for (index, value) in args.iter().skip(1).enumerate() {
        if let Some(text) = lua.coerce_string(value.clone())? {
            if index > 0 {
                message.push(b' ');
            }
            message.extend_from_slice(&text.as_bytes());
        }
    }
    write(&String::from_utf8_lossy(&message));
    Ok(())
}

/// `redis.setresp`
fn set_resp(exchange: &Exchange, args: &MultiValue) -> mlua::Result<()> {
    if !exchange.is_running() {
        let text = "ERR redis.setresp can only be called inside a script invocation";
        return Err(reply_error(text, false));
    }
    if args.len() != 1 {
        return Err(reply_error("ERR redis.setresp() requires one argument.", false));
    }
    exchange.protocol.set(match as_int(args.front()) {
        Some(2) => Protocol::Resp2,
        Some(3) => Protocol::Resp3,
        _ => return Err(reply_error("ERR RESP version must be 2 or 3.", false)),
    });
    Ok(())
}

/// `redis.set_repl`
fn set_repl(exchange: &Exchange, args: &MultiValue) -> mlua::Result<()> {
    if !exchange.is_running() {
        let text = "ERR redis.set_repl can only be called inside a script invocation";
        return Err(reply_error(text, false));
    }
    if args.len() != 1 {
        return Err(reply_error("ERR redis.set_repl() requires two arguments.", false));
    }
    match as_int(args.front()).unwrap_or(0) {
        flags @ 0..=3 => exchange.repl.set(flags as u8),
        _ => {
            let text = "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.";
            return Err(reply_error(text, false));
        }
    }
    Ok(())
}

/// `redis.acl_check_cmd`: whether the user that has called the script may run a command.
fn acl_check(exchange: &Exchange, args: &MultiValue) -> mlua::Result<bool> {
    if !exchange.is_running() {
        return Err(reply_error(
            "ERR redis.acl_check_cmd can only be called inside a script invocation",
            false,
        ));
    }
    exchange.take_arguments(args).map_err(|text| reply_error(text, false))?;
    match exchange.ask(Event::AccessCheck) {
        Answer::Replied | Answer::GoOn => match exchange.reply.borrow().bytes.as_slice() {
            b":1\r\n" => Ok(true),
            b":0\r\n" => Ok(false),
            _ => Err(reply_error(
                "ERR Invalid command passed to redis.acl_check_cmd()",
                false,
            )),
        },
        Answer::Killed => Err(exchange.killed()),
    }
}

/// A number as C makes an `int` of it.
fn as_int(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Integer(number) => Some(*number),
        Value::Number(number) => Some(*number as i64),
        Value::String(text) => {
            let number = crate::format::number::parse_double(&text.as_bytes())?;
            Some(number as i64)
        }
        _ => None,
    }
}
