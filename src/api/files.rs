//! `/v1/files`: files to and from contacts, and over the mesh.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::error::{Code, MEND_THE_DISK, Rejection, UNBLOCK};
use super::server::Shared;
use super::text;
use crate::ids::PeerId;
use crate::message::Recipient;
use crate::node::files::{FileError, FilesHandle};
use crate::storage::{Transfer, TransferStatus, Way};
use crate::transports::files::SourceError;

/// Transfers listed when nobody says how many.
const USUAL: usize = 50;
/// The most listed at once.
const MOST: usize = 10_000;

/// `POST /v1/files`: a file to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewFile {
    /// A contact, somebody in reach of the mesh, or everyone: a name as in `POST /v1/messages`.
    pub to: String,
    /// The file, by its whole path on the node's machine.
    pub path: String,
    /// Whether it is a recording that is spoken live before: AAC-LC, 16 kHz, mono, in ADTS frames.
    #[serde(default)]
    pub voice: bool,
}

/// `GET /v1/files`: which transfers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesQuery {
    /// How many at most: the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// The answer to `GET /v1/files`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesReport {
    /// Newest first.
    pub files: Vec<FileReport>,
}

/// A file on its way, or what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReport {
    /// The number of its transfer in this node.
    pub number: u64,
    /// Which way.
    pub direction: DirectionWord,
    /// To whom or from whom; `ffffffffffffffff` for everyone.
    #[serde(with = "text")]
    pub peer: PeerId,
    /// What it is called.
    pub name: String,
    /// Where it is on the node's machine; nothing while it is still coming.
    pub path: Option<String>,
    /// Its length in bytes.
    pub size: u64,
    /// Bytes carried.
    pub done: u64,
    /// Its BLAKE3 hash, once it was compared.
    pub hash: Option<String>,
    /// How far it came.
    pub status: FileWord,
    /// Why it waits, or was given up.
    pub reason: Option<String>,
    /// When it began.
    pub begun_ms: u64,
    /// When its status last changed.
    pub changed_ms: u64,
}

/// Which way a file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectionWord {
    /// From this node.
    Out,
    /// To this node.
    In,
}

/// How far a file came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileWord {
    /// It is offered to this node, and somebody has to accept it.
    Offered,
    /// It goes on when the contact is connected.
    Waiting,
    /// It is on its way.
    Running,
    /// The receiver has it, and its hash was compared; over BitChat it left, and was confirmed if the app there does so.
    Done,
    /// The receiver does not want it.
    Declined,
    /// Somebody stopped it.
    Cancelled,
    /// It cannot be completed.
    Failed,
}

impl FileWord {
    /// The word itself.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offered => TransferStatus::Offered.as_str(),
            Self::Waiting => TransferStatus::Waiting.as_str(),
            Self::Running => TransferStatus::Running.as_str(),
            Self::Done => TransferStatus::Done.as_str(),
            Self::Declined => TransferStatus::Declined.as_str(),
            Self::Cancelled => TransferStatus::Cancelled.as_str(),
            Self::Failed => TransferStatus::Failed.as_str(),
        }
    }
}

impl From<TransferStatus> for FileWord {
    fn from(status: TransferStatus) -> Self {
        match status {
            TransferStatus::Offered => Self::Offered,
            TransferStatus::Waiting => Self::Waiting,
            TransferStatus::Running => Self::Running,
            TransferStatus::Done => Self::Done,
            TransferStatus::Declined => Self::Declined,
            TransferStatus::Cancelled => Self::Cancelled,
            TransferStatus::Failed => Self::Failed,
        }
    }
}

impl From<Way> for DirectionWord {
    fn from(way: Way) -> Self {
        match way {
            Way::Out => Self::Out,
            Way::In => Self::In,
        }
    }
}

impl From<&Transfer> for FileReport {
    fn from(transfer: &Transfer) -> Self {
        Self {
            number: transfer.number,
            direction: transfer.key.way.into(),
            peer: transfer.key.peer,
            name: transfer.name.clone(),
            path: transfer.path.as_ref().map(|path| path.to_string_lossy().into_owned()),
            size: transfer.size,
            done: transfer.done,
            hash: transfer.hash.map(|hash| hash.to_string()),
            status: transfer.status.into(),
            reason: transfer.reason.clone(),
            begun_ms: transfer.begun.0,
            changed_ms: transfer.changed.0,
        }
    }
}

pub(super) async fn send(
    State(shared): State<Shared>,
    body: Result<Json<NewFile>, JsonRejection>,
) -> Result<(StatusCode, Json<FileReport>), Rejection> {
    let Json(NewFile { to, path, voice }) = body?;
    let peer = match shared.node.resolve(&to).await? {
        Recipient::Peer(peer) => peer,
        Recipient::Everyone => PeerId::BROADCAST,
    };
    let files = files(&shared)?;
    let transfer =
        if voice { files.speak(peer, path.into()).await? } else { files.send(peer, path.into()).await? };
    Ok((StatusCode::CREATED, Json((&transfer).into())))
}

pub(super) async fn list(
    State(shared): State<Shared>,
    query: Result<Query<FilesQuery>, QueryRejection>,
) -> Result<Json<FilesReport>, Rejection> {
    let Query(FilesQuery { limit }) = query?;
    let transfers = files(&shared)?.list(limit.unwrap_or(USUAL).min(MOST)).await?;
    Ok(Json(FilesReport { files: transfers.iter().map(Into::into).collect() }))
}

/// `GET /v1/files/{number}`
pub(super) async fn show(
    State(shared): State<Shared>,
    number: Result<Path<u64>, PathRejection>,
) -> Result<Json<FileReport>, Rejection> {
    let Path(number) = number?;
    Ok(Json((&files(&shared)?.find(number).await?).into()))
}

/// `POST /v1/files/{number}/accept`
pub(super) async fn accept(
    State(shared): State<Shared>,
    number: Result<Path<u64>, PathRejection>,
) -> Result<Json<FileReport>, Rejection> {
    let Path(number) = number?;
    Ok(Json((&files(&shared)?.accept(number).await?).into()))
}

/// `DELETE /v1/files/{number}`: it is given up, unless it is over already.
pub(super) async fn cancel(
    State(shared): State<Shared>,
    number: Result<Path<u64>, PathRejection>,
) -> Result<StatusCode, Rejection> {
    let Path(number) = number?;
    files(&shared)?.cancel(number).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn files(shared: &Shared) -> Result<&FilesHandle, FileError> {
    shared.node.files().ok_or(FileError::Off)
}

impl From<FileError> for Rejection {
    fn from(error: FileError) -> Self {
        let message = error.to_string();
        let (status, code, hint) = match error {
            FileError::Name(error) => return crate::node::error::SendError::from(error).into(),
            FileError::Off => (
                StatusCode::SERVICE_UNAVAILABLE,
                Code::Unfit,
                Some(
                    "switch one on in config.toml, under [direct], [betanet] or [bitchat], and start the daemon again",
                ),
            ),
            FileError::TooLargeForMesh { .. } => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Code::Unfit,
                Some(
                    "make it smaller; to a contact whose card tells a way (`hopline contact card`, `hopline contact add`), files of any size go over the Internet",
                ),
            ),
            FileError::EmptyForMesh => {
                (StatusCode::UNPROCESSABLE_ENTITY, Code::Unfit, Some("see that it is the right one"))
            }
            FileError::NotAContact(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Code::Unfit,
                Some("`hopline contact add` takes their card; they need yours as well"),
            ),
            FileError::Blocked { .. } => (StatusCode::CONFLICT, Code::Blocked, Some(UNBLOCK)),
            FileError::OutOfHearing => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Code::Unfit,
                Some("`hopline peers` shows who is in reach; without --voice it goes as a file, when it can"),
            ),
            FileError::Source(SourceError::Disk(_)) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Code::BadRequest,
                Some("see that it is there, and that whoever runs the daemon may read it"),
            ),
            // These say themselves what to do.
            FileError::Source(SourceError::NotAFile { .. } | SourceError::Changed { .. }) => {
                (StatusCode::UNPROCESSABLE_ENTITY, Code::BadRequest, None)
            }
            FileError::TooMany => (
                StatusCode::SERVICE_UNAVAILABLE,
                Code::Busy,
                Some("`hopline file list` shows what waits, `hopline file cancel` gives it up"),
            ),
            FileError::Unknown(_) => {
                (StatusCode::NOT_FOUND, Code::NotFound, Some("`hopline file list` shows them all"))
            }
            FileError::Finished { .. } => (
                StatusCode::CONFLICT,
                Code::TooLate,
                Some("`hopline file list` shows which are on their way"),
            ),
            FileError::NotOffered { .. } => {
                (StatusCode::CONFLICT, Code::TooLate, Some("`hopline file list` shows which are offered"))
            }
            FileError::Directory(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                Code::Storage,
                Some("mend that, or name another with `directory` in config.toml, under [files]"),
            ),
            FileError::Storage(_) => (StatusCode::INTERNAL_SERVER_ERROR, Code::Storage, Some(MEND_THE_DISK)),
            FileError::Random(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, Code::Storage, Some("the daemon's log may say why"))
            }
            FileError::Stopping(stopped) => return stopped.into(),
        };
        Self { status, code, message, hint }
    }
}
