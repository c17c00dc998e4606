//! Who visits: as anybody, or with a record in hand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rustls::ClientConfig;
use tokio::time::sleep;

use super::hand::Doorway;
use crate::clock::Clock;
use crate::htx::ticket::{Carrier, Issued, issue};
use crate::net::client::{ConnectError, enter};
use crate::net::session::{Agreed, Session, VisitError, dial};
use crate::time::UnixMillis;
use crate::wire::record::NodeRecord;

/// A host at an address.
pub(super) struct Place {
    pub(super) tls: Arc<ClientConfig>,
    pub(super) host: String,
    pub(super) address: SocketAddr,
}

impl Place {
    /// A connection on which nothing was asked yet.
    pub(super) async fn session(&self) -> Result<(Session, Agreed), VisitError> {
        let (socket, agreed) = dial(&self.tls, &self.host, self.address).await?;
        let session = Session::begin(socket, &agreed).await?;
        Ok((session, agreed))
    }
}

/// Somebody with the relay's record.
pub(super) struct Guest<'a> {
    pub(super) place: &'a Place,
    pub(super) record: &'a NodeRecord,
    pub(super) clock: Clock,
    pub(super) rng: ChaCha20Rng,
    /// A ticket has opened a tunnel: the relay, the record and the clocks are right.
    pub(super) opened: bool,
    /// How often it was waited for the relay's bucket to fill.
    pub(super) rests: u8,
}

/// How often that is done in one visit.
const RESTS: u8 = 3;
/// For so long: a relay gives one token a second.
const REST: Duration = Duration::from_secs(30);

impl Guest<'_> {
    /// A ticket as one may be drawn: this carrier, so much padding, made at this time.
    pub(super) fn ticket(
        &mut self,
        carrier: Carrier,
        padding: u8,
        at: UnixMillis,
    ) -> Result<Issued, ConnectError> {
        let policy = format!("BN-Ticket: v1; carriers={}:1; len={padding}..{padding}", carrier.as_str());
        let record = NodeRecord { policy, ..self.record.clone() };
        Ok(issue(&record, at, &mut self.rng)?)
    }

    /// A ticket in a cookie, made now.
    pub(super) fn usual_ticket(&mut self) -> Result<Issued, ConnectError> {
        self.ticket(Carrier::Cookie, 40, self.clock.now().unix)
    }

    /// Shows a ticket on a connection of its own. Where tickets have opened before and this one does not, it may be
    /// that the relay's bucket for this network is empty, and so the ticket was not looked at: it is shown again later.
    pub(super) async fn show(&mut self, ticket: &Issued) -> Result<Doorway, ConnectError> {
        loop {
            let (mut session, _) = self.place.session().await?;
            match enter(&mut session, self.record, self.place.address, ticket).await {
                Ok((outgoing, incoming)) => {
                    self.opened = true;
                    return Ok(Doorway::new(session, outgoing, incoming));
                }
                Err(ConnectError::Refused(_)) if self.opened && self.rests < RESTS => {
                    session.end().await;
                    self.rests += 1;
                    sleep(REST).await;
                }
                Err(error) => {
                    session.end().await;
                    return Err(error);
                }
            }
        }
    }

    /// A tunnel's bodies, for a fresh ticket.
    pub(super) async fn enter(&mut self) -> Result<Doorway, ConnectError> {
        let ticket = self.usual_ticket()?;
        self.show(&ticket).await
    }
}
