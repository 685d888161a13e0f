//! Ranges as arguments: positions in a list or sorted set, scores, member texts.

use std::ops::Range;

use crate::format::number::parse_bound;
use crate::types::zset::{LexBound, LexRange, ScoreRange};

/// The positions from `start` to `stop`, both included and counted from the end when negative, that are in `0..len`.
pub fn positions(start: i64, stop: i64, len: usize) -> Range<usize> {
    let end = len as i64;
    let from_end = |at: i64| if at < 0 { at + end } else { at };
    let (start, stop) = (from_end(start).max(0), from_end(stop).min(end - 1));
    if start > stop {
        return 0..0;
    }
    start as usize..stop as usize + 1
}

/// The position `index` stands for, counted from the end when negative; it may be past the end, `None` before the start.
pub fn position(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index + len as i64 } else { index };
    usize::try_from(index).ok()
}

/// A range of scores: each end a number, with `(` before it if it is not included itself.
pub fn scores(min: &[u8], max: &[u8]) -> Option<ScoreRange> {
    let (min, min_exclusive) = score_bound(min)?;
    let (max, max_exclusive) = score_bound(max)?;
    Some(ScoreRange {
        min,
        max,
        min_exclusive,
        max_exclusive,
    })
}

fn score_bound(text: &[u8]) -> Option<(f64, bool)> {
    match text {
        [b'(', number @ ..] => Some((parse_bound(number)?, true)),
        number => Some((parse_bound(number)?, false)),
    }
}

/// A range of member texts: each end `-`, `+`, or a text behind `[` (included) or `(` (not).
pub fn texts<'a>(min: &'a [u8], max: &'a [u8]) -> Option<LexRange<'a>> {
    Some(LexRange {
        min: text_bound(min)?,
        max: text_bound(max)?,
    })
}

/// Redis looks for the end of `-` and `+` as C does, at a NUL byte.
fn text_bound(text: &[u8]) -> Option<LexBound<'_>> {
    match text {
        [b'-'] | [b'-', 0, ..] => Some(LexBound::Min),
        [b'+'] | [b'+', 0, ..] => Some(LexBound::Max),
        [b'[', text @ ..] => Some(LexBound::Inclusive(text)),
        [b'(', text @ ..] => Some(LexBound::Exclusive(text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_both_ends() {
        assert_eq!(positions(0, -1, 5), 0..5);
        assert_eq!(positions(-2, 100, 5), 3..5);
        assert_eq!(positions(-100, 0, 5), 0..1);
        for (start, stop, len) in [(3, 1, 5), (5, 9, 5), (0, -6, 5), (0, -1, 0), (i64::MIN, i64::MIN, 5)] {
            assert!(positions(start, stop, len).is_empty(), "{start} {stop}");
        }
        assert_eq!(positions(i64::MIN, i64::MAX, 5), 0..5);
    }

    #[test]
    fn bounds_of_scores_are_read_as_c_does() {
        let range = scores(b"(1.5", b"+inf").expect("a range");
        assert_eq!((range.min, range.min_exclusive), (1.5, true));
        assert_eq!((range.max, range.max_exclusive), (f64::INFINITY, false));
        assert_eq!(
            scores(b"", b" 1e999").map(|range| (range.min, range.max)),
            Some((0.0, f64::INFINITY))
        );
        for bad in [&b"(("[..], b"nan", b"(nan", b"1 ", b" ", b"[1", b"x"] {
            assert!(scores(bad, b"1").is_none());
        }
    }

    #[test]
    fn bounds_of_texts_need_a_mark() {
        assert_eq!(texts(b"-", b"[").map(|range| range.max), Some(LexBound::Inclusive(b"")));
        assert!(texts(b"a", b"+").is_none());
        assert!(texts(b"", b"+").is_none());
        assert!(texts(b"-", b"+1").is_none());
    }
}
