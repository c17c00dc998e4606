//! Tickets: those that open, and those that are answered as a visit is.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, DATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::finding::Finding;
use super::guest::{Guest, Place};
use super::worn;
use crate::htx::ticket::{Carrier, FORM_NAME, Policy};
use crate::net::client::ConnectError;
use crate::net::session::{Answer, Session, VisitError, authority, request};
use crate::time::UnixMillis;

const HOUR: u64 = 3_600_000;
/// This near to a change of the hour, the relay's may be another than ours.
const EDGE: u64 = 30_000;
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
/// What a ticket that was to be taken may have been refused for, too.
const OR_BUDGET: &str = "the clocks may differ, the record may be old, or this address may have shown too many \
                         tickets: try again in two minutes";

/// What a POST to the tunnel path shows.
enum Shown<'a> {
    Cookie(&'a str, &'a str),
    Query(&'a str, &'a str),
    Form(&'a str, &'a str),
}

/// An answer, without its date.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// A connection on which POSTs to the tunnel path are made that should all be visits.
pub(super) struct Doorstep {
    session: Session,
    authority: String,
    path: String,
    /// What plain visitors are answered, by form of the request: each POST costs a token of the relay's.
    visits: BTreeMap<u8, Seen>,
}

impl Doorstep {
    pub(super) async fn at(place: &Place, path: &str) -> Result<Self, VisitError> {
        let (session, _) = place.session().await?;
        let authority = authority(&place.host, place.address);
        Ok(Self { session, authority, path: path.to_owned(), visits: BTreeMap::new() })
    }

    pub(super) async fn leave(self) {
        self.session.end().await;
    }

    async fn knock(&mut self, shown: &Shown<'_>) -> Result<Seen, VisitError> {
        let (path, form) = match shown {
            Shown::Cookie(..) => (self.path.clone(), None),
            Shown::Query(name, value) => (format!("{}?{name}={value}", self.path), None),
            Shown::Form(name, value) => (self.path.clone(), Some(Bytes::from(format!("{name}={value}")))),
        };
        let mut request = request(Method::POST, &self.authority, &path)?;
        let headers = request.headers_mut();
        if let Shown::Cookie(name, value) = shown {
            let pair = HeaderValue::from_str(&format!("{name}={value}"));
            headers.insert(COOKIE, pair.map_err(|_| VisitError::Address)?);
        }
        if let Some(form) = &form {
            headers.insert(CONTENT_TYPE, FORM);
            headers.insert(CONTENT_LENGTH, HeaderValue::from(form.len()));
        }
        let Answer { status, mut headers, body } = self.session.ask(request, form).await?;
        headers.remove(DATE);
        Ok(Seen { status, headers, body })
    }

    /// How the answer differs from a plain visitor's of the same form; `None` when it does not.
    async fn differs(&mut self, shown: &Shown<'_>) -> Result<Option<String>, VisitError> {
        let (at, plain) = match *shown {
            Shown::Cookie(_, value) => (0, Shown::Cookie("theme", value)),
            Shown::Query(_, value) => (1, Shown::Query("q", value)),
            Shown::Form(_, value) => (2, Shown::Form("q", value)),
        };
        let visit = match self.visits.get(&at) {
            Some(visit) => visit.clone(),
            None => {
                let visit = self.knock(&plain).await?;
                self.visits.insert(at, visit.clone());
                visit
            }
        };
        match self.knock(shown).await {
            Ok(seen) => Ok(difference(&visit, &seen)),
            Err(error @ (VisitError::TimedOut(_) | VisitError::Over | VisitError::Http2(_))) => {
                Ok(Some(format!("a visit is answered {}, and this is not: {error}", visit.status)))
            }
            Err(error) => Err(error),
        }
    }
}

fn difference(visit: &Seen, seen: &Seen) -> Option<String> {
    if seen.status != visit.status {
        return Some(format!("answered {}, a visit {}", seen.status, visit.status));
    }
    let names = visit.headers.keys().chain(seen.headers.keys());
    let mut differing = names.filter(|name| {
        let values = |headers: &HeaderMap| headers.get_all(*name).iter().cloned().collect::<Vec<_>>();
        values(&visit.headers) != values(&seen.headers)
    });
    if let Some(name) = differing.next() {
        return Some(format!("the header `{name}` is not that of a visit"));
    }
    (visit.body != seen.body)
        .then(|| format!("a body of {} bytes, for a visit of {}", seen.body.len(), visit.body.len()))
}

/// R9: tickets that nobody made, in each carrier.
pub(super) async fn strangers(guest: &mut Guest<'_>) -> Result<Finding, ConnectError> {
    let made = guest.usual_ticket()?;
    let forged = worn::unproven(&made.value);
    let cookie = guest.record.cookie_name.clone();
    let tries = [
        ("a cookie", Shown::Cookie(&cookie, &forged)),
        ("a query", Shown::Query(FORM_NAME, &forged)),
        ("a form", Shown::Form(FORM_NAME, &forged)),
    ];
    let refused = refused_all(guest, &tries).await?;
    Ok(refused
        .unwrap_or_else(|| Finding::met("status, headers but Date, and body of a visit, in each carrier")))
}

/// R12: a good ticket whose padding is too short or too long.
pub(super) async fn padding(guest: &mut Guest<'_>) -> Result<Finding, ConnectError> {
    let (made, other) = (guest.usual_ticket()?, guest.usual_ticket()?);
    let (short, long) = (worn::padded(&made.value, 23), worn::padded(&other.value, 65));
    let cookie = guest.record.cookie_name.clone();
    let tries = [
        ("a padding of 23", Shown::Cookie(&cookie, &short)),
        ("a padding of 65", Shown::Cookie(&cookie, &long)),
    ];
    let refused = refused_all(guest, &tries).await?;
    Ok(refused.unwrap_or_else(|| Finding::met("good tickets with 23 and 65 are visits")))
}

/// R14: a good ticket with one thing wrong.
pub(super) async fn malformed(guest: &mut Guest<'_>) -> Result<Finding, ConnectError> {
    let made = guest.usual_ticket()?.value;
    let wrong =
        [worn::low_order(&made), worn::of_no_key(&made), worn::of_version(&made, 2), worn::garbled(&made)];
    let cookie = guest.record.cookie_name.clone();
    let names = ["a client key of low order", "an unknown key id", "version 2", "bad base64"];
    let tries: Vec<_> =
        names.into_iter().zip(&wrong).map(|(name, value)| (name, Shown::Cookie(&cookie, value))).collect();
    let refused = refused_all(guest, &tries).await?;
    Ok(refused.unwrap_or_else(|| Finding::met("low order, unknown key, version 2, base64: all visits")))
}

/// R13: a ticket that opened a tunnel, once more.
pub(super) async fn replayed(guest: &mut Guest<'_>) -> Result<Finding, ConnectError> {
    let made = guest.usual_ticket()?;
    if let Some(refused) = admitted(guest.show(&made).await, "a fresh ticket")? {
        return Ok(refused);
    }
    let cookie = guest.record.cookie_name.clone();
    let tries = [
        ("a used ticket", Shown::Cookie(&cookie, &made.value)),
        ("a used ticket in another carrier", Shown::Query(FORM_NAME, &made.value)),
    ];
    let refused = refused_all(guest, &tries).await?;
    Ok(refused.unwrap_or_else(|| Finding::met("a used one is a visit in any carrier; restarts are for r13_")))
}

/// R10: tickets of five hours.
pub(super) async fn hours(guest: &mut Guest<'_>) -> Result<Finding, ConnectError> {
    let now = guest.clock.now().unix;
    let into = now.0 % HOUR;
    if into < EDGE || HOUR - into < EDGE {
        return Ok(Finding::not_applicable("the hour changes about now: run it again in a minute"));
    }
    for (name, at) in [
        ("a ticket of the hour before", now.0.saturating_sub(HOUR)),
        ("a ticket of this hour", now.0),
        ("a ticket of the next hour", now.0.saturating_add(HOUR)),
    ] {
        let made = guest.ticket(Carrier::Cookie, 40, UnixMillis(at))?;
        if let Some(refused) = admitted(guest.show(&made).await, name)? {
            return Ok(refused);
        }
    }
    let past = guest.ticket(Carrier::Cookie, 40, UnixMillis(now.0.saturating_sub(2 * HOUR)))?;
    let future = guest.ticket(Carrier::Cookie, 40, UnixMillis(now.0.saturating_add(2 * HOUR)))?;
    let cookie = guest.record.cookie_name.clone();
    let tries = [
        ("a ticket of two hours ago", Shown::Cookie(&cookie, &past.value)),
        ("a ticket of two hours ahead", Shown::Cookie(&cookie, &future.value)),
    ];
    let refused = refused_all(guest, &tries).await?;
    Ok(refused.unwrap_or_else(|| Finding::met("this one and its neighbours open, two hours off do not")))
}

/// R11: every carrier of the policy, with the shortest and longest padding.
pub(super) async fn carriers(guest: &mut Guest<'_>) -> Result<Finding, ConnectError> {
    let policy = match Policy::parse(&guest.record.policy) {
        Ok(policy) => policy,
        Err(error) => return Ok(Finding::not_met(format!("the record's policy: {error}"))),
    };
    let allowed: Vec<_> = Carrier::ALL.into_iter().filter(|carrier| policy.share(*carrier).0 > 0).collect();
    for (carrier, padding) in allowed.iter().zip([24, 64, 40]) {
        let made = guest.ticket(*carrier, padding, guest.clock.now().unix)?;
        let name = format!("a ticket by {}", carrier.as_str());
        if let Some(refused) = admitted(guest.show(&made).await, &name)? {
            return Ok(refused);
        }
    }
    let names: Vec<_> = allowed.iter().map(|carrier| carrier.as_str()).collect();
    Ok(Finding::met(format!("{} open; how often each is drawn is for r11_", names.join(", "))))
}

/// What is wrong where a ticket that should open does not.
fn admitted<T>(shown: Result<T, ConnectError>, what: &str) -> Result<Option<Finding>, ConnectError> {
    match shown {
        Ok(_tunnel) => Ok(None),
        Err(ConnectError::Refused(status)) => {
            Ok(Some(Finding::not_met(format!("{what} was answered {status}: {OR_BUDGET}"))))
        }
        Err(error) => Err(error),
    }
}

/// What is wrong where something that should be a visit is not answered as one.
async fn refused_all(
    guest: &Guest<'_>,
    tries: &[(&str, Shown<'_>)],
) -> Result<Option<Finding>, ConnectError> {
    let mut doorstep = Doorstep::at(guest.place, &guest.record.tunnel_path).await?;
    for (name, shown) in tries {
        if let Some(difference) = doorstep.differs(shown).await? {
            return Ok(Some(Finding::not_met(format!("{name}: {difference}"))));
        }
    }
    doorstep.leave().await;
    Ok(None)
}
