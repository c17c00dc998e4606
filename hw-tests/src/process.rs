//! A program of ours that runs until it is ended.

use std::path::Path;
use std::process::Stdio;

use libtest_mimic::Failed;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::record::PATIENCE;

/// A program that said it is ready; it is killed with this.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) child: Child,
    /// Held open, so that the program may go on printing.
    _output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts it, its errors behind what `log` has already; returns when it is ready, with what it said then.
    pub(crate) async fn start(command: &mut Command, log: &Path) -> Result<(Self, Value), Failed> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| format!("{:?}: {error}", command.as_std()))?;
        let output = child.stdout.take().ok_or("a program without output")?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        timeout(PATIENCE, output.read_line(&mut line)).await??;
        let ready = serde_json::from_str(&line).ok().filter(|said: &Value| said["event"] == "ready");
        let ready = ready.ok_or_else(|| format!("{:?} did not get ready: {line:?}", command.as_std()))?;
        Ok((Self { child, _output: output }, ready))
    }
}
