//! Our own card, as it was last made.

use bytes::Bytes;

use crate::crypto::Identity;
use crate::time::UnixMillis;
use crate::wire::{Card, DirectAddress, EncodeError, MAX_ADDRESSES, Mailbox, ReceivedCard};

/// Serials that one making of cards takes: one for each [`Form`].
const FORMS: u64 = 4;

/// What of our own side outlives a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// The generation of the direct subkey and of the mailbox's deposit token; raised when somebody must no
    /// longer find us.
    pub generation: u32,
    /// The serial of the last card made.
    pub serial: u64,
    /// That card; `None` before the first one of a run, or when it names a subkey that is no longer ours.
    pub card: Option<OwnCard>,
}

/// What our card says beside our keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// The name we want to be shown with.
    pub nickname: String,
    /// Where we are found over IP.
    pub direct: Option<DirectAddress>,
    /// Where mail for us can be left.
    pub mailbox: Option<Mailbox>,
}

/// How much of it a card says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// With the ways to reach us over IP.
    pub addresses: bool,
    /// With our mailbox.
    pub mailbox: bool,
}

impl Form {
    /// What contacts get.
    pub const FULL: Self = Self { addresses: true, mailbox: true };

    /// How far its serial is below that of the full card: a card with more in it counts as newer, so that
    /// whoever took one takes the fuller one too when it comes.
    const fn below(self) -> u64 {
        match (self.addresses, self.mailbox) {
            (true, true) => 0,
            (false, true) => 1,
            (true, false) => 2,
            (false, false) => 3,
        }
    }
}

/// Our card in all its forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCard {
    full: Bytes,
    without_addresses: Bytes,
    without_mailbox: Bytes,
    bare: Bytes,
}

impl OwnCard {
    /// The card in one form.
    pub const fn form(&self, form: Form) -> &Bytes {
        match (form.addresses, form.mailbox) {
            (true, true) => &self.full,
            (false, true) => &self.without_addresses,
            (true, false) => &self.without_mailbox,
            (false, false) => &self.bare,
        }
    }
}

impl Own {
    /// The state after a card with this content; `None` when the last card says the same.
    pub(super) fn next(
        &self,
        identity: &Identity,
        said: &Said,
        now: UnixMillis,
    ) -> Result<Option<Self>, EncodeError> {
        let serial = now.0.max(self.serial.saturating_add(FORMS));
        let make = |addresses, mailbox| {
            let form = Form { addresses, mailbox };
            let said = Said {
                nickname: said.nickname.clone(),
                direct: said.direct.clone().filter(|_| addresses),
                mailbox: said.mailbox.clone().filter(|_| mailbox),
            };
            own_card(identity, said, serial.saturating_sub(form.below()))
        };
        let full = make(true, true)?;
        if let Some(last) = &self.card
            && is_same_but_serial(&last.full, &full)
        {
            return Ok(None);
        }
        let card = OwnCard {
            full,
            without_addresses: make(false, true)?,
            without_mailbox: make(true, false)?,
            bare: make(false, false)?,
        };
        Ok(Some(Self { generation: self.generation, serial, card: Some(card) }))
    }
}

/// Our card, signed. More addresses than a card has are left out, the last first.
pub fn own_card(identity: &Identity, said: Said, serial: u64) -> Result<Bytes, EncodeError> {
    let (noise, signing) = (identity.noise_public(), identity.signing_public());
    let mut card = Card::new(serial, said.nickname, noise, signing, said.direct);
    card.mailbox = said.mailbox;
    if let Some(direct) = &mut card.direct {
        direct.addresses.truncate(MAX_ADDRESSES);
    }
    card.encode(|preimage| identity.sign(preimage))
}

fn is_same_but_serial(last: &Bytes, next: &Bytes) -> bool {
    let content = |bytes| {
        let mut card = ReceivedCard::decode(bytes).ok()?.card().clone();
        card.serial = 0;
        Some(card)
    };
    content(last).is_some_and(|last| content(next) == Some(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity::from_bytes(&[1; 64])
    }

    fn direct(addresses: usize) -> DirectAddress {
        DirectAddress {
            generation: 0,
            key: [3; 32],
            addresses: vec!["[2001:db8::1]:7000".parse().unwrap(); addresses],
            relays: vec!["r".repeat(200); 3],
        }
    }

    fn said(nickname: &str, addresses: Option<usize>) -> Said {
        Said { nickname: nickname.to_owned(), direct: addresses.map(direct), mailbox: None }
    }

    fn mailbox() -> Mailbox {
        Mailbox { address: [4; 32], token: [5; 16], provider: Bytes::from_static(&[6; 1200]) }
    }

    fn card(bytes: &Bytes) -> Card {
        ReceivedCard::decode(bytes).unwrap().card().clone()
    }

    fn all(own: &Own) -> Vec<Card> {
        let own = own.card.as_ref().unwrap();
        [(false, false), (true, false), (false, true), (true, true)]
            .map(|(addresses, mailbox)| card(own.form(Form { addresses, mailbox })))
            .to_vec()
    }

    #[test]
    fn a_card_with_more_in_it_is_newer_than_one_with_less_and_older_than_the_next_making() {
        let nothing =
            Own::default().next(&identity(), &said("ada", None), UnixMillis(1000)).unwrap().unwrap();
        let everything = Said { mailbox: Some(mailbox()), ..said("ada", Some(1)) };
        let next = nothing.next(&identity(), &everything, UnixMillis(1000)).unwrap().unwrap();
        let serials: Vec<u64> = all(&nothing).into_iter().chain(all(&next)).map(|card| card.serial).collect();
        assert_eq!(serials, [997, 998, 999, 1000, 1001, 1002, 1003, 1004]);
        let has: Vec<(bool, bool)> =
            all(&next).iter().map(|card| (card.direct.is_some(), card.mailbox.is_some())).collect();
        assert_eq!(has, [(false, false), (true, false), (false, true), (true, true)]);
    }

    #[test]
    fn the_same_content_makes_no_new_card() {
        let next = |own: &Own, said| own.next(&identity(), &said, UnixMillis(900)).unwrap();
        let own = next(&Own::default(), said("ada", Some(1))).unwrap();
        assert_eq!(next(&own, said("ada", Some(1))), None);
        assert!(next(&own, said("eve", Some(1))).is_some());
        assert!(next(&own, said("ada", Some(2))).is_some());
        assert!(next(&own, Said { mailbox: Some(mailbox()), ..said("ada", Some(1)) }).is_some());
    }

    #[test]
    fn a_clock_that_went_back_does_not_make_an_older_card() {
        let own = Own { serial: 1_000_000, ..Own::default() };
        let next = own.next(&identity(), &said("ada", None), UnixMillis(5)).unwrap().unwrap();
        assert_eq!(next.serial, 1_000_004);
    }

    #[test]
    fn more_addresses_than_a_card_has_are_left_out_from_the_end() {
        let addresses = |count| {
            let made = own_card(&identity(), said("ada", Some(count)), 5).unwrap();
            card(&made).direct.unwrap().addresses.len()
        };
        assert_eq!((addresses(3), addresses(40)), (3, MAX_ADDRESSES));
    }
}
