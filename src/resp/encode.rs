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
