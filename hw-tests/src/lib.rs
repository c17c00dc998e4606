//! Tests that need radios, or networks of their own.
//!
//! What is there is told by the environment: `HW_ADAPTERS` names the adapters (`hci0,hci1`), `HW_TOPOLOGY` how
//! they hear each other. Without it every test is listed as ignored, and so is a test whose topology is not the
//! one there is: never as passed. Whether networks can be made is tried.
//!
//! [`driver`] drives a radio by hand, [`past`] makes up what a node lived through. [`stage`], [`node`] and [`record`] run `hopline daemon` processes, speak
//! to them through their interface and take down what they show; [`foreign`] is a peer of other make. [`network`]
//! makes networks for them, [`relay`] runs a `hopline relay` there and [`iroh_relay`] an iroh relay.

pub mod bench;
pub mod driver;
pub mod foreign;
pub mod iroh_relay;
pub mod network;
pub mod node;
pub mod past;
mod process;
pub mod radio;
pub mod record;
pub mod relay;
pub mod stage;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

pub use bench::{Bench, Needs, Topology};

/// A test over radios or networks: it needs a topology, and must end within `limit`.
pub fn trial<F>(
    name: &'static str,
    needs: impl Into<Needs>,
    limit: Duration,
    test: impl FnOnce(Arc<Bench>) -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = Result<(), Failed>>,
{
    let needs = needs.into();
    let run = move || {
        let bench = Arc::new(Bench::from_env());
        if let Some(reason) = bench.lacks(needs) {
            return Ok(Completion::ignored_with(reason));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let outcome = runtime.block_on(async {
            let run = async {
                radio::forget_devices(&bench.adapters).await?;
                test(bench).await
            };
            tokio::time::timeout(limit, run).await
        });
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
