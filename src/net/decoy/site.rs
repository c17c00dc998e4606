//! The decoy: one of its two kinds.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use http::{Request, Response};

use super::answer::of_folder;
use super::body::Body;
use super::folder::{Folder, FolderError};
use super::upstream::Upstream;

/// The web site in front of a relay. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Decoy(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Folder(Arc<Folder>),
    Upstream(Arc<Upstream>),
}

impl Decoy {
    /// The pages of a folder, read now and kept in memory: 64 MiB and 4096 files at most. `index.html` stands
    /// for its folder, `404.html` in the topmost one for what is not there.
    pub fn folder(path: &Path) -> Result<Self, FolderError> {
        Ok(Self(Kind::Folder(Arc::new(Folder::read(path)?))))
    }

    /// A web server that speaks HTTP/1.1 at an address, asked for `host`, or for whatever host the visitor
    /// asks for.
    pub fn upstream(address: SocketAddr, host: Option<String>) -> Self {
        Self(Kind::Upstream(Arc::new(Upstream { address, host })))
    }

    /// What the site says to a request. There is always an answer.
    pub(in crate::net) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        match &self.0 {
            Kind::Folder(folder) => of_folder(folder, &request),
            Kind::Upstream(upstream) => upstream.answer(request).await,
        }
    }
}
