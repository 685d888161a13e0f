//! A stack of its own for work that has to stop in the middle, and go on later from there.
//!
//! An interpreter that stands in the midst of a script has its state in C frames: `pcall`, `string.gsub` with a function,
//! a metamethod. Only a stack that can be left as it is lets it wait there. A [`Fiber`] is that: [`Fiber::resume`] runs the
//! work until it ends or says [`Pause::wait`], from however deep within it; the next `resume` goes on behind that.
//!
//! Both sides are one thread, and never run at once.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::io;
use std::mem::ManuallyDrop;
use std::ptr;
use std::rc::Rc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, Yielder};

/// Address space for the stack; pages are only used once touched. Twice what a process gets: patterns of Lua's
/// `string.find` recur once for each of their items.
const STACK: usize = 16 << 20;

/// What both sides know of each other.
#[derive(Default)]
struct Link {
    /// Set while the work runs or waits, and valid as long.
    yielder: Cell<Option<ptr::NonNull<Yielder<(), ()>>>>,
    /// Whether the fiber's stack is the one in use.
    is_inside: Cell<bool>,
    is_done: Cell<bool>,
    must_end: Cell<bool>,
}

pub struct Fiber {
    coroutine: ManuallyDrop<Coroutine<(), (), ()>>,
    link: Rc<Link>,
}

/// Lets the work of a fiber wait.
#[derive(Clone)]
pub struct Pause(Rc<Link>);

impl Fiber {
    /// A fiber that does `work` each time it is resumed and has none.
    ///
    /// # Errors
    /// If the system has no address space for a stack.
    pub fn new(work: impl Fn() + 'static) -> io::Result<Self> {
        let link = Rc::new(Link::default());
        let inner = Rc::clone(&link);
        let coroutine = Coroutine::with_stack(DefaultStack::new(STACK)?, move |yielder: &Yielder<(), ()>, ()| {
            inner.yielder.set(Some(ptr::NonNull::from(yielder)));
            while !inner.must_end.get() {
                work();
                inner.is_done.set(true);
                inner.is_inside.set(false);
                yielder.suspend(());
            }
            inner.yielder.set(None);
        });
        link.is_done.set(true);
        Ok(Fiber {
            coroutine: ManuallyDrop::new(coroutine),
            link,
        })
    }

    pub fn pause(&self) -> Pause {
        Pause(Rc::clone(&self.link))
    }

    /// Begins the work or goes on with it. True if it has ended, false if it waits.
    pub fn resume(&mut self) -> bool {
        self.link.is_done.set(false);
        self.link.is_inside.set(true);
        self.coroutine.resume(());
        self.link.is_done.get()
    }
}

impl Pause {
    /// Leaves the fiber's stack until it is resumed. Outside of the fiber there is nothing to leave, and nothing happens.
    pub fn wait(&self) {
        let Some(yielder) = self.0.yielder.get().filter(|_| self.0.is_inside.get()) else {
            return;
        };
        self.0.is_inside.set(false);
        // SAFETY: the yielder lives in the frame at the bottom of the fiber's stack from when it was noted until the
        // coroutine returns, where the note is deleted; a coroutine that is not finished is never freed, see `drop`. That
        // stack is the one in use: `is_inside` is set only by `resume` before it switches to it, and cleared by whoever
        // leaves it. `Rc` keeps all of it on one thread.
        unsafe { yielder.as_ref() }.suspend(());
    }
}

impl Drop for Fiber {
    /// Work that waits is given up as it stands: its stack stays, since nothing may free what C frames on it refer to.
    fn drop(&mut self) {
        if !self.link.is_done.get() {
            return;
        }
        if self.coroutine.started() {
            self.link.must_end.set(true);
            self.coroutine.resume(());
        }
        // SAFETY: dropped once, here, where the fiber ends.
        unsafe { ManuallyDrop::drop(&mut self.coroutine) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlua::{Function, HookTriggers, Lua, Value, VmState};
    use std::cell::RefCell;

    /// Runs a script whose `ask(x)` waits and gives what it is answered; gives all questions and the outcome.
    fn run(script: &'static str) -> (Vec<String>, String) {
        let lua = Lua::new();
        let (questions, answer) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Cell::new(0)));
        let outcome = Rc::new(RefCell::new(String::new()));
        let slot: Rc<RefCell<Option<Pause>>> = Rc::default();
        let (to, from, pause) = (Rc::clone(&questions), Rc::clone(&answer), Rc::clone(&slot));
        let ask = lua.create_function(move |_, question: String| {
            to.borrow_mut().push(question);
            let pause = pause.borrow().clone().expect("set before the fiber runs");
            pause.wait();
            match from.get() {
                3 => Err(mlua::Error::runtime("three")),
                answer => Ok(answer),
            }
        });
        let pause = Rc::clone(&slot);
        let hooks = Rc::new(Cell::new(0));
        let counted = Rc::clone(&hooks);
        lua.set_global_hook(HookTriggers::new().every_nth_instruction(1000), move |_, _| {
            counted.set(counted.get() + 1);
            let pause = pause.borrow().clone().expect("set before the fiber runs");
            pause.wait();
            Ok(VmState::Continue)
        })
        .expect("a hook can be set");
        lua.globals().set("ask", ask.expect("a function")).expect("globals");
        let into = Rc::clone(&outcome);
        let work = move || {
            let function: mlua::Result<Function> = lua.load(script).into_function();
            let result = function.and_then(|function| function.call::<Value>(()));
            *into.borrow_mut() = match result {
                Ok(value) => value.to_string().unwrap_or_default(),
                Err(error) => format!("error {}", error.to_string().lines().next().unwrap_or_default()),
            };
        };
        let mut fiber = Fiber::new(work).expect("a stack");
        *slot.borrow_mut() = Some(fiber.pause());
        while !fiber.resume() {
            answer.set(answer.get() + 1);
        }
        let questions = questions.take();
        let outcome = outcome.take();
        (
            questions,
            format!("{outcome}{}", if hooks.get() > 0 { " after waits" } else { "" }),
        )
    }

    #[test]
    fn lua_waits_wherever_it_stands() {
        let cases = [
            ("return ask('a') + ask('b')", "a b", "3"),
            (
                "return (string.gsub('xyz', '.', function(c) return ask(c) + 0 end))",
                "x y z",
                "error",
            ),
            (
                "local ok = pcall(function() ask('a') ask('b') ask('c') end) return tostring(ok) .. ask('d')",
                "a b c d",
                "false4",
            ),
            (
                "local t = {3, 1, 2} table.sort(t, function(a, b) ask('s') return a < b end) return t[1] + 0",
                "",
                "",
            ),
            (
                "local f = coroutine.wrap(function() coroutine.yield(ask('a')) coroutine.yield(ask('b')) end)
                 return f() + f()",
                "a b",
                "3",
            ),
            (
                "local n = 0 for i = 1, 5000 do n = n + 1 end return n",
                "",
                "5000 after waits",
            ),
            ("ask('a') ask('b') ask('c') return 1", "a b c", "error"),
            ("ask('a') error('mine')", "a", "error"),
        ];
        for (script, questions, outcome) in cases {
            let (asked, ended) = run(script);
            if !questions.is_empty() {
                assert_eq!(asked.join(" "), questions, "{script}");
            }
            assert!(ended.starts_with(outcome), "{script}: {ended}");
        }
    }

    #[test]
    fn a_fiber_works_again_and_again() {
        let count = Rc::new(Cell::new(0));
        let slot: Rc<RefCell<Option<Pause>>> = Rc::default();
        let (inner, pause) = (Rc::clone(&count), Rc::clone(&slot));
        let mut fiber = Fiber::new(move || {
            inner.set(inner.get() + 1);
            if let Some(pause) = &*pause.borrow() {
                pause.wait();
            }
            inner.set(inner.get() + 10);
        })
        .expect("a stack");
        assert!(fiber.resume());
        assert!(fiber.resume());
        assert_eq!(count.get(), 22);
        *slot.borrow_mut() = Some(fiber.pause());
        assert!(!fiber.resume());
        assert_eq!(count.get(), 23);
        assert!(fiber.resume());
        assert_eq!(count.get(), 33);
        fiber.pause().wait(); // outside: nothing happens
    }
}
