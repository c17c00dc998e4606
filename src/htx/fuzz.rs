//! What must hold for any bytes at all: the bodies of the targets in `fuzz/`.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use super::error::ErrorCode;
use super::frame::{Kind, MAX_ACCEPTED, MAX_HEADER_LEN, Reader, TAG_LEN, put_header};
use super::handshake::{Binding, Classical, Suite, message_len};
use super::keys::TunnelKeys;
use super::sealing::{RekeyLimits, Sealer};
use super::{Connection, Event, Input, Output, Role, ServerSetup, StreamId, TunnelConfig, varint};
use crate::time::{Instant, Now, UnixMillis};

/// 2026-11-27.
const TODAY: UnixMillis = UnixMillis(1_795_737_600_000);
const CLIENT_KEY: [u8; 32] = [1; 32];
/// How large the pieces are that a body comes in.
const PIECE: usize = 97;

/// The body of a tunnel after its handshake, nobody having its keys: frames come out or nothing does.
pub fn frame(bytes: &[u8]) {
    let mut rest = Bytes::copy_from_slice(bytes);
    let mut reader = Reader::default();
    let mut taken = 0;
    while !rest.is_empty() {
        let mut piece = rest.split_to(PIECE.min(rest.len()));
        loop {
            let Ok(sealed) = reader.read(&mut piece) else { return };
            let Some(sealed) = sealed else { break };
            let header = sealed.header;
            assert!(header.length() <= MAX_ACCEPTED && header.bytes().len() <= MAX_HEADER_LEN);
            assert_eq!(sealed.body.len(), header.length() + TAG_LEN);
            taken += header.bytes().len() + sealed.body.len();

            let mut again = BytesMut::new();
            put_header(&mut again, header.kind(), header.stream(), header.length());
            assert!(again.len() <= header.bytes().len(), "ours is the shortest form");
            again.extend_from_slice(&sealed.body);
            let reread = Reader::default().read(&mut again.freeze());
            let reread = reread.expect("as long as before").expect("as whole as before");
            assert_eq!((reread.header.kind(), reread.header.stream()), (header.kind(), header.stream()));
        }
        assert!(piece.is_empty());
    }
    assert!(taken <= bytes.len());
    if let Some((value, len)) = varint::read(bytes) {
        assert!(value <= varint::MAX && varint::len(value) <= len);
    }
}

/// A script for a peer that has the keys, and for the user of the tunnel at our end: what each byte asks for is in
/// [`Script::step`].
pub fn streams(script: &[u8]) {
    let mut run = Script::new();
    let mut script = Bytes::copy_from_slice(script);
    while script.remaining() >= 4 && run.sealed_len < 4 << 20 {
        let (what, stream, len) =
            (script.get_u8(), u64::from(script.get_u8()), usize::from(script.get_u16()));
        run.step(what, stream, len, &script);
    }
    run.ends();
}

struct Script {
    server: Connection,
    client: Sealer,
    now: Now,
    /// What was given and not consumed.
    unread: BTreeMap<StreamId, usize>,
    sealed_len: usize,
    asked_len: usize,
    sent_len: usize,
    closed: bool,
}

impl Script {
    fn new() -> Self {
        let now = Now { instant: Instant::ZERO, unix: TODAY };
        let keys = TunnelKeys {
            client: Zeroizing::new(CLIENT_KEY),
            server: Zeroizing::new([2; 32]),
            transcript: [3; 32],
        };
        let rng = ChaCha20Rng::from_seed([4; 32]);
        let config = TunnelConfig { padding_budget: None, max_streams: 5, ..TunnelConfig::default() };
        Self {
            server: Connection::established(Role::Server, keys, config, rng, now),
            client: Sealer::new(Zeroizing::new(CLIENT_KEY), [3; 32], RekeyLimits::LONGEST, Instant::ZERO),
            now,
            unread: BTreeMap::new(),
            sealed_len: 0,
            asked_len: 0,
            sent_len: 0,
            closed: false,
        }
    }

    fn step(&mut self, what: u8, stream: u64, len: usize, rest: &Bytes) {
        match what % 16 {
            kind @ 0..=5 => self.seal(Kind::from_code(kind), stream, &rest.slice(..len.min(rest.len()))),
            6 => self.seal(Kind::Stream, stream, &Bytes::from(vec![0; len])),
            7 => self.update_key(),
            8 => self.handle(Input::Received(rest.slice(..len.min(rest.len())))),
            9 => self.handle(Input::Open),
            10 if self.server.room(stream) > 0 => {
                self.asked_len += len;
                self.handle(Input::Send { stream, data: Bytes::from(vec![0; len]) });
            }
            11 => self.handle(Input::Finish { stream }),
            12 => self.handle(Input::Abandon { stream }),
            13 => {
                self.unread.entry(stream).and_modify(|unread| *unread = unread.saturating_sub(len));
                self.handle(Input::Consumed { stream, bytes: len });
            }
            14 => {
                self.now.instant = self.now.instant + Duration::from_millis(len as u64);
                self.handle(if stream.is_multiple_of(2) { Input::Timeout } else { Input::Ping });
            }
            15 if stream == 255 => self.handle(Input::Close { code: ErrorCode::Ok, reason: String::new() }),
            15 if stream.is_multiple_of(2) => self.handle(Input::Rekey),
            _ => {}
        }
    }

    fn seal(&mut self, kind: Kind, stream: u64, content: &Bytes) {
        let mut out = BytesMut::new();
        let sealed =
            self.client.seal(kind, stream, std::slice::from_ref(content), self.now.instant, &mut out);
        if sealed.is_ok() {
            self.handle(Input::Received(out.freeze()));
        }
    }

    fn update_key(&mut self) {
        let mut out = BytesMut::new();
        if self.client.update_key(self.now.instant, &mut out).is_ok() {
            self.handle(Input::Received(out.freeze()));
        }
    }

    fn handle(&mut self, input: Input) {
        if let Input::Received(bytes) = &input {
            self.sealed_len += bytes.len();
        } else {
            // An answer, a KEY_UPDATE, a CLOSE, credit: what an input of our own may cost.
            self.asked_len += 100;
        }
        self.server.handle(input, self.now);
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Transmit(bytes) => {
                    self.sent_len += bytes.len();
                    self.server.handle(Input::Transmitted(bytes.len()), self.now);
                }
                Output::Event(Event::Data { stream, data }) => {
                    assert!(!self.closed && !data.is_empty());
                    *self.unread.entry(stream).or_default() += data.len();
                }
                Output::Event(Event::Closed { .. }) => {
                    assert!(!self.closed, "once");
                    self.closed = true;
                }
                Output::Event(_) => {}
            }
        }
        assert!(self.unread.values().sum::<usize>() <= 4 << 20, "the window of the connection");
        let sealing = self.asked_len.saturating_mul(2);
        assert!(self.sent_len <= 1000 + self.sealed_len * 2 + sealing, "{} bytes out", self.sent_len);
    }

    /// Whatever happened, it can be closed, and is then over in two seconds.
    fn ends(mut self) {
        self.handle(Input::Close { code: ErrorCode::Ok, reason: String::new() });
        assert!(self.closed);
        self.now.instant = self.now.instant + Duration::from_secs(2);
        self.handle(Input::Timeout);
        assert_eq!(self.server.poll_timeout(), None);
    }
}

/// A server from the first byte of a client's body on. A client with these very keys exists: its recorded bodies are
/// among the seeds.
pub fn server(bytes: &[u8]) {
    let mut run = Served::new();
    for piece in bytes.chunks(PIECE) {
        run.handle(Input::Received(Bytes::copy_from_slice(piece)));
    }
    run.handle(Input::Ended);
    let deadline = Duration::from_secs(10);
    run.now.instant = Instant::from_start(deadline - Duration::from_millis(1));
    run.handle(Input::Timeout);
    assert!(!run.events.contains(&Event::Failed), "not a moment early");
    run.now.instant = Instant::from_start(deadline);
    run.handle(Input::Timeout);
    let established = run.events.contains(&Event::Established);
    assert_ne!(established, run.events.contains(&Event::Failed));
    let longest = 2 + message_len(Suite::Hybrid, 2);
    assert!(established || run.sent_len <= longest, "{} bytes before the handshake is done", run.sent_len);
}

struct Served {
    server: Connection,
    now: Now,
    events: Vec<Event>,
    sent_len: usize,
}

impl Served {
    fn new() -> Self {
        let now = Now { instant: Instant::ZERO, unix: TODAY };
        let setup = ServerSetup {
            static_secret: Zeroizing::new([0x42; 32]),
            binding: Binding { host: "relay.example".to_owned(), exporter: [5; 32] },
            classical: Classical::Always,
            config: TunnelConfig { padding_budget: None, ..TunnelConfig::default() },
        };
        let server = Connection::server(setup, ChaCha20Rng::from_seed([12; 32]), now);
        Self { server, now, events: Vec::new(), sent_len: 0 }
    }

    fn handle(&mut self, input: Input) {
        self.server.handle(input, self.now);
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Transmit(bytes) => self.sent_len += bytes.len(),
                Output::Event(event) => self.events.push(event),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODIES: [&[u8]; 2] = [
        include_bytes!("../../fuzz/seeds/htx_server/classical"),
        include_bytes!("../../fuzz/seeds/htx_server/hybrid"),
    ];

    #[test]
    fn the_recorded_bodies_among_the_seeds_lead_through_the_handshake() {
        for body in BODIES {
            let mut run = Served::new();
            run.handle(Input::Received(Bytes::from_static(body)));
            assert_eq!(run.events[..2], [Event::Established, Event::Accepted { stream: 3 }]);
            assert!(matches!(run.events[2], Event::Data { .. }));
            server(body);
        }
    }

    proptest! {
        #[test]
        fn the_targets_hold_for_noise(bytes in proptest::collection::vec(any::<u8>(), 0..2500)) {
            frame(&bytes);
            streams(&bytes);
            server(&bytes);
        }

        #[test]
        fn the_targets_hold_for_what_is_nearly_right(
            place in any::<prop::sample::Index>(),
            bit in 0u32..8,
            steps in proptest::collection::vec((0u8..16, 0u8..12, 0u16..40), 0..80),
        ) {
            for body in BODIES {
                let mut body = body.to_vec();
                let place = place.index(body.len());
                body[place] ^= 1 << bit;
                server(&body);
            }
            let steps = steps.iter().flat_map(|(what, stream, len)| {
                let [high, low] = len.to_be_bytes();
                [*what, *stream, high, low]
            });
            streams(&steps.collect::<Vec<u8>>());
        }
    }
}
