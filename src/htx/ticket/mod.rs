//! Tickets: how a client that has a relay's record shows that it has it, in the disguise of a cookie, a query or a
//! form, which nobody else can recognise (betanet-htx 4).
//!
//! ```text
//! 01 ‖ client's X25519 key (32) ‖ id of the relay's ticket key (8) ‖ nonce (32) ‖ ticket (32) ‖ padding (24 to 64)
//! ```
//!
//! The ticket itself is made from the secret that the two keys agree on and the hour of the UTC day: [`issue`] makes
//! one, `htx::gate` checks it.

mod carrier;
mod error;
mod issue;
mod payload;
mod policy;
mod secret;

pub(super) use carrier::Found;
pub use carrier::{Carrier, FORM_NAME, Presented};
pub use error::{IssueError, PolicyError};
pub use issue::{Issued, issue};
pub use payload::{MAX_TICKET_TEXT, MIN_TICKET_TEXT, PADDING};
pub(super) use payload::{Payload, access, tunnel_id};
pub use policy::Policy;
pub use secret::TicketSecret;
pub(super) use secret::{hour_of, start_of_hour};
