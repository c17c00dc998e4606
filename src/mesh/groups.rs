//! Private groups: a creator who invites and removes, members who talk to each other in public so that nobody else
//! understands it (spec 3.6.6, 3.14).
//!
//! `group_store` says what counts, `group_telling` who has to be told; here are the packets and what
//! the node is told.

use std::num::NonZeroUsize;

use lru::LruCache;
use rand_core::RngCore;
use zeroize::Zeroizing;

use super::board::cut;
use super::egress::Aim;
use super::engine::Engine;
use super::error::Refusal;
use super::event;
use super::group_store::{Gone, Group, GroupStore, MAX_GROUPS};
use super::group_telling::Tellings;
use crate::crypto::group::seal;
use crate::ids::{Fingerprint, GroupId, MessageId, PeerId};
use crate::time::{Instant, Now, UnixMillis};
use crate::wire::{
    GroupEnvelope, GroupKey, GroupState, GroupText, MAX_GROUP_TEXT_LEN, MAX_MEMBER_NAME_LEN, MAX_MEMBERS,
    Member, PacketType,
};

/// The most characters of the name of a group of ours: the iOS app's limit.
pub const MAX_NAME_CHARS: usize = 40;
/// Messages remembered so that none is told twice; the least recent goes first.
const SEEN: NonZeroUsize = NonZeroUsize::new(2_048).expect("not zero");

/// What the node asks of the groups. The answer comes within the same turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Make a group with nobody in it but us.
    Create {
        /// What it is called: 1 to [`MAX_NAME_CHARS`] characters.
        name: String,
    },
    /// Make somebody a member of a group of ours.
    Invite {
        /// Which group.
        group: GroupId,
        /// Whom: a peer that was heard, or a contact.
        peer: PeerId,
    },
    /// Let somebody be a member of a group of ours no longer.
    Remove {
        /// Which group.
        group: GroupId,
        /// Whom.
        member: Fingerprint,
    },
    /// Be a member no longer.
    Leave {
        /// Of which group.
        group: GroupId,
    },
    /// Say something to a group.
    Say {
        /// To which group.
        group: GroupId,
        /// What: 1 to [`MAX_GROUP_TEXT_LEN`] bytes.
        text: String,
    },
}

/// What happens in groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A group is there, is another than before, or is gone.
    Changed {
        /// The group: as it is, or as it was when it is gone.
        group: GroupInfo,
        /// What happened.
        news: News,
    },
    /// Somebody said something to a group, perhaps we.
    Message(GroupMessage),
    /// What was asked was not done.
    Refused(GroupRefusal),
}

/// What happened to a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// We made it.
    Created,
    /// Its creator made us a member.
    Joined,
    /// These came, and these are members no more.
    Members {
        /// The names of those who came.
        added: Vec<String>,
        /// The names of those who are gone.
        removed: Vec<String>,
    },
    /// We left it.
    Left,
    /// Its creator removed us.
    Expelled,
}

/// A group, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupInfo {
    /// Its id.
    pub id: GroupId,
    /// What it is called: not unique.
    pub name: String,
    /// How often it changed.
    pub epoch: u32,
    /// Whose it is.
    pub creator: Fingerprint,
    /// It is ours.
    pub own: bool,
    /// Everybody in it.
    pub members: Vec<MemberInfo>,
}

/// A member, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberInfo {
    /// The identity.
    pub fingerprint: Fingerprint,
    /// The name at the time of the invitation.
    pub nickname: String,
    /// In a group of ours: whether it was told how the group stands.
    pub told: bool,
}

/// Something that was said to a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMessage {
    /// To which group.
    pub group: GroupId,
    /// What that is called.
    pub name: String,
    /// Its id.
    pub id: MessageId,
    /// The member that said it: proven by its signature.
    pub sender: Fingerprint,
    /// What the member is called.
    pub nickname: String,
    /// What it said.
    pub text: String,
    /// When, by the sender's clock; not later than it came.
    pub sent: UnixMillis,
    /// The TTL it came with; 0 for one of ours.
    pub ttl: u8,
}

/// Why a group did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum GroupRefusal {
    /// The reasons that all messages share.
    #[error(transparent)]
    Message(#[from] Refusal),
    /// A group has no such name.
    #[error("a group's name has 1 to {MAX_NAME_CHARS} characters")]
    Name,
    /// There are too many groups.
    #[error("there are {MAX_GROUPS} groups already")]
    TooManyGroups,
    /// We are in no such group.
    #[error("there is no such group")]
    NoSuchGroup,
    /// Only the creator changes a group.
    #[error("only its creator can change the group")]
    NotOurs,
    /// Nobody of that id was heard, and no contact has it.
    #[error("nobody of that name was heard")]
    UnknownPeer,
    /// It is in the group already.
    #[error("that is a member already")]
    AlreadyMember,
    /// The group has no room for another member.
    #[error("the group has {MAX_MEMBERS} members already")]
    Full,
    /// Nobody in the group is that.
    #[error("the group has no such member")]
    NoSuchMember,
    /// The creator cannot be removed.
    #[error("that is you: leave the group instead")]
    CreatorStays,
    /// It changed as often as can be counted.
    #[error("the group cannot change any more")]
    Exhausted,
}

/// The groups of one engine.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) store: GroupStore,
    pub(super) tellings: Tellings,
    pub(super) seen: LruCache<([u8; 32], MessageId), ()>,
}

impl Default for Groups {
    fn default() -> Self {
        Self { store: GroupStore::default(), tellings: Tellings::default(), seen: LruCache::new(SEEN) }
    }
}

impl Groups {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.tellings.poll_timeout()
    }
}

/// What the node asks.
impl Engine {
    /// The groups we are in.
    pub fn groups(&self) -> Vec<GroupInfo> {
        self.groups.store.iter().map(|group| self.group_info(&group.state)).collect()
    }

    pub(super) fn group_command(&mut self, command: Command, now: Now) {
        let done = match command {
            Command::Create { name } => self.create_group(&name, now),
            Command::Invite { group, peer } => self.invite(group, peer, now),
            Command::Remove { group, member } => self.remove_member(group, member, now),
            Command::Leave { group } => self.leave_group(group),
            Command::Say { group, text } => self.say_to_group(group, &text, now),
        };
        if let Err(refusal) = done {
            self.emit(event::Event::Group(Event::Refused(refusal)));
        }
        self.run_groups(now);
    }

    fn create_group(&mut self, name: &str, now: Now) -> Result<(), GroupRefusal> {
        let name = name.trim();
        if !(1..=MAX_NAME_CHARS).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return Err(GroupRefusal::Name);
        }
        if self.groups.store.is_full() {
            return Err(GroupRefusal::TooManyGroups);
        }
        let mut id = GroupId([0; 16]);
        self.rng.fill_bytes(&mut id.0);
        let us = Member {
            fingerprint: self.identity.fingerprint(),
            signing_public: self.identity.signing_public(),
            nickname: cut(&self.config.nickname, MAX_MEMBER_NAME_LEN).to_owned(),
        };
        let state = GroupState {
            id,
            name: name.to_owned(),
            key: self.new_key(),
            epoch: 1,
            creator: us.fingerprint,
            members: vec![us],
            signature: [0; 64],
        };
        self.change_group(state, News::Created, now)
    }

    fn invite(&mut self, id: GroupId, peer: PeerId, now: Now) -> Result<(), GroupRefusal> {
        let state = self.own_group(id)?;
        let peer = self.peers.get(peer).ok_or(GroupRefusal::UnknownPeer)?;
        let member = Member {
            fingerprint: peer.fingerprint,
            signing_public: peer.signing_public,
            nickname: cut(&peer.nickname, MAX_MEMBER_NAME_LEN).to_owned(),
        };
        if state.member(member.fingerprint).is_some() || state.signer(&member.signing_public).is_some() {
            return Err(GroupRefusal::AlreadyMember);
        }
        if state.members.len() >= MAX_MEMBERS {
            return Err(GroupRefusal::Full);
        }
        let (invited, name) = (member.fingerprint, member.nickname.clone());
        let mut next = self.next_epoch(&state)?;
        next.members.push(member);
        self.change_group(next, News::Members { added: vec![name], removed: Vec::new() }, now)?;
        self.groups.tellings.tell(id, invited, true, now.instant);
        self.groups.store.invited(id, invited);
        self.keep_groups();
        Ok(())
    }

    fn remove_member(&mut self, id: GroupId, member: Fingerprint, now: Now) -> Result<(), GroupRefusal> {
        let state = self.own_group(id)?;
        if member == state.creator {
            return Err(GroupRefusal::CreatorStays);
        }
        let name = state.member(member).ok_or(GroupRefusal::NoSuchMember)?.nickname.clone();
        let mut next = self.next_epoch(&state)?;
        next.members.retain(|other| other.fingerprint != member);
        self.change_group(next, News::Members { added: Vec::new(), removed: vec![name] }, now)?;
        self.groups.store.removed(id, member);
        self.groups.tellings.tell(id, member, false, now.instant);
        self.keep_groups();
        Ok(())
    }

    fn leave_group(&mut self, id: GroupId) -> Result<(), GroupRefusal> {
        let state = self.groups.store.leave(id, Gone::Left).ok_or(GroupRefusal::NoSuchGroup)?;
        self.groups.tellings.forget(id);
        self.keep_groups();
        let group = self.group_info(&state);
        self.emit(event::Event::Group(Event::Changed { group, news: News::Left }));
        Ok(())
    }

    fn own_group(&self, id: GroupId) -> Result<GroupState, GroupRefusal> {
        let Group { state, .. } = self.groups.store.get(id).ok_or(GroupRefusal::NoSuchGroup)?;
        if state.creator != self.identity.fingerprint() {
            return Err(GroupRefusal::NotOurs);
        }
        Ok(state.clone())
    }

    /// The same group under a new key, to be changed and signed: whoever is no longer in it cannot read what follows.
    fn next_epoch(&mut self, state: &GroupState) -> Result<GroupState, GroupRefusal> {
        let epoch = state.epoch.checked_add(1).ok_or(GroupRefusal::Exhausted)?;
        Ok(GroupState { epoch, key: self.new_key(), ..state.clone() })
    }

    fn new_key(&mut self) -> GroupKey {
        let mut key = Zeroizing::new([0; 32]);
        self.rng.fill_bytes(key.as_mut_slice());
        GroupKey(key)
    }

    fn change_group(&mut self, mut state: GroupState, news: News, now: Now) -> Result<(), GroupRefusal> {
        if let Some(refusal) = self.clock_refusal(now) {
            return Err(refusal.into());
        }
        let preimage = state.signing_preimage().map_err(|_| GroupRefusal::Name)?;
        state.signature = self.identity.sign(&preimage);
        self.groups.store.set(state.clone(), now.unix);
        let others = state.members.iter().filter(|member| member.fingerprint != state.creator);
        for member in others {
            self.groups.tellings.changed(state.id, member.fingerprint, now.instant);
        }
        self.keep_groups();
        let group = self.group_info(&state);
        self.emit(event::Event::Group(Event::Changed { group, news }));
        Ok(())
    }

    fn say_to_group(&mut self, id: GroupId, text: &str, now: Now) -> Result<(), GroupRefusal> {
        match text.len() {
            0 => return Err(Refusal::Empty.into()),
            len if len > MAX_GROUP_TEXT_LEN => {
                return Err(Refusal::TooLong { len, max: MAX_GROUP_TEXT_LEN }.into());
            }
            _ => {}
        }
        if let Some(refusal) = self.clock_refusal(now) {
            return Err(refusal.into());
        }
        let state = self.groups.store.get(id).ok_or(GroupRefusal::NoSuchGroup)?.state.clone();
        let mut message = MessageId([0; 16]);
        self.rng.fill_bytes(&mut message.0);
        let payload = self.sealed(&state, message, text, now).ok_or(Refusal::NotPublic)?;
        let packet = self.unsigned(PacketType::GroupMessage, Aim::Everyone, payload.into(), now);
        if self.put(&packet, Aim::Everyone, now).is_none()
            && let Ok(frame) = packet.encode()
        {
            // Nobody is there to hear it: whoever comes is told.
            self.remember_own(&frame.into(), now);
        }
        self.emit(event::Event::Group(Event::Message(GroupMessage {
            group: id,
            name: state.name,
            id: message,
            sender: self.identity.fingerprint(),
            nickname: self.config.nickname.clone(),
            text: text.to_owned(),
            sent: now.unix,
            ttl: 0,
        })));
        Ok(())
    }

    fn sealed(&mut self, state: &GroupState, id: MessageId, text: &str, now: Now) -> Option<Vec<u8>> {
        let mut inner = GroupText {
            id: id.to_string(),
            sender: self.identity.signing_public(),
            nickname: cut(&self.config.nickname, MAX_MEMBER_NAME_LEN).to_owned(),
            sent: now.unix,
            content: text.to_owned(),
            signature: [0; 64],
        };
        inner.signature = self.identity.sign(&inner.signing_preimage(state.id, state.epoch));
        let mut nonce = [0; 12];
        self.rng.fill_bytes(&mut nonce);
        let associated = GroupEnvelope::associated(state.id, state.epoch);
        let ciphertext = seal(&state.key.0, &nonce, &associated, &inner.encode().ok()?).ok()?;
        let (group, epoch) = (state.id, state.epoch);
        GroupEnvelope { group, epoch, nonce, ciphertext: ciphertext.into() }.encode().ok()
    }
}
