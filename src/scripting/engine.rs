//! The engine: an interpreter, and the stack on which scripts run.
//!
//! A script touches nothing of the server. When it wants something it leaves its request in the [`Exchange`] and waits;
//! [`Engine::resume`] then returns with an [`Event`] to the core, which runs the command like any other and resumes the
//! script with the reply. In the same way it waits when it has run for a slice of time. To whoever drives it, a script is
//! a loop:
//!
//! ```text
//! let id = engine.compile(source, "@user_script")?;
//! engine.begin(&Invocation { function: id, style, name, protocol, keys, args })?;
//! let mut answer = Answer::GoOn;
//! loop {
//!     answer = match engine.resume(answer) {
//!         Event::Call => ...      `engine.serve(|words, reply| ...)`; Answer::Replied
//!         Event::SliceOver => ... do something else for a while; Answer::GoOn, or Answer::Killed to end it
//!         Event::Done => break    `engine.reply_mut()` has the reply
//!     }
//! }
//! ```
//!
//! Functions are known by a number, [`FunctionId`], and live in a table of Lua's: the binding has only some thousand
//! places for what Rust holds directly. [`Style::Load`] runs a library's source, to which `redis.call` is closed;
//! [`Style::Function`] hands keys and arguments over as arguments, [`Style::Script`] as the globals KEYS and ARGV.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::time::{Duration, Instant};

use mlua::{Function, HookTriggers, Lua, MultiValue, Table, Value, VmState};

use super::Kind;
use super::api::REPL_ALL;
use super::convert::{Outgoing, push_number};
use super::errors::Raised;
use super::fiber::{Fiber, Pause};
use super::random::Random;
use super::sandbox::Sandbox;
use crate::resp::reply::{Protocol, Reply};
use crate::resp::request::{Args, Span};

/// How long a script runs before others have their turn.
pub const SLICE: Duration = Duration::from_millis(5);
/// Instructions between looks at the clock: some 50 µs.
const LOOK: u32 = 10_000;
/// Runs between collections of garbage, and steps of one.
const TIDY: u32 = 50;
const TIDY_STEPS: u32 = 20;
/// From this length on an argument of a command is kept in a buffer of its own: a span counts no further.
const BIG: usize = 1 << 29;

/// Why a script has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It wants a command to be run.
    Call,
    /// It wants to know whether a command may be run.
    AccessCheck,
    /// It has run for a slice.
    SliceOver,
    /// It has ended.
    Done,
}

/// With what a script goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    GoOn,
    /// The reply to its command is there.
    Replied,
    /// It is to end with an error that it cannot catch.
    Killed,
}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// EVAL's: keys and arguments are globals.
    Script,
    /// FCALL's: they are arguments.
    Function,
    /// FUNCTION LOAD's: there are none, and no command can be called.
    Load,
}

/// A function that was compiled, or defined by one that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FunctionId(u32);

/// What is to be run.
pub struct Invocation<'a> {
    pub function: FunctionId,
    pub style: Style,
    /// What error replies call it: the digest of a script, the name of a function. Those of what has none do not tell the
    /// place either.
    pub name: &'a str,
    /// The client's, for the reply.
    pub protocol: Protocol,
    pub keys: Args<'a>,
    pub args: Args<'a>,
}

/// What both sides of a running script see.
#[derive(Default)]
pub(super) struct Exchange {
    event: Cell<Option<Event>>,
    answer: Cell<Option<Answer>>,
    pause: RefCell<Option<Pause>>,
    slice_end: Cell<Option<Instant>>,
    slice: Cell<Duration>,
    /// The command that the script wants.
    words: RefCell<Words>,
    /// The reply to the command, or in the end the script's own.
    pub reply: RefCell<Reply>,
    /// What the script wants replies in, and where it wants its changes to be recorded.
    pub protocol: Cell<Protocol>,
    pub repl: Cell<u8>,
    pub random: Random,
    is_running: Cell<bool>,
    is_killed: Cell<bool>,
    /// Whether the error that the script has ended with was counted when it happened.
    is_counted: Cell<bool>,
    next: RefCell<Option<Next>>,
}

/// What the fiber does when it is resumed next.
struct Next {
    function: Function,
    name: Box<str>,
    protocol: Protocol,
}

/// A request in the making.
#[derive(Default)]
struct Words {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    bigs: Vec<Vec<u8>>,
}

impl Words {
    fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
        self.bigs.clear();
    }

    fn push(&mut self, text: &[u8]) {
        if self.bytes.len() + text.len() >= BIG {
            self.spans.push(Span::big(self.bigs.len(), text.len()));
            self.bigs.push(text.to_vec());
            return;
        }
        self.spans.push(Span::new(self.bytes.len(), text.len()));
        self.bytes.extend_from_slice(text);
    }

    fn push_number(&mut self, number: f64) {
        let start = self.bytes.len();
        push_number(&mut self.bytes, number);
        self.spans.push(Span::new(start, self.bytes.len() - start));
    }
}

impl Exchange {
    pub fn is_running(&self) -> bool {
        self.is_running.get()
    }

    /// Takes a call's arguments as the words of a request.
    pub fn take_arguments(&self, args: &MultiValue) -> Result<(), &'static str> {
        let mut words = self.words.borrow_mut();
        words.clear();
        if args.is_empty() {
            return Err("ERR Please specify at least one argument for this redis lib call");
        }
        for value in args {
            match value {
                Value::String(text) => words.push(&text.as_bytes()),
                Value::Integer(number) => words.push_number(*number as f64),
                Value::Number(number) => words.push_number(*number),
                _ => return Err("ERR Lua redis lib command arguments must be strings or integers"),
            }
        }
        Ok(())
    }

    /// Stops the script with an event, and gives what it goes on with.
    pub fn ask(&self, event: Event) -> Answer {
        self.event.set(Some(event));
        // Borrowed no longer than that: the engine uses the exchange meanwhile.
        let pause = self.pause.borrow().clone();
        if let Some(pause) = pause {
            pause.wait();
        }
        self.answer.take().unwrap_or(Answer::GoOn)
    }

    /// The error that ends a script which is killed; from now on every instruction raises it.
    pub fn killed(&self) -> mlua::Error {
        self.is_killed.set(true);
        mlua::Error::external(Raised::Killed)
    }
}

/// Has a running script looked at each so many instructions.
fn watch(lua: &Lua, exchange: &Rc<Exchange>, instructions: u32) -> mlua::Result<()> {
    let shared = Rc::clone(exchange);
    let triggers = HookTriggers::new().every_nth_instruction(instructions);
    lua.set_global_hook(triggers, move |lua, _| look(lua, &shared))
}

/// To be called from time to time by a function in Rust that may run for long: others have their turn when the slice is
/// over, as they have between a script's instructions.
///
/// # Errors
/// If the script is to end.
pub(super) fn breathe(lua: &Lua) -> mlua::Result<()> {
    let exchange = lua.app_data_ref::<Rc<Exchange>>().map(|exchange| Rc::clone(&exchange));
    match exchange.filter(|exchange| exchange.is_running()) {
        Some(exchange) => look(lua, &exchange).map(drop),
        None => Ok(()),
    }
}

fn look(lua: &Lua, exchange: &Rc<Exchange>) -> mlua::Result<VmState> {
    if exchange.is_killed.get() {
        // Here may be another coroutine, which is still looked at rarely.
        watch(lua, exchange, 1)?;
        return Err(exchange.killed());
    }
    let now = Instant::now();
    // Most scripts have ended before they are looked at, and never need the time.
    let end = exchange.slice_end.get().unwrap_or_else(|| now + exchange.slice.get());
    exchange.slice_end.set(Some(end));
    if now < end {
        return Ok(VmState::Continue);
    }
    if exchange.ask(Event::SliceOver) == Answer::Killed {
        if exchange.is_running() {
            crate::log::warning("Lua script killed by user with SCRIPT KILL.");
        }
        watch(lua, exchange, 1)?;
        return Err(exchange.killed());
    }
    Ok(VmState::Continue)
}

pub struct Engine {
    exchange: Rc<Exchange>,
    fiber: Fiber,
    sandbox: Sandbox,
    /// By number.
    functions: Table,
    last: u32,
    free: Vec<u32>,
    /// Runs since garbage was collected.
    runs: u32,
}

impl Engine {
    /// An engine for scripts or functions, which find `setfenv`, `getfenv` and `newproxy` if `has_deprecated`.
    ///
    /// # Errors
    /// If there is no memory for an interpreter and a stack.
    pub fn new(kind: Kind, has_deprecated: bool) -> Result<Self, String> {
        let told = |error: mlua::Error| format!("Lua cannot be started: {error}");
        let exchange = Rc::new(Exchange::default());
        exchange.slice.set(SLICE);
        let sandbox = Sandbox::new(kind, has_deprecated, &exchange).map_err(told)?;
        sandbox.lua.set_app_data(Rc::clone(&exchange));
        let functions = sandbox.lua.create_table().map_err(told)?;
        // What it took to build all this.
        sandbox.lua.gc_collect().map_err(told)?;
        watch(&sandbox.lua, &exchange, LOOK).map_err(told)?;
        let (inner, lua) = (Rc::clone(&exchange), sandbox.lua.clone());
        let (xpcall, handler) = (sandbox.xpcall.clone(), sandbox.handler.clone());
        let fiber = Fiber::new(move || work(&lua, &xpcall, &handler, &inner)).map_err(|error| error.to_string())?;
        exchange.pause.replace(Some(fiber.pause()));
        Ok(Engine {
            exchange,
            fiber,
            sandbox,
            functions,
            last: 0,
            free: Vec::new(),
            runs: 0,
        })
    }

    /// Compiles a source, which errors call `chunk`.
    ///
    /// # Errors
    /// What Lua says is wrong with it.
    pub fn compile(&mut self, source: &[u8], chunk: &str) -> Result<FunctionId, String> {
        // Compiled code begins with an escape, and could do anything. Behind a blank it is bad text.
        let disarmed: Vec<u8>;
        let text = match source.first() {
            Some(0x1b) => {
                disarmed = [b" ", source].concat();
                &disarmed
            }
            _ => source,
        };
        // Lua 5.1's parser holds the name by a pointer that its collector of garbage does not know.
        let told = |error: mlua::Error| error.to_string();
        let _anchor = self.sandbox.lua.create_string(chunk).map_err(told)?;
        let chunk = self
            .sandbox
            .lua
            .load(text)
            .set_name(chunk)
            .set_mode(mlua::chunk::ChunkMode::Text);
        let function = chunk.into_function().map_err(|error| match error {
            mlua::Error::SyntaxError { message, .. } => message,
            other => other.to_string(),
        })?;
        self.keep(function).map_err(|error| error.to_string())
    }

    /// Gives a function a number.
    ///
    /// # Errors
    /// If Lua has no memory for it.
    pub fn keep(&mut self, function: Function) -> mlua::Result<FunctionId> {
        let id = self.free.pop().unwrap_or_else(|| {
            self.last += 1;
            self.last
        });
        self.functions.raw_set(id, function)?;
        Ok(FunctionId(id))
    }

    /// Lets a function go. The number may be given to another.
    pub fn forget(&mut self, id: FunctionId) {
        if self.functions.raw_set(id.0, Value::Nil).is_ok() {
            self.free.push(id.0);
        }
    }

    /// The interpreter, not to be used while a script has not ended.
    pub fn lua(&self) -> &Lua {
        &self.sandbox.lua
    }

    /// The globals behind those that scripts see, which are closed.
    pub fn globals(&self) -> &Table {
        &self.sandbox.globals
    }

    /// A function of Lua's that makes of a table one like it that cannot be changed.
    pub fn close(&self) -> &Function {
        &self.sandbox.close
    }

    /// Bytes that Lua uses.
    pub fn memory(&self) -> usize {
        self.sandbox.lua.used_memory()
    }

    /// Sets how long a script runs at a time.
    pub fn set_slice(&mut self, slice: Duration) {
        self.exchange.slice.set(slice);
    }

    /// Prepares a run, which [`Engine::resume`] begins.
    ///
    /// # Errors
    /// If Lua has no memory for the arguments.
    pub fn begin(&mut self, invocation: &Invocation<'_>) -> mlua::Result<()> {
        let lua = &self.sandbox.lua;
        // Before any code runs here, which would be killed once more.
        if self.exchange.is_killed.take() {
            watch(lua, &self.exchange, LOOK)?;
        }
        let mut function: Function = self.functions.raw_get(invocation.function.0)?;
        if invocation.style != Style::Load {
            let (keys, args) = (list(lua, invocation.keys)?, list(lua, invocation.args)?);
            if invocation.style == Style::Script {
                self.sandbox.globals.raw_set("KEYS", keys)?;
                self.sandbox.globals.raw_set("ARGV", args)?;
            } else {
                function = self.sandbox.bound.call((function, keys, args))?;
            }
        }
        self.exchange.is_running.set(invocation.style != Style::Load);
        self.exchange.is_counted.set(false);
        self.exchange.protocol.set(Protocol::Resp2);
        self.exchange.repl.set(REPL_ALL);
        self.exchange.next.replace(Some(Next {
            function,
            name: invocation.name.into(),
            protocol: invocation.protocol,
        }));
        Ok(())
    }

    /// Goes on with the script until it stops.
    pub fn resume(&mut self, answer: Answer) -> Event {
        self.exchange.answer.set(Some(answer));
        if answer != Answer::Replied {
            self.exchange.slice_end.set(None);
        }
        if self.fiber.resume() {
            self.exchange.is_running.set(false);
            self.tidy();
            return Event::Done;
        }
        self.exchange.event.take().unwrap_or(Event::SliceOver)
    }

    /// Collects garbage now and then: left to itself, Lua waits until there is as much of it as of anything else.
    fn tidy(&mut self) {
        self.runs += 1;
        if self.runs < TIDY {
            return;
        }
        self.runs = 0;
        for _ in 0..TIDY_STEPS {
            if self.sandbox.lua.gc_step().unwrap_or(true) {
                break;
            }
        }
    }

    /// Hands the command that the script wants to be run to `run`, with the buffer for its reply, and the protocol it is
    /// to have.
    pub fn serve(&mut self, run: impl FnOnce(Args<'_>, &mut Reply)) {
        let words = self.exchange.words.borrow();
        let mut reply = self.exchange.reply.borrow_mut();
        reply.bytes.clear();
        reply.protocol = self.exchange.protocol.get();
        run(Args::new(&words.bytes, &words.spans, &words.bigs), &mut reply);
    }

    /// The reply to the client, after the end.
    pub fn reply_mut(&mut self) -> RefMut<'_, Reply> {
        self.exchange.reply.borrow_mut()
    }

    /// Where the script wants its changes to be recorded, see [`super::REPL_ALL`].
    pub fn repl(&self) -> u8 {
        self.exchange.repl.get()
    }

    /// Whether the error in the reply was counted when a command of the script failed.
    pub fn is_error_counted(&self) -> bool {
        self.exchange.is_counted.get()
    }
}

/// A table of arguments.
fn list(lua: &Lua, args: Args<'_>) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(args.len(), 0)?;
    for (index, arg) in args.iter().enumerate() {
        table.raw_set(index + 1, lua.create_string(arg)?)?;
    }
    Ok(table)
}

/// Runs what is next, and leaves its reply in the exchange. This is the fiber's side.
fn work(lua: &Lua, xpcall: &Function, handler: &Function, exchange: &Exchange) {
    let Some(next) = exchange.next.take() else { return };
    let result = xpcall.call((next.function, handler));
    let mut reply = exchange.reply.borrow_mut();
    reply.bytes.clear();
    reply.protocol = next.protocol;
    let written = match result {
        Ok((true, value)) => {
            let mut outgoing = Outgoing {
                reply: &mut reply,
                protocol: exchange.protocol.get(),
                is_counted: false,
            };
            let written = outgoing.value(&value, 0);
            let is_counted = outgoing.is_counted;
            exchange.is_counted.set(is_counted);
            written
        }
        Ok((false, error)) => failure(lua, &error, &next.name, exchange, &mut reply),
        Err(error) => Err(error),
    };
    if let Err(error) = written {
        reply.bytes.clear();
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default();
        reply.error(format!("ERR Error running script {}, {line:.100}", next.name));
    }
}

/// Writes the error with which a script has ended, and where that was.
fn failure(lua: &Lua, error: &Value, name: &str, exchange: &Exchange, reply: &mut Reply) -> mlua::Result<()> {
    let Value::Table(error) = error else {
        let text = lua.coerce_string(error.clone())?;
        let text = text.map_or(b"execution failure".to_vec(), |text| text.as_bytes().to_vec());
        let start = format!("ERR Error running script {name}, ");
        reply.error([start.as_bytes(), &text[..text.len().min(100)]].concat());
        return Ok(());
    };
    let field = |name: &str| -> mlua::Result<Option<Vec<u8>>> {
        let text = lua.coerce_string(error.get::<Value>(name)?)?;
        Ok(text.map(|text| text.as_bytes().to_vec()))
    };
    let mut text = field("err")?.unwrap_or_default();
    if let (Some(source), Some(line), false) = (field("source")?, field("line")?, name.is_empty()) {
        text.extend_from_slice(format!(" script: {name}, on ").as_bytes());
        text.extend_from_slice(&source);
        text.push(b':');
        text.extend_from_slice(&line);
        text.push(b'.');
    }
    exchange
        .is_counted
        .set(error.get::<Value>("ignore_error_stats_update")? == Value::Boolean(true));
    reply.error(text);
    Ok(())
}
