//! A copy of the first bytes that a peer sends inside TLS: what no HTTP library tells, its SETTINGS in order.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

use crate::htx::cover::FirstFlight;

/// A stream whose first bytes read are looked at on their way.
#[derive(Debug)]
pub(in crate::net) struct Tee<S> {
    inner: S,
    /// Until everything is known, or the reader's bound is reached.
    flight: Option<(FirstFlight, watch::Sender<FirstFlight>)>,
}

impl<S> Tee<S> {
    /// Looks at what comes from `inner`, and says what it has seen so far.
    pub(in crate::net) fn new(inner: S) -> (Self, watch::Receiver<FirstFlight>) {
        let (sender, seen) = watch::channel(FirstFlight::default());
        (Self { inner, flight: Some((FirstFlight::default(), sender)) }, seen)
    }

    fn look(&mut self, bytes: &[u8]) {
        if let Some((flight, sender)) = &mut self.flight {
            flight.read(bytes);
            sender.send_replace(flight.clone());
            if flight.is_over() {
                self.flight = None;
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tee<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        if this.flight.is_some() {
            this.look(buf.filled().get(before..).unwrap_or_default());
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tee<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
