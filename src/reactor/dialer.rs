//! Connecting to another server without waiting for it: names are looked up on a thread of their own, since the system's
//! resolver may take seconds, and the socket tells by an event when it is connected.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use mio::net::TcpStream;
use mio::{Registry, Token, Waker};
use socket2::{Domain, Protocol, Socket, Type};

use super::listener::Stream;

/// How far an attempt is. There is one at a time; a new one puts an end to the last.
enum Attempt {
    None,
    Resolving(Receiver<io::Result<SocketAddr>>),
    Connecting(Stream),
}

pub struct Dialer {
    attempt: Attempt,
    /// Local address that connections come from, if one is asked for.
    source: Option<IpAddr>,
    token: Token,
    waker: Arc<Waker>,
}

impl Dialer {
    /// `token` is for the socket while it is being connected, `waker` wakes the poll when a name was found.
    pub fn new(token: Token, waker: Arc<Waker>) -> Self {
        Dialer {
            attempt: Attempt::None,
            source: None,
            token,
            waker,
        }
    }

    /// Begins an attempt. [`Dialer::outcome`] tells how it ends.
    pub fn dial(&mut self, host: &str, port: u16, source: &str, registry: &Registry) -> io::Result<()> {
        self.source = source.parse().ok();
        if let Ok(ip) = host.parse::<IpAddr>() {
            return self.connect(SocketAddr::new(ip, port), registry);
        }
        let (found, outcome) = channel();
        let (host, waker) = (host.to_owned(), self.waker.clone());
        std::thread::Builder::new().name("resolver".to_owned()).spawn(move || {
            let address = (&*host, port)
                .to_socket_addrs()
                .and_then(|mut all| all.next().ok_or_else(|| io::ErrorKind::NotFound.into()));
            // Nobody listens any more if the attempt was given up.
            let _ = found.send(address);
            let _ = waker.wake();
        })?;
        self.attempt = Attempt::Resolving(outcome);
        Ok(())
    }

    fn connect(&mut self, address: SocketAddr, registry: &Registry) -> io::Result<()> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        if let Some(source) = self.source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            Err(error) => return Err(error),
        }
        let mut stream = Stream::Tcp(TcpStream::from_std(socket.into()));
        stream.register(registry, self.token)?;
        self.attempt = Attempt::Connecting(stream);
        Ok(())
    }

    /// Asks how the attempt has ended, if it has: to be called after an event of the token or the waker.
    pub fn outcome(&mut self, registry: &Registry) -> Option<io::Result<Stream>> {
        match std::mem::replace(&mut self.attempt, Attempt::None) {
            Attempt::None => None,
            Attempt::Resolving(outcome) => match outcome.try_recv() {
                Ok(Ok(address)) => self.connect(address, registry).err().map(Err),
                Ok(Err(error)) => Some(Err(error)),
                Err(TryRecvError::Empty) => {
                    self.attempt = Attempt::Resolving(outcome);
                    None
                }
                Err(TryRecvError::Disconnected) => Some(Err(io::ErrorKind::NotFound.into())),
            },
            Attempt::Connecting(mut stream) => match stream.connected() {
                Ok(true) => {
                    let _ = stream.deregister(registry);
                    Some(Ok(stream))
                }
                Ok(false) => {
                    self.attempt = Attempt::Connecting(stream);
                    None
                }
                Err(error) => Some(Err(error)),
            },
        }
    }
}
