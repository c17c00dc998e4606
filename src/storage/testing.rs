//! Databases for the tests of this room.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::database::Database;
use super::device_key::DeviceKey;
use super::inbox::NewReceived;
use super::limits::{Bound, Limits};
use super::outbox::NewEntry;
use crate::capabilities::TransportKey;
use crate::ids::{Fingerprint, MessageId, PeerId};
use crate::message::{Body, Message, Recipient, Requirements};
use crate::time::UnixMillis;

const THREE: Bound = Bound { rows: 3, bytes: 1 << 20 };

/// Three of everything.
pub(super) const TIGHT: Limits = Limits {
    waiting_for_one: THREE,
    waiting: Bound { rows: 5, bytes: 1 << 20 },
    finished: THREE,
    public: THREE,
    from_one: THREE,
    from_strangers: Bound { rows: 5, bytes: 1 << 20 },
    from_contacts: Bound { rows: 5, bytes: 1 << 20 },
    seen: 12,
    contacts: 3,
    measured: 3,
};

pub(super) fn key(seed: u8) -> DeviceKey {
    DeviceKey::generate(&mut ChaCha20Rng::from_seed([seed; 32]))
}

pub(super) fn database() -> Database {
    database_with(Limits::default())
}

pub(super) fn database_with(limits: Limits) -> Database {
    Database::in_memory(&key(1), limits).unwrap()
}

/// A text to a peer, both named by a number.
pub(super) fn text_to(peer: u8, id: u8) -> NewEntry {
    entry(Recipient::Peer(PeerId([peer; 8])), id, Body::Text(format!("text {id}")))
}

pub(super) fn entry(to: Recipient, id: u8, body: Body) -> NewEntry {
    let message = Message { id: MessageId([id; 16]), to, body, sent: UnixMillis(900) };
    NewEntry { message, requirements: Requirements::default(), expires: UnixMillis(90_000) }
}

/// A private text from a sender, both named by a number.
pub(super) fn text_from(sender: u8, id: u8) -> NewReceived {
    NewReceived {
        sender: Fingerprint([sender; 32]),
        nickname: "bob".to_owned(),
        public: false,
        room: None,
        id: MessageId([id; 16]),
        text: format!("text {id}"),
        sent: UnixMillis(900),
        received: UnixMillis(1_000 + u64::from(id)),
        via: TransportKey::Direct,
        wire_ids: vec!["one".to_owned(), "\"two\"\n".to_owned()],
        ttl: 5,
    }
}
