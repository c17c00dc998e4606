//! What a node tells whoever listens.

use std::sync::Arc;

use crate::capabilities::{Health, TransportKey};
use crate::ids::MessageId;
use crate::mesh;
use crate::message::DeliveryStatus;
use crate::storage::{InboxEntry, Transfer};

use super::contacts::ContactEvent;

/// Something a person may want to know.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Something on the BLE mesh: adapters, links, peers, sessions.
    Mesh(mesh::event::Event),
    /// A message arrived and is stored.
    Received {
        /// The message.
        message: Arc<InboxEntry>,
        /// Over how many fragments it came; 0 when it came whole.
        fragments: u16,
    },
    /// A message of ours came further.
    Status(MessageStatus),
    /// A file came further.
    File(Arc<Transfer>),
    /// A contact card came that a person may want to know of.
    Contact(ContactEvent),
    /// Our own card names another mailbox, or none any more.
    OwnCard {
        /// Whether it names one.
        mailbox: bool,
    },
    /// A transport came up or went down.
    Transport {
        /// Which.
        transport: TransportKey,
        /// How it is.
        health: Health,
    },
    /// So many events of the mesh came while the node was busy with its disk, and are lost.
    Missed(u64),
}

/// How far a message of ours came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageStatus {
    /// Which message.
    pub id: MessageId,
    /// How far.
    pub status: DeliveryStatus,
    /// By which transport.
    pub via: Option<TransportKey>,
    /// Why it waits, expired or was refused.
    pub reason: Option<String>,
}
