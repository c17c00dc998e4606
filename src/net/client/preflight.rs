//! The look at a web site before the ticket is shown: what its host says to an ordinary visitor (O-6).

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Method;
use http::header::ALT_SVC;
use rand_chacha::ChaCha20Rng;
use rustls::ClientConfig;

use crate::htx::cover::{Baseline, Cache, FirstFlight, LeafKey, Observation};
use crate::net::session::{Agreed, Session, VisitError, authority, dial, request};
use crate::time::Instant;

/// What hosts showed, shared by all connects of a client.
#[derive(Debug)]
pub(super) struct Preflights(Mutex<Cache>);

/// Something that was seen before.
pub(super) struct Known {
    pub(super) baseline: Baseline,
    /// It is time to look again.
    pub(super) is_stale: bool,
}

impl Preflights {
    /// Nothing was seen yet.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Cache::new()))
    }

    /// What a host showed, where that is not too old.
    pub(super) fn get(&self, host: &str, address: IpAddr, now: Instant) -> Option<Known> {
        let cache = self.cache();
        let baseline = cache.get(host, address, now)?.clone();
        Some(Known { baseline, is_stale: cache.refresh_due(host, address, now) })
    }

    /// A host was looked at: what it showed joins what it showed before.
    pub(super) fn put(
        &self,
        host: &str,
        address: IpAddr,
        seen: Observation,
        rng: &mut ChaCha20Rng,
        now: Instant,
    ) -> Baseline {
        let mut cache = self.cache();
        cache.record(host, address, seen.clone(), rng, now);
        cache.get(host, address, now).cloned().unwrap_or_else(|| Baseline::new(seen))
    }

    /// A host did not show what it showed before: it is looked at anew next time.
    pub(super) fn forget(&self, host: &str, address: IpAddr) {
        self.cache().forget(host, address);
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Visits a host once, for `path`, and tells what it showed.
pub(in crate::net) async fn look(
    tls: &Arc<ClientConfig>,
    host: &str,
    address: SocketAddr,
    path: &str,
) -> Result<Observation, VisitError> {
    let (socket, agreed) = dial(tls, host, address).await?;
    let mut session = Session::begin(socket, &agreed).await?;
    let answer = session.ask(request(Method::GET, &authority(host, address), path)?, None).await;
    let flight = session.flight();
    session.end().await;
    let alt_svc = answer?.headers.get(ALT_SVC).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Observation { alt_svc, ..observation(&agreed, &flight) })
}

/// What a connection shows before anything was asked on it.
pub(in crate::net) fn observation(agreed: &Agreed, flight: &FirstFlight) -> Observation {
    Observation {
        alpn: agreed.alpn.clone(),
        version: agreed.version,
        cipher: agreed.cipher,
        group: agreed.group,
        leaf_key: agreed.leaf.as_deref().map_or(LeafKey::Other, LeafKey::of_certificate),
        settings: flight.settings().unwrap_or_default().to_vec(),
        window_update: flight.window_update(),
        alt_svc: None,
    }
}
