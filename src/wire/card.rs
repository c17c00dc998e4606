//! A contact card: who somebody is and where they can be reached, signed by themselves.
//!
//! ```text
//! version 01 ‖ fields ‖ Ed25519 signature (64) over "hopline-card-v1" ‖ everything before it
//! ```
//!
//! A field is type, length and value (one byte from 1, one byte, up to 255 bytes); fields stand in the order of
//! their types, so a card has one encoding. What is longer than a field, the node record of a mailbox's provider, is
//! cut into fields of 255 bytes, the last one shorter, and joined in their order. Fields of later versions
//! (prekeys) are kept as they came and are covered by the signature. The card proves who holds the signing key;
//! that the Noise key is held by the same person is proven by a session.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use data_encoding::{BASE64URL_NOPAD, DecodeKind};

use super::error::{CardError, EncodeError, LinkError, PayloadError};
use super::header::SIGNATURE_LEN;
use super::reader::Reader;
use super::tlv::{self, Tlv};
use crate::ids::Fingerprint;

/// The most bytes of a card, signature included: the longest node record, and everything else at its longest.
/// A session over Bluetooth carries that in a dozen fragments; a QR code shows about half of it.
pub const MAX_CARD_LEN: usize = 4096;
/// The most bytes of the node record in a card; one with ticket keys for two weeks has about 1,200.
pub const MAX_PROVIDER_LEN: usize = 2048;
/// The most addresses of a card.
pub const MAX_ADDRESSES: usize = 16;
/// The most relays of a card.
pub const MAX_RELAYS: usize = 4;
/// What a card begins with as a link.
pub const LINK_PREFIX: &str = "hopline://contact/";

/// What a card's signature is made over begins with this.
const DOMAIN: &[u8] = b"hopline-card-v1";
const VERSION: u8 = 1;
/// The longest text that can be a card: the prefix, and four characters for three bytes.
const MAX_LINK_LEN: usize = LINK_PREFIX.len() + MAX_CARD_LEN.div_ceil(3) * 4;

mod tag {
    pub(super) const SERIAL: u8 = 0x01;
    pub(super) const NICKNAME: u8 = 0x02;
    pub(super) const NOISE_PUBLIC: u8 = 0x03;
    pub(super) const SIGNING_PUBLIC: u8 = 0x04;
    /// Generation (4), key (32).
    pub(super) const DIRECT: u8 = 0x05;
    /// IP address (4 or 16), port (2); once for each.
    pub(super) const ADDRESS: u8 = 0x06;
    /// A URL; once for each.
    pub(super) const RELAY: u8 = 0x07;
    /// Address (32), deposit token (16).
    pub(super) const MAILBOX: u8 = 0x08;
    /// A signed node record in pieces.
    pub(super) const PROVIDER: u8 = 0x09;
}

/// What somebody says about themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// When it was made, in Unix milliseconds: the card with the higher serial counts.
    pub serial: u64,
    /// The name its owner wants to be shown with: 1 to 255 bytes, neither unique nor proven.
    pub nickname: String,
    /// The owner's Noise static key (X25519): the identity.
    pub noise_public: [u8; 32],
    /// The owner's Ed25519 key, which signs the card.
    pub signing_public: [u8; 32],
    /// Where the owner can be reached over IP.
    pub direct: Option<DirectAddress>,
    /// Where mail for the owner can be left.
    pub mailbox: Option<Mailbox>,
    /// The fields of later versions: type and value, in the order of their types.
    extra: Vec<(u8, Bytes)>,
}

/// Where somebody can be reached over IP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectAddress {
    /// Which subkey this is: raised when an earlier one must no longer lead to its owner.
    pub generation: u32,
    /// The subkey's public half, the endpoint's id.
    pub key: [u8; 32],
    /// Addresses to try, at most [`MAX_ADDRESSES`].
    pub addresses: Vec<SocketAddr>,
    /// URLs of relays, at most [`MAX_RELAYS`], each of 1 to 255 bytes.
    pub relays: Vec<String>,
}

/// Where mail for somebody can be left: a mailbox at a relay, its provider.
#[derive(Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The mailbox's address.
    pub address: [u8; 32],
    /// What the provider wants to see of whoever leaves something there.
    pub token: [u8; 16],
    /// The provider's signed node record as it came, 1 to [`MAX_PROVIDER_LEN`] bytes. Nobody has read it.
    pub provider: Bytes,
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("provider", &self.provider.len()).finish_non_exhaustive()
    }
}

impl Card {
    /// A card with the fields every card has, and where its owner is found over IP.
    pub fn new(
        serial: u64,
        nickname: String,
        noise_public: [u8; 32],
        signing_public: [u8; 32],
        direct: Option<DirectAddress>,
    ) -> Self {
        Self { serial, nickname, noise_public, signing_public, direct, mailbox: None, extra: Vec::new() }
    }

    /// The card as bytes; `sign` is given the preimage and makes the signature.
    pub fn encode(&self, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Result<Bytes, EncodeError> {
        let mut card = self.fields()?;
        let signature = sign(&preimage(&card));
        card.extend(signature);
        if card.len() > MAX_CARD_LEN {
            return Err(EncodeError::TooLong { field: "card", len: card.len(), max: MAX_CARD_LEN });
        }
        Ok(card.into())
    }

    /// The identity it claims.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.noise_public)
    }

    fn fields(&self) -> Result<Vec<u8>, EncodeError> {
        let mut card = vec![VERSION];
        tlv::put(&mut card, tag::SERIAL, "serial", &self.serial.to_be_bytes())?;
        put_text(&mut card, tag::NICKNAME, "nickname", &self.nickname)?;
        tlv::put(&mut card, tag::NOISE_PUBLIC, "Noise key", &self.noise_public)?;
        tlv::put(&mut card, tag::SIGNING_PUBLIC, "signing key", &self.signing_public)?;
        if let Some(direct) = &self.direct {
            let key = [direct.generation.to_be_bytes().as_slice(), &direct.key].concat();
            tlv::put(&mut card, tag::DIRECT, "direct key", &key)?;
            at_most("addresses", direct.addresses.len(), MAX_ADDRESSES)?;
            for address in &direct.addresses {
                tlv::put(&mut card, tag::ADDRESS, "address", &address_bytes(*address))?;
            }
            at_most("relays", direct.relays.len(), MAX_RELAYS)?;
            for relay in &direct.relays {
                put_text(&mut card, tag::RELAY, "relay", relay)?;
            }
        }
        if let Some(mailbox) = &self.mailbox {
            put_mailbox(&mut card, mailbox)?;
        }
        for (tag, value) in &self.extra {
            tlv::put(&mut card, *tag, "field of a later version", value)?;
        }
        Ok(card)
    }
}

/// A card that came: its bytes, kept, and what they say. Nobody has checked its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedCard {
    bytes: Bytes,
    card: Card,
    signature: [u8; 64],
}

impl ReceivedCard {
    /// Reads a card.
    pub fn decode(bytes: &Bytes) -> Result<Self, CardError> {
        if bytes.len() > MAX_CARD_LEN {
            return Err(CardError::TooLong { len: bytes.len() });
        }
        let mut reader = Reader::new(bytes);
        let version = reader.u8().map_err(|short| short.of_payload("version"))?;
        if version != VERSION {
            return Err(CardError::Version { version });
        }
        let len = reader.left().saturating_sub(SIGNATURE_LEN);
        let fields = reader.take(len).map_err(|short| short.of_payload("fields"))?;
        let signature = reader.array().map_err(|short| short.of_payload("signature"))?;
        Ok(Self { bytes: bytes.clone(), card: read_fields(&mut Reader::at(&fields, 1))?, signature })
    }

    /// Reads a card as people pass it on: a link, or what stands behind its prefix. Spaces and line breaks,
    /// which mail and terminals add, do not count.
    pub fn from_link(text: &str) -> Result<Self, LinkError> {
        let mut link = String::new();
        for character in text.chars().filter(|character| !character.is_whitespace()) {
            link.push(character);
            if link.len() > MAX_LINK_LEN {
                return Err(LinkError::TooLong);
            }
        }
        let (prefix, code) = match link.split_at_checked(LINK_PREFIX.len()) {
            Some((prefix, code)) if prefix.eq_ignore_ascii_case(LINK_PREFIX) => (prefix, code),
            Some(_) | None => ("", link.as_str()),
        };
        if code.is_empty() {
            return Err(LinkError::Empty);
        }
        if code.contains(':') {
            return Err(LinkError::Scheme);
        }
        let bytes = BASE64URL_NOPAD.decode(code.as_bytes()).map_err(|error| match error.kind {
            DecodeKind::Symbol => LinkError::Character { position: prefix.len() + error.position },
            DecodeKind::Length | DecodeKind::Trailing | DecodeKind::Padding => LinkError::Cut,
        })?;
        Ok(Self::decode(&bytes.into())?)
    }

    /// What it says.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The bytes that came.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its signature.
    pub fn signature(&self) -> &[u8; 64] {
        &self.signature
    }

    /// What the signature is made over.
    pub fn signing_preimage(&self) -> Vec<u8> {
        preimage(self.bytes.split_last_chunk::<SIGNATURE_LEN>().map_or(&[], |(signed, _)| signed))
    }
}

/// An encoded card as a link.
pub fn link(card: &[u8]) -> String {
    format!("{LINK_PREFIX}{}", BASE64URL_NOPAD.encode(card))
}

fn preimage(signed: &[u8]) -> Vec<u8> {
    [DOMAIN, signed].concat()
}

fn read_fields(reader: &mut Reader) -> Result<Card, CardError> {
    let (mut serial, mut nickname, mut noise_public, mut signing_public) = (None, None, None, None);
    let mut direct: Option<DirectAddress> = None;
    let (mut mailbox, mut provider) = (None, Pieces::default());
    let mut extra = Vec::new();
    let mut highest = tag::SERIAL;
    while let Some(field) = Tlv::read(reader)? {
        if field.tag < highest {
            return Err(CardError::Order { tag: field.tag, offset: field.offset });
        }
        highest = field.tag;
        match field.tag {
            tag::SERIAL => {
                field.store(&mut serial, u64::from_be_bytes(field.array("serial", "8")?), "serial")?;
            }
            tag::NICKNAME => field.store(&mut nickname, text(&field, "nickname")?, "nickname")?,
            tag::NOISE_PUBLIC => {
                field.store(&mut noise_public, field.array("Noise key", "32")?, "Noise key")?;
            }
            tag::SIGNING_PUBLIC => {
                field.store(&mut signing_public, field.array("signing key", "32")?, "signing key")?;
            }
            tag::DIRECT => field.store(&mut direct, read_direct(&field)?, "direct key")?,
            tag::ADDRESS => {
                let addresses = &mut with_key(&mut direct)?.addresses;
                room_for("address", addresses.len(), MAX_ADDRESSES)?;
                addresses.push(read_address(&field)?);
            }
            tag::RELAY => {
                let relays = &mut with_key(&mut direct)?.relays;
                room_for("relay", relays.len(), MAX_RELAYS)?;
                relays.push(text(&field, "relay")?);
            }
            tag::MAILBOX => field.store(&mut mailbox, field.array::<48>("mailbox", "48")?, "mailbox")?,
            tag::PROVIDER => provider.push(&field)?,
            // At most one for every two bytes of a card.
            tag => extra.push((tag, field.value)),
        }
    }
    let missing = |field| PayloadError::Missing { field };
    Ok(Card {
        serial: serial.ok_or(missing("serial"))?,
        nickname: nickname.ok_or(missing("nickname"))?,
        noise_public: noise_public.ok_or(missing("Noise key"))?,
        signing_public: signing_public.ok_or(missing("signing key"))?,
        direct,
        mailbox: read_mailbox(mailbox, provider)?,
        extra,
    })
}

/// A value that is longer than a field, put together.
#[derive(Default)]
struct Pieces {
    joined: Vec<u8>,
    ended: bool,
}

impl Pieces {
    /// Every piece but the last is as long as a field can be, so that a value has one encoding.
    fn push(&mut self, piece: &Tlv) -> Result<(), CardError> {
        let (offset, got) = (piece.offset, piece.value.len());
        if self.ended || got == 0 {
            let expected = "255, and 1 to 255 in the last piece";
            return Err(PayloadError::Size { field: "provider's record", offset, expected, got }.into());
        }
        self.ended = got < tlv::MAX_VALUE_LEN;
        self.joined.extend_from_slice(&piece.value);
        if self.joined.len() > MAX_PROVIDER_LEN {
            let max = MAX_PROVIDER_LEN.div_ceil(tlv::MAX_VALUE_LEN);
            return Err(CardError::TooMany { field: "provider's record", max });
        }
        Ok(())
    }
}

fn put_mailbox(card: &mut Vec<u8>, mailbox: &Mailbox) -> Result<(), EncodeError> {
    let (len, max) = (mailbox.provider.len(), MAX_PROVIDER_LEN);
    match len {
        0 => return Err(EncodeError::Empty { field: "provider's record" }),
        _ if len > max => return Err(EncodeError::TooLong { field: "provider's record", len, max }),
        _ => {}
    }
    tlv::put(card, tag::MAILBOX, "mailbox", &[mailbox.address.as_slice(), &mailbox.token].concat())?;
    for piece in mailbox.provider.chunks(tlv::MAX_VALUE_LEN) {
        tlv::put(card, tag::PROVIDER, "provider's record", piece)?;
    }
    Ok(())
}

/// A mailbox is at a provider, and a provider is named for a mailbox.
fn read_mailbox(mailbox: Option<[u8; 48]>, provider: Pieces) -> Result<Option<Mailbox>, PayloadError> {
    let missing = |field| Err(PayloadError::Missing { field });
    match (mailbox, provider.joined) {
        (None, provider) if provider.is_empty() => Ok(None),
        (None, _) => missing("mailbox"),
        (Some(_), provider) if provider.is_empty() => missing("provider's record"),
        (Some(mailbox), provider) => {
            let mut reader = Reader::new(&Bytes::copy_from_slice(&mailbox));
            let address = reader.array().map_err(|short| short.of_payload("mailbox"))?;
            let token = reader.array().map_err(|short| short.of_payload("deposit token"))?;
            Ok(Some(Mailbox { address, token, provider: provider.into() }))
        }
    }
}

fn read_direct(field: &Tlv) -> Result<DirectAddress, PayloadError> {
    let value: [u8; 36] = field.array("direct key", "36")?;
    let mut reader = Reader::new(&Bytes::copy_from_slice(&value));
    let generation = reader.u32().map_err(|short| short.of_payload("generation"))?;
    let key = reader.array().map_err(|short| short.of_payload("direct key"))?;
    Ok(DirectAddress { generation, key, addresses: Vec::new(), relays: Vec::new() })
}

/// Addresses and relays lead to a key, which stands before them.
fn with_key(direct: &mut Option<DirectAddress>) -> Result<&mut DirectAddress, PayloadError> {
    direct.as_mut().ok_or(PayloadError::Missing { field: "direct key" })
}

fn address_bytes(address: SocketAddr) -> Vec<u8> {
    let port = address.port().to_be_bytes();
    match address.ip() {
        IpAddr::V4(ip) => [ip.octets().as_slice(), &port].concat(),
        // The scope of a link-local address means something on its owner's machine only.
        IpAddr::V6(ip) => [ip.octets().as_slice(), &port].concat(),
    }
}

fn read_address(field: &Tlv) -> Result<SocketAddr, PayloadError> {
    let mut reader = Reader::at(&field.value, field.offset.saturating_add(2));
    let ip = match field.value.len() {
        6 => IpAddr::V4(Ipv4Addr::from(reader.u32().map_err(|short| short.of_payload("address"))?)),
        18 => IpAddr::V6(Ipv6Addr::from(reader.array::<16>().map_err(|short| short.of_payload("address"))?)),
        got => {
            let expected = "6 or 18";
            return Err(PayloadError::Size { field: "address", offset: field.offset, expected, got });
        }
    };
    let port = reader.u16().map_err(|short| short.of_payload("port"))?;
    Ok(SocketAddr::new(ip, port))
}

fn text(field: &Tlv, name: &'static str) -> Result<String, PayloadError> {
    let text = field.text(name)?;
    if text.is_empty() {
        let expected = "1 to 255";
        return Err(PayloadError::Size { field: name, offset: field.offset, expected, got: 0 });
    }
    Ok(text)
}

fn put_text(card: &mut Vec<u8>, tag: u8, field: &'static str, text: &str) -> Result<(), EncodeError> {
    if text.is_empty() {
        return Err(EncodeError::Empty { field });
    }
    tlv::put(card, tag, field, text.as_bytes())
}

fn room_for(field: &'static str, len: usize, max: usize) -> Result<(), CardError> {
    if len < max { Ok(()) } else { Err(CardError::TooMany { field, max }) }
}

fn at_most(field: &'static str, count: usize, max: usize) -> Result<(), EncodeError> {
    if count > max { Err(EncodeError::TooMany { field, count, max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Card {
        Card::new(5, "ada".into(), [1; 32], [2; 32], None)
    }

    fn reachable() -> DirectAddress {
        DirectAddress {
            generation: 7,
            key: [3; 32],
            addresses: vec!["192.0.2.1:7000".parse().unwrap(), "[2001:db8::1]:7001".parse().unwrap()],
            relays: vec!["https://relay.example/".into()],
        }
    }

    fn encoded(card: &Card) -> Bytes {
        card.encode(|_| [9; 64]).unwrap()
    }

    /// Ada's card with one more field before the signature.
    fn with_field(tag: u8, value: &[u8]) -> Bytes {
        let mut fields = ada().fields().unwrap();
        tlv::put(&mut fields, tag, "test", value).unwrap();
        fields.extend([9; 64]);
        fields.into()
    }

    fn error_of(bytes: impl Into<Bytes>) -> String {
        ReceivedCard::decode(&bytes.into()).unwrap_err().to_string()
    }

    #[test]
    fn a_card_is_written_as_the_documentation_says() {
        let card = encoded(&ada());
        let expected = [
            &[1, 1, 8, 0, 0, 0, 0, 0, 0, 0, 5, 2, 3],
            b"ada".as_slice(),
            &[3, 32],
            &[1; 32],
            &[4, 32],
            &[2; 32],
            &[9; 64],
        ];
        assert_eq!(card, expected.concat());
    }

    #[test]
    fn the_signature_is_over_the_domain_and_all_bytes_before_it() {
        let mut signed = Vec::new();
        let card = ada().encode(|preimage| {
            signed = preimage.to_vec();
            [9; 64]
        });
        let received = ReceivedCard::decode(&card.unwrap()).unwrap();
        assert_eq!(received.signing_preimage(), signed);
        assert_eq!(signed, [DOMAIN, &received.bytes()[..received.bytes().len() - 64]].concat());
        assert_eq!(received.signature(), &[9; 64]);
    }

    #[test]
    fn addresses_of_both_families_and_relays_come_back() {
        let card = Card { direct: Some(reachable()), ..ada() };
        assert_eq!(ReceivedCard::decode(&encoded(&card)).unwrap().card(), &card);
    }

    #[test]
    fn a_field_of_a_later_version_is_kept_and_signed() {
        let bytes = with_field(0x0A, b"prekeys");
        let received = ReceivedCard::decode(&bytes).unwrap();
        assert_eq!(received.card().extra, [(0x0A, Bytes::from_static(b"prekeys"))]);
        assert_eq!(encoded(received.card()), bytes);
    }

    #[test]
    fn a_field_of_type_0_is_refused_for_it_could_not_be_written_where_it_stood() {
        let fields = ada().fields().unwrap();
        let card = [&fields[..1], &[0, 0], &fields[1..], &[9; 64]].concat();
        let refused = ReceivedCard::decode(&card.into());
        assert_eq!(refused, Err(CardError::Order { tag: 0, offset: 1 }));
    }

    fn mailbox(record: usize) -> Mailbox {
        let provider = (0..record).map(|at| u8::try_from(at % 251).unwrap()).collect::<Vec<u8>>().into();
        Mailbox { address: [7; 32], token: [8; 16], provider }
    }

    #[test]
    fn a_mailbox_comes_back_whatever_the_length_of_its_providers_record() {
        for len in [1, 254, 255, 256, 509, 510, 511, 1200, MAX_PROVIDER_LEN] {
            let card = Card { mailbox: Some(mailbox(len)), direct: Some(reachable()), ..ada() };
            assert_eq!(ReceivedCard::decode(&encoded(&card)).unwrap().card(), &card, "{len}");
        }
        let encode = |len| Card { mailbox: Some(mailbox(len)), ..ada() }.encode(|_| [9; 64]);
        assert_eq!(encode(0), Err(EncodeError::Empty { field: "provider's record" }));
        let (len, max) = (MAX_PROVIDER_LEN + 1, MAX_PROVIDER_LEN);
        assert_eq!(encode(len), Err(EncodeError::TooLong { field: "provider's record", len, max }));
    }

    #[test]
    fn a_mailbox_stands_after_its_address_and_a_record_is_cut_in_one_way_only() {
        let cut = |pieces: &[&[u8]], with_mailbox: bool| {
            let mut fields = ada().fields().unwrap();
            if with_mailbox {
                tlv::put(&mut fields, 0x08, "test", &[1; 48]).unwrap();
            }
            for piece in pieces {
                tlv::put(&mut fields, 0x09, "test", piece).unwrap();
            }
            fields.extend([9; 64]);
            ReceivedCard::decode(&fields.into()).map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(cut(&[&[1; 255], &[2]], true), Ok(()));
        assert_eq!(cut(&[&[1; 255]], true), Ok(()));
        assert_eq!(cut(&[&[1]], false), Err("the mailbox is missing".to_owned()));
        assert_eq!(cut(&[], true), Err("the provider's record is missing".to_owned()));
        assert!(cut(&[&[1; 254], &[2]], true).unwrap_err().contains("255, and 1 to 255 in the last piece"));
        assert!(cut(&[&[1; 255], &[]], true).unwrap_err().contains("has 0 bytes"));
        let many = cut(&[[1; 255].as_slice(); 9], true).unwrap_err();
        assert_eq!(many, "the card has more than 9 fields of the kind `provider's record`");
    }

    #[test]
    fn the_longest_of_everything_fits_and_debug_hides_the_token() {
        let direct = DirectAddress {
            addresses: vec!["[2001:db8::1]:7001".parse().unwrap(); MAX_ADDRESSES],
            relays: vec!["r".repeat(255); MAX_RELAYS],
            ..reachable()
        };
        let nickname = "n".repeat(255);
        let mailbox = mailbox(MAX_PROVIDER_LEN);
        let shown = format!("{mailbox:?}");
        assert_eq!(shown, "Mailbox { provider: 2048, .. }");
        let card = Card { nickname, direct: Some(direct), mailbox: Some(mailbox), ..ada() };
        assert!(encoded(&card).len() <= MAX_CARD_LEN);
    }

    #[test]
    fn a_card_has_one_encoding_and_others_are_refused() {
        assert_eq!(error_of(with_field(0x04, &[2; 32])), "payload offset 84: a second signing key");
        assert_eq!(
            error_of(with_field(0x02, b"ada")),
            "payload offset 84: field 0x02 is out of order, types rise from 0x01"
        );
        assert_eq!(error_of(with_field(0x06, &[1; 6])), "the direct key is missing");
        assert_eq!(error_of(vec![1; 64]), "payload offset 1: the signature takes 64 bytes, 63 are left");
        assert_eq!(error_of(vec![1; 65]), "the serial is missing");
        assert_eq!(error_of(vec![]), "payload offset 0: the version takes 1 bytes, 0 are left");
        assert!(error_of(vec![2; 65]).starts_with("the card is of version 2"));
    }

    #[test]
    fn sizes_are_bounded_both_ways() {
        assert_eq!(error_of(vec![1; 4097]), "the card has 4097 bytes, the most is 4096");
        let direct = |addresses, relays| {
            let addresses = vec!["192.0.2.1:1".parse().unwrap(); addresses];
            let relays = vec!["r".repeat(relays); 4];
            Card { direct: Some(DirectAddress { addresses, relays, ..reachable() }), ..ada() }
                .encode(|_| [9; 64])
        };
        let max = MAX_ADDRESSES;
        assert!(direct(16, 10).is_ok());
        assert_eq!(direct(17, 10), Err(EncodeError::TooMany { field: "addresses", count: 17, max }));
        let extra = vec![(0x0A, Bytes::from_static(&[0; 255])); 16];
        let bloated = Card { extra, ..ada() };
        let len = 148 + 16 * 257;
        assert_eq!(
            bloated.encode(|_| [9; 64]),
            Err(EncodeError::TooLong { field: "card", len, max: MAX_CARD_LEN })
        );
        let nameless = Card { nickname: String::new(), ..ada() };
        assert_eq!(nameless.encode(|_| [9; 64]), Err(EncodeError::Empty { field: "nickname" }));
    }

    #[test]
    fn a_link_survives_what_mail_does_to_it() {
        let bytes = encoded(&ada());
        let link = link(&bytes);
        let code = link.strip_prefix(LINK_PREFIX).unwrap();
        let wrapped = format!(" \n{}\r\n{}\t", &link[..40], &link[40..]);
        let shouted = format!("Hopline://Contact/{code}");
        for text in [link.as_str(), code, &wrapped, &shouted] {
            assert_eq!(ReceivedCard::from_link(text).unwrap().bytes(), &bytes, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_link_is_told_why() {
        let link = link(&encoded(&ada()));
        let error = |text: &str| ReceivedCard::from_link(text).unwrap_err().to_string();
        assert_eq!(error(" \n"), "there is no card in the text");
        assert_eq!(error(LINK_PREFIX), "there is no card in the text");
        assert_eq!(error("https://example.org/AQ"), "the text is another kind of link");
        assert_eq!(error(&link.replace("AQ", "A!")), "character 20 cannot be part of a card");
        assert_eq!(error("AQEIA"), "the text ends before the card does, or was changed");
        assert!(error(&link[..link.len() - 2]).starts_with("payload offset"));
        assert_eq!(error(&"A".repeat(6000)), "the text is too long for a card");
        assert!(error("AgEB").starts_with("the card is of version 2"));
    }
}
