//! Cards from hand to hand: the commands, the interface under them, and two daemons on one simulated air.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

mod program;

use std::process::Stdio;

use hopline::wire::{LINK_PREFIX, ReceivedCard};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use program::{Bench, DEADLINE, stderr, stdout};

/// The card of a daemon, as its owner would pass it on.
async fn card(bench: &Bench, name: &str) -> String {
    bench.json(&["--home", name, "contact", "card"]).await["link"].as_str().unwrap().to_owned()
}

async fn contacts(bench: &Bench, name: &str) -> Vec<Value> {
    bench.json(&["--home", name, "contact", "list"]).await["contacts"].as_array().unwrap().clone()
}

async fn safety_number(bench: &Bench, home: &str, of: &str) -> String {
    let person = bench.json(&["--home", home, "contact", "show", of]).await;
    person["safety_number"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_card_printed_here_is_a_contact_there() {
    let bench = Bench::new();
    let _air = bench.air("ada\nben").await;
    let (ada, _ben) = (bench.daemon("ada").await, bench.daemon("ben").await);
    assert!(stdout(&bench.run(&["--home", "ben", "contact"]).await).starts_with("nobody yet"));

    let link = card(&bench, "ada").await;
    assert_eq!(stdout(&bench.run(&["--home", "ada", "contact", "card"]).await), format!("{link}\n"));
    let added = bench.json(&["--home", "ben", "contact", "add", &link, "--name", "ada of the hill"]).await;
    assert_eq!((&added["name"], &added["nickname"]), (&"ada of the hill".into(), &"ada".into()));
    assert_eq!(added["peer_id"], ada.peer_id);

    let listed = stdout(&bench.run(&["--home", "ben", "contact"]).await);
    assert!(listed.contains("ada of the hill") && listed.contains(&ada.peer_id), "{listed}");
    let waiting = bench.json(&["--home", "ben", "send", "ada of the hill", "hello"]).await;
    assert_eq!(waiting["to"], ada.peer_id, "a contact's name leads to the contact, heard or not");
}

#[tokio::test]
async fn a_card_comes_from_a_pipe_with_the_line_breaks_of_a_mail() {
    let bench = Bench::new();
    let _air = bench.air("ada\nben").await;
    let (_ada, _ben) = (bench.daemon("ada").await, bench.daemon("ben").await);
    let link = card(&bench, "ada").await;
    let (front, back) = link.split_at(70);
    let mut add = bench.command(&["--home", "ben", "contact", "add", "-"]);
    let mut add = add.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    add.stdin.take().unwrap().write_all(format!("  {front}\r\n  {back}\n").as_bytes()).await.unwrap();
    let output = timeout(DEADLINE, add.wait_with_output()).await.unwrap().unwrap();
    assert!(stdout(&output).starts_with("ada is a contact\n"), "{}", stdout(&output));
}

#[tokio::test]
async fn both_sides_of_a_pair_see_the_same_safety_number_and_may_say_so() {
    let bench = Bench::new();
    let _air = bench.air("ada\nben").await;
    let (_ada, _ben) = (bench.daemon("ada").await, bench.daemon("ben").await);
    for (home, other) in [("ada", "ben"), ("ben", "ada")] {
        let link = card(&bench, other).await;
        bench.json(&["--home", home, "contact", "add", &link]).await;
    }
    assert_eq!(safety_number(&bench, "ada", "ben").await, safety_number(&bench, "ben", "ada").await);

    let verified = bench.json(&["--home", "ada", "verify", "ben", "--compared"]).await;
    assert_eq!((&verified["verified"], &verified["favourite"]), (&true.into(), &false.into()));
    bench.json(&["--home", "ada", "fav", "ben"]).await;
    bench.json(&["--home", "ada", "contact", "rename", "ben", "benjamin"]).await;
    let blocked = bench.json(&["--home", "ada", "block", "@benjamin"]).await;
    assert_eq!((&blocked["standing"], &blocked["favourite"]), (&"blocked".into(), &true.into()));
    bench.json(&["--home", "ada", "unblock", "benjamin"]).await;
    bench.json(&["--home", "ada", "unfav", "benjamin"]).await;
    assert_eq!(contacts(&bench, "ada").await[0]["standing"], "contact");
    bench.json(&["--home", "ada", "contact", "remove", "benjamin"]).await;
    assert!(contacts(&bench, "ada").await.is_empty());
}

#[tokio::test]
async fn a_refused_card_says_what_was_wrong_and_what_to_do() {
    let bench = Bench::new();
    let _air = bench.air("ada\nben").await;
    let (_ada, _ben) = (bench.daemon("ada").await, bench.daemon("ben").await);
    let link = card(&bench, "ada").await;
    let refusal = async |arguments: &[&str]| {
        let output = bench.run(&[&["--home", "ben", "contact"], arguments].concat()).await;
        assert_eq!(output.status.code(), Some(1));
        stderr(&output)
    };
    let own = card(&bench, "ben").await;
    assert!(refusal(&["add", &own]).await.starts_with("error: this is your own card\nhint: "));
    // One letter of the nickname is another: "ada" begins behind 13 bytes.
    let place = LINK_PREFIX.len() + 19;
    let other = if link.as_bytes()[place] == b'B' { "C" } else { "B" };
    let mut forged = link.clone();
    forged.replace_range(place..=place, other);
    assert!(refusal(&["add", &forged]).await.contains("forged or damaged"), "{forged}");
    let cut = &link[..link.len() - 9];
    assert!(refusal(&["add", cut]).await.starts_with("error: the card cannot be read: "));
    assert!(refusal(&["add", "https://example.org/"]).await.contains("another kind of link"));
    assert!(refusal(&["add", "@zoe"]).await.contains("`hopline contact list`"));
    assert!(refusal(&["show", "zoe"]).await.contains("nobody called `zoe`"));
}

#[tokio::test]
async fn a_card_without_addresses_is_older_than_the_full_one() {
    let bench = Bench::new();
    let _air = bench.air("ada").await;
    let _ada = bench.daemon("ada").await;
    let full = ReceivedCard::from_link(&card(&bench, "ada").await).unwrap();
    let bare = bench.json(&["--home", "ada", "contact", "card", "--no-addresses"]).await;
    let bare = ReceivedCard::from_link(bare["link"].as_str().unwrap()).unwrap();
    assert_eq!(bare.card().direct, None);
    assert!(bare.card().serial < full.card().serial);

    let shown = stdout(&bench.run(&["--home", "ada", "contact", "card", "--qr"]).await);
    let (code, link) = shown.trim_end().rsplit_once('\n').unwrap();
    assert!(link.starts_with(LINK_PREFIX));
    assert!(code.lines().count() > 20 && code.contains('▀'), "{code}");
}

#[tokio::test]
async fn a_contact_gets_our_card_by_itself_and_its_own_word_decides_what_becomes_of_it() {
    let bench = Bench::new();
    let _air = bench.air("ada ben").await;
    let (ada, ben) = (bench.daemon("ada").await, bench.daemon("ben").await);
    let mut watch = bench.start(&["--home", "ben", "watch"]);
    let link = card(&bench, "ben").await;
    // Ada knows Ben, and says something to him: her card follows. He has never heard of her.
    bench.json(&["--home", "ada", "contact", "add", &link]).await;
    bench.json(&["--home", "ada", "send", "ben", "it is me", "--wait", "delivered", "--timeout", "60"]).await;
    let offer = watch.event("contact", |event| event["news"] == "offered").await;
    assert_eq!(offer["name"], "ada");
    let offers = contacts(&bench, "ben").await;
    assert_eq!(
        (&offers[0]["standing"], &offers[0]["peer_id"]),
        (&"offered".into(), &ada.peer_id.clone().into())
    );
    let favourite = bench.run(&["--home", "ben", "fav", "ada"]).await;
    assert!(stderr(&favourite).contains("only offered a card"), "{}", stderr(&favourite));

    let added = bench.json(&["--home", "ben", "contact", "add", "@ada"]).await;
    assert_eq!((&added["standing"], &added["name"]), (&"contact".into(), &"ada".into()));
    assert_eq!(contacts(&bench, "ada").await[0]["peer_id"], ben.peer_id);
}
