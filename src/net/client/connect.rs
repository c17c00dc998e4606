//! From a node record to a tunnel.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rustls::ClientConfig;
use tokio::time::timeout;

use super::attempts::Attempts;
use super::error::{ClientError, ConnectError};
use super::options::{ClientOptions, Preflight, Target};
use super::preflight::{Preflights, look, observation};
use super::ticket::enter;
use crate::clock::Clock;
use crate::htx::cover::{Baseline, FirstFlight};
use crate::htx::handshake::Binding;
use crate::htx::{ClientSetup, Connection, ticket};
use crate::net::session::{Agreed, PATIENCE, Session, VisitError, dial};
use crate::net::tls::client_config;
use crate::net::tunnel::{Carrier, Driver, Life, Parts, Tunnel};
use crate::wire::record::NodeRecord;

/// How long the rest of the host's first words may take, after its settings.
const SETTLING: Duration = Duration::from_secs(2);

/// Makes tunnels. Cheap to clone; clones share what they learnt about hosts.
#[derive(Debug, Clone)]
pub struct Client(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: ClientOptions,
    tls: Arc<ClientConfig>,
    preflights: Preflights,
    attempts: Attempts,
    draws: AtomicU64,
    clock: Clock,
}

impl Client {
    /// A client that has seen nothing yet.
    pub fn new(options: ClientOptions, clock: Clock) -> Result<Self, ClientError> {
        let tls = client_config(&options.roots)?;
        Ok(Self(Arc::new(Shared {
            options,
            tls,
            preflights: Preflights::new(),
            attempts: Attempts::default(),
            draws: AtomicU64::new(0),
            clock,
        })))
    }

    /// Makes a tunnel to a relay, at the first of its addresses that can be reached.
    pub async fn connect(&self, relay: &Target) -> Result<Tunnel, ConnectError> {
        let now = self.0.clock.now();
        let id = relay.record.id();
        self.0.options.suite.permitted(self.0.options.classical, now.unix).map_err(ConnectError::Suite)?;
        if let Some(until) = self.0.attempts.rest(id, now.instant) {
            return Err(ConnectError::Resting { until });
        }
        let mut failure = ConnectError::NoAddress;
        for &address in &relay.addresses {
            match self.connect_at(&relay.record, address).await {
                Ok(tunnel) => return Ok(tunnel),
                Err(error) if error.is_local() => failure = error,
                Err(error) => {
                    if matches!(error, ConnectError::Refused(_)) {
                        self.0.attempts.refused(id, self.0.clock.now().instant);
                    }
                    return Err(error);
                }
            }
        }
        Err(failure)
    }

    async fn connect_at(&self, record: &NodeRecord, address: SocketAddr) -> Result<Tunnel, ConnectError> {
        let mut rng = self.rng();
        let baseline = self.baseline(&record.host, address, &mut rng).await?;
        let (socket, agreed) = dial(&self.0.tls, &record.host, address).await?;
        let mut session = match Session::begin(socket, &agreed).await {
            Ok(session) => session,
            Err(VisitError::NoHttp2) => {
                self.0.preflights.forget(&record.host, address.ip());
                let seen = observation(&agreed, &FirstFlight::default());
                return Err(baseline
                    .compare(&seen)
                    .map_or_else(ConnectError::OriginMismatch, |()| VisitError::NoHttp2.into()));
            }
            Err(error) => return Err(error.into()),
        };
        if let Err(error) = compare(&mut session, &agreed, &baseline).await {
            self.0.preflights.forget(&record.host, address.ip());
            session.end().await;
            return Err(error);
        }
        let ticket = ticket::issue(record, self.0.clock.now().unix, &mut rng)?;
        let bodies = match enter(&mut session, record, address, &ticket).await {
            Ok(bodies) => bodies,
            Err(error) => {
                session.end().await;
                return Err(error);
            }
        };
        self.shake_hands(record, session, bodies, rng).await
    }

    /// What the host shows to ordinary visitors.
    async fn baseline(
        &self,
        host: &str,
        address: SocketAddr,
        rng: &mut ChaCha20Rng,
    ) -> Result<Baseline, ConnectError> {
        if self.0.options.preflight == Preflight::Cached
            && let Some(known) = self.0.preflights.get(host, address.ip(), self.0.clock.now().instant)
        {
            if known.is_stale {
                let (client, host, mut rng) = (self.clone(), host.to_owned(), self.rng());
                // Where it fails, what is known is believed until it is too old.
                tokio::spawn(async move { client.look(&host, address, &mut rng).await.ok() });
            }
            return Ok(known.baseline);
        }
        self.look(host, address, rng).await
    }

    async fn look(
        &self,
        host: &str,
        address: SocketAddr,
        rng: &mut ChaCha20Rng,
    ) -> Result<Baseline, ConnectError> {
        let path = if rng.next_u32() & 1 == 0 { "/robots.txt" } else { "/favicon.ico" };
        let seen = look(&self.0.tls, host, address, path).await.map_err(ConnectError::Preflight)?;
        Ok(self.0.preflights.put(host, address.ip(), seen, rng, self.0.clock.now().instant))
    }

    async fn shake_hands(
        &self,
        record: &NodeRecord,
        session: Session,
        (outgoing, incoming): (SendStream<Bytes>, RecvStream),
        mut rng: ChaCha20Rng,
    ) -> Result<Tunnel, ConnectError> {
        let options = &self.0.options;
        let exporter = session.exporter;
        let setup = ClientSetup {
            suite: options.suite,
            relay_static: record.noise_public,
            binding: Binding { host: record.host.clone(), exporter },
            config: options.emulation.config(),
        };
        let life = Life::new(options.emulation, &mut rng);
        let machine =
            Connection::client(setup, rng, self.0.clock.now()).map_err(|_| ConnectError::Handshake)?;
        let (driver, tunnel) = Driver::new(Parts {
            machine,
            carrier: Carrier::Client { connection: session.connection, requests: Some(session.requests) },
            outgoing,
            incoming,
            exporter,
            clock: self.0.clock,
            life,
        });
        tokio::spawn(driver.run());
        // The machine's own deadline comes first; this one is for a clock that stands still.
        timeout(PATIENCE * 2, tunnel).await.ok().and_then(Result::ok).ok_or(ConnectError::Handshake)
    }

    /// Randomness for one connection, like that of no other.
    fn rng(&self) -> ChaCha20Rng {
        let mut rng = ChaCha20Rng::from_seed(*self.0.options.seed);
        rng.set_stream(self.0.draws.fetch_add(1, Ordering::Relaxed));
        rng
    }
}

/// Holds what this connection shows against what the pre-flight saw (O-7). Nothing was asked on it yet.
async fn compare(session: &mut Session, agreed: &Agreed, baseline: &Baseline) -> Result<(), ConnectError> {
    // The host's first words may come in pieces. What is not there in time counts as left out.
    session.flight_where(SETTLING, |flight| baseline.is_decided(flight)).await?;
    baseline.compare(&observation(agreed, &session.flight())).map_err(ConnectError::OriginMismatch)
}
