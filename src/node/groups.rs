//! Private groups, as the rest of the program uses them.

use super::error::SendError;
use super::handle::{NodeHandle, Stopped};
use crate::ids::{Fingerprint, GroupId};
use crate::mesh::event;
use crate::mesh::groups::{Command, Event, GroupInfo, GroupMessage, GroupRefusal};
use crate::message::Recipient;

/// Why something about groups was not done.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// The mesh refused.
    #[error(transparent)]
    Refused(#[from] GroupRefusal),
    /// The name leads to no one person.
    #[error(transparent)]
    Name(#[from] SendError),
    /// Everyone is no member.
    #[error("a group's members are invited one by one")]
    Everyone,
    /// The node is stopping.
    #[error(transparent)]
    Stopping(#[from] Stopped),
}

impl NodeHandle {
    /// The groups this node is in.
    pub async fn groups(&self) -> Result<Vec<GroupInfo>, Stopped> {
        self.bitchat.groups().await.ok_or(Stopped)
    }

    /// Makes a group.
    pub async fn create_group(&self, name: String) -> Result<GroupInfo, GroupError> {
        self.change(Command::Create { name }).await
    }

    /// Makes somebody a member of a group of ours; the key goes to them once they are there.
    pub async fn invite(&self, group: GroupId, whom: &str) -> Result<GroupInfo, GroupError> {
        let Recipient::Peer(peer) = self.resolve(whom).await? else { return Err(GroupError::Everyone) };
        self.change(Command::Invite { group, peer }).await
    }

    /// Ends somebody's membership of a group of ours.
    pub async fn remove_member(&self, group: GroupId, member: Fingerprint) -> Result<GroupInfo, GroupError> {
        self.change(Command::Remove { group, member }).await
    }

    /// Ends our own membership.
    pub async fn leave_group(&self, group: GroupId) -> Result<GroupInfo, GroupError> {
        self.change(Command::Leave { group }).await
    }

    /// Says something to a group.
    pub async fn say_to_group(&self, group: GroupId, text: String) -> Result<GroupMessage, GroupError> {
        for event in self.ask_groups(Command::Say { group, text }).await? {
            match event {
                Event::Message(message) => return Ok(message),
                Event::Refused(refusal) => return Err(refusal.into()),
                Event::Changed { .. } => {}
            }
        }
        Err(Stopped.into())
    }

    async fn change(&self, command: Command) -> Result<GroupInfo, GroupError> {
        for event in self.ask_groups(command).await? {
            match event {
                Event::Changed { group, .. } => return Ok(group),
                Event::Refused(refusal) => return Err(refusal.into()),
                Event::Message(_) => {}
            }
        }
        Err(Stopped.into())
    }

    async fn ask_groups(&self, command: Command) -> Result<Vec<Event>, Stopped> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "an answer of the groups is one of their events")]
        let of_groups = |event| match event {
            event::Event::Group(event) => Some(event),
            _ => None,
        };
        self.ask_engine(event::Command::Group(command), of_groups).await
    }
}
