//! The task that accepts connections, as many as there may be.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::{sleep, timeout};

use super::connection;
use super::site::Site;

/// How long to wait when the system has no socket left.
const BREATH: Duration = Duration::from_millis(100);
/// How long connections have to end in good order: what a tunnel takes, and a little.
const DRAIN: Duration = Duration::from_millis(4500);

/// Accepts until everything is to end, then waits for what was accepted.
pub(super) async fn listen(
    listeners: Vec<TcpListener>,
    site: Arc<Site>,
    tls: watch::Receiver<Arc<ServerConfig>>,
) {
    let mut connections = Connections::default();
    loop {
        tokio::select! {
            accepted = poll_fn(|cx| poll_accept(&listeners, cx)) => match accepted {
                Ok((socket, source)) => connections.take(&site, &tls, socket, source),
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    sleep(BREATH).await;
                }
            },
            Some(ended) = connections.tasks.join_next_with_id() => {
                connections.release(ended.map_or_else(|error| error.id(), |(id, ())| id));
            }
            () = site.stop() => break,
        }
    }
    drop(listeners);
    // What is left after that is cut.
    timeout(DRAIN, async { while connections.tasks.join_next().await.is_some() {} }).await.ok();
    connections.tasks.shutdown().await;
}

fn poll_accept(listeners: &[TcpListener], cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
    listeners.iter().map(|listener| listener.poll_accept(cx)).find(Poll::is_ready).unwrap_or(Poll::Pending)
}

#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    owners: HashMap<Id, IpAddr>,
    /// How many connections each source has; only those that have one.
    sources: BTreeMap<IpAddr, usize>,
}

impl Connections {
    fn take(
        &mut self,
        site: &Arc<Site>,
        tls: &watch::Receiver<Arc<ServerConfig>>,
        socket: TcpStream,
        source: SocketAddr,
    ) {
        let block = block(source.ip());
        let held = self.sources.get(&block).copied().unwrap_or(0);
        if self.tasks.len() >= site.limits.connections || held >= site.limits.connections_per_ip {
            return site.counters.raise(|counts| &mut counts.connections_refused);
        }
        site.counters.raise(|counts| &mut counts.connections);
        self.sources.insert(block, held + 1);
        let tls = Arc::clone(&tls.borrow());
        let task = self.tasks.spawn(connection::serve(Arc::clone(site), tls, socket, source));
        self.owners.insert(task.id(), block);
    }

    fn release(&mut self, task: Id) {
        let Some(block) = self.owners.remove(&task) else { return };
        if let Some(held) = self.sources.get_mut(&block) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.sources.remove(&block);
            }
        }
    }
}

/// One source, as limits count them: an IPv4 address, or an IPv6 /64.
fn block(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let bits = u128::from(address) & !u128::from(u64::MAX);
            Ipv6Addr::from(bits).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}
