//! What people and programs ask about contacts.

use bytes::Bytes;

use super::book::{Change, Contacts};
use super::contact::ContactInfo;
use super::error::ContactError;
use super::met::Met;
use super::own::Form;
use crate::ids::Fingerprint;
use crate::wire::ReceivedCard;

/// A question or a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContactRequest {
    /// Everybody, offers included.
    List,
    /// One person.
    Get {
        /// Who.
        fingerprint: Fingerprint,
    },
    /// Our own card.
    OwnCard {
        /// How much of it.
        form: Form,
    },
    /// Add whoever this card is of.
    Add {
        /// The card as a link, or what stands behind its prefix.
        link: String,
        /// The name to give, instead of the one in the card.
        name: Option<String>,
    },
    /// Add somebody who offered a card.
    Accept {
        /// Who.
        fingerprint: Fingerprint,
        /// The name to give, instead of the one in the card.
        name: Option<String>,
    },
    /// Decide something about a person.
    Edit {
        /// Who.
        fingerprint: Fingerprint,
        /// What.
        edit: ContactEdit,
    },
    /// Decide something about somebody met on the mesh, who is not in the book yet.
    Meet {
        /// Who.
        met: Met,
        /// What.
        edit: ContactEdit,
    },
    /// Know a person no more.
    Remove {
        /// Who.
        fingerprint: Fingerprint,
    },
}

/// What to decide about a person; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContactEdit {
    /// Another name.
    pub name: Option<String>,
    /// The keys were compared.
    pub verified: Option<bool>,
    /// A favourite.
    pub favourite: Option<bool>,
    /// Nothing is taken from this person.
    pub blocked: Option<bool>,
}

/// The answer to a [`ContactRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContactAnswer {
    /// Everybody.
    List(Vec<ContactInfo>),
    /// The person in question, as they are from now on.
    Contact(Box<ContactInfo>),
    /// Our own card, encoded.
    OwnCard(Bytes),
    /// The person is known no more.
    Removed,
}

impl ContactEdit {
    /// Whether it says something that only a contact can be.
    pub(super) fn is_for_contacts(&self) -> bool {
        self.name.is_some() || self.verified.is_some() || self.favourite.is_some()
    }
}

impl Contacts {
    /// Answers a request. The answer is true once the change is applied.
    pub fn answer(&self, request: ContactRequest) -> Result<(ContactAnswer, Change), ContactError> {
        match request {
            ContactRequest::List => {
                let everybody = self.people().map(|contact| self.info(contact)).collect();
                Ok((ContactAnswer::List(everybody), Change::default()))
            }
            ContactRequest::Get { fingerprint } => self.person(fingerprint, Change::default()),
            ContactRequest::OwnCard { form } => {
                let card = self.own_card().ok_or(ContactError::NoCard)?;
                Ok((ContactAnswer::OwnCard(card.form(form).clone()), Change::default()))
            }
            ContactRequest::Add { link, name } => {
                let received = ReceivedCard::from_link(&link)?;
                let fingerprint = received.card().fingerprint();
                self.person(fingerprint, self.add(received, name.as_deref())?)
            }
            ContactRequest::Accept { fingerprint, name } => {
                self.person(fingerprint, self.accept(fingerprint, name.as_deref())?)
            }
            ContactRequest::Edit { fingerprint, edit } => {
                let (contact, change) = self.edit(fingerprint, &edit)?;
                Ok((ContactAnswer::Contact(Box::new(self.info(&contact))), change))
            }
            ContactRequest::Meet { met, edit } => {
                let (contact, change) = self.meet(&met, &edit)?;
                Ok((ContactAnswer::Contact(Box::new(self.info(&contact))), change))
            }
            ContactRequest::Remove { fingerprint } => Ok((ContactAnswer::Removed, self.remove(fingerprint)?)),
        }
    }

    /// A person as they are after a change.
    fn person(
        &self,
        fingerprint: Fingerprint,
        change: Change,
    ) -> Result<(ContactAnswer, Change), ContactError> {
        let info = match &change.put {
            Some(contact) => self.info(contact),
            None => self.info(self.get(fingerprint)?),
        };
        Ok((ContactAnswer::Contact(Box::new(info)), change))
    }
}
