//! Daemons as separate processes on one simulated air, and the commands that talk to them.

#![cfg(feature = "cli")]

mod program;

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use hopline::api::client::ClientError;
use hopline::api::error::Code;
use hopline::api::schema::{EventReport, StatusWord};
use hopline::ids::PeerId;

use program::{Bench, DEADLINE, event, know, stderr};

const LINE: &str = "ada ben\nben cy\n";

#[tokio::test]
async fn a_file_crosses_a_node_between_and_is_confirmed_and_one_for_everyone_reaches_all() {
    let bench = Bench::new();
    let _air = bench.air(LINE).await;
    let (ada, ben, cy) = (bench.daemon("ada").await, bench.daemon("ben").await, bench.daemon("cy").await);
    know(&bench.client("ada"), &[&ben.peer_id, &cy.peer_id]).await;
    know(&bench.client("cy"), &[&ada.peer_id]).await;
    let content = [b"%PDF-1.4\n".as_slice(), &[7; 20_000]].concat();
    std::fs::write(bench.path("plan.pdf"), &content).unwrap();

    let sent = bench.run(&["--home", "ada", "file", "send", &cy.peer_id, "plan.pdf", "--wait"]).await;
    assert!(sent.status.success(), "{}", stderr(&sent));
    let files = bench.json(&["--home", "cy", "file", "list"]).await["files"].clone();
    assert_eq!((&files[0]["status"], &files[0]["name"]), (&"done".into(), &"plan.pdf".into()));
    let path = files[0]["path"].as_str().unwrap();
    assert!(path.ends_with("cy/files/mesh/strangers/plan.pdf"), "{path}");
    assert!(std::fs::read(path).unwrap() == content);
    assert_eq!(files[0]["hash"], blake3::hash(&content).to_hex().as_str());
    assert_eq!(bench.json(&["--home", "ada", "file", "list"]).await["files"][0]["hash"], files[0]["hash"]);

    for (home, deed, hint) in [
        ("cy", "accept", "hint: `hopline file list` shows which are offered\n"),
        ("ada", "cancel", "hint: `hopline file list` shows which are on their way\n"),
    ] {
        let late = bench.run(&["--home", home, "file", deed, "1"]).await;
        assert_eq!(late.status.code(), Some(1));
        assert!(stderr(&late).ends_with(hint), "{}", stderr(&late));
    }

    let mut heard = bench.client("cy").events().await.unwrap();
    let sent = bench.run(&["--home", "ada", "file", "send", "everyone", "plan.pdf", "--wait"]).await;
    assert!(sent.status.success(), "{}", stderr(&sent));
    event(&mut heard, |event| {
        let EventReport::File(file) = event else { return None };
        (file.path?.ends_with("plan (2).pdf")).then_some(())
    })
    .await;

    std::fs::write(bench.path("film.mkv"), vec![0; 1_048_577]).unwrap();
    let refused = bench.run(&["--home", "ada", "file", "send", "everyone", "film.mkv"]).await;
    assert!(!refused.status.success());
    assert!(stderr(&refused).contains("at most 1048576"), "{}", stderr(&refused));
}

#[tokio::test]
async fn a_recording_is_spoken_live_and_follows_as_a_file_and_nothing_else_is_spoken() {
    let bench = Bench::new();
    let _air = bench.air(LINE).await;
    let (ada, _ben, cy) = (bench.daemon("ada").await, bench.daemon("ben").await, bench.daemon("cy").await);
    know(&bench.client("ada"), &[&cy.peer_id]).await;
    know(&bench.client("cy"), &[&ada.peer_id]).await;
    let unit = [hopline::wire::adts::header(128).as_slice(), &[7; 128]].concat();
    std::fs::write(bench.path("hello.aac"), unit.repeat(8)).unwrap();

    let mut heard = bench.client("cy").events().await.unwrap();
    let sent =
        bench.run(&["--home", "ada", "file", "send", &cy.peer_id, "hello.aac", "--voice", "--wait"]).await;
    assert!(sent.status.success(), "{}", stderr(&sent));
    for is_recording in [false, true] {
        let path = event(&mut heard, |event| {
            let EventReport::File(file) = event else { return None };
            file.path
        })
        .await;
        assert!(path.contains("voice_") && path.ends_with(".aac"), "{path}");
        let there = std::fs::read(path).ok();
        assert_eq!(there.is_some(), is_recording, "the recording took the place of what was heard live");
        assert!(there.is_none_or(|content| content == unit.repeat(8)));
    }

    std::fs::write(bench.path("notes.txt"), "not sound").unwrap();
    let refused =
        bench.run(&["--home", "ada", "file", "send", &cy.peer_id, "notes.txt", "--voice", "--wait"]).await;
    assert!(stderr(&refused).contains("at byte 0 it is not AAC"), "{}", stderr(&refused));
}

#[tokio::test]
async fn a_private_message_crosses_a_node_between_and_comes_back_as_delivered() {
    let bench = Bench::new();
    let _air = bench.air(LINE).await;
    let (ada, _ben, cy) = (bench.daemon("ada").await, bench.daemon("ben").await, bench.daemon("cy").await);
    let mut heard = bench.client("cy").events().await.unwrap();

    // By its id a peer can be written to before it was heard: the message waits for it.
    let arguments = ["--home", "ada", "send", &cy.peer_id, "hi cy", "--wait", "delivered", "--timeout", "60"];
    let sent = bench.json(&arguments).await;
    assert_eq!(sent["status"], "delivered");
    assert_eq!(sent["to"], cy.peer_id.as_str());
    let message = event(&mut heard, |event| {
        let EventReport::PrivateMessage(message) = event else { return None };
        Some(message)
    })
    .await;
    assert_eq!((message.text.as_str(), message.sender.to_string()), ("hi cy", ada.peer_id.clone()));
    assert_eq!(message.id.to_string(), sent["id"].as_str().unwrap());
    assert_eq!(message.ttl, 6);

    let known = bench.json(&["--home", "ada", "peers"]).await;
    let cy_at_ada = known["peers"].as_array().unwrap().iter().find(|peer| peer["nickname"] == "cy").unwrap();
    assert_eq!((cy_at_ada["reach"].as_str(), cy_at_ada["session"].as_bool()), (Some("mesh"), Some(true)));
    let status = bench.json(&["--home", "ada", "status"]).await;
    assert_eq!(status["counters"]["messages"]["delivered"], 1);
    assert_eq!(status["links"].as_array().unwrap().len(), 1);
    assert_eq!(status["mdns"], false);
}

#[tokio::test]
async fn a_private_message_shown_in_a_chat_comes_back_as_read() {
    let bench = Bench::new();
    let _air = bench.air("ada ben").await;
    let (_ada, ben) = (bench.daemon("ada").await, bench.daemon("ben").await);
    let mut chat = bench.start(&["--home", "ben", "chat"]);
    chat.event("ready", |_| true).await;
    let arguments = ["--home", "ada", "send", &ben.peer_id, "seen?", "--wait", "read", "--timeout", "60"];
    let sent = bench.json(&arguments).await;
    assert_eq!(sent["status"], "read");
    let shown = chat.event("private_message", |_| true).await;
    assert_eq!(shown["text"], "seen?");

    let mut heard = bench.client("ada").events().await.unwrap();
    chat.type_line("hello everyone").await;
    chat.type_line("@ada hello you").await;
    let texts = [event(&mut heard, text_of).await, event(&mut heard, text_of).await];
    assert_eq!(texts, [("public", "hello everyone".to_owned()), ("private", "hello you".to_owned())]);
    chat.type_line("/quit").await;
    assert!(chat.ended_well().await);
}

fn text_of(event: EventReport) -> Option<(&'static str, String)> {
    if let EventReport::PublicMessage(message) = event {
        return Some(("public", message.text));
    }
    let EventReport::PrivateMessage(message) = event else { return None };
    Some(("private", message.text))
}

#[tokio::test]
async fn who_is_asked_to_end_says_goodbye_and_ends_within_a_second() {
    let bench = Bench::new();
    let _air = bench.air("ada ben").await;
    let (_ada, mut ben) = (bench.daemon("ada").await, bench.daemon("ben").await);
    let ada = bench.client("ada");
    know(&ada, &[&ben.peer_id]).await;
    let mut events = ada.events().await.unwrap();
    assert!(ben.running.signal("TERM", Duration::from_secs(1)).await);
    let id: PeerId = ben.peer_id.parse().unwrap();
    let left = event(&mut events, |event| {
        let EventReport::PeerGone { peer, left } = event else { return None };
        (peer == id).then_some(left)
    })
    .await;
    assert!(left, "ben did not say goodbye");
    assert!(!bench.path("ben/hopline.sock").exists());
}

#[tokio::test]
async fn a_nickname_of_two_peers_is_refused_with_both_listed() {
    let bench = Bench::new();
    let _air = bench.air(LINE).await;
    let ben = bench.daemon("ben").await;
    let (ada, cy) = (bench.daemon_called("ada", "twin").await, bench.daemon_called("cy", "twin").await);
    let client = bench.client("ben");
    know(&client, &[&ada.peer_id, &cy.peer_id]).await;
    let Err(ClientError::Refused(refused)) = client.send("@twin", "which?").await else {
        panic!("the message was not refused")
    };
    assert_eq!(refused.code, Code::AmbiguousName);
    assert!(refused.message.contains(&ada.peer_id) && refused.message.contains(&cy.peer_id));
    let Err(ClientError::Refused(refused)) = client.send(&ben.peer_id, "me?").await else {
        panic!("a message to oneself was not refused")
    };
    assert_eq!(refused.code, Code::ToSelf);
    let unheard = client.send("zoe", "who?").await;
    assert!(matches!(unheard, Err(ClientError::Refused(refused)) if refused.code == Code::UnknownPeer));
}

#[tokio::test]
async fn a_message_to_nobody_in_reach_waits_and_can_be_asked_for() {
    let bench = Bench::new();
    let _air = bench.air("ada").await;
    let _ada = bench.daemon("ada").await;
    let client = bench.client("ada");
    for nothing in ["", " \n "] {
        assert!(
            client.send("everyone", nothing).await.unwrap_err().to_string().contains("the text is empty")
        );
    }
    let sent = client.send("everyone", "anybody?").await.unwrap();
    assert_eq!(sent.status, StatusWord::Queued);
    let asked = client.message(sent.id).await.unwrap();
    assert_eq!((asked.id, asked.status), (sent.id, StatusWord::Queued));
    assert_eq!(asked.reason.as_deref(), Some("no transport reaches the recipient"));
    let arguments = ["--home", "ada", "send", "everyone", "really?", "--wait", "sent", "--timeout", "1"];
    let output = bench.run(&arguments).await;
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(
        stderr(&output),
        "error: the message is queued, and was not sent within 1 s: it waits for earlier messages to the same \
         recipient\n\
         hint: the daemon goes on trying; `hopline outbox` shows what waits and why\n"
    );
}

#[tokio::test]
async fn a_home_has_one_daemon_and_keeps_its_identity_for_its_owner_alone() {
    let bench = Bench::new();
    let _air = bench.air("ada ben").await;
    let mut ada = bench.daemon("ada").await;
    for file in ["identity.key", "hopline.sock"] {
        let mode = std::fs::metadata(bench.path("ada").join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let second = bench.run(&["--home", "ada", "daemon", "--radio", "sim:air#ben"]).await;
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).starts_with("error: another hopline daemon is running in ada\n"));

    // A daemon that is killed leaves its socket behind; the next one takes its place.
    assert!(!ada.running.signal("KILL", DEADLINE).await);
    assert!(bench.path("ada/hopline.sock").exists());
    let again = bench.daemon("ada").await;
    assert_eq!(again.peer_id, ada.peer_id);
}

#[tokio::test]
async fn what_is_cut_apart_finds_together_again_and_each_message_shows_once() {
    let bench = Bench::new();
    let _air = bench.air("ada ben").await;
    let (_ada, ben) = (bench.daemon("ada").await, bench.daemon("ben").await);
    know(&bench.client("ada"), &[&ben.peer_id]).await;
    let mut at_ada = bench.client("ada").events().await.unwrap();
    let mut at_ben = bench.client("ben").events().await.unwrap();
    bench.json(&["air", "air", "--cut", "ada,ben"]).await;
    event(&mut at_ada, |event| matches!(event, EventReport::LinkDown { .. }).then_some(())).await;

    let first = bench.client("ada").send("everyone", "one").await.unwrap();
    assert_eq!(first.status, StatusWord::Queued);
    bench.json(&["air", "air", "--join", "ada,ben"]).await;
    assert_eq!(event(&mut at_ben, text_of).await.1, "one");
    bench.client("ada").send("everyone", "two").await.unwrap();
    assert_eq!(event(&mut at_ben, text_of).await.1, "two");
}
