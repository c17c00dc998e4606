//! A wire between clients and a host that can fall silent without an end, as one does that is cut somewhere else.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A wire; see the module.
pub(crate) struct Wire {
    /// The end for clients.
    pub(crate) address: SocketAddr,
    silent: watch::Sender<bool>,
}

impl Wire {
    /// A wire to this host.
    pub(crate) async fn to(host: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, silent) = (listener.local_addr().unwrap(), watch::Sender::new(false));
        let telling = silent.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (from_client, to_client) = client.into_split();
                let (from_host, to_host) = TcpStream::connect(host).await.unwrap().into_split();
                tokio::spawn(carry(from_client, to_host, telling.subscribe()));
                tokio::spawn(carry(from_host, to_client, telling.subscribe()));
            }
        });
        Self { address, silent }
    }

    /// Carries nothing from here on, or carries again.
    pub(crate) fn be_silent(&self, silent: bool) {
        self.silent.send_replace(silent);
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, silent: watch::Receiver<bool>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if !*silent.borrow() && to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    to.shutdown().await.ok();
}
