//! A message's body as bytes, the same in a QUIC stream and in the outbox: one kind byte, then the content.

use bytes::Bytes;

use super::error::{EncodeError, PayloadError};
use super::part::MAX_PARTS;
use super::reader::Reader;
use super::tlv;
use crate::ids::MessageId;
use crate::message::Body;

mod kind {
    pub(super) const TEXT: u8 = 0x01;
    pub(super) const PUBLIC: u8 = 0x02;
    pub(super) const READ: u8 = 0x03;
    pub(super) const CARD: u8 = 0x04;
}

/// The bytes of a body.
pub fn encode(body: &Body) -> Result<Vec<u8>, EncodeError> {
    match body {
        Body::Text(text) => Ok([&[kind::TEXT], text.as_bytes()].concat()),
        Body::Public(packet) => Ok([&[kind::PUBLIC], packet.as_ref()].concat()),
        Body::Card(card) => Ok([&[kind::CARD], card.as_ref()].concat()),
        Body::Read { of, wire_ids } => {
            let mut bytes = vec![kind::READ];
            bytes.extend(of.0);
            for wire_id in wire_ids {
                tlv::put(&mut bytes, kind::READ, "wire id", wire_id.as_bytes())?;
            }
            Ok(bytes)
        }
    }
}

/// The body of these bytes.
pub fn decode(bytes: &Bytes) -> Result<Body, PayloadError> {
    let mut reader = Reader::new(bytes);
    let kind = reader.u8().map_err(|short| short.of_payload("body kind"))?;
    let rest = |reader: &mut Reader| {
        let left = reader.left();
        reader.take(left).map_err(|short| short.of_payload("body"))
    };
    match kind {
        kind::TEXT => Ok(Body::Text(tlv::text(&rest(&mut reader)?, "text", 1)?.to_owned())),
        kind::PUBLIC => Ok(Body::Public(rest(&mut reader)?)),
        kind::CARD => Ok(Body::Card(rest(&mut reader)?)),
        kind::READ => read_receipt(&mut reader),
        kind => Err(PayloadError::Value { field: "body kind", offset: 0, value: kind.into() }),
    }
}

fn read_receipt(reader: &mut Reader) -> Result<Body, PayloadError> {
    let of = MessageId(reader.array().map_err(|short| short.of_payload("message id"))?);
    let mut wire_ids = Vec::new();
    while let Some(field) = tlv::Tlv::read(reader)? {
        if wire_ids.len() >= usize::from(MAX_PARTS) {
            return Err(PayloadError::Repeated { field: "wire id", offset: field.offset });
        }
        wire_ids.push(field.text("wire id")?);
    }
    Ok(Body::Read { of, wire_ids })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bodies() -> impl Strategy<Value = Body> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
        prop_oneof![
            any::<String>().prop_map(Body::Text),
            bytes().prop_map(Body::Public),
            bytes().prop_map(Body::Card),
            (any::<[u8; 16]>(), proptest::collection::vec("[a-z0-9-]{0,50}", 0..32))
                .prop_map(|(id, wire_ids)| Body::Read { of: MessageId(id), wire_ids }),
        ]
    }

    proptest! {
        #[test]
        fn a_body_reads_as_it_was_written(body in bodies()) {
            prop_assert_eq!(decode(&Bytes::from(encode(&body).unwrap())), Ok(body));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            decode(&Bytes::from(bytes)).ok();
        }
    }
}
