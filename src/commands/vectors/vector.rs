//! Vectors as requests bring them.

use super::number;
use crate::format::number::parse_double;
use crate::resp::request::Args;
use crate::server::failure::Failure;

/// A vector, and where it ends.
pub struct Given {
    pub vector: Vec<f32>,
    /// How many components are to be left of it.
    pub reduce: Option<usize>,
    /// The argument behind it.
    pub end: usize,
}

/// The vector that begins at argument `at`: `FP32 blob` or `VALUES num value ...`, with `REDUCE dim` before it where that is
/// allowed. O(components).
pub fn given(args: &Args<'_>, at: usize, may_reduce: bool) -> Result<Given, Failure> {
    read(args, at, may_reduce).ok_or_else(|| "ERR invalid vector specification".into())
}

fn read(args: &Args<'_>, mut at: usize, may_reduce: bool) -> Option<Given> {
    let mut reduce = None;
    if may_reduce && args.get(at)?.eq_ignore_ascii_case(b"REDUCE") {
        reduce = Some(number(args.get(at + 1), u32::MAX.into())?);
        at += 2;
    }
    let kind = args.get(at)?;
    let (vector, end) = if kind.eq_ignore_ascii_case(b"FP32") {
        (floats(args.get(at + 1)?)?, at + 2)
    } else if kind.eq_ignore_ascii_case(b"VALUES") {
        let first = at + 2;
        let count = number(args.get(at + 1), (args.len() - at) as i64)?;
        let texts = (first..first + count).map(|at| parse_double(args.get(at)?));
        let values: Option<Vec<f32>> = texts.map(|value| Some(value? as f32)).collect();
        (values?, first + count)
    } else {
        return None;
    };
    Some(Given { vector, reduce, end })
}

/// Floats of four bytes, the lowest first.
fn floats(bytes: &[u8]) -> Option<Vec<f32>> {
    let (words, rest) = bytes.as_chunks::<4>();
    let is_whole = !words.is_empty() && rest.is_empty();
    is_whole.then(|| words.iter().map(|word| f32::from_le_bytes(*word)).collect())
}
