//! Our own texts for everyone: each is signed once, and every transport carries those bytes.

use std::sync::Arc;

use bytes::Bytes;

use crate::crypto::Identity;
use crate::ids::MessageId;
use crate::mesh::config::PUBLIC_LIFETIME;
use crate::mesh::error::Refusal;
use crate::mesh::{PublicPacket, public_packet};
use crate::message::Body;
use crate::time::UnixMillis;
use crate::wire;

/// Signs texts, no two at the same time: several dedupe keys of the apps rest on it (spec 4.3, 9).
pub(super) struct PublicText {
    identity: Arc<Identity>,
    last_stamp: UnixMillis,
}

impl PublicText {
    pub(super) fn new(identity: Arc<Identity>) -> Self {
        Self { identity, last_stamp: UnixMillis(0) }
    }

    /// The message of a text: its id is that of its packet.
    pub(super) fn sign(&mut self, text: &str, now: UnixMillis) -> Result<(MessageId, Body), Refusal> {
        self.last_stamp = now.max(UnixMillis(self.last_stamp.0.saturating_add(1)));
        let PublicPacket { id, bytes } = public_packet(&self.identity, text, self.last_stamp)?;
        Ok((id.into(), Body::Public(bytes)))
    }

    /// The same text signed again, when its packet has grown too old for its receivers.
    pub(super) fn refresh(&mut self, packet: &Bytes, now: UnixMillis) -> Option<Bytes> {
        let received = wire::Received::decode(packet).ok()?;
        let old = received.packet();
        if old.timestamp.abs_diff(now) < PUBLIC_LIFETIME {
            return None;
        }
        let text = std::str::from_utf8(&old.payload).ok()?;
        match self.sign(text, now).ok()?.1 {
            Body::Public(packet) => Some(packet),
            Body::Text(_) | Body::Read { .. } | Body::Card(_) => None,
        }
    }
}
