//! `/v1/groups`: private groups, their members, and what is said to them.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::error::{Code, Rejection, SET_THE_CLOCK};
use super::server::Shared;
use super::text;
use crate::ids::{Fingerprint, GroupId, MessageId, PeerId};
use crate::mesh::error::Refusal;
use crate::mesh::groups::{Event, GroupInfo, GroupRefusal, News};
use crate::node::groups::GroupError;

/// `POST /v1/groups`: a group to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    /// What it is called: 1 to 40 characters.
    pub name: String,
}

/// `POST /v1/groups/{id}/members`: somebody to invite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// Whom: a name as in `POST /v1/messages`.
    pub peer: String,
}

/// `POST /v1/groups/{id}/messages`: something to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewGroupText {
    /// What: 1 to 60,000 bytes.
    pub text: String,
}

/// The answer to that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaidReport {
    /// The message's id.
    #[serde(with = "text")]
    pub id: MessageId,
    /// To which group.
    pub group: GroupRef,
}

/// The answer to `GET /v1/groups`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupsReport {
    /// Every group this node is in.
    pub groups: Vec<GroupReport>,
}

/// Which group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRef {
    /// Its id.
    #[serde(with = "text")]
    pub id: GroupId,
    /// What it is called.
    pub name: String,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupReport {
    /// Which.
    #[serde(flatten)]
    pub group: GroupRef,
    /// How often its members or its key changed.
    pub epoch: u32,
    /// Who made it.
    #[serde(with = "text")]
    pub creator: Fingerprint,
    /// This node made it.
    pub own: bool,
    /// Everybody in it.
    pub members: Vec<MemberReport>,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberReport {
    /// The identity.
    #[serde(with = "text")]
    pub fingerprint: Fingerprint,
    /// Its peer id.
    #[serde(with = "text")]
    pub peer: PeerId,
    /// The name at the time of the invitation.
    pub nickname: String,
    /// In a group of this node's: whether the member was told how the group stands.
    pub told: bool,
}

/// Something that happened to a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupNotice {
    /// What.
    pub news: GroupNews,
    /// Names of those who came.
    pub added: Vec<String>,
    /// Names of those who are members no more.
    pub removed: Vec<String>,
    /// The group, as it is or was.
    pub group: GroupReport,
}

/// What can happen to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupNews {
    /// This node made it.
    Created,
    /// This node was made a member.
    Joined,
    /// Its members changed.
    Members,
    /// This node left it.
    Left,
    /// This node was removed.
    Expelled,
}

impl From<GroupInfo> for GroupReport {
    fn from(group: GroupInfo) -> Self {
        let member = |member: crate::mesh::groups::MemberInfo| MemberReport {
            fingerprint: member.fingerprint,
            peer: member.fingerprint.peer_id(),
            nickname: member.nickname,
            told: member.told,
        };
        Self {
            group: GroupRef { id: group.id, name: group.name },
            epoch: group.epoch,
            creator: group.creator,
            own: group.own,
            members: group.members.into_iter().map(member).collect(),
        }
    }
}

impl GroupNotice {
    /// What happened; nothing for what is told otherwise: messages once they are stored, a refusal to who asked.
    pub(super) fn new(event: Event) -> Option<Self> {
        let Event::Changed { group, news } = event else { return None };
        let (news, added, removed) = match news {
            News::Created => (GroupNews::Created, Vec::new(), Vec::new()),
            News::Joined => (GroupNews::Joined, Vec::new(), Vec::new()),
            News::Members { added, removed } => (GroupNews::Members, added, removed),
            News::Left => (GroupNews::Left, Vec::new(), Vec::new()),
            News::Expelled => (GroupNews::Expelled, Vec::new(), Vec::new()),
        };
        Some(Self { news, added, removed, group: group.into() })
    }
}

impl From<GroupError> for Rejection {
    fn from(error: GroupError) -> Self {
        let message = error.to_string();
        let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
        let (status, code, hint) = match error {
            GroupError::Stopping(stopped) => return stopped.into(),
            GroupError::Name(name) => return name.into(),
            GroupError::Everyone => (unprocessable, Code::BadRequest, Some("name one person")),
            GroupError::Refused(refusal) => match refusal {
                GroupRefusal::Message(Refusal::ClockUnset { .. }) => {
                    (StatusCode::SERVICE_UNAVAILABLE, Code::ClockUnset, Some(SET_THE_CLOCK))
                }
                GroupRefusal::Message(Refusal::TooLong { .. }) => {
                    (unprocessable, Code::BadText, Some("send it as several messages"))
                }
                GroupRefusal::Message(_) => (unprocessable, Code::BadText, Some("write something")),
                GroupRefusal::Name => (unprocessable, Code::BadRequest, Some("choose another name")),
                GroupRefusal::NoSuchGroup => {
                    (StatusCode::NOT_FOUND, Code::NotFound, Some("`hopline group list` shows every group"))
                }
                GroupRefusal::NotOurs => {
                    (StatusCode::FORBIDDEN, Code::NotYours, Some("ask who made it; anybody may leave"))
                }
                GroupRefusal::UnknownPeer | GroupRefusal::NoSuchMember => (
                    StatusCode::NOT_FOUND,
                    Code::UnknownPeer,
                    Some("`hopline peers` shows who was heard, `hopline group list` who is a member"),
                ),
                GroupRefusal::TooManyGroups | GroupRefusal::Full | GroupRefusal::Exhausted => {
                    (StatusCode::CONFLICT, Code::Busy, Some("leave a group, or make another one"))
                }
                GroupRefusal::AlreadyMember => {
                    (StatusCode::CONFLICT, Code::BadRequest, Some("`hopline group list` shows who is in it"))
                }
                GroupRefusal::CreatorStays => {
                    (StatusCode::CONFLICT, Code::BadRequest, Some("`hopline group leave` does that"))
                }
            },
        };
        Self { status, code, message, hint }
    }
}

pub(super) async fn list(State(shared): State<Shared>) -> Result<Json<GroupsReport>, Rejection> {
    let groups = shared.node.groups().await?;
    Ok(Json(GroupsReport { groups: groups.into_iter().map(Into::into).collect() }))
}

pub(super) async fn create(
    State(shared): State<Shared>,
    body: Result<Json<NewGroup>, JsonRejection>,
) -> Result<(StatusCode, Json<GroupReport>), Rejection> {
    let Json(NewGroup { name }) = body?;
    Ok((StatusCode::CREATED, Json(shared.node.create_group(name).await?.into())))
}

pub(super) async fn leave(
    State(shared): State<Shared>,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Rejection> {
    let Path(id) = id?;
    shared.node.leave_group(group_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn invite(
    State(shared): State<Shared>,
    id: Result<Path<String>, PathRejection>,
    body: Result<Json<NewMember>, JsonRejection>,
) -> Result<(StatusCode, Json<GroupReport>), Rejection> {
    let (Path(id), Json(NewMember { peer })) = (id?, body?);
    Ok((StatusCode::CREATED, Json(shared.node.invite(group_id(&id)?, &peer).await?.into())))
}

pub(super) async fn remove(
    State(shared): State<Shared>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<StatusCode, Rejection> {
    let Path((id, member)) = path?;
    let member: Fingerprint =
        member.parse().map_err(|error| bad_request(format!("`{member}` is no fingerprint: {error}")))?;
    shared.node.remove_member(group_id(&id)?, member).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn say(
    State(shared): State<Shared>,
    id: Result<Path<String>, PathRejection>,
    body: Result<Json<NewGroupText>, JsonRejection>,
) -> Result<(StatusCode, Json<SaidReport>), Rejection> {
    let (Path(id), Json(NewGroupText { text })) = (id?, body?);
    let said = shared.node.say_to_group(group_id(&id)?, text).await?;
    let report = SaidReport { id: said.id, group: GroupRef { id: said.group, name: said.name } };
    Ok((StatusCode::CREATED, Json(report)))
}

fn group_id(id: &str) -> Result<GroupId, Rejection> {
    id.parse().map_err(|error| bad_request(format!("`{id}` is no group's id: {error}")))
}

fn bad_request(message: String) -> Rejection {
    let hint = Some("`hopline --json group list` shows ids");
    Rejection { status: StatusCode::BAD_REQUEST, code: Code::BadRequest, message, hint }
}
