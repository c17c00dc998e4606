//! Files over the mesh: one packet each, in the pieces that the links take.

use std::time::Duration;

use bytes::Bytes;
use rand_core::{OsRng, RngCore};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::handle::{BitchatHandle, Question};
use crate::ids::{AttemptId, PeerId};
use crate::mesh::event::{Command, Event, Reach};
use crate::mesh::media::event::{self as media, Failure, Received};
use crate::transports::files::{Progress, SendError, Source};
use crate::wire::file::FileHash;
use crate::wire::{MAX_MEDIA_LEN, MediaFile, MediaType};

/// How long the engine may say nothing of a file: longer than it has patience with any stage of one.
const SILENCE: Duration = Duration::from_secs(180);

/// What is known of a file that went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The recipient said that it has it, decrypted and stored: these bytes.
    Confirmed(FileHash),
    /// It was sent, and nobody says anything.
    Unknown,
}

impl BitchatHandle {
    /// Has the files that come over the mesh handed to `taker`; whoever stores one acknowledges it. What `taker` has no
    /// room for is lost, unless its sender sends it again.
    pub async fn take_files(&self, taker: mpsc::Sender<Received>) {
        self.questions.send(Question::TakeFiles(taker)).await.ok();
    }

    /// Tells the sender of a private file that it is stored.
    pub async fn acknowledge_file(&self, sender: PeerId, wire_id: String) {
        self.command(Command::Acknowledge { to: sender, wire_ids: vec![wire_id] }).await;
    }

    /// Whether the mesh reaches somebody.
    pub async fn reaches(&self, peer: PeerId) -> bool {
        let peers = self.peers().await.unwrap_or_default();
        peers.iter().any(|other| other.id == peer && other.reach != Reach::Gone)
    }

    /// Sends a file to one peer, or to everyone when there is none; spoken live before, if it shall be.
    pub async fn send_file(
        &self,
        to: Option<PeerId>,
        (source, spoken): (&Source, bool),
        progress: &watch::Sender<Progress>,
        cancelled: impl Future<Output = ()>,
    ) -> Result<Arrival, SendError> {
        if let Some(peer) = to
            && !self.reaches(peer).await
        {
            return Err(SendError::NotConnected);
        }
        let file = read(source.clone()).await?;
        let hash = FileHash(blake3::hash(&file.content).into());
        let events = self.subscribe().ok_or(SendError::NotConnected)?;
        let mut attempt = [0; 8];
        OsRng.try_fill_bytes(&mut attempt).map_err(SendError::Random)?;
        let attempt = AttemptId(u64::from_be_bytes(attempt));
        let command = match to {
            _ if spoken => media::Command::Speak { attempt, to, recording: file.content },
            Some(to) => media::Command::ToPeer { attempt, to, file },
            None => media::Command::ToEveryone { attempt, file },
        };
        self.command(Command::Media(command)).await;
        let total = source.stamp().size;
        tokio::pin!(cancelled);
        let ended = tokio::select! {
            ended = follow(events, attempt, to.is_none(), (total, progress)) => ended,
            () = &mut cancelled => Err(SendError::Cancelled),
        };
        if matches!(ended, Err(SendError::Cancelled | SendError::Stalled)) {
            self.command(Command::Media(media::Command::Cancel { attempt })).await;
        }
        ended.map(|confirmed| if confirmed { Arrival::Confirmed(hash) } else { Arrival::Unknown })
    }
}

/// The file as one packet has it.
async fn read(source: Source) -> Result<MediaFile, SendError> {
    let most = MAX_MEDIA_LEN as u64;
    let size = source.stamp().size;
    if size > most {
        return Err(SendError::TooLargeForMesh { size, waits: false });
    }
    let name = source.name().as_str().to_owned();
    let content = spawn_blocking(move || source.read_whole()).await.map_err(|_| SendError::Reader)??;
    let mime = MediaType::of(&name, &content).mime().to_owned();
    Ok(MediaFile { name, mime, content: Bytes::from(content) })
}

/// Waits for what becomes of an attempt: whether the recipient said that it has the file.
async fn follow(
    mut events: broadcast::Receiver<Event>,
    attempt: AttemptId,
    to_everyone: bool,
    (total, progress): (u64, &watch::Sender<Progress>),
) -> Result<bool, SendError> {
    progress.send_replace(Progress { total, ..Progress::default() });
    loop {
        let event = match timeout(SILENCE, events.recv()).await {
            Err(_) => return Err(SendError::Stalled),
            Ok(Err(broadcast::error::RecvError::Closed)) => return Err(SendError::NotConnected),
            Ok(Err(broadcast::error::RecvError::Lagged(_))) => continue,
            Ok(Ok(Event::Media(event))) => event,
            Ok(Ok(_)) => continue,
        };
        match event {
            media::Event::Progress { attempt: of, left, pieces } if of == attempt => {
                let done = total.saturating_mul(left.into()).checked_div(pieces.into()).unwrap_or(0);
                progress.send_replace(Progress { total, done, ..Progress::default() });
            }
            media::Event::Sent { attempt: of } if of == attempt && to_everyone => return Ok(false),
            media::Event::Unconfirmed { attempt: of } if of == attempt => return Ok(false),
            media::Event::Delivered { attempt: of } if of == attempt => return Ok(true),
            media::Event::Failed { attempt: of, reason } if of == attempt => return Err(failed(reason)),
            media::Event::Progress { .. }
            | media::Event::Sent { .. }
            | media::Event::Unconfirmed { .. }
            | media::Event::Delivered { .. }
            | media::Event::Failed { .. }
            | media::Event::Received(_) => {}
        }
    }
}

fn failed(reason: Failure) -> SendError {
    match reason {
        Failure::Unfit(error) => SendError::Offer(error),
        Failure::NobodyNear => SendError::NotConnected,
        Failure::ToSelf
        | Failure::NotSpeech(_)
        | Failure::NotTaken
        | Failure::Busy
        | Failure::NoSession
        | Failure::Cut
        | Failure::TooSlow
        | Failure::Unanswered
        | Failure::ClockUnset => SendError::Mesh(reason),
    }
}
