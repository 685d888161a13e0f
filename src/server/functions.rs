//! The libraries of functions, as the core keeps them: made when they are first needed, saved with the keys, and replaced
//! as a whole when a primary's data arrive.

use crate::persistence::loader::{Duplicates, LoadError};
use crate::scripting::Kind;
use crate::scripting::engine::Engine;
use crate::scripting::functions::{Functions, Libraries};

use super::core::Core;
use super::failure::Failure;

impl Core {
    /// Works on the functions and their engine, which are made if there are none.
    ///
    /// # Errors
    /// If there is no memory for that.
    pub fn with_functions<R>(&mut self, work: impl FnOnce(&mut Functions, &mut Engine) -> R) -> Result<R, Failure> {
        let engine = self.scripts.engine(Kind::Functions)?;
        let functions = match &mut self.functions {
            Some(functions) => functions,
            none => {
                let new = Functions::new(engine).map_err(|error| Failure::from(format!("ERR {error}")))?;
                none.insert(Box::new(new))
            }
        };
        Ok(work(functions, engine))
    }

    /// The libraries, if there ever were any.
    pub fn libraries(&self) -> Option<&Libraries> {
        self.functions.as_deref().map(Functions::libraries)
    }

    /// Bytes that libraries take beside the interpreter.
    pub fn functions_memory(&self) -> usize {
        self.libraries().map_or(0, Libraries::memory)
    }

    /// Forgets all libraries.
    pub fn drop_functions(&mut self) {
        self.functions = None;
        self.scripts.reset(Kind::Functions);
    }

    /// Loads what a file has, beside what there is.
    pub(super) fn load_functions(&mut self, sources: &[Box<[u8]>], duplicates: Duplicates) -> Result<(), LoadError> {
        if sources.is_empty() {
            return Ok(());
        }
        let may_replace = duplicates == Duplicates::Replace;
        let loaded = self.with_functions(|functions, engine| load(functions, engine, sources, may_replace));
        loaded.map_err(|failure| refused(&failure.0))?
    }

    /// Puts what a file has in the place of what there is, or changes nothing.
    pub(super) fn replace_functions(&mut self, sources: &[Box<[u8]>]) -> Result<(), LoadError> {
        if sources.is_empty() {
            self.drop_functions();
            return Ok(());
        }
        let refuse = |error: String| LoadError::Function(error);
        let mut engine = Engine::new(Kind::Functions, self.scripts.has_deprecated).map_err(refuse)?;
        let mut functions = Functions::new(&engine).map_err(refuse)?;
        load(&mut functions, &mut engine, sources, false)?;
        self.functions = Some(Box::new(functions));
        self.scripts.set_functions_engine(engine);
        Ok(())
    }
}

fn load(
    functions: &mut Functions,
    engine: &mut Engine,
    sources: &[Box<[u8]>],
    may_replace: bool,
) -> Result<(), LoadError> {
    for source in sources {
        let loaded = functions.load(engine, source, may_replace, None);
        loaded.map_err(|refusal| refused(&refusal))?;
    }
    Ok(())
}

fn refused(text: &[u8]) -> LoadError {
    LoadError::Function(String::from_utf8_lossy(text).into_owned())
}

/// The sources of all libraries, which is what is saved of them.
pub(super) fn sources(functions: Option<&Functions>) -> Vec<&[u8]> {
    let libraries = functions.map(Functions::libraries);
    libraries.map_or_else(Vec::new, |libraries| {
        libraries.iter().map(|library| &*library.source).collect()
    })
}
