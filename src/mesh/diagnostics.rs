//! Looking at the mesh: pinging a peer, and who hears whom (spec 3.15, 3.17).

use std::time::Duration;

use super::config::ORIGIN_TTL;
use super::egress::Aim;
use super::engine::Engine;
use super::error::DropReason;
use super::topology::Graph;
use crate::ids::{LinkId, PeerId};
use crate::time::Now;
use crate::wire::{Packet, PacketType, Probe};

/// What names a question, and its answer.
pub type Nonce = [u8; 8];

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Ask a peer whether it is there; answered by `Pong`, `PingLost` or `PingRefused` with the same nonce.
    Ping {
        /// Whom.
        peer: PeerId,
        /// Chosen by whoever asks, at random.
        nonce: Nonce,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A peer answered a ping.
    Pong {
        /// Who.
        peer: PeerId,
        /// Which ping.
        nonce: Nonce,
        /// Over how many hops the answer came, as far as its TTL tells; 1 is a neighbour.
        hops: Option<u8>,
        /// How long it took there and back.
        round_trip: Duration,
    },
    /// No answer came within ten seconds.
    PingLost {
        /// From whom.
        peer: PeerId,
        /// Which ping.
        nonce: Nonce,
    },
    /// A ping was not sent.
    PingRefused {
        /// To whom.
        peer: PeerId,
        /// Which ping.
        nonce: Nonce,
        /// Why.
        reason: NotPinged,
    },
}

/// Why a ping was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPinged {
    /// It was addressed to this node.
    #[error("that is this node itself")]
    Own,
    /// More than five pings in ten seconds.
    #[error("five pings in ten seconds are the limit of the mesh")]
    TooMany,
    /// No link is up.
    #[error("nobody is in range")]
    NobodyNear,
    /// The wall clock is plainly wrong, and every node would drop the ping (spec 2.7).
    #[error("the clock of this machine is not set, and every node would drop the ping")]
    ClockUnset,
}

impl Engine {
    pub(super) fn diagnose(&mut self, command: Command, now: Now) {
        let Command::Ping { peer, nonce } = command;
        if let Err(reason) = self.ping(peer, nonce, now) {
            let refused = Event::PingRefused { peer, nonce, reason };
            self.emit(super::event::Event::Diagnostics(refused));
        }
    }

    /// Who hears whom, as this node was told.
    pub fn topology(&self, now: Now) -> Graph {
        let own = self.bindings.neighbours();
        let name = |peer| if peer == self.me { self.config.nickname.clone() } else { self.nickname(peer) };
        self.view(&own, now.instant).graph(name)
    }

    fn ping(&mut self, peer: PeerId, nonce: Nonce, now: Now) -> Result<(), NotPinged> {
        if peer == self.me {
            return Err(NotPinged::Own);
        }
        if self.clock_refusal(now).is_some() {
            return Err(NotPinged::ClockUnset);
        }
        if self.bindings.is_empty() {
            return Err(NotPinged::NobodyNear);
        }
        if !self.pings.begin(peer, nonce, now.instant) {
            return Err(NotPinged::TooMany);
        }
        self.send_probe(PacketType::Ping, peer, nonce, now);
        Ok(())
    }

    /// A ping for us is answered, as far as the budget of its link goes: the answer is no longer than the question.
    pub(super) fn pinged(
        &mut self,
        packet: &Packet,
        link: Option<LinkId>,
        now: Now,
    ) -> Result<(), DropReason> {
        let probe = Probe::decode(&packet.payload).map_err(|_| DropReason::Payload)?;
        if !link.is_some_and(|link| self.pings.answers(link, now.instant)) {
            return Err(DropReason::PingRate);
        }
        self.send_probe(PacketType::Pong, packet.sender, probe.nonce, now);
        Ok(())
    }

    /// A pong for us.
    pub(super) fn ponged(&mut self, packet: &Packet, ttl: u8, now: Now) -> Result<(), DropReason> {
        let probe = Probe::decode(&packet.payload).map_err(|_| DropReason::Payload)?;
        let (peer, nonce) = (packet.sender, probe.nonce);
        let round_trip = self.pings.pong(peer, nonce, now.instant).ok_or(DropReason::UnaskedPong)?;
        let hops = probe.hops(ttl);
        self.emit(super::event::Event::Diagnostics(Event::Pong { peer, nonce, hops, round_trip }));
        Ok(())
    }

    pub(super) fn give_up_pings(&mut self, now: Now) {
        while let Some((peer, nonce)) = self.pings.pop_lost(now.instant) {
            self.emit(super::event::Event::Diagnostics(Event::PingLost { peer, nonce }));
        }
    }

    fn send_probe(&mut self, packet_type: PacketType, to: PeerId, nonce: Nonce, now: Now) {
        let payload = Probe { nonce, origin_ttl: ORIGIN_TTL }.encode();
        let packet = self.unsigned(packet_type, Aim::Peer(to), payload.into(), now);
        // The hops are counted from the TTL both ends know.
        self.put(&Packet { ttl: ORIGIN_TTL, ..packet }, Aim::Peer(to), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Identity;
    use crate::mesh::Config;
    use crate::mesh::event::{self, Input, Output};
    use crate::time::{Instant, UnixMillis};

    #[test]
    fn whoever_pings_learns_whether_the_clock_or_the_range_is_at_fault() {
        let refused = |unix| {
            let config = Config { clock_floor: UnixMillis(1_800_000_000_000), ..Config::default() };
            let mut engine = Engine::new(Identity::from_bytes(&[9; 64]), config, [9; 32]);
            let ping = Command::Ping { peer: PeerId([7; 8]), nonce: [1; 8] };
            let command = event::Command::Diagnostics(ping);
            engine.handle(Input::Command(command), Now { instant: Instant::ZERO, unix: UnixMillis(unix) });
            let told = std::iter::from_fn(|| engine.poll_output()).find_map(|output| {
                let Output::Event(event::Event::Diagnostics(Event::PingRefused { reason, .. })) = output
                else {
                    return None;
                };
                Some(reason)
            });
            told.expect("it was refused")
        };
        assert_eq!(refused(0), NotPinged::ClockUnset);
        assert_eq!(refused(1_900_000_000_000), NotPinged::NobodyNear);
    }
}
