//! An air on a Unix socket: one node of a topology for each process that joins.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use super::in_process::{Gone, SimulatedAir};
use super::line::{LineError, LineReader, LineWriter, split};
use super::protocol::{Answer, CommandLine, Control, EventLine, Greeting, Refusal, VERSION, Wish};
use crate::radio::RadioHandle;
use crate::sim::event::Radio;
use crate::sim::{Air, StationId, Topology};
use crate::time::Instant;

/// Who connects has this long to say what for.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);
/// Clients beyond one for each node: those that control, and those that are about to be refused.
const SPARE_CLIENTS: usize = 16;

/// Why there is no hub, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The socket cannot be made, or fails.
    #[error("cannot serve on {}: {source}", path.display())]
    Socket {
        /// Where it should be.
        path: PathBuf,
        /// What failed.
        source: io::Error,
    },
    /// Another hub serves there.
    #[error("another air is served on {}", .0.display())]
    InUse(PathBuf),
    /// The air stopped.
    #[error(transparent)]
    Gone(#[from] Gone),
}

/// A hub, from the moment it listens. Its socket goes with it.
#[derive(Debug)]
pub struct Hub {
    listener: UnixListener,
    socket: SocketFile,
    topology: Topology,
    air: SimulatedAir,
    /// The radio of each node, in the topology's order.
    stations: Vec<StationId>,
    /// The nodes that somebody is.
    taken: BTreeSet<usize>,
    greeters: JoinSet<Result<Greeted, LineError>>,
    /// Clients that were answered; the node one was, when it leaves.
    clients: JoinSet<Option<usize>>,
}

#[derive(Debug)]
struct Greeted {
    wish: Result<Wish, Refusal>,
    reader: LineReader,
    writer: LineWriter,
}

impl Hub {
    /// Listens on a socket. A file left there by a hub that died is replaced.
    pub async fn bind(path: &Path, topology: Topology, seed: [u8; 32]) -> Result<Self, HubError> {
        let listener = listen(path).await?;
        let mut air = Air::new(seed);
        let stations = air.lay_out(&topology, Instant::ZERO);
        Ok(Self {
            listener,
            socket: SocketFile(path.to_owned()),
            topology,
            air: SimulatedAir::spawn(air),
            stations,
            taken: BTreeSet::new(),
            greeters: JoinSet::new(),
            clients: JoinSet::new(),
        })
    }

    /// Serves until the socket fails, or this is dropped.
    pub async fn run(mut self) -> Result<(), HubError> {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    let (stream, _) = accepted
                        .map_err(|source| HubError::Socket { path: self.socket.0.clone(), source })?;
                    self.accept(stream);
                }
                Some(greeted) = self.greeters.join_next() => self.greeted(greeted).await?,
                Some(left) = self.clients.join_next() => self.left(left),
            }
        }
    }

    fn accept(&mut self, stream: UnixStream) {
        if self.greeters.len() + self.clients.len() >= self.stations.len() + SPARE_CLIENTS {
            tracing::warn!("too many connections to the air: one is closed");
            return;
        }
        self.greeters.spawn(greet(stream));
    }

    async fn greeted(
        &mut self,
        greeted: Result<Result<Greeted, LineError>, JoinError>,
    ) -> Result<(), HubError> {
        let Greeted { wish, reader, writer } = match greeted {
            Ok(Ok(greeted)) => greeted,
            Ok(Err(error)) => {
                tracing::debug!(%error, "a client left before it said what for");
                return Ok(());
            }
            Err(error) => {
                tracing::error!(%error, "a client's task failed");
                return Ok(());
            }
        };
        let answer = match wish {
            Ok(Wish::Join { name, adapter, peer, first_serial }) => match self.place(name) {
                Ok(node) => {
                    let radio = Radio { adapter, peer, first_serial };
                    return self.admit(node, radio, reader, writer).await;
                }
                Err(refusal) => Answer::Refused(refusal),
            },
            Ok(Wish::Control(control)) => match self.control(&control).await? {
                Ok(()) => Answer::Done,
                Err(refusal) => Answer::Refused(refusal),
            },
            Err(refusal) => Answer::Refused(refusal),
        };
        self.clients.spawn(dismiss(writer, answer));
        Ok(())
    }

    /// The node a client shall be.
    fn place(&self, name: Option<String>) -> Result<usize, Refusal> {
        match name {
            Some(name) => match self.topology.node(&name) {
                None => Err(Refusal::Unknown(name)),
                Some(node) if self.taken.contains(&node) => Err(Refusal::Taken(name)),
                Some(node) => Ok(node),
            },
            None => (0..self.stations.len()).find(|node| !self.taken.contains(node)).ok_or(Refusal::Full),
        }
    }

    async fn admit(
        &mut self,
        node: usize,
        radio: Radio,
        reader: LineReader,
        writer: LineWriter,
    ) -> Result<(), HubError> {
        let (Some(&station), Some(name)) = (self.stations.get(node), self.topology.nodes().get(node)) else {
            return Ok(());
        };
        let handle = self.air.switch_on(station, radio).await?;
        self.taken.insert(node);
        tracing::info!(%name, "joined");
        self.clients.spawn(serve(node, name.clone(), handle, reader, writer));
        Ok(())
    }

    async fn control(&self, control: &Control) -> Result<Result<(), Refusal>, HubError> {
        let (a, b) = match control {
            Control::Cut { a, b } | Control::Join { a, b } => (a, b),
        };
        let (node_a, node_b) = match (self.topology.node(a), self.topology.node(b)) {
            (Some(node_a), Some(node_b)) => (node_a, node_b),
            (None, _) => return Ok(Err(Refusal::Unknown(a.clone()))),
            (_, None) => return Ok(Err(Refusal::Unknown(b.clone()))),
        };
        if let (Some(&a), Some(&b)) = (self.stations.get(node_a), self.stations.get(node_b)) {
            match control {
                Control::Cut { .. } => self.air.cut(a, b).await?,
                Control::Join { .. } => {
                    let edge = self.topology.edge(node_a, node_b).unwrap_or_default();
                    self.air.join(a, b, edge).await?;
                }
            }
        }
        Ok(Ok(()))
    }

    fn left(&mut self, left: Result<Option<usize>, JoinError>) {
        match left {
            Ok(Some(node)) => {
                self.taken.remove(&node);
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "a client's task failed"),
        }
    }
}

/// The file of the socket, removed in the end.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!(%error, "the air's socket is gone already");
        }
    }
}

async fn listen(path: &Path) -> Result<UnixListener, HubError> {
    let failed = |source| HubError::Socket { path: path.to_owned(), source };
    match UnixListener::bind(path) {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            match UnixStream::connect(path).await {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Ok(_) | Err(_) => return Err(HubError::InUse(path.to_owned())),
            }
            std::fs::remove_file(path).map_err(failed)?;
            UnixListener::bind(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

async fn greet(stream: UnixStream) -> Result<Greeted, LineError> {
    let (mut reader, writer) = split(stream);
    let greeting: Greeting =
        timeout(GREETING_TIMEOUT, reader.read()).await.map_err(|_elapsed| LineError::Stuck)??;
    let wish = if greeting.version == VERSION { Ok(greeting.wish) } else { Err(Refusal::Version(VERSION)) };
    Ok(Greeted { wish, reader, writer })
}

async fn dismiss(mut writer: LineWriter, answer: Answer) -> Option<usize> {
    if let Err(error) = writer.write(&answer).await {
        tracing::debug!(%error, "a client left before its answer");
    }
    None
}

/// Carries commands and events between a member and its radio, until either is gone.
async fn serve(
    node: usize,
    name: String,
    handle: RadioHandle,
    mut reader: LineReader,
    mut writer: LineWriter,
) -> Option<usize> {
    let RadioHandle { commands, mut events } = handle;
    let inbound = async {
        loop {
            let CommandLine(command) = reader.read().await?;
            if commands.send(command).await.is_err() {
                return Err(LineError::Closed);
            }
        }
    };
    let outbound = async {
        writer.write(&Answer::Welcome { name: name.clone() }).await?;
        while let Some(event) = events.recv().await {
            writer.write(&EventLine(event)).await?;
        }
        Err(LineError::Stuck)
    };
    let ended: Result<(), LineError> = tokio::select! {
        ended = inbound => ended,
        ended = outbound => ended,
    };
    if let Err(error) = ended {
        tracing::info!(%name, %error, "left");
    }
    Some(node)
}
