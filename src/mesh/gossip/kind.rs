//! The kinds of packet that are remembered, and what each asks for.

use std::time::Duration;

use super::config::{Config, Limit};
use crate::wire::PacketType;

/// What there is of notices is the board's business. They live a week, and so does what withdraws them.
const BOARD: Limit =
    Limit { count: usize::MAX, bytes: usize::MAX, age: Duration::from_secs(8 * 24 * 60 * 60) };

/// A kind of packet that neighbours tell each other of, in the order in which they are told: who is who comes before
/// what they said, and what is long comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Announce,
    Prekey,
    Message,
    Group,
    Board,
    Fragment,
    File,
}

impl Kind {
    pub(super) const ALL: [Self; 7] =
        [Self::Announce, Self::Prekey, Self::Message, Self::Group, Self::Board, Self::Fragment, Self::File];

    /// The kind of a packet, if packets of its type are remembered at all.
    pub(super) fn of(packet_type: PacketType) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.packet_type() == packet_type)
    }

    pub(super) fn packet_type(self) -> PacketType {
        match self {
            Self::Announce => PacketType::Announce,
            Self::Prekey => PacketType::PrekeyBundle,
            Self::Message => PacketType::Message,
            Self::Group => PacketType::GroupMessage,
            Self::Board => PacketType::BoardPost,
            Self::Fragment => PacketType::Fragment,
            Self::File => PacketType::FileTransfer,
        }
    }

    pub(super) fn limit(self, config: &Config) -> Limit {
        match self {
            Self::Announce => config.announces,
            Self::Prekey => config.prekeys,
            Self::Message => config.messages,
            Self::Group => config.groups,
            Self::Board => BOARD,
            Self::Fragment => config.fragments,
            Self::File => config.files,
        }
    }

    /// Whether a packet of this kind is remembered only when its signature was verified. Others are never signed: a
    /// fragment proves itself once it is put together, a group's message to its members. A notice is signed inside.
    pub(super) fn must_be_proven(self) -> bool {
        !matches!(self, Self::Fragment | Self::Group | Self::Board)
    }

    /// Whether a newer one makes an older one of the same author worthless.
    pub(super) fn newest_counts(self) -> bool {
        matches!(self, Self::Announce | Self::Prekey)
    }

    /// Whether it is written down here: what is long and worth something for a quarter of an hour only is not, and
    /// the board does so itself.
    pub(super) fn is_kept(self) -> bool {
        !matches!(self, Self::Fragment | Self::File | Self::Board)
    }
}
