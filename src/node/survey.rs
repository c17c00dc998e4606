//! Looking at the mesh around this node: who hears whom, and whether somebody is there.

use std::time::Duration;

use rand_core::{OsRng, RngCore};
use tokio::sync::broadcast;

use super::error::SendError;
use super::handle::{NodeHandle, Stopped};
use crate::ids::PeerId;
use crate::mesh::diagnostics::{Command, Event, Nonce, NotPinged};
use crate::mesh::event;
use crate::mesh::topology::Graph;
use crate::message::Recipient;

/// How long an answer of the engine may take: a ping is given up after ten seconds.
const PATIENCE: Duration = Duration::from_secs(12);

/// What became of a ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pinged {
    /// Who was asked.
    pub peer: PeerId,
    /// What came back; nothing within ten seconds.
    pub pong: Option<Pong>,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pong {
    /// Over how many hops it came, as far as its TTL tells.
    pub hops: Option<u8>,
    /// How long it took there and back.
    pub round_trip: Duration,
}

/// Why nothing was found out.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// Nobody has that name, or several have.
    #[error(transparent)]
    Name(#[from] SendError),
    /// Everyone cannot be pinged.
    #[error("one peer can be pinged, not everyone")]
    Everyone,
    /// The ping was not sent.
    #[error(transparent)]
    NotPinged(#[from] NotPinged),
    /// The node did not answer: it has too much to do, or is stopping.
    #[error("the mesh did not answer")]
    NoAnswer,
}

impl From<Stopped> for SurveyError {
    fn from(stopped: Stopped) -> Self {
        Self::Name(stopped.into())
    }
}

impl NodeHandle {
    /// Who hears whom, as far as this node was told.
    pub async fn topology(&self) -> Result<Graph, Stopped> {
        self.bitchat.topology().await.ok_or(Stopped)
    }

    /// Asks whoever has this name whether they are there, and waits for the answer.
    pub async fn ping(&self, name: &str) -> Result<Pinged, SurveyError> {
        let Recipient::Peer(peer) = self.resolve(name).await? else { return Err(SurveyError::Everyone) };
        let nonce = nonce()?;
        let answered = self.ask_mesh(Command::Ping { peer, nonce }, |event| match event {
            Event::Pong { nonce: of, hops, round_trip, .. } if of == nonce => {
                Some(Ok(Pinged { peer, pong: Some(Pong { hops, round_trip }) }))
            }
            Event::PingLost { nonce: of, .. } if of == nonce => Some(Ok(Pinged { peer, pong: None })),
            Event::PingRefused { nonce: of, reason, .. } if of == nonce => Some(Err(reason)),
            Event::Pong { .. } | Event::PingLost { .. } | Event::PingRefused { .. } => None,
        });
        Ok(answered.await??)
    }

    /// Asks the engine something, and waits for the event that answers it.
    async fn ask_mesh<T>(
        &self,
        command: Command,
        answer: impl Fn(Event) -> Option<T>,
    ) -> Result<T, SurveyError> {
        let mut events = self.bitchat.subscribe().ok_or(Stopped)?;
        self.bitchat.command(event::Command::Diagnostics(command)).await;
        let waiting = async {
            loop {
                match events.recv().await {
                    Ok(event::Event::Diagnostics(event)) => {
                        if let Some(answer) = answer(event) {
                            return Ok(answer);
                        }
                    }
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return Err(Stopped.into()),
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.map_err(|_| SurveyError::NoAnswer)?
    }
}

fn nonce() -> Result<Nonce, SendError> {
    let mut nonce = [0; 8];
    OsRng.try_fill_bytes(&mut nonce).map_err(SendError::Random)?;
    Ok(nonce)
}
