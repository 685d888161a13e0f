//! Delta debugging: the shortest list that still shows a fault.
//!
//! Zeller and Hildebrandt's "Simplifying and Isolating Failure-Inducing Input" (2002), in its simplest form: leave out
//! ever smaller chunks for as long as the fault remains.

/// The shortest list found by leaving out chunks of `items` for which `fails` still holds. O(n log n) calls when most
/// chunks can go, O(n²) at worst.
pub fn without_chunks<T: Clone>(mut items: Vec<T>, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
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
