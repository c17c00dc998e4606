//! What waits and why, which way a message would take, what was said, and coming back to where one was.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

mod program;

use hopline::api::schema::EventReport;
use serde_json::Value;

use program::{Bench, event, stderr, stdout};

/// A peer nobody has ever heard.
const STRANGER: &str = "0123456789abcdef";

fn lines(history: &Value) -> Vec<&str> {
    history["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_waits_is_listed_with_its_reason_until_it_is_given_up() {
    let bench = Bench::new();
    let _air = bench.air("ada").await;
    let _ada = bench.daemon("ada").await;
    assert_eq!(stdout(&bench.run(&["--home", "ada", "outbox"]).await), "nothing waits\n");

    let sent = bench.json(&["--home", "ada", "send", STRANGER, "are you there?", "--max-age", "2h"]).await;
    assert_eq!(sent["status"], "queued");
    let id = sent["id"].as_str().unwrap();
    let listed = bench.json(&["--home", "ada", "outbox", "list"]).await;
    let message = &listed["messages"][0];
    assert_eq!((message["id"].as_str(), message["to"].as_str()), (Some(id), Some(STRANGER)));
    assert!(message["reason"].is_string(), "nothing says why it waits: {message}");
    let age = message["expires_ms"].as_u64().unwrap() - message["accepted_ms"].as_u64().unwrap();
    assert_eq!(age, 2 * 60 * 60 * 1000);

    bench.json(&["--home", "ada", "outbox", "cancel", id]).await;
    assert_eq!(stdout(&bench.run(&["--home", "ada", "outbox"]).await), "nothing waits\n");
    let all = bench.json(&["--home", "ada", "outbox", "list", "--all"]).await;
    assert_eq!(all["messages"][0]["status"], "refused");
    let again = bench.run(&["--home", "ada", "outbox", "cancel", id]).await;
    assert_eq!(stderr(&again), "error: the message is refused already\n");
}

#[tokio::test]
async fn what_no_courier_takes_is_said_to_be_too_long_for_them() {
    let bench = Bench::new();
    let _air = bench.air("ada").await;
    let _ada = bench.daemon("ada").await;
    let mut events = bench.client("ada").events().await.unwrap();
    let sent = bench.json(&["--home", "ada", "send", STRANGER, &"long ".repeat(300)]).await;
    event(&mut events, |event| {
        let EventReport::Status { reason: Some(reason), .. } = event else { return None };
        reason.contains("couriers").then_some(())
    })
    .await;
    let listed = bench.json(&["--home", "ada", "outbox", "list"]).await;
    assert_eq!(
        (&listed["messages"][0]["id"], &listed["messages"][0]["status"]),
        (&sent["id"], &"queued".into())
    );
    let reason = listed["messages"][0]["reason"].as_str().unwrap();
    let said =
        "nothing reaches the recipient now, and couriers take texts of 1020 bytes at most: it has 1500";
    assert_eq!(reason, said);
}

#[tokio::test]
async fn privacy_is_waited_for_and_never_given_up_for_speed() {
    let bench = Bench::new();
    let _air = bench.air("ada ben").await;
    let (_ada, ben) = (bench.daemon("ada").await, bench.daemon("ben").await);
    let sent = bench.json(&["--home", "ada", "send", &ben.peer_id, "between us", "--private"]).await;
    assert_eq!(sent["status"], "queued");
    let explained = bench.run(&["--home", "ada", "route", &ben.peer_id, "--private", "--explain"]).await;
    assert!(stdout(&explained).starts_with("It waits: "), "{}", stdout(&explained));

    let broadcast = bench.run(&["--home", "ada", "send", "everyone", "psst", "--private"]).await;
    assert_eq!(broadcast.status.code(), Some(1));
    assert!(stderr(&broadcast).contains("a text for everyone cannot be private"), "{}", stderr(&broadcast));
}

#[tokio::test]
async fn a_route_is_one_line_or_a_sentence_for_each_transport() {
    let bench = Bench::new();
    let _air = bench.air("ada ben").await;
    let (_ada, ben) = (bench.daemon("ada").await, bench.daemon("ben").await);
    bench
        .json(&["--home", "ada", "send", &ben.peer_id, "hello", "--wait", "delivered", "--timeout", "60"])
        .await;
    assert_eq!(stdout(&bench.run(&["--home", "ada", "route", "ben"]).await), "bitchat\n");
    let explained = stdout(&bench.run(&["--home", "ada", "route", "ben", "--explain"]).await);
    assert!(explained.starts_with("It goes over bitchat: "), "{explained}");
    assert!(explained.contains("\nbetanet is out: "), "{explained}");
    let only = stdout(&bench.run(&["--home", "ada", "route", "ben", "--only", "htx"]).await);
    assert!(only.starts_with("it waits: betanet was asked for"), "{only}");
}

#[tokio::test]
async fn history_holds_both_sides_and_can_be_searched() {
    let bench = Bench::new();
    let _air = bench.air("ada ben").await;
    let (_ada, ben) = (bench.daemon("ada").await, bench.daemon("ben").await);
    for text in ["Lunch at noon?", "or at one"] {
        bench
            .json(&["--home", "ada", "send", &ben.peer_id, text, "--wait", "delivered", "--timeout", "60"])
            .await;
    }
    bench
        .json(&["--home", "ben", "send", "ada", "noon is fine", "--wait", "delivered", "--timeout", "60"])
        .await;
    let said = bench.json(&["--home", "ada", "history", "--with", "ben"]).await;
    assert_eq!(lines(&said), ["Lunch at noon?", "or at one", "noon is fine"]);
    let found = bench.json(&["--home", "ben", "history", "--search", "NOON", "--limit", "1"]).await;
    assert_eq!(lines(&found), ["noon is fine"]);
    let everyone = bench.json(&["--home", "ben", "history", "--with", "everyone"]).await;
    assert_eq!(lines(&everyone), [""; 0]);
}

#[tokio::test]
async fn who_comes_back_gets_what_was_stored_and_then_what_comes_each_once() {
    let bench = Bench::new();
    let _air = bench.air("ada ben").await;
    let (_ada, ben) = (bench.daemon("ada").await, bench.daemon("ben").await);
    let text = |number: usize| format!("message {number}");
    let send = async |number: usize| {
        let (to, text) = (ben.peer_id.as_str(), text(number));
        bench.json(&["--home", "ada", "send", to, &text, "--wait", "delivered", "--timeout", "60"]).await;
    };
    for number in 0..3 {
        send(number).await;
    }
    let stored = bench.json(&["--home", "ben", "history", "--after", "0", "--limit", "1"]).await;
    assert_eq!(lines(&stored), ["message 0"]);
    let first = stored["lines"][0]["number"].to_string();

    let mut watching = bench.start(&["--home", "ben", "watch", "--after", &first]);
    for number in 1..3 {
        assert_eq!(watching.event("private_message", |_| true).await["text"], text(number));
    }
    for number in 3..5 {
        send(number).await;
        assert_eq!(watching.event("private_message", |_| true).await["text"], text(number));
    }
}

#[tokio::test]
async fn two_without_bluetooth_talk_over_ip_under_the_names_they_gave_each_other() {
    let bench = Bench::new();
    for name in ["ada", "ben"] {
        bench.configure(name, "[bitchat]\nenabled = false\n[direct]\nbind = [\"127.0.0.1:0\"]\n");
    }
    let (ada, ben) = (bench.daemon("ada").await, bench.daemon("ben").await);
    bench.exchange_cards("ada", "ben").await;
    let sent = bench.json(&["--home", "ada", "send", "ben", "over IP", "--wait", "delivered"]).await;
    assert_eq!((sent["to"].as_str(), sent["via"].as_str()), (Some(ben.peer_id.as_str()), Some("direct")));
    let history = bench.json(&["--home", "ben", "history"]).await;
    let line = &history["lines"][0];
    assert_eq!(line["sender"], ada.peer_id.as_str());
    assert_eq!((line["nickname"].as_str(), line["text"].as_str()), (Some("ada"), Some("over IP")));
    let status = bench.json(&["--home", "ada", "status"]).await;
    assert_eq!(status["transports"][0]["reason"], "switched off in the configuration");
}
