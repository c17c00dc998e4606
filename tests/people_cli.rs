//! Favourites, verification and blocking between daemons on one simulated air, as people type them.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

mod program;

use serde_json::Value;

use hopline::api::schema::EventReport;
use program::{Bench, Daemon, Running, event, know, stderr, stdout};

/// Two daemons that have heard each other, and a chat of the second.
async fn pair(bench: &Bench) -> (Running, Daemon, Daemon, Running) {
    let air = bench.air("ada ben").await;
    let (ada, ben) = (bench.daemon("ada").await, bench.daemon("ben").await);
    let mut chat = bench.start(&["--home", "ben", "chat"]);
    chat.event("ready", |_| true).await;
    let arguments =
        ["--home", "ada", "send", &ben.peer_id, "hello", "--wait", "delivered", "--timeout", "60"];
    bench.json(&arguments).await;
    chat.event("private_message", |_| true).await;
    (air, ada, ben, chat)
}

async fn peer(bench: &Bench, home: &str, id: &str) -> Value {
    let known = bench.json(&["--home", home, "peers"]).await;
    known["peers"].as_array().unwrap().iter().find(|peer| peer["id"] == id).unwrap().clone()
}

#[tokio::test]
async fn favourites_become_mutual_and_a_blocked_one_is_not_heard() {
    let bench = Bench::new();
    let (_air, ada, ben, mut chat) = pair(&bench).await;
    // Nobody has a card of the other: as with phones, a nickname heard on the mesh is enough.
    let favourite = bench.json(&["--home", "ada", "fav", "ben"]).await;
    assert_eq!((&favourite["standing"], &favourite["favourite"]), (&"contact".into(), &true.into()));
    let told = chat.event("person", |event| event["news"] == "favoured").await;
    assert_eq!((&told["peer_id"], &told["mutual"]), (&ada.peer_id.clone().into(), &false.into()));
    let mut ours = bench.start(&["--home", "ada", "chat"]);
    ours.event("ready", |_| true).await;
    // Whom a node makes a favourite it sends a card, and a card that was offered wants a word of its own.
    chat.event("contact", |_| true).await;
    bench.json(&["--home", "ben", "contact", "add", "@ada"]).await;
    chat.type_line("/fav ada").await;
    let told = ours.event("person", |event| event["news"] == "favoured").await;
    assert_eq!(told["mutual"], true);
    let seen = peer(&bench, "ada", &ben.peer_id).await;
    assert_eq!((&seen["trust"], &seen["favours_us"]), (&"mutual".into(), &true.into()));
    let listed = stdout(&bench.run(&["--home", "ada", "peers"]).await);
    assert!(listed.contains("proven, mutual favourite"), "{listed}");

    assert!(stdout(&bench.run(&["--home", "ben", "block", "ada"]).await).contains("ada is blocked: nothing"));
    std::fs::write(bench.path("notes.txt"), "to nobody I blocked").unwrap();
    let refused = bench.run(&["--home", "ben", "file", "send", &ada.peer_id, "notes.txt"]).await;
    let blocked = "error: `ada` is blocked\nhint: `hopline unblock NAME` lifts that\n";
    assert_eq!((refused.status.code(), stderr(&refused).as_str()), (Some(1), blocked));
    bench.json(&["--home", "ada", "send", "everyone", "can you hear me?", "--wait", "sent"]).await;
    // What answers a ping has taken what came before it on the same link.
    let ping = bench.run(&["--home", "ada", "ping", &ben.peer_id, "--count", "1"]).await;
    assert!(ping.status.success(), "{}", stderr(&ping));
    bench.json(&["--home", "ben", "unblock", "ada"]).await;
    bench.json(&["--home", "ada", "send", "everyone", "and now?", "--wait", "sent"]).await;
    let heard = chat.event("public_message", |_| true).await;
    assert_eq!(heard["text"], "and now?", "the one before was not shown");
    let history = stdout(&bench.run(&["--home", "ben", "history"]).await);
    assert!(!history.contains("can you hear me?"), "nor stored: {history}");
}

#[tokio::test]
async fn a_code_shown_here_and_scanned_there_verifies() {
    let bench = Bench::new();
    let (_air, ada, ben, _chat) = pair(&bench).await;
    let mut shown = bench.start(&["--home", "ben", "verify", "ada"]);
    let code = shown.event("code", |_| true).await;
    let code = code["code"].as_str().unwrap().to_owned();
    let verified = stdout(&bench.run(&["--home", "ada", "verify", "--scan", &code]).await);
    assert!(verified.ends_with("ben is verified\n"), "{verified}");
    let scanned = shown.event("person", |event| event["news"] == "scanned_us").await;
    assert_eq!(scanned["peer_id"], ada.peer_id);
    assert_eq!(peer(&bench, "ada", &ben.peer_id).await["trust"], "verified");
    assert_eq!(peer(&bench, "ben", &ada.peer_id).await["trust"], "proven", "whoever scans is sure");

    let revoked = stdout(&bench.run(&["--home", "ada", "verify", "ben", "--revoke"]).await);
    assert!(revoked.starts_with("ben is not verified"), "{revoked}");
    assert_eq!(peer(&bench, "ada", &ben.peer_id).await["trust"], "proven", "what a session showed stays");
    let confused = bench.run(&["--home", "ada", "verify", "ben", "--revoke", "--compared"]).await;
    assert_eq!(confused.status.code(), Some(2), "{}", stderr(&confused));

    let refused = async |code: &str| {
        let output = bench.run(&["--home", "ada", "verify", "--scan", code]).await;
        assert_eq!(output.status.code(), Some(1));
        stderr(&output)
    };
    assert!(refused(&code.replace("nick=ben", "nick=cem")).await.contains("forged or damaged"));
    assert!(refused("bitchat://verify?v=1").await.contains("has no `ts`"));
    assert!(refused("hopline://contact/x").await.contains("begins with `bitchat://verify?`"));
    let own = bench.json(&["--home", "ben", "contact", "list"]).await;
    let decided = |contact: &&Value| contact["standing"] == "contact";
    assert_eq!(
        own["contacts"].as_array().unwrap().iter().filter(decided).count(),
        0,
        "whoever scans decides"
    );
    let unknown = bench.run(&["--home", "ada", "fav", "zoe"]).await;
    assert!(stderr(&unknown).contains("nobody called `zoe`"), "{}", stderr(&unknown));
}

#[tokio::test]
async fn who_vouches_for_somebody_is_shown_until_their_own_verification_is_taken_back() {
    let bench = Bench::new();
    let _air = bench.air("ben ada\nada cem").await;
    let (ada, ben, cem) = (bench.daemon("ada").await, bench.daemon("ben").await, bench.daemon("cem").await);
    know(&bench.client("ada"), &[&ben.peer_id, &cem.peer_id]).await;
    know(&bench.client("ben"), &[&ada.peer_id, &cem.peer_id]).await;
    let mut at_ben = bench.client("ben").events().await.unwrap();
    for (home, whom) in [("ben", "ada"), ("ada", "cem"), ("ada", "ben")] {
        bench.json(&["--home", home, "verify", whom, "--compared"]).await;
    }
    bench
        .json(&["--home", "ada", "send", "ben", "I know cem", "--wait", "delivered", "--timeout", "60"])
        .await;
    event(&mut at_ben, |event| {
        let EventReport::Peer(peer) = event else { return None };
        (peer.nickname == "cem" && peer.trust == "vouched").then_some(())
    })
    .await;
    let shown = stdout(&bench.run(&["--home", "ben", "contact", "show", "cem"]).await);
    let row = |name: &str| shown.lines().find_map(|line| Some(line.strip_prefix(name)?.trim()));
    assert_eq!((row("trust "), row("vouched for by ")), (Some("vouched"), Some("ada")), "{shown}");
    let trust = bench.json(&["--home", "ben", "contact", "show", "cem"]).await["trust"].clone();
    assert_eq!((&trust["level"], &trust["vouched_by"][0]["name"]), (&"vouched".into(), &"ada".into()));

    bench.json(&["--home", "ben", "verify", "ada", "--revoke"]).await;
    let trust = bench.json(&["--home", "ben", "contact", "show", "cem"]).await["trust"].clone();
    assert_eq!((&trust["level"], &trust["vouched_by"]), (&"known".into(), &serde_json::json!([])));
}
