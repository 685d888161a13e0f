//! A client that sends and receives bytes and understands only where a reply ends.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::PATIENCE;
use super::reply;

/// Bytes asked of the kernel in one read.
const READ_SIZE: usize = 64 * 1024;

/// One connection to a server on loopback.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    /// What has arrived; the bytes before `taken` were handed out.
    received: Vec<u8>,
    taken: usize,
}

impl Client {
    pub fn connect(port: u16) -> io::Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client {
            stream,
            received: Vec::new(),
            taken: 0,
        })
    }

    /// How long a read waits before it fails with `WouldBlock` or `TimedOut`.
    pub fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(timeout))
    }

    /// A second handle on the connection, to send from another thread while this one reads.
    pub fn writer(&self) -> io::Result<TcpStream> {
        self.stream.try_clone()
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Tells the server that nothing more will come; replies can still be read.
    pub fn finish_sending(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Closes the connection as a crashed client's kernel does, with a reset: the server's next write to it fails.
    pub fn reset(self) -> io::Result<()> {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))
    }

    /// The bytes of the next whole reply. `UnexpectedEof` if the server closed the connection before its end.
    pub fn read_reply(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let pending = &self.received[self.taken..];
            match reply::length(pending) {
                Ok(Some(len)) => {
                    let reply = pending[..len].to_vec();
                    self.take(len);
                    return Ok(reply);
                }
                Ok(None) => self.receive()?,
                Err(malformed) => return Err(io::Error::new(io::ErrorKind::InvalidData, malformed.0)),
            }
        }
    }

    /// The next `count` replies, still one after another in one buffer.
    pub fn read_replies(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut replies = Vec::new();
        for _ in 0..count {
            replies.extend(self.read_reply()?);
        }
        Ok(replies)
    }

    /// Everything the server still sends, up to its closing the connection.
    pub fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.receive() {
                Ok(()) => {}
                // A reset is how the kernel closes a socket whose owner left input unread.
                Err(error) if closed(&error) => {
                    let rest = self.received[self.taken..].to_vec();
                    self.take(rest.len());
                    return Ok(rest);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whole request, whole reply.
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<Vec<u8>> {
        self.send(&encode(args))?;
        self.read_reply()
    }

    /// [`call`](Self::call) with words separated by blanks, the reply as text; panics when the connection fails.
    pub fn ask(&mut self, line: &str) -> String {
        let args: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        match self.call(&args) {
            Ok(reply) => String::from_utf8_lossy(&reply).into_owned(),
            Err(error) => panic!("{line}: {error}"),
        }
    }

    fn take(&mut self, len: usize) {
        self.taken += len;
        if self.taken == self.received.len() {
            self.received.clear();
            self.taken = 0;
        }
    }

    fn receive(&mut self) -> io::Result<()> {
        if self.taken > READ_SIZE && self.taken > self.received.len() / 2 {
            self.received.drain(..self.taken);
            self.taken = 0;
        }
        let len = self.received.len();
        self.received.resize(len + READ_SIZE, 0);
        // A signal to this process is no failure of the connection.
        let outcome = loop {
            match self.stream.read(&mut self.received[len..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome,
            }
        };
        self.received.truncate(len + *outcome.as_ref().unwrap_or(&0));
        match outcome? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// Whether `error` says that the other side closed the connection.
pub fn closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

/// A request as clients send it: an array of bulk strings.
pub fn encode<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_into(&mut bytes, args);
    bytes
}

/// Appends [`encode`]'s bytes to `bytes`.
pub fn encode_into<A: AsRef<[u8]>>(bytes: &mut Vec<u8>, args: &[A]) {
    bytes.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args {
        let arg = arg.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
}
