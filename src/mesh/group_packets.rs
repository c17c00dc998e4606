//! What others send for private groups, and what their members are told.

use super::egress::Aim;
use super::engine::Engine;
use super::error::DropReason;
use super::event;
use super::group_store::{Change, Group, Handed, Opened, Us};
use super::group_telling::Due;
use super::groups::{Event, GroupInfo, GroupMessage, MemberInfo, News};
use super::kept::Kept;
use crate::ids::{Fingerprint, GroupId, MessageId, PeerId};
use crate::nickname;
use crate::time::Now;
use crate::wire::{GroupEnvelope, GroupKey, GroupState, Member, NoisePayload, Packet};

impl Engine {
    /// A message of some group. Whoever is no member passes it on unread, and so does a member who cannot read it: others
    /// may have another key.
    pub(super) fn group_packet(&mut self, packet: &Packet, ttl: u8, now: Now) -> Result<(), DropReason> {
        let envelope = GroupEnvelope::decode(&packet.payload).map_err(|_| DropReason::Payload)?;
        match self.group_message(envelope, ttl, now) {
            Err(reason @ (DropReason::GroupStale | DropReason::GroupForged | DropReason::Undecryptable)) => {
                self.counters.drop(reason);
                Ok(())
            }
            read => read,
        }
    }

    fn group_message(&mut self, envelope: GroupEnvelope, ttl: u8, now: Now) -> Result<(), DropReason> {
        let (text, member) = match self.groups.store.open(&envelope, self.us(), now.unix)? {
            Opened::Text { text, member } => (text, member),
            // What we may yet be told the key of is remembered as everything said to a group is.
            Opened::Own | Opened::Foreign | Opened::Later => return Ok(()),
        };
        let id = MessageId::from_wire(&text.id);
        if self.groups.seen.put((text.sender, id), ()).is_some() {
            return Err(DropReason::Duplicate);
        }
        let Some(Group { state, .. }) = self.groups.store.get(envelope.group) else { return Ok(()) };
        let (name, current) = (nickname::received(&state.name), state.epoch == envelope.epoch);
        if current {
            self.groups.tellings.knows(envelope.group, member.fingerprint);
            self.groups.store.settled(envelope.group, member.fingerprint);
            self.keep_groups();
        }
        if self.trust.is_blocked(member.fingerprint) {
            self.counters.drop(DropReason::Blocked);
            return Ok(());
        }
        self.emit(event::Event::Group(Event::Message(GroupMessage {
            group: envelope.group,
            name,
            id,
            sender: member.fingerprint,
            nickname: nickname::received(if member.nickname.is_empty() {
                &text.nickname
            } else {
                &member.nickname
            }),
            text: text.content,
            sent: text.sent.min(now.unix),
            ttl,
        })));
        Ok(())
    }

    /// A state of a group, out of a session.
    pub(super) fn group_state(&mut self, peer: PeerId, state: GroupState, invitation: bool, now: Now) {
        if let Err(reason) = self.try_group_state(peer, state, invitation, now) {
            self.counters.drop(reason);
        }
    }

    fn try_group_state(
        &mut self,
        peer: PeerId,
        state: GroupState,
        invitation: bool,
        now: Now,
    ) -> Result<(), DropReason> {
        let by = self.sessions.fingerprint(peer).ok_or(DropReason::GroupForged)?;
        let known = self.peers.get(peer);
        let signs_so = |key: &[u8; 32]| known.is_none_or(|peer| peer.signing_public == *key);
        if !state.member(by).is_some_and(|creator| signs_so(&creator.signing_public)) {
            return Err(DropReason::GroupForged);
        }
        let handed = Handed { by, invitation, known: known.is_some_and(|peer| peer.is_contact()) };
        let (id, epoch) = (state.id, state.epoch);
        let change = self.groups.store.take(state.clone(), self.us(), handed, now.unix);
        self.keep_groups();
        let mut has_new_key = true;
        let (shown, news) = match change? {
            Change::Nothing => return Ok(()),
            Change::Joined => (state, News::Joined),
            Change::Changed(before) => {
                has_new_key = before.epoch < epoch;
                let news = members_news(&before, &state);
                (state, news)
            }
            Change::Expelled(before) => (*before, News::Expelled),
        };
        let group = self.group_info(&shown);
        self.emit(event::Event::Group(Event::Changed { group, news }));
        if has_new_key {
            self.read_group_again(id, epoch, now);
        }
        Ok(())
    }

    /// Shows what was said under a key before we had it, in this run or an earlier one.
    fn read_group_again(&mut self, group: GroupId, epoch: u32, now: Now) {
        for packet in self.gossip.group_messages() {
            let Ok(envelope) = GroupEnvelope::decode(&packet.payload) else { continue };
            if (envelope.group, envelope.epoch) == (group, epoch)
                && let Err(reason) = self.group_message(envelope, packet.ttl, now)
            {
                self.counters.drop(reason);
            }
        }
    }

    /// Somebody is there, or a session with it stands.
    pub(super) fn met_member(&mut self, peer: PeerId, now: Now) {
        self.groups.tellings.met(peer, now.instant);
        self.run_groups(now);
    }

    /// Tells the members of our groups what they have to be told.
    pub(super) fn run_groups(&mut self, now: Now) {
        // What is said in a session arrives where the peer is: a session outlasts who is gone.
        let hears = |peer| self.peers.is_present(peer) && self.sessions.stands(peer, now.instant);
        let mut dues: Vec<Due> = Vec::new();
        while let Some(due) = self.groups.tellings.pop_due(now.instant, hears) {
            dues.push(due);
        }
        for due in dues {
            self.tell_member(due, now);
        }
    }

    fn tell_member(&mut self, Due { group, to, invitation }: Due, now: Now) {
        let peer = to.peer_id();
        if !self.peers.is_present(peer) {
            return;
        }
        if !self.sessions.stands(peer, now.instant) {
            return self.greet(peer, now);
        }
        let Some(Group { state, .. }) = self.groups.store.get(group) else { return };
        let mut state = state.clone();
        if state.member(to).is_none() {
            // Who is out is told so, and not the key.
            state.key = GroupKey::none();
            let Ok(preimage) = state.signing_preimage() else { return };
            state.signature = self.identity.sign(&preimage);
            if self.groups.tellings.is_done(group, to) {
                self.groups.tellings.knows(group, to);
                self.groups.store.settled(group, to);
            }
        } else if invitation && self.groups.tellings.was_asked(group, to) {
            self.groups.store.settled(group, to);
        }
        self.keep_groups();
        let state = Box::new(state);
        let payload = match invitation {
            true => NoisePayload::GroupInvite(state),
            false => NoisePayload::GroupKeyUpdate(state),
        };
        self.send_inner(Aim::Peer(peer), peer, &payload, now);
    }

    /// Takes back a group that an earlier run kept; false when it is worth nothing.
    pub(super) fn restore_group(&mut self, kept: &Kept, now: Now) -> bool {
        if !self.groups.store.restore(&kept.key, &kept.value) {
            return false;
        }
        let us = self.identity.fingerprint();
        let own = self.groups.store.iter().filter(|group| group.state.creator == us);
        let tellings: Vec<(GroupId, Fingerprint, bool)> = own
            .filter(|group| group.state.id.0.as_slice() == kept.key)
            .flat_map(|Group { state, removed, invited, .. }| {
                let members = state.members.iter().map(|member| member.fingerprint);
                members
                    .chain(removed.iter().copied())
                    .map(|member| (state.id, member, invited.contains(&member)))
            })
            .filter(|(_, member, _)| *member != us)
            .collect();
        for (group, member, invitation) in tellings {
            self.groups.tellings.tell(group, member, invitation, now.instant);
        }
        true
    }

    pub(super) fn keep_groups(&mut self) {
        let changes = self.groups.store.take_changes();
        self.keep_all(changes);
    }

    fn us(&self) -> Us {
        Us { fingerprint: self.identity.fingerprint(), signing_public: self.identity.signing_public() }
    }

    pub(super) fn group_info(&self, state: &GroupState) -> GroupInfo {
        let own = state.creator == self.identity.fingerprint();
        let told = |member: &Member| !own || self.groups.tellings.was_told(state.id, member.fingerprint);
        let info = |member: &Member| MemberInfo {
            fingerprint: member.fingerprint,
            nickname: nickname::received(&member.nickname),
            told: told(member),
        };
        GroupInfo {
            id: state.id,
            name: nickname::received(&state.name),
            epoch: state.epoch,
            creator: state.creator,
            own,
            members: state.members.iter().map(info).collect(),
        }
    }
}

/// Who came and who went from one state to the next.
fn members_news(before: &GroupState, after: &GroupState) -> News {
    let missing = |from: &GroupState, of: &GroupState| -> Vec<String> {
        let gone = of.members.iter().filter(|member| from.member(member.fingerprint).is_none());
        gone.map(|member| nickname::received(&member.nickname)).collect()
    };
    News::Members { added: missing(before, after), removed: missing(after, before) }
}
