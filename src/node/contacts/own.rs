//! Our own card, as it was last made.

use bytes::Bytes;

use crate::crypto::Identity;
use crate::time::UnixMillis;
use crate::wire::{Card, DirectAddress, EncodeError, MAX_ADDRESSES, ReceivedCard};

/// What of our own side outlives a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// The generation of the direct subkey; raised when somebody must no longer find us.
    pub generation: u32,
    /// The serial of the last card made.
    pub serial: u64,
    /// That card; `None` before the first one of a run, or when it names a subkey that is no longer ours.
    pub card: Option<OwnCard>,
}

/// Our card in its two forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCard {
    /// With everything in it: what contacts get.
    pub full: Bytes,
    /// Without a way to reach us over IP: what can be shown around.
    ///
    /// Its serial is one below the full one's, so that whoever took this one takes that one too when it comes.
    pub bare: Bytes,
}

impl Own {
    /// The state after a card with this content; `None` when the last card says the same.
    pub(super) fn next(
        &self,
        identity: &Identity,
        nickname: &str,
        direct: Option<DirectAddress>,
        now: UnixMillis,
    ) -> Result<Option<Self>, EncodeError> {
        // One for the full card, one for the bare one.
        let serial = now.0.max(self.serial.saturating_add(2));
        let full = own_card(identity, nickname, direct, serial)?;
        if let Some(last) = &self.card
            && is_same_but_serial(&last.full, &full)
        {
            return Ok(None);
        }
        let bare = own_card(identity, nickname, None, serial.saturating_sub(1))?;
        Ok(Some(Self { generation: self.generation, serial, card: Some(OwnCard { full, bare }) }))
    }
}

/// Our card, signed. Addresses that do not fit are left out, the last first.
pub fn own_card(
    identity: &Identity,
    nickname: &str,
    direct: Option<DirectAddress>,
    serial: u64,
) -> Result<Bytes, EncodeError> {
    let (noise, signing) = (identity.noise_public(), identity.signing_public());
    let mut card = Card::new(serial, nickname.to_owned(), noise, signing, direct);
    if let Some(direct) = &mut card.direct {
        direct.addresses.truncate(MAX_ADDRESSES);
    }
    loop {
        let encoded = card.encode(|preimage| identity.sign(preimage));
        let dropped = card.direct.as_mut().and_then(|direct| direct.addresses.pop());
        match encoded {
            Err(EncodeError::TooLong { field: "card", .. }) if dropped.is_some() => {}
            encoded => return encoded,
        }
    }
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

    fn card(bytes: &Bytes) -> Card {
        ReceivedCard::decode(bytes).unwrap().card().clone()
    }

    #[test]
    fn the_bare_card_is_newer_than_every_earlier_card_and_older_than_its_full_one() {
        let first = Own::default().next(&identity(), "ada", None, UnixMillis(1000)).unwrap().unwrap();
        let second = first.next(&identity(), "ada", Some(direct(1)), UnixMillis(1000)).unwrap().unwrap();
        let serial =
            |own: &Own| own.card.as_ref().map(|own| (card(&own.bare).serial, card(&own.full).serial));
        assert_eq!(serial(&first), Some((999, 1000)));
        assert_eq!(serial(&second), Some((1001, 1002)));
        assert_eq!(card(&second.card.unwrap().bare).direct, None);
    }

    #[test]
    fn the_same_content_makes_no_new_card() {
        let own = Own::default().next(&identity(), "ada", Some(direct(1)), UnixMillis(5)).unwrap().unwrap();
        assert_eq!(own.next(&identity(), "ada", Some(direct(1)), UnixMillis(900)), Ok(None));
        assert!(own.next(&identity(), "eve", Some(direct(1)), UnixMillis(900)).unwrap().is_some());
        assert!(own.next(&identity(), "ada", Some(direct(2)), UnixMillis(900)).unwrap().is_some());
    }

    #[test]
    fn a_clock_that_went_back_does_not_make_an_older_card() {
        let own = Own { serial: 1_000_000, ..Own::default() };
        let next = own.next(&identity(), "ada", None, UnixMillis(5)).unwrap().unwrap();
        assert_eq!(next.serial, 1_000_002);
    }

    #[test]
    fn addresses_that_do_not_fit_are_left_out_from_the_end() {
        let whole = own_card(&identity(), "ada", Some(direct(3)), 5).unwrap();
        assert_eq!(card(&whole).direct.unwrap().addresses.len(), 3);
        let cut = own_card(&identity(), "ada", Some(direct(40)), 5).unwrap();
        assert_eq!(card(&cut).direct.unwrap().addresses.len(), 11);
        let relays = DirectAddress { relays: vec!["r".repeat(255); 4], ..direct(2) };
        assert!(own_card(&identity(), "ada", Some(relays), 5).is_err());
    }
}
