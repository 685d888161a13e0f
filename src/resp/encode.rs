//! Writing requests, as clients send them: for the append-only file and for other servers.

/// Appends a request of so many words.
pub fn request<'a>(out: &mut Vec<u8>, words: usize, args: impl Iterator<Item = &'a [u8]>) {
    let mut digits = itoa::Buffer::new();
    let mut head = |out: &mut Vec<u8>, sign: u8, len: usize| {
        out.push(sign);
        out.extend_from_slice(digits.format(len).as_bytes());
        out.extend_from_slice(b"\r\n");
    };
    head(out, b'*', words);
    for arg in args {
        head(out, b'$', arg.len());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

/// How many bytes a request has whose words are this long. O(words).
pub fn size_of_request(lens: impl ExactSizeIterator<Item = usize>) -> usize {
    let head = |len: usize| 3 + len.checked_ilog10().unwrap_or(0) as usize + 1;
    head(lens.len()) + lens.map(|len| head(len) + len + 2).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_request_is_what_it_takes() {
        for lens in [&[0][..], &[1, 9, 10], &[99, 100, 1000, 0], &[3; 12]] {
            let words: Vec<Vec<u8>> = lens.iter().map(|len| vec![b'x'; *len]).collect();
            let mut out = Vec::new();
            request(&mut out, words.len(), words.iter().map(Vec::as_slice));
            assert_eq!(size_of_request(lens.iter().copied()), out.len());
        }
    }
}
