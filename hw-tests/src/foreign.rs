//! A BitChat peer of other make: the program of `HW_FOREIGN_PEER`, driven over its standard input and output.
//!
//! `tools/bench_vm/foreign_peer.py` says what it takes and what it tells.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::time::timeout;

/// The variables that describe it.
pub const VARIABLES: &[&str] = &["HW_PYTHON", "HW_FOREIGN_PEER", "HW_FOREIGN_PYTHONPATH"];

/// How long it may take to find, connect and answer. It is slow under emulation.
const PATIENCE: Duration = Duration::from_secs(150);

/// A foreign peer that runs.
#[derive(Debug)]
pub struct Foreign {
    _child: Child,
    input: ChildStdin,
    told: Arc<watch::Sender<Vec<Value>>>,
    /// Its id on the mesh, in hex.
    pub id: String,
}

impl Foreign {
    /// Starts it on an adapter; what it tells also goes to `log`.
    pub async fn start(nickname: &str, adapter: &str, log: PathBuf) -> Result<Self, Failed> {
        let mut command = Command::new(std::env::var("HW_PYTHON")?);
        command.arg(std::env::var("HW_FOREIGN_PEER")?).arg(nickname);
        command.env("PYTHONPATH", std::env::var("HW_FOREIGN_PYTHONPATH")?);
        command.env("HW_FOREIGN_ADAPTER", adapter);
        let errors = std::fs::File::create(log.with_extension("err.log"))?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).kill_on_drop(true);
        let mut child = command.spawn()?;
        let input = child.stdin.take().ok_or("a foreign peer without input")?;
        let output = child.stdout.take().ok_or("a foreign peer without output")?;
        let told = Arc::new(watch::Sender::new(Vec::new()));
        let taken_down = told.clone();
        let mut copy = tokio::fs::File::create(log).await?;
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Err(error) = copy.write_all(format!("{line}\n").as_bytes()).await {
                    eprintln!("the foreign peer's log: {error}");
                }
                if let Ok(event) = serde_json::from_str(&line) {
                    taken_down.send_modify(|told: &mut Vec<Value>| told.push(event));
                }
            }
        });
        let mut peer = Self { _child: child, input, told, id: String::new() };
        peer.id = text(&peer.tells("started", &[]).await?, "peer")?;
        Ok(peer)
    }

    /// Waits until it tells an event with these fields.
    pub async fn tells(&self, event: &str, fields: &[(&str, &str)]) -> Result<Value, Failed> {
        let fits =
            |told: &Value| told["event"] == event && fields.iter().all(|(name, value)| told[*name] == *value);
        let mut told = self.told.subscribe();
        let waiting = told.wait_for(|told| told.iter().any(fits));
        let late = |_| format!("the foreign peer did not tell {event} {fields:?} within {PATIENCE:?}");
        let told = timeout(PATIENCE, waiting).await.map_err(late)??;
        let found = told.iter().find(|told| fits(told)).cloned();
        Ok(found.ok_or("an event that came and went")?)
    }

    /// How often it told an event with this text.
    pub fn told(&self, event: &str, text: &str) -> usize {
        let told = self.told.borrow();
        told.iter().filter(|told| told["event"] == event && told["text"] == text).count()
    }

    /// Packets that the second decoder did not read as the first did.
    pub fn disputed(&self) -> Vec<Value> {
        let told = self.told.borrow();
        told.iter().filter(|told| told["event"] == "packet" && told["codec"] != "ok").cloned().collect()
    }

    /// Gives it a command and waits until it has carried it out.
    pub async fn order(&mut self, command: &str) -> Result<(), Failed> {
        self.input.write_all(format!("{command}\n").as_bytes()).await?;
        self.input.flush().await?;
        let done = self.tells("done", &[("command", command)]).await?;
        if done["ok"] == true { Ok(()) } else { Err(format!("the foreign peer: {done}").into()) }
    }
}

/// A field of what it told, as text.
pub fn text(told: &Value, field: &str) -> Result<String, Failed> {
    let text = told[field].as_str().ok_or_else(|| format!("no {field} in {told}"))?;
    Ok(text.to_owned())
}
