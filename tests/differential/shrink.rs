//! Delta debugging: the shortest program that still makes the servers differ.
//!
//! Zeller and Hildebrandt's "Simplifying and Isolating Failure-Inducing Input" (2002), in its simplest form: leave out
//! ever smaller chunks for as long as the difference remains. Thousands of runs cost little, since a run is one
//! pipeline of commands.

use super::generator::Request;
use super::report::Difference;

/// Leaves out commands, then arguments, for as long as `differs` still finds a difference; `found` is `program`'s own.
pub fn shrink(
    program: Vec<Request>,
    found: Difference,
    mut differs: impl FnMut(&[Request]) -> Option<Difference>,
) -> (Vec<Request>, Difference) {
    let mut latest = found;
    let mut fails = |candidate: &[Request]| match differs(candidate) {
        Some(difference) => {
            latest = difference;
            true
        }
        None => false,
    };
    let mut program = without_chunks(program, &mut fails);
    for index in 0..program.len() {
        let compare = program[index].compare;
        let args = program[index].args.clone();
        let shorter = without_chunks(args, |args| {
            let mut candidate = program.clone();
            candidate[index].args = args.to_vec();
            !args.is_empty() && fails(&candidate)
        });
        program[index] = Request { args: shorter, compare };
    }
    (program, latest)
}

/// The shortest list found by leaving out chunks of `items` for which `fails` still holds. O(n log n) calls when most
/// chunks can go, O(n²) at worst.
fn without_chunks<T: Clone>(mut items: Vec<T>, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut size = items.len().div_ceil(2);
    while size > 0 {
        let mut removed = false;
        let mut start = 0;
        while start < items.len() {
            let end = (start + size).min(items.len());
            let candidate = [&items[..start], &items[end..]].concat();
            if fails(&candidate) {
                items = candidate;
                removed = true;
            } else {
                start = end;
            }
        }
        if size == 1 && !removed {
            break;
        }
        size = if size == 1 { 1 } else { size / 2 };
    }
    items
}

#[test]
fn the_culprits_remain() {
    let culprits = |items: &[u32]| items.contains(&17) && items.contains(&61);
    assert_eq!(without_chunks((0..100).collect(), culprits), [17, 61]);
    assert_eq!(without_chunks(vec![1, 2, 3], |_| true), Vec::<i32>::new());
}
