//! Finding the end of a reply, and taking one apart, in RESP2 and RESP3.

/// Bytes that cannot begin or continue any reply.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

/// One reply with its elements; `raw` is everything it was read from.
#[derive(Debug)]
pub struct Reply<'a> {
    pub kind: u8,
    pub raw: &'a [u8],
    /// The elements of an aggregate; a map's keys and values in turn.
    pub items: Vec<Reply<'a>>,
}

impl<'a> Reply<'a> {
    /// Takes one whole reply apart.
    pub fn parse(bytes: &'a [u8]) -> Result<Reply<'a>, Malformed> {
        let mut at = 0;
        Reply::parse_at(bytes, &mut at)
    }

    fn parse_at(bytes: &'a [u8], at: &mut usize) -> Result<Reply<'a>, Malformed> {
        let start = *at;
        let Some(head) = Head::read(&bytes[start..])? else {
            return Err(Malformed("reply cut short".into()));
        };
        *at += head.len;
        let items = (0..head.children)
            .map(|_| Reply::parse_at(bytes, at))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Reply {
            kind: bytes[start],
            raw: &bytes[start..*at],
            items,
        })
    }

    pub fn is_error(&self) -> bool {
        self.kind == b'-' || self.kind == b'!'
    }

    /// Whether this is any of the three spellings of "no value".
    pub fn is_null(&self) -> bool {
        matches!(self.raw, b"$-1\r\n" | b"*-1\r\n" | b"_\r\n")
    }

    /// The text of a simple string, number or bulk string.
    pub fn text(&self) -> &'a [u8] {
        let Some(line) = line_end(self.raw) else { return b"" };
        match self.kind {
            b'$' | b'=' if !self.is_null() => &self.raw[line + 2..self.raw.len() - 2],
            _ => &self.raw[1..line],
        }
    }

    pub fn integer(&self) -> Option<i64> {
        std::str::from_utf8(self.text()).ok()?.parse().ok()
    }
}

/// The first line of a reply, with the body of a bulk string: everything but its elements.
struct Head {
    len: usize,
    children: usize,
}

impl Head {
    /// `None` while bytes are missing.
    fn read(bytes: &[u8]) -> Result<Option<Head>, Malformed> {
        let Some(end) = line_end(bytes) else { return Ok(None) };
        let line = &bytes[..end];
        let (len, children) = match line.first() {
            Some(b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(') => (end + 2, 0),
            Some(b'$' | b'=' | b'!') => match count(line)? {
                None => (end + 2, 0),
                Some(body) => (end + 2 + body + 2, 0),
            },
            Some(b'*' | b'~' | b'>') => (end + 2, count(line)?.unwrap_or(0)),
            Some(b'%') => (end + 2, 2 * count(line)?.unwrap_or(0)),
            // An attribute stands before the value it describes: its pairs, and then that value.
            Some(b'|') => (end + 2, 2 * count(line)?.unwrap_or(0) + 1),
            _ => return Err(Malformed(format!("no reply begins with {:?}", show(line)))),
        };
        Ok((len <= bytes.len()).then_some(Head { len, children }))
    }
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, b"\r\n")
}

/// The number after the kind byte; `None` for -1.
fn count(line: &[u8]) -> Result<Option<usize>, Malformed> {
    let text = std::str::from_utf8(&line[1..]).unwrap_or("?");
    match text.parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(value) if value >= 0 => Ok(Some(value as usize)),
        _ => Err(Malformed(format!("no length: {:?}", show(line)))),
    }
}

/// The length in bytes of the first whole reply in `bytes`, or `None` while it is incomplete. O(elements).
pub fn length(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    let (mut at, mut pending) = (0, 1);
    while pending > 0 {
        let Some(head) = Head::read(&bytes[at..])? else {
            return Ok(None);
        };
        at += head.len;
        pending += head.children;
        pending -= 1;
    }
    Ok(Some(at))
}

/// Bytes as people read them: escapes for what does not print, and the middle of long texts left out.
pub fn show(bytes: &[u8]) -> String {
    const LIMIT: usize = 400;
    if bytes.len() <= LIMIT {
        return bytes.escape_ascii().to_string();
    }
    let (head, tail) = (&bytes[..LIMIT - 60], &bytes[bytes.len() - 40..]);
    let left_out = bytes.len() - head.len() - tail.len();
    format!("{}...({left_out} bytes)...{}", head.escape_ascii(), tail.escape_ascii())
}
