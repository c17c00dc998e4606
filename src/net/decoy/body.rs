//! The body of a request or an answer, whichever HTTP it came by.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub(in crate::net) enum BodyError {
    /// On an HTTP/2 connection.
    #[error(transparent)]
    Http2(#[from] h2::Error),
    /// On an HTTP/1.1 connection.
    #[error(transparent)]
    Http1(#[from] hyper::Error),
}

/// Bytes that were read ahead, and the rest where it comes from.
#[derive(Debug, Default)]
pub(in crate::net) struct Body {
    ahead: VecDeque<Bytes>,
    rest: Rest,
}

#[derive(Debug, Default)]
enum Rest {
    #[default]
    Nothing,
    Http2(h2::RecvStream),
    Http1(Incoming),
}

impl Body {
    /// A body that is at hand.
    pub(in crate::net) fn full(bytes: Bytes) -> Self {
        let ahead = if bytes.is_empty() { VecDeque::new() } else { VecDeque::from([bytes]) };
        Self { ahead, rest: Rest::Nothing }
    }

    /// Puts bytes that were read back to where they came from.
    pub(in crate::net) fn put_back(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.ahead.push_front(bytes);
        }
    }

    /// Takes out what is left of an HTTP/2 body, where that is what it is.
    pub(in crate::net) fn into_http2(self) -> Option<h2::RecvStream> {
        match self.rest {
            Rest::Http2(stream) => Some(stream),
            Rest::Nothing | Rest::Http1(_) => None,
        }
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        match &mut self.rest {
            Rest::Nothing => Poll::Ready(None),
            Rest::Http2(stream) => {
                let data = ready!(stream.poll_data(cx));
                if let Some(Ok(data)) = &data {
                    // Read is taken: what is kept is bounded by who reads.
                    stream.flow_control().release_capacity(data.len())?;
                }
                Poll::Ready(data.map(|read| read.map_err(BodyError::from)))
            }
            Rest::Http1(incoming) => loop {
                match ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
                    None => return Poll::Ready(None),
                    Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                    // Trailers end with us.
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            return Poll::Ready(Some(Ok(data)));
                        }
                    }
                }
            },
        }
    }
}

impl From<h2::RecvStream> for Body {
    fn from(stream: h2::RecvStream) -> Self {
        Self { ahead: VecDeque::new(), rest: Rest::Http2(stream) }
    }
}

impl From<Incoming> for Body {
    fn from(incoming: Incoming) -> Self {
        Self { ahead: VecDeque::new(), rest: Rest::Http1(incoming) }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Some(bytes) = this.ahead.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        this.poll_rest(cx).map(|read| read.map(|read| read.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty()
            && match &self.rest {
                Rest::Nothing => true,
                Rest::Http2(stream) => stream.is_end_stream(),
                Rest::Http1(incoming) => incoming.is_end_stream(),
            }
    }

    fn size_hint(&self) -> SizeHint {
        let ahead: u64 = self.ahead.iter().map(|bytes| bytes.len() as u64).sum();
        match &self.rest {
            Rest::Nothing => SizeHint::with_exact(ahead),
            Rest::Http2(_) => SizeHint::default(),
            Rest::Http1(incoming) => incoming
                .size_hint()
                .exact()
                .map_or_else(SizeHint::default, |rest| SizeHint::with_exact(rest.saturating_add(ahead))),
        }
    }
}
