//! The Noise handshakes, over snow; no Noise code of our own.
//!
//! XX between two phones or nodes (BitChat, spec 3.4), [`xk`] between a client and an HTX relay, with a secret of
//! its own or without, and one-way `x` for what waits in a mailbox. Randomness is handed in: a handshake draws its ephemeral key once and no more.

mod message;
mod resolver;
mod split;
pub(super) mod x;
pub mod xk;
mod xx;

pub use split::Split;
pub use xx::{Established, Initiator, MESSAGE_1_LEN, MESSAGE_2_LEN, MESSAGE_3_LEN, Refused, Responder};
