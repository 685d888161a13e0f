//! Commands that run scripts, with what a script declares of itself in the place of what holds for any.
//!
//! To the dispatcher they are specs like others, so that whatever looks at flags (also of commands that MULTI has queued)
//! sees what this script does.

use std::ptr;
use std::sync::LazyLock;

use super::flags::Flag;
use super::{CommandSpec, by_id, lookup_own};

const NAMES: [&str; 6] = ["eval", "eval_ro", "evalsha", "evalsha_ro", "fcall", "fcall_ro"];

/// By name, and then by what is declared.
static VARIANTS: LazyLock<Vec<CommandSpec>> = LazyLock::new(|| {
    let specs = NAMES.iter().filter_map(|name| lookup_own(name.as_bytes()));
    specs.flat_map(|spec| (0..8).map(|bits| variant(spec, bits))).collect()
});

fn variant(spec: &CommandSpec, bits: usize) -> CommandSpec {
    let flags = spec.flags.having(Flag::Write, bits & 1 > 0);
    let flags = flags.having(Flag::DenyOom, bits & 2 > 0);
    CommandSpec {
        flags: flags.having(Flag::Stale, bits & 4 > 0),
        ..spec.clone()
    }
}

/// The command for a script that declares whether it writes, whether it may need memory, and whether it runs on a replica
/// without its primary.
pub fn of(spec: &'static CommandSpec, writes: bool, may_grow: bool, allows_stale: bool) -> &'static CommandSpec {
    let bits = usize::from(writes) | usize::from(may_grow) << 1 | usize::from(allows_stale) << 2;
    let place = NAMES.iter().position(|name| *name == spec.name);
    place.map_or(spec, |place| &VARIANTS[place * 8 + bits])
}

/// Whether the spec is one of these.
pub fn is_declared(spec: &CommandSpec) -> bool {
    !ptr::eq(spec, by_id(spec.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_what_is_declared() {
        let spec = lookup_own(b"evalsha").expect("a command");
        for (writes, may_grow, stale) in [(true, true, false), (false, false, true), (true, false, false)] {
            let declared = of(spec, writes, may_grow, stale);
            assert_eq!((declared.name, declared.id), (spec.name, spec.id));
            let flags = declared.flags;
            let has = [Flag::Write, Flag::DenyOom, Flag::Stale].map(|flag| flags.contains(flag));
            assert_eq!(has, [writes, may_grow, stale]);
            assert!(is_declared(declared) && flags.contains(Flag::NoScript));
        }
        assert!(!is_declared(spec));
    }
}
