//! Who is let in: the one place where a relay looks at what a request to the tunnel path shows (betanet-htx 4, 5).
//!
//! A [`Gate`] belongs to one task. Every POST to the tunnel path is brought before it, with or without a ticket: each
//! costs a token of its source's bucket, and, if there was one, exactly one operation on the curve, so that neither the
//! work nor its time tells a visitor from a client. What it refuses is answered as the decoy answers.

mod admission;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod replay;
mod sessions;
mod verdict;

pub use admission::{Gate, GateConfig};
pub use replay::ReplayEntry;
pub use sessions::SessionCookie;
pub use verdict::{Refusal, Verdict};
