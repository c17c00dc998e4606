//! PREKEY BUNDLE: keys for mail to somebody who is not there, each used once (spec 3.12).

use bytes::{BufMut, Bytes};

use super::error::{EncodeError, PayloadError};
use super::reader::{Reader, Short};
use super::tlv::{self, Tlv};
use crate::time::UnixMillis;

/// The most keys of a bundle.
pub const MAX_PREKEYS: usize = 8;

/// What the signature covers begins with the length of this, and this.
const DOMAIN: &[u8] = b"bitchat-prekey-bundle-v1";

mod tag {
    pub(super) const NOISE_PUBLIC: u8 = 0x01;
    pub(super) const PREKEYS: u8 = 0x02;
    pub(super) const GENERATED: u8 = 0x03;
    pub(super) const SIGNATURE: u8 = 0x04;
}

/// A key to seal one message to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prekey {
    /// Its id among its owner's: never used for another key.
    pub id: u32,
    /// The X25519 key.
    pub public: [u8; 32],
}

impl Prekey {
    /// Bytes of a key and its id.
    pub(super) const LEN: usize = 4 + 32;

    /// Writes the id and the key.
    pub fn put(&self, to: &mut impl BufMut) {
        to.put_u32(self.id);
        to.put_slice(&self.public);
    }

    pub(super) fn read(reader: &mut Reader) -> Result<Self, Short> {
        Ok(Self { id: reader.u32()?, public: reader.array()? })
    }
}

/// What the owner of prekeys tells everyone; whether the signature is good is not checked here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrekeyBundle {
    /// The owner's Noise static key.
    pub noise_public: [u8; 32],
    /// At most [`MAX_PREKEYS`] keys, no id twice.
    pub prekeys: Vec<Prekey>,
    /// When it was made, by its owner's clock: of two, the later one counts.
    pub generated: UnixMillis,
    /// The owner's Ed25519 signature over [`Self::signing_preimage`].
    pub signature: [u8; 64],
}

impl PrekeyBundle {
    /// The bundle signed by `sign`, which is given the bytes to be signed.
    pub fn signed(
        noise_public: [u8; 32],
        prekeys: Vec<Prekey>,
        generated: UnixMillis,
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Result<Self, EncodeError> {
        let mut bundle = Self { noise_public, prekeys, generated, signature: [0; 64] };
        bundle.signature = sign(&bundle.signing_preimage()?);
        Ok(bundle)
    }

    /// The payload.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        self.count()?;
        let mut payload = Vec::new();
        tlv::put_wide(&mut payload, tag::NOISE_PUBLIC, "Noise key", &self.noise_public)?;
        tlv::put_wide(&mut payload, tag::PREKEYS, "prekeys", &self.entries())?;
        tlv::put_wide(&mut payload, tag::GENERATED, "time", &self.generated.0.to_be_bytes())?;
        tlv::put_wide(&mut payload, tag::SIGNATURE, "signature", &self.signature)?;
        Ok(payload)
    }

    /// Reads the fields in any order, each once, without those it does not know.
    pub fn decode(payload: &Bytes) -> Result<Self, PayloadError> {
        let (mut noise_public, mut prekeys, mut generated, mut signature) = (None, None, None, None);
        let mut reader = Reader::new(payload);
        while let Some(field) = Tlv::read_wide(&mut reader)? {
            match field.tag {
                tag::NOISE_PUBLIC => {
                    field.store(&mut noise_public, field.array("Noise key", "32")?, "Noise key")?;
                }
                tag::PREKEYS => field.store(&mut prekeys, read_prekeys(&field)?, "list of prekeys")?,
                tag::GENERATED => {
                    let time = UnixMillis(u64::from_be_bytes(field.array("time", "8")?));
                    field.store(&mut generated, time, "time")?;
                }
                tag::SIGNATURE => {
                    field.store(&mut signature, field.array("signature", "64")?, "signature")?;
                }
                _ => {}
            }
        }
        Ok(Self {
            noise_public: noise_public.ok_or(PayloadError::Missing { field: "Noise key" })?,
            prekeys: prekeys.ok_or(PayloadError::Missing { field: "list of prekeys" })?,
            generated: generated.ok_or(PayloadError::Missing { field: "time" })?,
            signature: signature.ok_or(PayloadError::Missing { field: "signature" })?,
        })
    }

    /// What the signature covers.
    pub fn signing_preimage(&self) -> Result<Vec<u8>, EncodeError> {
        let mut preimage = Vec::new();
        preimage.extend(u8::try_from(DOMAIN.len()));
        preimage.extend(DOMAIN);
        preimage.extend(self.noise_public);
        preimage.push(self.count()?);
        preimage.extend(self.entries());
        preimage.extend(self.generated.0.to_be_bytes());
        Ok(preimage)
    }

    fn count(&self) -> Result<u8, EncodeError> {
        tlv::count("prekeys", self.prekeys.len(), MAX_PREKEYS)
    }

    fn entries(&self) -> Vec<u8> {
        let mut entries = Vec::with_capacity(self.prekeys.len() * Prekey::LEN);
        self.prekeys.iter().for_each(|prekey| prekey.put(&mut entries));
        entries
    }
}

fn read_prekeys(field: &Tlv) -> Result<Vec<Prekey>, PayloadError> {
    let got = field.value.len();
    if !got.is_multiple_of(Prekey::LEN) || got > MAX_PREKEYS * Prekey::LEN {
        let expected = "up to 8 times 36";
        return Err(PayloadError::Size { field: "list of prekeys", offset: field.offset, expected, got });
    }
    let mut reader = field.reader();
    let mut prekeys: Vec<Prekey> = Vec::with_capacity(got / Prekey::LEN);
    while reader.left() > 0 {
        let offset = reader.offset();
        let prekey = Prekey::read(&mut reader).map_err(|short| short.of_payload("prekey"))?;
        if prekeys.iter().any(|other| other.id == prekey.id) {
            return Err(PayloadError::Repeated { field: "prekey id", offset });
        }
        prekeys.push(prekey);
    }
    Ok(prekeys)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bundle(ids: &[u32]) -> PrekeyBundle {
        let prekeys = ids.iter().map(|&id| Prekey { id, public: [1; 32] }).collect();
        PrekeyBundle { noise_public: [2; 32], prekeys, generated: UnixMillis(3), signature: [4; 64] }
    }

    fn decode(payload: &[u8]) -> Result<PrekeyBundle, PayloadError> {
        PrekeyBundle::decode(&Bytes::copy_from_slice(payload))
    }

    #[test]
    fn a_bundle_has_up_to_eight_keys_and_no_id_twice() {
        for ids in [&[][..], &[7], &[1, 2, 3, 4, 5, 6, 7, 8]] {
            assert_eq!(decode(&bundle(ids).encode().unwrap()), Ok(bundle(ids)));
        }
        let nine = bundle(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let refused = EncodeError::TooMany { field: "prekeys", count: 9, max: 8 };
        assert_eq!((nine.encode(), nine.signing_preimage()), (Err(refused), Err(refused)));
        let twice = bundle(&[5, 5]).encode().unwrap();
        assert_eq!(decode(&twice), Err(PayloadError::Repeated { field: "prekey id", offset: 74 }));
    }

    #[test]
    fn a_list_that_is_cut_or_too_long_is_refused() {
        for len in [35, 37, 9 * 36] {
            let mut payload = Vec::new();
            tlv::put_wide(&mut payload, tag::PREKEYS, "prekeys", &vec![0; len]).unwrap();
            assert!(matches!(decode(&payload), Err(PayloadError::Size { got, .. }) if got == len));
        }
        assert!(matches!(decode(&[]), Err(PayloadError::Missing { field: "Noise key" })));
    }

    proptest! {
        #[test]
        fn a_bundle_reads_as_it_was_written(
            ids in proptest::collection::btree_set(any::<u32>(), 0..=MAX_PREKEYS),
            generated in any::<u64>(),
        ) {
            let ids: Vec<u32> = ids.into_iter().collect();
            let bundle = PrekeyBundle { generated: UnixMillis(generated), ..bundle(&ids) };
            prop_assert_eq!(decode(&bundle.encode().unwrap()), Ok(bundle));
        }

        #[test]
        fn no_bytes_make_it_panic(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            decode(&payload).ok();
        }
    }
}
