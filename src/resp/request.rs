//! Bytes to requests: an incremental parser that copies nothing and can stop at any byte.
//!
//! A request is either a RESP array of bulk strings (`*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`) or an inline command (a line of
//! words, for people with telnet). The parser answers with [`Span`]s into the input, so an argument is never copied on
//! its way to the command. When the input ends in the middle of a request, the parser keeps what it has learnt
//! (how many arguments are still to come, how long the next one is) and goes on from there when more bytes arrive:
//! re-reading from the start would make a request that trickles in cost the square of its length.
//!
//! A bulk of [`BIG_BULK`] bytes or more that is not complete yet gets a buffer of its own, which the socket is then read
//! into directly; a 512 MB value is so written once by the kernel and never moved again.

use memchr::memchr;

use crate::format::number::parse_i64;

/// From this many bytes on, an incomplete bulk gets a buffer of its own.
pub const BIG_BULK: usize = 32 * 1024;

/// The longest inline command, and the longest line that may announce a length. Redis's PROTO_INLINE_MAX_SIZE.
pub const INLINE_MAX: usize = 64 * 1024;

/// Where an argument stands: in the input, or in one of the request's own big buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    start: u32,
    len: u32,
}

const BIG: u32 = 1 << 31;

impl Span {
    pub fn new(start: usize, len: usize) -> Self {
        debug_assert!(start < BIG as usize && len < u32::MAX as usize);
        Span {
            start: start as u32,
            len: len as u32,
        }
    }

    /// An argument in a buffer of its own, the one of this number.
    pub fn big(index: usize, len: usize) -> Self {
        Span {
            start: index as u32 | BIG,
            len: len as u32,
        }
    }

    pub fn len(self) -> usize {
        self.len as usize
    }

    /// Whether the argument stands in a big buffer.
    pub fn is_big(self) -> bool {
        self.start & BIG != 0
    }

    /// Follows the input when its first `by` bytes are dropped.
    pub fn rebase(&mut self, by: usize) {
        if self.start & BIG == 0 {
            self.start -= by as u32;
        }
    }

    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    fn resolve<'a>(self, input: &'a [u8], bigs: &'a [Vec<u8>]) -> &'a [u8] {
        let (start, len) = (self.start as usize, self.len as usize);
        if self.start & BIG == 0 {
            return &input[start..start + len];
        }
        let big = &bigs[start & !(BIG as usize)];
        &big[..len.min(big.len())]
    }
}

/// The arguments of one request; `args[0]` is the command's name.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    input: &'a [u8],
    spans: &'a [Span],
    bigs: &'a [Vec<u8>],
}

impl<'a> Args<'a> {
    pub fn new(input: &'a [u8], spans: &'a [Span], bigs: &'a [Vec<u8>]) -> Self {
        Args { input, spans, bigs }
    }

    #[allow(clippy::len_without_is_empty)] // a request has at least its name
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|span| span.resolve(self.input, self.bigs))
    }

    /// The argument at `index`, which the command's arity has promised.
    #[inline]
    pub fn at(&self, index: usize) -> &'a [u8] {
        self.spans[index].resolve(self.input, self.bigs)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + Clone + use<'a> {
        let Args { input, spans, bigs } = *self;
        spans.iter().map(move |span| span.resolve(input, bigs))
    }

    /// How many bytes of the argument at `index` are not here any more: a command that takes a big value over leaves only
    /// its beginning.
    pub fn taken(&self, index: usize) -> usize {
        self.spans.get(index).map_or(0, |span| span.len()) - self.get(index).map_or(0, <[u8]>::len)
    }

    /// How long the arguments are, or were before one was taken over.
    pub fn lens(&self) -> impl ExactSizeIterator<Item = usize> + use<'a> {
        self.spans.iter().map(|span| span.len())
    }

    /// The arguments from `index` on.
    pub fn from(&self, index: usize) -> Args<'a> {
        Args {
            spans: &self.spans[index.min(self.spans.len())..],
            ..*self
        }
    }

    /// Some of the arguments.
    ///
    /// # Panics
    /// If the range ends behind the last one.
    pub fn range(&self, range: std::ops::Range<usize>) -> Args<'a> {
        Args {
            spans: &self.spans[range],
            ..*self
        }
    }

    /// No fewer bytes than the request has as an array of bulk strings; no more than twice as many where its arguments are
    /// not tiny. It looks at two of them only.
    #[inline]
    pub fn size_at_most(&self) -> usize {
        /// What a length and its line ends take, of an argument or of the array.
        const FRAME: usize = 16;
        let (Some(first), Some(last)) = (self.spans.first(), self.spans.last()) else {
            return 0;
        };
        if !self.bigs.is_empty() {
            return usize::MAX;
        }
        // Between them stand all others, with their frames or without.
        let between = (last.start as usize + last.len()).saturating_sub(first.start as usize);
        between + FRAME * (self.spans.len() + 1)
    }

    pub fn to_vec(&self) -> Vec<&'a [u8]> {
        self.iter().collect()
    }
}

impl std::ops::Index<usize> for Args<'_> {
    type Output = [u8];

    #[inline]
    fn index(&self, index: usize) -> &[u8] {
        self.at(index)
    }
}

/// What the parser may accept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest bulk, in bytes (`proto-max-bulk-len`).
    pub bulk_len: usize,
    /// Whether the client has yet to authenticate: it then gets ten arguments of 16 KiB, no more.
    pub unauthenticated: bool,
}

/// Why the connection must be closed; the text is what Redis answers behind `ERR Protocol error: `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    TooBigInline,
    UnbalancedQuotes,
    TooBigMultibulkCount,
    InvalidMultibulkLength,
    UnauthenticatedMultibulkLength,
    TooBigBulkCount,
    ExpectedDollar(u8),
    InvalidBulkLength,
    UnauthenticatedBulkLength,
}

impl ProtocolError {
    /// Whether the client is told. A zero byte where `$` belongs ends the text of Redis's error before it begins.
    pub fn is_told(&self) -> bool {
        *self != ProtocolError::ExpectedDollar(0)
    }
}

impl std::fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match self {
            ProtocolError::TooBigInline => "too big inline request",
            ProtocolError::UnbalancedQuotes => "unbalanced quotes in request",
            ProtocolError::TooBigMultibulkCount => "too big mbulk count string",
            ProtocolError::InvalidMultibulkLength => "invalid multibulk length",
            ProtocolError::UnauthenticatedMultibulkLength => "unauthenticated multibulk length",
            ProtocolError::TooBigBulkCount => "too big bulk count string",
            ProtocolError::ExpectedDollar(got) => {
                return write!(f, "expected '$', got '{}'", char::from(*got));
            }
            ProtocolError::InvalidBulkLength => "invalid bulk length",
            ProtocolError::UnauthenticatedBulkLength => "unauthenticated bulk length",
        };
        f.write_str(text)
    }
}

/// How far the parser got.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// A whole request: its spans have been pushed (none for an empty line or `*0`, which have no reply).
    Request,
    /// The input ended first; call again with more bytes behind it.
    Incomplete,
    /// The next bulk is big: its buffer has been begun with what the input had of it. Fill it, then go on.
    Big,
}

/// The state of a request that is only partly here.
#[derive(Debug, Default)]
pub struct Parser {
    /// Arguments still to come; 0 between requests.
    left: usize,
    /// Length of the bulk whose header has been read.
    bulk: Option<usize>,
}

impl Parser {
    /// Whether the parser stands between two requests.
    pub fn at_start(&self) -> bool {
        self.left == 0
    }

    /// Reads one request from `input[*pos..]`, pushing a span per argument and moving `pos` behind what was read.
    ///
    /// The spans are offsets into `input` as a whole. Inline commands with quotes are unescaped in place, which is
    /// why `input` is mutable. `bigs` is only given where the caller can read into big buffers.
    #[inline(always)] // the caller's loop keeps position and spans in registers then
    pub fn step(
        &mut self,
        input: &mut [u8],
        pos: &mut usize,
        spans: &mut Vec<Span>,
        bigs: Option<&mut Vec<Vec<u8>>>,
        limits: Limits,
    ) -> Result<Step, ProtocolError> {
        if self.left == 0 {
            let (count, next) = match short_header(input, *pos, b'*') {
                Some(known) => known,
                None => match input.get(*pos) {
                    None => return Ok(Step::Incomplete),
                    Some(b'*') => match count(input, *pos)? {
                        Some(known) => known,
                        None => return Ok(Step::Incomplete),
                    },
                    Some(_) => return inline(input, pos, spans),
                },
            };
            if limits.unauthenticated && count > 10 {
                return Err(ProtocolError::UnauthenticatedMultibulkLength);
            }
            (*pos, self.left) = (next, count);
        }
        if self.bulk.is_none() {
            self.short_bulks(input, pos, spans, limits);
        }
        match self.left {
            0 => Ok(Step::Request),
            _ => self.bulks(input, pos, spans, bigs, limits),
        }
    }

    /// Takes bulks as long as they are of the common kind: whole, of at most 99 bytes, and not at the input's very end.
    #[inline]
    fn short_bulks(&mut self, input: &[u8], pos: &mut usize, spans: &mut Vec<Span>, limits: Limits) {
        let (mut at, mut left) = (*pos, self.left);
        while left > 0
            && let Some((len, start)) = short_header(input, at, b'$')
            && len <= limits.bulk_len
            && input.len() - start >= len + 2
        {
            spans.push(Span::new(start, len));
            at = start + len + 2;
            left -= 1;
        }
        (*pos, self.left) = (at, left);
    }

    #[inline(never)]
    fn bulks(
        &mut self,
        input: &[u8],
        pos: &mut usize,
        spans: &mut Vec<Span>,
        mut bigs: Option<&mut Vec<Vec<u8>>>,
        limits: Limits,
    ) -> Result<Step, ProtocolError> {
        while self.left > 0 {
            let len = match self.bulk {
                Some(len) => len,
                None => {
                    let Some((len, next)) = bulk_len(input, *pos)? else {
                        return Ok(Step::Incomplete);
                    };
                    if len > limits.bulk_len {
                        return Err(ProtocolError::InvalidBulkLength);
                    }
                    if limits.unauthenticated && len > 16384 {
                        return Err(ProtocolError::UnauthenticatedBulkLength);
                    }
                    *pos = next;
                    len
                }
            };
            if input.len() - *pos < len + 2 {
                self.bulk = Some(len);
                let Some(bigs) = bigs.as_deref_mut().filter(|_| len >= BIG_BULK) else {
                    return Ok(Step::Incomplete);
                };
                let mut buffer = Vec::with_capacity(len + 2);
                buffer.extend_from_slice(&input[*pos..]);
                *pos = input.len();
                spans.push(Span::big(bigs.len(), len));
                bigs.push(buffer);
                self.bulk = None;
                self.left -= 1;
                return Ok(Step::Big);
            }
            spans.push(Span::new(*pos, len));
            *pos += len + 2;
            self.bulk = None;
            self.left -= 1;
        }
        Ok(Step::Request)
    }
}

/// What most headers say: `kind` and a number of one digit or two; and where what follows begins. Nothing for all others,
/// and for the last bytes of an input: the eight bytes at `pos` are looked at in one register.
#[inline]
fn short_header(input: &[u8], pos: usize, kind: u8) -> Option<(usize, usize)> {
    let word = u64::from_le_bytes(*input.get(pos..)?.first_chunk()?);
    let byte = |at: u32| (word >> (8 * at)) as u8;
    let (ten, one) = (byte(1).wrapping_sub(b'0'), byte(2).wrapping_sub(b'0'));
    if byte(0) != kind || ten > 9 {
        return None;
    }
    if byte(2) == b'\r' {
        return Some((usize::from(ten), pos + 4));
    }
    let is_plain = ten > 0 && one <= 9 && byte(3) == b'\r';
    is_plain.then(|| (usize::from(ten) * 10 + usize::from(one), pos + 5))
}

/// How many arguments the request at `pos` has, and where they begin; nothing while the line's end is not here.
#[inline(never)]
fn count(input: &[u8], pos: usize) -> Result<Option<(usize, usize)>, ProtocolError> {
    let Some((line, next)) = header(input, pos, ProtocolError::TooBigMultibulkCount)? else {
        return Ok(None);
    };
    match parse_i64(line) {
        // Also a null array asks for nothing.
        Some(count) if count <= i64::from(i32::MAX) => Ok(Some((count.max(0) as usize, next))),
        _ => Err(ProtocolError::InvalidMultibulkLength),
    }
}

/// The length of the bulk at `pos`, and where its bytes begin; nothing while the line's end is not here.
#[inline(never)]
fn bulk_len(input: &[u8], pos: usize) -> Result<Option<(usize, usize)>, ProtocolError> {
    let Some((line, next)) = bulk_header(input, pos)? else {
        return Ok(None);
    };
    match parse_i64(line).map(usize::try_from) {
        Some(Ok(len)) => Ok(Some((len, next))),
        _ => Err(ProtocolError::InvalidBulkLength),
    }
}

/// The text between the type byte at `pos` and the line's end, and where the next line starts.
fn header(input: &[u8], pos: usize, too_long: ProtocolError) -> Result<Option<(&[u8], usize)>, ProtocolError> {
    let rest = &input[pos + 1..];
    // Lengths are short: looking at the first bytes one by one is quicker than starting a wide search.
    let near = rest.iter().take(12).position(|&b| b == b'\r');
    let Some(end) = near.or_else(|| memchr(b'\r', rest)) else {
        return if rest.len() >= INLINE_MAX {
            Err(too_long)
        } else {
            Ok(None)
        };
    };
    if end + 1 >= rest.len() {
        return Ok(None); // the line feed is not here yet
    }
    Ok(Some((&rest[..end], pos + 1 + end + 2)))
}

fn bulk_header(input: &[u8], pos: usize) -> Result<Option<(&[u8], usize)>, ProtocolError> {
    match input.get(pos) {
        None => Ok(None),
        Some(b'$') => header(input, pos, ProtocolError::TooBigBulkCount),
        Some(&other) => {
            // Redis looks at the type only once it has seen the whole line.
            match memchr(b'\r', &input[pos..]) {
                Some(_) => Err(ProtocolError::ExpectedDollar(other)),
                None if input.len() - pos > INLINE_MAX => Err(ProtocolError::TooBigBulkCount),
                None => Ok(None),
            }
        }
    }
}

#[inline(never)]
fn inline(input: &mut [u8], pos: &mut usize, spans: &mut Vec<Span>) -> Result<Step, ProtocolError> {
    let start = *pos;
    let Some(end) = memchr(b'\n', &input[start..]) else {
        if input.len() - start > INLINE_MAX {
            return Err(ProtocolError::TooBigInline);
        }
        return Ok(Step::Incomplete);
    };
    *pos = start + end + 1;
    let line = &mut input[start..start + end];
    let line = match line {
        [text @ .., b'\r'] => text,
        text => text,
    };
    let first = spans.len();
    if split_words(line, |at, len| spans.push(Span::new(start + at, len))).is_none() {
        spans.truncate(first);
        return Err(ProtocolError::UnbalancedQuotes);
    }
    Ok(Step::Request)
}

/// Splits a line into words as a shell would: `"..."` with `\n \r \t \b \a \xHH` escapes, `'...'` with `\'` only.
/// Unescapes in place (the result is never longer) and gives each word's place. `None`: quotes are unbalanced.
pub fn split_words(line: &mut [u8], mut word: impl FnMut(usize, usize)) -> Option<()> {
    let mut at = 0;
    loop {
        while line.get(at).is_some_and(|b| is_space(*b)) {
            at += 1;
        }
        if line.get(at).is_none_or(|b| *b == 0) {
            return Some(()); // a C string ends at its first zero, and so does Redis's line
        }
        let start = at;
        let mut out = at;
        while let Some(&byte) = line.get(at) {
            match byte {
                b if is_space(b) || b == 0 => break,
                b'"' | b'\'' => {
                    (at, out) = quoted(line, at + 1, out, byte)?;
                    break;
                }
                _ => {
                    line[out] = byte;
                    out += 1;
                    at += 1;
                }
            }
        }
        word(start, out - start);
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Unescapes from `at` (behind the opening quote) to `out`; gives both ends. The closing quote must end the word.
fn quoted(line: &mut [u8], mut at: usize, mut out: usize, quote: u8) -> Option<(usize, usize)> {
    loop {
        let (byte, used) = match *line.get(at..)? {
            [b, ..] if b == quote => {
                at += 1;
                return line.get(at).is_none_or(|b| is_space(*b)).then_some((at, out));
            }
            [b'\\', b'\'', ..] if quote == b'\'' => (b'\'', 2),
            [b'\\', b'x', high, low, ..] if quote == b'"' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (hex(high) << 4 | hex(low), 4)
            }
            [b'\\', escaped, ..] if quote == b'"' => (unescape(escaped), 2),
            [b, ..] => (b, 1),
            [] => return None,
        };
        line[out] = byte;
        out += 1;
        at += used;
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    }
}

fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).unwrap_or(0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::encode;

    const LIMITS: Limits = Limits {
        bulk_len: 512 << 20,
        unauthenticated: false,
    };

    fn parse(bytes: &[u8]) -> Result<Vec<Vec<Vec<u8>>>, ProtocolError> {
        let (mut input, mut pos, mut parser, mut out) = (bytes.to_vec(), 0, Parser::default(), Vec::new());
        loop {
            let mut spans = Vec::new();
            match parser.step(&mut input, &mut pos, &mut spans, None, LIMITS)? {
                Step::Request => {
                    out.push(Args::new(&input, &spans, &[]).iter().map(<[u8]>::to_vec).collect());
                }
                Step::Incomplete | Step::Big => return Ok(out),
            }
        }
    }

    fn words(line: &str) -> Option<Vec<Vec<u8>>> {
        let mut line = line.as_bytes().to_vec();
        let mut places = Vec::new();
        split_words(&mut line, |at, len| places.push((at, len)))?;
        Some(
            places
                .into_iter()
                .map(|(at, len)| line[at..at + len].to_vec())
                .collect(),
        )
    }

    #[test]
    fn reads_arrays_and_lines() {
        let got = parse(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n*1\r\n$0\r\n\r\n\r\n*0\r\n").unwrap();
        let want: Vec<Vec<&[u8]>> = vec![vec![b"GET", b"k"], vec![b"PING"], vec![b""], vec![], vec![]];
        assert_eq!(got, want);
    }

    #[test]
    fn no_request_is_larger_than_it_is_taken_to_be() {
        for lens in [&[0][..], &[3, 0, 0, 0], &[3, 9, 10, 99, 100], &[5, 70_000, 1], &[1; 40]] {
            let words: Vec<Vec<u8>> = lens.iter().map(|&len| vec![b'x'; len]).collect();
            let size = encode::size_of_request(words.iter().map(Vec::len));
            // One word behind the other, as scripts gather them, and as they come over the wire.
            let packed = words.concat();
            let mut sent = Vec::new();
            encode::request(&mut sent, words.len(), words.iter().map(Vec::as_slice));
            let ends = lens.iter().scan(0, |end, &len| {
                *end += len;
                Some(*end)
            });
            let in_a_row: Vec<Span> = ends.zip(lens).map(|(end, &len)| Span::new(end - len, len)).collect();
            let (mut pos, mut as_sent) = (0, Vec::new());
            let step = Parser::default().step(&mut sent, &mut pos, &mut as_sent, None, LIMITS);
            assert!(matches!(step, Ok(Step::Request)));
            for (input, spans) in [(&packed, &in_a_row), (&sent, &as_sent)] {
                let taken = Args::new(input, spans, &[]).size_at_most();
                assert!(taken >= size, "{lens:?}: {taken} for {size}");
            }
        }
    }

    #[test]
    fn a_request_may_stop_at_any_byte() {
        let whole = b"*3\r\n$3\r\nSET\r\n$4\r\nk\r\ny\r\n$12\r\n\r\n*1\r\n$4\r\nPI\r\n";
        for cut in 0..whole.len() {
            let mut input = whole[..cut].to_vec();
            let (mut pos, mut parser, mut spans) = (0, Parser::default(), Vec::new());
            assert_eq!(
                parser.step(&mut input, &mut pos, &mut spans, None, LIMITS),
                Ok(Step::Incomplete),
                "{cut}"
            );
            input.extend_from_slice(&whole[cut..]);
            assert_eq!(
                parser.step(&mut input, &mut pos, &mut spans, None, LIMITS),
                Ok(Step::Request)
            );
            assert_eq!(
                Args::new(&input, &spans, &[]).to_vec(),
                [&b"SET"[..], b"k\r\ny", b"\r\n*1\r\n$4\r\nPI"]
            );
            assert_eq!(pos, whole.len());
        }
    }

    #[test]
    fn a_big_bulk_gets_its_own_buffer() {
        let mut input = b"*2\r\n$3\r\nGET\r\n$40000\r\nabc".to_vec();
        let (mut pos, mut parser, mut spans, mut bigs) = (0, Parser::default(), Vec::new(), Vec::new());
        let step = parser.step(&mut input, &mut pos, &mut spans, Some(&mut bigs), LIMITS);
        assert_eq!(step, Ok(Step::Big));
        assert_eq!(
            (&bigs[0][..], bigs[0].capacity() >= 40002, parser.left),
            (&b"abc"[..], true, 0)
        );
    }

    #[test]
    fn bad_requests_are_named() {
        let cases: &[(&[u8], ProtocolError)] = &[
            (b"*x\r\n", ProtocolError::InvalidMultibulkLength),
            (b"*2147483648\r\n", ProtocolError::InvalidMultibulkLength),
            (b"*1\r\n:1\r\n", ProtocolError::ExpectedDollar(b':')),
            (b"*1\r\n$-1\r\n", ProtocolError::InvalidBulkLength),
            (b"*1\r\n$536870913\r\n", ProtocolError::InvalidBulkLength),
            (b"a \"b\n", ProtocolError::UnbalancedQuotes),
        ];
        for (bytes, want) in cases {
            assert_eq!(parse(bytes).as_ref(), Err(want));
        }
        assert_eq!(parse(&[b'x'; INLINE_MAX + 2]), Err(ProtocolError::TooBigInline));
    }

    #[test]
    fn numbers_of_any_length_are_read_alike() {
        let texts = "0 7 00 01 10 42 100 536870912 2147483647 2147483648 9223372036854775808 -1 +1 1x x";
        for text in texts.split(' ').chain([""]) {
            let known = parse_i64(text.as_bytes()).and_then(|number| usize::try_from(number).ok());
            let line = format!("${text}\r\n");
            let read = |to: usize| bulk_len(&line.as_bytes()[..to], 0);
            let want = known.map(|len| Some((len, line.len())));
            assert_eq!(read(line.len()), want.ok_or(ProtocolError::InvalidBulkLength), "{text}");
            (0..line.len()).for_each(|to| assert_eq!(read(to), Ok(None), "{text} to {to}"));
            // In one register, if it is short; never across the input's end.
            let followed = format!("{line}12345678");
            let short = short_header(followed.as_bytes(), 0, b'$');
            let is_short = ["0", "7", "10", "42"].contains(&text);
            assert_eq!(short, known.filter(|_| is_short).map(|len| (len, line.len())), "{text}");
            assert_eq!(short_header(followed.as_bytes(), 0, b'*'), None);
            assert_eq!(short_header(&followed.as_bytes()[..7], 0, b'$'), None);
            let counted = count(format!("*{text}\r\n").as_bytes(), 0);
            let want = known
                .filter(|&count| count <= i32::MAX as usize)
                .or((text == "-1").then_some(0));
            let want = want.map(|count| Some((count, line.len())));
            assert_eq!(counted, want.ok_or(ProtocolError::InvalidMultibulkLength), "{text}");
        }
    }

    #[test]
    fn words_split_as_in_a_shell() {
        assert_eq!(words("a  \"b\\x41\\n\" 'c\\'d'").unwrap(), [&b"a"[..], b"bA\n", b"c'd"]);
        assert_eq!(words("\"\" x").unwrap(), [&b""[..], b"x"]);
        for bad in ["\"a\"b", "'a", "\"a\\\""] {
            assert_eq!(words(bad), None, "{bad}");
        }
    }
}
