//! What a client asks.

use std::fmt;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::MAX_PAGE;
use super::error::MailboxError;
use super::framing::{MAX_FRAME_LEN, framed};
use crate::ids::NodeId;
use crate::wire::cbor::{Fields, Map, Value, fields};

/// The longest envelope that fits a deposit: the bound without the map, op, address, token and the heads.
pub const MAX_ENVELOPE_LEN: usize = MAX_FRAME_LEN - 64;

/// The address of a mailbox is made over this and the mailbox's key.
const ADDRESS_DOMAIN: &[u8] = b"hopline-mailbox-v1";
/// What a signature is made over begins with this.
const SIGNATURE_DOMAIN: &[u8] = b"hopline-mb-v1";

/// The address of the mailbox with this Ed25519 key.
pub fn address(key: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(ADDRESS_DOMAIN).chain_update(key).finalize().into()
}

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// A mailbox.
    Create,
    /// Room for an envelope.
    Deposit,
    /// Envelopes.
    Fetch,
    /// That envelopes are deleted.
    Ack,
    /// Eight bytes back.
    Echo,
    /// A node record.
    Record,
}

impl Op {
    const fn code(self) -> u64 {
        match self {
            Self::Create => 1,
            Self::Deposit => 2,
            Self::Fetch => 3,
            Self::Ack => 4,
            Self::Echo => 6,
            Self::Record => 7,
        }
    }
}

/// One request, as a client writes it on a stream of its own.
#[derive(Clone, PartialEq, Eq)]
pub enum Request {
    /// A mailbox for this key, or another deposit token for it.
    Create {
        /// The mailbox's Ed25519 key, unrelated to any identity.
        key: [u8; 32],
        /// What a deposit has to show.
        token: [u8; 16],
        /// By the mailbox's key.
        signature: [u8; 64],
    },
    /// An envelope for a mailbox.
    Deposit {
        /// Whose mailbox, as [`address`] names it.
        address: [u8; 32],
        /// The mailbox's deposit token.
        token: [u8; 16],
        /// The sealed envelope, at most [`MAX_ENVELOPE_LEN`] bytes.
        envelope: Bytes,
    },
    /// The envelopes behind a cursor.
    Fetch {
        /// Whose mailbox.
        address: [u8; 32],
        /// The cursor that came with the last envelopes; 0 at first.
        after: u64,
        /// By the mailbox's key.
        signature: [u8; 64],
    },
    /// Envelopes that are on disk here and may be deleted there.
    Ack {
        /// Whose mailbox.
        address: [u8; 32],
        /// Their ids, at most [`MAX_PAGE`].
        ids: Vec<u64>,
        /// By the mailbox's key.
        signature: [u8; 64],
    },
    /// Eight bytes to be sent back.
    Echo([u8; 8]),
    /// The signed record of a node; of the relay itself when none is named.
    Record(Option<NodeId>),
}

impl fmt::Debug for Request {
    /// The operation alone: whose mailbox, and what opens it, is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({:?})", self.op())
    }
}

/// No signature yet.
const UNSIGNED: [u8; 64] = [0; 64];

impl Request {
    /// A signed [`Request::Create`]; `sign` is given the preimage and signs with the mailbox's key.
    pub fn create(
        key: [u8; 32],
        token: [u8; 16],
        exporter: &[u8; 32],
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Self {
        Self::Create { key, token, signature: UNSIGNED }.signed(exporter, sign)
    }

    /// A signed [`Request::Fetch`].
    pub fn fetch(
        address: [u8; 32],
        after: u64,
        exporter: &[u8; 32],
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Self {
        Self::Fetch { address, after, signature: UNSIGNED }.signed(exporter, sign)
    }

    /// A signed [`Request::Ack`].
    pub fn ack(
        address: [u8; 32],
        ids: Vec<u64>,
        exporter: &[u8; 32],
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Self {
        Self::Ack { address, ids, signature: UNSIGNED }.signed(exporter, sign)
    }

    fn signed(mut self, exporter: &[u8; 32], sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Self {
        let preimage = self.preimage(exporter).map(|preimage| sign(&preimage));
        if let (Some(signature), Some(made)) = (self.signature_mut(), preimage) {
            *signature = made;
        }
        self
    }

    /// What it asks for.
    pub fn op(&self) -> Op {
        match self {
            Self::Create { .. } => Op::Create,
            Self::Deposit { .. } => Op::Deposit,
            Self::Fetch { .. } => Op::Fetch,
            Self::Ack { .. } => Op::Ack,
            Self::Echo(_) => Op::Echo,
            Self::Record(_) => Op::Record,
        }
    }

    /// Its signature, where it has one.
    pub fn signature(&self) -> Option<&[u8; 64]> {
        match self {
            Self::Create { signature, .. } | Self::Fetch { signature, .. } | Self::Ack { signature, .. } => {
                Some(signature)
            }
            Self::Deposit { .. } | Self::Echo(_) | Self::Record(_) => None,
        }
    }

    fn signature_mut(&mut self) -> Option<&mut [u8; 64]> {
        match self {
            Self::Create { signature, .. } | Self::Fetch { signature, .. } | Self::Ack { signature, .. } => {
                Some(signature)
            }
            Self::Deposit { .. } | Self::Echo(_) | Self::Record(_) => None,
        }
    }

    /// What its signature is made over in the tunnel with this exporter; `None` where it has none.
    ///
    /// A map has one encoding, so this is the same for whoever wrote it and whoever read it.
    pub fn preimage(&self, exporter: &[u8; 32]) -> Option<Vec<u8>> {
        self.signature()?;
        let map = Value::Map(self.unsigned()).encode();
        Some([SIGNATURE_DOMAIN, exporter, &map].concat())
    }

    /// The request's bytes, its length included.
    pub fn encode(&self) -> Result<Bytes, MailboxError> {
        if let Self::Ack { ids, .. } = self {
            fields::within("ids", ids.len(), MAX_PAGE)?;
        }
        let mut map = self.unsigned();
        if let Some(signature) = self.signature() {
            map.insert(length(map.len()), *signature);
        }
        framed(&Value::Map(map).encode())
    }

    /// Everything but the signature.
    fn unsigned(&self) -> Map {
        let mut map = Map::new();
        map.insert(0_u64, self.op().code());
        match self {
            Self::Create { key, token, .. } => {
                map.insert(1_u64, *key);
                map.insert(2_u64, *token);
            }
            Self::Deposit { address, token, envelope } => {
                map.insert(1_u64, *address);
                map.insert(2_u64, *token);
                map.insert(3_u64, envelope.clone());
            }
            Self::Fetch { address, after, .. } => {
                map.insert(1_u64, *address);
                map.insert(2_u64, *after);
            }
            Self::Ack { address, ids, .. } => {
                map.insert(1_u64, *address);
                map.insert(2_u64, ids.iter().copied().map(Value::from).collect::<Vec<_>>());
            }
            Self::Echo(bytes) => drop(map.insert(1_u64, *bytes)),
            Self::Record(Some(node)) => drop(map.insert(1_u64, node.0)),
            Self::Record(None) => {}
        }
        map
    }

    /// The request that these bytes are, their length taken off; exactly its fields.
    pub fn decode(content: &Bytes) -> Result<Self, MailboxError> {
        if content.len() > MAX_FRAME_LEN {
            return Err(MailboxError::TooLong { len: content.len() });
        }
        let mut map = Fields::of(Value::decode(content)?, "request")?;
        let request = match map.number(0, "operation")? {
            1 => Self::Create {
                key: map.array(1, "mailbox key")?,
                token: map.array(2, "deposit token")?,
                signature: map.array(3, "signature")?,
            },
            2 => Self::Deposit {
                address: map.array(1, "address")?,
                token: map.array(2, "deposit token")?,
                envelope: fields::bytes(map.value(3, "envelope")?, "envelope", MAX_ENVELOPE_LEN)?,
            },
            3 => Self::Fetch {
                address: map.array(1, "address")?,
                after: map.number(2, "cursor")?,
                signature: map.array(3, "signature")?,
            },
            4 => Self::Ack {
                address: map.array(1, "address")?,
                ids: map
                    .list(2, "ids", MAX_PAGE)?
                    .into_iter()
                    .map(|id| fields::number(id, "id"))
                    .collect::<Result<_, _>>()?,
                signature: map.array(3, "signature")?,
            },
            5 => return Err(MailboxError::Unsupported(5)),
            6 => Self::Echo(map.array(1, "echo")?),
            7 if map.has(1) => Self::Record(Some(NodeId(map.array(1, "node id")?))),
            7 => Self::Record(None),
            op => return Err(MailboxError::UnknownOp(op)),
        };
        map.end()?;
        Ok(request)
    }
}

fn length(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(in crate::wire) mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::ids::to_hex;

    fn content(request: &Request) -> Bytes {
        request.encode().unwrap().slice(4..)
    }

    pub(in crate::wire) fn requests() -> impl Strategy<Value = Request> {
        let key = any::<[u8; 32]>;
        let token = any::<[u8; 16]>;
        let signature = || any::<u8>().prop_map(|byte| [byte; 64]);
        prop_oneof![
            (key(), token(), signature()).prop_map(|(key, token, signature)| Request::Create {
                key,
                token,
                signature
            }),
            (key(), token(), vec(any::<u8>(), 0..300)).prop_map(|(address, token, envelope)| {
                Request::Deposit { address, token, envelope: envelope.into() }
            }),
            (key(), any::<u64>(), signature()).prop_map(|(address, after, signature)| Request::Fetch {
                address,
                after,
                signature
            }),
            (key(), vec(any::<u64>(), 0..20), signature())
                .prop_map(|(address, ids, signature)| Request::Ack { address, ids, signature }),
            any::<[u8; 8]>().prop_map(Request::Echo),
            Just(Request::Record(None)),
            key().prop_map(|key| Request::Record(Some(NodeId::of(&key)))),
        ]
    }

    proptest! {
        #[test]
        fn a_request_reads_as_it_was_written(request in requests()) {
            prop_assert_eq!(Request::decode(&content(&request)), Ok(request));
        }

        #[test]
        fn no_bytes_make_it_panic(
            request in requests(),
            at in any::<prop::sample::Index>(),
            with in any::<u8>(),
        ) {
            let mut bytes = content(&request).to_vec();
            let at = at.index(bytes.len());
            bytes[at] = with;
            let bytes = Bytes::from(bytes);
            if let Ok(request) = Request::decode(&bytes) {
                prop_assert_eq!(content(&request), bytes, "a request has one encoding");
            }
        }
    }

    #[test]
    fn a_request_has_the_bytes_of_the_specification() {
        let request = Request::Fetch { address: [0xAA; 32], after: 300, signature: [0xBB; 64] };
        let expected = format!("a400030158{}{}0219012c035840{}", "20", "aa".repeat(32), "bb".repeat(64));
        assert_eq!(to_hex(&content(&request)), expected);
        assert_eq!(to_hex(&Request::Record(None).encode().unwrap()), "00000003a10007");
        assert_eq!(to_hex(&content(&Request::Echo([7; 8]))), "a2000601480707070707070707");
    }

    #[test]
    fn a_signature_is_over_domain_exporter_and_the_map_without_it() {
        let exporter = [0xEE; 32];
        let mut given = Vec::new();
        let request = Request::fetch([0xAA; 32], 300, &exporter, |preimage| {
            given = preimage.to_vec();
            [0xBB; 64]
        });
        let map = format!("a3000301{}{}0219012c", "5820", "aa".repeat(32));
        let expected = format!("{}{}{map}", to_hex(b"hopline-mb-v1"), "ee".repeat(32));
        assert_eq!(to_hex(&given), expected);
        assert_eq!(request.preimage(&exporter), Some(given.clone()));
        assert_ne!(request.preimage(&[0xEF; 32]), Some(given), "another tunnel, another preimage");
        assert_eq!(request, Request::Fetch { address: [0xAA; 32], after: 300, signature: [0xBB; 64] });
        assert_eq!(Request::Echo([0; 8]).preimage(&exporter), None);
    }

    #[test]
    fn r53_debug_shows_neither_mailbox_nor_token() {
        let request = Request::Deposit { address: [0xAA; 32], token: [0xBB; 16], envelope: Bytes::new() };
        assert_eq!(format!("{request:?}"), "Request(Deposit)");
    }

    #[test]
    fn an_address_is_a_hash_of_the_key() {
        // printf 'hopline-mailbox-v1' and 32 zero bytes, through sha256sum.
        assert_eq!(
            to_hex(&address(&[0; 32])),
            "5669fcc5a1c52ed5df8bfbe654e8bde5cceeca11955673cf2d8700677c0c916c"
        );
    }

    #[test]
    fn the_longest_envelope_fits_and_one_byte_more_does_not() {
        let deposit =
            |len| Request::Deposit { address: [1; 32], token: [2; 16], envelope: vec![0; len].into() };
        let longest = deposit(MAX_ENVELOPE_LEN);
        assert_eq!(Request::decode(&content(&longest)), Ok(longest));
        let refused = Request::decode(&content(&deposit(MAX_ENVELOPE_LEN + 1))).unwrap_err();
        assert_eq!(refused.to_string(), "the envelope has 1312705 bytes; it takes 0 to 1312704");
        assert!(deposit(MAX_FRAME_LEN).encode().is_err());
    }

    #[test]
    fn more_ids_than_a_mailbox_holds_are_refused() {
        let ack = |count| Request::Ack { address: [1; 32], ids: vec![u64::MAX; count], signature: [0; 64] };
        assert_eq!(Request::decode(&content(&ack(MAX_PAGE))), Ok(ack(MAX_PAGE)));
        assert!(ack(MAX_PAGE + 1).encode().is_err());
    }

    #[test]
    fn what_cannot_be_read_says_what_to_answer() {
        use super::super::answer::Answer;

        let answer = |map: &[(u64, Value)]| {
            let mut request = Map::new();
            for (key, value) in map {
                request.insert(*key, value.clone());
            }
            Request::decode(&Value::Map(request).encode()).unwrap_err().answer()
        };
        let packets = Value::Array(vec![[0; 8].into()]);
        assert_eq!(answer(&[(0, 5_u64.into()), (1, packets)]), Answer::Refused, "no mixing yet");
        assert_eq!(answer(&[(0, 8_u64.into())]), Answer::Malformed);
        assert_eq!(answer(&[(1, 7_u64.into())]), Answer::Malformed);
        assert_eq!(answer(&[(0, 6_u64.into()), (1, [0; 7].into())]), Answer::Malformed);
        assert_eq!(answer(&[(0, 6_u64.into()), (1, [0; 8].into()), (2, true.into())]), Answer::Malformed);
        assert_eq!(Request::decode(&Bytes::from_static(b"\xa1")).unwrap_err().answer(), Answer::Malformed);
    }
}
