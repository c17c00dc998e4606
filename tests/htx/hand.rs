//! A client made by hand: the machine of the tunnel over a visitor's HTTP/2, every byte in the test's sight.

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use hopline::clock::Clock;
use hopline::htx::handshake::{Binding, Suite};
use hopline::htx::{ClientSetup, Connection, Event, Input, Output, TunnelConfig};
use hopline::wire::record::NodeRecord;
use http::StatusCode;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::visitor::{Visitor, request};
use super::{HOST, TUNNEL_PATH};

/// The two bodies of an accepted tunnel.
pub(crate) struct Hand {
    pub(crate) visitor: Visitor,
    pub(crate) sending: SendStream<Bytes>,
    pub(crate) receiving: RecvStream,
    /// Everything that was sent in our body.
    pub(crate) sent: Vec<u8>,
    /// Everything that came in the other.
    pub(crate) received: Vec<u8>,
    pub(crate) machine: Option<Connection>,
    clock: Clock,
}

impl Hand {
    /// Shows a cookie and gets the bodies.
    pub(crate) async fn enter(visitor: Visitor, cookie: &str, clock: Clock) -> Self {
        let mut requests = visitor.requests.clone().ready().await.unwrap();
        let post = request("POST", HOST, TUNNEL_PATH, &[("cookie", cookie)]);
        let (response, sending) = requests.send_request(post, false).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let receiving = response.into_body();
        Self { visitor, sending, receiving, sent: Vec::new(), received: Vec::new(), machine: None, clock }
    }

    /// Begins the inner handshake.
    pub(crate) fn begin(&mut self, record: &NodeRecord, seed: u8) {
        let setup = ClientSetup {
            suite: Suite::Hybrid,
            relay_static: record.noise_public,
            binding: Binding { host: HOST.to_owned(), exporter: self.visitor.exporter },
            config: TunnelConfig { padding_budget: None, ..TunnelConfig::default() },
        };
        let rng = ChaCha20Rng::from_seed([seed; 32]);
        self.machine = Some(Connection::client(setup, rng, self.clock.now()).unwrap());
    }

    /// One input, and everything that comes of it, sent as `change` leaves it.
    pub(crate) fn handle(
        &mut self,
        input: Option<Input>,
        change: &mut dyn FnMut(&mut Vec<u8>),
    ) -> Vec<Event> {
        let now = self.clock.now();
        let machine = self.machine.as_mut().unwrap();
        if let Some(input) = input {
            machine.handle(input, now);
        }
        let mut events = Vec::new();
        while let Some(output) = machine.poll_output() {
            match output {
                Output::Event(event) => events.push(event),
                Output::Transmit(bytes) => {
                    let mut bytes = bytes.to_vec();
                    change(&mut bytes);
                    machine.handle(Input::Transmitted(bytes.len()), now);
                    self.sent.extend_from_slice(&bytes);
                    self.sending.send_data(bytes.into(), false).unwrap();
                }
            }
        }
        events
    }

    /// The next bytes of the host; `None` when its body has ended, in order or not.
    pub(crate) async fn hear(&mut self) -> Option<Bytes> {
        let data = self.receiving.data().await?.ok()?;
        self.receiving.flow_control().release_capacity(data.len()).unwrap();
        self.received.extend_from_slice(&data);
        Some(data)
    }

    /// Shakes hands to the end.
    pub(crate) async fn shake(&mut self) {
        let mut events = self.handle(None, &mut |_| {});
        while !events.iter().any(|event| matches!(event, Event::Established)) {
            let data = self.hear().await.unwrap();
            events = self.handle(Some(Input::Received(data)), &mut |_| {});
        }
    }
}
