//! Putting part of a sequence in order, and where to leave elements that compare as equal.
//!
//! Only what LIMIT asks for needs to be in order. What compares as equal without being the same shows how one sorts. Redis
//! keeps such elements as they stood if it sorts all, and leaves them where its quicksort does if it sorts a part.
//! Both are visible with BY and ALPHA, when several elements have the same weight, or none.

use std::cmp::Ordering;
use std::ops::Range;

/// An element that knows where it stood.
pub trait Numbered {
    fn number(&self) -> (usize, usize);
}

/// Sorts so that `window` has the elements it would have if all were sorted, equal ones in the order they came in.
/// O(n + m log m) for a window of m; the rest is left in any order.
pub fn stable_window<T: Numbered>(items: &mut [T], window: Range<usize>, mut compare: impl FnMut(&T, &T) -> Ordering) {
    if window.is_empty() {
        return;
    }
    let mut compare = |a: &T, b: &T| compare(a, b).then(a.number().cmp(&b.number()));
    let mut part = items;
    if window.end < part.len() {
        part.select_nth_unstable_by(window.end, &mut compare);
        part = &mut part[..window.end];
    }
    if window.start > 0 {
        part.select_nth_unstable_by(window.start, &mut compare);
        part = &mut part[window.start..];
    }
    part.sort_unstable_by(compare);
}

/// Below this many elements, insertion takes over.
const FEW: usize = 7;
/// Above this many, the pivot is a median of medians.
const MANY: usize = 40;

/// Sorts so that `window` has the elements it would have if all were sorted. This is the quicksort of Bentley and
/// McIlroy, "Engineering a Sort Function" (1993), which leaves out the parts that lie outside the window. O(n) for a small
/// window on average; quadratic at worst, like Redis's.
pub fn quicksort_window<T>(
    mut items: &mut [T],
    mut window: Range<usize>,
    compare: &mut impl FnMut(&T, &T) -> Ordering,
) {
    loop {
        let len = items.len();
        if len < FEW {
            return insertion_sort(items, compare);
        }
        let pivot = choose_pivot(items, compare);
        items.swap(0, pivot);
        let (lower, higher) = partition(items, compare);
        if lower > 1 && overlap(&window, &(0..lower)) {
            quicksort_window(&mut items[..lower], window.clone(), compare);
        }
        let start = len - higher;
        if higher <= 1 || !overlap(&window, &(start..len)) {
            return;
        }
        window = window.start.saturating_sub(start)..window.end - start;
        items = &mut items[start..];
    }
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

fn insertion_sort<T>(items: &mut [T], compare: &mut impl FnMut(&T, &T) -> Ordering) {
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 && compare(&items[at - 1], &items[at]).is_gt() {
            items.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// The middle element, or the median of three, or of three medians of three.
fn choose_pivot<T>(items: &[T], compare: &mut impl FnMut(&T, &T) -> Ordering) -> usize {
    let len = items.len();
    let (mut low, mut middle, mut high) = (0, len / 2, len - 1);
    if len == FEW {
        return middle;
    }
    if len > MANY {
        let step = len / 8;
        low = median(items, [low, low + step, low + 2 * step], compare);
        middle = median(items, [middle - step, middle, middle + step], compare);
        high = median(items, [high - 2 * step, high - step, high], compare);
    }
    median(items, [low, middle, high], compare)
}

fn median<T>(items: &[T], [a, b, c]: [usize; 3], compare: &mut impl FnMut(&T, &T) -> Ordering) -> usize {
    let mut order = |x: usize, y: usize| compare(&items[x], &items[y]);
    let ascending = order(a, b).is_lt();
    let middle_is_middle = match ascending {
        true => order(b, c).is_lt(),
        false => order(b, c).is_gt(),
    };
    if middle_is_middle {
        return b;
    }
    if order(a, c).is_lt() == ascending { c } else { a }
}

/// Divides the elements by the first of them, and tells how many are lower and how many are higher. Equal ones gather at
/// both ends meanwhile and are moved to the middle at last.
fn partition<T>(items: &mut [T], compare: &mut impl FnMut(&T, &T) -> Ordering) -> (usize, usize) {
    let len = items.len();
    let (mut equal_low, mut low) = (1, 1);
    let (mut high, mut equal_high) = (len - 1, len - 1);
    loop {
        while low <= high {
            match compare(&items[low], &items[0]) {
                Ordering::Greater => break,
                Ordering::Equal => {
                    items.swap(equal_low, low);
                    equal_low += 1;
                }
                Ordering::Less => {}
            }
            low += 1;
        }
        while low <= high {
            match compare(&items[high], &items[0]) {
                Ordering::Less => break,
                Ordering::Equal => {
                    items.swap(high, equal_high);
                    equal_high -= 1;
                }
                Ordering::Greater => {}
            }
            high -= 1;
        }
        if low > high {
            break;
        }
        items.swap(low, high);
        low += 1;
        high -= 1;
    }
    let (lower, higher) = (low - equal_low, equal_high - high);
    swap_runs(items, 0, low, equal_low.min(lower));
    swap_runs(items, low, len, higher.min(len - 1 - equal_high));
    (lower, higher)
}

/// Swaps the `count` elements from `start` on with those up to `end`.
fn swap_runs<T>(items: &mut [T], start: usize, end: usize, count: usize) {
    for offset in 0..count {
        items.swap(start + offset, end - count + offset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Numbered for (u8, usize) {
        fn number(&self) -> (usize, usize) {
            (self.1, 0)
        }
    }

    #[test]
    fn windows_hold_what_a_full_sort_would_put_there() {
        let mut random = fastrand::Rng::with_seed(8);
        for _ in 0..5000 {
            let kinds = random.u8(1..=255);
            let len = random.usize(0..200);
            let items: Vec<(u8, usize)> = (0..len).map(|at| (random.u8(0..kinds), at)).collect();
            let start = random.usize(0..=len);
            let window = start..random.usize(start..=len);
            let mut sorted = items.clone();
            sorted.sort();
            let mut by_kind = |a: &(u8, usize), b: &(u8, usize)| a.0.cmp(&b.0);

            let mut stable = items.clone();
            stable_window(&mut stable, window.clone(), by_kind);
            assert_eq!(stable[window.clone()], sorted[window.clone()]);

            let mut quick = items.clone();
            quicksort_window(&mut quick, window.clone(), &mut by_kind);
            let kinds = |items: &[(u8, usize)]| items[window.clone()].iter().map(|item| item.0).collect::<Vec<_>>();
            assert_eq!(kinds(&quick), kinds(&sorted));
            quick.sort();
            assert_eq!(quick, sorted);
        }
    }
}
