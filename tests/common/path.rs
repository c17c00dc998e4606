//! A network path between two nodes on this machine that can be cut: it forwards UDP datagrams between two
//! fixed ends, and while it is cut it loses them all without a word, as a broken path does.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::UdpSocket;
use tokio::sync::watch;
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
    /// Datagrams that were lost.
    lost: watch::Sender<u64>,
    tasks: [JoinHandle<()>; 2],
}

impl Path {
    /// Lays a path between the sockets of two nodes; it is open.
    pub(crate) async fn lay(first: SocketAddr, second: SocketAddr) -> io::Result<Self> {
        let near_first = Arc::new(UdpSocket::bind((first.ip(), 0)).await?);
        let near_second = Arc::new(UdpSocket::bind((second.ip(), 0)).await?);
        let left = Arc::new(AtomicU64::new(u64::MAX));
        let lost = watch::Sender::new(0);
        let (to_second, to_first) = (near_first.local_addr()?, near_second.local_addr()?);
        let way = |from: &Arc<UdpSocket>, out: &Arc<UdpSocket>, to| {
            let way = Way { out: Arc::clone(out), to, left: Arc::clone(&left), lost: lost.clone() };
            tokio::spawn(way.forward(Arc::clone(from)))
        };
        let tasks = [way(&near_first, &near_second, second), way(&near_second, &near_first, first)];
        Ok(Self { to_second, to_first, left, lost, tasks })
    }

    /// Lays a path between two ports that are free, each on an address of its own, so that a node confined to its
    /// address has no other way; says which ports.
    pub(crate) async fn between(first: [u8; 4], second: [u8; 4]) -> io::Result<(Self, [SocketAddr; 2])> {
        let ends = [free_port(first)?, free_port(second)?];
        Ok((Self::lay(ends[0], ends[1]).await?, ends))
    }

    /// Where each end's node is to be found by the other.
    pub(crate) fn found(&self) -> [SocketAddr; 2] {
        [self.to_first, self.to_second]
    }

    /// Waits until so many more datagrams were lost.
    pub(crate) async fn loses(&self, datagrams: u64) {
        let mut lost = self.lost.subscribe();
        let wanted = *lost.borrow() + datagrams;
        // The path holds the sender.
        lost.wait_for(|lost| *lost >= wanted).await.ok();
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

/// A UDP port of this address that was free a moment ago, and that the system does not hand out soon again.
fn free_port(address: [u8; 4]) -> io::Result<SocketAddr> {
    std::net::UdpSocket::bind((Ipv4Addr::from(address), 0))?.local_addr()
}

/// One direction.
struct Way {
    out: Arc<UdpSocket>,
    to: SocketAddr,
    left: Arc<AtomicU64>,
    lost: watch::Sender<u64>,
}

impl Way {
    /// Whatever comes to one socket leaves from the other, or is lost.
    async fn forward(self, from: Arc<UdpSocket>) {
        let mut datagram = vec![0; DATAGRAM];
        loop {
            // An error is a node that is not there at the moment (ICMP port unreachable): the path stays.
            let Ok((len, _)) = from.recv_from(&mut datagram).await else { continue };
            let bytes = len as u64;
            let rest = |left: u64| Some(left.saturating_sub(bytes));
            if self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest)
                .is_ok_and(|left| left > bytes)
            {
                self.out.send_to(&datagram[..len], self.to).await.ok();
            } else {
                self.lost.send_modify(|lost| *lost += 1);
            }
        }
    }
}
