//! A socket under TLS.
//!
//! To the rest of the reactor it reads and writes like any socket that does not block. What differs shows in two questions.
//! A short read need not mean that the socket is empty: [`Secured::has_more`]. And what a write has taken may stand here,
//! encrypted, until the socket takes it: [`Secured::owes`], and [`Secured::push`] once it can be written again.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use rustls::Connection;

use crate::log;

/// Reads of the socket for one read of plain bytes. Peers may send what brings none: handshakes, empty records.
const RECEIVES: usize = 64;

pub struct Secured {
    pub socket: TcpStream,
    session: Connection,
    /// Whether the socket may have bytes of which no event will tell any more.
    has_more: bool,
    /// Whether nothing comes any more: the peer has said so, or has gone.
    has_ended: bool,
}

impl Secured {
    pub fn new(socket: TcpStream, session: Connection) -> Self {
        Secured {
            socket,
            session,
            has_more: false,
            has_ended: false,
        }
    }

    /// Whether to read again without waiting for an event.
    pub fn has_more(&self) -> bool {
        self.has_more || self.has_ended
    }

    /// Whether there are encrypted bytes that the socket has not taken.
    pub fn owes(&self) -> bool {
        self.session.wants_write()
    }

    /// Whether the peers have yet to agree on keys, which costs as much as hundreds of requests.
    pub fn is_handshaking(&self) -> bool {
        self.session.is_handshaking()
    }

    /// Writes encrypted bytes until there are none or the socket takes no more.
    ///
    /// # Errors
    /// If the connection is dead.
    pub fn push(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.socket) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Tells the peer that nothing more comes, as far as the socket takes that.
    pub fn end(&mut self) {
        self.session.send_close_notify();
        // Who is gone does not hear it.
        let _ = self.push();
    }

    /// Takes plain bytes that have been decrypted; none if there are none.
    fn take(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut taken = 0;
        while taken < buffer.len() {
            match self.session.reader().read(&mut buffer[taken..]) {
                Ok(0) => self.has_ended = true,
                Ok(count) => {
                    taken += count;
                    continue;
                }
                // The peer has gone without a word, which is as good as one: requests tell their own lengths.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.has_ended = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            break;
        }
        Ok(taken)
    }

    /// Reads the socket once and decrypts what came, and answers what needs an answer.
    fn receive(&mut self) -> io::Result<()> {
        match self.session.read_tls(&mut self.socket) {
            Ok(0) => self.has_ended = true,
            Ok(_) => {}
            Err(error) => {
                self.has_more &= error.kind() != io::ErrorKind::WouldBlock;
                return Err(error);
            }
        }
        let was_handshaking = self.session.is_handshaking();
        if let Err(error) = self.session.process_new_packets() {
            // The peer is told what was wrong.
            let _ = self.push();
            if was_handshaking {
                self.note_failure(&error);
            }
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        self.push()
    }

    #[cold]
    fn note_failure(&self, error: &rustls::Error) {
        let shown = |address: io::Result<SocketAddr>| address.map_or_else(|_| "?".to_owned(), |it| it.to_string());
        let (peer, own) = (shown(self.socket.peer_addr()), shown(self.socket.local_addr()));
        match self.session {
            Connection::Server(_) => log::verbose(&format!(
                "Error accepting a client connection: {error} (addr={peer} laddr={own})"
            )),
            Connection::Client(_) => log::warning(&format!("TLS to {peer} failed: {error}")),
        }
    }
}

impl Read for Secured {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        self.has_more = true;
        for _ in 0..RECEIVES {
            filled += self.take(&mut buffer[filled..])?;
            if filled == buffer.len() || self.has_ended {
                return Ok(filled);
            }
            match self.receive() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What came before it still counts; the next read meets the error again.
                Err(_) if filled > 0 => return Ok(filled),
                outcome => outcome?,
            }
        }
        match filled {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            filled => Ok(filled),
        }
    }
}

impl Write for Secured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        loop {
            self.push()?;
            if written == bytes.len() || self.owes() {
                break;
            }
            match self.session.writer().write(&bytes[written..])? {
                // There is room again when keys have been agreed on.
                0 => break,
                count => written += count,
            }
        }
        match written {
            0 if !bytes.is_empty() => Err(io::ErrorKind::WouldBlock.into()),
            written => Ok(written),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.push()
    }
}
