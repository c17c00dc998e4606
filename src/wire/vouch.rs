//! Vouching (spec 3.6.5): somebody says of others that these are their keys.

use super::error::{EncodeError, PayloadError};
use super::header::SIGNATURE_LEN;
use super::reader::Reader;
use super::tlv::{self, Tlv};
use crate::ids::Fingerprint;
use crate::time::UnixMillis;

/// The most people that one list vouches for.
pub const MAX_VOUCHES: usize = 16;

const DOMAIN: &[u8] = b"bitchat-vouch-v1";

mod tag {
    pub(super) const FINGERPRINT: u8 = 0x01;
    pub(super) const SIGNING_PUBLIC: u8 = 0x02;
    pub(super) const MADE: u8 = 0x03;
    pub(super) const SIGNATURE: u8 = 0x04;
}

/// One person, vouched for. Nobody has checked the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vouch {
    /// Whom it is about.
    pub fingerprint: Fingerprint,
    /// The Ed25519 key that is theirs.
    pub signing_public: [u8; 32],
    /// When it was made, by the voucher's clock.
    pub made: UnixMillis,
    /// The voucher's Ed25519 signature over [`Self::signing_preimage`].
    pub signature: [u8; SIGNATURE_LEN],
}

impl Vouch {
    /// What the signature is made over.
    pub fn signing_preimage(
        fingerprint: &Fingerprint,
        signing_public: &[u8; 32],
        made: UnixMillis,
    ) -> Vec<u8> {
        [DOMAIN, &fingerprint.0, signing_public, &made.0.to_be_bytes()].concat()
    }

    fn put(&self, list: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut item = Vec::new();
        tlv::put(&mut item, tag::FINGERPRINT, "fingerprint", &self.fingerprint.0)?;
        tlv::put(&mut item, tag::SIGNING_PUBLIC, "signing key", &self.signing_public)?;
        tlv::put(&mut item, tag::MADE, "time", &self.made.0.to_be_bytes())?;
        tlv::put(&mut item, tag::SIGNATURE, "signature", &self.signature)?;
        let max = usize::from(u16::MAX);
        let too_long = EncodeError::TooLong { field: "vouch", len: item.len(), max };
        list.extend(u16::try_from(item.len()).map_err(|_| too_long)?.to_be_bytes());
        list.extend(item);
        Ok(())
    }

    fn read(mut item: Reader) -> Result<Self, PayloadError> {
        let (mut fingerprint, mut signing_public, mut made, mut signature) = (None, None, None, None);
        while let Some(field) = Tlv::read(&mut item)? {
            match field.tag {
                tag::FINGERPRINT => {
                    field.store(&mut fingerprint, field.array("fingerprint", "32")?, "fingerprint")?;
                }
                tag::SIGNING_PUBLIC => {
                    field.store(&mut signing_public, field.array("signing key", "32")?, "signing key")?;
                }
                tag::MADE => field.store(&mut made, field.array("time", "8")?, "time")?,
                tag::SIGNATURE => {
                    field.store(&mut signature, field.array("signature", "64")?, "signature")?
                }
                _ => {}
            }
        }
        let missing = |field| PayloadError::Missing { field };
        Ok(Self {
            fingerprint: Fingerprint(fingerprint.ok_or(missing("fingerprint"))?),
            signing_public: signing_public.ok_or(missing("signing key"))?,
            made: UnixMillis(u64::from_be_bytes(made.ok_or(missing("time"))?)),
            signature: signature.ok_or(missing("signature"))?,
        })
    }
}

/// Writes a list of 1 to [`MAX_VOUCHES`].
pub(super) fn put(vouches: &[Vouch], plaintext: &mut Vec<u8>) -> Result<(), EncodeError> {
    if vouches.is_empty() {
        return Err(EncodeError::Empty { field: "list of vouches" });
    }
    plaintext.push(tlv::count("vouches", vouches.len(), MAX_VOUCHES)?);
    vouches.iter().try_for_each(|vouch| vouch.put(plaintext))
}

/// Reads a list: as many as it says, and nothing behind them.
pub(super) fn read(mut reader: Reader) -> Result<Vec<Vouch>, PayloadError> {
    let offset = reader.offset();
    let count = reader.u8().map_err(|short| short.of_payload("number of vouches"))?;
    if !(1..=MAX_VOUCHES).contains(&usize::from(count)) {
        return Err(PayloadError::Value { field: "number of vouches", offset, value: count.into() });
    }
    let mut vouches = Vec::new();
    for _ in 0..count {
        let len = reader.u16().map_err(|short| short.of_payload("length of a vouch"))?;
        let offset = reader.offset();
        let item = reader.take(usize::from(len)).map_err(|short| short.of_payload("vouch"))?;
        vouches.push(Vouch::read(Reader::at(&item, offset))?);
    }
    match reader.left() {
        0 => Ok(vouches),
        got => Err(PayloadError::Size { field: "rest", offset: reader.offset(), expected: "0", got }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vouch(seed: u8) -> Vouch {
        Vouch {
            fingerprint: Fingerprint([seed; 32]),
            signing_public: [seed; 32],
            made: UnixMillis(1_800_000_000_000 + u64::from(seed)),
            signature: [seed; 64],
        }
    }

    fn written(count: u8) -> Result<Vec<u8>, EncodeError> {
        let mut plaintext = Vec::new();
        put(&(0..count).map(vouch).collect::<Vec<_>>(), &mut plaintext)?;
        Ok(plaintext)
    }

    fn read_bytes(bytes: &[u8]) -> Result<Vec<Vouch>, PayloadError> {
        read(Reader::new(&bytes::Bytes::copy_from_slice(bytes)))
    }

    #[test]
    fn a_list_has_1_to_16() {
        for count in [1, 16] {
            let list: Vec<Vouch> = (0..count).map(vouch).collect();
            assert_eq!(read_bytes(&written(count).unwrap()), Ok(list));
        }
        assert_eq!(written(0), Err(EncodeError::Empty { field: "list of vouches" }));
        assert_eq!(written(17), Err(EncodeError::TooMany { field: "vouches", count: 17, max: MAX_VOUCHES }));
        for count in [0, 17, 255] {
            assert!(matches!(read_bytes(&[count, 0, 0]), Err(PayloadError::Value { .. })));
        }
    }

    #[test]
    fn a_list_ends_with_its_last_vouch_and_each_is_whole() {
        let mut list = written(2).unwrap();
        for cut in 0..list.len() {
            assert!(read_bytes(&list[..cut]).is_err(), "{cut}");
        }
        list.push(0);
        assert!(matches!(read_bytes(&list), Err(PayloadError::Size { field: "rest", got: 1, .. })));
        assert_eq!(read_bytes(&[1, 0, 0]), Err(PayloadError::Missing { field: "fingerprint" }));
    }
}
