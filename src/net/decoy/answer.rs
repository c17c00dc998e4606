//! Answers of a site of our own: what a plain web server says to GET, HEAD and everything else.

use bytes::Bytes;
use http::header::{
    ALLOW, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};

use super::body::Body;
use super::folder::{Folder, Found};
use super::page::{Page, header};

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// The answer of a folder's site. The body of the request is not looked at.
pub(super) fn of_folder(folder: &Folder, request: &Request<Body>) -> Response<Body> {
    let head = request.method() == Method::HEAD;
    if !head && request.method() != Method::GET {
        let mut answer = notice(StatusCode::METHOD_NOT_ALLOWED, false);
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    match folder.find(request.uri().path()) {
        Found::Page(page) if unchanged(page, request) => {
            tagged(page, StatusCode::NOT_MODIFIED, Body::default())
        }
        Found::Page(page) => whole(page, StatusCode::OK, head),
        Found::Nothing(page) => whole(page, StatusCode::NOT_FOUND, head),
        Found::Folder => {
            let mut answer = notice(StatusCode::MOVED_PERMANENTLY, head);
            answer.headers_mut().insert(LOCATION, header(&format!("{}/", request.uri().path())));
            answer
        }
    }
}

/// A few words with their status, as a server makes them up itself.
pub(super) fn notice(status: StatusCode, head: bool) -> Response<Body> {
    let title = format!("{} {}", status.as_str(), status.canonical_reason().unwrap_or_default());
    let text = format!(
        "<!doctype html>\n<html><head><title>{title}</title></head>\n<body><h1>{title}</h1></body></html>\n"
    );
    let mut answer = Response::new(body(Bytes::from(text.clone()), head));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HTML);
    answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    answer
}

/// Whether the visitor has the page already. The tag counts where both are asked about (RFC 9110, 13.2.2).
fn unchanged(page: &Page, request: &Request<Body>) -> bool {
    let headers = request.headers();
    if headers.contains_key(IF_NONE_MATCH) {
        let tags = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
        let ours = page.etag.to_str().unwrap_or_default();
        return tags
            .flat_map(|tags| tags.split(','))
            .map(str::trim)
            .any(|tag| tag == "*" || tag.trim_start_matches("W/") == ours);
    }
    headers.get(IF_MODIFIED_SINCE).is_some_and(|since| *since == page.modified)
}

fn whole(page: &Page, status: StatusCode, head: bool) -> Response<Body> {
    let mut answer = tagged(page, status, body(page.content.clone(), head));
    answer.headers_mut().insert(CONTENT_TYPE, page.content_type.clone());
    answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(page.content.len()));
    answer
}

fn tagged(page: &Page, status: StatusCode, body: Body) -> Response<Body> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    if status != StatusCode::NOT_FOUND {
        answer.headers_mut().insert(ETAG, page.etag.clone());
        answer.headers_mut().insert(LAST_MODIFIED, page.modified.clone());
    }
    answer
}

fn body(content: Bytes, head: bool) -> Body {
    if head { Body::default() } else { Body::full(content) }
}
