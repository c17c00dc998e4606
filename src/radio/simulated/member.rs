//! A process's radio on an air that a hub serves.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::{Instant as Clock, sleep_until, timeout};

use super::line::{LineError, LineReader, LineWriter, split};
use super::protocol::{Answer, CommandLine, Control, EventLine, Greeting, Refusal, VERSION, Wish};
use crate::ids::{AdapterId, LinkId, PeerId};
use crate::link::event::{LinkDownReason, RadioCommand, RadioEvent};
use crate::radio::handle::{CHANNEL_BOUND, RadioHandle, RadioPort, channel};

/// How long a hub may take to answer a greeting.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Before the first attempt to return to a hub that is gone.
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
/// Between two attempts, at most.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// Why there is no radio on that air, or no change of it.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Nobody serves an air there.
    #[error("no air is served on {}: {source}", path.display())]
    NoHub {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The hub does not want us.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What answers there is no hub, or a dying one.
    #[error("what is served on {} is no air: {reason}", path.display())]
    NoAnswer {
        /// Where.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
}

/// Becomes a radio on the air served at `hub`: the node called `name`, or the next that is free.
///
/// The first connection must succeed. When it is lost, the adapter is down until the hub is back.
pub async fn join(
    hub: &Path,
    name: Option<&str>,
    adapter: AdapterId,
    peer: Option<PeerId>,
) -> Result<RadioHandle, JoinError> {
    let (handle, port) = channel(CHANNEL_BOUND);
    let mut member = Member {
        hub: hub.to_owned(),
        name: name.map(str::to_owned),
        adapter,
        peer,
        port,
        links: BTreeSet::new(),
        next_serial: 1,
    };
    let (reader, writer) = member.connect().await?;
    tokio::spawn(member.run(reader, writer));
    Ok(handle)
}

/// Changes the air served at `hub`.
pub async fn control(hub: &Path, control: Control) -> Result<(), JoinError> {
    let (_, _, answer) = greet(hub, Wish::Control(control)).await?;
    match answer {
        Answer::Done => Ok(()),
        Answer::Refused(refusal) => Err(refusal.into()),
        Answer::Welcome { .. } => Err(no_answer(hub, "a welcome to somebody who did not ask to join")),
    }
}

async fn greet(hub: &Path, wish: Wish) -> Result<(LineReader, LineWriter, Answer), JoinError> {
    let stream =
        UnixStream::connect(hub).await.map_err(|source| JoinError::NoHub { path: hub.to_owned(), source })?;
    let (mut reader, mut writer) = split(stream);
    let exchange = async {
        writer.write(&Greeting { version: VERSION, wish }).await?;
        reader.read::<Answer>().await
    };
    let answer = timeout(ANSWER_TIMEOUT, exchange)
        .await
        .unwrap_or(Err(LineError::Stuck))
        .map_err(|error| no_answer(hub, &error.to_string()))?;
    Ok((reader, writer, answer))
}

fn no_answer(hub: &Path, reason: &str) -> JoinError {
    JoinError::NoAnswer { path: hub.to_owned(), reason: reason.to_owned() }
}

struct Member {
    hub: PathBuf,
    /// Who to be; from the first welcome on, whom the hub made us.
    name: Option<String>,
    adapter: AdapterId,
    peer: Option<PeerId>,
    port: RadioPort,
    links: BTreeSet<LinkId>,
    /// Beyond every serial a hub gave us: a link's name is never used twice in a run.
    next_serial: u32,
}

/// The driver dropped its end.
struct DriverGone;

impl Member {
    async fn connect(&mut self) -> Result<(LineReader, LineWriter), JoinError> {
        let wish = Wish::Join {
            name: self.name.clone(),
            adapter: self.adapter,
            peer: self.peer,
            first_serial: self.next_serial,
        };
        let (reader, writer, answer) = greet(&self.hub, wish).await?;
        match answer {
            Answer::Welcome { name } => {
                self.name = Some(name);
                Ok((reader, writer))
            }
            Answer::Refused(refusal) => Err(refusal.into()),
            Answer::Done => Err(no_answer(&self.hub, "an answer to another question")),
        }
    }

    async fn run(mut self, mut reader: LineReader, mut writer: LineWriter) {
        loop {
            if let Err(DriverGone) = self.serve(reader, writer).await {
                return;
            }
            let Ok(returned) = self.return_to_hub().await else { return };
            (reader, writer) = returned;
        }
    }

    /// Carries commands and events until the hub is lost, then takes everything down.
    async fn serve(&mut self, mut reader: LineReader, mut writer: LineWriter) -> Result<(), DriverGone> {
        let RadioPort { commands, events } = &mut self.port;
        let (links, next_serial) = (&mut self.links, &mut self.next_serial);
        let inbound = async {
            loop {
                let EventLine(event) = match reader.read().await {
                    Ok(line) => line,
                    Err(error) => break Ok(error),
                };
                match event {
                    RadioEvent::LinkUp { link, .. } => {
                        links.insert(link);
                        *next_serial = (*next_serial).max(link.serial.saturating_add(1));
                    }
                    RadioEvent::LinkDown { link, .. } => {
                        links.remove(&link);
                    }
                    RadioEvent::AdapterUp { .. }
                    | RadioEvent::AdapterDown { .. }
                    | RadioEvent::Discovered { .. }
                    | RadioEvent::ConnectFailed { .. }
                    | RadioEvent::Received { .. }
                    | RadioEvent::Written { .. } => {}
                }
                if events.send(event).await.is_err() {
                    break Err(DriverGone);
                }
            }
        };
        let outbound = async {
            while let Some(command) = commands.recv().await {
                if let Err(error) = writer.write(&CommandLine(command)).await {
                    return Ok(error);
                }
            }
            Err(DriverGone)
        };
        let error = tokio::select! {
            ended = inbound => ended?,
            ended = outbound => ended?,
        };
        tracing::warn!(hub = %self.hub.display(), %error, "the air is gone");
        self.take_down().await
    }

    async fn take_down(&mut self) -> Result<(), DriverGone> {
        let adapter = self.adapter;
        let reason = LinkDownReason::AdapterDown;
        let links = std::mem::take(&mut self.links).into_iter();
        let downs = links.map(|link| RadioEvent::LinkDown { link, reason });
        for event in downs.chain([RadioEvent::AdapterDown { adapter }]) {
            self.port.events.send(event).await.map_err(|_closed| DriverGone)?;
        }
        Ok(())
    }

    /// Knocks again and again, ever less often; meanwhile nothing that is asked of the radio works.
    async fn return_to_hub(&mut self) -> Result<(LineReader, LineWriter), DriverGone> {
        let mut backoff = FIRST_BACKOFF;
        loop {
            self.refuse_until(Clock::now() + backoff).await?;
            match self.connect().await {
                Ok(connected) => return Ok(connected),
                Err(error) => tracing::debug!(%error, "the air is not back yet"),
            }
            backoff = (backoff * 2).min(LONGEST_BACKOFF);
        }
    }

    async fn refuse_until(&mut self, end: Clock) -> Result<(), DriverGone> {
        loop {
            let command = tokio::select! {
                command = self.port.commands.recv() => command.ok_or(DriverGone)?,
                () = sleep_until(end) => return Ok(()),
            };
            match command {
                RadioCommand::Connect { adapter, address } => {
                    let reason = LinkDownReason::AdapterDown;
                    let failed = RadioEvent::ConnectFailed { adapter, address, reason };
                    self.port.events.send(failed).await.map_err(|_closed| DriverGone)?;
                }
                // Their links are gone, and were reported so.
                RadioCommand::Disconnect { .. } | RadioCommand::Write { .. } => {}
            }
        }
    }
}
