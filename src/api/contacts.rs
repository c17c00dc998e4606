//! `/v1/contacts`: who this node's owner knows, and its own card.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::error::{Code, MEND_THE_DISK, Rejection, UNBLOCK};
use super::server::Shared;
use super::text;
use crate::ids::{Fingerprint, PeerId, to_hex};
use crate::mesh::trust::Opinion;
use crate::node::contacts::{
    ContactAnswer, ContactEdit, ContactError, ContactEvent, ContactInfo, ContactRequest, Form,
};
use crate::node::handle::Stopped;
use crate::wire::{self, DirectAddress};

/// `GET /v1/contacts`: contacts, blocked people and offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactList {
    /// By fingerprint.
    pub contacts: Vec<ContactReport>,
}

/// Somebody known by a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactReport {
    /// The identity.
    #[serde(with = "text")]
    pub fingerprint: Fingerprint,
    /// The id on the mesh.
    #[serde(with = "text")]
    pub peer_id: PeerId,
    /// The name here. Of an offer, the name it gave itself, which others may have.
    pub name: String,
    /// The name in the card.
    pub nickname: String,
    /// What was decided.
    pub standing: Standing,
    /// Whether the keys were compared.
    pub verified: bool,
    /// Whether it is a favourite.
    pub favourite: bool,
    /// The X25519 key, in hex.
    pub noise_public: String,
    /// The Ed25519 key, in hex.
    pub signing_public: String,
    /// Sixty digits to compare with those the other side sees.
    pub safety_number: String,
    /// The serial of the card.
    pub serial: u64,
    /// Where the card says that the person can be reached over IP.
    pub direct: Option<DirectReport>,
    /// Whether the card names a mailbox, so that mail reaches the person over betanet.
    #[serde(default)]
    pub mailbox: bool,
    /// How far the person is trusted; left out where several are listed, and after a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustReport>,
}

/// How far somebody is trusted, and on whose word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustReport {
    /// `unknown`, `known`, `proven`, `vouched`, `mutual` or `verified`.
    pub level: String,
    /// The people verified here who vouch for the keys.
    pub vouched_by: Vec<VoucherReport>,
}

/// Somebody who vouches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoucherReport {
    /// The identity.
    #[serde(with = "text")]
    pub fingerprint: Fingerprint,
    /// The name here.
    pub name: String,
}

/// What was decided about a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// A contact.
    Contact,
    /// The card came by itself, and waits for a word.
    Offered,
    /// Nothing is taken from this person.
    Blocked,
    /// Somebody heard on the mesh, of whom nothing is decided.
    Stranger,
}

/// Where somebody can be reached over IP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectReport {
    /// Which subkey it is.
    pub generation: u32,
    /// The subkey, in hex.
    pub key: String,
    /// Addresses with ports.
    pub addresses: Vec<String>,
    /// URLs of relays.
    pub relays: Vec<String>,
}

/// `POST /v1/contacts`: one of `link` and `offered` is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewContact {
    /// A card, as `hopline://contact/…` or without that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The fingerprint of somebody who offered a card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<String>,
    /// A name, instead of the one in the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// `PATCH /v1/contacts/{fingerprint}`: what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactPatch {
    /// Another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The keys were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// A favourite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub favourite: Option<bool>,
    /// Nothing is taken from this person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<bool>,
}

/// `GET /v1/contacts/card`: which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardQuery {
    /// With the ways to reach this node over IP; that is usual.
    #[serde(default = "yes")]
    pub addresses: bool,
    /// With this node's mailbox; that is usual too.
    #[serde(default = "yes")]
    pub mailbox: bool,
}

/// The answer to `GET /v1/contacts/card`: this node's own card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardReport {
    /// What to pass on.
    pub link: String,
}

/// What happened to contacts without the owner's doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactNotice {
    /// What.
    pub news: ContactNews,
    /// To whom.
    #[serde(with = "text")]
    pub fingerprint: Fingerprint,
    /// The name of that person here, or the one an offer gave itself.
    pub name: String,
}

/// What can happen to contacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactNews {
    /// Somebody who is no contact sent a card.
    Offered,
    /// A contact sent a newer card.
    Renewed,
    /// Somebody proved the keys of their verification code.
    Verified,
    /// A card with another identity key than the known one was refused.
    IdentityRefused,
}

const fn yes() -> bool {
    true
}

pub(super) async fn list(State(shared): State<Shared>) -> Result<Json<ContactList>, Rejection> {
    let answer = shared.node.contacts(ContactRequest::List).await?;
    let ContactAnswer::List(people) = answer else { return Err(mismatch(&answer)) };
    Ok(Json(ContactList { contacts: people.into_iter().map(Into::into).collect() }))
}

pub(super) async fn get(
    State(shared): State<Shared>,
    who: Result<Path<String>, PathRejection>,
) -> Result<Json<ContactReport>, Rejection> {
    let Path(who) = who?;
    let fingerprint = fingerprint(&who)?;
    let Json(report) = person(&shared, ContactRequest::Get { fingerprint }).await?;
    Ok(Json(ContactReport { trust: Some(trust(&shared, fingerprint).await?), ..report }))
}

async fn trust(shared: &Shared, who: Fingerprint) -> Result<TrustReport, Rejection> {
    let Opinion { level, vouchers } = shared.node.opinion(who).await?;
    let names = shared.node.petnames().await?;
    // Who vouches was verified, and has a name here, unless the book changed a moment ago.
    let name = |peer: PeerId| {
        let named = names.iter().find(|(_, id)| **id == peer);
        named.map_or_else(|| peer.to_string(), |(name, _)| name.clone())
    };
    let voucher = |fingerprint: Fingerprint| VoucherReport { fingerprint, name: name(fingerprint.peer_id()) };
    Ok(TrustReport {
        level: level.as_str().to_owned(),
        vouched_by: vouchers.into_iter().map(voucher).collect(),
    })
}

pub(super) async fn card(
    State(shared): State<Shared>,
    query: Result<Query<CardQuery>, QueryRejection>,
) -> Result<Json<CardReport>, Rejection> {
    let Query(CardQuery { addresses, mailbox }) = query?;
    let form = Form { addresses, mailbox };
    let answer = shared.node.contacts(ContactRequest::OwnCard { form }).await?;
    let ContactAnswer::OwnCard(card) = answer else { return Err(mismatch(&answer)) };
    Ok(Json(CardReport { link: wire::link(&card) }))
}

pub(super) async fn add(
    State(shared): State<Shared>,
    body: Result<Json<NewContact>, JsonRejection>,
) -> Result<(StatusCode, Json<ContactReport>), Rejection> {
    let Json(NewContact { link, offered, name }) = body?;
    let request = match (link, offered) {
        (Some(link), None) => ContactRequest::Add { link, name },
        (None, Some(offered)) => ContactRequest::Accept { fingerprint: fingerprint(&offered)?, name },
        (Some(_), Some(_)) | (None, None) => {
            return Err(Rejection {
                status: StatusCode::BAD_REQUEST,
                code: Code::BadRequest,
                message: "a contact is added by `link` or by `offered`, one of them".to_owned(),
                hint: None,
            });
        }
    };
    Ok((StatusCode::CREATED, person(&shared, request).await?))
}

pub(super) async fn edit(
    State(shared): State<Shared>,
    who: Result<Path<String>, PathRejection>,
    body: Result<Json<ContactPatch>, JsonRejection>,
) -> Result<Json<ContactReport>, Rejection> {
    let Path(who) = who?;
    let Json(ContactPatch { name, verified, favourite, blocked }) = body?;
    let edit = ContactEdit { name, verified, favourite, blocked };
    person(&shared, ContactRequest::Edit { fingerprint: fingerprint(&who)?, edit }).await
}

pub(super) async fn remove(
    State(shared): State<Shared>,
    who: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Rejection> {
    let Path(who) = who?;
    shared.node.contacts(ContactRequest::Remove { fingerprint: fingerprint(&who)? }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn person(shared: &Shared, request: ContactRequest) -> Result<Json<ContactReport>, Rejection> {
    let answer = shared.node.contacts(request).await?;
    let ContactAnswer::Contact(info) = answer else { return Err(mismatch(&answer)) };
    Ok(Json((*info).into()))
}

fn fingerprint(text: &str) -> Result<Fingerprint, Rejection> {
    text.parse().map_err(|error| Rejection {
        status: StatusCode::BAD_REQUEST,
        code: Code::BadRequest,
        message: format!("`{text}` is no fingerprint: {error}"),
        hint: Some("`hopline contact list` shows everybody"),
    })
}

/// The node answered another question than was asked.
fn mismatch(answer: &ContactAnswer) -> Rejection {
    tracing::error!(?answer, "an answer that does not fit its request");
    Rejection {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        code: Code::Storage,
        message: "the node gave an answer that does not fit".to_owned(),
        hint: Some("the daemon's log may say why"),
    }
}

impl From<ContactInfo> for ContactReport {
    fn from(info: ContactInfo) -> Self {
        let ContactInfo { contact, nickname, direct, mailbox, safety_number } = info;
        let standing = match (contact.blocked, contact.added, contact.has_card()) {
            (true, ..) => Standing::Blocked,
            (false, true, _) => Standing::Contact,
            (false, false, true) => Standing::Offered,
            (false, false, false) => Standing::Stranger,
        };
        Self {
            fingerprint: contact.fingerprint,
            peer_id: contact.peer(),
            name: contact.name,
            nickname,
            standing,
            verified: contact.verified,
            favourite: contact.favourite,
            noise_public: to_hex(&contact.noise_public),
            signing_public: to_hex(&contact.signing_public),
            safety_number,
            serial: contact.serial,
            direct: direct.map(Into::into),
            mailbox,
            trust: None,
        }
    }
}

impl From<DirectAddress> for DirectReport {
    fn from(direct: DirectAddress) -> Self {
        Self {
            generation: direct.generation,
            key: to_hex(&direct.key),
            addresses: direct.addresses.iter().map(ToString::to_string).collect(),
            relays: direct.relays,
        }
    }
}

impl From<ContactEvent> for ContactNotice {
    fn from(event: ContactEvent) -> Self {
        let (news, fingerprint, name) = match event {
            ContactEvent::Offered { fingerprint, nickname } => (ContactNews::Offered, fingerprint, nickname),
            ContactEvent::Renewed { fingerprint, name } => (ContactNews::Renewed, fingerprint, name),
            ContactEvent::Verified { fingerprint, name } => (ContactNews::Verified, fingerprint, name),
            ContactEvent::IdentityRefused { fingerprint, name } => {
                (ContactNews::IdentityRefused, fingerprint, name)
            }
        };
        Self { news, fingerprint, name }
    }
}

impl From<ContactError> for Rejection {
    fn from(error: ContactError) -> Self {
        let message = error.to_string();
        let (status, code, hint) = match error {
            ContactError::Card(_) | ContactError::Link(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Code::BadCard,
                "the owner gets it with `hopline contact card`; copy it from the first letter to the last",
            ),
            ContactError::Signature { .. } | ContactError::Sender { .. } => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Code::BadCard,
                "do not use it; ask its owner for the card again, on another way",
            ),
            ContactError::Code(_) | ContactError::CodeSignature { .. } => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Code::BadCode,
                "they get it with `hopline verify`; copy it from the first letter to the last",
            ),
            ContactError::CodeAge { .. } => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Code::BadCode,
                "let them show a new one, and see that both clocks are right",
            ),
            ContactError::OwnCode => {
                (StatusCode::UNPROCESSABLE_ENTITY, Code::BadCode, "scan the one that the other node shows")
            }
            ContactError::Random(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::Busy, "the daemon's log may say more")
            }
            ContactError::Own => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Code::BadCard,
                "give it to somebody, and add the card you get in return",
            ),
            ContactError::IdentityChanged { .. } => (
                StatusCode::CONFLICT,
                Code::IdentityChanged,
                "somebody may pose as them: ask them in person; if they did change their keys, remove the contact \
                 and add the new card",
            ),
            ContactError::Blocked { .. } => (StatusCode::CONFLICT, Code::Blocked, UNBLOCK),
            ContactError::Unknown { .. } => {
                (StatusCode::NOT_FOUND, Code::UnknownPeer, "`hopline contact list` shows everybody")
            }
            ContactError::NotAdded { .. } => {
                (StatusCode::CONFLICT, Code::NotAdded, "`hopline contact add @NAME` makes them one")
            }
            ContactError::NameTaken { .. } => {
                (StatusCode::CONFLICT, Code::AmbiguousName, "choose another with --name")
            }
            ContactError::Name(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, Code::BadText, "choose another with --name")
            }
            ContactError::Full { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::Busy, "remove somebody with `hopline contact remove`")
            }
            ContactError::OwnCard(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                Code::BadCard,
                "shorten the nickname or the list of relays in the configuration",
            ),
            ContactError::NoCard => (
                StatusCode::SERVICE_UNAVAILABLE,
                Code::Busy,
                "try again in a moment; if it stays so, the daemon's log says why",
            ),
            ContactError::NotStored(_) => (StatusCode::INTERNAL_SERVER_ERROR, Code::Storage, MEND_THE_DISK),
            ContactError::Stopping => return Stopped.into(),
        };
        Self { status, code, message, hint: Some(hint) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_says_only_what_changes_and_nothing_unknown() {
        let patch = ContactPatch { favourite: Some(true), ..ContactPatch::default() };
        assert_eq!(serde_json::to_string(&patch).unwrap(), r#"{"favourite":true}"#);
        assert!(serde_json::from_str::<ContactPatch>(r#"{"favorite":true}"#).is_err());
    }

    #[test]
    fn a_card_has_addresses_unless_asked_for_without() {
        assert!(serde_urlencoded::from_str::<CardQuery>("").unwrap().addresses);
        assert!(!serde_urlencoded::from_str::<CardQuery>("addresses=false").unwrap().addresses);
    }
}
