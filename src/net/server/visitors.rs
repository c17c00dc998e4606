//! The requests of one HTTP/2 connection, each with a task of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::Request;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::admission::{Admission, admit, concerns};
use super::answer::{dated, send, session};
use super::site::Site;
use crate::net::decoy::Body;
use crate::net::http2::MAX_STREAMS;

/// A request that is to become a tunnel.
pub(in crate::net) struct Admitted {
    /// Where the answer goes.
    pub(super) respond: SendResponse<Bytes>,
    /// The client's body.
    pub(super) incoming: RecvStream,
    /// A name for logs.
    pub(super) tunnel_id: [u8; 32],
    /// Fresh randomness.
    pub(super) seed: Zeroizing<[u8; 32]>,
}

/// Who asks something on one connection.
pub(in crate::net) struct Visitors {
    site: Arc<Site>,
    source: SocketAddr,
    tasks: JoinSet<Option<Admitted>>,
    /// The connection carries a tunnel, and will carry no second one.
    taken: bool,
}

impl Visitors {
    pub(super) fn new(site: Arc<Site>, source: SocketAddr) -> Self {
        Self { site, source, tasks: JoinSet::new(), taken: false }
    }

    /// Answers a request.
    pub(in crate::net) fn serve(&mut self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        self.site.counters.raise(|counts| &mut counts.requests);
        let may_tunnel = !self.taken;
        self.tasks.spawn(visit(Arc::clone(&self.site), self.source, request, respond, may_tunnel));
    }

    /// As many are being answered as may be. Requests that were reset before they were answered count too.
    pub(in crate::net) fn is_full(&self) -> bool {
        self.tasks.len() >= MAX_STREAMS as usize
    }

    /// Nobody is being answered.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Takes notice of answers that are done. Ready with the first request that is to become a tunnel; a second
    /// one is reset.
    pub(in crate::net) fn poll_admitted(&mut self, cx: &mut Context<'_>) -> Poll<Admitted> {
        while let Poll::Ready(Some(done)) = self.tasks.poll_join_next(cx) {
            // A task that panicked has dropped its stream, which resets it.
            let Ok(Some(mut admitted)) = done else { continue };
            if !self.taken {
                self.taken = true;
                return Poll::Ready(admitted);
            }
            admitted.respond.send_reset(h2::Reason::REFUSED_STREAM);
        }
        Poll::Pending
    }
}

async fn visit(
    site: Arc<Site>,
    source: SocketAddr,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    may_tunnel: bool,
) -> Option<Admitted> {
    let (parts, incoming) = request.into_parts();
    let mut body = Body::from(incoming);
    let admission = match concerns(&site, &parts) {
        true => admit(&site, source.ip(), &parts, &mut body).await,
        false => Admission::Visit,
    };
    let response = match admission {
        Admission::Tunnel { tunnel_id, seed } if may_tunnel && site.has_room() => {
            let incoming = body.into_http2()?;
            return Some(Admitted { respond, incoming, tunnel_id, seed });
        }
        Admission::Session(cookie) => session(&site, cookie.as_str()),
        Admission::Tunnel { .. } | Admission::Visit => {
            site.decoy.answer(Request::from_parts(parts, body)).await
        }
    };
    send(&mut respond, dated(&site, response), site.limits.idle).await;
    None
}
