//! Whether a host still takes TLS 1.2: a client hello that offers nothing newer, and the first record of what
//! comes back (RFC 5246, 7.4.1). No library here can speak it, and none is needed to be turned away.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::net::session::PATIENCE;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
/// Suites with forward secrecy that TLS 1.2 servers have: ECDHE with AES-GCM or ChaCha20-Poly1305.
const SUITES: [u16; 6] = [0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8];
const GROUPS: [u16; 3] = [0x001d, 0x0017, 0x0018];
const SIGNATURES: [u16; 6] = [0x0403, 0x0503, 0x0804, 0x0401, 0x0805, 0x0501];

/// What becomes of a handshake in TLS 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Older {
    /// It is turned away, with this alert.
    Refused(u8),
    /// It is taken.
    Accepted,
    /// The connection is closed without a word.
    Closed,
    /// Something that is not TLS.
    Strange,
}

impl fmt::Display for Older {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(70) => f.write_str("refused (protocol_version)"),
            Self::Refused(alert) => write!(f, "refused (alert {alert})"),
            Self::Accepted => f.write_str("accepted"),
            Self::Closed => f.write_str("closed without a word"),
            Self::Strange => f.write_str("answered by something else than TLS"),
        }
    }
}

/// Offers a host TLS 1.2 and nothing newer.
pub(in crate::net) async fn offer(host: &str, address: SocketAddr) -> io::Result<Older> {
    timeout(PATIENCE, async {
        let mut socket = TcpStream::connect(address).await?;
        socket.write_all(&client_hello(host)).await?;
        let mut record = [0; 7];
        match socket.read_exact(&mut record).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Older::Closed),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(Older::Closed),
            read => read?,
        };
        let [kind, _, _, _, _, first, second] = record;
        Ok(match (kind, first) {
            // The level of an alert, and what it says.
            (ALERT, _) => Older::Refused(second),
            (HANDSHAKE, SERVER_HELLO) => Older::Accepted,
            _ => Older::Strange,
        })
    })
    .await?
}

fn client_hello(host: &str) -> Vec<u8> {
    let mut body = vec![3, 3];
    // A server that turns us away does not look at our randomness.
    body.extend([0x5a; 32]);
    body.push(0);
    body.extend(with_length(&numbers(&SUITES)));
    body.extend([1, 0]);
    let mut extensions = Vec::new();
    if host.parse::<std::net::IpAddr>().is_err() {
        let name = [vec![0], with_length(host.as_bytes())].concat();
        extensions.extend(extension(0, &with_length(&name)));
    }
    extensions.extend(extension(10, &with_length(&numbers(&GROUPS))));
    extensions.extend(extension(11, &[1, 0]));
    extensions.extend(extension(13, &with_length(&numbers(&SIGNATURES))));
    body.extend(with_length(&extensions));
    let message = [vec![1, 0], with_length(&body)].concat();
    [vec![HANDSHAKE, 3, 1], with_length(&message)].concat()
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().to_vec(), with_length(content)].concat()
}

fn numbers(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// Host names are short, so every length here is.
fn with_length(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], content].concat()
}
