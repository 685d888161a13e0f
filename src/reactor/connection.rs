//! A client's socket and the bytes on their way through it.
//!
//! A connection that is between requests holds no buffers at all: input is read into the reactor's arena and replies are
//! built in pooled buffers, so an idle client costs a few hundred bytes. Only a request that is partly here, or a reply
//! the socket would not take, is kept.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use super::listener::Stream;
use crate::resp::request::{Parser, Span};

/// Bytes of a big bulk read at a time, so that nobody waits for half a gigabyte.
const BIG_READ: u64 = 1 << 20;

/// What a connection sent that has not run yet: a request that is partly here, or one that must wait.
#[derive(Default)]
pub struct Partial {
    pub parser: Parser,
    /// Begins with the first byte of the first request that has not run.
    pub input: Vec<u8>,
    /// Where the parser goes on.
    pub pos: usize,
    /// Arguments of the first request so far, as places in `input` and `bigs`.
    pub spans: Vec<Span>,
    pub bigs: Vec<Vec<u8>>,
    /// Length of the last of `bigs`, with its line end, while it is being filled; what arrives belongs to it.
    pub filling: Option<usize>,
    /// The first request is whole, and was held back after it had been parsed.
    pub whole: bool,
}

impl Partial {
    /// Bytes held for the client.
    pub fn bytes(&self) -> usize {
        self.input.capacity() + self.bigs.iter().map(Vec::capacity).sum::<usize>() + 8 * self.spans.capacity()
    }

    /// Bytes that are no argument yet.
    pub fn unparsed(&self) -> usize {
        let filling = self.filling.and(self.bigs.last()).map_or(0, Vec::len);
        self.input.len() - self.pos + filling
    }

    pub fn is_empty(&self) -> bool {
        self.input.is_empty() && self.spans.is_empty() && self.bigs.is_empty() && self.parser.at_start()
    }

    /// Takes the line end off the big argument that is being filled, once it is whole. False while it is not.
    pub fn finish_big(&mut self) -> bool {
        let (Some(wanted), Some(big)) = (self.filling, self.bigs.last_mut()) else {
            return true;
        };
        if big.len() < wanted {
            return false;
        }
        big.truncate(wanted - 2);
        self.filling = None;
        true
    }

    /// Forgets the requests before `from`, which have run.
    pub fn forget(&mut self, from: usize) {
        if from == 0 {
            return;
        }
        self.input.drain(..from);
        self.pos -= from;
        for span in &mut self.spans {
            span.rebase(from);
        }
        // A long pipeline leaves a long buffer; an idle client must not keep it.
        if self.input.is_empty() {
            self.input = Vec::new();
        }
    }

    /// Goes back to the start of the request at `from`, which was parsed but may not run yet.
    pub fn rewind(&mut self, from: usize) {
        self.parser = Parser::default();
        self.spans.clear();
        self.pos = from;
        self.forget(from);
    }
}

/// Replies the socket would not take.
#[derive(Default)]
pub struct Backlog {
    blocks: VecDeque<Vec<u8>>,
    /// Bytes of the first block that are written.
    written: usize,
    bytes: usize,
}

pub struct Connection {
    pub stream: Stream,
    pub partial: Option<Box<Partial>>,
    pub backlog: Option<Box<Backlog>>,
    /// Whether it stands in the queue of connections to be read.
    pub queued: bool,
    /// Whether it is a replica whose socket would not take all there is of its snapshot or the stream.
    pub is_feeding: bool,
    /// The other side has closed its half: whatever it sent before is still to be read, and no event will say so.
    pub half_closed: bool,
}

/// What a read came to.
#[derive(Debug, PartialEq, Eq)]
pub enum ReadOutcome {
    /// So many bytes, and perhaps more to come at once.
    More(usize),
    /// So many bytes, and the socket is empty.
    Drained(usize),
    /// The other side is gone.
    Closed,
}

/// What a write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    pub bytes: usize,
    /// The socket would have taken more: write again next tick, since no event will say so.
    pub again: bool,
}

impl Connection {
    pub fn new(stream: Stream) -> Self {
        Connection {
            stream,
            partial: None,
            backlog: None,
            queued: false,
            is_feeding: false,
            half_closed: false,
        }
    }

    /// Reads once into `buffer`.
    pub fn read(&mut self, buffer: &mut [u8]) -> ReadOutcome {
        loop {
            return match self.stream.read(buffer) {
                Ok(0) => ReadOutcome::Closed,
                // A short read has drained the socket: on epoll and kqueue the next bytes will be a new edge.
                Ok(read) if read < buffer.len() => self.drained(read),
                Ok(read) => ReadOutcome::More(read),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.drained(0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => ReadOutcome::Closed,
            };
        }
    }

    /// What a read came to that was given less than it had room for.
    fn drained(&self, read: usize) -> ReadOutcome {
        match self.stream.has_more() {
            true => ReadOutcome::More(read),
            false => ReadOutcome::Drained(read),
        }
    }

    /// Reads into the big argument that is being filled, straight to where the value will stay.
    #[inline(never)]
    pub fn read_big(&mut self) -> ReadOutcome {
        let Some(partial) = &mut self.partial else {
            return ReadOutcome::Drained(0);
        };
        let (Some(whole), Some(big)) = (partial.filling, partial.bigs.last_mut()) else {
            return ReadOutcome::Drained(0);
        };
        let wanted = ((whole - big.len()) as u64).min(BIG_READ);
        let before = big.len();
        let outcome = (&mut self.stream).take(wanted).read_to_end(big);
        let read = big.len() - before;
        match outcome {
            Ok(_) if (read as u64) < wanted => ReadOutcome::Closed,
            Ok(_) => ReadOutcome::More(read),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.drained(read),
            Err(_) => ReadOutcome::Closed,
        }
    }

    /// Writes as much as the socket takes in one go. Nothing may wait in the backlog.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        debug_assert!(self.backlog.is_none());
        write_some(&mut self.stream, bytes)
    }

    /// Bytes waiting for the socket. What it owes under TLS counts as one: how much that is nobody knows.
    pub fn backlog_bytes(&self) -> usize {
        let owed = usize::from(self.stream.owes());
        self.backlog.as_ref().map_or(owed, |backlog| backlog.bytes + owed)
    }

    /// Puts a block behind everything that waits, without writing: [`Connection::send`] follows.
    pub fn wait_behind(&mut self, block: Vec<u8>) {
        let backlog = self.backlog.get_or_insert_default();
        backlog.bytes += block.len();
        backlog.blocks.push_back(block);
    }

    /// Writes `bytes` behind the backlog; what does not fit joins it. Gives the bytes written, or an error when the
    /// connection is dead. Empties `bytes`, and may take its buffer.
    pub fn send(&mut self, bytes: &mut Vec<u8>) -> io::Result<Sent> {
        if self.stream.owes() {
            self.stream.flush()?;
        }
        if self.backlog.is_some() {
            let backlog = self.backlog.get_or_insert_default();
            if !bytes.is_empty() {
                backlog.bytes += bytes.len();
                backlog.blocks.push_back(std::mem::take(bytes));
            }
            return self.drain_backlog();
        }
        let written = write_some(&mut self.stream, bytes)?;
        if written < bytes.len() {
            let mut backlog = Backlog {
                written,
                bytes: bytes.len() - written,
                ..Backlog::default()
            };
            backlog.blocks.push_back(std::mem::take(bytes));
            self.backlog = Some(Box::new(backlog));
        } else {
            bytes.clear();
        }
        Ok(Sent {
            bytes: written,
            again: false,
        })
    }

    /// Writes one round of the backlog.
    pub fn drain_backlog(&mut self) -> io::Result<Sent> {
        let mut total = 0;
        let Some(backlog) = &mut self.backlog else {
            return Ok(Sent { bytes: 0, again: false });
        };
        // A bounded number of writes: a fast reader of a gigabyte must not keep the others waiting.
        for _ in 0..16 {
            let Some(block) = backlog.blocks.front() else { break };
            let rest = &block[backlog.written..];
            let (chunk, end) = (&rest[..rest.len().min(1 << 18)], block.len());
            let (wanted, written) = (chunk.len(), write_some(&mut self.stream, chunk)?);
            total += written;
            backlog.bytes -= written;
            backlog.written += written;
            if backlog.written == end {
                backlog.blocks.pop_front();
                backlog.written = 0;
            }
            if written < wanted {
                return Ok(Sent {
                    bytes: total,
                    again: false,
                });
            }
        }
        let again = !backlog.blocks.is_empty();
        if !again {
            self.backlog = None;
        }
        Ok(Sent { bytes: total, again })
    }
}

/// Writes as much as the socket takes in one go.
fn write_some(stream: &mut Stream, bytes: &[u8]) -> io::Result<usize> {
    if bytes.is_empty() {
        return Ok(0);
    }
    loop {
        return match stream.write(bytes) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => Ok(written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
    }
}
