//! The commands where there is no daemon and perhaps no radio, as a new user meets them.

#![cfg(feature = "cli")]

mod program;

use serde_json::Value;

use program::{Bench, stderr, stdout};

#[tokio::test]
async fn every_command_that_needs_a_daemon_says_how_to_start_one() {
    let bench = Bench::new();
    let commands: [&[&str]; 8] = [
        &["send", "ben", "hello"],
        &["peers"],
        &["watch"],
        &["status"],
        &["chat"],
        &["outbox"],
        &["history"],
        &["route", "ben"],
    ];
    for arguments in commands {
        let output = bench.run(arguments).await;
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        assert!(stderr(&output).contains("start one with `hopline daemon`"), "{}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
}

#[tokio::test]
async fn an_error_is_an_object_where_json_is_asked_for() {
    let output = Bench::new().run(&["--json", "peers"]).await;
    let object: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert!(object["error"]["message"].as_str().unwrap().starts_with("no daemon answers"));
    assert!(object["error"]["hint"].as_str().unwrap().contains("hopline daemon"));
}

#[tokio::test]
async fn doctor_says_what_to_do_about_everything_that_is_not_good_and_fails_if_something_is_missing() {
    let output = Bench::new().run(&["--json", "doctor"]).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    for subject in ["adapter", "bluez", "rfkill", "date", "clock"] {
        assert!(findings.iter().any(|finding| finding["subject"] == subject), "nothing about {subject}");
    }
    for finding in findings {
        assert_eq!(finding["advice"].is_string(), finding["severity"] != "good", "{finding}");
    }
    let missing = findings.iter().any(|finding| finding["severity"] == "missing");
    assert_eq!(report["ready"], !missing);
    assert_eq!(output.status.success(), !missing);
    let has_adapter =
        std::fs::read_dir("/sys/class/bluetooth").is_ok_and(|mut entries| entries.next().is_some());
    let adapter_missing = findings.iter().any(|finding| {
        finding["severity"] == "missing" && finding["found"] == "this machine has no Bluetooth adapter"
    });
    assert_eq!(adapter_missing, !has_adapter);
}

#[tokio::test]
async fn a_daemon_without_the_radio_it_was_told_to_use_says_so_and_ends() {
    let bench = Bench::new();
    let output = bench.run(&["daemon", "--radio", "sim:nowhere"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no air is served on nowhere"), "{}", stderr(&output));
    assert!(stderr(&output).contains("hopline air PATH --topology FILE"));

    let output = bench.run(&["daemon", "--adapter", "hci77"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("Bluetooth cannot be used"), "{}", stderr(&output));
    assert!(stderr(&output).contains("hopline doctor"));
}

#[tokio::test]
async fn a_daemon_that_was_told_of_no_adapter_runs_without_bluetooth_and_says_why() {
    let bench = Bench::new();
    let mut daemon = bench.start_without_bluetooth(&["--home", "ada", "daemon"]);
    let told = daemon.event("no_bluetooth", |_| true).await;
    assert_eq!(told["reason"], "Bluetooth cannot be used: no D-Bus system bus");
    daemon.event("ready", |_| true).await;

    let status = bench.json(&["--home", "ada", "status"]).await;
    let transports = status["transports"].as_array().unwrap();
    let of = |key: &str| transports.iter().find(|transport| transport["transport"] == key).unwrap();
    assert_eq!(of("bitchat")["reason"], "no adapter");
    assert_eq!(of("direct")["reason"], Value::Null);
    assert!(daemon.signal("TERM", program::DEADLINE).await, "it leaves though it still looks for an adapter");
}

#[tokio::test]
async fn a_bad_configuration_names_file_line_and_key() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("home")).unwrap();
    let config = "[node]\nnickname = \"everyone\"\n[router]\nattempts = 99\n";
    std::fs::write(bench.path("home/config.toml"), config).unwrap();
    let problems = "\
home/config.toml:2: node.nickname: the nickname `everyone` is reserved
home/config.toml:4: router.attempts: 99 is not between 1 and 20
";
    let output = bench.run(&["--home", "home", "daemon"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        format!(
            "error: {problems}hint: change these lines; `hopline config check` says when the file is fine\n"
        )
    );

    let checked = bench.run(&["--home", "home", "config", "check"]).await;
    assert_eq!(checked.status.code(), Some(1));
    assert_eq!(stdout(&checked), problems);
    assert_eq!(stderr(&checked), "error: 2 lines of home/config.toml cannot be used\n");
}

#[tokio::test]
async fn a_configuration_is_checked_and_shown_without_a_daemon() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("home")).unwrap();
    assert_eq!(
        stdout(&bench.run(&["--home", "home", "config", "check"]).await),
        "there is no home/config.toml: the defaults hold\n"
    );
    let config = "[router]\npriority = [\"mesh\", \"ble\"]\n\n[direct]\nmdns = true\n";
    std::fs::write(bench.path("home/config.toml"), config).unwrap();
    assert_eq!(
        stdout(&bench.run(&["config", "check", "home/config.toml"]).await),
        "home/config.toml is fine: 2 keys\n"
    );
    let shown = bench.json(&["--home", "home", "config", "show", "--nickname", "ada"]).await;
    let settings = shown["settings"].as_array().unwrap();
    let setting = |key: &str| settings.iter().find(|setting| setting["key"] == key).unwrap().clone();
    assert_eq!(setting("router.priority")["value"], serde_json::json!(["direct", "bitchat", "betanet"]));
    assert_eq!(
        (setting("direct.mdns")["origin"].as_str(), setting("direct.mdns")["line"].as_u64()),
        (Some("file"), Some(5))
    );
    assert_eq!(setting("node.nickname")["origin"], "command_line");
    assert_eq!(setting("betanet.enabled")["origin"], "default");
    assert!(!bench.path("home/nickname").exists(), "showing a configuration wrote into the home");
}

#[tokio::test]
async fn a_bad_topology_names_file_and_line() {
    let bench = Bench::new();
    std::fs::write(bench.path("topology"), "ada ben\nben ben\n").unwrap();
    let output = bench.run(&["air", "air", "--topology", "topology"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("error: topology, line 2: `ben` is joined with itself\n"));
}

#[tokio::test]
async fn completions_and_the_man_page_know_every_command() {
    let bench = Bench::new();
    let completions = stdout(&bench.run(&["completions", "bash"]).await);
    let page = stdout(&bench.run(&["man"]).await);
    for command in [
        "demo", "daemon", "chat", "send", "peers", "ping", "trace", "topology", "watch", "outbox", "history",
        "route", "status", "config", "doctor", "packet", "air",
    ] {
        assert!(completions.contains(&format!("hopline__subcmd__{command}")), "no completions for {command}");
        assert!(page.contains(&format!("HOPLINE {}", command.to_uppercase())), "no page for {command}");
    }
}

#[tokio::test]
async fn the_demo_verifies_every_step_at_the_far_end() {
    let output = Bench::new().run(&["--json", "demo", "--seed", "3"]).await;
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    let steps: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verified: Vec<&str> = steps
        .iter()
        .filter(|step| step["verified"] == true)
        .map(|step| step["step"].as_str().unwrap())
        .collect();
    assert_eq!(verified, ["discovery", "public_message", "handshake", "private_message", "long_message"]);
    let long = steps.iter().find(|step| step["step"] == "long_message").unwrap();
    assert_eq!(long["facts"]["characters"], 32 * 1024);
    assert!(long["facts"]["fragments"].as_u64().unwrap() >= 50);
    assert_eq!(steps.last().unwrap()["step"], "counted");
}
