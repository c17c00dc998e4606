//! A self-hosted iroh relay: the program of `HW_IROH_RELAY`, which is `iroh-relay` 1.4 as anybody may run it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use libtest_mimic::Failed;
use tokio::process::Child;
use tokio::time::{interval, timeout};

use crate::network::Place;
use crate::record::PATIENCE;

/// The variable that names the program.
pub const VARIABLES: &[&str] = &["HW_IROH_RELAY"];
/// The state of a TCP socket that listens, in `/proc/net/tcp`.
const LISTENS: &str = "0A";

/// A relay that runs; it is killed with this.
#[derive(Debug)]
pub struct IrohRelay {
    _child: Child,
    /// What daemons are configured with: plain HTTP.
    pub url: String,
}

impl IrohRelay {
    /// Starts it in a place, at an address there; its log goes to `log`, its configuration lies beside that.
    pub async fn start(place: &Place, at: SocketAddr, log: &Path) -> Result<Self, Failed> {
        let config = log.with_extension("toml");
        // It knows no certificate, so it cannot tell anybody the address a NAT gives him.
        let text = format!(
            "http_bind_addr = \"{at}\"\nenable_quic_addr_discovery = false\nenable_metrics = false\n"
        );
        std::fs::write(&config, text)?;
        let (out, err) = (std::fs::File::create(log)?, std::fs::File::create(log.with_extension("err.log"))?);
        let mut command = place.command(&std::env::var("HW_IROH_RELAY")?);
        command.arg("--config-path").arg(&config).env("RUST_LOG", "iroh_relay=info");
        let mut child = command.stdin(Stdio::null()).stdout(out).stderr(err).kill_on_drop(true).spawn()?;
        let listening = listens(&mut child, at.port());
        timeout(PATIENCE, listening).await.map_err(|_| "the relay does not listen")??;
        Ok(Self { _child: child, url: format!("http://{at}/") })
    }
}

/// Waits until a process' namespace has a socket that listens on this port, as the kernel lists them.
async fn listens(child: &mut Child, port: u16) -> Result<(), Failed> {
    let id = child.id().ok_or("the relay ended at once")?;
    let mut tick = interval(Duration::from_millis(50));
    loop {
        tick.tick().await;
        if let Some(status) = child.try_wait()? {
            return Err(format!("the relay ended: {status}").into());
        }
        let sockets = std::fs::read_to_string(format!("/proc/{id}/net/tcp"))?;
        let listens = |line: &str| {
            let mut fields = line.split_whitespace().skip(1);
            let (local, state) = (fields.next(), fields.nth(1));
            local.is_some_and(|local| local.ends_with(&format!(":{port:04X}"))) && state == Some(LISTENS)
        };
        if sockets.lines().any(listens) {
            return Ok(());
        }
    }
}
