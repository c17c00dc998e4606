//! Asks a host everything that a plain visitor can ask.

use std::net::SocketAddr;

use http::Method;

use super::older::offer;
use super::report::{First, Report, Tls, Visited};
use crate::htx::cover::LeafKey;
use crate::net::session::{Agreed, Session, VisitError, authority, dial, request};
use crate::net::tls::{Roots, TlsError, client_config};

/// What is asked for: what browsers and robots fetch, what hardly any site has, and what only relays take.
const VISITS: [(Method, &str); 6] = [
    (Method::GET, "/"),
    (Method::HEAD, "/"),
    (Method::GET, "/robots.txt"),
    (Method::GET, "/favicon.ico"),
    (Method::GET, "/no-such-page-here"),
    (Method::POST, "/"),
];

/// Asks a host at an address, as a plain visitor.
pub async fn probe(host: &str, address: SocketAddr, roots: &Roots) -> Result<Report, TlsError> {
    let tls = client_config(roots)?;
    let older = offer(host, address).await;
    let (tls, session) = match dial(&tls, host, address).await {
        Ok((socket, agreed)) => (Ok(agreed_on(&agreed)), Session::begin(socket, &agreed).await),
        Err(error) => (Err(error), Err(VisitError::Over)),
    };
    let (first, visits) = match session {
        Ok(session) => visit(session, host, address).await,
        Err(error) => (Err(error), Vec::new()),
    };
    Ok(Report { host: host.to_owned(), address, tls, older, first, visits })
}

async fn visit(
    mut session: Session,
    host: &str,
    address: SocketAddr,
) -> (Result<First, VisitError>, Vec<Visited>) {
    let authority = authority(host, address);
    let mut visits = Vec::with_capacity(VISITS.len());
    for (method, path) in VISITS {
        let answer = match request(method.clone(), &authority, path) {
            Ok(request) => session.ask(request, None).await,
            Err(error) => Err(error),
        };
        visits.push(Visited { method, path, answer });
    }
    let flight = session.flight();
    session.end().await;
    let first = flight
        .settings()
        .map(|settings| First { settings: settings.to_vec(), window_update: flight.window_update() });
    (first.ok_or(VisitError::Over), visits)
}

fn agreed_on(agreed: &Agreed) -> Tls {
    Tls {
        version: agreed.version,
        cipher: agreed.cipher,
        group: agreed.group,
        alpn: agreed.alpn.clone(),
        leaf_key: agreed.leaf.as_deref().map_or(LeafKey::Other, LeafKey::of_certificate),
    }
}
