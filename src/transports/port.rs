//! The port between a transport and the node: a pair of enums, and a handle that holds both ends of it.
//!
//! Whoever embeds a transport finds the founding document's six verbs on [`Transport`]: `start` is the
//! constructor of each transport's own module, then `stop`, `send`, `receive`, `capabilities` and
//! `is_available`.

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::capabilities::{Capabilities, Health, Reach, TransportKey};
use crate::ids::{AttemptId, Fingerprint, MessageId, PeerId};
use crate::mesh::kept::Keep;
use crate::message::{Body, GroupLabel, Message, NotLeft, Recipient};
use crate::router::event::Report;
use crate::time::UnixMillis;

/// Commands that may wait for a transport; whoever has one more waits.
pub const COMMAND_BOUND: usize = 256;
/// Events that may wait for the node; a transport that has one more waits.
pub const EVENT_BOUND: usize = 256;

/// What the node asks of a transport.
#[derive(Debug)]
pub enum Command {
    /// Carry a message; answered by [`Event::Report`].
    Send {
        /// Carried back in the report.
        attempt: AttemptId,
        /// What to carry.
        message: Message,
    },
    /// The message came another way: no further try, though a receipt may still come.
    Cancel {
        /// Which attempt.
        attempt: AttemptId,
        /// Of which message.
        id: MessageId,
    },
    /// Make ready for this peer.
    Warm {
        /// Who.
        peer: PeerId,
    },
    /// A received message is on disk: tell its sender.
    Acknowledge {
        /// Who wrote it.
        sender: PeerId,
        /// Which.
        id: MessageId,
        /// The ids it has on the BitChat wire.
        wire_ids: Vec<String>,
    },
    /// A received message cannot be kept: tell its sender, where the transport has words for it.
    Decline {
        /// Who wrote it.
        sender: PeerId,
        /// Which.
        id: MessageId,
    },
    /// Nothing reaches the recipient of this text: couriers may carry copies of it. For the mesh only, and no attempt.
    Deposit {
        /// Which.
        message: Message,
        /// When it expires.
        expires: UnixMillis,
    },
    /// No further courier needs to have this text.
    Recall {
        /// Which.
        id: MessageId,
    },
    /// So many more of the changes that it told by [`Event::Keep`] are on disk, the first told first.
    Kept {
        /// How many more.
        changes: u64,
    },
    /// A signed public packet that another transport brought, its TTL lowered already.
    Relay(Bytes),
    /// Say goodbye and stop.
    Shutdown,
}

/// What a transport tells the node.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// It came up or went down.
    Health(Health),
    /// It reaches somebody, or does so no longer.
    Reach {
        /// Whom.
        to: Recipient,
        /// How surely.
        reach: Reach,
    },
    /// How far an attempt came.
    Report {
        /// Which attempt.
        attempt: AttemptId,
        /// How far.
        report: Report,
    },
    /// The recipient of a message of ours has it, or has read it.
    Receipt {
        /// Who says so: authenticated.
        from: PeerId,
        /// Which message.
        id: MessageId,
        /// Read, not only delivered.
        read: bool,
    },
    /// Couriers have copies of a text that was to be deposited.
    Deposited {
        /// Which.
        id: MessageId,
        /// How many couriers.
        couriers: usize,
    },
    /// A text that was to be deposited is left with no courier.
    NotDeposited {
        /// Which.
        id: MessageId,
        /// Why.
        why: NotLeft,
    },
    /// A message arrived. It counts as received when the node has stored it and answers
    /// [`Command::Acknowledge`].
    Received(Received),
    /// A verified public packet was heard for the first time, as it came; other transports may carry it on.
    Heard {
        /// The packet's bytes.
        packet: Bytes,
    },
    /// Somebody proved inside a session that the keys of a code which our owner scanned are theirs.
    Verified {
        /// The Noise key.
        noise_public: [u8; 32],
        /// The Ed25519 key.
        signing_public: [u8; 32],
        /// The name in the code.
        nickname: String,
    },
    /// It wants something kept over a restart, in the order in which it says so; answered by [`Command::Kept`].
    Keep(Keep),
}

/// A message that arrived, its sender authenticated by the transport.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// The sender's identity.
    pub sender: Fingerprint,
    /// The name the sender gave itself; empty when the transport knows none.
    pub nickname: String,
    /// To everyone, or to us.
    pub public: bool,
    /// The private group it was said to.
    pub room: Option<GroupLabel>,
    /// The message's id.
    pub id: MessageId,
    /// What it says; a public message is a [`Body::Text`] here.
    pub body: Body,
    /// When it was written, by the sender's clock.
    pub sent: UnixMillis,
    /// The ids it has on the BitChat wire, for receipts; empty when [`Self::id`] is all there is.
    pub wire_ids: Vec<String>,
    /// The TTL it arrived with; 0 when the transport has none.
    pub ttl: u8,
    /// Over how many fragments it came; 0 when it came whole.
    pub fragments: u16,
}

/// A running transport, as the node holds it.
#[derive(Debug)]
pub struct Transport {
    /// Its name.
    pub key: TransportKey,
    /// What it can do.
    pub capabilities: Capabilities,
    /// How it is, watched.
    pub health: watch::Receiver<Health>,
    /// Where it takes commands.
    pub commands: mpsc::Sender<Command>,
    /// Where its events come from.
    pub events: mpsc::Receiver<Event>,
    /// Its task; it ends after [`Command::Shutdown`], or when [`Self::commands`] is dropped.
    pub task: JoinHandle<()>,
}

impl Transport {
    /// Hands it a command; false when it has stopped.
    pub async fn send(&self, command: Command) -> bool {
        self.commands.send(command).await.is_ok()
    }

    /// Waits for its next event; `None` when it has stopped.
    pub async fn receive(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// What it can do.
    pub const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Whether it works right now.
    pub fn is_available(&self) -> bool {
        self.health.borrow().is_up()
    }

    /// Asks it to say goodbye, and waits until it has stopped; what it told meanwhile, of which [`Event::Keep`] is
    /// worth attention.
    pub async fn stop(mut self) -> Vec<Event> {
        self.commands.send(Command::Shutdown).await.ok();
        // Whoever waits to tell something must not wait for a node that no longer listens.
        let mut last = Vec::new();
        while let Some(event) = self.events.recv().await {
            last.push(event);
        }
        if let Err(error) = self.task.await {
            tracing::error!(transport = %self.key, %error, "a transport's task failed");
        }
        last
    }
}
