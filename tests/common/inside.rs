//! Somebody with whom the node of a [`Bench`] has a session, and who says in it whatever a test likes.
#![allow(dead_code, reason = "each test file uses its share")]

use hopline::crypto::{Identity, Initiator, ReceiveCipher, Responder, SendCipher};
use hopline::wire::{NoisePayload, Packet, PacketType, Received};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::bench::{Bench, introduce, packet};

/// One end of a session, held by hand.
pub(crate) struct Inside {
    pub(crate) identity: Identity,
    serial: u32,
    send: SendCipher,
    receive: ReceiveCipher,
    /// How many of the frames written were looked at.
    heard: usize,
}

impl Inside {
    /// Announces this seed's identity over a link, and shakes hands.
    pub(crate) fn open(bench: &mut Bench, serial: u32, seed: u8) -> Self {
        let identity = crate::bench::identity(seed);
        introduce(bench, serial, &identity, at(bench));
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(seed) << 32 | at(bench));
        let (handshake, message1) = Initiator::new(&identity, &mut rng).expect("keys that are good");
        bench.written.clear();
        tell(bench, serial, &identity, PacketType::NoiseHandshake, message1);
        let message2 = answers(bench, &identity, PacketType::NoiseHandshake).pop().expect("it is answered");
        let node = bench.engine.peer_id();
        let finished = handshake.finish(&identity, node, &message2).map_err(|_| "refused");
        let (message3, session) = finished.expect("the node's own answer");
        let heard = bench.written.len();
        tell(bench, serial, &identity, PacketType::NoiseHandshake, message3);
        Self { identity, serial, send: session.send, receive: session.receive, heard }
    }

    /// This seed's identity announces itself over a link, and takes the hand that the node holds out at once.
    pub(crate) fn answer(bench: &mut Bench, serial: u32, seed: u8, announce: &[u8]) -> Self {
        let identity = crate::bench::identity(seed);
        bench.written.clear();
        bench.hear(serial, announce);
        let message1 = answers(bench, &identity, PacketType::NoiseHandshake).pop().expect("it wants to know");
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(seed) << 32 | at(bench));
        let (handshake, message2) =
            Responder::new(&identity, &message1, &mut rng).expect("keys that are good");
        tell(bench, serial, &identity, PacketType::NoiseHandshake, message2);
        let message3 = answers(bench, &identity, PacketType::NoiseHandshake).pop().expect("it is answered");
        let finished = handshake.finish(&identity, bench.engine.peer_id(), &message3).map_err(|_| "refused");
        let session = finished.expect("the node's own answer");
        Self { identity, serial, send: session.send, receive: session.receive, heard: 0 }
    }

    /// Says something inside the session.
    pub(crate) fn say(&mut self, bench: &mut Bench, payload: &NoisePayload) {
        let sealed = self.send.seal(&payload.encode().expect("it encodes")).expect("a session just begun");
        tell(bench, self.serial, &self.identity, PacketType::NoiseEncrypted, sealed);
    }

    /// What the node said inside the session since this was last asked.
    pub(crate) fn told(&mut self, bench: &Bench) -> Vec<NoisePayload> {
        let frames = bench.written.get(self.heard..).unwrap_or_default();
        let sealed = to(frames.iter().map(|(_, frame)| frame), &self.identity, PacketType::NoiseEncrypted);
        let opened: Vec<_> = sealed.iter().filter_map(|payload| self.receive.open(payload).ok()).collect();
        self.heard = bench.written.len();
        opened.into_iter().map(|plain| NoisePayload::decode(&plain.into()).expect("it reads")).collect()
    }
}

/// Milliseconds of a bench's clock since its start.
pub(crate) fn at(bench: &Bench) -> u64 {
    u64::try_from(bench.now.since_start().as_millis()).expect("a short run")
}

fn tell(bench: &mut Bench, serial: u32, who: &Identity, packet_type: PacketType, payload: Vec<u8>) {
    let recipient = Some(bench.engine.peer_id());
    let packet = Packet { recipient, ..packet(who, packet_type, payload, at(bench)) };
    bench.hear(serial, &packet.encode().expect("it encodes"));
}

fn answers(bench: &Bench, who: &Identity, packet_type: PacketType) -> Vec<Vec<u8>> {
    to(bench.written.iter().map(|(_, frame)| frame), who, packet_type)
}

fn to<'a>(
    frames: impl Iterator<Item = &'a bytes::Bytes>,
    who: &Identity,
    packet_type: PacketType,
) -> Vec<Vec<u8>> {
    let packets = frames.filter_map(|frame| Received::decode(frame).ok()).map(Received::into_packet);
    let theirs =
        |packet: &Packet| packet.recipient == Some(who.peer_id()) && packet.packet_type == packet_type;
    packets.filter(theirs).map(|packet| packet.payload.to_vec()).collect()
}
