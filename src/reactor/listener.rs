//! Listening sockets: TCP on every bound address, with TLS or without, and a Unix socket.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};

use mio::event::Source;
use mio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use super::secured::Secured;
use crate::format::reason;
use crate::tls::Tls;

/// A listening socket.
pub enum Listener {
    Tcp(TcpListener),
    Tls(TcpListener, Tls),
    Unix(UnixListener, PathBuf),
}

/// An accepted or dialled connection's socket.
pub enum Stream {
    Tcp(TcpStream),
    Tls(Box<Secured>),
    Unix(UnixStream),
}

/// Why the server cannot listen; the text is a log line.
#[derive(Debug)]
pub struct ListenError(pub String);

/// Opens a TCP socket for every address in `bind` (IPv4, IPv6, `*`, `::*`, names); none if there are none. An address
/// behind a `-` may be unavailable; any other failure is an error. `kind` is how the log calls the port.
pub fn open_tcp(bind: &[String], port: u16, backlog: i32, kind: &str) -> Result<Vec<TcpListener>, ListenError> {
    let mut listeners = Vec::new();
    for address in bind {
        let (optional, name) = match address.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, address.as_str()),
        };
        match resolve(name, port).and_then(|address| open(address, backlog)) {
            Ok(listener) => listeners.push(listener),
            Err(error) if optional && is_unavailable(&error) => {}
            Err(error) => {
                let reason = reason(&error);
                crate::log::warning(&format!(
                    "Warning: Could not create server TCP listening socket {name}:{port}: bind: {reason}"
                ));
                return Err(ListenError(format!(
                    "Failed listening on port {port} ({kind}), aborting."
                )));
            }
        }
    }
    Ok(listeners)
}

fn is_unavailable(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::EADDRNOTAVAIL
                | libc::EAFNOSUPPORT
                | libc::ENOPROTOOPT
                | libc::EPROTONOSUPPORT
                | libc::ESOCKTNOSUPPORT
                | libc::EPFNOSUPPORT
        )
    ) || error.kind() == io::ErrorKind::NotFound
}

fn resolve(name: &str, port: u16) -> io::Result<SocketAddr> {
    let ip: Option<IpAddr> = match name {
        "*" => Some(IpAddr::from([0u8; 4])),
        "::*" => Some(IpAddr::from([0u16; 8])),
        _ => name.parse().ok(),
    };
    match ip {
        Some(ip) => Ok(SocketAddr::new(ip, port)),
        None => (name, port)
            .to_socket_addrs()?
            .next()
            .ok_or_else(|| io::ErrorKind::NotFound.into()),
    }
}

fn open(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Opens the Unix socket, replacing what an earlier run left there.
pub fn open_unix(path: &Path, mode: u32, backlog: i32) -> Result<Listener, ListenError> {
    let failed = |error: io::Error| {
        crate::log::warning(&format!("Failed opening Unix socket: bind: {}", reason(&error)));
        ListenError("Failed listening on unix socket, aborting.".to_owned())
    };
    let _ = std::fs::remove_file(path);
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    let address = socket2::SockAddr::unix(path).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    socket.bind(&address).map_err(failed)?;
    socket.listen(backlog).map_err(failed)?;
    if mode != 0 {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(failed)?;
    }
    Ok(Listener::Unix(
        UnixListener::from_std(std::os::fd::OwnedFd::from(socket).into()),
        path.to_owned(),
    ))
}

impl Listener {
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Listener::Tcp(listener) | Listener::Tls(listener, _) => {
                listener.register(registry, token, Interest::READABLE)
            }
            Listener::Unix(listener, _) => listener.register(registry, token, Interest::READABLE),
        }
    }

    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Listener::Tcp(listener) | Listener::Tls(listener, _) => listener.deregister(registry),
            Listener::Unix(listener, _) => listener.deregister(registry),
        }
    }

    /// Accepts one connection; gives it with `PEER OWN` addresses as CLIENT LIST shows them.
    pub fn accept(&self) -> io::Result<(Stream, String)> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, addresses) = accept_tcp(listener)?;
                Ok((Stream::Tcp(stream), addresses))
            }
            Listener::Tls(listener, tls) => {
                let (stream, addresses) = accept_tcp(listener)?;
                let session = tls.answer().map_err(io::Error::other)?;
                Ok((Stream::Tls(Box::new(Secured::new(stream, session))), addresses))
            }
            Listener::Unix(listener, path) => {
                let (stream, _) = listener.accept()?;
                let path = path.display();
                Ok((Stream::Unix(stream), format!("{path}:0 {path}:0")))
            }
        }
    }

    /// The TCP port, if it is a TCP socket.
    pub fn port(&self) -> Option<u16> {
        match self {
            Listener::Tcp(listener) | Listener::Tls(listener, _) => {
                listener.local_addr().ok().map(|address| address.port())
            }
            Listener::Unix(..) => None,
        }
    }
}

fn accept_tcp(listener: &TcpListener) -> io::Result<(TcpStream, String)> {
    let (stream, peer) = listener.accept()?;
    let own = stream.local_addr()?;
    if is_loopback(peer) {
        spare_congestion_control(&stream);
    }
    Ok((stream, format!("{} {}", shown(peer), shown(own))))
}

/// Gives a connection from this machine itself the cheapest of the ways to share a line, since there is no line to share.
///
/// The algorithm runs for every acknowledgement, on whichever side's processor is at work. Where BBR is the system's default,
/// Reno, which every system has, costs the server one or two percent less of what a lone small request takes.
fn spare_congestion_control(stream: &TcpStream) {
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    {
        // Where it is not to be had, the default serves as well.
        let _ = socket2::SockRef::from(stream).set_tcp_congestion(b"reno");
    }
    #[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
    let _ = stream;
}

fn shown(address: SocketAddr) -> String {
    // IPv6 without brackets' scope; addresses are told as Redis tells them.
    address.to_string()
}

impl Stream {
    /// Its TCP socket, if it has one.
    fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Stream::Tcp(stream) => Some(stream),
            Stream::Tls(secured) => Some(&secured.socket),
            Stream::Unix(_) => None,
        }
    }

    /// Puts a connection that this server has opened under TLS, if it has what that takes.
    ///
    /// # Errors
    /// If the connection is dead, or nobody may be called so.
    pub fn secure(self, tls: Option<&Tls>) -> io::Result<Stream> {
        let Stream::Tcp(socket) = self else { return Ok(self) };
        let session = tls.and_then(|tls| Some(tls.call(socket.peer_addr().ok()?.ip())));
        let session = session
            .flatten()
            .ok_or_else(|| io::Error::other("TLS is not configured"))?;
        let mut secured = Secured::new(socket, session.map_err(io::Error::other)?);
        secured.push()?;
        Ok(Stream::Tls(Box::new(secured)))
    }

    /// Whether to read again though less came than there was room for.
    #[inline]
    pub fn has_more(&self) -> bool {
        match self {
            Stream::Tls(secured) => secured.has_more(),
            Stream::Tcp(_) | Stream::Unix(_) => false,
        }
    }

    /// Whether bytes that a write has taken wait for the socket.
    #[inline]
    pub fn owes(&self) -> bool {
        match self {
            Stream::Tls(secured) => secured.owes(),
            Stream::Tcp(_) | Stream::Unix(_) => false,
        }
    }

    /// Whether its peer has yet to agree with this server on keys.
    #[inline]
    pub fn is_handshaking(&self) -> bool {
        match self {
            Stream::Tls(secured) => secured.is_handshaking(),
            Stream::Tcp(_) | Stream::Unix(_) => false,
        }
    }

    /// Says goodbye where the protocol has a word for it.
    pub fn end(&mut self) {
        if let Stream::Tls(secured) = self {
            secured.end();
        }
    }

    /// What a client's socket gets: no delay, and keepalive probes after `keepalive` seconds (0: none).
    pub fn tune(&self, keepalive: u64) {
        let Some(stream) = self.tcp() else { return };
        // A socket that died meanwhile refuses; the next read says so.
        let _ = stream.set_nodelay(true);
        if keepalive == 0 {
            return;
        }
        let interval = std::time::Duration::from_secs((keepalive / 3).max(1));
        let probes = TcpKeepalive::new()
            .with_time(std::time::Duration::from_secs(keepalive))
            .with_interval(interval);
        let _ = socket2::SockRef::from(stream).set_tcp_keepalive(&probes);
    }

    /// Whether a socket that was dialled is connected by now.
    pub fn connected(&self) -> io::Result<bool> {
        let Some(stream) = self.tcp() else { return Ok(true) };
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        match stream.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// `PEER OWN` addresses, as CLIENT LIST shows them.
    pub fn addresses(&self) -> String {
        let Some(stream) = self.tcp() else {
            return String::new();
        };
        match (stream.peer_addr(), stream.local_addr()) {
            (Ok(peer), Ok(own)) => format!("{} {}", shown(peer), shown(own)),
            _ => String::new(),
        }
    }

    pub fn is_unix(&self) -> bool {
        matches!(self, Stream::Unix(_))
    }

    /// Whether the peer is on this machine (for protected mode).
    pub fn is_local(&self) -> bool {
        match self {
            Stream::Unix(_) => true,
            Stream::Tcp(stream) => stream.peer_addr().is_ok_and(is_loopback),
            Stream::Tls(secured) => secured.socket.peer_addr().is_ok_and(is_loopback),
        }
    }

    pub fn fd(&self) -> RawFd {
        match self {
            Stream::Tcp(stream) => stream.as_raw_fd(),
            Stream::Tls(secured) => secured.socket.as_raw_fd(),
            Stream::Unix(stream) => stream.as_raw_fd(),
        }
    }

    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        // Both interests at once and for good: events are edges, so a socket that could be written all along is
        // reported once, and no system call is needed when a write does not fit.
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self {
            Stream::Tcp(stream) => stream.register(registry, token, interest),
            Stream::Tls(secured) => secured.socket.register(registry, token, interest),
            Stream::Unix(stream) => stream.register(registry, token, interest),
        }
    }

    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.deregister(registry),
            Stream::Tls(secured) => secured.socket.deregister(registry),
            Stream::Unix(stream) => stream.deregister(registry),
        }
    }
}

fn is_loopback(peer: SocketAddr) -> bool {
    peer.ip().to_canonical().is_loopback()
}

impl io::Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Tls(secured) => secured.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
        }
    }

    fn read_to_end(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read_to_end(buffer),
            Stream::Tls(secured) => secured.read_to_end(buffer),
            Stream::Unix(stream) => stream.read_to_end(buffer),
        }
    }
}

impl io::Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Tls(secured) => secured.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Tls(secured) => secured.push(),
            Stream::Tcp(_) | Stream::Unix(_) => Ok(()),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_connection_from_this_machine_does_without_congestion_control() {
        let loopback = ["127.0.0.1".to_owned()];
        let mut listeners = open_tcp(&loopback, 0, 16, "TCP").expect("a free port");
        let listener = Listener::Tcp(listeners.remove(0));
        let port = listener.port().expect("a TCP port");
        let _client = std::net::TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        // The connection is whole when `connect` returns, so it can be accepted without waiting.
        let (stream, _) = listener.accept().expect("the same connection");
        let socket = socket2::SockRef::from(stream.tcp().expect("a TCP socket"));
        let name = socket.tcp_congestion().expect("the algorithm's name");
        assert!(name.starts_with(b"reno"), "{name:?}");
    }
}
