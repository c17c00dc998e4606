//! How the demo tells what happens.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::words::table;
use crate::clock::Clock;
use crate::mesh::error::DropReason;
use crate::node::status::Status;

/// Tells people lines, and programs one object a step.
pub(super) struct Telling<'a> {
    context: &'a Context,
    clock: Clock,
}

impl<'a> Telling<'a> {
    pub(super) fn new(context: &'a Context) -> Self {
        Self { context, clock: Clock::start() }
    }

    /// What the demo is about.
    pub(super) fn opening(&self, seed: u64) -> Result<(), CliError> {
        let object = json!({ "step": "opening", "nodes": ["ada", "ben", "cy"], "seed": seed });
        let text = "\
Three nodes in this process, over simulated Bluetooth, in real time:

    ada ))) ((( ben ))) ((( cy        ada and cy are out of each other's range

";
        self.context.out.say(&object, text.trim_end_matches('\n'))?;
        self.context.out.tell("")
    }

    /// A step begins.
    pub(super) fn begin(&self, what: &str) -> Result<(), CliError> {
        self.line(&format!("{what} ..."))
    }

    /// Something within a step.
    pub(super) fn note(&self, what: &str) -> Result<(), CliError> {
        self.line(&format!("  {what}"))
    }

    /// A step was verified at the far end.
    pub(super) fn verified(&self, step: &str, facts: Value, text: &str) -> Result<(), CliError> {
        let object = json!({ "step": step, "verified": true, "elapsed_ms": self.elapsed().as_millis(), "facts": facts });
        if self.context.out.is_json() {
            return self.context.out.object(&object);
        }
        self.line(&format!("  ok: {text}"))
    }

    /// What was counted.
    pub(super) fn counted(&self, nodes: &[Status]) -> Result<(), CliError> {
        let seconds = self.elapsed().as_secs_f64();
        let object = json!({
            "step": "counted",
            "elapsed_ms": self.elapsed().as_millis(),
            "nodes": nodes.iter().map(counts).collect::<Vec<_>>(),
        });
        let text = format!("\n{}\n\nEvery step was verified at the far end; {seconds:.1} s.", rows(nodes));
        self.context.out.say(&object, text)
    }

    fn line(&self, text: &str) -> Result<(), CliError> {
        self.context.out.tell(format!("{:5.1} s  {text}", self.elapsed().as_secs_f64()))
    }

    fn elapsed(&self) -> Duration {
        self.clock.now().instant.since_start()
    }
}

fn counts(status: &Status) -> Value {
    json!({
        "node": status.profile.nickname,
        "packets_made": status.bitchat.mesh.originated,
        "packets_relayed": status.bitchat.mesh.relayed,
        "packets_reassembled": status.bitchat.mesh.reassembled,
        "duplicates_dropped": duplicates(status),
        "frames_sent": status.bitchat.link.frames_sent,
        "frames_received": status.bitchat.link.frames_received,
        "bytes_sent": status.bitchat.radio.bytes_sent,
        "bytes_received": status.bitchat.radio.bytes_received,
        "messages_shown": status.messages.public_received + status.messages.private_received,
    })
}

fn rows(nodes: &[Status]) -> String {
    type Count = fn(&Status) -> u64;
    let counts: [(&str, Count); 9] = [
        ("packets made", |status| status.bitchat.mesh.originated),
        ("packets relayed for others", |status| status.bitchat.mesh.relayed),
        ("packets put together again", |status| status.bitchat.mesh.reassembled),
        ("duplicates dropped", duplicates),
        ("frames sent", |status| status.bitchat.link.frames_sent),
        ("frames received", |status| status.bitchat.link.frames_received),
        ("bytes sent", |status| status.bitchat.radio.bytes_sent),
        ("bytes received", |status| status.bitchat.radio.bytes_received),
        ("messages shown", |status| status.messages.public_received + status.messages.private_received),
    ];
    let mut rows = vec![vec!["counted".to_owned()]];
    if let Some(header) = rows.first_mut() {
        header.extend(nodes.iter().map(|status| format!("{:>9}", status.profile.nickname)));
    }
    for (name, count) in counts {
        let cells = nodes.iter().map(|status| format!("{:>9}", count(status)));
        rows.push(std::iter::once(name.to_owned()).chain(cells).collect());
    }
    table(&rows)
}

fn duplicates(status: &Status) -> u64 {
    status.bitchat.mesh.dropped.get(&DropReason::Duplicate).copied().unwrap_or_default()
}
