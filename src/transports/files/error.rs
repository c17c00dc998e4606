//! Why a file did not arrive: what, where, and whether another try may help.

use std::io;
use std::path::{Path, PathBuf};

use iroh::endpoint::ConnectionError;

use super::frames::ReadFrameError;
use super::pipe::Cut;
use crate::mesh::media::event::Failure;
use crate::wire::file::Reason;
use crate::wire::{EncodeError, PayloadError};

/// A disk refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {path}: {source}", path = .path.display())]
pub struct DiskError {
    /// What was tried.
    pub action: &'static str,
    /// On which file or directory.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl DiskError {
    /// What turns a system's error into one that says where.
    pub fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { action, path: path.to_owned(), source }
    }
}

/// Why a file cannot be sent, whoever is to have it.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It cannot be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A directory, a device, a pipe.
    #[error("{path} is not a regular file; pack a directory into an archive first", path = .path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// It is not what it was when the transfer began.
    #[error("{path} has changed since it was offered; send it again as it is now", path = .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

/// Why a file was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The file here is at fault.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The receiver said no.
    #[error("{0}")]
    Declined(Reason),
    /// The receiver computed another hash, twice, the second time of the whole file sent anew.
    #[error("the receiver got other bytes than were sent, twice; check the disks and memory on both sides")]
    Corrupt,
    /// It was stopped here.
    #[error("cancelled")]
    Cancelled,
    /// There is no connection to send it over.
    #[error("not connected")]
    NotConnected,
    /// The connection was lost.
    #[error("the connection was lost: {0}")]
    Connection(#[from] ConnectionError),
    /// The stream was cut.
    #[error("the stream was cut: {0}")]
    Cut(Cut),
    /// The receiver ended the stream where an answer was due.
    #[error("the receiver stopped without a word")]
    Ended,
    /// The receiver did not take or say anything for too long.
    #[error("the receiver has been silent for too long")]
    Stalled,
    /// The receiver does not keep to the protocol.
    #[error("the receiver's answer is not understood: {0}")]
    Answer(#[from] PayloadError),
    /// A frame that is none.
    #[error("the receiver sent a frame of {len} bytes")]
    FrameTooLong {
        /// Its length.
        len: usize,
    },
    /// The offer cannot be written.
    #[error(transparent)]
    Offer(#[from] EncodeError),
    /// Over BitChat a file is one packet.
    #[error("it has {size} bytes, and over BitChat a file has at most 1048576{}", if *.waits { "; it waits for another way" } else { "" })]
    TooLargeForMesh {
        /// Its length.
        size: u64,
        /// Whether another way may come about.
        waits: bool,
    },
    /// The mesh could not carry it.
    #[error("{reason}{}", next_step(.0), reason = .0)]
    Mesh(Failure),
    /// The operating system gave no random bytes to name the attempt.
    #[error("the operating system gives no random bytes: {0}")]
    Random(rand_core::Error),
    /// The thread that reads the file is gone.
    #[error("the file's reader stopped; the log says why")]
    Reader,
}

impl SendError {
    /// Whether the same transfer may come through at another try.
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Declined(reason) => reason.is_passing(),
            Self::TooLargeForMesh { waits, .. } => *waits,
            Self::Mesh(reason) => !matches!(
                reason,
                Failure::NotTaken | Failure::ToSelf | Failure::Unfit(_) | Failure::NotSpeech(_)
            ),
            Self::NotConnected
            | Self::Connection(_)
            | Self::Cut(_)
            | Self::Ended
            | Self::Stalled
            | Self::Random(_)
            | Self::Reader => true,
            Self::Source(_)
            | Self::Corrupt
            | Self::Cancelled
            | Self::Answer(_)
            | Self::FrameTooLong { .. }
            | Self::Offer(_) => false,
        }
    }

    /// What the receiver is told.
    pub(super) const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Source(SourceError::Changed { .. }) => Some(Reason::Changed),
            Self::Source(_) => Some(Reason::Disk),
            Self::Cancelled => Some(Reason::Cancelled),
            Self::Answer(_) | Self::FrameTooLong { .. } => Some(Reason::Protocol),
            Self::Declined(_)
            | Self::Corrupt
            | Self::NotConnected
            | Self::Connection(_)
            | Self::Cut(_)
            | Self::Ended
            | Self::Stalled
            | Self::Offer(_)
            | Self::TooLargeForMesh { .. }
            | Self::Mesh(_)
            | Self::Random(_)
            | Self::Reader => None,
        }
    }
}

/// What to do where another try changes nothing.
const fn next_step(reason: &Failure) -> &'static str {
    match reason {
        Failure::NotTaken => {
            "; exchange contact cards, so that it can go another way, or send it to everyone, who can all read it"
        }
        Failure::Unfit(_)
        | Failure::NotSpeech(_)
        | Failure::ToSelf
        | Failure::NobodyNear
        | Failure::Busy
        | Failure::NoSession
        | Failure::Cut
        | Failure::TooSlow
        | Failure::Unanswered
        | Failure::ClockUnset => "",
    }
}

impl From<Cut> for SendError {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::Broken(code) => match Reason::from_code(code) {
                Some(reason) => Self::Declined(reason),
                None => Self::Cut(Cut::Broken(code)),
            },
            Cut::Connection(error) => Self::Connection(error),
            other @ (Cut::Closed | Cut::Mail) => Self::Cut(other),
        }
    }
}

impl From<ReadFrameError> for SendError {
    fn from(error: ReadFrameError) -> Self {
        match error {
            ReadFrameError::Silent => Self::Stalled,
            ReadFrameError::Ended => Self::Ended,
            ReadFrameError::TooLong { len } => Self::FrameTooLong { len },
            ReadFrameError::Stream(cut) => cut.into(),
        }
    }
}

/// Why a file was not received.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The disk here is at fault.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// It was declined here.
    #[error("{0}")]
    Declined(Reason),
    /// What came is not what was sent; it was thrown away.
    #[error("other bytes came than were sent; what came is thrown away")]
    Corrupt,
    /// It was stopped here.
    #[error("cancelled")]
    Cancelled,
    /// The sender stopped it.
    #[error("the sender stopped: {0}")]
    Stopped(Reason),
    /// The stream was cut; what came so far is kept.
    #[error("the stream was cut: {0}")]
    Read(Cut),
    /// So was the way back.
    #[error("the stream was cut: {0}")]
    Write(Cut),
    /// The sender ended the stream in the middle.
    #[error("the sender stopped in the middle without a word")]
    Ended,
    /// The sender was silent for too long.
    #[error("the sender has been silent for too long")]
    Stalled,
    /// The sender does not keep to the protocol.
    #[error("what the sender says is not understood: {0}")]
    Frame(#[from] PayloadError),
    /// A frame that is none.
    #[error("the sender sent a frame of {len} bytes")]
    FrameTooLong {
        /// Its length.
        len: usize,
    },
    /// The sender begins where nobody asked for it.
    #[error("the sender begins at byte {got}; {asked} was asked for")]
    Offset {
        /// What was asked for.
        asked: u64,
        /// Where it begins.
        got: u64,
    },
    /// The thread that writes the file is gone.
    #[error("the file's writer stopped; the log says why")]
    Writer,
}

impl ReceiveError {
    /// Whether what came so far is kept, and the sender may go on from there.
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Disk(_)
            | Self::Read(_)
            | Self::Write(_)
            | Self::Ended
            | Self::Stalled
            | Self::Corrupt
            | Self::Writer => true,
            Self::Declined(reason) | Self::Stopped(reason) => reason.is_passing(),
            Self::Cancelled | Self::Frame(_) | Self::FrameTooLong { .. } | Self::Offset { .. } => false,
        }
    }

    /// What the sender is told.
    pub(super) const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Disk(_) | Self::Writer => Some(Reason::Disk),
            Self::Declined(reason) => Some(*reason),
            Self::Cancelled => Some(Reason::Cancelled),
            Self::Frame(_) | Self::FrameTooLong { .. } | Self::Offset { .. } => Some(Reason::Protocol),
            Self::Corrupt
            | Self::Stopped(_)
            | Self::Read(_)
            | Self::Write(_)
            | Self::Ended
            | Self::Stalled => None,
        }
    }
}

impl ReceiveError {
    /// The sender's half was cut.
    pub(super) fn of_read(cut: Cut) -> Self {
        match cut {
            Cut::Broken(code) => match Reason::from_code(code) {
                Some(reason) => Self::Stopped(reason),
                None => Self::Read(Cut::Broken(code)),
            },
            other @ (Cut::Connection(_) | Cut::Closed | Cut::Mail) => Self::Read(other),
        }
    }
}

impl From<ReadFrameError> for ReceiveError {
    fn from(error: ReadFrameError) -> Self {
        match error {
            ReadFrameError::Silent => Self::Stalled,
            ReadFrameError::Ended => Self::Ended,
            ReadFrameError::TooLong { len } => Self::FrameTooLong { len },
            ReadFrameError::Stream(cut) => Self::of_read(cut),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_another_try_changes_nothing_the_sender_is_told_what_does() {
        let not_taken = SendError::Mesh(Failure::NotTaken);
        assert!(!not_taken.is_passing());
        let (why, what_now) = ("does not say that it takes private files; ", "exchange contact cards");
        assert!(not_taken.to_string().contains(&format!("{why}{what_now}")), "{not_taken}");
        assert_eq!(SendError::Mesh(Failure::NobodyNear).to_string(), "nobody is in range");
    }
}
