//! What `GET /v1/status` says was counted since the start.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sync::SyncCounters;
use crate::transports::bitchat::RadioCounters;
use crate::{link, mesh, node};

/// What was counted since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// What became of messages.
    pub messages: MessageCounters,
    /// What the mesh did with packets.
    pub mesh: MeshCounters,
    /// What the links did with frames.
    pub link: LinkCounters,
}

/// What became of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageCounters {
    /// Public messages of others, each once.
    pub public_received: u64,
    /// Private messages to this node, each once.
    pub private_received: u64,
    /// Messages of others to its groups, each once.
    #[serde(default)]
    pub group_received: u64,
    /// Messages of this node that reached at least one link.
    pub sent: u64,
    /// Its private messages that were delivered.
    pub delivered: u64,
    /// Its private messages that were read.
    pub read: u64,
    /// Its messages that were given up.
    pub expired: u64,
    /// Its messages that were not accepted.
    pub refused: u64,
}

/// What the mesh did with packets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshCounters {
    /// Frames that arrived.
    #[serde(default)]
    pub received: u64,
    /// Packets made here and put on at least one link; one that goes in fragments counts once.
    pub originated: u64,
    /// Of these, those sent along a route.
    #[serde(default)]
    pub routed: u64,
    /// Packets of others passed on.
    pub relayed: u64,
    /// Relays given up because every neighbour had the packet.
    pub relays_cancelled: u64,
    /// Packets of others for one peer that were kept, since no link led on.
    #[serde(default)]
    pub spooled: u64,
    /// Of these, those that went when one did.
    #[serde(default)]
    pub unspooled: u64,
    /// Packets put together again from fragments.
    pub reassembled: u64,
    /// Nostr events that passed.
    #[serde(default)]
    pub nostr_events: u64,
    /// What neighbours told each other of what they missed.
    #[serde(default)]
    pub sync: SyncCounters,
    /// Packets thrown away, by reason.
    pub dropped: BTreeMap<String, u64>,
}

/// What the links did with frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkCounters {
    /// Frames handed to the radio.
    pub frames_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Whole frames that arrived.
    pub frames_received: u64,
    /// Bytes that came from the radio.
    pub bytes_received: u64,
    /// Frames dropped because too much waited on their link.
    pub dropped_full: u64,
    /// Frames dropped because their link was gone.
    pub dropped_no_link: u64,
    /// Frames dropped because they were longer than their link carries.
    #[serde(default)]
    pub dropped_too_long: u64,
    /// Received bytes that belonged to no frame.
    #[serde(default)]
    pub garbage_bytes: u64,
    /// Attempts to dial.
    pub dialled: u64,
    /// Attempts that came to nothing.
    pub dial_failures: u64,
    /// Inbound links closed because there were too many.
    pub refused_links: u64,
    /// Links closed because nothing ever arrived on them.
    pub silent_links: u64,
    /// Links closed because a newer one in the same role leads to the same peer.
    #[serde(default)]
    pub retired_links: u64,
}

impl From<&node::status::Status> for Counters {
    fn from(status: &node::status::Status) -> Self {
        let messages = &status.messages;
        Self {
            messages: MessageCounters {
                public_received: messages.public_received,
                private_received: messages.private_received,
                group_received: messages.group_received,
                sent: messages.sent,
                delivered: messages.delivered,
                read: messages.read,
                expired: messages.expired,
                refused: messages.refused,
            },
            mesh: (&status.bitchat.mesh).into(),
            link: LinkCounters::new(status.bitchat.link, status.bitchat.radio),
        }
    }
}

impl From<&mesh::error::Counters> for MeshCounters {
    /// Whatever the mesh counts is told: a counter that is not named here does not compile.
    fn from(counters: &mesh::error::Counters) -> Self {
        let mesh::error::Counters {
            received,
            originated,
            routed,
            relayed,
            relays_cancelled,
            spooled,
            unspooled,
            reassembled,
            nostr_events,
            sync,
            dropped,
        } = counters;
        Self {
            received: *received,
            originated: *originated,
            routed: *routed,
            relayed: *relayed,
            relays_cancelled: *relays_cancelled,
            spooled: *spooled,
            unspooled: *unspooled,
            reassembled: *reassembled,
            nostr_events: *nostr_events,
            sync: sync.into(),
            dropped: dropped.iter().map(|(reason, count)| (reason.as_str().to_owned(), *count)).collect(),
        }
    }
}

impl LinkCounters {
    /// Whatever the links and the radio count is told, likewise.
    fn new(link: link::Counters, radio: RadioCounters) -> Self {
        let RadioCounters { bytes_sent, bytes_received } = radio;
        let link::Counters {
            frames_sent,
            frames_received,
            dropped_full,
            dropped_no_link,
            dropped_too_long,
            garbage_bytes,
            dialled,
            dial_failures,
            refused_links,
            silent_links,
            retired_links,
        } = link;
        Self {
            frames_sent,
            bytes_sent,
            frames_received,
            bytes_received,
            dropped_full,
            dropped_no_link,
            dropped_too_long,
            garbage_bytes,
            dialled,
            dial_failures,
            refused_links,
            silent_links,
            retired_links,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::error::DropReason;

    #[test]
    fn whatever_can_be_dropped_is_told_by_a_word_of_its_own() {
        let dropped = DropReason::ALL.iter().zip(1..).map(|(reason, count)| (*reason, count)).collect();
        let counters = MeshCounters::from(&mesh::error::Counters { dropped, ..Default::default() });
        let json = serde_json::to_value(&counters).unwrap();
        for (reason, count) in DropReason::ALL.iter().zip(1_u64..) {
            assert_eq!(json["dropped"][reason.as_str()], count, "{reason:?}");
        }
        assert_eq!(counters.dropped.len(), DropReason::ALL.len(), "no two share a word");
    }
}
