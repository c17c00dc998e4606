//! Files over the mesh: one packet each, in the pieces that the links take.

use std::time::Duration;

use bytes::Bytes;
use rand_core::{OsRng, RngCore};
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::handle::{BitchatHandle, Question};
use crate::ids::{AttemptId, PeerId};
use crate::mesh::event::{Command, Reach};
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
        let mut attempt = [0; 8];
        OsRng.try_fill_bytes(&mut attempt).map_err(SendError::Random)?;
        let attempt = AttemptId(u64::from_be_bytes(attempt));
        let command = match to {
            _ if spoken => media::Command::Speak { attempt, to, recording: file.content },
            Some(to) => media::Command::ToPeer { attempt, to, file },
            None => media::Command::ToEveryone { attempt, file },
        };
        let followed = self.follow(attempt).await;
        self.command(Command::Media(command)).await;
        let total = source.stamp().size;
        tokio::pin!(cancelled);
        let ended = tokio::select! {
            ended = outcome(followed, to.is_none(), (total, progress)) => ended,
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

/// Waits for what becomes of a file: whether the recipient said that it has it.
pub(super) async fn outcome(
    mut followed: watch::Receiver<Option<media::Event>>,
    to_everyone: bool,
    (total, progress): (u64, &watch::Sender<Progress>),
) -> Result<bool, SendError> {
    progress.send_replace(Progress { total, ..Progress::default() });
    loop {
        match timeout(SILENCE, followed.changed()).await {
            Err(_) => return Err(SendError::Stalled),
            Ok(Err(_)) => return Err(SendError::NotConnected),
            Ok(Ok(())) => {}
        }
        match *followed.borrow_and_update() {
            Some(media::Event::Progress { left, pieces, .. }) => {
                let done = total.saturating_mul(left.into()).checked_div(pieces.into()).unwrap_or(0);
                progress.send_replace(Progress { total, done, ..Progress::default() });
            }
            Some(media::Event::Sent { .. }) if to_everyone => return Ok(false),
            Some(media::Event::Unconfirmed { .. }) => return Ok(false),
            Some(media::Event::Delivered { .. }) => return Ok(true),
            Some(media::Event::Failed { reason, .. }) => return Err(failed(reason)),
            Some(media::Event::Sent { .. } | media::Event::Received(_)) | None => {}
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
