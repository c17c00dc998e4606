//! COURIER: a sealed private message on its way in somebody else's pocket (spec 3.11).

use bytes::Bytes;

use super::error::{EncodeError, PayloadError};
use super::reader::Reader;
use super::tlv::{self, Tlv};
use crate::time::UnixMillis;

/// The most bytes of ciphertext in an envelope.
pub const MAX_CIPHERTEXT_LEN: usize = 16 * 1024;
/// The most copies an envelope may stand for.
pub const MAX_COPIES: u8 = 8;
/// Bytes of a recipient's tag.
pub const TAG_LEN: usize = 16;

mod tag {
    pub(super) const TAG: u8 = 0x01;
    pub(super) const EXPIRES: u8 = 0x02;
    pub(super) const CIPHERTEXT: u8 = 0x03;
    pub(super) const COPIES: u8 = 0x04;
    pub(super) const PREKEY: u8 = 0x05;
}

/// An envelope as its carrier sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CourierEnvelope {
    /// For whom, told only to those who know the recipient's key, and another one each day.
    pub tag: [u8; TAG_LEN],
    /// When it is of no use any more.
    pub expires: UnixMillis,
    /// The sealed message: 1 to [`MAX_CIPHERTEXT_LEN`] bytes.
    pub ciphertext: Bytes,
    /// How many copies whoever holds this may spread, its own counted: 1 to [`MAX_COPIES`].
    pub copies: u8,
    /// The recipient's prekey it is sealed to; its static key when there is none.
    pub prekey: Option<u32>,
}

impl CourierEnvelope {
    /// The payload; one copy goes unsaid.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut payload = Vec::with_capacity(self.ciphertext.len() + 64);
        match self.ciphertext.len() {
            0 => return Err(EncodeError::Empty { field: "ciphertext" }),
            1..=MAX_CIPHERTEXT_LEN => {}
            len => return Err(EncodeError::TooLong { field: "ciphertext", len, max: MAX_CIPHERTEXT_LEN }),
        }
        let (count, max) = (usize::from(self.copies), usize::from(MAX_COPIES));
        if !(1..=max).contains(&count) {
            return Err(EncodeError::TooMany { field: "copies", count, max });
        }
        tlv::put_wide(&mut payload, tag::TAG, "tag", &self.tag)?;
        tlv::put_wide(&mut payload, tag::EXPIRES, "expiry", &self.expires.0.to_be_bytes())?;
        tlv::put_wide(&mut payload, tag::CIPHERTEXT, "ciphertext", &self.ciphertext)?;
        if self.copies > 1 {
            tlv::put_wide(&mut payload, tag::COPIES, "copies", &[self.copies])?;
        }
        if let Some(prekey) = self.prekey {
            tlv::put_wide(&mut payload, tag::PREKEY, "prekey id", &prekey.to_be_bytes())?;
        }
        Ok(payload)
    }

    /// Reads the fields in any order, each at most once, without those it does not know.
    pub fn decode(payload: &Bytes) -> Result<Self, PayloadError> {
        let (mut recipient, mut expires, mut ciphertext) = (None, None, None);
        let (mut copies, mut prekey) = (None, None);
        let mut reader = Reader::new(payload);
        while let Some(field) = Tlv::read_wide(&mut reader)? {
            match field.tag {
                tag::TAG => field.store(&mut recipient, field.array("tag", "16")?, "tag")?,
                tag::EXPIRES => {
                    let expiry = UnixMillis(u64::from_be_bytes(field.array("expiry", "8")?));
                    field.store(&mut expires, expiry, "expiry")?;
                }
                tag::CIPHERTEXT => {
                    field.store(&mut ciphertext, sized_ciphertext(&field)?, "ciphertext")?;
                }
                tag::COPIES => field.store(&mut copies, read_copies(&field)?, "copies")?,
                tag::PREKEY => {
                    let id = u32::from_be_bytes(field.array("prekey id", "4")?);
                    field.store(&mut prekey, id, "prekey id")?;
                }
                _ => {}
            }
        }
        Ok(Self {
            tag: recipient.ok_or(PayloadError::Missing { field: "tag" })?,
            expires: expires.ok_or(PayloadError::Missing { field: "expiry" })?,
            ciphertext: ciphertext.ok_or(PayloadError::Missing { field: "ciphertext" })?,
            copies: copies.unwrap_or(1),
            prekey,
        })
    }
}

fn sized_ciphertext(field: &Tlv) -> Result<Bytes, PayloadError> {
    match field.value.len() {
        1..=MAX_CIPHERTEXT_LEN => Ok(field.value.clone()),
        got => {
            Err(PayloadError::Size { field: "ciphertext", offset: field.offset, expected: "1 to 16384", got })
        }
    }
}

fn read_copies(field: &Tlv) -> Result<u8, PayloadError> {
    let [copies] = field.array("copies", "1")?;
    if (1..=MAX_COPIES).contains(&copies) {
        return Ok(copies);
    }
    Err(PayloadError::Value { field: "copies", offset: field.offset, value: copies.into() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn envelope() -> CourierEnvelope {
        CourierEnvelope {
            tag: [7; TAG_LEN],
            expires: UnixMillis(9),
            ciphertext: Bytes::from_static(b"sealed"),
            copies: 1,
            prekey: None,
        }
    }

    fn decode(payload: &[u8]) -> Result<CourierEnvelope, PayloadError> {
        CourierEnvelope::decode(&Bytes::copy_from_slice(payload))
    }

    #[test]
    fn there_are_one_to_eight_copies() {
        for copies in [0, MAX_COPIES + 1] {
            let absurd = CourierEnvelope { copies, ..envelope() };
            let refused = EncodeError::TooMany { field: "copies", count: copies.into(), max: 8 };
            assert_eq!(absurd.encode(), Err(refused));
            let payload = [envelope().encode().unwrap(), vec![tag::COPIES, 0, 1, copies]].concat();
            assert!(matches!(decode(&payload), Err(PayloadError::Value { field: "copies", .. })));
        }
        let said = [envelope().encode().unwrap(), vec![tag::COPIES, 0, 1, 1]].concat();
        assert_eq!(decode(&said), Ok(envelope()));
    }

    #[test]
    fn a_ciphertext_has_1_to_16384_bytes() {
        let sealed = |len| CourierEnvelope { ciphertext: vec![1; len].into(), ..envelope() };
        assert!(sealed(0).encode().is_err() && sealed(MAX_CIPHERTEXT_LEN + 1).encode().is_err());
        let longest = sealed(MAX_CIPHERTEXT_LEN);
        assert_eq!(decode(&longest.encode().unwrap()), Ok(longest));
        let mut payload = Vec::new();
        tlv::put_wide(&mut payload, tag::CIPHERTEXT, "ciphertext", &[1; MAX_CIPHERTEXT_LEN + 1]).unwrap();
        assert!(matches!(decode(&payload), Err(PayloadError::Size { got: 16_385, .. })));
    }

    #[test]
    fn what_is_missing_and_what_comes_twice_is_refused_and_what_is_unknown_left_out() {
        let payload = envelope().encode().unwrap();
        assert_eq!(decode(&payload[19..]), Err(PayloadError::Missing { field: "tag" }));
        assert_eq!(decode(&payload[..19]), Err(PayloadError::Missing { field: "expiry" }));
        assert_eq!(decode(&payload[..30]), Err(PayloadError::Missing { field: "ciphertext" }));
        let twice = [payload.clone(), payload[..19].to_vec()].concat();
        assert!(matches!(decode(&twice), Err(PayloadError::Repeated { field: "tag", .. })));
        assert_eq!(decode(&[payload, vec![0x7E, 0, 1, 1]].concat()), Ok(envelope()));
    }

    proptest! {
        #[test]
        fn an_envelope_reads_as_it_was_written(
            tag in any::<[u8; TAG_LEN]>(),
            expires in any::<u64>(),
            ciphertext in proptest::collection::vec(any::<u8>(), 1..400),
            copies in 1..=MAX_COPIES,
            prekey in any::<Option<u32>>(),
        ) {
            let (expires, ciphertext) = (UnixMillis(expires), ciphertext.into());
            let envelope = CourierEnvelope { tag, expires, ciphertext, copies, prekey };
            prop_assert_eq!(decode(&envelope.encode().unwrap()), Ok(envelope));
        }

        #[test]
        fn no_bytes_make_it_panic(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            decode(&payload).ok();
        }
    }
}
