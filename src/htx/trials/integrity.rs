//! Data comes out as it went in: many streams, both ways, whatever the transport cuts, while keys change.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::super::TunnelConfig;
use super::super::event::{Event, Input, StreamId};
use super::super::sealing::RekeyLimits;
use super::pair::{End, Pair};

/// What one end does next.
#[derive(Debug, Clone)]
enum Step {
    Open { client: bool },
    Send { client: bool, stream: usize, len: usize },
    Finish { client: bool, stream: usize },
    Read { client: bool },
    Ping { client: bool },
    Rekey { client: bool },
    Carry { client: bool, bytes: usize },
    Wait { millis: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let client = any::<bool>();
    prop_oneof![
        2 => client.prop_map(|client| Step::Open { client }),
        6 => (client, 0usize..8, 1usize..60_000)
            .prop_map(|(client, stream, len)| Step::Send { client, stream, len }),
        6 => (client, 0usize..8, 1usize..40).prop_map(|(client, stream, len)| Step::Send { client, stream, len }),
        1 => (client, 0usize..8).prop_map(|(client, stream)| Step::Finish { client, stream }),
        3 => client.prop_map(|client| Step::Read { client }),
        1 => client.prop_map(|client| Step::Ping { client }),
        1 => client.prop_map(|client| Step::Rekey { client }),
        8 => (client, 1usize..40_000).prop_map(|(client, bytes)| Step::Carry { client, bytes }),
        8 => (client, 1usize..30).prop_map(|(client, bytes)| Step::Carry { client, bytes }),
        1 => (0u64..1_000_000).prop_map(|millis| Step::Wait { millis }),
    ]
}

/// What one end sent and has open.
#[derive(Default)]
struct Book {
    open: Vec<StreamId>,
    sent: BTreeMap<StreamId, Vec<u8>>,
    consumed: BTreeMap<StreamId, usize>,
    salt: u8,
}

struct Run {
    pair: Pair,
    /// Of the client, of the server.
    books: [Book; 2],
}

impl Run {
    fn end(&mut self, client: bool) -> (&mut End, &mut Book) {
        let [first, second] = &mut self.books;
        if client { (&mut self.pair.client, first) } else { (&mut self.pair.server, second) }
    }

    fn step(&mut self, step: &Step) {
        let now = self.pair.now;
        match *step {
            Step::Open { client } => {
                let (end, book) = self.end(client);
                end.handle(Input::Open, now);
                for event in &end.events {
                    if let Event::Opened { stream } = *event {
                        book.open.push(stream);
                    }
                }
                end.events.retain(|event| !matches!(event, Event::Opened { .. }));
            }
            Step::Send { client, stream, len } => {
                let (end, book) = self.end(client);
                let Some(&name) = book.open.get(stream) else { return };
                if end.connection.room(name) > 0 {
                    book.salt = book.salt.wrapping_add(41);
                    let data = vec![book.salt; len];
                    book.sent.entry(name).or_default().extend_from_slice(&data);
                    end.send(name, data, now);
                }
            }
            Step::Finish { client, stream } => {
                let (end, book) = self.end(client);
                if stream < book.open.len() {
                    let name = book.open.remove(stream);
                    end.finish(name, now);
                }
            }
            Step::Read { client } => {
                let (end, book) = self.end(client);
                for (stream, data) in end.received.clone() {
                    let consumed = book.consumed.entry(stream).or_default();
                    let bytes = data.len() - *consumed;
                    *consumed = data.len();
                    end.handle(Input::Consumed { stream, bytes }, now);
                }
            }
            Step::Ping { client } => self.end(client).0.handle(Input::Ping, now),
            Step::Rekey { client } => self.end(client).0.handle(Input::Rekey, now),
            Step::Carry { client, bytes } => {
                let from = self.end(client).0;
                let piece = from.outbox.split_to(bytes.min(from.outbox.len())).freeze();
                self.end(!client).0.handle(Input::Received(piece), now);
            }
            // What is under way arrives first: a key may be changed every ten minutes, as the receiver counts them.
            Step::Wait { millis } => {
                self.pair.carry();
                self.pair.wait(Duration::from_millis(millis));
            }
        }
    }

    /// Everything that was sent comes, once somebody reads.
    fn settle(&mut self) {
        loop {
            self.pair.carry();
            let before = self.progress();
            for client in [true, false] {
                self.step(&Step::Read { client });
            }
            self.pair.carry();
            if self.progress() == before {
                return;
            }
        }
    }

    fn progress(&self) -> usize {
        let count = |end: &End| end.received.values().map(Vec::len).sum::<usize>();
        count(&self.pair.client) + count(&self.pair.server)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sent_on_any_stream_arrives_whole_and_in_order(steps in proptest::collection::vec(step(), 1..120)) {
        let config = TunnelConfig {
            rekey: RekeyLimits::SHORTEST,
            stream_window: 65_535,
            connection_window: 200_000,
            send_buffer: 50_000,
            ..TunnelConfig::default()
        };
        let mut run = Run { pair: Pair::with_keys(&config), books: Default::default() };
        (run.pair.client.reads, run.pair.server.reads) = (false, false);
        for step in &steps {
            run.step(step);
        }
        run.settle();
        for (client, end) in [(true, &run.pair.client), (false, &run.pair.server)] {
            let closed = end.events.iter().find(|event| matches!(event, Event::Closed { .. }));
            prop_assert_eq!(closed, None, "client: {}", client);
        }
        // Our own names may differ from ids, but each stream's data is found whole, once.
        for (sender, receiver) in [(0, &run.pair.server), (1, &run.pair.client)] {
            let mut sent: Vec<_> = run.books[sender].sent.values().cloned().collect();
            let mut received: Vec<_> = receiver.received.values().cloned().collect();
            sent.sort();
            received.sort();
            prop_assert_eq!(sent.len(), received.len());
            prop_assert!(sent == received, "data was changed");
        }
    }
}

/// A hundred thousand small frames and more, over which both keys change many times.
#[test]
fn long_conversations_survive_many_changes_of_keys() {
    let config = TunnelConfig { rekey: RekeyLimits::SHORTEST, ..super::pair::quiet() };
    let mut pair = Pair::with_keys(&config);
    let (up, down) = (pair.client.open(pair.now), pair.server.open(pair.now));
    let mut expected = Vec::new();
    for number in 0..20_000u32 {
        expected.extend_from_slice(&number.to_be_bytes());
        pair.client.send(up, number.to_be_bytes().to_vec(), pair.now);
        pair.server.send(down, number.to_be_bytes().to_vec(), pair.now);
        pair.carry();
    }
    assert!(pair.server.received[&up] == expected && pair.client.received[&down] == expected);
    assert_eq!((pair.client.news(), pair.server.news().len()), (vec![Event::Accepted { stream: 4 }], 1));
}
