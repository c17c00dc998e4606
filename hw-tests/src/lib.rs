//! Tests that need radios.
//!
//! What is there is told by the environment: `HW_ADAPTERS` names the adapters (`hci0,hci1`), `HW_TOPOLOGY` how
//! they hear each other. Without it every test is listed as ignored, and so is a test whose topology is not the
//! one there is: never as passed.

pub mod driver;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// How the adapters of the bench hear each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// Two adapters in each other's range.
    Pair,
    /// Three adapters in a line; the ends do not hear each other.
    Line,
    /// Two pairs that do not hear each other.
    Domains,
}

impl Topology {
    fn named(name: &str) -> Option<Self> {
        [Self::Pair, Self::Line, Self::Domains].into_iter().find(|topology| topology.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::Line => "line",
            Self::Domains => "domains",
        }
    }

    fn adapters(self) -> usize {
        match self {
            Self::Pair => 2,
            Self::Line => 3,
            Self::Domains => 4,
        }
    }
}

/// The radios there are.
#[derive(Debug, Clone)]
pub struct Bench {
    /// Their names, as in `hci0`.
    pub adapters: Vec<String>,
    topology: Option<Topology>,
}

impl Bench {
    /// Reads the environment. Two adapters without a topology are on one desk, hence a pair.
    pub fn from_env() -> Self {
        let adapters: Vec<String> = std::env::var("HW_ADAPTERS")
            .unwrap_or_default()
            .split(',')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        let topology = match std::env::var("HW_TOPOLOGY") {
            Ok(name) => Topology::named(&name),
            Err(_) => Some(Topology::Pair),
        };
        Self { adapters, topology }
    }

    /// Why a test cannot run here, if it cannot.
    fn lacks(&self, needed: Topology) -> Option<String> {
        if self.topology != Some(needed) {
            Some(format!("needs HW_TOPOLOGY={}", needed.name()))
        } else if self.adapters.len() < needed.adapters() {
            Some(format!("needs {} adapters in HW_ADAPTERS", needed.adapters()))
        } else {
            None
        }
    }
}

/// A test over radios: it needs a topology, and must end within `limit`.
pub fn trial<F>(
    name: &'static str,
    needed: Topology,
    limit: Duration,
    test: impl FnOnce(Arc<Bench>) -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = Result<(), Failed>>,
{
    let run = move || {
        let bench = Arc::new(Bench::from_env());
        if let Some(reason) = bench.lacks(needed) {
            return Ok(Completion::ignored_with(reason));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let outcome = runtime.block_on(async { tokio::time::timeout(limit, test(bench)).await });
        runtime.shutdown_timeout(Duration::from_secs(3));
        match outcome {
            Ok(result) => result.map(|()| Completion::Completed),
            Err(_) => Err(format!("no end after {limit:?}").into()),
        }
    };
    Trial::ignorable_test(name, run).with_ignored_flag(true)
}

/// Runs the tests as `cargo test` would; `RUST_LOG` shows what the radios do.
pub fn run(trials: Vec<Trial>) {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
