//! `/v1/verification`: our code to be scanned, and codes that were; and what happens between people.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::error::Rejection;
use super::server::Shared;
use super::text;
use crate::ids::{Fingerprint, PeerId};
use crate::mesh::trust::event::Event;

/// A verification code: the answer to `GET /v1/verification`, and what `POST /v1/verification` is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeReport {
    /// `bitchat://verify?…`; it counts for five minutes.
    pub code: String,
}

/// The answer to `POST /v1/verification`: who has to prove their keys. What comes of it is told by an event: a
/// `contact` with the news `verified`, or a `person` with the news `not_verified`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanReport {
    /// Their identity.
    #[serde(with = "text")]
    pub fingerprint: Fingerprint,
    /// Their id on the mesh.
    #[serde(with = "text")]
    pub peer_id: PeerId,
    /// The name in the code.
    pub nickname: String,
}

/// What somebody did, or did not do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonNotice {
    /// What.
    pub news: PersonNews,
    /// Who.
    #[serde(with = "text")]
    pub fingerprint: Fingerprint,
    /// Their id on the mesh.
    #[serde(with = "text")]
    pub peer_id: PeerId,
    /// The name they give themselves; empty when none was heard.
    pub name: String,
    /// Whether each is a favourite of the other.
    pub mutual: bool,
    /// Why a verification came to nothing.
    pub reason: Option<String>,
}

/// What people do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonNews {
    /// They made us a favourite.
    Favoured,
    /// We are a favourite of theirs no longer.
    Unfavoured,
    /// They scanned our code, and we proved our keys to them.
    ScannedUs,
    /// They did not prove the keys of the code we scanned.
    NotVerified,
}

pub(super) async fn code(State(shared): State<Shared>) -> Result<Json<CodeReport>, Rejection> {
    Ok(Json(CodeReport { code: shared.node.own_code().await? }))
}

pub(super) async fn scan(
    State(shared): State<Shared>,
    body: Result<Json<CodeReport>, JsonRejection>,
) -> Result<(StatusCode, Json<ScanReport>), Rejection> {
    let Json(CodeReport { code }) = body?;
    let met = shared.node.scan(code).await?;
    let fingerprint = met.fingerprint();
    let report = ScanReport { fingerprint, peer_id: fingerprint.peer_id(), nickname: met.nickname };
    Ok((StatusCode::ACCEPTED, Json(report)))
}

impl PersonNotice {
    /// The notice of an event; nothing for what is told once it is written down.
    pub(super) fn new(event: Event) -> Option<Self> {
        let notice = |news, fingerprint: Fingerprint, name| Self {
            news,
            fingerprint,
            peer_id: fingerprint.peer_id(),
            name,
            mutual: false,
            reason: None,
        };
        Some(match event {
            Event::Favoured { fingerprint, nickname, by_them, mutual, .. } => {
                let news = if by_them { PersonNews::Favoured } else { PersonNews::Unfavoured };
                Self { mutual, ..notice(news, fingerprint, nickname) }
            }
            Event::Challenged { fingerprint, nickname, .. } => {
                notice(PersonNews::ScannedUs, fingerprint, nickname)
            }
            Event::NotVerified { fingerprint, reason } => {
                let reason = Some(reason.to_string());
                Self { reason, ..notice(PersonNews::NotVerified, fingerprint, String::new()) }
            }
            Event::Verified { .. } => return None,
        })
    }
}
