//! Where the nodes of one test live, and where one looks when it failed.

use std::fs;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hopline::api::schema::{ReachWord, RoleWord};
use libtest_mimic::{Failed, Trial};
use tempfile::TempDir;
use tokio::time::{Instant, interval, timeout};

use crate::network::Place;
use crate::node::{Node, Plan};
use crate::record::{Mark, PATIENCE, Record};
use crate::relay::{self, Relay};
use crate::{Bench, Needs, radio};

/// How long an advertisement has to stand before it is taken to be the one after the last connection.
const RENEWED: Duration = Duration::from_secs(2);
/// Lines of each log that are printed when a test failed.
const TAIL: usize = 60;

/// Homes and logs of one test's nodes.
#[derive(Debug)]
pub struct Stage {
    /// The radios.
    pub bench: Arc<Bench>,
    program: PathBuf,
    folder: TempDir,
}

/// What a node has to talk with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Means<'a> {
    /// Its adapters.
    pub adapters: &'a [&'a str],
    /// Where it is on the network; nothing for where the test itself is.
    pub place: Option<&'a Place>,
    /// Its `config.toml`.
    pub config: &'a str,
}

/// A test over daemons of `program`, unless `HW_NODE` names another one. Their logs go to `HW_RESULTS`, and
/// their ends are printed if it fails.
pub fn trial<F>(
    program: &'static str,
    name: &'static str,
    needs: impl Into<Needs>,
    limit: Duration,
    test: impl FnOnce(Arc<Stage>) -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = Result<(), Failed>>,
{
    let collecting = Duration::from_secs(10);
    crate::trial(name, needs, limit + collecting, move |bench| async move {
        let program = std::env::var("HW_NODE").unwrap_or_else(|_| program.to_owned());
        let stage = Arc::new(Stage { bench, program: program.into(), folder: tempfile::tempdir()? });
        let late = |_| Failed::from(format!("no end after {limit:?}"));
        let outcome = timeout(limit, test(stage.clone())).await.map_err(late).flatten();
        if outcome.is_err() {
            stage.print_logs()?;
        }
        stage.keep_logs(name)?;
        outcome
    })
}

/// Halts a node at a moment at which BlueZ advertises on its behalf: when a connection came or went, kernels stop though
/// BlueZ says otherwise, and a moment later the node lets go of its advertisement and makes a new one.
async fn halt_on_air(node: &Node) -> Result<(), Failed> {
    let mut tick = interval(Duration::from_millis(100));
    let halting = async {
        let mut since = Instant::now();
        loop {
            tick.tick().await;
            if !radio::advertises(node.adapter()).await? {
                since = Instant::now();
            }
            if since.elapsed() < RENEWED {
                continue;
            }
            node.halt().await?;
            if radio::advertises(node.adapter()).await? {
                return Ok(());
            }
            node.resume().await?;
        }
    };
    let late = |_| Failed::from(format!("{} is not advertised", node.name()));
    timeout(PATIENCE, halting).await.map_err(late)?
}

impl Stage {
    /// The name of an adapter.
    pub fn adapter(&self, number: usize) -> Result<&str, Failed> {
        let adapter = self.bench.adapters.get(number).ok_or("too few adapters")?;
        Ok(adapter)
    }

    /// Starts a node that was never there before.
    pub async fn start(&self, name: &str, adapters: &[&str]) -> Result<Node, Failed> {
        self.start_as(name, Means { adapters, ..Means::default() }).await
    }

    /// The same with more than adapters.
    pub async fn start_as(&self, name: &str, means: Means<'_>) -> Result<Node, Failed> {
        let plan = Plan {
            program: self.program.clone(),
            name: name.to_owned(),
            adapters: means.adapters.iter().map(|&adapter| adapter.to_owned()).collect(),
            place: means.place.cloned(),
            config: means.config.to_owned(),
            home: self.folder.path().join(name),
            log: self.log(name),
        };
        Node::start(plan, Record::new(name, self.folder.path().join(format!("{name}.events")))).await
    }

    /// Makes a relay in a place and starts it, to listen at an address there.
    pub async fn start_relay(&self, name: &str, place: &Place, at: SocketAddr) -> Result<Relay, Failed> {
        let (program, place) = (self.program.clone(), place.clone());
        let plan = relay::Plan { program, place, home: self.path(name), log: self.log(name) };
        Relay::start(plan, at).await
    }

    /// Starts a node that dials `other`, which is halted until they are connected and so cannot dial itself.
    pub async fn start_dialling(&self, name: &str, adapter: &str, other: &Node) -> Result<Node, Failed> {
        let mark = other.record.mark();
        halt_on_air(other).await?;
        let node = self.start(name, &[adapter]).await?;
        let connected = radio::connected(adapter, other.adapter()).await;
        other.resume().await?;
        connected?;
        node.meets(other, ReachWord::Direct, Mark::START).await?;
        other.meets(&node, ReachWord::Direct, mark).await?;
        let roles = (node.roles_towards(other).await?, other.roles_towards(&node).await?);
        if roles != (vec![RoleWord::Central], vec![RoleWord::Peripheral]) {
            return Err(format!("{name} should have dialled {}: {roles:?}", other.name()).into());
        }
        Ok(node)
    }

    /// A log of this name.
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    /// A path for a file of the test's own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn logs(&self) -> Result<Vec<PathBuf>, Failed> {
        let entries = fs::read_dir(self.folder.path())?.collect::<Result<Vec<_>, _>>()?;
        let mut logs: Vec<PathBuf> =
            entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        logs.sort();
        Ok(logs)
    }

    fn print_logs(&self) -> Result<(), Failed> {
        for log in self.logs()? {
            let text = fs::read_to_string(&log)?;
            let lines: Vec<&str> = text.lines().collect();
            eprintln!("--- the end of {}", name_of(&log));
            for line in lines.iter().skip(lines.len().saturating_sub(TAIL)) {
                eprintln!("{line:.300}");
            }
        }
        Ok(())
    }

    fn keep_logs(&self, test: &str) -> Result<(), Failed> {
        let Some(results) = std::env::var_os("HW_RESULTS") else { return Ok(()) };
        let folder = Path::new(&results).join(test);
        fs::create_dir_all(&folder)?;
        for log in self.logs()? {
            fs::copy(&log, folder.join(name_of(&log)))?;
        }
        Ok(())
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
