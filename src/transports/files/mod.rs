//! Files of any size, each on a stream of its own, which is QUIC's or made of letters ([`Outlet`], [`Inlet`]): resumed
//! where a cut left them, compared by their hash.
//!
//! [`send`] offers a [`Source`] and carries it; [`Incoming`] is the other end: it is read, judged by its
//! [`Incoming::offer`], and declined or received into a [`Directory`]. A file counts as received when whoever keeps
//! the records has written down [`Placed`]; then [`Placed::confirm`] tells the sender. `wire::file` has the frames.
//!
//! Disk and hash have a blocking thread on each side, a bounded number of blocks away from the network; a
//! third brings what arrived to disk every [`SYNC_STEP`] bytes. The disk fetches whole blocks itself where it can,
//! so that little is left to be brought there at the end. Nothing here knows contacts or a database.

mod block;
mod directory;
mod error;
mod frames;
mod incoming;
mod offers;
mod outgoing;
mod partial;
mod pipe;
mod progress;
mod source;
mod span;

pub use directory::Directory;
pub use error::{DiskError, ReceiveError, SendError, SourceError};
pub use incoming::{Incoming, Placed};
pub use offers::FileOffer;
pub(super) use offers::{Taker, hand_on, listen};
pub use outgoing::{send, send_over};
pub use partial::SYNC_STEP;
pub use pipe::{Cut, Inlet, Outlet, Way};
pub use progress::Progress;
pub use source::{Source, Stamp};

/// Bytes that go between network and disk at once: few enough to stay in a processor's cache between what is done with
/// them, enough that handing them from thread to thread costs little.
const BLOCK: usize = 512 * 1024;
/// Blocks that may wait between the two.
const READ_AHEAD: usize = 4;
/// How long what came may wait for the rest of its block.
const PULSE: std::time::Duration = std::time::Duration::from_secs(1);
/// How long the other side may be silent in the middle of a file.
const STALL: std::time::Duration = std::time::Duration::from_secs(120);
/// How long the receiver may think about an offer: a person may have to say yes.
const THINKING: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
/// The same where nobody knows whether the receiver is there: it is offered again then, for one that came back
/// meanwhile and forgot it.
const MAIL_THINKING: std::time::Duration = std::time::Duration::from_secs(10 * 60);
/// How long it may take to hash what it has, which for a large file on a slow disk is minutes.
const HASHING: std::time::Duration = std::time::Duration::from_secs(15 * 60);
