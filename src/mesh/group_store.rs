//! The groups we are in: who may change them, which keys open what, and what of them is kept (spec 3.6.6, 3.14).
//!
//! A state counts when its creator signed it and handed it over in person, in its own session; the next one must be
//! of a later epoch and of the same creator. Messages of the epoch before are read for [`GRACE`], so that what was on
//! its way when the key changed is not lost; those of anybody who is no member any more are not.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use zeroize::Zeroizing;

use super::error::DropReason;
use super::kept::{Keep, Kept, Shelf};
use crate::crypto::group::open;
use crate::crypto::verify;
use crate::ids::{Fingerprint, GroupId};
use crate::time::UnixMillis;
use crate::wire::{GroupEnvelope, GroupKey, GroupState, GroupText, MAX_MEMBERS, Member};

/// How long messages under the key before are still read.
pub(super) const GRACE: Duration = Duration::from_secs(10 * 60);
/// The most groups: a further one is neither made nor joined.
pub(super) const MAX_GROUPS: usize = 64;
/// With so many groups none is joined any more whose creator is no contact.
const MAX_OF_STRANGERS: usize = 32;
/// Earlier keys that are kept at once; when members are invited one after another, several are in use.
const MAX_PAST: usize = 3;
/// Members we removed and have not told yet; the oldest is forgotten first.
const MAX_REMOVED: usize = 16;
/// Groups we are no longer in, remembered so that a change of theirs does not bring us back. Those we left ourselves
/// come before those we were removed from: anybody can make us a member of something and remove us.
const MAX_LEFT: usize = 64;
const KEPT_VERSION: u8 = 1;
const KEPT_GROUP: u8 = 0;
const KEPT_LEFT: u8 = 1;
const KEPT_EXPELLED: u8 = 2;

/// An earlier key.
#[derive(Debug, Clone)]
struct Past {
    epoch: u32,
    key: GroupKey,
    until: UnixMillis,
}

/// A group we are in.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) state: GroupState,
    past: Vec<Past>,
    /// Of a group of ours: who is to be told that it is no member any more.
    pub(super) removed: Vec<Fingerprint>,
    /// Of a group of ours: whom we asked in, and who may not know yet.
    pub(super) invited: Vec<Fingerprint>,
}

impl Group {
    fn new(state: GroupState) -> Self {
        Self { state, past: Vec::new(), removed: Vec::new(), invited: Vec::new() }
    }
}

/// How we came to be in a group no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    /// Of our own will.
    Left,
    /// Its creator removed us.
    Expelled,
}

/// What became of a state that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// We are in a group that we were not in.
    Joined,
    /// Its members or its key changed; this was the state before.
    Changed(Box<GroupState>),
    /// We were removed.
    Expelled(Box<GroupState>),
    /// It was known.
    Nothing,
}

/// Who we are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Us {
    pub(super) fingerprint: Fingerprint,
    pub(super) signing_public: [u8; 32],
}

/// How a state came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handed {
    /// Whose session it came through.
    pub(super) by: Fingerprint,
    /// As an invitation.
    pub(super) invitation: bool,
    /// Whether that is a contact.
    pub(super) known: bool,
}

/// What an envelope holds.
#[derive(Debug)]
pub(super) enum Opened {
    /// A text of this member.
    Text { text: Box<GroupText>, member: Member },
    /// A text of ours that came back.
    Own,
    /// Not for us.
    Foreign,
    /// Under a key that we may yet be told.
    Later,
}

/// Every group.
#[derive(Debug, Default)]
pub(super) struct GroupStore {
    groups: BTreeMap<GroupId, Group>,
    /// With the last epoch we knew.
    left: BTreeMap<GroupId, (Gone, u32)>,
    changes: Vec<Keep>,
}

impl GroupStore {
    pub(super) fn get(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    pub(super) fn is_full(&self) -> bool {
        self.groups.len() >= MAX_GROUPS
    }

    /// What is to be kept or no longer kept since this was last asked.
    pub(super) fn take_changes(&mut self) -> Vec<Keep> {
        std::mem::take(&mut self.changes)
    }

    /// Puts a state of our own group in the place of the one before.
    pub(super) fn set(&mut self, state: GroupState, now: UnixMillis) {
        let id = state.id;
        let mut next = match self.groups.remove(&id) {
            Some(Group { state: before, past, removed, invited }) => {
                Group { state, past: with_past(past, before.epoch, before.key, now), removed, invited }
            }
            None => Group::new(state),
        };
        next.past.retain(|past| past.until > now);
        self.put(next);
    }

    /// Takes down that somebody was asked into a group of ours.
    pub(super) fn invited(&mut self, id: GroupId, whom: Fingerprint) {
        self.settled(id, whom);
        if let Some(mut group) = self.groups.remove(&id) {
            group.invited.push(whom);
            self.put(group);
        }
    }

    /// Takes down that somebody was removed from a group of ours and is to be told so.
    pub(super) fn removed(&mut self, id: GroupId, whom: Fingerprint) {
        self.settled(id, whom);
        if let Some(mut group) = self.groups.remove(&id) {
            group.removed.push(whom);
            let excess = group.removed.len().saturating_sub(MAX_REMOVED);
            group.removed.drain(..excess);
            self.put(group);
        }
    }

    /// Somebody knows, as far as can be told, that it was asked in or removed.
    pub(super) fn settled(&mut self, id: GroupId, who: Fingerprint) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        if [&group.removed, &group.invited].iter().any(|list| list.contains(&who)) {
            group.removed.retain(|other| *other != who);
            group.invited.retain(|other| *other != who);
            let group = group.clone();
            self.put(group);
        }
    }

    /// We are out.
    pub(super) fn leave(&mut self, id: GroupId, how: Gone) -> Option<GroupState> {
        let group = self.groups.remove(&id)?;
        let epoch = group.state.epoch;
        let change = if self.has_room_for(how) {
            self.left.insert(id, (how, epoch));
            let kind = if how == Gone::Left { KEPT_LEFT } else { KEPT_EXPELLED };
            let value = [&[KEPT_VERSION, kind], epoch.to_be_bytes().as_slice()].concat().into();
            Keep::Put(Kept { shelf: Shelf::Groups, key: key_of(id), value })
        } else {
            Keep::Remove { shelf: Shelf::Groups, key: key_of(id) }
        };
        self.changes.push(change);
        Some(group.state)
    }

    /// Whether one more group can be remembered that we are not in; what has to go for it is gone then.
    fn has_room_for(&mut self, how: Gone) -> bool {
        if self.left.len() < MAX_LEFT {
            return true;
        }
        let expelled = self.left.iter().find(|(_, (how, _))| *how == Gone::Expelled).map(|(id, _)| *id);
        let first = self.left.keys().next().copied().filter(|_| how == Gone::Left);
        let Some(forgotten) = expelled.or(first) else { return false };
        self.left.remove(&forgotten);
        self.changes.push(Keep::Remove { shelf: Shelf::Groups, key: key_of(forgotten) });
        true
    }

    /// Takes a state that somebody handed us.
    pub(super) fn take(
        &mut self,
        state: GroupState,
        us: Us,
        handed: Handed,
        now: UnixMillis,
    ) -> Result<Change, DropReason> {
        let creator = proven_creator(&state, handed.by)?.clone();
        let included = match state.member(us.fingerprint) {
            Some(member) if member.signing_public == us.signing_public => true,
            Some(_) => return Err(DropReason::GroupForged),
            None => false,
        };
        if included && state.key == GroupKey::none() {
            return Err(DropReason::GroupForged);
        }
        let Some(before) = self.groups.get(&state.id).map(|group| &group.state) else {
            return if included { self.join(state, handed) } else { Ok(Change::Nothing) };
        };
        let same_hand = before.creator == state.creator
            && before
                .signer(&creator.signing_public)
                .is_some_and(|member| member.fingerprint == state.creator);
        if !same_hand {
            return Err(DropReason::GroupForged);
        }
        if state.epoch <= before.epoch {
            let told_again = GroupState { signature: before.signature, ..state } == *before;
            return if told_again { Ok(Change::Nothing) } else { Err(DropReason::GroupStale) };
        }
        let before = Box::new(before.clone());
        if included {
            self.set(state, now);
            return Ok(Change::Changed(before));
        }
        self.leave(state.id, Gone::Expelled);
        Ok(Change::Expelled(before))
    }

    fn join(&mut self, state: GroupState, handed: Handed) -> Result<Change, DropReason> {
        if let Some((_, left)) = self.left.get(&state.id) {
            // What we left we come back to when we are asked, not when something changes there.
            if state.epoch <= *left || !handed.invitation {
                return Err(DropReason::GroupStale);
            }
        }
        let strangers = self.groups.len() >= MAX_OF_STRANGERS && !handed.known;
        if self.is_full() || strangers {
            return Err(DropReason::GroupFull);
        }
        self.left.remove(&state.id);
        self.put(Group::new(state));
        Ok(Change::Joined)
    }

    /// Opens a message as far as we can.
    pub(super) fn open(
        &self,
        envelope: &GroupEnvelope,
        us: Us,
        now: UnixMillis,
    ) -> Result<Opened, DropReason> {
        let Some(Group { state, past, .. }) = self.groups.get(&envelope.group) else {
            return Ok(Opened::Foreign);
        };
        if envelope.epoch > state.epoch {
            return Ok(Opened::Later);
        }
        let earlier = || past.iter().find(|past| past.epoch == envelope.epoch && past.until > now);
        let key = if envelope.epoch == state.epoch {
            &state.key
        } else {
            &earlier().ok_or(DropReason::GroupStale)?.key
        };
        let associated = GroupEnvelope::associated(envelope.group, envelope.epoch);
        let plaintext = open(&key.0, &envelope.nonce, &associated, &envelope.ciphertext)
            .map_err(|_| DropReason::Undecryptable)?;
        let text = GroupText::decode(&plaintext.into()).map_err(|_| DropReason::Payload)?;
        let preimage = text.signing_preimage(envelope.group, envelope.epoch);
        let (sender, signature) = (text.sender, text.signature);
        let text =
            verify(&sender, &signature, [preimage], text).map_err(|_| DropReason::GroupForged)?.into_inner();
        if sender == us.signing_public {
            return Ok(Opened::Own);
        }
        let member = state.signer(&sender).cloned().ok_or(DropReason::GroupForged)?;
        Ok(Opened::Text { text: Box::new(text), member })
    }

    fn put(&mut self, group: Group) {
        let id = group.state.id;
        if let Some(value) = kept_group(&group) {
            self.changes.push(Keep::Put(Kept { shelf: Shelf::Groups, key: key_of(id), value }));
        }
        self.groups.insert(id, group);
    }

    /// Takes back what an earlier run kept; false when it is worth nothing.
    pub(super) fn restore(&mut self, key: &Bytes, value: &Bytes) -> bool {
        match value.split_first_chunk() {
            Some(([KEPT_VERSION, KEPT_GROUP], rest)) => {
                let Some(group) = read_group(&value.slice_ref(rest)) else { return false };
                let fits = *key == key_of(group.state.id) && !self.is_full();
                if fits {
                    self.groups.insert(group.state.id, group);
                }
                fits
            }
            Some(([KEPT_VERSION, kind @ (KEPT_LEFT | KEPT_EXPELLED)], rest)) => {
                let how = if *kind == KEPT_LEFT { Gone::Left } else { Gone::Expelled };
                let (Ok(id), Ok(epoch)) = (key.as_ref().try_into(), rest.try_into()) else { return false };
                let fits = self.left.len() < MAX_LEFT;
                if fits {
                    self.left.insert(GroupId(id), (how, u32::from_be_bytes(epoch)));
                }
                fits
            }
            Some(_) | None => false,
        }
    }
}

/// The creator, when the state was signed by it and came through its own session.
fn proven_creator(state: &GroupState, by: Fingerprint) -> Result<&Member, DropReason> {
    let creator =
        state.member(state.creator).filter(|_| state.creator == by).ok_or(DropReason::GroupForged)?;
    let preimage = state.signing_preimage().map_err(|_| DropReason::Payload)?;
    verify(&creator.signing_public, &state.signature, [preimage], ()).map_err(|_| DropReason::GroupForged)?;
    Ok(creator)
}

fn with_past(mut past: Vec<Past>, epoch: u32, key: GroupKey, now: UnixMillis) -> Vec<Past> {
    past.push(Past { epoch, key, until: now + GRACE });
    let excess = past.len().saturating_sub(MAX_PAST);
    past.drain(..excess);
    past
}

fn key_of(id: GroupId) -> Bytes {
    Bytes::copy_from_slice(&id.0)
}

/// The version, the kind, the state behind its length, then the earlier keys, the removed and the invited behind their
/// numbers.
fn kept_group(group: &Group) -> Option<Bytes> {
    let state = group.state.encode().ok()?;
    let mut value = vec![KEPT_VERSION, KEPT_GROUP];
    value.extend(u16::try_from(state.len()).ok()?.to_be_bytes());
    value.extend(state.as_slice());
    value.push(u8::try_from(group.past.len()).ok()?);
    for Past { epoch, key, until } in &group.past {
        value.extend(epoch.to_be_bytes());
        value.extend(until.0.to_be_bytes());
        value.extend(key.0.as_slice());
    }
    for list in [&group.removed, &group.invited] {
        value.push(u8::try_from(list.len()).ok()?);
        value.extend(list.iter().flat_map(|who| who.0));
    }
    Some(value.into())
}

fn read_group(value: &Bytes) -> Option<Group> {
    let (len, rest) = value.split_first_chunk()?;
    let (state, rest) = rest.split_at_checked(u16::from_be_bytes(*len).into())?;
    let state = GroupState::decode(&value.slice_ref(state)).ok()?;
    let (&count, mut rest) = rest.split_first()?;
    let mut past = Vec::new();
    for _ in 0..count.min(u8::try_from(MAX_PAST).ok()?) {
        let (epoch, after) = rest.split_first_chunk()?;
        let (until, after) = after.split_first_chunk()?;
        let (key, after) = after.split_first_chunk()?;
        let (epoch, until) = (u32::from_be_bytes(*epoch), UnixMillis(u64::from_be_bytes(*until)));
        past.push(Past { epoch, key: GroupKey(Zeroizing::new(*key)), until });
        rest = after;
    }
    let (removed, rest) = read_people(rest, MAX_REMOVED)?;
    // What was kept before there was this list has none.
    let (invited, _) = read_people(rest, MAX_MEMBERS).unwrap_or_default();
    Some(Group { state, past, removed, invited })
}

fn read_people(value: &[u8], most: usize) -> Option<(Vec<Fingerprint>, &[u8])> {
    let (&count, rest) = value.split_first()?;
    let (people, rest) = rest.split_at_checked(usize::from(count) * 32)?;
    let people = people.as_chunks::<32>().0.iter().take(most).map(|chunk| Fingerprint(*chunk));
    Some((people.collect(), rest))
}
