//! One page of a site: its bytes and what is said about them.

use std::path::Path;

use bytes::Bytes;
use http::HeaderValue;
use sha2::{Digest, Sha256};

use crate::net::date::http_date;
use crate::time::UnixMillis;

/// What a file is, by the end of its name.
const CONTENT_TYPES: [(&str, &str); 22] = [
    ("html", "text/html; charset=utf-8"),
    ("htm", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("txt", "text/plain; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("json", "application/json"),
    ("xml", "application/xml"),
    ("rss", "application/rss+xml"),
    ("pdf", "application/pdf"),
    ("webmanifest", "application/manifest+json"),
    ("wasm", "application/wasm"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("ico", "image/x-icon"),
    ("woff2", "font/woff2"),
    ("mp4", "video/mp4"),
];

/// A page, ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct Page {
    /// What is sent.
    pub(super) content: Bytes,
    /// The media type.
    pub(super) content_type: HeaderValue,
    /// Names the content; quoted.
    pub(super) etag: HeaderValue,
    /// When the file was written.
    pub(super) modified: HeaderValue,
}

impl Page {
    /// A file's page.
    pub(super) fn of(path: &Path, content: Bytes, modified: UnixMillis) -> Self {
        let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default().to_ascii_lowercase();
        let known = CONTENT_TYPES.iter().find(|(name, _)| *name == end);
        let content_type = known.map_or("application/octet-stream", |(_, content_type)| content_type);
        let digest = Sha256::digest(&content);
        let short = digest.get(..8).unwrap_or_default();
        let etag = format!("\"{}\"", data_encoding::HEXLOWER.encode(short));
        Self {
            content,
            content_type: HeaderValue::from_static(content_type),
            etag: header(&etag),
            modified: header(&http_date(modified)),
        }
    }
}

/// A value of letters, digits and punctuation, which headers can hold.
pub(super) fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
