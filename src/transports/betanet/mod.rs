//! Mail through relays that look like web sites: HTX underneath, one tunnel to each relay, and a mailbox at one of
//! ours whose address and deposit token stand on our contact card.
//!
//! [`start`] makes a running transport; [`BetanetHandle`] is what the node needs of it beyond the transport port.
//! One task, the driver, owns every relay's and every message's state; each tunnel has a task of its own, the line,
//! which takes requests and brings answers.
//!
//! **Out.** A message is sealed for its recipient and left in the recipient's mailbox, over our tunnel if that is at
//! a relay of ours, else over a tunnel to the relay that the recipient's card names. It is *sent* when the relay has
//! it on disk, and *delivered* when the recipient's receipt came, an envelope in our own mailbox. What lies in a
//! mailbox is not left there again for ten minutes, and then ever more rarely.
//!
//! **In.** Our mailboxes are looked into when a tunnel stands, and then again and again: every 0.4 s for a minute
//! after something came or went, every 2 s for ten minutes, every 5 s from then on ([`Cadence`]). An envelope is
//! deleted there when the node has the message on disk. Whoever has our card can leave mail; what people leave who
//! are blocked is thrown away.
//!
//! **Prekeys.** Who wrote gets eight keys with the receipt, for them alone; their next messages are sealed to those, each
//! to another, and a key is destroyed when its message is on disk ([`crate::crypto::envelope`], kind 1). Without one
//! left, and for a second copy of a message, it is the static key.
//!
//! **Files.** A contact whose mailbox is reached is sent files too: as a stream made of letters ([`stream`]) with at
//! most 8 MiB that the other side has not taken.
//!
//! **Which relay.** Up to three of ours are called in the order of preference: one is in use and one warm, as
//! `htx::paths` decides. Our card names the mailbox at the first that answers, and another only when that one was
//! away for a minute; mail in a mailbox that older cards name is still fetched.

mod calls;
mod config;
mod contact;
mod driver;
mod handle;
mod incoming;
mod job;
mod line;
mod lodging;
mod mail;
mod prekeys;
mod presence;
mod sending;
mod sent;
mod start;
mod station;
pub mod stream;
mod streams;

pub use config::{Cadence, Config, MAX_RELAYS};
pub use contact::Contact;
pub use handle::{BetanetHandle, BetanetStatus, MailboxStatus, NewRecord, Part, Presence, RelayStatus};
pub use start::{Setup, start};
