//! Redis's glob patterns: `*`, `?`, `[a-z]`, `[^x]` and `\` to escape.

/// So many stars with something behind them a pattern may have; with more it matches nothing, as in Redis since it
/// bounded the depth of its recursion.
const STARS_MAX: usize = 1000;

/// Whether `text` matches `pattern`. Bytes, not characters; `fold` ignores ASCII case.
///
/// An empty text is matched by the empty pattern alone, which is why commands ask first whether a pattern is `*`.
///
/// Only the most recent `*` is ever retried, so the time is O(pattern × text), never exponential.
pub fn matches(pattern: &[u8], text: &[u8], fold: bool) -> bool {
    // No pattern matches nothing, not even a star: only another nothing does.
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    let mut stars = 0;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            while pattern.get(p) == Some(&b'*') {
                p += 1;
            }
            if p == pattern.len() {
                return true;
            }
            stars += 1;
            if stars > STARS_MAX {
                return false;
            }
            retry = Some((p, t));
            continue;
        }
        if let Some(next) = match_one(pattern, p, text[t], fold) {
            p = next;
            t += 1;
            continue;
        }
        let Some((star, from)) = retry else { return false };
        p = star;
        t = from + 1;
        retry = Some((star, t));
    }
    pattern[p..].iter().all(|&b| b == b'*')
}

/// Matches one byte against the pattern element at `p`; gives where the next element starts.
fn match_one(pattern: &[u8], p: usize, byte: u8, fold: bool) -> Option<usize> {
    let same = |a: u8, b: u8| if fold { a.eq_ignore_ascii_case(&b) } else { a == b };
    match *pattern.get(p)? {
        b'?' => Some(p + 1),
        b'[' => match_class(pattern, p + 1, byte, fold),
        b'\\' if p + 1 < pattern.len() => same(pattern[p + 1], byte).then_some(p + 2),
        literal => same(literal, byte).then_some(p + 1),
    }
}

/// Matches a `[...]` class whose first byte is at `p`. An unclosed class ends with the pattern, as in Redis.
fn match_class(pattern: &[u8], mut p: usize, byte: u8, fold: bool) -> Option<usize> {
    let lower = |b: u8| if fold { b.to_ascii_lowercase() } else { b };
    let negated = pattern.get(p) == Some(&b'^');
    p += usize::from(negated);
    let mut found = false;
    while p < pattern.len() && pattern[p] != b']' {
        if pattern[p] == b'\\' && p + 1 < pattern.len() {
            found |= pattern[p + 1] == byte;
            p += 2;
        } else if p + 2 < pattern.len() && pattern[p + 1] == b'-' {
            let (mut low, mut high) = (lower(pattern[p]), lower(pattern[p + 2]));
            if low > high {
                (low, high) = (high, low);
            }
            found |= (low..=high).contains(&lower(byte));
            p += 3;
        } else {
            found |= lower(pattern[p]) == lower(byte);
            p += 1;
        }
    }
    (found != negated).then_some((p + 1).min(pattern.len()))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn globs_match_as_redis_does() {
        let cases: &[(&str, &str, bool)] = &[
            ("*", "", false),
            ("**", "", false),
            ("", "", true),
            ("", "a", false),
            ("h?llo", "hello", true),
            ("h*llo", "heeeello", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxbxx", false),
            ("[ab", "a", true),
            ("a**", "a", true),
        ];
        for (pattern, text, want) in cases {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes(), false),
                *want,
                "{pattern} {text}"
            );
        }
        assert!(matches(b"HE*", b"hello", true));
    }

    #[test]
    fn many_stars_do_not_explode() {
        let pattern = b"a*".repeat(40);
        assert!(!matches(&[&pattern[..], b"b"].concat(), &b"a".repeat(2000), false));
    }

    #[test]
    fn a_thousand_stars_are_enough() {
        let text = vec![b'a'; 3000];
        let pattern = |stars: usize, end: &str| ["*a".repeat(stars).as_bytes(), end.as_bytes()].concat();
        assert!(matches(&pattern(1000, ""), &text, false));
        assert!(matches(&pattern(1000, "**"), &text, false));
        assert!(!matches(&pattern(1001, ""), &text, false));
        assert!(matches(&vec![b'*'; 5000], &text, false));
    }
}
