//! Between the words of the transport port and those of the engine.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::ids::{AttemptId, MessageId};
use crate::mesh;
use crate::mesh::courier::event as courier;
use crate::mesh::error::Refusal;
use crate::mesh::event::{Expiry, PrivateMessage, PublicMessage};
use crate::mesh::groups::{self, GroupMessage};
use crate::mesh::trust::event as trust;
use crate::message::{Body, GroupLabel, Message, Recipient};
use crate::router::event::{Failure, Report};
use crate::transports::port::{Command, Event, Received};

/// What a command of the node comes to.
#[derive(Debug)]
pub(super) enum Asked {
    /// The engine does it.
    Engine(mesh::event::Command),
    /// The mesh cannot carry this at all.
    Unfit(AttemptId),
    /// The mesh has no words for it.
    Nothing,
}

/// What a command asks for here.
pub(super) fn asked(command: Command) -> Asked {
    use crate::mesh::event::Command as Engine;
    Asked::Engine(match command {
        Command::Send { attempt, message } => return carry(attempt, message),
        Command::Cancel { attempt, id } => Engine::Cancel { attempt, id },
        Command::Warm { peer } => Engine::Greet { peer },
        Command::Acknowledge { sender, wire_ids, .. } => Engine::Acknowledge { to: sender, wire_ids },
        Command::Deposit { message, expires } => match (message.to, message.body) {
            (Recipient::Peer(to), Body::Text(text)) => {
                let (id, written) = (message.id, message.sent);
                Engine::Courier(courier::Command::Deposit { to, id, text, written, expires })
            }
            (Recipient::Peer(_) | Recipient::Everyone, _) => return Asked::Nothing,
        },
        Command::Recall { id } => Engine::Courier(courier::Command::Recall { id }),
        Command::Relay(packet) => Engine::Relay { packet },
        Command::Decline { .. } | Command::Kept { .. } | Command::Shutdown => return Asked::Nothing,
    })
}

/// What the node is told of an engine's event, adapters, links and peers left out.
pub(super) fn told(event: &mesh::event::Event) -> Vec<Event> {
    use crate::mesh::event::Event as Engine;
    match event {
        &Engine::Sent { attempt, .. } => vec![Event::Report { attempt, report: Report::Sent }],
        &Engine::Expired { attempt, reason, .. } => vec![failed(attempt, expired(reason))],
        &Engine::Refused { attempt, reason } => vec![failed(attempt, refused(reason))],
        &Engine::Courier(courier::Event::Deposited { id, couriers }) => {
            vec![Event::Deposited { id, couriers }]
        }
        &Engine::Courier(courier::Event::NotLeft { id, why }) => vec![Event::NotDeposited { id, why }],
        &Engine::Receipt { from, id, read } => vec![Event::Receipt { from, id, read }],
        Engine::PrivateMessage(message) => vec![Event::Received(private(message))],
        Engine::PublicMessage(message) => {
            // What another transport brought goes to no other; what is at its last hop goes nowhere.
            let carried_on = !message.brought && message.ttl > 1;
            let heard = carried_on.then(|| Event::Heard { packet: message.packet.clone() });
            [Event::Received(public(message))].into_iter().chain(heard).collect()
        }
        Engine::Group(groups::Event::Message(message)) => vec![Event::Received(said(message))],
        Engine::Card { fingerprint, card, sent, .. } => vec![Event::Received(Received {
            sender: *fingerprint,
            nickname: String::new(),
            public: false,
            room: None,
            id: card_id(card),
            body: Body::Card(card.clone()),
            sent: *sent,
            wire_ids: Vec::new(),
            ttl: 0,
            fragments: 0,
        })],
        Engine::People(trust::Event::Verified { noise_public, signing_public, nickname }) => {
            let (noise_public, signing_public) = (*noise_public, *signing_public);
            vec![Event::Verified { noise_public, signing_public, nickname: nickname.clone() }]
        }
        Engine::People(_)
        | Engine::Adapter { .. }
        | Engine::LinkUp { .. }
        | Engine::LinkDown { .. }
        | Engine::Peer(_)
        | Engine::PeerGone { .. }
        | Engine::Session { .. }
        | Engine::Media(_)
        | Engine::Diagnostics(_)
        | Engine::Board(_)
        | Engine::Group(_)
        | Engine::ClockUnset
        | Engine::ClockOff { .. } => Vec::new(),
    }
}

/// An attempt came to nothing.
pub(super) fn failed(attempt: AttemptId, failure: Failure) -> Event {
    Event::Report { attempt, report: Report::Failed(failure) }
}

fn carry(attempt: AttemptId, message: Message) -> Asked {
    use crate::mesh::event::Command as Engine;
    let id = message.id;
    Asked::Engine(match (message.to, message.body) {
        (Recipient::Everyone, Body::Public(packet)) => Engine::Flood { attempt, packet },
        (Recipient::Peer(to), Body::Text(text)) => Engine::SendPrivate { attempt, to, id, text },
        (Recipient::Peer(to), Body::Card(card)) => Engine::SendCard { attempt, to, id, card },
        (Recipient::Peer(to), Body::Read { of, wire_ids }) => {
            // A message that came another way has no id on the wire but its own.
            let wire_ids = if wire_ids.is_empty() { vec![of.to_string()] } else { wire_ids };
            Engine::SendRead { attempt, to, id, wire_ids }
        }
        (Recipient::Everyone, Body::Text(_) | Body::Read { .. } | Body::Card(_))
        | (Recipient::Peer(_), Body::Public(_)) => return Asked::Unfit(attempt),
    })
}

fn private(message: &PrivateMessage) -> Received {
    Received {
        sender: message.fingerprint,
        nickname: message.nickname.clone(),
        public: false,
        room: None,
        id: message.id,
        body: Body::Text(message.text.clone()),
        sent: message.sent,
        wire_ids: message.wire_ids.clone(),
        ttl: message.ttl,
        fragments: message.fragments,
    }
}

/// What was said to a group, by us or by another member.
fn said(message: &GroupMessage) -> Received {
    Received {
        sender: message.sender,
        nickname: message.nickname.clone(),
        public: false,
        room: Some(GroupLabel { id: message.group, name: message.name.clone() }),
        id: message.id,
        body: Body::Text(message.text.clone()),
        sent: message.sent,
        wire_ids: Vec::new(),
        ttl: message.ttl,
        fragments: 0,
    }
}

fn public(message: &PublicMessage) -> Received {
    Received {
        sender: message.fingerprint,
        nickname: message.nickname.clone(),
        public: true,
        room: None,
        id: message.id,
        body: Body::Text(message.text.clone()),
        sent: message.sent,
        wire_ids: Vec::new(),
        ttl: message.ttl,
        fragments: message.fragments,
    }
}

/// A card has no id on the wire; the same card has the same one here.
fn card_id(card: &Bytes) -> MessageId {
    let mut id = [0; 16];
    id.iter_mut().zip(Sha256::digest(card)).for_each(|(byte, digest)| *byte = digest);
    MessageId(id)
}

fn expired(reason: Expiry) -> Failure {
    match reason {
        Expiry::NoSession | Expiry::Silence => Failure::Silence,
        Expiry::Left => Failure::Unreachable,
        Expiry::Alone => Failure::Broken,
    }
}

fn refused(reason: Refusal) -> Failure {
    match reason {
        Refusal::NobodyNear => Failure::Unreachable,
        // In a while the queue is shorter, the packet signed afresh, the clock set.
        Refusal::QueueFull { .. } | Refusal::Stale { .. } | Refusal::ClockUnset { .. } => Failure::Busy,
        Refusal::Empty | Refusal::TooLong { .. } | Refusal::NotPublic | Refusal::ToSelf => Failure::Unfit,
    }
}
