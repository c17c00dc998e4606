//! `hopline wipe` with the real program: it asks, it waits for no daemon, and nothing is left.

#![cfg(feature = "cli")]

mod program;

use program::{Bench, DEADLINE, stderr, stdout};

#[tokio::test]
async fn a_home_is_destroyed_once_its_daemon_is_gone_and_only_when_that_is_said() {
    let bench = Bench::new();
    let _air = bench.air("ada").await;
    let mut ada = bench.daemon("ada").await;
    let running = bench.run(&["--home", "ada", "wipe", "--yes"]).await;
    assert_eq!(running.status.code(), Some(1));
    assert!(stderr(&running).starts_with("error: a daemon is running in ada"), "{}", stderr(&running));
    assert!(bench.path("ada/identity.key").exists());

    assert!(ada.running.signal("TERM", DEADLINE).await);
    let unasked = bench.run(&["--home", "ada", "wipe"]).await;
    assert_eq!(unasked.status.code(), Some(2));
    assert!(stderr(&unasked).contains("--yes") && bench.path("ada/identity.key").exists());

    let wiped = bench.run(&["--home", "ada", "wipe", "--yes"]).await;
    assert!(stdout(&wiped).starts_with("destroyed identity.key, device.key; removed "), "{}", stdout(&wiped));
    assert!(!bench.path("ada").exists());

    let again = bench.run(&["--home", "ada", "wipe", "--yes"]).await;
    assert!(stderr(&again).contains("is no home of a node"), "{}", stderr(&again));
    let reborn = bench.daemon("ada").await;
    assert_ne!(reborn.peer_id, ada.peer_id);
}

#[tokio::test]
async fn an_interrupted_wipe_is_finished_and_a_directory_of_other_things_is_left_alone() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("half")).expect("a directory");
    for name in ["wipe.unfinished", "messages.db"] {
        std::fs::write(bench.path("half").join(name), "").expect("a file");
    }
    let finished = bench.json(&["--home", "half", "wipe", "--yes"]).await;
    assert_eq!((&finished["destroyed"], finished["removed"].as_u64()), (&serde_json::json!([]), Some(2)));
    assert!(!bench.path("half").exists());

    std::fs::create_dir(bench.path("letters")).expect("a directory");
    std::fs::write(bench.path("letters/one"), "dear").expect("a file");
    let refused = bench.run(&["--home", "letters", "wipe", "--yes"]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(bench.path("letters/one").exists() && !bench.path("letters/hopline.lock").exists());
}
