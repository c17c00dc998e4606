//! The bytes a packet's signature is made over (spec 2.4).

use super::compression::{LEVEL_APPLE, LEVEL_DEFAULT, WirePayload};
use super::error::EncodeError;
use super::packet::Packet;
use super::padding;

impl Packet {
    /// What its sender signs: the frame with TTL 0 and neither signature nor flag 10, padded whatever its type.
    pub fn signing_preimage(&self) -> Result<Vec<u8>, EncodeError> {
        preimage(self, &WirePayload::by_rule(self.version, &self.payload))
    }
}

/// What the sender of a received packet may have signed, the likeliest first (spec 2.4).
///
/// The payload as it came; then, because iOS compresses again before it verifies, relays and (so) signs, the
/// payload compressed as Apple does, as Android does, and not at all.
pub(super) fn preimages(packet: &Packet, came: &WirePayload) -> impl Iterator<Item = Vec<u8>> {
    let forms: [fn(&Packet, &WirePayload) -> Option<WirePayload>; 4] = [
        |_, came| Some(came.clone()),
        |packet, _| WirePayload::deflated(packet.version, &packet.payload, LEVEL_APPLE),
        |packet, _| WirePayload::deflated(packet.version, &packet.payload, LEVEL_DEFAULT),
        |packet, _| Some(WirePayload::plain(&packet.payload)),
    ];
    let mut tried: Vec<WirePayload> = Vec::with_capacity(forms.len());
    forms.into_iter().filter_map(move |form| {
        let payload = form(packet, came).filter(|payload| !tried.contains(payload))?;
        let preimage = preimage(packet, &payload).ok();
        tried.push(payload);
        preimage
    })
}

fn preimage(packet: &Packet, payload: &WirePayload) -> Result<Vec<u8>, EncodeError> {
    let mut frame = Packet { ttl: 0, rsr: false, signature: None, ..packet.clone() }.frame(payload)?;
    padding::pad(&mut frame);
    Ok(frame)
}
