//! What the BLE mesh can say about itself: adapters, links, counts.

use std::collections::BTreeMap;

use crate::ids::{AdapterId, LinkId};
use crate::link::event::{RadioCommand, RadioEvent};
use crate::link::{self, LinkInfo};
use crate::mesh;

/// What crossed the radio since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RadioCounters {
    /// Bytes of frames handed to it.
    pub bytes_sent: u64,
    /// Bytes of frames that came.
    pub bytes_received: u64,
}

/// How the BLE mesh is.
#[derive(Debug, Clone, Default)]
pub struct BitchatStatus {
    /// The adapters, and whether each works.
    pub adapters: Vec<(AdapterId, bool)>,
    /// The links that are up.
    pub links: Vec<(LinkId, LinkInfo)>,
    /// What crossed the radio.
    pub radio: RadioCounters,
    /// What the link layer did.
    pub link: link::Counters,
    /// What the engine did.
    pub mesh: mesh::error::Counters,
    /// Mail for who is away.
    pub courier: mesh::courier::Report,
    /// By how many milliseconds this machine's clock seems to be ahead of everybody's; negative where it is behind.
    pub clock_doubt: Option<i64>,
}

/// Watches what passes between engine and radio.
#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) adapters: BTreeMap<AdapterId, bool>,
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
}

fn count(counter: &mut u64, more: usize) {
    *counter = counter.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
}
