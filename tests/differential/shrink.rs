//! The shortest program that still makes the servers differ. Thousands of runs cost little, since a run is one pipeline
//! of commands.

use super::generator::Request;
use super::report::Difference;
use crate::support::chunks::without_chunks;

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

#[test]
fn the_culprits_remain() {
    let culprits = |items: &[u32]| items.contains(&17) && items.contains(&61);
    assert_eq!(without_chunks((0..100).collect(), culprits), [17, 61]);
    assert_eq!(without_chunks(vec![1, 2, 3], |_| true), Vec::<i32>::new());
}
