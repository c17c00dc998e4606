//! Everybody whose announce was verified, and the contacts: names, pinned keys, when last heard.

use std::collections::BTreeMap;
use std::time::Duration;

use super::trust::Keys;
use crate::crypto::Verified;
use crate::ids::{Fingerprint, LinkId, PacketId, PeerId};
use crate::nickname;
use crate::time::{Instant, Now, UnixMillis};
use crate::wire::{Announce, Capabilities};

/// How long a peer counts as reachable after its last sign of life (spec 4.6).
pub(super) const REACHABLE: Duration = Duration::from_secs(60);

/// A peer whose announce was verified, or a contact.
#[derive(Debug)]
pub(super) struct Peer {
    /// SHA-256 of its Noise key.
    pub(super) fingerprint: Fingerprint,
    /// Its Noise static key: pinned.
    pub(super) noise_public: [u8; 32],
    /// Its Ed25519 key: pinned.
    pub(super) signing_public: [u8; 32],
    /// The name it last gave itself.
    pub(super) nickname: String,
    /// What it last said it can do.
    pub(super) capabilities: Capabilities,
    /// Wall-clock time of its last sign of life, by our clock.
    pub(super) last_seen: UnixMillis,
    /// Whether it counts as reachable.
    pub(super) present: bool,
    /// Its keys come from a contact card: they stay, whatever is announced.
    contact: bool,
    /// A session stood with it: somebody holds its keys.
    met: bool,
    /// The link over which it was first heard.
    came_over: Option<LinkId>,
    announced: UnixMillis,
    announce: PacketId,
    announce_link: Option<LinkId>,
    heard: Instant,
}

/// What ties somebody to us whose keys are put in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bond {
    /// Nothing but an announce.
    Announced,
    /// A session proved the keys, or our owner took them and wants no more of them.
    Met,
    /// A contact card.
    Contact,
}

/// What a verified announce changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Somebody new, or back after being gone.
    Appeared,
    /// A known peer gave itself another name.
    Renamed,
    /// Nothing a person would see.
    Refreshed,
}

/// A known peer announced a key other than its pinned one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the announced keys are not the pinned ones")]
pub(super) struct KeyChanged;

/// Everybody known.
#[derive(Debug)]
pub(super) struct Peers {
    known: BTreeMap<PeerId, Peer>,
    /// How many are remembered at once; the one heard of longest ago goes first.
    most: usize,
}

impl Peers {
    pub(super) fn new(most: usize) -> Self {
        Self { known: BTreeMap::new(), most }
    }

    /// Takes an announce whose signature and identity were verified.
    pub(super) fn announced(
        &mut self,
        id: PeerId,
        announce: Verified<Announce>,
        packet: (PacketId, UnixMillis),
        link: Option<LinkId>,
        now: Now,
    ) -> Result<Change, KeyChanged> {
        let announce = with_name(announce.into_inner());
        let (packet_id, timestamp) = packet;
        let Some(peer) = self.known.get_mut(&id) else {
            self.make_room();
            self.known.insert(id, Peer::new(announce, packet_id, timestamp, link, now));
            return Ok(Change::Appeared);
        };
        if peer.noise_public != announce.noise_public || peer.signing_public != announce.signing_public {
            return Err(KeyChanged);
        }
        let returned = !peer.present;
        peer.heard_at(now);
        if timestamp <= peer.announced {
            return Ok(if returned { Change::Appeared } else { Change::Refreshed });
        }
        peer.announced = timestamp;
        peer.announce = packet_id;
        peer.announce_link = link;
        let renamed = peer.nickname != announce.nickname;
        peer.nickname = announce.nickname;
        peer.capabilities = announce.capabilities.unwrap_or_default();
        Ok(match (returned, renamed) {
            (true, _) => Change::Appeared,
            (false, true) => Change::Renamed,
            (false, false) => Change::Refreshed,
        })
    }

    /// Takes a verified announce of somebody who is not known to be here, for what it signed.
    pub(super) fn introduced(
        &mut self,
        id: PeerId,
        announce: Verified<Announce>,
        timestamp: UnixMillis,
    ) -> Result<(), KeyChanged> {
        let announce = with_name(announce.into_inner());
        let Some(peer) = self.known.get_mut(&id) else {
            self.make_room();
            self.known.insert(id, Peer::absent(announce, timestamp));
            return Ok(());
        };
        if peer.noise_public != announce.noise_public || peer.signing_public != announce.signing_public {
            return Err(KeyChanged);
        }
        if !peer.present && timestamp > peer.announced {
            peer.announced = timestamp;
            peer.nickname = announce.nickname;
        }
        Ok(())
    }

    /// Takes keys that outweigh what was announced: of a contact, proven, or of an earlier run. True when that makes
    /// a peer that seemed to be there somebody else.
    pub(super) fn know(&mut self, id: PeerId, keys: Keys, bond: Bond) -> bool {
        let Keys { noise_public, signing_public, nickname } = keys;
        let impostor = match self.known.get_mut(&id) {
            Some(peer) if peer.noise_public == noise_public && peer.signing_public == signing_public => {
                peer.contact = bond == Bond::Contact;
                peer.met |= bond != Bond::Announced;
                return false;
            }
            Some(peer) => peer.present,
            None => {
                self.make_room();
                false
            }
        };
        let known = Peer {
            fingerprint: Fingerprint::of(&noise_public),
            noise_public,
            signing_public,
            nickname,
            capabilities: Capabilities::NONE,
            last_seen: UnixMillis(0),
            present: false,
            contact: bond == Bond::Contact,
            met: bond != Bond::Announced,
            came_over: None,
            announced: UnixMillis(0),
            announce: PacketId([0; 16]),
            announce_link: None,
            heard: Instant::ZERO,
        };
        self.known.insert(id, known);
        impostor
    }

    /// A contact is one no more.
    pub(super) fn forget(&mut self, id: PeerId) {
        if let Some(peer) = self.known.get_mut(&id) {
            peer.contact = false;
        }
    }

    /// The link over which a peer's latest announce was first heard, when `announce` is that one.
    pub(super) fn first_heard(&self, id: PeerId, announce: PacketId) -> Option<LinkId> {
        self.known.get(&id).filter(|peer| peer.announce == announce)?.announce_link
    }

    /// A verified sign of life of a known peer; true when it had been gone.
    pub(super) fn heard(&mut self, id: PeerId, now: Now) -> bool {
        self.known.get_mut(&id).is_some_and(|peer| {
            let returned = !peer.present;
            peer.heard_at(now);
            returned
        })
    }

    /// A peer said goodbye; true when it had been present.
    pub(super) fn left(&mut self, id: PeerId) -> bool {
        self.known.get_mut(&id).is_some_and(|peer| std::mem::take(&mut peer.present))
    }

    /// The next present peer without a link that was not heard for a while; it counts as gone from here on.
    pub(super) fn pop_silent(&mut self, linked: &[PeerId], now: Instant) -> Option<PeerId> {
        let (&id, peer) = self
            .known
            .iter_mut()
            .find(|(id, peer)| peer.present && !linked.contains(id) && now.since(peer.heard) >= REACHABLE)?;
        peer.present = false;
        Some(id)
    }

    /// When [`Self::pop_silent`] may next find somebody.
    pub(super) fn poll_timeout(&self, linked: &[PeerId]) -> Option<Instant> {
        self.known
            .iter()
            .filter(|(id, peer)| peer.present && !linked.contains(id))
            .map(|(_, peer)| peer.heard + REACHABLE)
            .min()
    }

    /// A peer, by id.
    pub(super) fn get(&self, id: PeerId) -> Option<&Peer> {
        self.known.get(&id)
    }

    /// Whether somebody is a contact.
    pub(super) fn is_contact(&self, id: PeerId) -> bool {
        self.known.get(&id).is_some_and(|peer| peer.contact)
    }

    /// A session stands with this peer.
    pub(super) fn met(&mut self, id: PeerId) {
        if let Some(peer) = self.known.get_mut(&id) {
            peer.met = true;
        }
    }

    /// Everybody, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (PeerId, &Peer)> {
        self.known.iter().map(|(&id, peer)| (id, peer))
    }

    /// The signing keys of the contacts.
    pub(super) fn contact_keys(&self) -> impl Iterator<Item = [u8; 32]> {
        self.known.values().filter(|peer| peer.contact).map(|peer| peer.signing_public)
    }

    /// Whoever signs with this key; a contact before somebody who only announces it.
    pub(super) fn of_signing_key(&self, key: &[u8; 32]) -> Option<&Peer> {
        self.known.values().filter(|peer| peer.signing_public == *key).max_by_key(|peer| peer.contact)
    }

    /// Whether this peer is present.
    pub(super) fn is_present(&self, id: PeerId) -> bool {
        self.known.get(&id).is_some_and(|peer| peer.present)
    }

    /// Whether any peer is present.
    pub(super) fn any_present(&self) -> bool {
        self.known.values().any(|peer| peer.present)
    }

    /// Anybody can announce any number of invented peers. So of those that are neither contacts nor ever had a session,
    /// one goes that was first heard over the link that brought the most of them; and only then others.
    fn make_room(&mut self) {
        if self.known.len() < self.most {
            return;
        }
        let mut brought: BTreeMap<Option<LinkId>, usize> = BTreeMap::new();
        for peer in self.known.values().filter(|peer| peer.is_stranger()) {
            *brought.entry(peer.came_over).or_default() += 1;
        }
        let crowd =
            |peer: &Peer| if peer.is_stranger() { brought.get(&peer.came_over).copied() } else { None };
        let first = self.known.iter().min_by_key(|(_, peer)| {
            (peer.contact, peer.met, std::cmp::Reverse(crowd(peer)), peer.present, peer.heard)
        });
        if let Some(first) = first.map(|(&id, _)| id) {
            self.known.remove(&first);
        }
    }
}

/// The announce with its name as it is kept.
fn with_name(announce: Announce) -> Announce {
    Announce { nickname: nickname::received(&announce.nickname), ..announce }
}

impl Peer {
    fn new(
        announce: Announce,
        packet: PacketId,
        timestamp: UnixMillis,
        link: Option<LinkId>,
        now: Now,
    ) -> Self {
        Self {
            fingerprint: Fingerprint::of(&announce.noise_public),
            noise_public: announce.noise_public,
            signing_public: announce.signing_public,
            nickname: announce.nickname,
            capabilities: announce.capabilities.unwrap_or_default(),
            last_seen: now.unix,
            present: true,
            contact: false,
            met: false,
            came_over: link,
            announced: timestamp,
            announce: packet,
            announce_link: link,
            heard: now.instant,
        }
    }

    /// Whether nothing but announces was heard of it: such make room first.
    pub(super) fn is_stranger(&self) -> bool {
        !self.contact && !self.met
    }

    /// Whether its keys come from a contact card.
    pub(super) fn is_contact(&self) -> bool {
        self.contact
    }

    /// Somebody who was not heard: the first to be forgotten.
    fn absent(announce: Announce, timestamp: UnixMillis) -> Self {
        let never = Now { instant: Instant::ZERO, unix: UnixMillis(0) };
        Self { present: false, ..Self::new(announce, PacketId([0; 16]), timestamp, None, never) }
    }

    /// Whether it gave a sign of life in this run.
    pub(super) fn was_heard(&self) -> bool {
        self.last_seen > UnixMillis(0)
    }

    fn heard_at(&mut self, now: Now) {
        self.heard = now.instant;
        self.last_seen = now.unix;
        self.present = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_keys_in_the_place_of_an_impostors_cost_nobody_else_theirs() {
        let mut peers = Peers::new(2);
        let keys = |n| Keys { noise_public: [n; 32], signing_public: [n; 32], nickname: String::new() };
        for n in [1, 2, 1] {
            peers.know(PeerId([n; 8]), keys(n), Bond::Announced);
        }
        peers.know(PeerId([2; 8]), keys(9), Bond::Met);
        assert!([1, 2].iter().all(|&n| peers.get(PeerId([n; 8])).is_some()));
    }
}
