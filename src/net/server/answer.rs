//! Answers on their way into HTTP/2.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::header::{CONTENT_LENGTH, DATE, SET_COOKIE};
use http::{HeaderValue, Response};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::time::timeout;

use super::site::Site;
use crate::net::date::http_date;
use crate::net::decoy::Body;

/// Adds what every answer of a web server has.
pub(super) fn dated(site: &Site, mut response: Response<Body>) -> Response<Body> {
    if let Ok(date) = HeaderValue::from_str(&http_date(site.clock.now().unix)) {
        response.headers_mut().entry(DATE).or_insert(date);
    }
    response
}

/// The answer to a ticket that came in a form: a cookie for the tunnel that follows.
pub(super) fn session(site: &Site, cookie: &str) -> Response<Body> {
    let mut response = Response::new(Body::default());
    let set = format!("{}={cookie}; Path=/; Max-Age=30; Secure; HttpOnly; SameSite=Strict", site.cookie_name);
    if let Ok(set) = HeaderValue::from_str(&set) {
        response.headers_mut().insert(SET_COOKIE, set);
    }
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(0));
    response
}

/// Sends an answer. A visitor who does not take it for so long is given up.
pub(super) async fn send(respond: &mut SendResponse<Bytes>, response: Response<Body>, patience: Duration) {
    let (parts, body) = response.into_parts();
    let empty = body.is_end_stream();
    let Ok(stream) = respond.send_response(Response::from_parts(parts, ()), empty) else { return };
    if !empty && let Err(reason) = pour(stream, body, patience).await {
        respond.send_reset(reason);
    }
}

async fn pour(mut stream: SendStream<Bytes>, mut body: Body, patience: Duration) -> Result<(), Reason> {
    let gone = |_| Reason::CANCEL;
    while let Some(frame) = timeout(patience, body.frame()).await.map_err(|_| Reason::INTERNAL_ERROR)? {
        let mut data = frame.map_err(|_| Reason::INTERNAL_ERROR)?.into_data().unwrap_or_default();
        while !data.is_empty() {
            stream.reserve_capacity(data.len());
            let room = match stream.capacity() {
                0 => timeout(patience, poll_fn(|cx| stream.poll_capacity(cx)))
                    .await
                    .map_err(|_| Reason::CANCEL)?,
                room => Some(Ok(room)),
            };
            let room = room.ok_or(Reason::CANCEL)?.map_err(gone)?;
            let part = data.split_to(room.min(data.len()));
            if data.is_empty() && body.is_end_stream() {
                return stream.send_data(part, true).map_err(gone);
            }
            stream.send_data(part, false).map_err(gone)?;
        }
    }
    stream.send_data(Bytes::new(), true).map_err(gone)
}
