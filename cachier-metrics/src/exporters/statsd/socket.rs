//! Where packets go.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _, UdpSocket};
#[cfg(unix)]
use std::os::unix::net::UnixDatagram;
#[cfg(unix)]
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::exporters::first_ok::first_ok;

/// A daemon.
#[derive(Clone, Debug)]
pub(super) enum Destination {
    /// `host:port`, over UDP.
    Address(String),
    /// A Unix socket of datagrams.
    #[cfg(unix)]
    Socket(PathBuf),
}

/// A socket to a daemon, for one export: the name of a host may mean another one in the next.
pub(super) enum Socket {
    Udp(UdpSocket),
    #[cfg(unix)]
    Unix(UnixDatagram),
}

/// Fits a frame of Ethernet, with room for headers of tunnels: the limit that DogStatsD's documentation names.
const UDP_PACKET_LIMIT: usize = 1432;
#[cfg(unix)]
const SOCKET_PACKET_LIMIT: usize = 8192;
/// The timeout of each packet once the time for all packets is used up.
const LATE_PACKET_TIMEOUT: Duration = Duration::from_millis(1);

impl Destination {
    /// Packets are smaller than this.
    pub(super) fn packet_limit(&self) -> usize {
        match self {
            Self::Address(_) => UDP_PACKET_LIMIT,
            #[cfg(unix)]
            Self::Socket(_) => SOCKET_PACKET_LIMIT,
        }
    }

    pub(super) fn connect(&self) -> io::Result<Socket> {
        match self {
            Self::Address(address) => {
                // An address without a route fails.
                let mut sockets = address.to_socket_addrs()?.map(connect);
                first_ok(&mut sockets).map(Socket::Udp)
            }
            #[cfg(unix)]
            Self::Socket(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path).map(|()| Socket::Unix(socket))
            }
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => f.write_str(address),
            #[cfg(unix)]
            Self::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Socket {
    /// Hands a packet to the system. After an error the daemon does not get it; without one, the network may still lose it
    /// unnoticed.
    pub(super) fn send(&self, packet: &str, deadline: Instant) -> io::Result<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Some(left.max(LATE_PACKET_TIMEOUT));
        match self {
            Self::Udp(socket) => {
                socket.set_write_timeout(timeout)?;
                socket.send(packet.as_bytes())?;
                // On the same machine, a missing listener is known at once.
                socket.take_error()?.map_or(Ok(()), Err)
            }
            #[cfg(unix)]
            Self::Unix(socket) => {
                socket.set_write_timeout(timeout)?;
                socket.send(packet.as_bytes()).map(drop)
            }
        }
    }
}

fn connect(address: SocketAddr) -> io::Result<UdpSocket> {
    let any = match address {
        SocketAddr::V4(_) => "0.0.0.0:0",
        SocketAddr::V6(_) => "[::]:0",
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address).map(|()| socket)
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn an_address_without_a_route_is_an_error() {
        // This address needs a socket that may broadcast.
        let everybody = Destination::Address("255.255.255.255:8125".to_owned());
        let error = everybody.connect().err().map(|error| error.kind());
        assert_eq!(error, Some(ErrorKind::PermissionDenied));
    }
}
