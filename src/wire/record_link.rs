//! A relay's node record as people pass it on: a file with its bytes, or a link in a line of text.

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;

use super::record::{MAX_RECORD_LEN, RecordError, SignedRecord};

/// What a record begins with as a link.
pub const RECORD_LINK_PREFIX: &str = "hopline://relay/";
/// The longest text that can be a record: the prefix, and four characters for three bytes.
const MAX_LINK_LEN: usize = RECORD_LINK_PREFIX.len() + MAX_RECORD_LEN.div_ceil(3) * 4;

/// Why something is not a node record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordLinkError {
    /// The text does not begin as a link to a relay does.
    #[error("a relay's record begins with `{RECORD_LINK_PREFIX}`")]
    Scheme,
    /// Longer than any record.
    #[error("the text is too long for a relay's record")]
    TooLong,
    /// The text has a character that no link has, or ends in the middle of a byte.
    #[error("the text ends before the record does, or was changed")]
    Damaged,
    /// The bytes are no record.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// The bytes of a signed record as a link.
pub fn record_link(record: &[u8]) -> String {
    format!("{RECORD_LINK_PREFIX}{}", BASE64URL_NOPAD.encode(record))
}

/// Reads a link. Spaces and line breaks do not count. Nobody has checked the record's signature.
pub fn read_record_link(text: &str) -> Result<SignedRecord, RecordLinkError> {
    let mut link = String::new();
    for character in text.chars().filter(|character| !character.is_whitespace()) {
        link.push(character);
        if link.len() > MAX_LINK_LEN {
            return Err(RecordLinkError::TooLong);
        }
    }
    let code = match link.split_at_checked(RECORD_LINK_PREFIX.len()) {
        Some((prefix, code)) if prefix.eq_ignore_ascii_case(RECORD_LINK_PREFIX) => code,
        Some(_) | None => return Err(RecordLinkError::Scheme),
    };
    let bytes = BASE64URL_NOPAD.decode(code.as_bytes()).map_err(|_| RecordLinkError::Damaged)?;
    Ok(SignedRecord::decode(&bytes.into())?)
}

/// Reads what a record's file holds: the record's bytes, or a link.
pub fn read_record(content: &[u8]) -> Result<SignedRecord, RecordLinkError> {
    match std::str::from_utf8(content) {
        Ok(text) if is_record_link(text) => read_record_link(text),
        Ok(_) | Err(_) => Ok(SignedRecord::decode(&Bytes::copy_from_slice(content))?),
    }
}

/// Whether a text is meant as a link to a relay.
pub fn is_record_link(text: &str) -> bool {
    let begin = text.trim_start().get(..RECORD_LINK_PREFIX.len());
    begin.is_some_and(|begin| begin.eq_ignore_ascii_case(RECORD_LINK_PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::record::{HTX_PROTOCOL, NodeRecord, TicketKey};

    fn signed() -> SignedRecord {
        let record = NodeRecord {
            signing_public: [1; 32],
            noise_public: [2; 32],
            protocols: vec![HTX_PROTOCOL.to_owned()],
            ticket_keys: (0..14).map(|day| TicketKey { id: [3; 8], public: [4; 32], day }).collect(),
            policy: "BN-Ticket: v1; carriers=cookie:1; len=24..64".to_owned(),
            cookie_name: "__Host-sid".to_owned(),
            host: "relay.example".to_owned(),
            addresses: vec!["192.0.2.1:443".parse().unwrap()],
            tunnel_path: "/stream".to_owned(),
            content_type: "application/grpc".to_owned(),
            roles: Vec::new(),
            mix_keys: Vec::new(),
            weight: 1,
            as_group: 0,
            expires: 7,
        };
        record.encode(|_| [9; 64]).unwrap()
    }

    #[test]
    fn a_record_is_read_from_its_link_whatever_mail_did_to_it_and_from_its_bytes() {
        let link = record_link(signed().bytes());
        let wrapped = format!(" {}\r\n{}\n", &link[..60], &link[60..]);
        for content in [link.as_bytes(), wrapped.as_bytes(), signed().bytes()] {
            assert_eq!(read_record(content).unwrap(), signed());
        }
    }

    #[test]
    fn a_text_that_is_no_record_is_told_why() {
        let error = |text: &str| read_record_link(text).unwrap_err();
        assert_eq!(error("hopline://contact/AQ"), RecordLinkError::Scheme);
        assert_eq!(error("hopline://relay/A!"), RecordLinkError::Damaged);
        assert_eq!(error(&format!("hopline://relay/{}", "A".repeat(12_000))), RecordLinkError::TooLong);
        let link = record_link(signed().bytes());
        assert!(matches!(error(&link[..link.len() - 4]), RecordLinkError::Record(_)));
        assert!(matches!(read_record(b"/etc/passwd"), Err(RecordLinkError::Record(_))));
    }
}
