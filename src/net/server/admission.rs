//! Who gets a tunnel: what a POST to the tunnel path brings goes to the gate, whatever it is; what the gate
//! admits is remembered on disk first (spec chapters 4 and 5).

use std::net::IpAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, COOKIE};
use http::request::Parts;
use http::{HeaderValue, Method};
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::config::Commit;
use super::gatekeeper::Brought;
use super::site::Site;
use crate::htx::gate::{Refusal, ReplayEntry, SessionCookie, Verdict};
use crate::net::decoy::Body;

const FORM: &[u8] = b"application/x-www-form-urlencoded";
/// The longest form that can hold a ticket, in bytes, and room to see that a longer one is longer.
const MAX_FORM: usize = 512;
/// How long the form may take to come, and its memory to get to disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// What becomes of a POST to the tunnel path.
pub(super) enum Admission {
    /// It is a tunnel.
    Tunnel {
        /// A name for logs.
        tunnel_id: [u8; 32],
        /// Fresh randomness.
        seed: Zeroizing<[u8; 32]>,
    },
    /// It brought a ticket in a form; the tunnel comes with this cookie.
    Session(SessionCookie),
    /// It is a visit.
    Visit,
}

/// Whether a request goes to the gate.
pub(super) fn concerns(site: &Site, parts: &Parts) -> bool {
    parts.method == Method::POST && parts.uri.path() == site.tunnel_path
}

/// Puts a POST to the tunnel path to the gate. The body is left as it came.
pub(super) async fn admit(site: &Site, source: IpAddr, parts: &Parts, body: &mut Body) -> Admission {
    site.counters.raise(|counts| &mut counts.tunnel_posts);
    let form = if is_form(site, parts) { read_form(body).await } else { None };
    let had_form = form.is_some();
    let brought = Brought { cookie: cookies(parts), query: query(parts), form: form.map(Vec::from) };
    match site.gate.check(source, brought).await {
        // A tunnel's bytes are no form.
        Some((Verdict::Admitted { remember, tunnel }, seed)) if !had_form => {
            if let Some(entry) = remember
                && !remembered(site, entry).await
            {
                return Admission::Visit;
            }
            site.counters.raise(|counts| &mut counts.tickets_admitted);
            Admission::Tunnel { tunnel_id: tunnel, seed }
        }
        Some((Verdict::Session { remember, cookie, .. }, _)) => {
            if !remembered(site, remember).await {
                return Admission::Visit;
            }
            site.counters.raise(|counts| &mut counts.tickets_admitted);
            Admission::Session(cookie)
        }
        Some((Verdict::Refused(Refusal::SourceBucket | Refusal::GlobalBucket), _)) => {
            site.counters.raise(|counts| &mut counts.tickets_over_budget);
            Admission::Visit
        }
        Some((Verdict::Admitted { .. } | Verdict::Refused(_), _)) | None => {
            site.counters.raise(|counts| &mut counts.tickets_refused);
            Admission::Visit
        }
    }
}

/// Brings a used ticket to disk. False when that did not work: then it opens nothing.
async fn remembered(site: &Site, entry: ReplayEntry) -> bool {
    let (done, committed) = oneshot::channel();
    let commit = async {
        site.replay.send(Commit { entry, done }).await.ok()?;
        committed.await.ok()
    };
    timeout(PATIENCE, commit).await.is_ok_and(|committed| committed.is_some())
}

fn is_form(site: &Site, parts: &Parts) -> bool {
    let said = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    said.len() >= FORM.len()
        && said.iter().zip(FORM).all(|(said, form)| said.eq_ignore_ascii_case(form))
        && said != site.content_type.as_bytes()
}

/// Reads a short body to its end; `None` when it is longer, or does not end in time.
async fn read_form(body: &mut Body) -> Option<Bytes> {
    let mut form = BytesMut::new();
    let read = timeout(PATIENCE, async {
        while form.len() <= MAX_FORM {
            match body.frame().await {
                Some(Ok(frame)) => form.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new())),
                Some(Err(_)) => return false,
                None => return true,
            }
        }
        false
    });
    let whole = read.await.unwrap_or(false);
    let form = form.freeze();
    body.put_back(form.clone());
    whole.then_some(form)
}

fn cookies(parts: &Parts) -> Option<Vec<u8>> {
    let pieces: Vec<&[u8]> = parts.headers.get_all(COOKIE).into_iter().map(HeaderValue::as_bytes).collect();
    (!pieces.is_empty()).then(|| pieces.join(&b"; "[..]))
}

fn query(parts: &Parts) -> Option<Vec<u8>> {
    parts.uri.query().map(|query| query.as_bytes().to_vec())
}
