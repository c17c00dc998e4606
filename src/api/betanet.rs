//! What `GET /v1/status` says of relays.

use serde::{Deserialize, Serialize};

use crate::transports::betanet::{BetanetStatus, MailboxStatus, Part, RelayStatus};

/// The relays of betanet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BetanetReport {
    /// This node's relays, in the order of preference.
    pub relays: Vec<RelayReport>,
    /// Relays of contacts to which a tunnel stands.
    pub others: usize,
    /// Keys of contacts, each for one message, that are not used yet.
    #[serde(default)]
    pub prekeys: usize,
}

/// A relay of this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayReport {
    /// Its host name.
    pub host: String,
    /// What it is at this time.
    pub part: PartWord,
    /// This node's mailbox there.
    pub mailbox: MailboxWord,
    /// Why the last call came to nothing; nothing while a tunnel stands.
    pub trouble: Option<String>,
}

/// What a relay is to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartWord {
    /// The one in use.
    InUse,
    /// A tunnel stands, in case the one in use dies.
    Warm,
    /// No tunnel stands.
    Down,
}

/// How a mailbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailboxWord {
    /// There is none, as far as is known.
    None,
    /// It is there; the contact card names another one.
    Kept,
    /// It is there, and the contact card names it.
    OnCard,
    /// The relay takes none.
    Refused,
}

impl From<&BetanetStatus> for BetanetReport {
    fn from(status: &BetanetStatus) -> Self {
        Self {
            relays: status.relays.iter().map(Into::into).collect(),
            others: status.others,
            prekeys: status.prekeys,
        }
    }
}

impl From<&RelayStatus> for RelayReport {
    fn from(relay: &RelayStatus) -> Self {
        Self {
            host: relay.host.clone(),
            part: match relay.part {
                Part::InUse => PartWord::InUse,
                Part::Warm => PartWord::Warm,
                Part::Down => PartWord::Down,
            },
            mailbox: match relay.mailbox {
                MailboxStatus::None => MailboxWord::None,
                MailboxStatus::Kept => MailboxWord::Kept,
                MailboxStatus::OnCard => MailboxWord::OnCard,
                MailboxStatus::Refused => MailboxWord::Refused,
            },
            trouble: relay.trouble.clone(),
        }
    }
}
