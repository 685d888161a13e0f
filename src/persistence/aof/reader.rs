//! Taking requests from a file of the log.
//!
//! A file holds requests as clients send them, each `*` and a count and so many `$` bulks, and between them lines that
//! begin with `#`: annotations, such as `#TS:` and the second at which the next request was made. Nothing else may be
//! there. What a crash leaves is a file that ends within a request; where the last whole one ended is known.

use std::fmt;
use std::io::{self, Read};

/// Bytes asked of the file at a time.
const STEP: usize = 256 * 1024;
/// A buffer that has grown beyond this for one request is made small again.
const KEPT: usize = 16 * STEP;
/// The longest first line of anything; no number needs more.
const LINE_MAX: usize = 1024;
/// Arguments a request may have, as clients' may.
const ARGUMENTS_MAX: u64 = i32::MAX as u64;

/// Why no more requests can be taken.
#[derive(Debug)]
pub enum ReadError {
    /// The file ends within a request.
    Truncated,
    /// What stands there is no request.
    Format,
    Io(io::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Truncated => f.write_str("unexpected end of file"),
            ReadError::Format => f.write_str("bad file format"),
            ReadError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}

/// A request: its arguments' places in the reader's buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(pub Vec<(usize, usize)>);

/// What one step of a reader comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The next request has been found.
    Request,
    /// It is large, and there is more of it.
    Unfinished,
    /// The end of the file, and of the last request.
    End,
}

/// Reads a file from front to end.
pub struct Reader<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where in the buffer the next request begins.
    start: usize,
    /// Bytes of the file before the buffer.
    passed: u64,
    /// Bytes that the buffer must have before it is looked at again. This doubles while a request is not whole, so that a
    /// huge one is not looked through over and over.
    wanted: usize,
    at_end: bool,
}

impl<R: Read> Reader<R> {
    /// Reads `input` from byte `position` of its file on; `begun` was read from there already.
    pub fn new(input: R, begun: Vec<u8>, position: u64) -> Self {
        Reader {
            input,
            buffer: begun,
            start: 0,
            passed: position,
            wanted: 0,
            at_end: false,
        }
    }

    /// Where the next request begins: everything before is whole.
    pub fn position(&self) -> u64 {
        self.passed + self.start as u64
    }

    /// The bytes that [`Words`] are places in, until the next is asked for.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Finds the next request; false at the end of the file. O(bytes of the request).
    pub fn next(&mut self, words: &mut Words) -> Result<bool, ReadError> {
        loop {
            match self.step(words)? {
                Next::Request => return Ok(true),
                Next::Unfinished => {}
                Next::End => return Ok(false),
            }
        }
    }

    /// The same, with no more than one read from the file. O(bytes of that), and amortised O(bytes of the request).
    pub fn step(&mut self, words: &mut Words) -> Result<Next, ReadError> {
        loop {
            if self.at_end || self.buffer.len() >= self.wanted {
                match self.parse(words)? {
                    Some(end) => {
                        (self.start, self.wanted) = (end, 0);
                        if !words.0.is_empty() {
                            return Ok(Next::Request);
                        }
                        continue;
                    }
                    None if self.at_end && self.start == self.buffer.len() => return Ok(Next::End),
                    None if self.at_end => return Err(ReadError::Truncated),
                    None => self.wanted = 2 * (self.buffer.len() - self.start),
                }
            }
            self.fill()?;
            if self.buffer.len() < self.wanted && !self.at_end {
                return Ok(Next::Unfinished);
            }
        }
    }

    fn fill(&mut self) -> Result<(), ReadError> {
        self.buffer.drain(..self.start);
        self.passed += self.start as u64;
        self.start = 0;
        let len = self.buffer.len();
        if self.buffer.capacity() > KEPT && len < STEP {
            self.buffer.shrink_to(2 * STEP);
        }
        self.buffer.resize(len + STEP, 0);
        let read = loop {
            match self.input.read(&mut self.buffer[len..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome,
            }
        };
        self.buffer.truncate(len + *read.as_ref().unwrap_or(&0));
        self.at_end = read.map_err(ReadError::Io)? == 0;
        Ok(())
    }

    /// Looks for a whole request or annotation in the buffer and gives its end; an annotation has no words.
    fn parse(&self, words: &mut Words) -> Result<Option<usize>, ReadError> {
        words.0.clear();
        let bytes = &self.buffer;
        let mut at = self.start;
        match bytes.get(at) {
            None => return Ok(None),
            Some(b'#') => return Ok(memchr::memchr(b'\n', &bytes[at..]).map(|len| at + len + 1)),
            Some(_) => {}
        }
        let Some(count) = number(bytes, &mut at, b'*')? else {
            return Ok(None);
        };
        if !(1..=ARGUMENTS_MAX).contains(&count) {
            return Err(ReadError::Format);
        }
        for _ in 0..count {
            let Some(len) = number(bytes, &mut at, b'$')? else {
                words.0.clear();
                return Ok(None);
            };
            let len = usize::try_from(len).map_err(|_| ReadError::Format)?;
            let end = at.checked_add(len).ok_or(ReadError::Format)?;
            let Some(line_end) = bytes.get(end..end.saturating_add(2)) else {
                words.0.clear();
                return Ok(None);
            };
            if line_end != b"\r\n" {
                return Err(ReadError::Format);
            }
            words.0.push((at, len));
            at = end + 2;
        }
        Ok(Some(at))
    }
}

/// The number of a line that begins with `sign`, from `at` on, which moves behind it; `None` if the line is not whole.
fn number(bytes: &[u8], at: &mut usize, sign: u8) -> Result<Option<u64>, ReadError> {
    let rest = &bytes[*at..];
    match rest.first() {
        None => return Ok(None),
        Some(&first) if first != sign => return Err(ReadError::Format),
        Some(_) => {}
    }
    let window = &rest[..rest.len().min(LINE_MAX)];
    let Some(end) = memchr::memchr(b'\n', window) else {
        return match window.len() == LINE_MAX {
            true => Err(ReadError::Format),
            false => Ok(None),
        };
    };
    let digits = window[1..end].strip_suffix(b"\r").ok_or(ReadError::Format)?;
    let text = std::str::from_utf8(digits).map_err(|_| ReadError::Format)?;
    let value = text.parse().map_err(|_| ReadError::Format)?;
    *at += end + 1;
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(bytes: &[u8]) -> (Vec<Vec<String>>, Result<bool, ReadError>, u64) {
        let (mut reader, mut words, mut found) = (Reader::new(bytes, Vec::new(), 0), Words::default(), Vec::new());
        loop {
            match reader.next(&mut words) {
                Ok(true) => {
                    let text = |&(at, len): &(usize, usize)| {
                        String::from_utf8_lossy(&reader.bytes()[at..at + len]).into_owned()
                    };
                    found.push(words.0.iter().map(text).collect());
                }
                end => return (found, end, reader.position()),
            }
        }
    }

    #[test]
    fn requests_are_found_and_annotations_passed_over() {
        let bytes = b"#TS:12\r\n*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n#end\r\n";
        let (found, end, position) = requests(bytes);
        assert_eq!(found, [vec!["PING"], vec!["GET", "a\r\nb"]]);
        assert!(matches!(end, Ok(false)));
        assert_eq!(position, bytes.len() as u64);
    }

    #[test]
    fn a_cut_leaves_the_whole_requests() {
        let bytes = b"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
        for cut in 0..bytes.len() {
            let (found, end, position) = requests(&bytes[..cut]);
            let whole = usize::from(cut >= 14);
            assert_eq!((found.len(), position), (whole, 14 * whole as u64), "{cut}");
            let at_border = cut == 0 || cut == 14;
            assert!(
                matches!((at_border, end), (true, Ok(false)) | (false, Err(ReadError::Truncated))),
                "{cut}"
            );
        }
    }

    #[test]
    fn a_large_request_is_read_in_steps() {
        let size = 20 * STEP;
        let mut bytes = format!("*2\r\n$4\r\nECHO\r\n${size}\r\n").into_bytes();
        bytes.resize(bytes.len() + size, b'x');
        bytes.extend_from_slice(b"\r\n");
        let small = 50 * STEP / b"*1\r\n$4\r\nPING\r\n".len();
        bytes.extend(b"*1\r\n$4\r\nPING\r\n".repeat(small));
        let (mut reader, mut words) = (Reader::new(&bytes[..], Vec::new(), 0), Words::default());
        let mut steps = 0;
        while reader.step(&mut words).expect("it is whole") == Next::Unfinished {
            steps += 1;
        }
        assert!(steps >= 10, "{steps}");
        assert_eq!(words.0[1].1, size);
        for _ in 0..small {
            assert!(reader.next(&mut words).expect("it is whole"));
            assert_eq!(words.0.len(), 1);
        }
        assert!(!reader.next(&mut words).expect("it is whole"));
        assert_eq!(reader.position(), bytes.len() as u64);
        assert!(reader.buffer.capacity() <= KEPT);
    }

    #[test]
    fn anything_else_is_refused() {
        for bytes in [
            &b"PING\r\n"[..],
            b"*0\r\n",
            b"*-1\r\n",
            b"*1\n$4\r\nPING\r\n",
            b"*1\r\n+4\r\nPING\r\n",
            b"*1\r\n$4\r\nPING__",
            b"*1\r\n$x\r\nPING\r\n",
            b"*99999999999999999999\r\n",
            b"*1\r\n$18446744073709551615\r\nPING\r\n",
        ] {
            assert!(
                matches!(requests(bytes).1, Err(ReadError::Format)),
                "{}",
                bytes.escape_ascii()
            );
        }
        let endless = [b"*".as_slice(), &[b'1'; 2000]].concat();
        assert!(matches!(requests(&endless).1, Err(ReadError::Format)));
        // A forged length costs nothing but what is there.
        assert!(matches!(
            requests(b"*1\r\n$400000000000\r\nPING\r\n").1,
            Err(ReadError::Truncated)
        ));
    }
}
