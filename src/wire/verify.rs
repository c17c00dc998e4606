//! Verification (spec 3.6.4, 5.3): the code that one person shows and another scans, and the question and the
//! answer that follow inside a Noise session.

use data_encoding::BASE64URL_NOPAD;

use super::error::{EncodeError, PayloadError};
use super::header::SIGNATURE_LEN;
use super::percent::{escape, unescape};
use super::reader::Reader;
use super::tlv::{self, MAX_VALUE_LEN, Tlv};
use crate::ids::{parse_hex, to_hex};

/// What a verification code begins with.
pub const CODE_PREFIX: &str = "bitchat://verify?";

const CODE_VERSION: &str = "1";
const CODE_DOMAIN: &str = "bitchat-verify-v1";
const ANSWER_DOMAIN: &[u8] = b"bitchat-verify-resp-v1";
/// The longest text that can be a code: a name of 255 bytes, each written as three characters, the keys, the
/// signature, and room for an address of Nostr.
const MAX_CODE_LEN: usize = 2048;
/// Bytes of a nonce.
const NONCE_LEN: usize = 16;

mod tag {
    pub(super) const NOISE_PUBLIC: u8 = 0x01;
    pub(super) const NONCE: u8 = 0x02;
    pub(super) const SIGNATURE: u8 = 0x03;
}

/// What somebody shows to be verified: their keys, their name, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyCode {
    /// The Noise static key.
    pub noise_public: [u8; 32],
    /// The Ed25519 key, which signs the code.
    pub signing_public: [u8; 32],
    /// The name they go by: at most 255 bytes.
    pub nickname: String,
    /// When it was made, in Unix seconds.
    pub made: u64,
    /// What makes it one of a kind.
    pub nonce: [u8; NONCE_LEN],
    /// Their address on Nostr; the apps put it in, this node has none.
    pub npub: Option<String>,
}

/// A code as it was scanned. Nobody has checked the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedCode {
    code: VerifyCode,
    signature: [u8; SIGNATURE_LEN],
}

/// Why a text is no verification code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// The text does not begin as a code does.
    #[error("a verification code begins with `{CODE_PREFIX}`")]
    Scheme,
    /// Longer than any code.
    #[error("the text has more than {MAX_CODE_LEN} characters, no verification code has")]
    TooLong,
    /// A later version.
    #[error("the verification code is of another version, this program knows version 1")]
    Version,
    /// A part is not there.
    #[error("the verification code has no `{part}`: it was cut or changed")]
    Missing {
        /// Which part.
        part: &'static str,
    },
    /// A part is there twice.
    #[error("the verification code has `{part}` twice")]
    Repeated {
        /// Which part.
        part: &'static str,
    },
    /// A part does not read.
    #[error("the `{part}` of the verification code does not read: it was cut or changed")]
    Part {
        /// Which part.
        part: &'static str,
    },
}

impl VerifyCode {
    /// What the signature is made over: every part behind its length.
    pub fn signing_preimage(&self) -> Result<Vec<u8>, EncodeError> {
        let (noise, signing) = (to_hex(&self.noise_public), to_hex(&self.signing_public));
        let (made, nonce) = (self.made.to_string(), BASE64URL_NOPAD.encode(&self.nonce));
        let npub = self.npub.as_deref().unwrap_or_default();
        let mut preimage = Vec::new();
        for (field, part) in [
            ("domain", CODE_DOMAIN),
            ("version", CODE_VERSION),
            ("Noise key", &noise),
            ("signing key", &signing),
            ("npub", npub),
            ("nickname", &self.nickname),
            ("time", &made),
            ("nonce", &nonce),
        ] {
            let too_long = EncodeError::TooLong { field, len: part.len(), max: MAX_VALUE_LEN };
            preimage.push(u8::try_from(part.len()).map_err(|_| too_long)?);
            preimage.extend(part.as_bytes());
        }
        Ok(preimage)
    }

    /// The text to show, signed.
    pub fn to_text(&self, sign: impl FnOnce(&[u8]) -> [u8; SIGNATURE_LEN]) -> Result<String, EncodeError> {
        let signature = sign(&self.signing_preimage()?);
        let npub = self.npub.as_deref().map(|npub| format!("&npub={}", escape(npub))).unwrap_or_default();
        Ok(format!(
            "{CODE_PREFIX}v={CODE_VERSION}&noise={}&sign={}&nick={}&ts={}&nonce={}&sig={}{npub}",
            to_hex(&self.noise_public),
            to_hex(&self.signing_public),
            escape(&self.nickname),
            self.made,
            BASE64URL_NOPAD.encode(&self.nonce),
            to_hex(&signature),
        ))
    }
}

impl ScannedCode {
    /// Reads a code. Space around it does not count, nor do parts that it does not know.
    pub fn from_text(text: &str) -> Result<Self, CodeError> {
        let text = text.trim();
        if text.len() > MAX_CODE_LEN {
            return Err(CodeError::TooLong);
        }
        let query = match text.split_at_checked(CODE_PREFIX.len()) {
            Some((prefix, query)) if prefix.eq_ignore_ascii_case(CODE_PREFIX) => query,
            Some(_) | None => return Err(CodeError::Scheme),
        };
        if part(query, "v")? != CODE_VERSION {
            return Err(CodeError::Version);
        }
        let made = part(query, "ts")?.parse().map_err(|_| CodeError::Part { part: "ts" })?;
        let nonce = BASE64URL_NOPAD.decode(part(query, "nonce")?.as_bytes()).ok();
        let code = VerifyCode {
            noise_public: hex(query, "noise")?,
            signing_public: hex(query, "sign")?,
            nickname: part(query, "nick")?,
            made,
            nonce: nonce.and_then(|nonce| nonce.try_into().ok()).ok_or(CodeError::Part { part: "nonce" })?,
            npub: optional(query, "npub")?,
        };
        Ok(Self { code, signature: hex(query, "sig")? })
    }

    /// What it says.
    pub fn code(&self) -> &VerifyCode {
        &self.code
    }

    /// Its signature.
    pub fn signature(&self) -> &[u8; SIGNATURE_LEN] {
        &self.signature
    }
}

fn hex<const N: usize>(query: &str, name: &'static str) -> Result<[u8; N], CodeError> {
    parse_hex(&part(query, name)?).map_err(|_| CodeError::Part { part: name })
}

fn part(query: &str, name: &'static str) -> Result<String, CodeError> {
    optional(query, name)?.ok_or(CodeError::Missing { part: name })
}

fn optional(query: &str, name: &'static str) -> Result<Option<String>, CodeError> {
    let mut values = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| *key == name);
    let Some((_, value)) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(CodeError::Repeated { part: name });
    }
    unescape(value).map(Some).ok_or(CodeError::Part { part: name })
}

/// "Prove that you have the signing key": inner payload 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyChallenge {
    /// The Noise key of whoever is asked.
    pub noise_public: [u8; 32],
    /// What the answer has to sign.
    pub nonce: [u8; NONCE_LEN],
}

/// The proof: inner payload 11.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyResponse {
    /// The challenge, repeated.
    pub challenge: VerifyChallenge,
    /// The Ed25519 signature over [`VerifyChallenge::signing_preimage`].
    pub signature: [u8; SIGNATURE_LEN],
}

impl VerifyChallenge {
    /// What the answer is signed over.
    pub fn signing_preimage(&self) -> Vec<u8> {
        let key = to_hex(&self.noise_public);
        // 64 digits.
        let len = u8::try_from(key.len()).unwrap_or(u8::MAX);
        [ANSWER_DOMAIN, &[len], key.as_bytes(), &self.nonce].concat()
    }

    pub(super) fn put(&self, plaintext: &mut Vec<u8>) -> Result<(), EncodeError> {
        tlv::put(plaintext, tag::NOISE_PUBLIC, "Noise key", to_hex(&self.noise_public).as_bytes())?;
        tlv::put(plaintext, tag::NONCE, "nonce", &self.nonce)
    }

    /// Reads the fields of a challenge; what else stands there does not count.
    pub(super) fn read(reader: Reader) -> Result<Self, PayloadError> {
        Ok(read(reader)?.0)
    }
}

impl VerifyResponse {
    pub(super) fn put(&self, plaintext: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.challenge.put(plaintext)?;
        tlv::put(plaintext, tag::SIGNATURE, "signature", &self.signature)
    }

    /// Reads the fields of an answer.
    pub(super) fn read(reader: Reader) -> Result<Self, PayloadError> {
        let (challenge, signature) = read(reader)?;
        let signature = signature.ok_or(PayloadError::Missing { field: "signature" })?;
        Ok(Self { challenge, signature })
    }
}

fn read(mut reader: Reader) -> Result<(VerifyChallenge, Option<[u8; SIGNATURE_LEN]>), PayloadError> {
    let (mut noise_public, mut nonce, mut signature) = (None, None, None);
    while let Some(field) = Tlv::read(&mut reader)? {
        match field.tag {
            tag::NOISE_PUBLIC => field.store(&mut noise_public, key(&field)?, "Noise key")?,
            tag::NONCE => field.store(&mut nonce, field.array("nonce", "16")?, "nonce")?,
            tag::SIGNATURE => field.store(&mut signature, field.array("signature", "64")?, "signature")?,
            _ => {}
        }
    }
    let challenge = VerifyChallenge {
        noise_public: noise_public.ok_or(PayloadError::Missing { field: "Noise key" })?,
        nonce: nonce.ok_or(PayloadError::Missing { field: "nonce" })?,
    };
    Ok((challenge, signature))
}

/// A key as the apps write it: 64 digits of hex.
fn key(field: &Tlv) -> Result<[u8; 32], PayloadError> {
    let digits = field.text("Noise key")?;
    let got = field.value.len();
    let size =
        PayloadError::Size { field: "Noise key", offset: field.offset, expected: "64 digits of hex", got };
    parse_hex(&digits).map_err(|_| size)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn code() -> VerifyCode {
        VerifyCode {
            noise_public: [0xAB; 32],
            signing_public: [0xCD; 32],
            nickname: "Ada & Ben = 100 %".to_owned(),
            made: 1_800_000_000,
            nonce: [7; 16],
            npub: None,
        }
    }

    fn text() -> String {
        code().to_text(|_| [9; 64]).unwrap()
    }

    #[test]
    fn a_code_reads_back_whatever_the_name() {
        let nostr = Some("npub1xyz".to_owned());
        for (nickname, npub) in
            [("ada", None), ("Grüße 👋+#?/", nostr.clone()), ("a&v=2&sig=", None), ("", nostr)]
        {
            let code = VerifyCode { nickname: nickname.to_owned(), npub, ..code() };
            let text = code.to_text(|_| [9; 64]).unwrap();
            let scanned = ScannedCode::from_text(&format!(" {text}\n")).unwrap();
            assert_eq!((scanned.code(), scanned.signature()), (&code, &[9; 64]), "{text}");
        }
    }

    #[test]
    fn a_damaged_code_names_what_is_wrong_with_it() {
        let read = |from: &str, to: &str| ScannedCode::from_text(&text().replacen(from, to, 1)).unwrap_err();
        assert_eq!(read("bitchat:", "https:"), CodeError::Scheme);
        assert_eq!(read("v=1", "v=2"), CodeError::Version);
        assert_eq!(read("&ts=1800000000", ""), CodeError::Missing { part: "ts" });
        assert_eq!(read("ts=18", "ts=-18"), CodeError::Part { part: "ts" });
        assert_eq!(read("noise=ab", "noise=a"), CodeError::Part { part: "noise" });
        assert_eq!(read("nick=Ada", "nick=Ada%2"), CodeError::Part { part: "nick" });
        assert_eq!(read("nick=Ada", "nick=Ada%FF"), CodeError::Part { part: "nick" });
        assert_eq!(read("&nonce=Bw", "&nonce=BwBw"), CodeError::Part { part: "nonce" });
        assert_eq!(read("&sig=", "&v=1&sig="), CodeError::Repeated { part: "v" });
        assert_eq!(
            ScannedCode::from_text(&format!("{}{}", text(), "a".repeat(3000))),
            Err(CodeError::TooLong)
        );
        for cut in 0..text().len() {
            assert!(ScannedCode::from_text(&text()[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn a_name_that_is_too_long_to_be_signed_is_refused() {
        let long = VerifyCode { nickname: "x".repeat(256), ..code() };
        assert_eq!(
            long.to_text(|_| [0; 64]),
            Err(EncodeError::TooLong { field: "nickname", len: 256, max: MAX_VALUE_LEN })
        );
    }

    #[test]
    fn a_challenge_has_its_fields_once_and_a_key_of_64_digits() {
        let challenge = VerifyChallenge { noise_public: [1; 32], nonce: [2; 16] };
        let mut plaintext = Vec::new();
        challenge.put(&mut plaintext).unwrap();
        let read = |bytes: Vec<u8>| VerifyChallenge::read(Reader::new(&Bytes::from(bytes)));
        assert_eq!(read(plaintext.clone()), Ok(challenge));
        assert!(matches!(read(plaintext[..66].to_vec()), Err(PayloadError::Missing { field: "nonce" })));
        let twice = [plaintext.as_slice(), plaintext.as_slice()].concat();
        assert!(matches!(read(twice), Err(PayloadError::Repeated { .. })));
        plaintext[3] = b'g';
        assert!(matches!(read(plaintext.clone()), Err(PayloadError::Size { .. })));
        let response = VerifyResponse::read(Reader::new(&Bytes::from(plaintext)));
        assert!(response.is_err());
    }
}
