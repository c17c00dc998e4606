//! Store and forward from the outbox to the receipt: daemons on one simulated air, a text for somebody who is away, and
//! a courier who walks between the two.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

mod program;

use hopline::api::schema::{EventReport, StatusWord};
use hopline::radio::simulated::{Control, control};
use tokio::time::Instant;

use program::{Bench, DEADLINE, event, know, stdout};

/// Two who hear each other no more, or again.
async fn change(bench: &Bench, deed: fn(String, String) -> Control, [a, b]: [&str; 2]) {
    control(&bench.path("air"), deed(a.to_owned(), b.to_owned())).await.unwrap();
}

fn cut(a: String, b: String) -> Control {
    Control::Cut { a, b }
}

fn join(a: String, b: String) -> Control {
    Control::Join { a, b }
}

/// Waits until a node counts so many: what it does with what came no event tells.
async fn counts(bench: &Bench, home: &str, what: &str, wanted: u64) {
    let begun = Instant::now();
    loop {
        let courier = bench.json(&["--home", home, "status"]).await["courier"].clone();
        if courier[what] == wanted {
            return;
        }
        assert!(begun.elapsed() < DEADLINE, "{home}: {courier}");
    }
}

#[tokio::test]
async fn a_text_for_who_is_away_goes_with_a_courier_and_its_receipt_empties_the_outbox() {
    let bench = Bench::new();
    let _air = bench.air("ada carl\nben\n").await;
    for home in ["ada", "ben", "carl"] {
        bench.configure(home, "[direct]\nenabled = false\n");
    }
    let (ada, ben, carl) = (bench.daemon("ada").await, bench.daemon("ben").await, bench.daemon("carl").await);
    for (one, other) in [("ada", "ben"), ("ada", "carl"), ("ben", "carl")] {
        bench.exchange_cards(one, other).await;
    }
    know(&bench.client("ada"), &[&carl.peer_id]).await;
    let mut at_ada = bench.client("ada").events().await.unwrap();
    let mut at_ben = bench.client("ben").events().await.unwrap();

    let sent = bench.json(&["--home", "ada", "send", "ben", "the key is under the mat"]).await;
    assert_eq!(sent["status"], "queued");
    let id = sent["id"].as_str().unwrap().to_owned();
    let left = "nothing reaches the recipient now, but a courier on the mesh has a copy";
    event(&mut at_ada, |event| {
        let EventReport::Status { id: of, reason: Some(reason), .. } = event else { return None };
        (of.to_string() == id && reason == left).then_some(())
    })
    .await;
    let listed = stdout(&bench.run(&["--home", "ada", "outbox"]).await);
    assert!(listed.contains(&id) && listed.contains(left), "{listed}");
    counts(&bench, "ada", "waiting", 1).await;
    counts(&bench, "carl", "carried", 1).await;

    change(&bench, cut, ["ada", "carl"]).await;
    change(&bench, join, ["carl", "ben"]).await;
    let message = event(&mut at_ben, |event| {
        let EventReport::PrivateMessage(message) = event else { return None };
        Some(message)
    })
    .await;
    assert_eq!(message.text, "the key is under the mat");
    assert_eq!((message.sender.to_string(), message.nickname.as_str()), (ada.peer_id.clone(), "ada"));
    assert_eq!(message.id.to_string(), id);
    counts(&bench, "carl", "handed", 1).await;
    let read_by_carl = bench.json(&["--home", "carl", "history"]).await;
    assert_eq!(read_by_carl["lines"].as_array().unwrap().len(), 0, "{read_by_carl}");
    let waiting = bench.json(&["--home", "ada", "outbox", "list"]).await;
    assert_eq!(waiting["messages"][0]["id"], id.as_str(), "who carries it gives no receipt");

    change(&bench, join, ["ada", "ben"]).await;
    event(&mut at_ada, |event| {
        let EventReport::Status { id: of, status: StatusWord::Delivered, .. } = event else { return None };
        (of.to_string() == id).then_some(())
    })
    .await;
    assert_eq!(stdout(&bench.run(&["--home", "ada", "outbox"]).await), "nothing waits\n");
    counts(&bench, "ada", "waiting", 0).await;
    let heard = bench.json(&["--home", "ben", "history", "--with", &ada.peer_id]).await;
    assert_eq!(heard["lines"].as_array().unwrap().len(), 1, "it came once: {heard}");
    assert_eq!(ben.peer_id, sent["to"].as_str().unwrap());
}
