//! A Unix socket for its owner alone, with a bound on its connections.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream, unix::SocketAddr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections served at once; a further one waits.
const CONNECTIONS: usize = 128;

/// Listens on `path` with mode 0600, in place of the socket a dead daemon may have left there.
///
/// The caller must hold the home's lock: then whatever is at `path` belongs to nobody. The socket is made
/// inside a directory that only its owner can enter, so that at no moment another user could connect.
pub(super) fn bind(path: &Path) -> io::Result<OwnerSocket> {
    let staging = path.with_extension("new");
    match fs::remove_dir_all(&staging) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    DirBuilder::new().mode(0o700).create(&staging)?;
    let made = staging.join("s");
    let socket = UnixListener::bind(&made)?;
    fs::set_permissions(&made, Permissions::from_mode(0o600))?;
    fs::rename(&made, path)?;
    fs::remove_dir(&staging)?;
    Ok(OwnerSocket { socket, path: path.to_owned(), room: Arc::new(Semaphore::new(CONNECTIONS)) })
}

/// The socket the interface is served on; its file goes with it.
pub(super) struct OwnerSocket {
    socket: UnixListener,
    path: PathBuf,
    room: Arc<Semaphore>,
}

impl Drop for OwnerSocket {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the socket is gone already");
        }
    }
}

impl Listener for OwnerSocket {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        /// After an error like "too many open files", which passes when a connection ends.
        const PAUSE: Duration = Duration::from_millis(200);
        loop {
            let permit = match Arc::clone(&self.room).acquire_owned().await {
                Ok(permit) => permit,
                // Nobody closes the semaphore.
                Err(_closed) => std::future::pending().await,
            };
            match self.socket.accept().await {
                Ok((stream, address)) => return (Connection { stream, _permit: permit }, address),
                Err(error) => {
                    tracing::warn!(%error, "a connection to the interface could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// A connection, and its share of the room.
pub(super) struct Connection {
    stream: UnixStream,
    _permit: OwnedSemaphorePermit,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_for_its_owner_alone_and_replaces_a_dead_one() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("hopline.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(UnixStream::connect(&path).await.is_err());
        let socket = bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        UnixStream::connect(&path).await.unwrap();
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        drop(socket);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
