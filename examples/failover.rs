//! Two nodes talk over the direct transport; the network path between them is cut in the middle of the
//! conversation, it goes on over Bluetooth, the path comes back, and the conversation with it.
//!
//! The Bluetooth air is simulated; the network path is a forwarder of UDP datagrams on loopback that loses
//! everything while it is cut. Each second of the conversation is told, and at the end the longest time in which
//! nothing arrived. The program fails when that is a second or more, or when a message is lost or comes twice.
//!
//! `cargo run --release --example failover`
#![expect(clippy::print_stdout, reason = "an example talks to people")]

use std::collections::BTreeMap;
use std::time::Duration;

use hopline::capabilities::TransportKey;
use hopline::clock::Clock;
use hopline::ids::MessageId;
use hopline::message::Requirements;
use hopline::node::event::Event;
use hopline::node::handle::{Notice, Subscription};

#[path = "../tests/common/pair.rs"]
mod pair;
#[path = "../tests/common/path.rs"]
mod path;
use pair::{Failed, PATIENCE, Pair};

/// Between two messages of one node.
const PACE: Duration = Duration::from_millis(50);
/// The longest time in which nothing may arrive.
const LONGEST_GAP: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let pair = Pair::meet(3).await?;
    let mut talk = Talk::begin(pair)?;
    println!("ada and ben have each other's card; both write every {PACE:?}");
    talk.until("they talk over direct", |talk| talk.all_over(TransportKey::Direct)).await?;
    talk.on_for(Duration::from_secs(3)).await?;
    println!("--- the network path is cut");
    talk.pair.path.set_open(false);
    talk.until("they talk over bitchat", |talk| talk.all_over(TransportKey::Bitchat)).await?;
    talk.on_for(Duration::from_secs(4)).await?;
    println!("--- the network path is mended");
    talk.pair.path.set_open(true);
    talk.until("they talk over direct again", |talk| talk.all_over(TransportKey::Direct)).await?;
    talk.on_for(Duration::from_secs(2)).await?;
    talk.end().await
}

/// A conversation, and what came of it.
struct Talk {
    pair: Pair,
    events: [Subscription; 2],
    clock: Clock,
    /// Every message: when it was written, and when and how it arrived.
    sent: BTreeMap<MessageId, Duration>,
    arrivals: [Vec<(Duration, TransportKey)>; 2],
    written: u64,
}

impl Talk {
    fn begin(pair: Pair) -> Result<Self, Failed> {
        let events = [pair.nodes[0].handle().subscribe()?, pair.nodes[1].handle().subscribe()?];
        let arrivals = [Vec::new(), Vec::new()];
        Ok(Self { pair, events, clock: Clock::start(), sent: BTreeMap::new(), arrivals, written: 0 })
    }

    fn now(&self) -> Duration {
        self.clock.now().instant.since_start()
    }

    /// Talks on until something holds.
    async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> Result<(), Failed> {
        let since = self.now();
        while !holds(self) {
            if self.now() - since > PATIENCE {
                return Err(format!("waited {PATIENCE:?} in vain: {what}").into());
            }
            self.on_for(PACE).await?;
        }
        println!("{:6.2} s  {what}", self.now().as_secs_f64());
        Ok(())
    }

    /// Talks on for a while: both write at their pace, and what arrives is noted.
    async fn on_for(&mut self, span: Duration) -> Result<(), Failed> {
        let until = self.now() + span;
        while self.now() < until {
            self.written += 1;
            for writer in [0, 1] {
                let to = self.pair.nodes[1 - writer].handle().profile().peer_id.to_string();
                let text = format!("line {}", self.written);
                let now = self.now();
                let accepted =
                    self.pair.nodes[writer].handle().send(&to, text, Requirements::default()).await?;
                self.sent.insert(accepted.envelope.id, now);
            }
            let next = self.now() + PACE;
            while self.listen(next.saturating_sub(self.now())).await? {}
        }
        Ok(())
    }

    /// Notes the next arrival; false when nothing came in time.
    async fn listen(&mut self, patience: Duration) -> Result<bool, Failed> {
        let [at_ada, at_ben] = &mut self.events;
        let (reader, notice) = tokio::select! {
            notice = at_ada.next() => (0, notice),
            notice = at_ben.next() => (1, notice),
            () = tokio::time::sleep(patience) => return Ok(false),
        };
        match notice {
            Some(Notice::Event(Event::Received { message, .. })) => {
                let written = self.sent.remove(&message.id);
                written.ok_or_else(|| format!("{} came twice, or was never sent", message.id))?;
                let now = self.now();
                self.arrivals[reader].push((now, message.via));
                Ok(true)
            }
            Some(Notice::Event(_)) => Ok(true),
            Some(Notice::Missed(count)) => Err(format!("{count} events were missed").into()),
            None => Err("a node has stopped".into()),
        }
    }

    /// Whether the last second's messages came over this transport alone, both ways.
    fn all_over(&self, transport: TransportKey) -> bool {
        let since = self.now().saturating_sub(Duration::from_secs(1));
        self.arrivals.iter().all(|arrivals| {
            let mut late = arrivals.iter().filter(|(at, _)| *at >= since).peekable();
            late.peek().is_some() && late.all(|(_, via)| *via == transport)
        })
    }

    /// Waits for what is still under way, and tells what was counted.
    async fn end(mut self) -> Result<(), Failed> {
        let mut gap = Duration::ZERO;
        for arrivals in &self.arrivals {
            let pauses = arrivals.windows(2).map(|pair| pair[1].0 - pair[0].0);
            gap = gap.max(pauses.max().unwrap_or_default());
        }
        while !self.sent.is_empty() {
            if !self.listen(PATIENCE).await? {
                return Err(format!("{} messages were lost", self.sent.len()).into());
            }
        }
        let over = |transport| self.arrivals.iter().flatten().filter(|(_, via)| *via == transport).count();
        println!(
            "{} messages, each received once: {} over direct, {} over bitchat",
            self.written * 2,
            over(TransportKey::Direct),
            over(TransportKey::Bitchat)
        );
        println!("the longest time in which nothing arrived: {:.0} ms", gap.as_secs_f64() * 1000.0);
        for node in self.pair.nodes {
            node.stop().await?;
        }
        if gap >= LONGEST_GAP { Err(format!("that is not under {LONGEST_GAP:?}").into()) } else { Ok(()) }
    }
}
