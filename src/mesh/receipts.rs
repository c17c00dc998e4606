//! Receipts that wait for a session: a read receipt can be due long after the session it belongs to.

use std::collections::VecDeque;

use crate::ids::PeerId;
use crate::wire::NoisePayload;

/// Receipts that wait at once; the oldest goes first.
const MAX_WAITING: usize = 256;

/// The waiting receipts, oldest first.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    waiting: VecDeque<(PeerId, NoisePayload)>,
}

impl Receipts {
    /// Keeps a receipt until a session with the peer stands.
    pub(super) fn add(&mut self, peer: PeerId, receipt: NoisePayload) {
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back((peer, receipt));
    }

    /// Everything that waits for this peer.
    pub(super) fn take(&mut self, peer: PeerId) -> Vec<NoisePayload> {
        let (theirs, others) =
            std::mem::take(&mut self.waiting).into_iter().partition::<Vec<_>, _>(|(to, _)| *to == peer);
        self.waiting = others.into();
        theirs.into_iter().map(|(_, receipt)| receipt).collect()
    }
}
