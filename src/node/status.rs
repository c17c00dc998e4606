//! What a node can say about itself: adapters, links, counts, clock.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::{AdapterId, Fingerprint, LinkId, PeerId};
use crate::link::event::{DeviceAddress, RadioCommand, RadioEvent, Role};
use crate::mesh::event::Event;
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

/// A link that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkStatus {
    /// Its name.
    pub link: LinkId,
    /// The device at the other end.
    pub address: DeviceAddress,
    /// Our side of it.
    pub role: Role,
    /// The longest frame it carries, in bytes.
    pub max_frame: usize,
}

/// What was counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames handed to the radio.
    pub frames_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Frames that came from the radio.
    pub frames_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Public messages of others, each once.
    pub public_received: u64,
    /// Private messages to us, each once.
    pub private_received: u64,
    /// Messages of ours that reached at least one link.
    pub messages_sent: u64,
    /// Private messages of ours whose recipient has them.
    pub messages_delivered: u64,
    /// Private messages of ours whose recipient has seen them.
    pub messages_read: u64,
    /// Private messages of ours that nothing answered in time.
    pub messages_expired: u64,
}

/// A node at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    pub links: Vec<LinkStatus>,
    /// What was counted.
    pub counters: Counters,
}

/// Watches what passes between engine and radio, and keeps the running view of it.
#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) adapters: BTreeMap<AdapterId, bool>,
    pub(super) links: BTreeMap<LinkId, LinkStatus>,
    pub(super) counters: Counters,
}

impl Board {
    /// Takes note of what a radio saw.
    pub(super) fn radio_event(&mut self, event: &RadioEvent) {
        match event {
            RadioEvent::AdapterUp { adapter } => {
                self.adapters.insert(*adapter, true);
            }
            RadioEvent::AdapterDown { adapter } => {
                self.adapters.insert(*adapter, false);
                self.links.retain(|link, _| link.adapter != *adapter);
            }
            RadioEvent::LinkUp { link, address, role, max_frame } => {
                let status =
                    LinkStatus { link: *link, address: *address, role: *role, max_frame: *max_frame };
                self.links.insert(*link, status);
            }
            RadioEvent::LinkDown { link, .. } => {
                self.links.remove(link);
            }
            RadioEvent::Received { bytes, .. } => {
                count(&mut self.counters.frames_received, 1);
                count(&mut self.counters.bytes_received, bytes.len());
            }
            RadioEvent::Discovered { .. } | RadioEvent::ConnectFailed { .. } | RadioEvent::Written { .. } => {
            }
        }
    }

    /// Takes note of what a radio was asked to do.
    pub(super) fn radio_command(&mut self, command: &RadioCommand) {
        match command {
            RadioCommand::Write { frame, .. } => {
                count(&mut self.counters.frames_sent, 1);
                count(&mut self.counters.bytes_sent, frame.len());
            }
            RadioCommand::Connect { .. } | RadioCommand::Disconnect { .. } => {}
        }
    }

    /// Takes note of what the engine said.
    pub(super) fn event(&mut self, event: &Event) {
        let counters = &mut self.counters;
        match event {
            Event::PublicMessage { .. } => count(&mut counters.public_received, 1),
            Event::PrivateMessage { .. } => count(&mut counters.private_received, 1),
            Event::Status { status, .. } => match status {
                DeliveryStatus::Queued => {}
                DeliveryStatus::Sent => count(&mut counters.messages_sent, 1),
                DeliveryStatus::Delivered => count(&mut counters.messages_delivered, 1),
                DeliveryStatus::Read => count(&mut counters.messages_read, 1),
                DeliveryStatus::Expired => count(&mut counters.messages_expired, 1),
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
