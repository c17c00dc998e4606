//! The ticket on its way: in a cookie, in the query, or in a form of its own (spec chapters 4 and 5).

use std::future::poll_fn;
use std::net::SocketAddr;

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{HeaderValue, Method, Request, StatusCode};
use tokio::time::timeout;

use super::error::ConnectError;
use crate::htx::ticket::{Carrier, Issued};
use crate::net::session::{PATIENCE, Session, Step, VisitError, alongside, authority, request};
use crate::wire::record::NodeRecord;

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// Shows the ticket and opens the tunnel's two bodies.
pub(in crate::net) async fn enter(
    session: &mut Session,
    record: &NodeRecord,
    address: SocketAddr,
    ticket: &Issued,
) -> Result<(SendStream<Bytes>, RecvStream), ConnectError> {
    let authority = authority(&record.host, address);
    let path = &record.tunnel_path;
    let tunnel = match ticket.carrier {
        Carrier::Cookie => with_cookie(request(Method::POST, &authority, path)?, &ticket.pair())?,
        Carrier::Query => request(Method::POST, &authority, &format!("{path}?{}", ticket.pair()))?,
        Carrier::Body => {
            let cookie = exchange(session, record, &authority, ticket).await?;
            with_cookie(request(Method::POST, &authority, path)?, &cookie)?
        }
    };
    open(session, record, tunnel).await
}

/// Brings the ticket in a form, and gets a cookie for it.
async fn exchange(
    session: &mut Session,
    record: &NodeRecord,
    authority: &str,
    ticket: &Issued,
) -> Result<String, ConnectError> {
    let form = Bytes::from(ticket.pair());
    let mut request = request(Method::POST, authority, &record.tunnel_path)?;
    request.headers_mut().insert(CONTENT_TYPE, FORM);
    request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(form.len()));
    let answer = session.ask(request, Some(form)).await?;
    let set = answer.headers.get_all(SET_COOKIE).into_iter().filter_map(|set| set.to_str().ok());
    let cookie = set
        .filter_map(|set| set.split(';').next())
        .find(|pair| pair.split_once('=').is_some_and(|(name, _)| name.trim() == record.cookie_name));
    match cookie {
        Some(cookie) if answer.status.is_success() => Ok(cookie.trim().to_owned()),
        Some(_) | None => Err(ConnectError::Refused(answer.status)),
    }
}

async fn open(
    session: &mut Session,
    record: &NodeRecord,
    mut request: Request<()>,
) -> Result<(SendStream<Bytes>, RecvStream), ConnectError> {
    let content_type = HeaderValue::from_str(&record.content_type).map_err(|_| VisitError::Address)?;
    request.headers_mut().insert(CONTENT_TYPE, content_type.clone());
    let mut requests = session.requests.clone();
    let ask = timeout(PATIENCE, async move {
        poll_fn(|cx| requests.poll_ready(cx)).await?;
        let (response, outgoing) = requests.send_request(request, false)?;
        Ok::<_, VisitError>((response.await?, outgoing))
    });
    let answer = alongside(&mut session.connection, ask).await?;
    let (response, outgoing) = answer.map_err(|_| VisitError::TimedOut(Step::Answer))??;
    let accepted =
        response.status() == StatusCode::OK && response.headers().get(CONTENT_TYPE) == Some(&content_type);
    if accepted {
        Ok((outgoing, response.into_body()))
    } else {
        Err(ConnectError::Refused(response.status()))
    }
}

fn with_cookie(mut request: Request<()>, cookie: &str) -> Result<Request<()>, ConnectError> {
    let mut cookie = HeaderValue::from_str(cookie).map_err(|_| VisitError::Address)?;
    cookie.set_sensitive(true);
    request.headers_mut().insert(COOKIE, cookie);
    Ok(request)
}
