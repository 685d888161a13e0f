//! Sorting only the front of a slice, as GEOSEARCH with COUNT needs it.
//!
//! Members at one place are equally far away, and which of them come first is up to the algorithm. Redis takes the
//! quicksort of Bentley and McIlroy ("Engineering a Sort Function", Software: Practice and Experience 23, 1993), which
//! leaves alone the parts that lie behind the front. So here is that algorithm: pivots from a median of three, or of
//! three such medians; elements equal to the pivot gathered at both ends and then swapped into the middle; insertion sort
//! below seven elements. What is added is a way out: where pivots are bad again and again, made so by someone on purpose,
//! the part is merge-sorted, and a million members take no longer than they should.

use std::cmp::Ordering;
use std::ops::Range;

/// Parts of fewer elements are sorted by insertion.
const SMALL: usize = 7;
/// Parts of more elements have their pivot chosen from nine.
const LARGE: usize = 40;

/// Puts the first `count` elements in order where they would be if all were sorted; the rest is in no order. Not stable.
/// O(n log n), and about O(n + count log count) on average.
pub fn sort_front<T>(items: &mut [T], count: usize, compare: impl Fn(&T, &T) -> Ordering) {
    let most_splits = 4 * (items.len() + 1).ilog2();
    let mut parts = vec![(0..items.len(), 0)];
    while let Some((part, splits)) = parts.pop() {
        let start = part.start;
        let items = &mut items[part];
        if items.len() < SMALL {
            insertion_sort(items, &compare);
        } else if splits > most_splits {
            items.sort_by(&compare);
        } else {
            let (less, more) = split(items, &compare);
            for part in [less, more] {
                let part = start + part.start..start + part.end;
                if part.len() > 1 && part.start < count {
                    parts.push((part, splits + 1));
                }
            }
        }
    }
}

fn insertion_sort<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) {
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 && compare(&items[at - 1], &items[at]).is_gt() {
            items.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// The index of the middle one of three elements. With equal ones among them it matters which that is.
fn median<T>(items: &[T], [a, b, c]: [usize; 3], compare: &impl Fn(&T, &T) -> Ordering) -> usize {
    let order = |one: usize, other: usize| compare(&items[one], &items[other]);
    if order(a, b).is_lt() {
        if order(b, c).is_lt() {
            return b;
        }
        return if order(a, c).is_lt() { c } else { a };
    }
    if order(b, c).is_gt() {
        return b;
    }
    if order(a, c).is_lt() { a } else { c }
}

fn pivot<T>(items: &[T], compare: &impl Fn(&T, &T) -> Ordering) -> usize {
    let (len, middle, last) = (items.len(), items.len() / 2, items.len() - 1);
    if len == SMALL {
        return middle;
    }
    if len <= LARGE {
        return median(items, [0, middle, last], compare);
    }
    let step = len / 8;
    let thirds = [
        [0, step, 2 * step],
        [middle - step, middle, middle + step],
        [last - 2 * step, last - step, last],
    ];
    median(items, thirds.map(|third| median(items, third, compare)), compare)
}

/// Divides the elements by a pivot: gives the range of the lesser ones and that of the greater ones.
fn split<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) -> (Range<usize>, Range<usize>) {
    items.swap(0, pivot(items, compare));
    let len = items.len();
    // From the left: equal to the pivot, less, not yet looked at, greater, equal.
    let (mut equal_end, mut less_end) = (1, 1);
    let (mut open_end, mut more_end) = (len, len);
    loop {
        while less_end < open_end {
            match compare(&items[less_end], &items[0]) {
                Ordering::Greater => break,
                Ordering::Equal => {
                    items.swap(equal_end, less_end);
                    equal_end += 1;
                }
                Ordering::Less => {}
            }
            less_end += 1;
        }
        while less_end < open_end {
            match compare(&items[open_end - 1], &items[0]) {
                Ordering::Less => break,
                Ordering::Equal => {
                    items.swap(open_end - 1, more_end - 1);
                    more_end -= 1;
                }
                Ordering::Greater => {}
            }
            open_end -= 1;
        }
        if less_end == open_end {
            break;
        }
        items.swap(less_end, open_end - 1);
        less_end += 1;
        open_end -= 1;
    }
    let (less, more) = (less_end - equal_end, more_end - open_end);
    exchange(items, 0, less_end, less.min(equal_end));
    exchange(items, less_end, len, more.min(len - more_end));
    (0..less, len - more..len)
}

/// Exchanges the first `count` elements from `start` on with the last `count` before `end`.
fn exchange<T>(items: &mut [T], start: usize, end: usize, count: usize) {
    for at in 0..count {
        items.swap(start + at, end - count + at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::testing::Rng;

    fn check(items: &[u32], count: usize) {
        let (mut front, mut sorted) = (items.to_vec(), items.to_vec());
        sort_front(&mut front, count, u32::cmp);
        sorted.sort_unstable();
        assert_eq!(front[..count], sorted[..count]);
        front.sort_unstable();
        assert_eq!(front, sorted);
    }

    #[test]
    fn the_front_is_that_of_a_sorted_slice() {
        let mut rng = Rng::new(5);
        for round in 0..2000 {
            let len = rng.below(if round % 10 == 0 { 3000 } else { 60 });
            let different = 1 + rng.below(len + 1);
            let items: Vec<u32> = (0..len).map(|_| rng.below(different) as u32).collect();
            check(&items, rng.below(len + 1));
        }
    }

    #[test]
    fn orders_made_to_be_slow_are_not() {
        // McIlroy's adversary: decides what the elements are only when they are compared, so that pivots are bad.
        use std::cell::RefCell;
        const LEN: usize = 20_000;
        let state = RefCell::new((vec![usize::MAX; LEN], 0, 0, 0));
        let mut items: Vec<usize> = (0..LEN).collect();
        sort_front(&mut items, LEN, |&a, &b| {
            let mut state = state.borrow_mut();
            let (values, solid, candidate, comparisons) = &mut *state;
            *comparisons += 1;
            if values[a] == usize::MAX && values[b] == usize::MAX {
                let frozen = if a == *candidate { a } else { b };
                values[frozen] = *solid;
                *solid += 1;
            }
            if values[a] == usize::MAX {
                *candidate = a;
            } else if values[b] == usize::MAX {
                *candidate = b;
            }
            values[a].cmp(&values[b])
        });
        assert!(state.borrow().3 < 3_000_000, "{} comparisons", state.borrow().3);
    }
}
