//! `/v1/board`: the notices that stand, putting one up, and withdrawing one of ours.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::error::{Code, Rejection, SET_THE_CLOCK};
use super::server::Shared;
use super::text;
use crate::ids::{PostId, to_hex};
use crate::mesh::board::{BoardRefusal, Event, Notice, Standing};
use crate::mesh::error::Refusal;
use crate::node::notices::{BoardError, Posted};

/// How long a notice stands when nobody says: a day, as in the iOS app.
const USUAL_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// `POST /v1/board`: a notice to put up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewNotice {
    /// What it says: 1 to 512 bytes.
    pub text: String,
    /// Whether it is urgent.
    #[serde(default)]
    pub urgent: bool,
    /// How long it stands, in milliseconds: a minute to 7 days; by default a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life_ms: Option<u64>,
}

/// The answer to `GET /v1/board`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardReport {
    /// Urgent ones first, then the newest.
    pub notices: Vec<NoticeReport>,
}

/// The answer to `POST /v1/board`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostedReport {
    /// The notice.
    pub notice: NoticeReport,
    /// An older one of this node that had to go for it.
    pub gave_way: Option<NoticeReport>,
}

/// A notice that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeReport {
    /// Its id.
    #[serde(with = "text")]
    pub id: PostId,
    /// The key that signed it, as 64 hex digits.
    pub author: String,
    /// The identity that goes with this key, when it is known.
    pub fingerprint: Option<String>,
    /// What its author is called.
    pub nickname: String,
    /// What its author means to this node.
    pub standing: StandingWord,
    /// What it says.
    pub text: String,
    /// The geohash of the place it is for; empty for the mesh.
    pub geohash: String,
    /// Whether its author calls it urgent.
    pub urgent: bool,
    /// When it was made, by its author's clock.
    pub created_ms: u64,
    /// Until when it stands.
    pub expires_ms: u64,
}

/// What an author means to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StandingWord {
    /// Nobody known.
    Stranger,
    /// A contact.
    Known,
    /// The node itself.
    Own,
}

/// Something that happened on the board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardNotice {
    /// What.
    pub news: BoardNews,
    /// To which notice.
    pub notice: NoticeReport,
}

/// What can happen to a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoardNews {
    /// It stands, and did not before.
    Posted,
    /// Its author withdrew it.
    Withdrawn,
    /// It went for a newer one of this node.
    GaveWay,
}

impl From<Standing> for StandingWord {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Stranger => Self::Stranger,
            Standing::Known => Self::Known,
            Standing::Own => Self::Own,
        }
    }
}

impl From<Notice> for NoticeReport {
    fn from(notice: Notice) -> Self {
        Self {
            id: notice.id,
            author: to_hex(&notice.author),
            fingerprint: notice.fingerprint.map(|fingerprint| fingerprint.to_string()),
            nickname: notice.nickname,
            standing: notice.standing.into(),
            text: notice.text,
            geohash: notice.geohash,
            urgent: notice.urgent,
            created_ms: notice.created.0,
            expires_ms: notice.expires.0,
        }
    }
}

impl BoardNotice {
    /// An event of the board; nothing for the refusal that only who asked is told.
    pub(super) fn new(event: Event) -> Option<Self> {
        let (news, notice) = match event {
            Event::Posted(notice) => (BoardNews::Posted, notice),
            Event::Withdrawn(notice) => (BoardNews::Withdrawn, notice),
            Event::GaveWay(notice) => (BoardNews::GaveWay, notice),
            Event::Refused(_) => return None,
        };
        Some(Self { news, notice: notice.into() })
    }
}

impl From<BoardError> for Rejection {
    fn from(error: BoardError) -> Self {
        let message = error.to_string();
        let (status, code, hint) = match error {
            BoardError::Stopping(stopped) => return stopped.into(),
            BoardError::Refused(BoardRefusal::Message(Refusal::ClockUnset { .. })) => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::ClockUnset, Some(SET_THE_CLOCK))
            }
            BoardError::Refused(BoardRefusal::Message(Refusal::TooLong { .. })) => {
                (StatusCode::UNPROCESSABLE_ENTITY, Code::BadText, Some("say it shorter, or as two notices"))
            }
            BoardError::Refused(BoardRefusal::Message(_)) => {
                (StatusCode::UNPROCESSABLE_ENTITY, Code::BadText, Some("write something"))
            }
            BoardError::Refused(BoardRefusal::Life) => {
                (StatusCode::UNPROCESSABLE_ENTITY, Code::BadRequest, Some("for example --for 2d"))
            }
            BoardError::Refused(BoardRefusal::NoSuchPost) => {
                (StatusCode::NOT_FOUND, Code::NotFound, Some("`hopline board` shows the notices that stand"))
            }
            BoardError::Refused(BoardRefusal::ClockSetBack) => (
                StatusCode::CONFLICT,
                Code::ClockUnset,
                Some(
                    "withdraw one of them first: `hopline board` shows them; or look whether the clock is right",
                ),
            ),
            BoardError::Refused(BoardRefusal::NotOurs) => (
                StatusCode::FORBIDDEN,
                Code::NotYours,
                Some("only its author can withdraw it; it goes by itself when its time is over"),
            ),
        };
        Self { status, code, message, hint }
    }
}

pub(super) async fn list(State(shared): State<Shared>) -> Result<Json<BoardReport>, Rejection> {
    let notices = shared.node.notices().await?;
    Ok(Json(BoardReport { notices: notices.into_iter().map(Into::into).collect() }))
}

pub(super) async fn post(
    State(shared): State<Shared>,
    body: Result<Json<NewNotice>, JsonRejection>,
) -> Result<(StatusCode, Json<PostedReport>), Rejection> {
    let Json(NewNotice { text, urgent, life_ms }) = body?;
    let life = life_ms.map_or(USUAL_LIFE, Duration::from_millis);
    let Posted { notice, gave_way } = shared.node.post(text, urgent, life).await?;
    let report = PostedReport { notice: notice.into(), gave_way: gave_way.map(Into::into) };
    Ok((StatusCode::CREATED, Json(report)))
}

/// `DELETE /v1/board/{id}`: a notice of this node is withdrawn, here and everywhere.
pub(super) async fn remove(
    State(shared): State<Shared>,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Rejection> {
    let Path(id) = id?;
    let id: PostId = id.parse().map_err(|error| Rejection {
        status: StatusCode::BAD_REQUEST,
        code: Code::BadRequest,
        message: format!("`{id}` is no notice's id: {error}"),
        hint: Some("`hopline board` shows the notices that stand"),
    })?;
    shared.node.withdraw_notice(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
