//! Those who stand between client and host: one who only records, and one who ends TLS himself.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What crossed one connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Capture {
    pub(crate) to_host: Vec<u8>,
    pub(crate) to_client: Vec<u8>,
}

/// All connections, in the order they came.
pub(crate) type Captures = Arc<Mutex<Vec<Capture>>>;

/// Changes a piece that goes to the host, on the connection with this number; false cuts the connection.
pub(crate) type Change = Arc<dyn Fn(usize, &mut Vec<u8>) -> bool + Send + Sync>;

/// Records whatever goes to an address and comes from it.
pub(crate) async fn recorder(host: SocketAddr) -> (SocketAddr, Captures) {
    meddler(host, Arc::new(|_, _| true)).await
}

/// Records, and changes what goes to the host.
pub(crate) async fn meddler(host: SocketAddr, change: Change) -> (SocketAddr, Captures) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let captures = Captures::default();
    let all = Arc::clone(&captures);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let number = {
                let mut captures = captures.lock().unwrap();
                captures.push(Capture::default());
                captures.len() - 1
            };
            let host = TcpStream::connect(host).await.unwrap();
            carry(client, host, number, Arc::clone(&captures), Arc::clone(&change));
        }
    });
    (address, all)
}

/// Carries bytes between two streams, and records them.
pub(crate) fn carry(
    client: impl AsyncRead + AsyncWrite + Send + 'static,
    host: impl AsyncRead + AsyncWrite + Send + 'static,
    number: usize,
    captures: Captures,
    change: Change,
) {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_host, mut to_host) = tokio::io::split(host);
    let up = Arc::clone(&captures);
    tokio::spawn(async move {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            let mut piece = buffer[..length].to_vec();
            up.lock().unwrap()[number].to_host.extend_from_slice(&piece);
            if !change(number, &mut piece) || to_host.write_all(&piece).await.is_err() {
                break;
            }
        }
        to_host.shutdown().await.ok();
    });
    tokio::spawn(async move {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = from_host.read(&mut buffer).await {
            captures.lock().unwrap()[number].to_client.extend_from_slice(&buffer[..length]);
            if to_client.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
        to_client.shutdown().await.ok();
    });
}
