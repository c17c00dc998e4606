//! What a node can say about itself.

use std::time::Duration;

use crate::capabilities::{Health, TransportKey};
use crate::crypto::Identity;
use crate::ids::{Fingerprint, PeerId};
use crate::message::DeliveryStatus;
use crate::router::event::Conditions;
use crate::time::UnixMillis;
use crate::transports::betanet::BetanetStatus;
use crate::transports::bitchat::BitchatStatus;
use crate::transports::direct::ConnectionStatus;

use super::event::Event;

/// Who a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its id on the mesh.
    pub peer_id: PeerId,
    /// Its identity.
    pub fingerprint: Fingerprint,
    /// The name it announces.
    pub nickname: String,
}

impl Profile {
    pub(super) fn new(identity: &Identity, nickname: &str) -> Self {
        Self {
            peer_id: identity.peer_id(),
            fingerprint: identity.fingerprint(),
            nickname: nickname.to_owned(),
        }
    }
}

/// What became of messages since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MessageCounters {
    /// Public messages received.
    pub public_received: u64,
    /// Private messages received.
    pub private_received: u64,
    /// Messages of others to groups received.
    pub group_received: u64,
    /// Messages put on their way.
    pub sent: u64,
    /// Messages whose recipient has them.
    pub delivered: u64,
    /// Messages whose recipient read them.
    pub read: u64,
    /// Messages given up because they grew too old.
    pub expired: u64,
    /// Messages given up because nothing could carry them.
    pub refused: u64,
}

/// Everything a node says about itself.
#[derive(Debug, Clone)]
pub struct Status {
    /// Who it is.
    pub profile: Profile,
    /// How long it has run.
    pub uptime: Duration,
    /// What its wall clock says.
    pub unix: UnixMillis,
    /// Whether that clock is plainly unset, so that nothing is sent.
    pub clock_unset: bool,
    /// Its relays and its mailbox; nothing where betanet is switched off.
    pub betanet: Option<BetanetStatus>,
    /// Its transports.
    pub transports: Vec<(TransportKey, Health)>,
    /// Whether it looks for contacts by mDNS, so that everybody on the local network can see it.
    pub mdns: bool,
    /// Battery and network.
    pub conditions: Conditions,
    /// What became of messages since the start.
    pub messages: MessageCounters,
    /// Its BLE mesh; empty once that has stopped.
    pub bitchat: BitchatStatus,
    /// The contacts that are connected over direct, and which way; empty once that has stopped.
    pub connections: Vec<ConnectionStatus>,
}

/// Keeps the running view of a node.
#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) messages: MessageCounters,
    pub(super) conditions: Conditions,
}

impl Board {
    /// Takes note of what happened to whoever this node is of.
    pub(super) fn event(&mut self, event: &Event, own: Fingerprint) {
        match event {
            // What was said to a group here is stored, and told, like what others say.
            Event::Received { message, .. } if message.sender == own => {}
            Event::Received { message, .. } if message.room.is_some() => {
                count(&mut self.messages.group_received);
            }
            Event::Received { message, .. } if message.public => count(&mut self.messages.public_received),
            Event::Received { .. } => count(&mut self.messages.private_received),
            Event::Status(message) => self.status(message.status),
            Event::Mesh(_)
            | Event::Contact(_)
            | Event::OwnCard { .. }
            | Event::File(_)
            | Event::Transport { .. }
            | Event::Missed(_) => {}
        }
    }

    fn status(&mut self, status: DeliveryStatus) {
        let messages = &mut self.messages;
        match status {
            DeliveryStatus::Queued => {}
            DeliveryStatus::Sent => count(&mut messages.sent),
            DeliveryStatus::Delivered => count(&mut messages.delivered),
            DeliveryStatus::Read => count(&mut messages.read),
            DeliveryStatus::Expired => count(&mut messages.expired),
            DeliveryStatus::Refused => count(&mut messages.refused),
        }
    }
}

fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ids::{GroupId, MessageId};
    use crate::message::GroupLabel;
    use crate::storage::InboxEntry;

    const OWN: Fingerprint = Fingerprint([1; 32]);

    fn received(sender: u8, public: bool, room: Option<u8>) -> Event {
        let message = Arc::new(InboxEntry {
            number: 1,
            sender: Fingerprint([sender; 32]),
            nickname: String::new(),
            public,
            room: room.map(|id| GroupLabel { id: GroupId([id; 16]), name: String::new() }),
            id: MessageId([1; 16]),
            text: Ok(String::new()),
            sent: UnixMillis(1),
            received: UnixMillis(1),
            via: TransportKey::Bitchat,
            ttl: 7,
            read: false,
        });
        Event::Received { message, fragments: 0 }
    }

    #[test]
    fn what_is_said_to_a_group_is_no_private_message_and_our_own_words_were_not_received() {
        let mut board = Board::default();
        for event in [
            received(2, true, None),
            received(2, false, None),
            received(2, false, None),
            received(2, false, Some(1)),
            received(3, false, Some(2)),
            received(3, false, Some(2)),
            received(1, false, Some(1)),
        ] {
            board.event(&event, OWN);
        }
        let MessageCounters { public_received, private_received, group_received, .. } = board.messages;
        assert_eq!((public_received, private_received, group_received), (1, 2, 3));
    }
}
