//! Mail for who is away (spec 3.11): left with people we meet, carried for people we trust, handed over, opened.
//!
//! A node is all three. As the origin of a text it leaves sealed copies with up to three couriers, and the text stays
//! in the outbox until its receipt comes. As a courier it holds a bounded number of envelopes of people it trusts,
//! shares its copies with other couriers, and hands over to the recipient. As the recipient it opens them.

mod carried;
mod deposits;
pub mod event;
mod limits;
mod opened;
mod report;
mod turn;

pub(super) use carried::Carried;
pub(super) use deposits::Deposits;
pub use limits::Limits;
pub(super) use opened::OpenedMail;
pub use report::{Counts, Report};
