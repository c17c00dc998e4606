//! The engine's words for the port's, and back.

use crate::capabilities::Reach;
use crate::ids::MessageId;
use crate::mesh::error::Refusal;
use crate::mesh::event::{self as mesh, Expiry};
use crate::message::{Body, Message, Recipient};
use crate::router::event::{Failure, Report};
use crate::transports::port::{Event, Received};

/// The engine's command for a message; `None` for one it has no words for.
pub(super) fn command(attempt: crate::ids::AttemptId, message: Message) -> Option<mesh::Command> {
    let Message { id, to, body, .. } = message;
    match (to, body) {
        (Recipient::Everyone, Body::Public(packet)) => Some(mesh::Command::Flood { attempt, packet }),
        (Recipient::Peer(to), Body::Text(text)) => Some(mesh::Command::SendPrivate { attempt, to, id, text }),
        (Recipient::Peer(to), Body::Read { of, wire_ids }) => {
            Some(mesh::Command::SendRead { attempt, to, id, wire_ids: known_there(of, wire_ids) })
        }
        (Recipient::Peer(to), Body::Card(card)) => Some(mesh::Command::SendCard { attempt, to, id, card }),
        (Recipient::Everyone, Body::Text(_) | Body::Read { .. } | Body::Card(_))
        | (Recipient::Peer(_), Body::Public(_)) => None,
    }
}

/// The ids under which its sender knows a message: its own id, when it came over a transport that has no others.
pub(super) fn known_there(id: MessageId, wire_ids: Vec<String>) -> Vec<String> {
    if wire_ids.is_empty() { vec![id.to_string()] } else { wire_ids }
}

/// What an event of the engine means to the node; `None` when it is for listeners only.
pub(super) fn event(event: &mesh::Event) -> Option<Event> {
    match event {
        mesh::Event::Peer(peer) => {
            let reach = if peer.reach == mesh::Reach::Gone { Reach::No } else { Reach::Yes };
            Some(Event::Reach { to: Recipient::Peer(peer.id), reach })
        }
        mesh::Event::PeerGone { peer, .. } => {
            Some(Event::Reach { to: Recipient::Peer(*peer), reach: Reach::No })
        }
        mesh::Event::Session { peer } => Some(Event::Reach { to: Recipient::Peer(*peer), reach: Reach::Yes }),
        mesh::Event::PublicMessage(message) => Some(Event::Received(public(message))),
        mesh::Event::PrivateMessage(message) => Some(Event::Received(private(message))),
        mesh::Event::Card { fingerprint, card, .. } => Some(Event::Received(Received {
            sender: *fingerprint,
            nickname: String::new(),
            public: false,
            id: MessageId([0; 16]),
            body: Body::Card(card.clone()),
            sent: crate::time::UnixMillis(0),
            wire_ids: Vec::new(),
            ttl: 0,
            fragments: 0,
        })),
        mesh::Event::Sent { attempt, .. } => Some(Event::Report { attempt: *attempt, report: Report::Sent }),
        mesh::Event::Expired { attempt, reason, .. } => {
            let failure = match reason {
                Expiry::NoSession | Expiry::Silence => Failure::Silence,
                Expiry::Left => Failure::Unreachable,
                Expiry::Alone => Failure::Broken,
            };
            Some(Event::Report { attempt: *attempt, report: Report::Failed(failure) })
        }
        mesh::Event::Refused { attempt, reason } => {
            Some(Event::Report { attempt: *attempt, report: Report::Failed(failure(*reason)) })
        }
        mesh::Event::Receipt { from, id, read } => Some(Event::Receipt { from: *from, id: *id, read: *read }),
        mesh::Event::Adapter { .. }
        | mesh::Event::LinkUp { .. }
        | mesh::Event::LinkDown { .. }
        | mesh::Event::ClockUnset => None,
    }
}

fn failure(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Empty | Refusal::TooLong { .. } | Refusal::NotPublic | Refusal::ToSelf => Failure::Unfit,
        Refusal::NobodyNear => Failure::Unreachable,
        Refusal::QueueFull { .. } | Refusal::Stale { .. } | Refusal::ClockUnset { .. } => Failure::Busy,
    }
}

fn public(message: &mesh::PublicMessage) -> Received {
    Received {
        sender: message.fingerprint,
        nickname: message.nickname.clone(),
        public: true,
        id: message.id,
        body: Body::Text(message.text.clone()),
        sent: message.sent,
        wire_ids: Vec::new(),
        ttl: message.ttl,
        fragments: message.fragments,
    }
}

fn private(message: &mesh::PrivateMessage) -> Received {
    Received {
        sender: message.fingerprint,
        nickname: message.nickname.clone(),
        public: false,
        id: message.id,
        body: Body::Text(message.text.clone()),
        sent: message.sent,
        wire_ids: message.wire_ids.clone(),
        ttl: message.ttl,
        fragments: message.fragments,
    }
}
