//! A network path between two nodes on this machine that can be cut: it forwards UDP datagrams between two
//! fixed ends, and while it is cut it loses them all without a word, as a broken path does.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// Longer than any datagram.
const DATAGRAM: usize = 65_536;

/// The path; dropped, it is gone.
pub(crate) struct Path {
    /// Where the second end's node is to be found by the first.
    pub(crate) to_second: SocketAddr,
    /// Where the first end's node is to be found by the second.
    pub(crate) to_first: SocketAddr,
    /// Bytes that it still carries, both ways together; none while it is cut.
    left: Arc<AtomicU64>,
    tasks: [JoinHandle<()>; 2],
}

impl Path {
    /// Lays a path between the sockets of two nodes; it is open.
    pub(crate) async fn lay(first: SocketAddr, second: SocketAddr) -> io::Result<Self> {
        let near_first = Arc::new(UdpSocket::bind((first.ip(), 0)).await?);
        let near_second = Arc::new(UdpSocket::bind((second.ip(), 0)).await?);
        let left = Arc::new(AtomicU64::new(u64::MAX));
        let (to_second, to_first) = (near_first.local_addr()?, near_second.local_addr()?);
        let forth = forward(Arc::clone(&near_first), Arc::clone(&near_second), second, Arc::clone(&left));
        let back = forward(near_second, near_first, first, Arc::clone(&left));
        Ok(Self { to_second, to_first, left, tasks: [tokio::spawn(forth), tokio::spawn(back)] })
    }

    /// Cuts the path, or mends it.
    pub(crate) fn set_open(&self, open: bool) {
        self.cut_after(if open { u64::MAX } else { 0 });
    }

    /// Cuts the path when it has carried so many more bytes, both ways together.
    pub(crate) fn cut_after(&self, bytes: u64) {
        self.left.store(bytes, Ordering::Relaxed);
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Whatever comes to one socket leaves from the other.
async fn forward(from: Arc<UdpSocket>, out: Arc<UdpSocket>, to: SocketAddr, left: Arc<AtomicU64>) {
    let mut datagram = vec![0; DATAGRAM];
    loop {
        // An error is a node that is not there at the moment (ICMP port unreachable): the path stays.
        let Ok((len, _)) = from.recv_from(&mut datagram).await else { continue };
        let bytes = len as u64;
        let rest = |left: u64| Some(left.saturating_sub(bytes));
        if left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest).is_ok_and(|left| left > bytes) {
            out.send_to(&datagram[..len], to).await.ok();
        }
    }
}
