//! What clients and relays say to each other inside a tunnel: mailboxes, and the relay's own record
//! (betanet-htx 16.2).
//!
//! ```text
//! length of what follows (u32, at most 1,312,768) ‖ DET-CBOR map {0: op or status, 1…: fields, signature last}
//! ```
//!
//! One [`Request`] per stream, and one [`Answer`] to it. What the owner of a mailbox asks is signed with the
//! mailbox's key over the exporter of the tunnel, so that it counts in that tunnel only.

mod answer;
mod error;
mod framing;
mod request;

pub use answer::{Answer, Page};
pub use error::MailboxError;
pub use framing::{Frames, MAX_FRAME_LEN};
pub use request::{MAX_ENVELOPE_LEN, Op, Request, address};

/// The most envelopes of one answer, and the most ids of one acknowledgement: as many as a mailbox holds.
pub const MAX_PAGE: usize = 4096;
