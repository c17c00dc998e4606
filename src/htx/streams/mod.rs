//! The streams of one tunnel: who may open which, what waits on each, and how much may be sent (HTX spec 8).
//!
//! [`Streams`] knows no key and no clock. It takes the content of STREAM and WINDOW_UPDATE frames and gives what is
//! to be sealed into such frames.

mod inbound;
mod outbound;
mod table;
mod window;

pub(in crate::htx) use table::{Outgoing, Streams};
