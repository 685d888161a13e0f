//! Functions: scripts that are kept, under names of their own.
//!
//! A *library* is a source that begins with `#!lua name=...`. It runs once, when it is loaded, and calls
//! `redis.register_function` for each function it has. The source is what is saved, replicated and dumped; whoever gets
//! it loads it anew.
//!
//! - [`metadata`] reads the first line.
//! - [`register`] is `redis.register_function`, and the small world a library finds while it is loaded.
//! - [`Functions`] is what FUNCTION works on: the [`Libraries`] whose functions live in an engine.
//!
//! The engine is handed in, since whoever runs a function has it meanwhile; it is the same for as long as the
//! [`Functions`] are.

mod metadata;
mod register;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::engine::{Answer, Engine, Event, FunctionId, Invocation, Style};
use super::shebang::Flags;
use crate::resp::reply::Protocol;
use crate::resp::request::Args;
use metadata::Metadata;
use register::Registration;

/// Why a library cannot be loaded, without a code.
pub type Refusal = Cow<'static, [u8]>;

/// How long a library may take to be loaded.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// A function that can be called.
#[derive(Clone, Debug)]
pub struct Function {
    /// Whose it is.
    pub library: Box<[u8]>,
    pub name: Box<[u8]>,
    pub description: Option<Box<[u8]>>,
    pub flags: Flags,
    pub id: FunctionId,
}

pub struct Library {
    pub name: Box<[u8]>,
    /// The whole source, first line and all.
    pub source: Box<[u8]>,
    /// In the order in which they were registered.
    pub functions: Vec<Function>,
}

/// Libraries by name, and their functions.
#[derive(Default)]
pub struct Libraries {
    by_name: BTreeMap<Box<[u8]>, Library>,
    /// The function of each name in small letters: case makes no difference to callers. Of two in a library that differ
    /// in nothing else it is the first.
    functions: HashMap<Box<[u8]>, Function>,
}

impl Libraries {
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Library> {
        self.by_name.values()
    }

    /// How many functions there are.
    pub fn function_count(&self) -> usize {
        self.by_name.values().map(|library| library.functions.len()).sum()
    }

    /// Bytes of all of it, without what Lua has. O(functions).
    pub fn memory(&self) -> usize {
        let of_function = |function: &Function| {
            2 * (size_of::<Function>() + function.name.len())
                + function.description.as_ref().map_or(0, |text| text.len())
        };
        let of_library = |library: &Library| {
            let functions: usize = library.functions.iter().map(of_function).sum();
            size_of::<Library>() + 2 * library.name.len() + library.source.len() + functions
        };
        self.iter().map(of_library).sum()
    }

    pub fn function(&self, name: &[u8]) -> Option<&Function> {
        self.functions.get(name.to_ascii_lowercase().as_slice())
    }

    /// The function of a new library whose name is taken, unless by the library that it replaces.
    fn collision<'a>(&self, library: &'a Library) -> Option<&'a Function> {
        let is_taken = |function: &&Function| {
            let taken = self.function(&function.name);
            taken.is_some_and(|taken| taken.library != library.name)
        };
        library.functions.iter().find(is_taken)
    }

    fn insert(&mut self, library: Library) {
        for function in &library.functions {
            let name = function.name.to_ascii_lowercase().into();
            self.functions.entry(name).or_insert_with(|| function.clone());
        }
        self.by_name.insert(library.name.clone(), library);
    }

    fn remove(&mut self, name: &[u8]) -> Option<Library> {
        let library = self.by_name.remove(name)?;
        for function in &library.functions {
            self.functions.remove(function.name.to_ascii_lowercase().as_slice());
        }
        Some(library)
    }
}

/// What FUNCTION RESTORE does about libraries that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    Flush,
    Append,
    Replace,
}

/// The libraries of an engine.
pub struct Functions {
    registration: Registration,
    libraries: Libraries,
}

impl Functions {
    /// Those of an engine that has none, which must be one for functions.
    ///
    /// # Errors
    /// If there is no memory for their world.
    pub fn new(engine: &Engine) -> Result<Self, String> {
        let registration = Registration::new(engine).map_err(|error| format!("Lua cannot be started: {error}"))?;
        Ok(Functions {
            registration,
            libraries: Libraries::default(),
        })
    }

    pub fn libraries(&self) -> &Libraries {
        &self.libraries
    }

    /// Loads a library; gives its name. One of the same name is replaced if it may be. It runs for `patience` at most.
    ///
    /// # Errors
    /// What is wrong with it. Everything is as it was then.
    pub fn load(
        &mut self,
        engine: &mut Engine,
        source: &[u8],
        may_replace: bool,
        patience: Option<Duration>,
    ) -> Result<Box<[u8]>, Refusal> {
        let metadata = metadata::read(source)?;
        if self.libraries.by_name.contains_key(&metadata.name) && !may_replace {
            return Err([b"Library '", &*metadata.name, b"' already exists"].concat().into());
        }
        let library = self.run(engine, source, metadata, patience)?;
        if let Some(taken) = self.libraries.collision(&library) {
            let refusal = [b"Function ", &*taken.name, b" already exists"].concat();
            forget(engine, &library);
            return Err(refusal.into());
        }
        let name = library.name.clone();
        if let Some(old) = self.libraries.remove(&name) {
            forget(engine, &old);
        }
        self.libraries.insert(library);
        Ok(name)
    }

    /// Loads several libraries, or none of them.
    ///
    /// # Errors
    /// What is wrong with one.
    pub fn restore(&mut self, engine: &mut Engine, sources: &[Vec<u8>], policy: Policy) -> Result<(), Refusal> {
        let present = std::mem::take(&mut self.libraries);
        let loaded = sources
            .iter()
            .try_for_each(|source| self.load(engine, source, false, None).map(drop));
        let new = std::mem::replace(&mut self.libraries, present);
        let joined = loaded.and_then(|()| self.check_join(&new, policy));
        if let Err(refusal) = joined {
            new.iter().for_each(|library| forget(engine, library));
            return Err(refusal);
        }
        if policy == Policy::Flush {
            for library in std::mem::take(&mut self.libraries).iter() {
                forget(engine, library);
            }
        }
        // All that go make room for all that come: a function may have moved from one library to another.
        for name in new.by_name.keys() {
            if let Some(old) = self.libraries.remove(name) {
                forget(engine, &old);
            }
        }
        for library in new.by_name.into_values() {
            self.libraries.insert(library);
        }
        Ok(())
    }

    /// Whether new libraries can be put beside those that are there.
    fn check_join(&self, new: &Libraries, policy: Policy) -> Result<(), Refusal> {
        if policy == Policy::Flush {
            return Ok(());
        }
        if policy == Policy::Append
            && let Some(library) = new
                .iter()
                .find(|library| self.libraries.by_name.contains_key(&library.name))
        {
            return Err([b"Library ", &*library.name, b" already exists"].concat().into());
        }
        // A function of any library that is going to be replaced leaves its name to others.
        let stays = |taken: &Function| !new.by_name.contains_key(&taken.library);
        let mut functions = new.iter().flat_map(|library| &library.functions);
        let taken = functions.find(|function| self.libraries.function(&function.name).is_some_and(stays));
        match taken {
            Some(function) => Err([b"Function ", &*function.name, b" already exists"].concat().into()),
            None => Ok(()),
        }
    }

    /// Removes a library. False if there is none of that name.
    pub fn delete(&mut self, engine: &mut Engine, name: &[u8]) -> bool {
        let Some(library) = self.libraries.remove(name) else {
            return false;
        };
        forget(engine, &library);
        true
    }

    /// Runs a library's source, which registers its functions.
    fn run(
        &mut self,
        engine: &mut Engine,
        source: &[u8],
        metadata: Metadata,
        patience: Option<Duration>,
    ) -> Result<Library, Refusal> {
        self.registration.begin();
        let ran = self.execute(engine, &source[metadata.line..], patience);
        let registered = self.registration.end();
        ran?;
        let mut library = Library {
            name: metadata.name,
            source: source.into(),
            functions: Vec::new(),
        };
        for (index, function) in registered.into_iter().enumerate() {
            let kept = self
                .registration
                .callback(index)
                .and_then(|callback| engine.keep(callback));
            let Ok(id) = kept else {
                forget(engine, &library);
                return Err(Cow::Borrowed(b"Failed creating the library"));
            };
            let register::Registered {
                name,
                description,
                flags,
            } = function;
            library.functions.push(Function {
                library: library.name.clone(),
                name,
                description,
                flags,
                id,
            });
        }
        match library.functions.is_empty() {
            true => Err(Cow::Borrowed(b"No functions registered")),
            false => Ok(library),
        }
    }

    fn execute(&self, engine: &mut Engine, code: &[u8], patience: Option<Duration>) -> Result<(), Refusal> {
        let compiled = self.registration.compile(engine, code);
        let chunk = compiled.map_err(|error| format!("Error compiling function: {error}").into_bytes())?;
        let nothing = || Args::new(&[], &[], &[]);
        let failed = |error: mlua::Error| format!("Error registering functions: ERR {error}").into_bytes();
        let id = engine.keep(chunk).map_err(failed)?;
        let invocation = Invocation {
            function: id,
            style: Style::Load,
            name: "",
            protocol: Protocol::Resp2,
            keys: nothing(),
            args: nothing(),
        };
        let begun = engine.begin(&invocation);
        engine.forget(id);
        begun.map_err(failed)?;
        let end = patience.map(|patience| Instant::now() + patience);
        let mut answer = Answer::GoOn;
        let mut timed_out = false;
        loop {
            answer = match engine.resume(answer) {
                Event::Done => break,
                Event::SliceOver if end.is_none_or(|end| Instant::now() < end) => Answer::GoOn,
                // No command can be called here.
                Event::SliceOver | Event::Call | Event::AccessCheck => {
                    timed_out = true;
                    Answer::Killed
                }
            };
        }
        if timed_out {
            return Err(Cow::Borrowed(b"Error registering functions: ERR FUNCTION LOAD timeout"));
        }
        let reply = engine.reply_mut();
        match reply.bytes.strip_prefix(b"-") {
            Some(error) => {
                let error = error.strip_suffix(b"\r\n").unwrap_or(error);
                Err([b"Error registering functions: ", error].concat().into())
            }
            None => Ok(()),
        }
    }
}

/// Lets the functions of a library go.
fn forget(engine: &mut Engine, library: &Library) {
    for function in &library.functions {
        engine.forget(function.id);
    }
}
