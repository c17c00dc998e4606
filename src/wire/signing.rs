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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::ids::PeerId;
    use crate::time::UnixMillis;
    use crate::wire::{PacketType, Received, Version};

    /// A text that zlib makes something else of at level 5 than at level 6.
    fn packet() -> Packet {
        let words = (0..4_000_u32).map(|n| format!("{} ", n.wrapping_mul(2_654_435_761) >> 21));
        let payload = Bytes::from(words.collect::<String>());
        let packet = Packet {
            version: Version::V1,
            packet_type: PacketType::Message,
            ttl: 7,
            timestamp: UnixMillis(1),
            sender: PeerId([1; 8]),
            recipient: None,
            route: Vec::new(),
            rsr: false,
            payload,
            signature: None,
        };
        let deflated = |level| WirePayload::deflated(packet.version, &packet.payload, level).unwrap();
        assert_ne!(deflated(LEVEL_APPLE), deflated(LEVEL_DEFAULT));
        packet
    }

    #[test]
    fn the_forms_are_tried_in_the_order_of_the_specification_each_once() {
        let packet = packet();
        let forms = [
            WirePayload::deflated(packet.version, &packet.payload, LEVEL_APPLE).unwrap(),
            WirePayload::deflated(packet.version, &packet.payload, LEVEL_DEFAULT).unwrap(),
            WirePayload::plain(&packet.payload),
        ];
        let [apple, default, plain] = forms.each_ref().map(|form| preimage(&packet, form).unwrap());
        let came_as = |form: &WirePayload| {
            let frame = Bytes::from(packet.frame(form).unwrap());
            Received::decode(&frame).unwrap().signing_preimages().collect::<Vec<_>>()
        };
        assert_eq!(came_as(&forms[0]), [apple.clone(), default.clone(), plain.clone()]);
        assert_eq!(came_as(&forms[1]), [default.clone(), apple.clone(), plain.clone()]);
        assert_eq!(came_as(&forms[2]), [plain, apple, default]);
    }
}
