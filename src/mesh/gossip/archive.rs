//! What the mesh said lately, to be told to whoever missed it (spec 3.7).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::config::Config;
use super::kind::Kind;
use super::store::{Entry, Store};
use crate::ids::{PacketId, PeerId};
use crate::mesh::kept::{Keep, Kept, Shelf};
use crate::time::UnixMillis;
use crate::wire::{FilterHash, Fragment, Received, RequestSync};

/// The first byte of a kept value; then 8 bytes of whose share it takes, then the frame.
const VERSION: u8 = 1;
const SHARE_LEN: usize = 8;
/// An author announces itself several times a minute; on disk it is written again only when it is so much newer.
const ANNOUNCE_REWRITE: Duration = Duration::from_secs(5 * 60);
/// How long an old announce waits for something its author signed, which comes right behind it.
const INTRODUCTION_PATIENCE: Duration = Duration::from_secs(60);

/// Everything that is remembered, and what of it has to be written down.
#[derive(Debug)]
pub(super) struct Archive {
    config: Config,
    stores: BTreeMap<Kind, Store>,
    /// The newest packet of those kinds of which each author has but one.
    newest: BTreeMap<(Kind, PeerId), PacketId>,
    /// What is on disk, by key, and of when it is.
    kept: BTreeMap<Bytes, UnixMillis>,
    changes: Vec<Keep>,
}

impl Archive {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            stores: Kind::ALL.into_iter().map(|kind| (kind, Store::default())).collect(),
            newest: BTreeMap::new(),
            kept: BTreeMap::new(),
            changes: Vec::new(),
        }
    }

    /// Remembers a packet that passed every check, in the share of its author when that is proven, else of the neighbour
    /// that brought it. `known` says whose packets are dearer than strangers'.
    pub(super) fn remember(
        &mut self,
        received: &Received,
        share: PeerId,
        known: impl Fn(PeerId) -> bool,
        now: UnixMillis,
    ) {
        let Some((kind, entry)) = self.entry(received, share, now) else { return };
        let (author, id) = (entry.author, entry.id);
        if self.insert(kind, entry, known) && kind.is_kept() && kind != Kind::Announce {
            self.keep(kind, id);
        }
        self.keep_announce(author);
    }

    /// The board remembers its notices itself: what stands there, or was withdrawn there, is what is told of.
    pub(super) fn show_board<'a>(&mut self, notices: impl Iterator<Item = &'a Bytes>, now: UnixMillis) {
        let mut board = Store::default();
        for received in notices.filter_map(|frame| Received::decode(frame).ok()) {
            if let Some((kind, entry)) = self.entry(&received, received.packet().sender, now) {
                board.insert(entry, kind.limit(&self.config), alike);
            }
        }
        self.stores.insert(Kind::Board, board);
    }

    /// Takes back a value of an earlier run; what it is, unless it is of no use any more.
    pub(super) fn restore(&mut self, Kept { key, value, .. }: &Kept, now: UnixMillis) -> Option<Received> {
        let (&version, rest) = value.split_first()?;
        let (share, frame) = rest.split_first_chunk::<SHARE_LEN>()?;
        let received = Received::decode(&value.slice_ref(frame)).ok().filter(|_| version == VERSION)?;
        let (kind, entry) = self.entry(&received, PeerId(*share), now)?;
        let sent = entry.sent;
        if key_of(kind, &entry) != *key || !self.insert(kind, entry, alike) {
            return None;
        }
        self.kept.insert(key.clone(), sent);
        Some(received)
    }

    /// What is to be written down since it was asked last.
    pub(super) fn take_changes(&mut self) -> Vec<Keep> {
        std::mem::take(&mut self.changes)
    }

    /// Forgets what is too old.
    pub(super) fn sweep(&mut self, now: UnixMillis) {
        for kind in Kind::ALL.into_iter().filter(|&kind| kind != Kind::Announce) {
            let old = self.entries(kind).filter(|entry| entry.expires <= now);
            for id in old.map(|entry| entry.id).collect::<Vec<_>>() {
                self.forget(kind, id);
            }
        }
        let old = self.entries(Kind::Announce).filter(|entry| {
            entry.expires <= now
                && entry.arrived + INTRODUCTION_PATIENCE <= now
                && !self.has_signed(entry.author)
        });
        for id in old.map(|entry| entry.id).collect::<Vec<_>>() {
            self.forget(Kind::Announce, id);
        }
    }

    /// How many packets are remembered.
    pub(super) fn len(&self) -> usize {
        self.stores.values().map(Store::len).sum()
    }

    /// What there is of these kinds, the newest first.
    pub(super) fn newest_first(&self, kinds: &[Kind]) -> Vec<(UnixMillis, FilterHash)> {
        let mut all: Vec<(UnixMillis, FilterHash)> =
            kinds.iter().flat_map(|&kind| self.entries(kind)).map(|entry| (entry.sent, entry.hash)).collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        all
    }

    /// What somebody misses who asks so, in the order in which it is to be sent. `is_here` tells who is on the mesh:
    /// the announces of the others are told only to introduce something else they signed.
    pub(super) fn missing(
        &self,
        request: &RequestSync,
        is_here: impl Fn(PeerId) -> bool,
        now: UnixMillis,
    ) -> Vec<(Kind, PacketId)> {
        let members = request.filter.members();
        let wanted = request.wanted();
        let lacks = |entry: &Entry| !members.contains(entry.hash);
        let mut authors = BTreeSet::new();
        let mut said = Vec::new();
        let others = Kind::ALL.into_iter().filter(|&kind| kind != Kind::Announce);
        for kind in others.filter(|kind| wanted.contains(kind.packet_type())) {
            let asked = |entry: &&Entry| entry.expires > now && is_asked(kind, entry, request);
            for entry in self.entries(kind).filter(asked).filter(|entry| lacks(entry)) {
                if kind.must_be_proven() {
                    authors.insert(entry.author);
                }
                said.push((kind, entry.id));
            }
        }
        if !wanted.contains(Kind::Announce.packet_type()) {
            return said;
        }
        let told = |entry: &&Entry| {
            (entry.expires > now && is_here(entry.author)) || authors.contains(&entry.author)
        };
        let announces = self.entries(Kind::Announce).filter(told).filter(|entry| lacks(entry));
        announces.map(|entry| (Kind::Announce, entry.id)).chain(said).collect()
    }

    /// The frame of a packet, if it is still there.
    pub(super) fn frame(&self, kind: Kind, id: PacketId) -> Option<&Bytes> {
        self.stores.get(&kind)?.get(id).map(|entry| &entry.frame)
    }

    /// Every packet of a kind, and when it was sent.
    pub(super) fn frames(&self, kind: Kind) -> Vec<(UnixMillis, &Bytes)> {
        self.entries(kind).map(|entry| (entry.sent, &entry.frame)).collect()
    }

    fn entries(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &Entry> {
        self.stores.get(&kind).into_iter().flat_map(Store::iter)
    }

    fn entry(&self, received: &Received, share: PeerId, now: UnixMillis) -> Option<(Kind, Entry)> {
        let packet = received.packet();
        let kind = Kind::of(packet.packet_type).filter(|_| packet.is_broadcast())?;
        let id = packet.id();
        let train =
            if kind == Kind::Fragment { Some(Fragment::decode(&packet.payload).ok()?.id) } else { None };
        let expires = packet.timestamp + kind.limit(&self.config).age;
        // An old announce may introduce what its author signed before it went.
        if expires <= now && kind != Kind::Announce {
            return None;
        }
        let entry = Entry {
            id,
            hash: FilterHash::of(id),
            frame: received.kept(),
            author: packet.sender,
            share,
            sent: packet.timestamp,
            expires,
            arrived: now,
            train,
        };
        Some((kind, entry))
    }

    /// Whether it is in the store afterwards, and was not before.
    fn insert(&mut self, kind: Kind, entry: Entry, known: impl Fn(PeerId) -> bool) -> bool {
        let (id, author, sent) = (entry.id, entry.author, entry.sent);
        if self.stores.get(&kind).is_none_or(|store| store.contains(id)) {
            return false;
        }
        if kind.newest_counts() {
            let before = self.newest.get(&(kind, author)).copied();
            let known = before.and_then(|before| self.stores.get(&kind)?.get(before)).map(|entry| entry.sent);
            if known.is_some_and(|known| known >= sent) {
                return false;
            }
            if let Some(before) = before {
                self.replace(kind, before);
            }
            self.newest.insert((kind, author), id);
        }
        let limit = kind.limit(&self.config);
        let gone =
            self.stores.get_mut(&kind).map(|store| store.insert(entry, limit, known)).unwrap_or_default();
        for entry in &gone {
            self.gone(kind, entry);
        }
        gone.iter().all(|entry| entry.id != id)
    }

    /// A newer one of the same author comes in its place. The announce on disk stays until that is written.
    fn replace(&mut self, kind: Kind, id: PacketId) {
        if kind == Kind::Announce {
            if let Some(store) = self.stores.get_mut(&kind) {
                store.remove(id);
            }
        } else {
            self.forget(kind, id);
        }
    }

    fn forget(&mut self, kind: Kind, id: PacketId) {
        let entry = self.stores.get_mut(&kind).and_then(|store| store.remove(id));
        if let Some(entry) = entry {
            self.gone(kind, &entry);
        }
    }

    fn gone(&mut self, kind: Kind, entry: &Entry) {
        if self.newest.get(&(kind, entry.author)) == Some(&entry.id) {
            self.newest.remove(&(kind, entry.author));
        }
        let key = key_of(kind, entry);
        if self.kept.remove(&key).is_some() {
            self.changes.push(Keep::Remove { shelf: Shelf::Archive, key });
        }
    }

    /// Whether anything else is remembered that this author signed.
    fn has_signed(&self, author: PeerId) -> bool {
        let signed = |kind: &Kind| kind.must_be_proven() && *kind != Kind::Announce;
        let mut stores = self.stores.iter().filter(|(kind, _)| signed(kind));
        stores.any(|(_, store)| store.has_share(author))
    }

    /// Writes down who somebody is, if something it signed is remembered, and what is on disk is not about the same.
    fn keep_announce(&mut self, author: PeerId) {
        let newest = self.newest.get(&(Kind::Announce, author)).copied();
        let entry = newest.and_then(|id| self.stores.get(&Kind::Announce)?.get(id));
        let Some(entry) = entry.filter(|_| self.has_signed(author)) else { return };
        let before = self.kept.get(&key_of(Kind::Announce, entry));
        if before.is_none_or(|before| *before + ANNOUNCE_REWRITE <= entry.sent) {
            self.keep(Kind::Announce, entry.id);
        }
    }

    fn keep(&mut self, kind: Kind, id: PacketId) {
        let Some(entry) = self.stores.get(&kind).and_then(|store| store.get(id)) else { return };
        let mut value = BytesMut::with_capacity(1 + SHARE_LEN + entry.frame.len());
        value.put_u8(VERSION);
        value.extend_from_slice(entry.share.as_bytes());
        value.extend_from_slice(&entry.frame);
        let key = key_of(kind, entry);
        self.kept.insert(key.clone(), entry.sent);
        self.changes.push(Keep::Put(Kept { shelf: Shelf::Archive, key, value: value.freeze() }));
    }
}

/// Nobody's packets are dearer than others'.
fn alike(_: PeerId) -> bool {
    true
}

/// Whether a request is about this packet: not when it is older than what the filter covers, prekeys and the pieces
/// it names aside; and when it names some, then about no other pieces.
fn is_asked(kind: Kind, entry: &Entry, request: &RequestSync) -> bool {
    let recent = request.since.is_none_or(|since| entry.sent >= since);
    match entry.train {
        Some(train) if !request.fragment_ids.is_empty() => request.fragment_ids.contains(&train),
        _ => recent || kind == Kind::Prekey,
    }
}

/// What a packet is found by on disk. An author has one announce there; its key is shorter than a packet's id.
fn key_of(kind: Kind, entry: &Entry) -> Bytes {
    let key = if kind == Kind::Announce { entry.author.0.to_vec() } else { entry.id.0.to_vec() };
    key.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Identity;
    use crate::wire::{Filter, Packet, PacketType, SyncTypes, Version};

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;

    fn packet(author: u8, packet_type: PacketType, minutes_ago: u64, payload: &[u8]) -> Received {
        let packet = Packet {
            version: Version::V1,
            packet_type,
            ttl: 7,
            timestamp: UnixMillis(NOW.0 - minutes_ago * MINUTE),
            sender: Identity::from_bytes(&[author; 64]).peer_id(),
            recipient: None,
            route: Vec::new(),
            rsr: false,
            payload: Bytes::copy_from_slice(payload),
            signature: None,
        };
        Received::decode(&packet.encode().unwrap().into()).unwrap()
    }

    fn remember(archive: &mut Archive, received: &Received) {
        archive.remember(received, received.packet().sender, alike, NOW);
    }

    fn everything() -> RequestSync {
        let types = Some(SyncTypes::of(Kind::ALL.map(Kind::packet_type)));
        RequestSync { filter: Filter::of(&[], 400).0, types, since: None, fragment_ids: Vec::new() }
    }

    fn kinds(missing: &[(Kind, PacketId)]) -> Vec<Kind> {
        missing.iter().map(|&(kind, _)| kind).collect()
    }

    /// What would be on disk.
    fn disk(archive: &mut Archive, disk: &mut BTreeMap<Bytes, Kept>) {
        for change in archive.take_changes() {
            match change {
                Keep::Put(kept) => disk.insert(kept.key.clone(), kept),
                Keep::Remove { key, .. } => disk.remove(&key),
            };
        }
    }

    #[test]
    fn an_old_announce_is_told_with_what_its_author_signed_and_not_without() {
        let mut archive = Archive::new(Config::default());
        remember(&mut archive, &packet(1, PacketType::Announce, 60, b"one"));
        remember(&mut archive, &packet(2, PacketType::Announce, 60, b"two"));
        remember(&mut archive, &packet(1, PacketType::Message, 61, b"text"));
        let missing = archive.missing(&everything(), |_| true, NOW);
        assert_eq!(kinds(&missing), [Kind::Announce, Kind::Message]);
        let only_messages = RequestSync { types: Some(SyncTypes::of([PacketType::Message])), ..everything() };
        assert_eq!(kinds(&archive.missing(&only_messages, |_| true, NOW)), [Kind::Message]);
    }

    #[test]
    fn a_fresh_announce_is_told_while_its_author_is_here() {
        let mut archive = Archive::new(Config::default());
        remember(&mut archive, &packet(1, PacketType::Announce, 1, b"one"));
        assert_eq!(archive.missing(&everything(), |_| true, NOW).len(), 1);
        assert_eq!(archive.missing(&everything(), |_| false, NOW), []);
    }

    #[test]
    fn the_newest_announce_of_an_author_counts() {
        let mut archive = Archive::new(Config::default());
        remember(&mut archive, &packet(1, PacketType::Announce, 5, b"five"));
        remember(&mut archive, &packet(1, PacketType::Announce, 1, b"one"));
        remember(&mut archive, &packet(1, PacketType::Announce, 3, b"three"));
        let newest = packet(1, PacketType::Announce, 1, b"one").packet().id();
        assert_eq!(archive.missing(&everything(), |_| true, NOW), [(Kind::Announce, newest)]);
    }

    #[test]
    fn what_the_filter_does_not_cover_is_not_told_prekeys_aside() {
        let mut archive = Archive::new(Config::default());
        for minutes in [1, 10] {
            remember(&mut archive, &packet(1, PacketType::Message, minutes, b"text"));
        }
        remember(&mut archive, &packet(1, PacketType::PrekeyBundle, 100, b"keys"));
        let since = Some(UnixMillis(NOW.0 - 5 * MINUTE));
        let missing = archive.missing(&RequestSync { since, ..everything() }, |_| true, NOW);
        assert_eq!(kinds(&missing), [Kind::Prekey, Kind::Message]);
    }

    #[test]
    fn fragments_that_are_named_are_told_whatever_their_age_and_no_others() {
        let mut archive = Archive::new(Config::default());
        for train in [1_u8, 2] {
            let piece = Fragment {
                id: [train; 8],
                index: 0,
                total: 2,
                original_type: PacketType::Message,
                data: Bytes::from_static(b"piece"),
            };
            remember(&mut archive, &packet(1, PacketType::Fragment, 3, &piece.encode()));
        }
        assert_eq!(archive.missing(&everything(), |_| true, NOW).len(), 2);
        let (since, fragment_ids) = (Some(NOW), vec![[2; 8], [3; 8]]);
        let named = RequestSync { since, fragment_ids, ..everything() };
        assert_eq!(kinds(&archive.missing(&named, |_| true, NOW)), [Kind::Fragment]);
    }

    #[test]
    fn every_kind_goes_at_its_age_and_an_announce_when_it_introduces_nothing() {
        let mut archive = Archive::new(Config::default());
        remember(&mut archive, &packet(1, PacketType::Announce, 0, b"one"));
        remember(&mut archive, &packet(1, PacketType::Message, 0, b"text"));
        remember(&mut archive, &packet(1, PacketType::FileTransfer, 0, b"file"));
        let mut left = |minutes| {
            archive.sweep(UnixMillis(NOW.0 + minutes * MINUTE));
            archive.len()
        };
        assert_eq!([left(14), left(15), left(359), left(360)], [3, 2, 2, 0]);
    }

    #[test]
    fn what_is_on_disk_is_what_is_remembered_and_comes_back() {
        let mut archive = Archive::new(Config::default());
        let mut kept = BTreeMap::new();
        remember(&mut archive, &packet(1, PacketType::Announce, 0, b"nobody of note"));
        disk(&mut archive, &mut kept);
        assert_eq!(kept.len(), 0, "it introduces nothing");
        remember(&mut archive, &packet(1, PacketType::Message, 0, b"text"));
        remember(&mut archive, &packet(1, PacketType::FileTransfer, 0, b"short-lived"));
        disk(&mut archive, &mut kept);
        assert_eq!(kept.len(), 2, "the text and who wrote it");

        let mut again = Archive::new(Config::default());
        assert!(kept.values().all(|value| again.restore(value, NOW).is_some()));
        assert_eq!(kinds(&again.missing(&everything(), |_| false, NOW)), [Kind::Announce, Kind::Message]);
        again.sweep(UnixMillis(NOW.0 + 6 * HOUR));
        disk(&mut again, &mut kept);
        assert_eq!(kept.len(), 0);
    }

    #[test]
    fn a_value_that_is_no_good_is_not_taken_back() {
        let mut archive = Archive::new(Config::default());
        let mut kept = BTreeMap::new();
        remember(&mut archive, &packet(1, PacketType::Message, 0, b"text"));
        disk(&mut archive, &mut kept);
        let good = kept.into_values().next().unwrap();
        let with = |value: Vec<u8>| Kept { value: value.into(), ..good.clone() };
        let (mut later, mut cut) = (good.value.to_vec(), good.value.to_vec());
        later[0] = 2;
        cut.truncate(20);
        let elsewhere = Kept { key: Bytes::from_static(b"another key"), ..good.clone() };
        let mut again = Archive::new(Config::default());
        for bad in [with(later), with(cut), with(Vec::new()), elsewhere] {
            assert_eq!(again.restore(&bad, NOW), None);
        }
        assert_eq!(again.restore(&good, UnixMillis(NOW.0 + 6 * HOUR)), None, "it is too old");
        assert!(again.restore(&good, NOW).is_some());
    }

    #[test]
    fn an_announce_on_disk_is_not_written_again_for_every_one_that_comes() {
        let mut archive = Archive::new(Config::default());
        remember(&mut archive, &packet(1, PacketType::Message, 9, b"text"));
        let mut writes = 0;
        for minutes in (0..9).rev() {
            remember(&mut archive, &packet(1, PacketType::Announce, minutes, b"one"));
            let puts = archive.take_changes().into_iter().filter(|change| matches!(change, Keep::Put(_)));
            writes += puts.count();
        }
        assert_eq!(writes, 3, "the text, the announce, and the announce five minutes later");
    }
}
