//! A `hopline relay`: a process with a home of its own, in a place of the test's own.

use std::net::SocketAddr;
use std::path::PathBuf;

use libtest_mimic::Failed;
use tokio::process::Command;

use crate::network::Place;
use crate::process::Process;

/// The name in its certificate, which it makes itself.
const HOST: &str = "relay.example";

/// What a relay is started with.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) program: PathBuf,
    pub(crate) place: Place,
    pub(crate) home: PathBuf,
    pub(crate) log: PathBuf,
}

/// A relay, running or not.
#[derive(Debug)]
pub struct Relay {
    plan: Plan,
    process: Option<Process>,
    /// What clients need to connect to it.
    record: String,
}

impl Relay {
    /// Makes its home and starts it, to listen at an address of its place.
    pub(crate) async fn start(plan: Plan, at: SocketAddr) -> Result<Self, Failed> {
        let mut relay = Self { plan, process: None, record: String::new() };
        let mut init = relay.command();
        init.args(["relay", "init", "--host", HOST, "--listen", &at.to_string()]);
        let made = init.output().await?;
        if !made.status.success() {
            return Err(format!("relay init: {}", String::from_utf8_lossy(&made.stderr)).into());
        }
        relay.restart().await?;
        Ok(relay)
    }

    /// Starts it again in the same home.
    pub async fn restart(&mut self) -> Result<(), Failed> {
        let mut command = self.command();
        command.args(["--json", "-v", "relay", "run"]);
        let (process, ready) = Process::start(&mut command, &self.plan.log).await?;
        ready["record"].as_str().ok_or("a relay without a record")?.clone_into(&mut self.record);
        self.process = Some(process);
        Ok(())
    }

    /// Ends the process as a crash would.
    pub async fn kill(&mut self) -> Result<(), Failed> {
        let mut process = self.process.take().ok_or("no process to kill")?;
        Ok(process.child.kill().await?)
    }

    /// What a daemon is configured with to use it.
    pub fn config(&self) -> String {
        let certificate = self.plan.home.join("certificate.pem");
        format!("[betanet]\nrelays = [\"{}\"]\nca = \"{}\"\n", self.record, certificate.display())
    }

    fn command(&self) -> Command {
        let mut command = self.plan.place.command(&self.plan.program);
        command.arg("--home").arg(&self.plan.home);
        command
    }
}
