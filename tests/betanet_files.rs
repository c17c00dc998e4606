//! Files through a real relay, in letters to a mailbox: whole nodes without any other transport.

#![cfg(feature = "node")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test waits for one event of many")]

use std::path::PathBuf;
use std::sync::Arc;

use hopline::node::event::Event;
use hopline::node::handle::Subscription;
use hopline::storage::{Transfer, TransferStatus};

#[path = "common/houses.rs"]
mod houses;

use houses::{House, Person, wait};

const TEN_MEGABYTES: usize = 10_000_000;

/// Both have the other's card.
async fn friends(house: &House) -> (Person, Person) {
    let ada = Person::of("ada", 1, house).await.unwrap();
    let ben = Person::of("ben", 2, house).await.unwrap();
    ada.add(&ben).await.unwrap();
    ben.add(&ada).await.unwrap();
    (ada, ben)
}

fn noise(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

fn file(person: &Person, size: usize) -> PathBuf {
    let path = person.home().join("photo.jpg");
    std::fs::write(&path, noise(size)).unwrap();
    path
}

async fn sees(events: &mut Subscription, status: TransferStatus) -> Arc<Transfer> {
    wait(events, status.as_str(), |event| match event {
        Event::File(transfer) if transfer.status == status => Some(Arc::clone(transfer)),
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_ten_megabytes_goes_through_a_relay() {
    let house = House::build(1, |_| {}).await.unwrap();
    let (ada, ben) = friends(&house).await;
    let (mut at_ada, mut at_ben) = (ada.node().subscribe().unwrap(), ben.node().subscribe().unwrap());
    let (to, path) = (ben.node().profile().peer_id, file(&ada, TEN_MEGABYTES));
    ada.node().files().unwrap().send(to, path).await.unwrap();
    let received = sees(&mut at_ben, TransferStatus::Done).await;
    let sent = sees(&mut at_ada, TransferStatus::Done).await;
    assert_eq!(received.hash, sent.hash);
    assert!(std::fs::read(received.path.as_ref().unwrap()).unwrap() == noise(TEN_MEGABYTES));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_killed_and_comes_back_does_not_stop_a_file() {
    let mut house = House::build(2, |_| {}).await.unwrap();
    let (ada, ben) = friends(&house).await;
    let (mut at_ada, mut at_ben) = (ada.node().subscribe().unwrap(), ben.node().subscribe().unwrap());
    let (to, path) = (ben.node().profile().peer_id, file(&ada, TEN_MEGABYTES));
    ada.node().files().unwrap().send(to, path).await.unwrap();
    sees(&mut at_ben, TransferStatus::Running).await;
    house.close().await.unwrap();
    house.open().await.unwrap();
    let received = sees(&mut at_ben, TransferStatus::Done).await;
    sees(&mut at_ada, TransferStatus::Done).await;
    assert!(std::fs::read(received.path.as_ref().unwrap()).unwrap() == noise(TEN_MEGABYTES));
    assert_eq!(ben.node().files().unwrap().list(10).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_was_stopped_goes_on_in_its_next_run() {
    let house = House::build(3, |_| {}).await.unwrap();
    let (ada, mut ben) = friends(&house).await;
    let (mut at_ada, mut at_ben) = (ada.node().subscribe().unwrap(), ben.node().subscribe().unwrap());
    let (to, path) = (ben.node().profile().peer_id, file(&ada, 3 * TEN_MEGABYTES));
    ada.node().files().unwrap().send(to, path).await.unwrap();
    sees(&mut at_ben, TransferStatus::Running).await;
    ben.sleep().await.unwrap();
    ben.wake().await.unwrap();
    sees(&mut at_ada, TransferStatus::Done).await;
    let received = ben.node().files().unwrap().list(10).await.unwrap();
    assert_eq!(received.len(), 1);
    assert!(std::fs::read(received[0].path.as_ref().unwrap()).unwrap() == noise(3 * TEN_MEGABYTES));
}
