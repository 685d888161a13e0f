//! INFO's fields.
//!
//! [`table`] is the one list of everything INFO says: sections, and in each the fields in Redis 7.2's order with where
//! their values come from. Tools find fields by name and people by place, so neither may change by accident.

pub mod figures;
mod lines;
mod table;

use super::core::Core;
use super::os::{CpuTime, Whose};
use figures::Figures;
use table::{Item, SECTIONS, Section};

/// What a report is written from: the core, and what is measured once for all fields.
struct View<'a> {
    core: &'a Core,
    memory: Figures,
    cpu: CpuTime,
    children_cpu: CpuTime,
    thread_cpu: CpuTime,
}

impl<'a> View<'a> {
    fn new(core: &'a Core) -> Self {
        View {
            core,
            memory: Figures::measure(core),
            cpu: CpuTime::of(Whose::Process),
            children_cpu: CpuTime::of(Whose::Children),
            thread_cpu: CpuTime::of(Whose::Thread),
        }
    }
}

/// INFO's text for the section names a client gave; without any, the default ones. Each section comes once, in the
/// table's order; a name that no section has adds nothing.
pub fn report(core: &Core, names: &[&[u8]]) -> String {
    let names = if names.is_empty() { &[&b"default"[..]] } else { names };
    let mut chosen = SECTIONS
        .iter()
        .filter(|section| names.iter().any(|name| section.answers_to(name)))
        .peekable();
    let mut out = String::new();
    if chosen.peek().is_none() {
        return out;
    }
    let view = View::new(core);
    for section in chosen {
        if !out.is_empty() {
            out.push_str("\r\n");
        }
        section.write(&view, &mut out);
    }
    out
}

impl Section {
    fn answers_to(&self, name: &[u8]) -> bool {
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        is(self.name) || is("all") || is("everything") || (self.default && is("default"))
    }

    fn write(&self, view: &View<'_>, out: &mut String) {
        out.push_str("# ");
        out.push_str(self.name);
        out.push_str("\r\n");
        for item in self.items {
            match item {
                Item::Field(name, value) => {
                    out.push_str(name);
                    out.push(':');
                    value(view, out);
                    out.push_str("\r\n");
                }
                Item::Lines(lines) => lines(view, out),
            }
        }
    }
}

#[cfg(test)]
mod tests;
