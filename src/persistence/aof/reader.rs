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

/// Where an argument stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the reader's buffer.
    Within { at: usize, len: usize },
    /// In a buffer of its own, the one of this number.
    Apart(usize),
}

/// A request: its arguments' places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(pub Vec<Place>);

/// What stands at the front of a reader's buffer.
enum Found {
    /// A request or an annotation, up to here.
    Whole(usize),
    /// One that is not whole.
    Part,
    /// The same up to an argument of this length, which begins here and is better read apart.
    Long { at: usize, len: usize },
}

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
    /// Bytes there are in all, as far as is known.
    len: u64,
    /// Long arguments of the request, which are read into buffers of their own and do not stand in the buffer, and where
    /// there they belong.
    apart: Vec<Vec<u8>>,
    apart_at: Vec<usize>,
    /// The length of the last of them, while it is not whole.
    filling: Option<usize>,
    /// Whether the request was handed out.
    is_told: bool,
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
            len: 0,
            apart: Vec::new(),
            apart_at: Vec::new(),
            filling: None,
            is_told: false,
        }
    }

    /// Says how many bytes the file has, so that a long argument is given its size at once.
    pub fn set_len(&mut self, len: u64) {
        self.len = len;
    }

    /// Where the next request begins: everything before is whole.
    pub fn position(&self) -> u64 {
        self.passed + self.start as u64
    }

    /// The bytes that [`Words`] are places in, until the next is asked for.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// The arguments that stand apart, to be taken before the next request is asked for.
    pub fn take_apart(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.apart)
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
        if std::mem::take(&mut self.is_told) {
            self.apart.clear();
            self.apart_at.clear();
        }
        loop {
            if let Some(len) = self.filling {
                self.fill_apart(len)?;
                if self.filling.is_some() {
                    return Ok(Next::Unfinished);
                }
            }
            if self.at_end || self.buffer.len() >= self.wanted {
                match self.parse(words)? {
                    Found::Whole(end) => {
                        (self.start, self.wanted) = (end, 0);
                        if !words.0.is_empty() {
                            self.passed += self.apart.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
                            self.is_told = true;
                            return Ok(Next::Request);
                        }
                        continue;
                    }
                    Found::Part if self.at_end && self.start == self.buffer.len() => return Ok(Next::End),
                    Found::Part | Found::Long { .. } if self.at_end => return Err(ReadError::Truncated),
                    Found::Part => self.wanted = 2 * (self.buffer.len() - self.start),
                    Found::Long { at, len } => {
                        self.read_apart(at, len);
                        continue;
                    }
                }
            }
            self.fill()?;
            if self.buffer.len() < self.wanted && !self.at_end {
                return Ok(Next::Unfinished);
            }
        }
    }

    /// Begins a buffer for the argument that begins at `at`, with what is there of it.
    fn read_apart(&mut self, at: usize, len: usize) {
        let before: usize = self.apart.iter().map(Vec::len).sum();
        let left = self.len.saturating_sub(self.passed + (before + at) as u64);
        let is_there = len as u64 <= left;
        let mut bytes = Vec::with_capacity(if is_there { len } else { STEP });
        let begun = at + len.min(self.buffer.len() - at);
        bytes.extend_from_slice(&self.buffer[at..begun]);
        self.buffer.drain(at..begun);
        self.apart.push(bytes);
        self.apart_at.push(at);
        (self.filling, self.wanted) = (Some(len), 0);
    }

    /// Reads the next bytes of the last argument that stands apart.
    fn fill_apart(&mut self, len: usize) -> Result<(), ReadError> {
        let Some(bytes) = self.apart.last_mut() else {
            return Ok(());
        };
        let have = bytes.len();
        if have < len {
            bytes.resize(len.min(have + STEP), 0);
            let read = read_some(&mut self.input, &mut bytes[have..]);
            bytes.truncate(have + *read.as_ref().unwrap_or(&0));
            if read.map_err(ReadError::Io)? == 0 {
                self.at_end = true;
                return Err(ReadError::Truncated);
            }
        }
        if bytes.len() == len {
            self.filling = None;
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), ReadError> {
        self.buffer.drain(..self.start);
        self.passed += self.start as u64;
        self.apart_at.iter_mut().for_each(|at| *at -= self.start);
        self.start = 0;
        let len = self.buffer.len();
        if self.buffer.capacity() > KEPT && len < STEP {
            self.buffer.shrink_to(2 * STEP);
        }
        self.buffer.resize(len + STEP, 0);
        let read = read_some(&mut self.input, &mut self.buffer[len..]);
        self.buffer.truncate(len + *read.as_ref().unwrap_or(&0));
        self.at_end = read.map_err(ReadError::Io)? == 0;
        Ok(())
    }

    /// Looks for a whole request or annotation at the front of the buffer; an annotation has no words.
    fn parse(&self, words: &mut Words) -> Result<Found, ReadError> {
        words.0.clear();
        let found = self.find_words(words)?;
        if !matches!(found, Found::Whole(_)) {
            words.0.clear();
        }
        Ok(found)
    }

    fn find_words(&self, words: &mut Words) -> Result<Found, ReadError> {
        let bytes = &self.buffer;
        let (mut at, mut apart) = (self.start, self.apart_at.iter().enumerate().peekable());
        match bytes.get(at) {
            None => return Ok(Found::Part),
            Some(b'#') => {
                let end = memchr::memchr(b'\n', &bytes[at..]);
                return Ok(end.map_or(Found::Part, |len| Found::Whole(at + len + 1)));
            }
            Some(_) => {}
        }
        let Some(count) = number(bytes, &mut at, b'*')? else {
            return Ok(Found::Part);
        };
        if !(1..=ARGUMENTS_MAX).contains(&count) {
            return Err(ReadError::Format);
        }
        for _ in 0..count {
            let Some(len) = number(bytes, &mut at, b'$')? else {
                return Ok(Found::Part);
            };
            let len = usize::try_from(len).map_err(|_| ReadError::Format)?;
            let is_apart = apart.next_if(|&(_, &place)| place == at);
            let place = is_apart.map_or(Place::Within { at, len }, |(index, _)| Place::Apart(index));
            let end = match place {
                Place::Within { .. } => at.checked_add(len).ok_or(ReadError::Format)?,
                Place::Apart(_) => at,
            };
            let Some(line_end) = bytes.get(end..end.saturating_add(2)) else {
                return Ok(match place {
                    Place::Within { .. } if len >= STEP => Found::Long { at, len },
                    _ => Found::Part,
                });
            };
            if line_end != b"\r\n" {
                return Err(ReadError::Format);
            }
            words.0.push(place);
            at = end + 2;
        }
        Ok(Found::Whole(at))
    }
}

fn read_some(input: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(out) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
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
                    let apart = reader.take_apart();
                    let text = |place: &Place| match *place {
                        Place::Within { at, len } => {
                            String::from_utf8_lossy(&reader.bytes()[at..at + len]).into_owned()
                        }
                        Place::Apart(index) => String::from_utf8_lossy(&apart[index]).into_owned(),
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

    /// Long arguments stand apart, wherever they are in a request; many short ones make the buffer grow.
    #[test]
    fn a_large_request_is_read_in_steps() {
        let (long, short) = (vec![b'x'; 20 * STEP], b"$4\r\nPING\r\n");
        let many = 10 * STEP / short.len();
        let mut bytes = b"#TS:1\r\n*3\r\n$4\r\nMSET\r\n".to_vec();
        let lens = [long.len(), long.len() + 1];
        for len in lens {
            bytes.extend_from_slice(format!("${len}\r\n").as_bytes());
            bytes.resize(bytes.len() + len, b'x');
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("*{many}\r\n").as_bytes());
        bytes.extend(short.repeat(many));
        let one = [b"*1\r\n", &short[..]].concat();
        let small = 50 * STEP / one.len();
        let before = bytes.len();
        bytes.extend(one.repeat(small));
        for known in [0, bytes.len() as u64] {
            let (mut reader, mut words) = (Reader::new(&bytes[..], Vec::new(), 0), Words::default());
            reader.set_len(known);
            let mut steps = 0;
            while reader.step(&mut words).expect("it is whole") == Next::Unfinished {
                steps += 1;
            }
            assert!(steps >= 35, "{steps}");
            assert_eq!(words.0[1..], [Place::Apart(0), Place::Apart(1)]);
            let apart = reader.take_apart();
            assert_eq!([apart[0].len(), apart[1].len()], lens);
            assert_eq!(apart[0].capacity() == lens[0], known > 0);
            assert!(reader.buffer.capacity() <= KEPT);
            steps = 0;
            while reader.step(&mut words).expect("it is whole") == Next::Unfinished {
                steps += 1;
            }
            assert!(steps >= 3, "{steps}");
            assert_eq!((words.0.len(), reader.position()), (many, before as u64));
            for _ in 0..small {
                assert!(reader.next(&mut words).expect("it is whole"));
                assert_eq!(words.0.len(), 1);
            }
            assert!(!reader.next(&mut words).expect("it is whole"));
            assert_eq!(reader.position(), bytes.len() as u64);
            assert!(reader.buffer.capacity() <= KEPT);
        }
        // Cut anywhere in it, the request is not there, and where it began is told.
        for cut in [30, 40, STEP, before / 2, 20 * STEP + 60, before - 1] {
            let (mut reader, mut words) = (Reader::new(&bytes[..cut], Vec::new(), 0), Words::default());
            let mut end = reader.next(&mut words);
            if cut == before - 1 {
                assert!(matches!(end, Ok(true)));
                end = reader.next(&mut words);
            }
            assert!(matches!(end, Err(ReadError::Truncated)), "{cut}");
        }
        let (mut reader, mut words) = (Reader::new(&bytes[..before / 4], Vec::new(), 0), Words::default());
        assert!(reader.next(&mut words).is_err());
        assert_eq!(reader.position(), "#TS:1\r\n".len() as u64);
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
