//! Who this node's owner knows: cards of others, and our own.
//!
//! [`Contacts`] is a plain value that the node's task owns. Every question and every card is answered with a
//! [`Change`]; the node writes it to disk first and hands it to [`Contacts::apply`] then, so that nothing is
//! true in memory that a restart would not know.

mod book;
mod contact;
mod error;
mod own;
mod petname;
mod request;
mod safety;

pub use book::{Change, ContactEvent, Contacts, MAX_CONTACTS, MAX_OFFERS};
pub use contact::{Contact, ContactInfo};
pub use error::{ContactError, KeyKind};
pub use own::{Form, Own, OwnCard, Said, own_card};
pub use request::{ContactAnswer, ContactEdit, ContactRequest};
