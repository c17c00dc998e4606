//! Mail through real relays: whole nodes, their routers, outboxes and inboxes, tunnels over loopback, a relay that
//! is killed and comes back.

#![cfg(feature = "node")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test waits for one event of many")]

use std::collections::BTreeMap;

use hopline::capabilities::TransportKey;
use hopline::ids::MessageId;
use hopline::message::{DeliveryStatus, Requirements};
use hopline::node::contacts::{ContactAnswer, ContactEvent, ContactRequest, Form};
use hopline::node::event::Event;
use hopline::node::handle::Subscription;
use hopline::transports::betanet::{MailboxStatus, Part};
use hopline::wire::ReceivedCard;

#[path = "common/houses.rs"]
mod houses;

use houses::{House, Person, wait};

/// Both have the other's card.
async fn friends(house: &House) -> (Person, Person) {
    let ada = Person::of("ada", 1, house).await.unwrap();
    let ben = Person::of("ben", 2, house).await.unwrap();
    ada.add(&ben).await.unwrap();
    ben.add(&ada).await.unwrap();
    (ada, ben)
}

async fn write(from: &Person, to: &Person, text: &str) -> MessageId {
    let to = to.node().profile().peer_id.to_string();
    from.node().send(&to, text.to_owned(), Requirements::default()).await.unwrap().envelope.id
}

async fn becomes(events: &mut Subscription, id: MessageId, status: DeliveryStatus) -> Option<TransportKey> {
    wait(events, status.as_str(), |event| match event {
        Event::Status(told) if told.id == id && told.status == status => Some(told.via),
        _ => None,
    })
    .await
}

async fn arrives(events: &mut Subscription, id: MessageId) -> (String, TransportKey) {
    wait(events, "the message", |event| match event {
        Event::Received { message, .. } if message.id == id => {
            Some((message.text.clone().unwrap_or_default(), message.via))
        }
        _ => None,
    })
    .await
}

/// How often each text is in somebody's inbox.
async fn inbox(person: &Person) -> BTreeMap<MessageId, usize> {
    let mut count = BTreeMap::new();
    for message in person.node().messages_after(0, 10_000).await.unwrap() {
        *count.entry(message.id).or_default() += 1;
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_and_its_receipt_go_through_a_relay_both_ways() {
    let house = House::build(1, |_| {}).await.unwrap();
    let (ada, ben) = friends(&house).await;
    for (from, to, text) in [(&ada, &ben, "hello ben"), (&ben, &ada, "hello ada")] {
        let (mut at_sender, mut at_recipient) =
            (from.node().subscribe().unwrap(), to.node().subscribe().unwrap());
        let id = write(from, to, text).await;
        let (got, via) = arrives(&mut at_recipient, id).await;
        assert_eq!((got.as_str(), via), (text, TransportKey::Betanet));
        assert_eq!(becomes(&mut at_sender, id, DeliveryStatus::Delivered).await, Some(TransportKey::Betanet));
    }
    let status = ada.node().status().await.unwrap().betanet.unwrap();
    assert_eq!(status.relays.len(), 1);
    assert_eq!((status.relays[0].part, status.relays[0].mailbox), (Part::InUse, MailboxStatus::OnCard));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_first_message_the_next_ones_are_sealed_to_prekeys_through_a_restart_of_both() {
    let house = House::build(11, |_| {}).await.unwrap();
    let (mut ada, mut ben) = friends(&house).await;
    let mut at_ada = ada.node().subscribe().unwrap();
    let first = write(&ada, &ben, "to the static key").await;
    becomes(&mut at_ada, first, DeliveryStatus::Delivered).await;
    // They come in a letter of their own, which nothing tells of.
    while given(&ada).await == 0 {
        let answer = write(&ben, &ada, "have you got them?").await;
        arrives(&mut at_ada, answer).await;
    }
    assert_eq!(given(&ada).await, 8);
    let to = ben.node().profile().peer_id.to_string();
    ben.sleep().await.unwrap();
    let sent = ada.node().send(&to, "to a prekey".to_owned(), Requirements::default()).await.unwrap();
    let second = sent.envelope.id;
    becomes(&mut at_ada, second, DeliveryStatus::Sent).await;
    assert_eq!(given(&ada).await, 7);
    ada.sleep().await.unwrap();
    ada.wake().await.unwrap();
    assert_eq!(given(&ada).await, 7, "what was given is kept");
    let mut at_ada = ada.node().subscribe().unwrap();
    ben.wake().await.unwrap();
    becomes(&mut at_ada, second, DeliveryStatus::Delivered).await;
    assert_eq!(inbox(&ben).await, BTreeMap::from([(first, 1), (second, 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_goes_on_naming_its_mailbox_in_the_next_run_before_the_relay_is_heard() {
    let mut house = House::build(15, |_| {}).await.unwrap();
    let (mut ada, _ben) = friends(&house).await;
    let before = ada.card().await.unwrap();
    let mailbox = |card| ReceivedCard::decode(&card).unwrap().card().mailbox.clone();
    ada.sleep().await.unwrap();
    house.close().await.unwrap();
    ada.wake().await.unwrap();
    let asked = ContactRequest::OwnCard { form: Form::FULL };
    let ContactAnswer::OwnCard(after) = ada.node().contacts(asked).await.unwrap() else { panic!("no card") };
    assert_eq!(mailbox(after), mailbox(before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prekey_is_not_spent_while_the_recipients_relay_cannot_be_reached() {
    let (near, mut far) = (House::build(12, |_| {}).await.unwrap(), House::build(13, |_| {}).await.unwrap());
    let mut ada = Person::of("ada", 1, &near).await.unwrap();
    let mut ben = Person::of("ben", 2, &far).await.unwrap();
    ada.believes(&far).await.unwrap();
    ben.believes(&near).await.unwrap();
    ada.add(&ben).await.unwrap();
    ben.add(&ada).await.unwrap();
    let mut at_ada = ada.node().subscribe().unwrap();
    let first = write(&ada, &ben, "to the static key").await;
    becomes(&mut at_ada, first, DeliveryStatus::Delivered).await;
    while given(&ada).await == 0 {
        let answer = write(&ben, &ada, "have you got them?").await;
        arrives(&mut at_ada, answer).await;
    }
    far.close().await.unwrap();
    // No line of before is left.
    ada.sleep().await.unwrap();
    ada.wake().await.unwrap();
    let mut at_ada = ada.node().subscribe().unwrap();
    let id = write(&ada, &ben, "to nobody").await;
    wait(&mut at_ada, "the failure", |event| match event {
        Event::Status(told) if told.id == id => {
            told.reason.as_ref().filter(|reason| reason.contains("no way to the recipient")).map(|_| ())
        }
        _ => None,
    })
    .await;
    assert_eq!(given(&ada).await, 8);
}

/// Prekeys that contacts gave somebody.
async fn given(person: &Person) -> usize {
    person.node().status().await.unwrap().betanet.unwrap().prekeys
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_waits_for_whoever_is_away_and_is_read_once() {
    let house = House::build(2, |_| {}).await.unwrap();
    let (ada, mut ben) = friends(&house).await;
    let to = ben.node().profile().peer_id.to_string();
    ben.sleep().await.unwrap();
    let mut at_ada = ada.node().subscribe().unwrap();
    let sent = ada.node().send(&to, "for later".to_owned(), Requirements::default()).await.unwrap();
    let id = sent.envelope.id;
    becomes(&mut at_ada, id, DeliveryStatus::Sent).await;
    ben.wake().await.unwrap();
    becomes(&mut at_ada, id, DeliveryStatus::Delivered).await;
    assert_eq!(inbox(&ben).await, BTreeMap::from([(id, 1)]));
    ben.sleep().await.unwrap();
    ben.wake().await.unwrap();
    let mut at_ben = ben.node().subscribe().unwrap();
    let next = write(&ada, &ben, "and now").await;
    arrives(&mut at_ben, next).await;
    assert_eq!(inbox(&ben).await, BTreeMap::from([(id, 1), (next, 1)]), "the first was deleted at the relay");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_killed_and_comes_back_loses_and_doubles_nothing() {
    let mut house = House::build(3, |_| {}).await.unwrap();
    let (ada, ben) = friends(&house).await;
    let (mut at_ada, mut at_ben) = (ada.node().subscribe().unwrap(), ben.node().subscribe().unwrap());
    let mut ids = [Vec::new(), Vec::new()];
    for round in 0..3 {
        let first = ids[0].len();
        for number in 0..5 {
            let text = format!("{round}.{number}");
            ids[0].push(write(&ada, &ben, &text).await);
            ids[1].push(write(&ben, &ada, &text).await);
        }
        // In the middle of it.
        arrives(&mut at_ben, ids[0][first]).await;
        house.close().await.unwrap();
        ids[0].push(write(&ada, &ben, "while it is away").await);
        house.open().await.unwrap();
        let last = *ids[0].last().unwrap();
        arrives(&mut at_ben, last).await;
    }
    for id in &ids[1] {
        if !inbox(&ada).await.contains_key(id) {
            arrives(&mut at_ada, *id).await;
        }
    }
    for id in ids[0].iter().filter(|id| !ids[1].contains(id)) {
        let status = ada.node().sent(*id).await.unwrap().unwrap().status;
        if status < DeliveryStatus::Delivered {
            becomes(&mut at_ada, *id, DeliveryStatus::Delivered).await;
        }
    }
    let once = |ids: &[MessageId]| ids.iter().map(|id| (*id, 1)).collect::<BTreeMap<_, _>>();
    assert_eq!(inbox(&ben).await, once(&ids[0]));
    assert_eq!(inbox(&ada).await, once(&ids[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_only_the_card_reaches_a_relay_it_never_heard_of() {
    let (near, far) = (House::build(4, |_| {}).await.unwrap(), House::build(5, |_| {}).await.unwrap());
    let mut ada = Person::of("ada", 1, &near).await.unwrap();
    let mut ben = Person::of("ben", 2, &far).await.unwrap();
    ada.believes(&far).await.unwrap();
    ben.believes(&near).await.unwrap();
    let (mut at_ada, mut at_ben) = (ada.node().subscribe().unwrap(), ben.node().subscribe().unwrap());
    let mut offers = ben.node().subscribe().unwrap();
    ada.add(&ben).await.unwrap();
    let id = write(&ada, &ben, "you do not know me").await;
    assert_eq!(arrives(&mut at_ben, id).await.1, TransportKey::Betanet);
    // Ada's own card came with it. Until ben says yes no relay is called for her sake.
    let fingerprint = ada.node().profile().fingerprint;
    let offered = wait(&mut offers, "the card", |event| match event {
        Event::Contact(ContactEvent::Offered { fingerprint, .. }) => Some(*fingerprint),
        _ => None,
    })
    .await;
    assert_eq!(offered, fingerprint);
    assert_eq!(ada.node().sent(id).await.unwrap().unwrap().status, DeliveryStatus::Sent);
    ben.node().contacts(ContactRequest::Accept { fingerprint, name: None }).await.unwrap();
    becomes(&mut at_ada, id, DeliveryStatus::Delivered).await;
    assert_eq!(ada.node().status().await.unwrap().betanet.unwrap().others, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_card_lets_nobody_leave_mail_once_somebody_was_removed() {
    let house = House::build(6, |_| {}).await.unwrap();
    let (ada, ben) = friends(&house).await;
    let mut at_ada = ada.node().subscribe().unwrap();
    let first = write(&ada, &ben, "hello").await;
    becomes(&mut at_ada, first, DeliveryStatus::Delivered).await;
    // Ben removes ada: the token on the card she has is good for nothing from then on.
    let fingerprint = ada.node().profile().fingerprint;
    ben.node().contacts(ContactRequest::Remove { fingerprint }).await.unwrap();
    ben.card().await.unwrap();
    let refused = write(&ada, &ben, "still there?").await;
    wait(&mut at_ada, "the refusal", |event| match event {
        Event::Status(told) if told.id == refused => {
            told.reason.as_ref().filter(|reason| reason.contains("mailbox did not take it")).map(|_| ())
        }
        _ => None,
    })
    .await;
    // With the new card it arrives.
    ada.add(&ben).await.unwrap();
    let mut at_ben = ben.node().subscribe().unwrap();
    arrives(&mut at_ben, refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_mailbox_refuses_and_takes_again_when_there_is_room() {
    let house = House::build(7, |config| config.mailboxes.each.rows = 2).await.unwrap();
    let (ada, mut ben) = friends(&house).await;
    let to = ben.node().profile().peer_id.to_string();
    ben.sleep().await.unwrap();
    let mut at_ada = ada.node().subscribe().unwrap();
    let mut ids = Vec::new();
    for number in 0..4 {
        let sent = ada.node().send(&to, format!("{number}"), Requirements::default()).await.unwrap();
        ids.push(sent.envelope.id);
    }
    wait(&mut at_ada, "the refusal", |event| match event {
        Event::Status(told) => {
            told.reason.as_ref().filter(|reason| reason.contains("mailbox did not take it")).map(|_| ())
        }
        _ => None,
    })
    .await;
    ben.wake().await.unwrap();
    for id in &ids {
        if ada.node().sent(*id).await.unwrap().unwrap().status < DeliveryStatus::Delivered {
            becomes(&mut at_ada, *id, DeliveryStatus::Delivered).await;
        }
    }
    assert_eq!(inbox(&ben).await, ids.iter().map(|id| (*id, 1)).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_relay_in_use_dies_the_warm_one_carries_on_and_then_keeps_the_mailbox() {
    let (mut first, second) =
        (House::build(8, |_| {}).await.unwrap(), House::build(9, |_| {}).await.unwrap());
    let ada = Person::of_both("ada", 1, &first, &second).await.unwrap();
    let ben = Person::of_both("ben", 2, &second, &first).await.unwrap();
    ada.add(&ben).await.unwrap();
    ben.add(&ada).await.unwrap();
    let (mut at_ada, mut at_ben) = (ada.node().subscribe().unwrap(), ben.node().subscribe().unwrap());
    let before = write(&ada, &ben, "before").await;
    becomes(&mut at_ada, before, DeliveryStatus::Delivered).await;
    first.close().await.unwrap();
    // Ben's mailbox is at the second relay, to which ada has a tunnel already.
    let during = write(&ada, &ben, "during").await;
    arrives(&mut at_ben, during).await;
    // Ada's was at the first: the receipt comes when her card names the second one.
    becomes(&mut at_ada, during, DeliveryStatus::Delivered).await;
    let status = ada.node().status().await.unwrap().betanet.unwrap();
    let parts: Vec<Part> = status.relays.iter().map(|relay| relay.part).collect();
    assert_eq!(parts, [Part::Down, Part::InUse]);
    assert_eq!(status.relays[1].mailbox, MailboxStatus::OnCard);
    assert!(status.relays[0].trouble.is_some());
}
