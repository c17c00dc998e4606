//! One `hopline daemon`: a process over real adapters or a network of the test's own, with a home of its own.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hopline::api::Client;
use hopline::api::contacts::{CardQuery, NewContact};
use hopline::api::files::{DirectionWord, FileReport, NewFile};
use hopline::api::schema::{
    ConnectionReport, EventReport, LinkReport, PathWord, ReachWord, ReceivedMessage, RoleWord, StatusReport,
    StatusWord,
};
use hopline::ids::{MessageId, PeerId};
use hopline::wire::ReceivedCard;
use libtest_mimic::Failed;
use tokio::process::Command;
use tokio::time::{Instant, interval, timeout};

use crate::network::Place;
use crate::process::Process;
use crate::record::{Mark, PATIENCE, Record};

/// How often something is looked at that nobody tells of.
const LOOK: Duration = Duration::from_millis(100);

/// What a node is started with.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) program: PathBuf,
    pub(crate) name: String,
    pub(crate) adapters: Vec<String>,
    /// Where on the network; nothing for where the test itself is.
    pub(crate) place: Option<Place>,
    /// Its `config.toml`.
    pub(crate) config: String,
    pub(crate) home: PathBuf,
    pub(crate) log: PathBuf,
}

/// A node, running or not.
#[derive(Debug)]
pub struct Node {
    plan: Plan,
    process: Option<Process>,
    client: Client,
    /// Its id on the mesh.
    pub id: PeerId,
    /// What it said, over all its lives.
    pub record: Record,
}

impl Node {
    /// Starts the daemon, and waits until its adapters work.
    pub(crate) async fn start(plan: Plan, record: Record) -> Result<Self, Failed> {
        DirBuilder::new().recursive(true).mode(0o700).create(&plan.home)?;
        std::fs::write(plan.home.join("config.toml"), &plan.config)?;
        let client = Client::new(plan.home.join("hopline.sock"));
        let mut node = Self { plan, process: None, client, id: PeerId::BROADCAST, record };
        node.restart().await?;
        Ok(node)
    }

    /// Starts the daemon again in the same home: the same identity, nothing else remembered.
    pub async fn restart(&mut self) -> Result<(), Failed> {
        let mark = self.record.mark();
        self.spawn().await?;
        self.record.follow(self.client.events().await?);
        let status = self.client.status().await?;
        self.id = status.peer_id;
        for number in 0..u8::try_from(self.plan.adapters.len())? {
            if status.adapters.iter().any(|adapter| adapter.adapter == number && adapter.up) {
                continue;
            }
            let up = |event: &EventReport| {
                (*event == EventReport::Adapter { adapter: number, up: true }).then_some(())
            };
            self.record.find(mark, "its adapter to come up", PATIENCE, up).await?;
        }
        Ok(())
    }

    /// Returns when the daemon says that it is ready.
    async fn spawn(&mut self) -> Result<(), Failed> {
        let mut command = self.command();
        command.args(["--json", "-v", "daemon"]);
        command.args(["--nickname", &self.plan.name]);
        for adapter in &self.plan.adapters {
            command.args(["--adapter", adapter]);
        }
        let (process, _) = Process::start(&mut command, &self.plan.log).await?;
        self.process = Some(process);
        Ok(())
    }

    /// The program, for this node's home, where this node is.
    fn command(&self) -> Command {
        let program = &self.plan.program;
        let mut command = match &self.plan.place {
            Some(place) => place.command(program),
            None => Command::new(program),
        };
        command.arg("--home").arg(&self.plan.home);
        command
    }

    /// What the program prints when a person asks it something about this node.
    pub async fn tells(&self, arguments: &[&str]) -> Result<String, Failed> {
        let output = timeout(PATIENCE, self.command().args(arguments).output()).await??;
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout)?);
        }
        Err(format!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }

    /// Its nickname.
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// The first of its adapters.
    pub fn adapter(&self) -> &str {
        self.plan.adapters.first().map_or("", String::as_str)
    }

    /// How it is.
    pub async fn status(&self) -> Result<StatusReport, Failed> {
        Ok(self.client.status().await?)
    }

    /// Its links to another node.
    pub async fn links_to(&self, other: &Self) -> Result<Vec<LinkReport>, Failed> {
        let mut links = self.status().await?.links;
        links.retain(|link| link.peer.as_deref() == Some(&other.id.to_string()));
        Ok(links)
    }

    /// Its sides of the links to another node.
    pub async fn roles_towards(&self, other: &Self) -> Result<Vec<RoleWord>, Failed> {
        Ok(self.links_to(other).await?.iter().map(|link| link.role).collect())
    }

    /// Adds another node to its contacts, with the card that says how to reach it.
    pub async fn adds(&self, other: &Self) -> Result<(), Failed> {
        let late = |_| format!("{}'s card names no way to it", other.name());
        let link = timeout(PATIENCE, other.reachable_card()).await.map_err(late)??;
        self.client.add_contact(&NewContact { link: Some(link), ..NewContact::default() }).await?;
        Ok(())
    }

    /// Its card, from when on it names an address or a mailbox. Nothing tells when that is.
    async fn reachable_card(&self) -> Result<String, Failed> {
        let mut tick = interval(LOOK);
        loop {
            tick.tick().await;
            let link = self.client.card(CardQuery { addresses: true, mailbox: true }).await?.link;
            let received = ReceivedCard::from_link(&link)?;
            let card = received.card();
            let has_address = card.direct.as_ref().is_some_and(|direct| !direct.addresses.is_empty());
            if has_address || card.mailbox.is_some() {
                return Ok(link);
            }
        }
    }

    /// How it is connected to another node over direct, if it is.
    pub async fn connection_to(&self, other: &Self) -> Result<Option<ConnectionReport>, Failed> {
        let connections = self.status().await?.connections;
        Ok(connections.into_iter().find(|connection| connection.peer == other.id))
    }

    /// Waits until its connection to another node takes this way; how it is after so long, if it does not.
    pub async fn connection_becomes(
        &self,
        other: &Self,
        path: PathWord,
        within: Duration,
    ) -> Result<Option<ConnectionReport>, Failed> {
        let end = Instant::now() + within;
        let mut tick = interval(LOOK);
        loop {
            tick.tick().await;
            let connection = self.connection_to(other).await?;
            if connection.as_ref().is_some_and(|now| now.path == path) || Instant::now() >= end {
                return Ok(connection);
            }
        }
    }

    /// Whether an encrypted session with another node stands.
    pub async fn has_session_with(&self, other: &Self) -> Result<bool, Failed> {
        let peers = self.client.peers().await?.peers;
        Ok(peers.iter().any(|peer| peer.id == other.id && peer.session))
    }

    /// Waits until it knows another node, by a verified announce, and tells since when.
    pub async fn meets(&self, other: &Self, reach: ReachWord, since: Mark) -> Result<Instant, Failed> {
        let what = format!("{} to be there ({})", other.name(), reach.as_str());
        let there = |event: &EventReport| {
            let EventReport::Peer(peer) = event else { return None };
            (peer.id == other.id && peer.reach == reach).then_some(())
        };
        Ok(self.record.find(since, &what, PATIENCE, there).await?.at)
    }

    /// Waits until one of its links is down; the place in the record behind that.
    pub async fn loses_a_link(&self, since: Mark) -> Result<Mark, Failed> {
        let down = |event: &EventReport| matches!(event, EventReport::LinkDown { .. }).then_some(());
        Ok(self.record.find(since, "a link to go down", PATIENCE, down).await?.after)
    }

    /// Waits until another node has said goodbye to it.
    pub async fn hears_goodbye_of(&self, other: &Self) -> Result<(), Failed> {
        let gone = EventReport::PeerGone { peer: other.id, left: true };
        let what = format!("a goodbye of {}", other.name());
        self.record.find(Mark::START, &what, PATIENCE, |event| (*event == gone).then_some(())).await?;
        Ok(())
    }

    /// Sends a text to a person or to `everyone`; its id.
    pub async fn send(&self, to: &str, text: &str) -> Result<MessageId, Failed> {
        Ok(self.client.send(to, text).await?.id)
    }

    /// Sends a file to a contact.
    pub async fn send_file(&self, to: &Self, file: &Path) -> Result<(), Failed> {
        let path = file.to_str().ok_or("a path that is no text")?.to_owned();
        self.client.send_file(&NewFile { to: to.id.to_string(), path, voice: false }).await?;
        Ok(())
    }

    /// Waits until a file that goes this way is as wanted.
    pub async fn file(
        &self,
        direction: DirectionWord,
        what: &str,
        within: Duration,
        fits: impl Fn(&FileReport) -> bool,
    ) -> Result<FileReport, Failed> {
        let file = |event: &EventReport| {
            let EventReport::File(report) = event else { return None };
            (report.direction == direction && fits(report)).then(|| report.clone())
        };
        Ok(self.record.find(Mark::START, what, within, file).await?.value)
    }

    /// Tells the sender of a private message that it was seen.
    pub async fn mark_read(&self, message: &ReceivedMessage) -> Result<(), Failed> {
        Ok(self.client.mark_read(message.id).await?)
    }

    /// Waits until it shows this public text.
    pub async fn shows_public(&self, text: &str) -> Result<ReceivedMessage, Failed> {
        let shown = |event: &EventReport| {
            let EventReport::PublicMessage(message) = event else { return None };
            (message.text == text).then(|| message.clone())
        };
        let what = format!("the public message {text:.40?}");
        Ok(self.record.find(Mark::START, &what, PATIENCE, shown).await?.value)
    }

    /// Waits until it shows this private text.
    pub async fn shows_private(&self, text: &str) -> Result<ReceivedMessage, Failed> {
        let shown = |event: &EventReport| {
            let EventReport::PrivateMessage(message) = event else { return None };
            (message.text == text).then(|| message.clone())
        };
        let what = format!("the private message {text:.40?}");
        Ok(self.record.find(Mark::START, &what, PATIENCE, shown).await?.value)
    }

    /// Waits until a message it sent got this far.
    pub async fn learns(&self, id: MessageId, wanted: StatusWord) -> Result<(), Failed> {
        let what = format!("its message to be {}", wanted.as_str());
        let status = |event: &EventReport| {
            let EventReport::Status { id: of, status, .. } = event else { return None };
            (*of == id && *status == wanted).then_some(())
        };
        self.record.find(Mark::START, &what, PATIENCE, status).await?;
        Ok(())
    }

    /// Ends the process as a crash would.
    pub async fn kill(&mut self) -> Result<(), Failed> {
        let mut process = self.process.take().ok_or("no process to kill")?;
        Ok(process.child.kill().await?)
    }

    /// Asks the process to end, waits until it has, and tells how long that took.
    pub async fn end(&mut self) -> Result<Duration, Failed> {
        self.signal("TERM").await?;
        let since = Instant::now();
        let mut process = self.process.take().ok_or("no process to end")?;
        let status = timeout(PATIENCE, process.child.wait()).await??;
        if status.success() { Ok(since.elapsed()) } else { Err(format!("{}: {status}", self.name()).into()) }
    }

    /// Halts the process: it neither hears nor dials until it is resumed. BlueZ goes on advertising for it.
    pub(crate) async fn halt(&self) -> Result<(), Failed> {
        self.signal("STOP").await
    }

    /// Lets a halted process go on.
    pub(crate) async fn resume(&self) -> Result<(), Failed> {
        self.signal("CONT").await
    }

    async fn signal(&self, name: &str) -> Result<(), Failed> {
        let id = self.process.as_ref().and_then(|process| process.child.id()).ok_or("no process")?;
        let status = Command::new("kill").args(["-s", name, &id.to_string()]).status().await?;
        if status.success() { Ok(()) } else { Err(format!("kill: {status}").into()) }
    }
}
