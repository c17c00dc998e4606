//! What any visitor sees.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use rustls::client::Resumption;
use rustls::{ClientConfig, ClientConnection};

use super::finding::Finding;
use super::guest::Place;
use crate::htx::cover::{Baseline, Observation};
use crate::net::client::{look, observation};
use crate::net::probe::{Older, offer};
use crate::net::session::{Session, VisitError, authority, request};
use crate::net::tls::{TlsError, server_name};

/// How long the rest of the host's first words may take.
const SETTLING: Duration = Duration::from_secs(2);

/// R1: an offer of TLS 1.2 at most is turned away.
pub(super) async fn older_tls(place: &Place) -> Finding {
    match offer(&place.host, place.address).await {
        Ok(Older::Accepted) => {
            Finding::not_met("an offer of TLS 1.2 was accepted: allow TLS 1.3 only, at this port")
        }
        Ok(Older::Strange) => Finding::not_met("an offer of TLS 1.2 was answered by something else than TLS"),
        Ok(turned_away @ (Older::Refused(_) | Older::Closed)) => {
            Finding::met(format!("an offer of TLS 1.2 at most is {turned_away}"))
        }
        Err(error) => Finding::not_met(format!("it could not be checked: {error}")),
    }
}

/// What a plain visit showed, and one after it.
pub(super) struct Twice {
    pub(super) baseline: Baseline,
    pub(super) second: Observation,
}

/// Visits twice, the second time without asking for anything, as a client does before it shows its ticket.
pub(super) async fn twice(place: &Place) -> Result<Twice, VisitError> {
    let baseline = Baseline::new(look(&place.tls, &place.host, place.address, "/robots.txt").await?);
    let (mut session, agreed) = place.session().await?;
    session.flight_where(SETTLING, |flight| baseline.is_decided(flight)).await?;
    let second = observation(&agreed, &session.flight());
    session.end().await;
    Ok(Twice { baseline, second })
}

impl Twice {
    /// R3: the protocol that was chosen.
    pub(super) fn same_protocol(&self) -> Finding {
        let (first, second) = (&self.baseline.latest().alpn, &self.second.alpn);
        if first == second {
            let name = String::from_utf8_lossy(first);
            Finding::met(format!("`{name}` twice; what is offered is the client's"))
        } else {
            Finding::not_met("another protocol is chosen the second time")
        }
    }

    /// R4: everything that a client compares.
    pub(super) fn same_everything(&self) -> Finding {
        match self.baseline.compare(&self.second) {
            Ok(()) => Finding::met("two visits show the same; that clients look is for r04_"),
            Err(mismatch) => Finding::not_met(format!(
                "no client shows a ticket here, since two visits differ: {mismatch}; serve both from one place"
            )),
        }
    }
}

/// R6: whether the host's session tickets invite to early data.
pub(super) async fn early_data(place: &Place) -> Result<Finding, VisitError> {
    let mut tls = ClientConfig::clone(&place.tls);
    tls.resumption = Resumption::in_memory_sessions(4);
    tls.enable_early_data = true;
    let tls = Arc::new(tls);
    let curious = Place { tls: Arc::clone(&tls), host: place.host.clone(), address: place.address };
    let (mut session, _) = curious.session().await?;
    ask_for_root(&mut session, place).await?;
    session.end().await;
    let again = ClientConnection::new(tls, server_name(&place.host)?);
    Ok(if again.map_err(TlsError::from)?.early_data().is_some() {
        Finding::not_met("its session tickets invite to 0-RTT: switch early data off")
    } else {
        Finding::met("no session ticket invites to it; that clients never send it is for r06_")
    })
}

async fn ask_for_root(session: &mut Session, place: &Place) -> Result<(), VisitError> {
    let request = request(Method::GET, &authority(&place.host, place.address), "/")?;
    session.ask(request, None).await.map(drop)
}

/// R34: what a tunnel's connection said first, beside what a visit's did.
pub(super) fn same_settings(baseline: &Baseline, tunnel: &Session) -> Finding {
    let (visit, flight) = (baseline.latest(), tunnel.flight());
    let same = flight.settings() == Some(&visit.settings) && flight.window_update() == visit.window_update;
    if same {
        Finding::met("a visit and a tunnel are told the same, in the same order")
    } else {
        Finding::not_met("a tunnel's connection has other SETTINGS than a visit's")
    }
}
