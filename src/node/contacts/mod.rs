//! Who this node's owner knows: cards of others, people met on the mesh, and our own card and code.
//!
//! [`Contacts`] is a plain value that the node's task owns. Every question and every card is answered with a
//! [`Change`]; the node writes it to disk first and hands it to [`Contacts::apply`] then, so that nothing is
//! true in memory that a restart would not know.

mod book;
mod code;
mod contact;
mod error;
mod met;
mod own;
mod petname;
mod request;
mod safety;

pub use book::{Change, ContactEvent, Contacts, MAX_CONTACTS, MAX_OFFERS};
pub use code::{CODE_LIFETIME, own_code};
pub use contact::{Contact, ContactInfo};
pub use error::{ContactError, KeyKind};
pub use met::Met;
pub use own::{Form, Own, OwnCard, Said, own_card};
pub use request::{ContactAnswer, ContactEdit, ContactRequest};
