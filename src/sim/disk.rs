//! What a simulated node keeps over a restart, and the part of a node that an engine cannot do without: it signs
//! public messages, and it stores what arrives, once, before it is acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use zeroize::Zeroizing;

use crate::crypto::Identity;
use crate::ids::{Fingerprint, MessageId};
use crate::mesh::error::Refusal;
use crate::mesh::event::{Introduction, PrivateMessage};
use crate::mesh::kept::{Keep, Kept, Shelf};
use crate::mesh::trust::Standing;
use crate::mesh::{Config, Engine, PublicPacket, public_packet};
use crate::time::UnixMillis;

/// A simulated disk.
pub(super) struct Disk {
    identity: Zeroizing<[u8; Identity::LEN]>,
    config: Config,
    received: BTreeSet<(Fingerprint, MessageId)>,
    kept: BTreeMap<(Shelf, Bytes), Bytes>,
    last_stamp: UnixMillis,
    full: bool,
}

/// What storing a message came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// It is there, for the first time.
    New,
    /// It was there.
    Again,
    /// There is no room.
    Not,
}

impl Disk {
    pub(super) fn new(identity: &Identity, config: Config) -> Self {
        Self {
            identity: identity.to_bytes(),
            config,
            received: BTreeSet::new(),
            kept: BTreeMap::new(),
            last_stamp: UnixMillis(0),
            full: false,
        }
    }

    /// The node's engine, as it is after a start.
    pub(super) fn engine(&self, seed: [u8; 32]) -> Engine {
        Engine::new(self.identity(), self.config.clone(), seed)
    }

    /// Does what the engine wants kept.
    pub(super) fn keep(&mut self, change: Keep) {
        match change {
            Keep::Put(Kept { shelf, key, value }) => self.kept.insert((shelf, key), value),
            Keep::Remove { shelf, key } => self.kept.remove(&(shelf, key)),
        };
    }

    /// Everything the engine wanted kept.
    pub(super) fn kept(&self) -> Vec<Kept> {
        let kept = |((shelf, key), value): (&(Shelf, Bytes), &Bytes)| Kept {
            shelf: *shelf,
            key: key.clone(),
            value: value.clone(),
        };
        self.kept.iter().map(kept).collect()
    }

    pub(super) fn identity(&self) -> Identity {
        Identity::from_bytes(&self.identity)
    }

    /// The node's keys, for others.
    pub(super) fn introduction(&self, standing: Standing) -> Introduction {
        let identity = self.identity();
        Introduction {
            noise_public: identity.noise_public(),
            signing_public: identity.signing_public(),
            nickname: self.config.nickname.clone(),
            standing,
        }
    }

    pub(super) fn set_full(&mut self, full: bool) {
        self.full = full;
    }

    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    pub(super) fn store(&mut self, message: &PrivateMessage) -> Stored {
        let key = (message.fingerprint, message.id);
        match (self.received.contains(&key), self.full) {
            (true, _) => Stored::Again,
            (false, true) => Stored::Not,
            (false, false) => {
                self.received.insert(key);
                Stored::New
            }
        }
    }

    /// Signs a text for everyone, with a time that no other packet of this node has.
    pub(super) fn sign(&mut self, text: &str, now: UnixMillis) -> Result<PublicPacket, Refusal> {
        self.last_stamp = now.max(UnixMillis(self.last_stamp.0.saturating_add(1)));
        public_packet(&self.identity(), text, self.last_stamp)
    }
}
