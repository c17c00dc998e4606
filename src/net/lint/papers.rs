//! The node record.

use super::finding::Finding;
use crate::htx::record::{RecordRefused, accept};
use crate::time::UnixMillis;
use crate::wire::cbor::Value;
use crate::wire::record::{HTX_PROTOCOL, SignedRecord};

/// R39: the versions it lists.
pub(super) fn versions(signed: &SignedRecord) -> Finding {
    let listed = &signed.record().protocols;
    let old = listed.iter().find(|id| id.starts_with("/betanet/htx/1.0"));
    match old {
        Some(old) => Finding::not_met(format!("the record lists {old}, which nobody may speak")),
        None if !listed.iter().any(|id| id == HTX_PROTOCOL) => {
            Finding::not_met(format!("the record does not list {HTX_PROTOCOL}"))
        }
        None => Finding::met(format!("the record lists {}", listed.join(", "))),
    }
}

/// R54: strict DET-CBOR, and nothing but it.
pub(super) fn encoding(signed: &SignedRecord) -> Finding {
    match Value::decode(signed.bytes()) {
        Ok(value) if value.encode() == *signed.bytes() => {
            Finding::met("read strictly, and written again byte for byte")
        }
        Ok(_) => Finding::not_met("the record is not in the one form that DET-CBOR allows"),
        Err(error) => Finding::not_met(format!("the record is no DET-CBOR: {error}")),
    }
}

/// R55: signature, expiry, key. `proven` when the relay has proved to hold the record's Noise key.
pub(super) fn signature(signed: &SignedRecord, proven: bool, now: UnixMillis) -> Finding {
    match accept(signed.bytes(), None, now) {
        Ok(_) if proven => Finding::met("signed, in date, and the relay holds its Noise key"),
        Ok(_) => Finding::not_met(
            "signed and in date, but nobody here has shown to hold its Noise key: no handshake was done",
        ),
        Err(refused @ RecordRefused::Expired { .. }) => {
            Finding::not_met(format!("{refused}: ask the relay's operator for a newer one"))
        }
        Err(refused) => Finding::not_met(refused.to_string()),
    }
}
