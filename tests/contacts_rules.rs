//! Whose card is taken, whose is offered, whose is refused, and who gets ours.

#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

use std::time::Duration;

use bytes::Bytes;
use hopline::crypto::Identity;
use hopline::ids::to_hex;
use hopline::node::contacts::{
    CODE_LIFETIME, Change, Contact, ContactEdit, ContactError, ContactEvent, Contacts, KeyKind, MAX_OFFERS,
    Own, Said, own_card, own_code,
};
use hopline::time::UnixMillis;
use hopline::wire::{Card, DirectAddress, ReceivedCard};

/// Somebody whose two keys come from one number.
fn person(seed: u8) -> Identity {
    Identity::from_bytes(&[seed; 64])
}

/// Somebody with the Noise key of one person and the Ed25519 key of another.
fn chimera(noise: u8, signing: u8) -> Identity {
    let mut bytes = [noise; 64];
    bytes[32..].fill(signing);
    Identity::from_bytes(&bytes)
}

fn direct(port: u16) -> DirectAddress {
    DirectAddress {
        generation: 3,
        key: [9; 32],
        addresses: vec![([192, 0, 2, 1], port).into()],
        relays: vec!["https://relay.example/".to_owned()],
    }
}

fn said(nickname: &str, direct: Option<DirectAddress>) -> Said {
    Said { nickname: nickname.to_owned(), direct, mailbox: None }
}

fn card(of: &Identity, nickname: &str, serial: u64) -> Bytes {
    own_card(of, said(nickname, None), serial).unwrap()
}

fn read(card: &Bytes) -> ReceivedCard {
    ReceivedCard::decode(card).unwrap()
}

/// The contacts of person 1.
struct Book(Contacts);

impl Book {
    fn new() -> Self {
        Self(Contacts::load(&person(1), Own::default(), []))
    }

    fn with(mut self, seed: u8, nickname: &str) -> Self {
        self.add(&card(&person(seed), nickname, 10), None).unwrap();
        self
    }

    fn apply(&mut self, change: Result<Change, ContactError>) -> Result<Change, ContactError> {
        let change = change?;
        self.0.apply(change.clone());
        Ok(change)
    }

    fn add(&mut self, card: &Bytes, name: Option<&str>) -> Result<Change, ContactError> {
        let change = self.0.add(read(card), name);
        self.apply(change)
    }

    fn receive(&mut self, card: &Bytes, sender: &Identity) -> Result<Change, ContactError> {
        let change = self.0.receive(card, sender.fingerprint());
        self.apply(change)
    }

    fn edit(&mut self, seed: u8, edit: ContactEdit) -> Result<Change, ContactError> {
        let change = self.0.edit(person(seed).fingerprint(), &edit).map(|(_, change)| change);
        self.apply(change)
    }

    fn block(&mut self, seed: u8, blocked: bool) -> Change {
        self.edit(seed, ContactEdit { blocked: Some(blocked), ..ContactEdit::default() }).unwrap()
    }

    fn renew(&mut self, nickname: &str, direct: Option<DirectAddress>, now: u64) -> Change {
        let change = self.0.renew(&person(1), &said(nickname, direct), UnixMillis(now));
        self.apply(change.map_err(|error| panic!("{error}"))).unwrap()
    }

    fn of(&self, seed: u8) -> Option<&Contact> {
        self.0.find(person(seed).peer_id())
    }

    fn due(&self, seed: u8) -> Option<u64> {
        self.0.card_due(person(seed).peer_id()).map(|(serial, _)| serial)
    }
}

#[test]
fn a_card_that_was_added_is_a_contact_under_its_nickname() {
    let book = Book::new().with(2, "ben");
    let ben = book.of(2).unwrap();
    assert!(ben.is_trusted() && !ben.verified && !ben.favourite);
    assert_eq!((ben.name.as_str(), ben.serial), ("ben", 10));
    assert_eq!(book.0.petnames().into_iter().collect::<Vec<_>>(), [("ben".to_owned(), person(2).peer_id())]);
}

#[test]
fn a_forged_or_changed_card_is_refused_wherever_it_comes_from() {
    let mut book = Book::new();
    let mut forged = card(&person(2), "ben", 10).to_vec();
    let nickname = forged.windows(3).position(|window| window == b"ben").unwrap();
    forged[nickname..nickname + 3].copy_from_slice(b"eve");
    let forged = Bytes::from(forged);
    assert!(
        matches!(book.add(&forged, None), Err(ContactError::Signature { nickname, .. }) if nickname == "eve")
    );
    assert!(matches!(book.receive(&forged, &person(2)), Err(ContactError::Signature { .. })));
    assert!(matches!(book.receive(&Bytes::from_static(b"card"), &person(2)), Err(ContactError::Card(_))));
    assert_eq!(book.0.people().count(), 0);
}

#[test]
fn the_own_card_is_no_contact() {
    let own = card(&person(1), "ada", 10);
    assert_eq!(Book::new().add(&own, None), Err(ContactError::Own));
    assert_eq!(Book::new().add(&card(&chimera(7, 1), "ada", 10), None), Err(ContactError::Own));
}

#[test]
fn a_serial_not_above_the_known_one_changes_nothing() {
    let mut book = Book::new().with(2, "ben");
    for serial in [9, 10] {
        assert_eq!(book.receive(&card(&person(2), "benny", serial), &person(2)), Ok(Change::default()));
        assert_eq!(book.add(&card(&person(2), "benny", serial), None), Ok(Change::default()));
    }
}

#[test]
fn a_newer_card_of_a_contact_is_taken_over_and_the_name_stays() {
    let mut book = Book::new().with(2, "ben");
    let newer = own_card(&person(2), said("benny", Some(direct(7000))), 11).unwrap();
    let change = book.receive(&newer, &person(2)).unwrap();
    let renewed = ContactEvent::Renewed { fingerprint: person(2).fingerprint(), name: "ben".to_owned() };
    assert_eq!(change.event, Some(renewed));
    assert_eq!(book.0.reachable().collect::<Vec<_>>(), [(person(2).fingerprint(), direct(7000))]);
    assert_eq!(book.of(2).unwrap().name, "ben");

    let moved = own_card(&person(2), said("benny", Some(DirectAddress { key: [8; 32], ..direct(7001) })), 12)
        .unwrap();
    book.receive(&moved, &person(2)).unwrap();
    assert_eq!(book.of(2).unwrap().direct().unwrap().key, [8; 32]);
}

#[test]
fn another_identity_key_of_a_contact_is_refused_and_nothing_changes() {
    let mut book = Book::new().with(2, "ben");
    let known = person(2).fingerprint();
    for (impostor, key) in [(chimera(2, 3), KeyKind::Signing), (chimera(3, 2), KeyKind::Noise)] {
        let card = card(&impostor, "ben", 99);
        let refused = ContactError::IdentityChanged { name: "ben".to_owned(), fingerprint: known, key };
        assert_eq!(book.receive(&card, &impostor), Err(refused.clone()));
        assert_eq!(book.add(&card, None), Err(refused.clone()));
        let told = ContactEvent::IdentityRefused { fingerprint: known, name: "ben".to_owned() };
        assert_eq!(refused.event(), Some(told));
    }
    assert_eq!(book.of(2).unwrap().serial, 10);
    assert_eq!(book.0.people().count(), 1);
}

#[test]
fn a_card_comes_from_its_owner_or_not_at_all() {
    let refused = Book::new().receive(&card(&person(2), "ben", 10), &person(3));
    assert!(matches!(refused, Err(ContactError::Sender { .. })), "{refused:?}");
}

#[test]
fn a_strangers_card_waits_until_it_is_accepted() {
    let mut book = Book::new();
    let change = book.receive(&card(&person(2), "ben", 10), &person(2)).unwrap();
    let offered = ContactEvent::Offered { fingerprint: person(2).fingerprint(), nickname: "ben".to_owned() };
    assert_eq!(change.event, Some(offered));
    assert!(book.of(2).unwrap().is_offer());
    assert!(book.0.petnames().is_empty(), "the name of a stranger leads nowhere");
    let favourite = ContactEdit { favourite: Some(true), ..ContactEdit::default() };
    assert_eq!(book.edit(2, favourite), Err(ContactError::NotAdded { name: "ben".to_owned() }));

    let accepted = book.0.accept(person(2).fingerprint(), None);
    book.apply(accepted).unwrap();
    assert!(book.of(2).unwrap().is_trusted());
    assert!(book.0.petnames().contains_key("ben"));
}

#[test]
fn one_more_offer_than_there_is_room_for_drives_out_the_oldest() {
    let mut book = Book::new().with(200, "zoe");
    let offers = u8::try_from(MAX_OFFERS).unwrap();
    for seed in 2..offers + 2 {
        // The oldest is the first that came, whatever its serial claims.
        book.receive(&card(&person(seed), "anon", 1000 - u64::from(seed)), &person(seed)).unwrap();
    }
    let change = book.receive(&card(&person(100), "ben", 1), &person(100)).unwrap();
    assert_eq!(change.removed, Some(person(2).fingerprint()));
    assert!(book.of(2).is_none() && book.of(3).is_some() && book.of(200).is_some());
    assert_eq!(book.0.people().filter(|contact| contact.is_offer()).count(), MAX_OFFERS);
}

#[test]
fn two_contacts_never_have_one_name() {
    let mut book = Book::new().with(2, "ben").with(3, "ben");
    assert_eq!(book.of(3).unwrap().name, "ben-2");
    let taken = Err(ContactError::NameTaken { name: "ben".to_owned() });
    assert_eq!(book.add(&card(&person(4), "zoe", 10), Some("@ben")), taken);
    let rename = |name: &str| ContactEdit { name: Some(name.to_owned()), ..ContactEdit::default() };
    assert_eq!(book.edit(3, rename("ben")), taken);
    book.edit(3, rename("ben of the hill")).unwrap();
    assert_eq!(book.of(3).unwrap().name, "ben of the hill");
    assert!(matches!(book.edit(3, rename("everyone")), Err(ContactError::Name(_))));
}

#[test]
fn a_blocked_person_is_ignored_and_keeps_the_name() {
    let mut book = Book::new().with(2, "ben");
    book.block(2, true);
    assert_eq!(book.receive(&card(&person(2), "ben", 99), &person(2)), Ok(Change::default()));
    let blocked = Err(ContactError::Blocked { name: "ben".to_owned() });
    assert_eq!(book.add(&card(&person(2), "ben", 99), None), blocked);
    assert_eq!(book.0.reachable().count(), 0);
    assert!(book.0.petnames().contains_key("ben"));
    book.block(2, false);
    assert!(book.of(2).unwrap().is_trusted());
}

#[test]
fn a_blocked_offer_stays_out_until_it_is_unblocked() {
    let mut book = Book::new().with(2, "ben");
    book.receive(&card(&person(3), "ben", 10), &person(3)).unwrap();
    book.block(3, true);
    assert_eq!(book.of(3).unwrap().name, "ben-2");
    assert_eq!(book.receive(&card(&person(3), "ben", 11), &person(3)), Ok(Change::default()));
    book.block(3, false);
    assert!(book.of(3).unwrap().is_offer());
}

#[test]
fn our_card_is_due_once_to_those_who_may_have_it() {
    let mut book = Book::new().with(2, "ben");
    book.receive(&card(&person(3), "eve", 10), &person(3)).unwrap();
    assert_eq!(book.due(2), None, "there is no card yet");
    book.renew("ada", None, 1000);
    assert_eq!((book.due(2), book.due(3), book.due(4)), (Some(1000), None, None));

    let told = book.0.told(person(2).peer_id(), 1000);
    book.apply(Ok(told)).unwrap();
    assert_eq!(book.due(2), None);
    assert_eq!(book.renew("ada", None, 2000), Change::default(), "nothing new to say");
    book.renew("ada", Some(direct(7000)), 2000);
    assert_eq!(book.due(2), Some(2000));
}

#[test]
fn whoever_is_removed_or_blocked_must_no_longer_find_us() {
    for remove in [true, false] {
        let mut book = Book::new().with(2, "ben").with(3, "zoe");
        book.renew("ada", Some(direct(7000)), 1000);
        for peer in [2, 3] {
            let told = book.0.told(person(peer).peer_id(), 1000);
            book.apply(Ok(told)).unwrap();
        }
        let change = if remove {
            let change = book.0.remove(person(2).fingerprint());
            book.apply(change).unwrap()
        } else {
            book.block(2, true)
        };
        assert_eq!(change.own.unwrap().generation, 1);
        assert_eq!(book.due(3), None, "the old card names a key that is no longer ours");

        book.renew("ada", Some(DirectAddress { generation: book.0.generation(), ..direct(7000) }), 1000);
        assert_eq!((book.due(2), book.due(3)), (None, Some(1004)));
    }
}

#[test]
fn an_offer_that_is_declined_or_a_block_that_is_lifted_needs_no_new_key() {
    let mut book = Book::new().with(2, "ben");
    book.receive(&card(&person(3), "eve", 10), &person(3)).unwrap();
    let change = book.0.remove(person(3).fingerprint());
    assert_eq!(book.apply(change).unwrap().own, None);
    book.block(2, true);
    assert_eq!(book.block(2, false).own, None);
    book.block(2, true);
    let change = book.0.remove(person(2).fingerprint());
    assert_eq!(book.apply(change).unwrap().own, None, "the block raised it already");
}

#[test]
fn contacts_are_the_same_after_a_restart() {
    let mut book = Book::new().with(2, "ben").with(3, "zoe");
    book.receive(&card(&person(4), "eve", 10), &person(4)).unwrap();
    book.block(3, true);
    let rows: Vec<Contact> = book.0.people().cloned().collect();
    let restarted = Contacts::load(&person(1), Own { generation: 1, ..Own::default() }, rows.clone());
    assert_eq!(restarted.people().cloned().collect::<Vec<_>>(), rows);
    assert_eq!(restarted.petnames(), book.0.petnames());
    assert_eq!(restarted.generation(), 1);
}

#[test]
fn a_card_with_fields_of_a_later_version_is_kept_as_it_came() {
    let later = |identity: &Identity| {
        let plain = card(identity, "ben", 10);
        let fields = plain.len() - 64;
        let mut bytes = plain[..fields].to_vec();
        bytes.extend([0x20, 3, 1, 2, 3]);
        let signature = identity.sign(&[b"hopline-card-v1", bytes.as_slice()].concat());
        bytes.extend(signature);
        Bytes::from(bytes)
    };
    let mut book = Book::new();
    book.add(&later(&person(2)), None).unwrap();
    assert_eq!(book.of(2).unwrap().card, later(&person(2)));
    let known: Option<Card> = book.of(2).unwrap().read_card();
    assert_eq!(known.unwrap().nickname, "ben");
}

#[test]
fn a_code_that_is_old_or_altered_or_of_another_identity_is_refused_and_changes_nothing() {
    let now = UnixMillis(1_800_000_000_000);
    let code = |who: &Identity, made| own_code(who, "ben", [7; 16], made).unwrap();
    let book = Book::new().with(2, "ben");
    let before = book.of(2).cloned();
    let scan = |text: &str, at| book.0.scan(text, at);
    let good = code(&person(2), now);
    assert_eq!(scan(&good, now).unwrap().fingerprint(), person(2).fingerprint());

    let life = CODE_LIFETIME + Duration::from_secs(1);
    for at in [now + life, UnixMillis(now.0 - 301_000)] {
        let refused = scan(&good, at).unwrap_err();
        assert!(matches!(refused, ContactError::CodeAge { seconds: 301 }), "{refused}");
    }
    let late = format!("ts={}", (now.0 + 60_000) / 1_000);
    for (from, to) in [("nick=ben", "nick=bea"), ("ts=1800000000", &late), ("nonce=B", "nonce=C")] {
        let altered = good.replacen(from, to, 1);
        assert_ne!(altered, good, "{from}");
        let refused = scan(&altered, now).unwrap_err();
        assert!(matches!(refused, ContactError::CodeSignature { .. }), "{to}: {refused}");
    }
    for (key, other) in [
        (person(2).noise_public(), person(3).noise_public()),
        (person(2).signing_public(), person(3).signing_public()),
    ] {
        let refused = scan(&good.replacen(&to_hex(&key), &to_hex(&other), 1), now).unwrap_err();
        assert!(matches!(refused, ContactError::CodeSignature { .. }), "{refused}");
    }
    let impostor = scan(&code(&chimera(2, 9), now), now).unwrap_err();
    assert!(matches!(impostor, ContactError::IdentityChanged { key: KeyKind::Signing, .. }), "{impostor}");
    assert!(matches!(scan(&code(&person(1), now), now), Err(ContactError::OwnCode)));
    assert_eq!(book.of(2).cloned(), before);
    let blocked = {
        let mut book = Book::new().with(2, "ben");
        book.block(2, true);
        book.0.scan(&good, now).unwrap_err()
    };
    assert!(matches!(blocked, ContactError::Blocked { .. }), "{blocked}");
}
