//! When two replies are the same, for commands whose replies are not fixed to the byte.

use std::borrow::Cow;

use crate::support::reply::Reply;

/// How much of a reply is specified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Every byte.
    Exact,
    /// The elements, in any order: members of a set, names of keys.
    Unordered,
    /// Keys with their values, in any order of keys.
    Pairs,
    /// A cursor and the elements in any order.
    Scan,
    /// Kind and number of elements: random picks.
    Shape,
    /// A number that follows the clock, give or take this much. Zero, -1 and -2 have meanings and must match.
    Near(i64),
    /// Every byte but the times within: those of pending entries and consumers, give or take some seconds; and but how
    /// far a group has read, which the packaged servers, older than Redis 7.2.7, reckon wrongly across what is missing.
    Times,
}

/// Whether `ours` and `theirs` say the same. Errors are always compared to the byte.
pub fn same(compare: Compare, ours: &[u8], theirs: &[u8]) -> bool {
    if ours == theirs {
        return true;
    }
    if compare == Compare::Exact {
        return false;
    }
    let (Ok(ours), Ok(theirs)) = (Reply::parse(ours), Reply::parse(theirs)) else {
        return false;
    };
    if let Compare::Near(tolerance) = compare {
        return near(&ours, &theirs, tolerance);
    }
    if compare == Compare::Times {
        return same_but_times(&ours, &theirs);
    }
    canonical(compare, &ours) == canonical(compare, &theirs)
}

/// How far apart two servers' clocks may be, or the moments in which they run the same command, in milliseconds.
const APART: i64 = 10_000;

/// Fields of XINFO that follow the clock.
const TIMES: &[&[u8]] = &[b"idle", b"inactive", b"seen-time", b"active-time"];

/// Fields of XINFO that say how far a group has read.
const READ: &[&[u8]] = &[b"entries-read", b"lag"];

fn same_but_times(ours: &Reply, theirs: &Reply) -> bool {
    if ours.items.is_empty() || theirs.items.is_empty() {
        return ours.raw == theirs.raw;
    }
    let alike = |at: usize| {
        let (one, other) = (&ours.items[at], &theirs.items[at]);
        if at > 0 && READ.contains(&ours.items[at - 1].text()) {
            return true;
        }
        match (one.integer(), other.integer()) {
            (Some(one), Some(other)) if is_time(ours, at) => (one < 0) == (other < 0) && (one - other).abs() <= APART,
            _ => same_but_times(one, other),
        }
    };
    ours.kind == theirs.kind && ours.items.len() == theirs.items.len() && (0..ours.items.len()).all(alike)
}

/// Whether an element is a time: one that follows such a field's name, or the first number in a pending entry, which
/// begins with an ID.
fn is_time(reply: &Reply, at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|before| &reply.items[before]) else {
        return false;
    };
    let in_pending = reply.items[0].text().contains(&b'-');
    reply.items[at].kind == b':' && before.kind == b'$' && (in_pending || TIMES.contains(&before.text()))
}

fn near(ours: &Reply, theirs: &Reply, tolerance: i64) -> bool {
    if ours.kind != b':' || theirs.kind != b':' {
        return false;
    }
    match (ours.integer(), theirs.integer()) {
        (Some(ours), Some(theirs)) => ours > 0 && theirs > 0 && (ours - theirs).abs() <= tolerance,
        _ => false,
    }
}

/// A text that is equal for equal replies.
fn canonical<'a>(compare: Compare, reply: &Reply<'a>) -> Cow<'a, [u8]> {
    if reply.is_error() || reply.is_null() {
        return Cow::Borrowed(reply.raw);
    }
    match compare {
        Compare::Exact | Compare::Near(_) | Compare::Times => Cow::Borrowed(reply.raw),
        Compare::Unordered => Cow::Owned(sorted(reply, 1)),
        Compare::Pairs => Cow::Owned(sorted(reply, 2)),
        Compare::Scan => match reply.items.as_slice() {
            [cursor, elements] => Cow::Owned([cursor.raw, &sorted(elements, 1)].concat()),
            _ => Cow::Borrowed(reply.raw),
        },
        Compare::Shape => Cow::Owned(format!("{} with {}", reply.kind as char, reply.items.len()).into_bytes()),
    }
}

/// Kind, number and sorted elements of an aggregate, `group` of them kept together.
fn sorted(reply: &Reply, group: usize) -> Vec<u8> {
    let mut groups: Vec<Vec<u8>> = reply
        .items
        .chunks(group)
        .map(|items| items.iter().flat_map(|item| item.raw.iter().copied()).collect())
        .collect();
    groups.sort_unstable();
    let mut text = format!("{}{}\r\n", reply.kind as char, reply.items.len()).into_bytes();
    if reply.items.is_empty() {
        text.extend_from_slice(reply.raw);
    }
    text.extend(groups.concat());
    text
}

#[test]
fn order_matters_only_where_it_is_specified() {
    let (one, two) = (b"*2\r\n:1\r\n:2\r\n", b"*2\r\n:2\r\n:1\r\n");
    assert!(!same(Compare::Exact, one, two));
    assert!(same(Compare::Unordered, one, two));
    assert!(!same(Compare::Pairs, one, two));
    assert!(!same(Compare::Unordered, one, b"~2\r\n:2\r\n:1\r\n"));
    let (one, two) = (b"%2\r\n:1\r\n:2\r\n:3\r\n:4\r\n", b"%2\r\n:3\r\n:4\r\n:1\r\n:2\r\n");
    assert!(same(Compare::Pairs, one, two));
}

#[test]
fn clocks_may_differ_but_meanings_may_not() {
    assert!(same(Compare::Near(5), b":100\r\n", b":104\r\n"));
    assert!(!same(Compare::Near(5), b":100\r\n", b":106\r\n"));
    assert!(!same(Compare::Near(5), b":-1\r\n", b":-2\r\n"));
    assert!(!same(Compare::Near(5), b":0\r\n", b":-1\r\n"));
}

#[test]
fn only_times_may_differ_in_a_reply_with_times() {
    let pending = |time, count| format!("*1\r\n*4\r\n$3\r\n1-1\r\n$1\r\nc\r\n:{time}\r\n:{count}\r\n").into_bytes();
    assert!(same(Compare::Times, &pending(100, 1), &pending(105, 1)));
    assert!(!same(Compare::Times, &pending(100, 1), &pending(100, 2)));
    assert!(!same(Compare::Times, &pending(100, 1), &pending(1_000_000, 1)));
    let consumer = |name: &str, time| format!("%1\r\n${}\r\n{name}\r\n:{time}\r\n", name.len()).into_bytes();
    assert!(same(Compare::Times, &consumer("idle", 0), &consumer("idle", 3)));
    assert!(!same(Compare::Times, &consumer("idle", -1), &consumer("idle", 3)));
    assert!(!same(Compare::Times, &consumer("pending", 1), &consumer("pending", 2)));
    assert!(same(Compare::Times, &consumer("lag", 1), &consumer("lag", 2)));
}
