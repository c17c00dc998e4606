//! A long line: what goes in at one end comes out at the other a fixed time later, in order, and as fast as it
//! went in, or at a given rate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep_until};

/// Bytes that are on the line in one direction, at most: 50 ms of 20 Gbit/s.
const ON_THE_LINE: usize = 128 * 1024 * 1024;
/// Bytes of one piece.
const PIECE: usize = 64 * 1024;

/// What the line is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    /// How long a byte is on its way.
    pub(crate) delay: Duration,
    /// Bytes per second in each direction; as many as come when there is none.
    pub(crate) rate: Option<f64>,
}

/// Carries every connection that `listener` gets to `target`, until dropped.
pub(crate) async fn run(listener: TcpListener, target: SocketAddr, line: Line) {
    loop {
        match listener.accept().await {
            Ok((near, _)) => {
                tokio::spawn(connect(near, target, line));
            }
            Err(error) => {
                eprintln!("slow-link: {error}");
                return;
            }
        }
    }
}

async fn connect(near: TcpStream, target: SocketAddr, line: Line) {
    let far = match TcpStream::connect(target).await {
        Ok(far) => far,
        Err(error) => return eprintln!("slow-link: {target}: {error}"),
    };
    if near.set_nodelay(true).and(far.set_nodelay(true)).is_err() {
        return;
    }
    let (from_near, to_near) = near.into_split();
    let (from_far, to_far) = far.into_split();
    tokio::join!(carry(from_near, to_far, line), carry(from_far, to_near, line));
}

type OnTheLine = (Instant, Vec<u8>, OwnedSemaphorePermit);

async fn carry(from: impl AsyncRead + Unpin, to: impl AsyncWrite + Unpin, line: Line) {
    let (sender, receiver) = mpsc::channel(ON_THE_LINE / 1024);
    tokio::join!(put_in(from, sender, line), take_out(to, receiver));
}

async fn put_in(mut from: impl AsyncRead + Unpin, line: mpsc::Sender<OnTheLine>, about: Line) {
    let room = Arc::new(Semaphore::new(ON_THE_LINE));
    let mut buffer = vec![0; PIECE];
    let mut free_at = Instant::now();
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let Ok(permit) = Arc::clone(&room).acquire_many_owned(u32::try_from(length).unwrap_or(1)).await
        else {
            return;
        };
        if let Some(rate) = about.rate {
            // The line takes the next piece when it has taken this one.
            free_at = free_at.max(Instant::now()) + Duration::from_secs_f64(length as f64 / rate);
            sleep_until(free_at).await;
        }
        let piece = (Instant::now() + about.delay, buffer[..length].to_vec(), permit);
        if line.send(piece).await.is_err() {
            return;
        }
    }
}

async fn take_out(mut to: impl AsyncWrite + Unpin, mut line: mpsc::Receiver<OnTheLine>) {
    while let Some((due, piece, _room)) = line.recv().await {
        sleep_until(due).await;
        if to.write_all(&piece).await.is_err() {
            return;
        }
    }
    // Whoever is gone needs no goodbye.
    to.shutdown().await.ok();
}
