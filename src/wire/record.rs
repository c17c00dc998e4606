//! A node record: where a relay is, with which keys, and how one asks to be let in; signed by itself
//! (betanet-htx 11, D-32).
//!
//! ```text
//! DET-CBOR [map as a byte string, Ed25519 signature (64) over "bn-node-v1" ‖ the map's bytes]
//! ```
//!
//! The map has the keys 1 to 16, all of them. Where D-32 leaves it open: an address is a byte string of the IP
//! address (4 or 16) and the port (2), the roles are texts, and keys above 16 are of later versions, covered by
//! the signature and otherwise left alone.

use core::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::cbor::{CborError, FieldError, Fields, Map, Value, fields};
use super::header::SIGNATURE_LEN;
use super::reader::Reader;
use crate::ids::NodeId;

/// The protocol id of HTX over TLS, version 1.1 (betanet-htx 11).
pub const HTX_PROTOCOL: &str = "/betanet/htx/1.1.0";
/// The cookie a relay uses when it has no reason for another name.
pub const DEFAULT_COOKIE_NAME: &str = "__Host-sid";
/// The content type a tunnel uses when the decoy site has no reason for another.
pub const DEFAULT_CONTENT_TYPE: &str = "application/grpc";
/// The most bytes of a record, signature included.
pub const MAX_RECORD_LEN: usize = 8192;
/// The most ticket keys of a record: two weeks and what is left of yesterday, with room to spare.
pub const MAX_TICKET_KEYS: usize = 32;
/// The most mix keys of a record.
pub const MAX_MIX_KEYS: usize = 32;
/// The most protocol ids, and the most roles, of a record.
pub const MAX_NAMES: usize = 16;
/// The most addresses of a record.
pub const MAX_RECORD_ADDRESSES: usize = 16;

/// What a record's signature is made over begins with this.
const DOMAIN: &[u8] = b"bn-node-v1";

mod key {
    pub(super) const NODE: u64 = 1;
    pub(super) const SIGNING_PUBLIC: u64 = 2;
    pub(super) const NOISE_PUBLIC: u64 = 3;
    pub(super) const PROTOCOLS: u64 = 4;
    pub(super) const TICKET_KEYS: u64 = 5;
    pub(super) const POLICY: u64 = 6;
    pub(super) const COOKIE_NAME: u64 = 7;
    pub(super) const HOST: u64 = 8;
    pub(super) const ADDRESSES: u64 = 9;
    pub(super) const TUNNEL_PATH: u64 = 10;
    pub(super) const CONTENT_TYPE: u64 = 11;
    pub(super) const ROLES: u64 = 12;
    pub(super) const MIX_KEYS: u64 = 13;
    pub(super) const WEIGHT: u64 = 14;
    pub(super) const AS_GROUP: u64 = 15;
    pub(super) const EXPIRES: u64 = 16;
}

/// What a relay says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRecord {
    /// The Ed25519 key that signs the record and names the node.
    pub signing_public: [u8; 32],
    /// The X25519 key that the relay proves to hold in the inner handshake: a key of its own (D-15).
    pub noise_public: [u8; 32],
    /// What it speaks, [`HTX_PROTOCOL`] among them; at most [`MAX_NAMES`], each of 1 to 64 bytes.
    pub protocols: Vec<String>,
    /// The keys tickets are made for, one a day; at most [`MAX_TICKET_KEYS`].
    pub ticket_keys: Vec<TicketKey>,
    /// How tickets are carried, as `htx::ticket::Policy` reads it; at most 256 bytes.
    pub policy: String,
    /// The cookie that a ticket or a session stands in: an HTTP token of 1 to 64 bytes.
    pub cookie_name: String,
    /// The name in the relay's certificate, or its IP address: 1 to 253 bytes.
    pub host: String,
    /// Where it listens; at most [`MAX_RECORD_ADDRESSES`]. IPv6 scopes are not part of a record.
    pub addresses: Vec<SocketAddr>,
    /// The path that tunnels are posted to, from its `/` on: 1 to 256 bytes, no query.
    pub tunnel_path: String,
    /// The content type of both bodies of a tunnel: 1 to 128 bytes.
    pub content_type: String,
    /// What it does; at most [`MAX_NAMES`].
    pub roles: Vec<Role>,
    /// The keys of its mix, if it is one; at most [`MAX_MIX_KEYS`].
    pub mix_keys: Vec<MixKey>,
    /// How often it is drawn as a hop, in proportion to others.
    pub weight: u64,
    /// The group of networks it stands in; 0 when nobody said.
    pub as_group: u64,
    /// The Unix second from which on the record counts no more.
    pub expires: u64,
}

/// A key that tickets of one UTC day are made for (betanet-htx 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TicketKey {
    /// The name of the key in tickets.
    pub id: [u8; 8],
    /// The X25519 public key.
    pub public: [u8; 32],
    /// Its day: Unix seconds divided by 86,400.
    pub day: u32,
}

/// A key of a mix and when it is used, in Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MixKey {
    /// The X25519 public key.
    pub public: [u8; 32],
    /// When it begins to be used.
    pub from: u64,
    /// When it is used no more.
    pub to: u64,
}

/// Something a relay does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Lets clients in.
    Entry,
    /// Mixes packets.
    Mix,
    /// Keeps mailboxes.
    Provider,
    /// What this version does not know: a text of 1 to 32 bytes.
    Other(String),
}

/// Why bytes are not a node record, or a record cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Longer than any record.
    #[error("the record has {len} bytes, the most is {MAX_RECORD_LEN}")]
    TooLong {
        /// Its length.
        len: usize,
    },
    /// Not DET-CBOR.
    #[error("not DET-CBOR: {0}")]
    Cbor(#[from] CborError),
    /// A field is missing or is not what it should be.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A text has a character that it cannot have where it is used.
    #[error("the {field} has a byte that cannot stand in one, at {position}")]
    Character {
        /// Which field.
        field: &'static str,
        /// The first bad byte.
        position: usize,
    },
    /// The node id is not that of the signing key.
    #[error("the node id is not that of the signing key")]
    NodeId,
}

impl NodeRecord {
    /// The node's id.
    pub fn id(&self) -> NodeId {
        NodeId::of(&self.signing_public)
    }

    /// The record as bytes; `sign` is given the preimage and makes the signature.
    pub fn encode(&self, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Result<SignedRecord, RecordError> {
        self.check()?;
        let map = self.map().encode();
        let signature = sign(&preimage(&map));
        let bytes = Value::Array(vec![map.into(), signature.into()]).encode();
        SignedRecord::decode(&bytes)
    }

    fn map(&self) -> Value {
        let texts = |texts: &[String]| Value::Array(texts.iter().map(|text| text.as_str().into()).collect());
        let mut map = Map::new();
        map.insert(key::NODE, self.id().0);
        map.insert(key::SIGNING_PUBLIC, self.signing_public);
        map.insert(key::NOISE_PUBLIC, self.noise_public);
        map.insert(key::PROTOCOLS, texts(&self.protocols));
        map.insert(key::TICKET_KEYS, list(&self.ticket_keys, ticket_key_value));
        map.insert(key::POLICY, self.policy.as_str());
        map.insert(key::COOKIE_NAME, self.cookie_name.as_str());
        map.insert(key::HOST, self.host.as_str());
        map.insert(key::ADDRESSES, list(&self.addresses, address_value));
        map.insert(key::TUNNEL_PATH, self.tunnel_path.as_str());
        map.insert(key::CONTENT_TYPE, self.content_type.as_str());
        map.insert(key::ROLES, list(&self.roles, |role| role.as_str().into()));
        map.insert(key::MIX_KEYS, list(&self.mix_keys, mix_key_value));
        map.insert(key::WEIGHT, self.weight);
        map.insert(key::AS_GROUP, self.as_group);
        map.insert(key::EXPIRES, self.expires);
        map.into()
    }

    fn read(map: &Bytes) -> Result<Self, RecordError> {
        let mut fields = Fields::of(Value::decode(map)?, "record")?;
        let node = NodeId(fields.array(key::NODE, "node id")?);
        let record = Self {
            signing_public: fields.array(key::SIGNING_PUBLIC, "signing key")?,
            noise_public: fields.array(key::NOISE_PUBLIC, "Noise key")?,
            protocols: each(fields.list(key::PROTOCOLS, "protocols", MAX_NAMES)?, |value| {
                fields::text(value, "protocol")
            })?,
            ticket_keys: each(
                fields.list(key::TICKET_KEYS, "ticket keys", MAX_TICKET_KEYS)?,
                read_ticket_key,
            )?,
            policy: fields.text(key::POLICY, "policy")?,
            cookie_name: fields.text(key::COOKIE_NAME, "cookie name")?,
            host: fields.text(key::HOST, "host")?,
            addresses: each(fields.list(key::ADDRESSES, "addresses", MAX_RECORD_ADDRESSES)?, read_address)?,
            tunnel_path: fields.text(key::TUNNEL_PATH, "tunnel path")?,
            content_type: fields.text(key::CONTENT_TYPE, "content type")?,
            roles: each(fields.list(key::ROLES, "roles", MAX_NAMES)?, |value| {
                fields::text(value, "role").map(|text| Role::from(text.as_str()))
            })?,
            mix_keys: each(fields.list(key::MIX_KEYS, "mix keys", MAX_MIX_KEYS)?, read_mix_key)?,
            weight: fields.number(key::WEIGHT, "weight")?,
            as_group: fields.number(key::AS_GROUP, "AS group")?,
            expires: fields.number(key::EXPIRES, "expiry")?,
        };
        record.check()?;
        if node == record.id() { Ok(record) } else { Err(RecordError::NodeId) }
    }

    /// The bounds of what it says, which its type does not show.
    fn check(&self) -> Result<(), RecordError> {
        fields::within("protocols", self.protocols.len(), MAX_NAMES)?;
        for protocol in &self.protocols {
            characters("protocol", protocol, 1..=64, |byte| byte.is_ascii_graphic())?;
        }
        fields::within("ticket keys", self.ticket_keys.len(), MAX_TICKET_KEYS)?;
        let printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
        characters("policy", &self.policy, 0..=256, printable)?;
        characters("cookie name", &self.cookie_name, 1..=64, is_token)?;
        characters("host", &self.host, 1..=253, is_host)?;
        fields::within("addresses", self.addresses.len(), MAX_RECORD_ADDRESSES)?;
        characters("tunnel path", &self.tunnel_path, 1..=256, |byte| {
            byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#')
        })?;
        if !self.tunnel_path.starts_with('/') {
            return Err(RecordError::Character { field: "tunnel path", position: 0 });
        }
        characters("content type", &self.content_type, 1..=128, printable)?;
        fields::within("roles", self.roles.len(), MAX_NAMES)?;
        for role in &self.roles {
            characters("role", role.as_str(), 1..=32, |byte| byte.is_ascii_graphic())?;
        }
        Ok(fields::within("mix keys", self.mix_keys.len(), MAX_MIX_KEYS)?)
    }
}

impl Role {
    /// Its name in a record.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Entry => "entry",
            Self::Mix => "mix",
            Self::Provider => "provider",
            Self::Other(name) => name,
        }
    }
}

impl From<&str> for Role {
    fn from(name: &str) -> Self {
        match name {
            "entry" => Self::Entry,
            "mix" => Self::Mix,
            "provider" => Self::Provider,
            name => Self::Other(name.to_owned()),
        }
    }
}

/// A record as it came: its bytes, kept, and what they say. Nobody has checked its signature or its expiry;
/// `htx::record::accept` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRecord {
    bytes: Bytes,
    map: Bytes,
    record: NodeRecord,
    signature: [u8; SIGNATURE_LEN],
}

impl SignedRecord {
    /// Reads a record.
    pub fn decode(bytes: &Bytes) -> Result<Self, RecordError> {
        if bytes.len() > MAX_RECORD_LEN {
            return Err(RecordError::TooLong { len: bytes.len() });
        }
        let [map, signature] = fields::tuple(Value::decode(bytes)?, "signed record")?;
        let map = fields::bytes(map, "record", MAX_RECORD_LEN)?;
        let signature = fields::array(signature, "signature")?;
        Ok(Self { bytes: bytes.clone(), record: NodeRecord::read(&map)?, map, signature })
    }

    /// What it says.
    pub fn record(&self) -> &NodeRecord {
        &self.record
    }

    /// The bytes that came.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its signature.
    pub fn signature(&self) -> &[u8; SIGNATURE_LEN] {
        &self.signature
    }

    /// What the signature is made over.
    pub fn preimage(&self) -> Vec<u8> {
        preimage(&self.map)
    }
}

fn preimage(map: &[u8]) -> Vec<u8> {
    [DOMAIN, map].concat()
}

fn list<T>(items: &[T], value: impl Fn(&T) -> Value) -> Value {
    Value::Array(items.iter().map(value).collect())
}

fn each<T, E>(values: Vec<Value>, read: impl Fn(Value) -> Result<T, E>) -> Result<Vec<T>, E> {
    values.into_iter().map(read).collect()
}

fn ticket_key_value(key: &TicketKey) -> Value {
    Value::Array(vec![key.id.into(), key.public.into(), key.day.into()])
}

fn read_ticket_key(value: Value) -> Result<TicketKey, FieldError> {
    let [id, public, day] = fields::tuple(value, "ticket key")?;
    let day = fields::number(day, "day of a ticket key")?;
    Ok(TicketKey {
        id: fields::array(id, "id of a ticket key")?,
        public: fields::array(public, "ticket key")?,
        day: u32::try_from(day)
            .map_err(|_| FieldError::Value { field: "day of a ticket key", value: day })?,
    })
}

fn mix_key_value(key: &MixKey) -> Value {
    Value::Array(vec![key.public.into(), key.from.into(), key.to.into()])
}

fn read_mix_key(value: Value) -> Result<MixKey, FieldError> {
    let [public, from, to] = fields::tuple(value, "mix key")?;
    Ok(MixKey {
        public: fields::array(public, "mix key")?,
        from: fields::number(from, "begin of a mix key")?,
        to: fields::number(to, "end of a mix key")?,
    })
}

fn address_value(address: &SocketAddr) -> Value {
    let port = address.port().to_be_bytes();
    let bytes = match address.ip() {
        IpAddr::V4(ip) => [ip.octets().as_slice(), &port].concat(),
        IpAddr::V6(ip) => [ip.octets().as_slice(), &port].concat(),
    };
    Value::Bytes(bytes.into())
}

fn read_address(value: Value) -> Result<SocketAddr, FieldError> {
    let bytes = fields::bytes(value, "address", 18)?;
    let bad = FieldError::Length { field: "address", len: bytes.len(), least: 6, most: 18 };
    let mut reader = Reader::new(&bytes);
    let ip = match bytes.len() {
        6 => IpAddr::from(reader.array::<4>().map_err(|_| bad)?),
        18 => IpAddr::from(reader.array::<16>().map_err(|_| bad)?),
        _ => return Err(bad),
    };
    Ok(SocketAddr::new(ip, reader.u16().map_err(|_| bad)?))
}

fn characters(
    field: &'static str,
    text: &str,
    lengths: core::ops::RangeInclusive<usize>,
    fits: impl Fn(u8) -> bool,
) -> Result<(), RecordError> {
    let len = text.len();
    if !lengths.contains(&len) {
        let (least, most) = lengths.into_inner();
        return Err(FieldError::Length { field, len, least, most }.into());
    }
    match text.bytes().position(|byte| !fits(byte)) {
        Some(position) => Err(RecordError::Character { field, position }),
        None => Ok(()),
    }
}

/// What may stand in a host name, or in an IP address without brackets.
fn is_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':')
}

/// What may stand in an HTTP token (RFC 9110, 5.6.2), and so in the name of a cookie.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use core::net::Ipv6Addr;

    use proptest::prelude::*;

    use super::*;

    fn record() -> NodeRecord {
        let ticket_keys = (0_u8..14)
            .map(|n| TicketKey { id: [n; 8], public: [n; 32], day: 20_000 + u32::from(n) })
            .collect();
        NodeRecord {
            signing_public: [1; 32],
            noise_public: [2; 32],
            protocols: vec![HTX_PROTOCOL.to_owned()],
            ticket_keys,
            policy: "BN-Ticket: v1; carriers=cookie:1; len=24..64".to_owned(),
            cookie_name: DEFAULT_COOKIE_NAME.to_owned(),
            host: "relay.example".to_owned(),
            addresses: vec![
                SocketAddr::from(([192, 0, 2, 1], 443)),
                SocketAddr::from((Ipv6Addr::LOCALHOST, 8443)),
            ],
            tunnel_path: "/api/v1/events".to_owned(),
            content_type: DEFAULT_CONTENT_TYPE.to_owned(),
            roles: vec![Role::Entry, Role::Provider, Role::Other("later".to_owned())],
            mix_keys: vec![MixKey { public: [3; 32], from: 10, to: 20 }],
            weight: 1,
            as_group: 64_500,
            expires: 1_800_000_000,
        }
    }

    fn signed(record: &NodeRecord) -> SignedRecord {
        record.encode(|_| [9; 64]).unwrap()
    }

    /// The record's map, changed, in the wrapping of a signed record.
    fn changed(change: impl FnOnce(&mut Map)) -> Result<SignedRecord, RecordError> {
        let Value::Map(mut map) = record().map() else { unreachable!("a record is a map") };
        change(&mut map);
        let map = Value::Map(map).encode();
        SignedRecord::decode(&Value::Array(vec![map.into(), [9; 64].into()]).encode())
    }

    #[test]
    fn r55_a_record_reads_as_it_was_written() {
        let signed = signed(&record());
        assert_eq!(signed.record(), &record());
        assert_eq!(SignedRecord::decode(signed.bytes()), Ok(signed.clone()));
        assert_eq!(signed.signature(), &[9; 64]);
        assert_eq!(signed.bytes().len(), 1069, "what a card has to carry");
    }

    #[test]
    fn r55_the_signature_is_over_the_domain_and_the_bytes_of_the_map() {
        let mut given = Vec::new();
        let signed = record()
            .encode(|preimage| {
                given = preimage.to_vec();
                [9; 64]
            })
            .unwrap();
        assert_eq!(signed.preimage(), given);
        let map = record().map().encode();
        assert_eq!(given, [b"bn-node-v1", map.as_ref()].concat());
    }

    #[test]
    fn r55_a_record_under_the_id_of_another_key_is_refused() {
        let other = NodeId::of(&[7; 32]).0;
        assert_eq!(changed(|map| drop(map.insert(key::NODE, other))), Err(RecordError::NodeId));
    }

    #[test]
    fn r55_every_field_must_be_there() {
        for key in key::NODE..=key::EXPIRES {
            let refused = changed(|map| drop(map.take(key)));
            assert!(
                matches!(refused, Err(RecordError::Field(FieldError::Missing { .. }))),
                "{key}: {refused:?}"
            );
        }
    }

    #[test]
    fn r55_a_field_of_a_later_version_is_kept_and_signed() {
        let later = changed(|map| drop(map.insert(17_u64, "later"))).unwrap();
        assert_eq!(later.record(), &record());
        assert!(later.preimage().ends_with(b"\x11\x65later"));
    }

    #[test]
    fn what_cannot_stand_in_a_request_is_no_record() {
        let refused = |change: fn(&mut NodeRecord)| {
            let mut record = record();
            change(&mut record);
            record.encode(|_| [0; 64]).unwrap_err().to_string()
        };
        let cookie = refused(|record| record.cookie_name = "sid; a".to_owned());
        assert_eq!(cookie, "the cookie name has a byte that cannot stand in one, at 3");
        let path = refused(|record| record.tunnel_path = "/a?b".to_owned());
        assert_eq!(path, "the tunnel path has a byte that cannot stand in one, at 2");
        let path = refused(|record| record.tunnel_path = "a".to_owned());
        assert_eq!(path, "the tunnel path has a byte that cannot stand in one, at 0");
        let host = refused(|record| record.host = "a\r\nb".to_owned());
        assert_eq!(host, "the host has a byte that cannot stand in one, at 1");
        let content = refused(|record| record.content_type = "a\nb".to_owned());
        assert_eq!(content, "the content type has a byte that cannot stand in one, at 1");
        let host = refused(|record| record.host = String::new());
        assert_eq!(host, "the host has 0 bytes; it takes 1 to 253");
        let keys = refused(|record| record.ticket_keys = vec![record.ticket_keys[0]; 33]);
        assert_eq!(keys, "there are 33 of ticket keys; it takes at most 32");
    }

    #[test]
    fn a_record_too_long_is_refused_by_its_length_alone() {
        let refused = SignedRecord::decode(&vec![0; MAX_RECORD_LEN + 1].into());
        assert_eq!(refused, Err(RecordError::TooLong { len: MAX_RECORD_LEN + 1 }));
    }

    #[test]
    fn the_longest_record_there_can_be_fits() {
        let full = NodeRecord {
            protocols: vec!["p".repeat(64); MAX_NAMES],
            ticket_keys: vec![TicketKey { id: [1; 8], public: [1; 32], day: u32::MAX }; MAX_TICKET_KEYS],
            policy: "p".repeat(256),
            cookie_name: "c".repeat(64),
            host: "h".repeat(253),
            addresses: vec![SocketAddr::from((Ipv6Addr::LOCALHOST, 1)); MAX_RECORD_ADDRESSES],
            tunnel_path: "/".repeat(256),
            content_type: "t".repeat(128),
            roles: vec![Role::Other("r".repeat(32)); MAX_NAMES],
            mix_keys: vec![MixKey { public: [1; 32], from: u64::MAX, to: u64::MAX }; MAX_MIX_KEYS],
            weight: u64::MAX,
            as_group: u64::MAX,
            expires: u64::MAX,
            ..record()
        };
        assert_eq!(signed(&full).record(), &full);
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_reader_panic(
            at in any::<prop::sample::Index>(),
            with in any::<u8>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = signed(&record()).bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = with;
            bytes.truncate(cut.index(bytes.len()) + 1);
            SignedRecord::decode(&bytes.into()).ok();
        }
    }
}
