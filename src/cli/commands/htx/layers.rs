//! What a probe found out, layer by layer, in plain words: what was seen, and where something is wrong, what to do.

use std::time::Duration;

use serde::Serialize;

use crate::htx::record::accept;
use crate::htx::ticket::Policy;
use crate::net::VisitError;
use crate::net::client::ConnectError;
use crate::net::lint::Subject;
use crate::net::probe::{Older, Report, Visited};
use crate::time::UnixMillis;
use crate::wire::record::SignedRecord;

use super::paragraph::behind;

/// Where the words of a line begin.
const INDENT: usize = 20;

/// How a layer fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Good,
    /// Good or bad, as one likes.
    Note,
    Bad,
}

/// One layer.
#[derive(Debug, Serialize)]
pub(super) struct Layer {
    layer: &'static str,
    pub(super) state: State,
    found: String,
    advice: Option<&'static str>,
}

impl Layer {
    pub(super) fn good(layer: &'static str, found: impl Into<String>) -> Self {
        Self { layer, state: State::Good, found: found.into(), advice: None }
    }

    fn note(layer: &'static str, found: impl Into<String>) -> Self {
        Self { layer, state: State::Note, found: found.into(), advice: None }
    }

    fn bad(layer: &'static str, found: impl Into<String>, advice: &'static str) -> Self {
        Self { layer, state: State::Bad, found: found.into(), advice: Some(advice) }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let state = match self.state {
            State::Good => "good",
            State::Note => "note",
            State::Bad => "BAD",
        };
        let line = behind(&format!("{:<12}{state}", self.layer), INDENT, &self.found);
        match self.advice {
            Some(advice) => format!("{line}\n{}", behind("", INDENT, &format!("-> {advice}"))),
            None => line,
        }
    }
}

/// What any visitor sees.
pub(super) fn of_site(report: &Report, is_relay: bool) -> Vec<Layer> {
    let tls = match &report.tls {
        Err(error @ (VisitError::Connect(_) | VisitError::TimedOut(_))) => {
            return vec![Layer::bad(
                "tcp",
                error.to_string(),
                "is the address right, the program running there, and the port open in the firewall?",
            )];
        }
        Err(error) => Layer::bad("tls", error.to_string(), tls_advice(error)),
        Ok(tls) => Layer::good("tls", tls.to_string()),
    };
    let mut layers = vec![Layer::good("tcp", format!("{} answers", report.address)), tls];
    layers.push(older(report, is_relay));
    if report.tls.is_err() {
        return layers;
    }
    layers.push(match &report.first {
        Ok(first) => Layer::good("http/2", first.to_string()),
        Err(error) => Layer::bad("http/2", error.to_string(), "HTX needs HTTP/2: offer `h2` in ALPN"),
    });
    layers.push(match report.alt_svc() {
        Some(offer) => Layer::note("http/3", format!("offered ({offer}); not used here")),
        None => Layer::note("http/3", "not offered"),
    });
    layers.extend(report.visits.iter().map(visited));
    layers
}

fn tls_advice(error: &VisitError) -> &'static str {
    let source = if let VisitError::Handshake(source) = error { source.get_ref() } else { None };
    let said = source.and_then(|source| source.downcast_ref::<rustls::Error>());
    match said {
        Some(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)) => {
            "nobody known has signed its certificate: if the relay made it itself, give the file with --ca"
        }
        Some(rustls::Error::InvalidCertificate(_)) => {
            "the certificate is not good for this host: check its names and dates, and the clock of this machine"
        }
        Some(_) | None => "TLS 1.3 is needed: is this a TLS port, and does the host speak 1.3?",
    }
}

fn older(report: &Report, is_relay: bool) -> Layer {
    match &report.older {
        Ok(Older::Accepted) if is_relay => {
            Layer::bad("tls 1.2", "accepted", "a relay must refuse it (R1): allow TLS 1.3 only")
        }
        Ok(Older::Accepted) => Layer::note("tls 1.2", "accepted, as by many web sites; a relay refuses it"),
        Ok(other) => Layer::good("tls 1.2", other.to_string()),
        Err(error) => Layer::note("tls 1.2", format!("no answer: {error}")),
    }
}

fn visited(visited: &Visited) -> Layer {
    match &visited.answer {
        Ok(_) => Layer::good("answer", visited.to_string()),
        Err(_) => Layer::bad("answer", visited.to_string(), "a web site answers every request in some way"),
    }
}

/// Whether the record is one, and of this host, at this time.
pub(super) fn of_record(subject: &Subject, signed: &SignedRecord, now: UnixMillis) -> Vec<Layer> {
    let record = signed.record();
    let mut layers = vec![match accept(signed.bytes(), None, now) {
        Ok(_) => Layer::good("record", format!("signed by node {}, in date", record.id())),
        Err(error) => {
            Layer::bad("record", error.to_string(), "ask the relay's operator for its present record")
        }
    }];
    if record.host != subject.host {
        layers.push(Layer::bad(
            "host",
            format!("the record is of {}, and {} was asked", record.host, subject.host),
            "leave the host out, and give --address if it is somewhere else",
        ));
    }
    let listed = record.addresses.contains(&subject.address);
    layers.push(if listed {
        Layer::good("address", format!("{} stands in the record", subject.address))
    } else {
        Layer::note("address", format!("{} does not stand in the record", subject.address))
    });
    let today = now.day();
    layers.push(
        match (Policy::parse(&record.policy), record.ticket_keys.iter().any(|key| key.day == today)) {
            (Ok(policy), true) => {
                let days = record.ticket_keys.iter().filter(|key| key.day >= today).count();
                Layer::good("tickets", format!("{policy}; keys for {days} days from today"))
            }
            (Ok(_), false) => Layer::bad(
                "tickets",
                "no ticket key for today",
                "the record is old, or this machine's clock is wrong",
            ),
            (Err(error), _) => {
                Layer::bad("tickets", error.to_string(), "the relay's operator has to put that right")
            }
        },
    );
    layers
}

/// Whether a tunnel can be made; `after` is how long its first PING took.
pub(super) fn of_tunnel(signed: &SignedRecord, made: Result<Option<Duration>, ConnectError>) -> Layer {
    let path = &signed.record().tunnel_path;
    match made {
        Ok(Some(after)) => {
            let milliseconds = after.as_secs_f64() * 1000.0;
            Layer::good(
                "tunnel",
                format!("made at {path} (hybrid handshake); a PING took {milliseconds:.1} ms"),
            )
        }
        Ok(None) => Layer::bad(
            "tunnel",
            format!("made at {path}, but a PING was not answered"),
            "`hopline htx lint` looks closer",
        ),
        Err(error) => Layer::bad("tunnel", error.to_string(), tunnel_advice(&error)),
    }
}

fn tunnel_advice(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::Refused(_) => {
            "the host answered as a web site does: it is no relay, or not the one of this record, or the record is \
             old, or a clock is wrong, or this network has shown too many tickets: try again in two minutes"
        }
        ConnectError::OriginMismatch(_) => {
            "two visits look different, as behind a load balancer: the relay must serve visits and tunnels alike"
        }
        ConnectError::Handshake => {
            "who answers does not hold the record's key, or TLS ends somewhere in between: a proxy or CDN must pass \
             TLS through"
        }
        ConnectError::Ticket(_) => "the record is old, or this machine's clock is wrong",
        ConnectError::NoAddress
        | ConnectError::Suite(_)
        | ConnectError::Preflight(_)
        | ConnectError::Visit(_)
        | ConnectError::Resting { .. } => "put right what is wrong above first",
    }
}
