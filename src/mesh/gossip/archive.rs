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
    /// that brought it.
    pub(super) fn remember(&mut self, received: &Received, share: PeerId, now: UnixMillis) {
        let Some((kind, entry)) = self.entry(received, share, now) else { return };
        let (author, id) = (entry.author, entry.id);
        if self.insert(kind, entry) && kind.is_kept() && kind != Kind::Announce {
            self.keep(kind, id);
        }
        self.keep_announce(author);
    }

    /// Takes back a value of an earlier run; what it is, unless it is of no use any more.
    pub(super) fn restore(&mut self, Kept { key, value, .. }: &Kept, now: UnixMillis) -> Option<Received> {
        let (&version, rest) = value.split_first()?;
        let (share, frame) = rest.split_first_chunk::<SHARE_LEN>()?;
        let received = Received::decode(&value.slice_ref(frame)).ok().filter(|_| version == VERSION)?;
        let (kind, entry) = self.entry(&received, PeerId(*share), now)?;
        let sent = entry.sent;
        if key_of(kind, &entry) != *key || !self.insert(kind, entry) {
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
            frame: received.bytes().slice(..received.frame_len()),
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
    fn insert(&mut self, kind: Kind, entry: Entry) -> bool {
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
        let gone = self.stores.get_mut(&kind).map(|store| store.insert(entry, limit)).unwrap_or_default();
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
