//! What a node can say about itself: adapters, links, counts, clock.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::{AdapterId, Fingerprint, LinkId, PeerId};
use crate::link::event::{RadioCommand, RadioEvent};
use crate::link::{self, LinkInfo};
use crate::mesh::{self, event::Event};
use crate::message::DeliveryStatus;
use crate::time::UnixMillis;

/// Who this node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its id on the mesh.
    pub peer_id: PeerId,
    /// Its identity.
    pub fingerprint: Fingerprint,
    /// The name it announces.
    pub nickname: String,
}

/// What became of messages since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MessageCounters {
    /// Public messages of others, each once.
    pub public_received: u64,
    /// Private messages to us, each once.
    pub private_received: u64,
    /// Messages of ours that reached at least one link.
    pub sent: u64,
    /// Private messages of ours whose recipient has them.
    pub delivered: u64,
    /// Private messages of ours whose recipient has seen them.
    pub read: u64,
    /// Messages of ours that were given up.
    pub expired: u64,
    /// Messages of ours that were not accepted.
    pub refused: u64,
}

/// What passed between the node and its radio since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RadioCounters {
    /// Bytes of frames handed to the radio.
    pub bytes_sent: u64,
    /// Bytes that came from the radio.
    pub bytes_received: u64,
}

/// A node at one moment.
#[derive(Debug, Clone)]
pub struct Status {
    /// Who it is.
    pub profile: Profile,
    /// How long it has run.
    pub uptime: Duration,
    /// What its wall clock says.
    pub unix: UnixMillis,
    /// Whether that is before the release's build date, so that nothing is sent.
    pub clock_unset: bool,
    /// Its adapters, and whether each works.
    pub adapters: Vec<(AdapterId, bool)>,
    /// The links that are up.
    pub links: Vec<(LinkId, LinkInfo)>,
    /// What became of messages.
    pub messages: MessageCounters,
    /// What passed through the radio.
    pub radio: RadioCounters,
    /// What the link layer counted.
    pub link: link::Counters,
    /// What the engine counted.
    pub mesh: mesh::error::Counters,
}

/// Watches what passes between engine and radio, and keeps the running view of it.
#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) adapters: BTreeMap<AdapterId, bool>,
    pub(super) messages: MessageCounters,
    pub(super) radio: RadioCounters,
}

impl Board {
    /// Takes note of what a radio saw.
    pub(super) fn radio_event(&mut self, event: &RadioEvent) {
        match event {
            RadioEvent::AdapterUp { adapter, .. } => {
                self.adapters.insert(*adapter, true);
            }
            RadioEvent::AdapterDown { adapter } => {
                self.adapters.insert(*adapter, false);
            }
            RadioEvent::Received { bytes, .. } => count(&mut self.radio.bytes_received, bytes.len()),
            RadioEvent::Discovered { .. }
            | RadioEvent::LinkUp { .. }
            | RadioEvent::LinkDown { .. }
            | RadioEvent::ConnectFailed { .. }
            | RadioEvent::Written { .. } => {}
        }
    }

    /// Takes note of what a radio was asked to do.
    pub(super) fn radio_command(&mut self, command: &RadioCommand) {
        match command {
            RadioCommand::Write { frame, .. } => count(&mut self.radio.bytes_sent, frame.len()),
            RadioCommand::Connect { .. } | RadioCommand::Disconnect { .. } => {}
        }
    }

    /// Takes note of what the engine said.
    pub(super) fn event(&mut self, event: &Event) {
        let messages = &mut self.messages;
        match event {
            Event::PublicMessage { .. } => count(&mut messages.public_received, 1),
            Event::PrivateMessage { .. } => count(&mut messages.private_received, 1),
            Event::Refused { .. } => count(&mut messages.refused, 1),
            Event::Status { status, .. } => match status {
                DeliveryStatus::Queued => {}
                DeliveryStatus::Sent => count(&mut messages.sent, 1),
                DeliveryStatus::Delivered => count(&mut messages.delivered, 1),
                DeliveryStatus::Read => count(&mut messages.read, 1),
                DeliveryStatus::Expired => count(&mut messages.expired, 1),
            },
            Event::Adapter { .. }
            | Event::LinkUp { .. }
            | Event::LinkDown { .. }
            | Event::Peer(_)
            | Event::PeerGone { .. }
            | Event::Session { .. }
            | Event::ClockUnset => {}
        }
    }
}

fn count(counter: &mut u64, more: usize) {
    *counter = counter.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
}
