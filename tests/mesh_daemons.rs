//! Groups, the notice board, the look at the mesh, and the whole of the chat: daemons in a line on one simulated
//! air, over whose middle everything between the ends has to go, and what people type at them.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

mod program;

use std::collections::BTreeSet;

use hopline::api::board::BoardNews;
use hopline::api::files::FileWord;
use hopline::api::groups::GroupNews;
use hopline::api::people::PersonNews;
use hopline::api::schema::EventReport;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use program::{Bench, DEADLINE, Daemon, Running, event, know, stderr, stdout};

/// Ada and cy, and ben between them; the ends have heard each other.
struct Line {
    bench: Bench,
    _air: Running,
    ada: Daemon,
    ben: Daemon,
    cy: Daemon,
}

impl Line {
    async fn build() -> Self {
        let bench = Bench::new();
        let air = bench.air("ada ben\nben cy\n").await;
        let (ada, ben, cy) = (bench.daemon("ada").await, bench.daemon("ben").await, bench.daemon("cy").await);
        know(&bench.client("ada"), &[&ben.peer_id, &cy.peer_id]).await;
        know(&bench.client("cy"), &[&ada.peer_id]).await;
        Self { bench, _air: air, ada, ben, cy }
    }

    /// What a command says in this home, done well.
    async fn said(&self, home: &str, arguments: &[&str]) -> String {
        let output = self.bench.run(&[&["--home", home], arguments].concat()).await;
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        stdout(&output)
    }

    /// Why a command is not done in this home.
    async fn refused(&self, home: &str, arguments: &[&str]) -> String {
        let output = self.bench.run(&[&["--home", home], arguments].concat()).await;
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", stdout(&output));
        stderr(&output)
    }

    /// Waits until ada has it from both ends of every link who hears whom. No event tells of that.
    async fn surveyed(&self) -> Value {
        let begun = Instant::now();
        loop {
            let mesh = self.bench.json(&["--home", "ada", "topology"]).await;
            let edges = mesh["edges"].as_array().unwrap();
            if edges.len() == 2 && edges.iter().all(|edge| edge["confirmed"] == true) {
                return mesh;
            }
            assert!(begun.elapsed() < DEADLINE, "{mesh}");
        }
    }
}

fn joined(event: EventReport) -> Option<()> {
    matches!(event, EventReport::Group(notice) if notice.news == GroupNews::Joined).then_some(())
}

fn expelled(event: EventReport) -> Option<()> {
    matches!(event, EventReport::Group(notice) if notice.news == GroupNews::Expelled).then_some(())
}

fn said_to_group(event: EventReport) -> Option<(String, String)> {
    let EventReport::GroupMessage(message) = event else { return None };
    Some((message.nickname, message.text))
}

#[tokio::test]
async fn a_group_is_made_filled_spoken_in_and_left_by_who_is_removed() {
    let line = Line::build().await;
    let (mut at_ada, mut at_cy) =
        (line.bench.client("ada").events().await.unwrap(), line.bench.client("cy").events().await.unwrap());
    let made = line.said("ada", &["group", "create", "night watch"]).await;
    let typed = made.split('`').nth(1).unwrap().replace("PEER", "cy");
    let words: Vec<&str> = typed.split(' ').skip(1).collect();
    assert_eq!(line.said("ada", &words).await, "cy is a member of night watch, which has 2\n");
    event(&mut at_cy, joined).await;
    let members = line.said("cy", &["group", "list"]).await;
    assert!(members.ends_with("ada (creator), cy\n"), "{members}");

    line.said("ada", &["group", "send", "night watch", "who is awake?"]).await;
    let heard = |nickname: &str, text: &str| (nickname.to_owned(), text.to_owned());
    assert_eq!(event(&mut at_cy, said_to_group).await, heard("ada", "who is awake?"));
    line.said("cy", &["group", "send", "night watch", "I am"]).await;
    let from_cy = |event| said_to_group(event).filter(|(nickname, _)| nickname == "cy");
    assert_eq!(event(&mut at_ada, from_cy).await, heard("cy", "I am"));
    for end in ["ada", "cy"] {
        let history = line.said(end, &["history"]).await;
        assert!(history.contains("who is awake?") && history.contains("I am"), "{end}: {history}");
    }
    let between = line.said("ben", &["history"]).await;
    assert!(!between.contains("awake") && !between.contains("I am"), "{between}");

    let twice = line.refused("ada", &["group", "invite", "night watch", "cy"]).await;
    assert!(twice.contains("hint: `hopline group list` shows who is in it"), "{twice}");
    let own = line.refused("ada", &["group", "remove", "night watch", "ada"]).await;
    assert!(own.contains("hint: `hopline group leave` does that"), "{own}");
    let nothing = line.refused("ada", &["group", "send", "night watch", ""]).await;
    assert!(nothing.contains("hint: write something"), "{nothing}");
    let long = line.refused("ada", &["group", "send", "night watch", &"x".repeat(60_001)]).await;
    assert!(long.contains("hint: send it as several messages"), "{long}");
    let forbidden = line.refused("cy", &["group", "remove", "night watch", "ada"]).await;
    assert!(forbidden.contains("hint: ask who made it; anybody may leave"), "{forbidden}");
    let removed = line.said("ada", &["group", "remove", "night watch", "cy"]).await;
    assert_eq!(removed, "cy is no member of night watch any more, and the key is another\n");
    event(&mut at_cy, expelled).await;
    let outside = line.refused("cy", &["group", "send", "night watch", "still here?"]).await;
    assert!(outside.contains("you are in no group called `night watch`"), "{outside}");
    assert!(line.said("ada", &["group", "leave", "night watch"]).await.contains("it was yours"));
    assert!(line.said("ada", &["group"]).await.starts_with("you are in no group"));
}

#[tokio::test]
async fn a_notice_stands_everywhere_until_its_author_withdraws_it() {
    let line = Line::build().await;
    let mut at_cy = line.bench.client("cy").events().await.unwrap();
    let posted = line.bench.json(&["--home", "ada", "board", "post", "the bridge is down", "--urgent"]).await;
    let later = ["--home", "ada", "board", "post", "bread at the church", "--for", "2d"];
    let second = line.bench.json(&later).await;
    // Which of them comes first nobody promises.
    let mut awaited: BTreeSet<&str> =
        [&posted, &second].map(|said| said["notice"]["id"].as_str().unwrap()).into();
    while !awaited.is_empty() {
        let id = event(&mut at_cy, |event| {
            let EventReport::Board(notice) = event else { return None };
            (notice.news == BoardNews::Posted).then(|| notice.notice.id.to_string())
        })
        .await;
        assert!(awaited.remove(id.as_str()), "{id}");
    }
    let board = line.said("cy", &["board"]).await;
    let rows: Vec<&str> = board.lines().collect();
    assert_eq!(rows.len(), 3, "{board}");
    assert!(rows[1].contains("ada#") && rows[1].ends_with("URGENT: the bridge is down"), "{board}");
    assert!(rows[2].contains("in 1 d 23 h") && rows[2].ends_with("bread at the church"), "{board}");

    let id = posted["notice"]["id"].as_str().unwrap();
    let not_theirs = line.refused("cy", &["board", "remove", &id[..8]]).await;
    assert!(not_theirs.contains("hint: only its author can withdraw it"), "{not_theirs}");
    let withdrawn = line.said("ada", &["board", "remove", &id[..8]]).await;
    assert_eq!(withdrawn, format!("notice {} is withdrawn\n", &id[..8]));
    event(&mut at_cy, |event| {
        matches!(event, EventReport::Board(notice) if notice.news == BoardNews::Withdrawn).then_some(())
    })
    .await;
    for home in ["ada", "cy"] {
        let left = line.said(home, &["board", "list"]).await;
        assert!(!left.contains("bridge") && left.contains("bread"), "{home}: {left}");
    }
    let unknown = line.refused("ada", &["board", "remove", "ffffffff"]).await;
    assert!(unknown.contains("hint: `hopline board` shows the notices that stand"), "{unknown}");
}

#[tokio::test]
async fn the_mesh_is_seen_from_one_end_to_the_other() {
    let line = Line::build().await;
    let mesh = line.surveyed().await;
    assert_eq!(mesh["me"], line.ada.peer_id.as_str());
    let (ada, ben, cy) = (&line.ada.peer_id, &line.ben.peer_id, &line.cy.peer_id);
    let tree = line.said("ada", &["topology"]).await;
    assert_eq!(tree, format!("ada  {ada}  this node\n└─ ben  {ben}\n   └─ cy  {cy}\n"));
    let dot = line.said("ada", &["topology", "--dot"]).await;
    assert!(dot.starts_with("graph mesh {\n") && dot.ends_with("}\n"), "{dot}");
    assert!(dot.contains(&format!("\"{ada}\" [label=\"ada\\n{ada}\", peripheries=2];")), "{dot}");
    let edge = |one: &String, other: &String| format!("\"{}\" -- \"{}\";", one.min(other), one.max(other));
    assert!(dot.contains(&edge(ada, ben)) && dot.contains(&edge(ben, cy)), "{dot}");

    let ping = line.said("ada", &["ping", "cy", "--count", "1"]).await;
    assert!(ping.starts_with("cy answers in ") && ping.ends_with(" ms, 2 hops\n1 of 1 answered\n"), "{ping}");
    let trace = line.bench.json(&["--home", "ada", "trace", cy]).await;
    let way: Vec<&Value> = trace["path"].as_array().unwrap().iter().map(|node| &node["peer"]).collect();
    assert_eq!(way, [ada, ben, cy]);
    assert_eq!((&trace["ping"]["answered"], &trace["ping"]["hops"]), (&true.into(), &2.into()));
    let own = line.refused("ada", &["ping", ada]).await;
    assert!(own.contains("that is this node itself"), "{own}");
    let everyone = line.refused("ada", &["trace", "everyone"]).await;
    assert!(everyone.contains("hint: `hopline topology` shows all at once"), "{everyone}");
}

/// Types a line, and gives the line that comes back with this in it.
async fn answered(chat: &mut Running, typed: &str, with: &str) -> String {
    chat.type_line(typed).await;
    chat.line(with).await
}

#[tokio::test]
async fn people_and_the_mesh_are_asked_and_decided_about_in_the_chat() {
    let line = Line::build().await;
    line.surveyed().await;
    let mut at_ben = line.bench.client("ben").events().await.unwrap();
    let mut chat = line.bench.start_for_people(&["--home", "ada", "chat"]);
    chat.line(&format!("you are ada {}; /help tells what can be typed", line.ada.peer_id)).await;

    let header = answered(&mut chat, "/who", "REACH").await;
    assert!(header.starts_with("NAME"), "{header}");
    assert!(chat.line(&line.ben.peer_id).await.contains("direct over"));
    answered(&mut chat, "/msg ben see you at 8", "* ben has your message").await;
    let text = event(&mut at_ben, |event| {
        let EventReport::PrivateMessage(message) = event else { return None };
        Some(message.text)
    });
    assert_eq!(text.await, "see you at 8");
    assert!(answered(&mut chat, "/ping cy", "* cy answers in").await.ends_with("ms, 2 hops"));
    answered(&mut chat, "/trace @cy", "cy answers in").await;
    chat.line("  ada - ben - cy").await;
    answered(&mut chat, "/topology", "this node").await;
    chat.line(&format!("   └─ cy  {}", line.cy.peer_id)).await;

    answered(&mut chat, "/fav ben", "ben is a favourite, and is told").await;
    for (typed, said, wanted) in [
        (None, "", PersonNews::Favoured),
        (Some("/unfav ben"), "ben is no favourite, and is told", PersonNews::Unfavoured),
    ] {
        if let Some(typed) = typed {
            answered(&mut chat, typed, said).await;
        }
        let news = event(&mut at_ben, |event| {
            let EventReport::Person(notice) = event else { return None };
            Some(notice.news)
        });
        assert_eq!(news.await, wanted);
    }
    answered(&mut chat, "/block cy", "cy is blocked: nothing of them is shown").await;
    answered(&mut chat, "/who", "blocked").await;
    answered(&mut chat, "/unblock cy", "cy is not blocked").await;

    answered(&mut chat, "/verify ben", "bitchat://verify?").await;
    chat.line("let ben scan this within five minutes").await;
    let mut shown = line.bench.start(&["--home", "ben", "verify", "ada"]);
    let code = shown.event("code", |_| true).await["code"].as_str().unwrap().to_owned();
    answered(&mut chat, &format!("/verify {code}"), "* the code is good").await;
    chat.line("* ben is verified: the keys are theirs").await;

    answered(&mut chat, "/ping zoe", "* nobody called `zoe` has been heard (`/who` shows").await;
    answered(&mut chat, "/fav zoe", "* nobody called `zoe` is a contact").await;
    answered(&mut chat, "/verify ben --revoke", "ben is not verified: whom they vouch for").await;
    answered(&mut chat, "/verify", "type /verify [NAME | CODE | NAME --compared | NAME --revoke]").await;
    chat.type_line("/quit").await;
    assert!(chat.ended_well().await);
}

#[tokio::test]
async fn rooms_files_and_the_board_are_used_in_the_chat() {
    let line = Line::build().await;
    let mut at_cy = line.bench.client("cy").events().await.unwrap();
    let mut chat = line.bench.start_for_people(&["--home", "ada", "chat"]);
    chat.line("/help tells what can be typed").await;

    let made = answered(&mut chat, "/group create night watch", "night watch is made").await;
    let invite = made.split('`').nth(1).unwrap().replace("PEER", "cy");
    answered(&mut chat, &invite, "cy is a member of night watch, which has 2").await;
    event(&mut at_cy, joined).await;
    answered(&mut chat, "/group list", "GROUP").await;
    chat.line("ada (creator), cy").await;
    for typed in ["#\"night watch\" who is awake?", "/group say \"night watch\" who is awake?"] {
        chat.type_line(typed).await;
        let heard = event(&mut at_cy, said_to_group).await;
        assert_eq!(heard, ("ada".to_owned(), "who is awake?".to_owned()), "{typed}");
    }
    line.said("cy", &["group", "send", "night watch", "I am"]).await;
    chat.line("[#night watch] <cy> I am").await;
    answered(&mut chat, "/group remove night watch cy", "cy is no member of night watch any more").await;
    event(&mut at_cy, expelled).await;
    answered(&mut chat, "/group leave night watch", "you left night watch").await;

    let content = [b"%PDF-1.4\n".as_slice(), &[7; 2_000]].concat();
    std::fs::write(line.bench.path("the plan.pdf"), &content).unwrap();
    answered(&mut chat, "/file cy the plan.pdf", "file 1, the plan.pdf to ").await;
    let path = event(&mut at_cy, |event| {
        let EventReport::File(file) = event else { return None };
        file.path.filter(|_| file.status == FileWord::Done)
    })
    .await;
    assert!(std::fs::read(path).unwrap() == content);
    chat.line("is delivered").await;

    let posted = answered(&mut chat, "/board post bread at the church", "stands for 1 d 0 h").await;
    let id = posted.split(' ').nth(1).unwrap();
    event(&mut at_cy, |event| matches!(event, EventReport::Board(_)).then_some(())).await;
    assert!(answered(&mut chat, "/board", "in 23 h 59 min").await.contains("bread at the church"));
    answered(&mut chat, &format!("/board remove {id}"), &format!("notice {id} is withdrawn")).await;

    answered(&mut chat, "#crew hello", "* not sent: you are in no group called `crew`").await;
    answered(&mut chat, "/file cy nothing.pdf", "(see that it is there, and that whoever runs the daemon")
        .await;
    answered(&mut chat, "/file #crew the plan.pdf", "* not sent: a file goes to one peer or to everyone")
        .await;
    answered(&mut chat, "/board remove ffffffff", "* no notice has an id that begins with `ffffffff`").await;
    chat.type_line("/clear").await;
    let next = timeout(DEADLINE, answered(&mut chat, "/dance", "")).await.unwrap();
    assert_eq!(next, "* there is no /dance (/help lists what can be typed)", "no terminal, nothing to clear");
    let help = answered(&mut chat, "/help", "a line").await;
    assert!(help.ends_with("goes to everyone in reach, readable by all"), "{help}");
    for command in ["/msg", "/who", "/group", "/file", "/board", "/fav", "/verify", "/clear", "/quit"] {
        chat.line(command).await;
    }
    chat.type_line("/quit").await;
    assert!(chat.ended_well().await);
}

#[tokio::test]
async fn programs_get_every_error_of_the_chat_in_one_shape() {
    let bench = Bench::new();
    let _air = bench.air("ada ben").await;
    let _ada = bench.daemon("ada").await;
    let mut chat = bench.start(&["--home", "ada", "chat"]);
    chat.event("ready", |_| true).await;
    chat.type_line("/group create night watch").await;
    let made = chat.object("the group", |object| object["name"] == "night watch").await;
    // Whoever makes a group can call it what another one's id begins with.
    let front = made["id"].as_str().unwrap().get(..8).unwrap();
    chat.type_line(&format!("/group create {front}")).await;
    chat.object("the other group", |object| object["name"] == front).await;
    for (typed, code) in [
        (format!("#{front} hello").as_str(), "ambiguous_name"),
        ("@zoe hello", "unknown_peer"),
        ("/ping zoe", "unknown_peer"),
        ("/file zoe notes.txt", "unknown_peer"),
        ("/fav zoe", "unknown_peer"),
        ("/verify bitchat://verify?v=1", "bad_code"),
        ("#crew hello", "not_found"),
        ("/group leave crew", "not_found"),
        ("/board remove ffffffff", "not_found"),
        ("/trace everyone", "unfit"),
        ("/file #crew notes.txt", "bad_request"),
        ("/msg zoe", "bad_request"),
        ("/dance", "bad_request"),
    ] {
        chat.type_line(typed).await;
        let told = chat.object(typed, |object| object["error"].is_object()).await;
        let error = &told["error"];
        assert_eq!(error["code"], code, "{typed}: {error}");
        assert!(error["message"].is_string() && error["hint"].is_string(), "{typed}: {error}");
    }
    chat.type_line("/help").await;
    let help = chat.object("/help", |object| object["help"].is_string()).await;
    assert!(help["help"].as_str().unwrap().contains("/topology"), "{help}");
    chat.type_line("/quit").await;
    assert!(chat.ended_well().await);
}
