//! The network path between two nodes is cut in the middle of a conversation, which goes on over Bluetooth, and
//! returns when the path does: `examples/failover.rs`, with daemons, BlueZ and the kernel's network.

use std::sync::Arc;
use std::time::Duration;

use hopline::api::schema::{ReachWord, StatusWord};
use hopline::ids::MessageId;
use hw_tests::network::{Place, wire};
use hw_tests::node::Node;
use hw_tests::record::{Mark, PATIENCE};
use hw_tests::stage::{Means, Stage};
use libtest_mimic::Failed;
use tokio::time::{Instant, sleep_until};

/// What was measured on emulated processors is no reason to take one transport or the other.
const CONFIG: &str = "[router]\npriority = [\"direct\", \"bitchat\"]\nadaptive = false\n";
/// Between two messages of one node.
const PACE: Duration = Duration::from_millis(300);
/// So long only one transport brought messages when the conversation counts as moved to it.
const SETTLED: Duration = Duration::from_secs(2);
/// Nothing is known of how long the emulated processors take; more than this is no slowness.
const LONGEST_GAP: Duration = Duration::from_secs(45);

pub(crate) async fn run(stage: Arc<Stage>) -> Result<(), Failed> {
    let places = [Place::new("ada").await?, Place::new("ben").await?];
    wire((&places[0], "192.0.2.1/30"), (&places[1], "192.0.2.2/30")).await?;
    let mut talk = Talk::begin(&stage, &places).await?;
    talk.until_over("direct").await?;
    talk.on_for(Duration::from_secs(3)).await?;
    println!("{:6.1} s  the network path is cut", talk.since.elapsed().as_secs_f32());
    for place in &places {
        place.cut().await?;
    }
    talk.until_over("bitchat").await?;
    talk.on_for(Duration::from_secs(3)).await?;
    println!("{:6.1} s  the network path is mended", talk.since.elapsed().as_secs_f32());
    for place in &places {
        place.mend().await?;
    }
    talk.until_over("direct").await?;
    talk.on_for(Duration::from_secs(2)).await?;
    talk.end().await
}

/// A conversation.
struct Talk {
    nodes: [Node; 2],
    since: Instant,
    /// What each has written.
    written: [Vec<(MessageId, String)>; 2],
}

impl Talk {
    /// Starts two daemons that hear each other on the air and have each other's card.
    async fn begin(stage: &Stage, places: &[Place; 2]) -> Result<Self, Failed> {
        let mut nodes = Vec::new();
        for (number, name) in ["ada", "ben"].into_iter().enumerate() {
            let adapters = [stage.adapter(number)?];
            let place = places.get(number);
            nodes.push(stage.start_as(name, Means { adapters: &adapters, place, config: CONFIG }).await?);
        }
        let nodes = <[Node; 2]>::try_from(nodes).map_err(|_| "two daemons were started")?;
        let [ada, ben] = &nodes;
        for (one, other) in [(ada, ben), (ben, ada)] {
            one.meets(other, ReachWord::Direct, Mark::START).await?;
        }
        for (one, other) in [(ada, ben), (ben, ada)] {
            one.adds(other).await?;
        }
        Ok(Self { nodes, since: Instant::now(), written: [Vec::new(), Vec::new()] })
    }

    /// Talks on until only this transport brings what is written.
    async fn until_over(&mut self, transport: &str) -> Result<(), Failed> {
        let since = Instant::now();
        loop {
            self.on_for(PACE).await?;
            if self.is_over(transport) {
                println!("{:6.1} s  they talk over {transport}", self.since.elapsed().as_secs_f32());
                return Ok(());
            }
            if since.elapsed() > PATIENCE {
                let [ada, ben] = &self.nodes;
                let why = ada.tells(&["route", &ben.id.to_string(), "--explain"]).await?;
                return Err(format!("they do not talk over {transport} after {PATIENCE:?}: {why}").into());
            }
        }
    }

    /// Whether all that came lately, both ways, came over this transport.
    fn is_over(&self, transport: &str) -> bool {
        self.nodes.iter().all(|node| {
            let arrivals = node.record.arrivals();
            let mut late = arrivals.iter().filter(|arrival| arrival.at.elapsed() < SETTLED).peekable();
            late.peek().is_some() && late.all(|arrival| arrival.message.via == transport)
        })
    }

    /// Both write at their pace for so long.
    async fn on_for(&mut self, span: Duration) -> Result<(), Failed> {
        let until = Instant::now() + span;
        while Instant::now() < until {
            let next = Instant::now() + PACE;
            let [ada, ben] = &self.nodes;
            for ((from, to), written) in [(ada, ben), (ben, ada)].into_iter().zip(&mut self.written) {
                let text = format!("{} writes line {}", from.name(), written.len() + 1);
                let id = from.send(&to.id.to_string(), &text).await?;
                written.push((id, text));
            }
            sleep_until(next).await;
        }
        Ok(())
    }

    /// Waits for what is still under way, and tells what was counted.
    async fn end(self) -> Result<(), Failed> {
        let [ada, ben] = &self.nodes;
        let mut gap = Duration::ZERO;
        let (mut all, mut direct) = (0, 0);
        for ((from, to), written) in [(ada, ben), (ben, ada)].into_iter().zip(&self.written) {
            for (id, text) in written {
                to.shows_private(text).await?;
                from.learns(*id, StatusWord::Delivered).await?;
            }
            to.record.shown_once(&written.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>())?;
            let arrivals = to.record.arrivals();
            let pauses = arrivals.windows(2).map(|pair| pair[1].at - pair[0].at);
            gap = gap.max(pauses.max().unwrap_or_default());
            all += arrivals.len();
            direct += arrivals.iter().filter(|arrival| arrival.message.via == "direct").count();
        }
        println!("{all} messages, each received once: {direct} over direct, {} over bitchat", all - direct);
        println!("the longest time in which nothing arrived: {:.1} s (emulated)", gap.as_secs_f32());
        if gap > LONGEST_GAP { Err(format!("that is over {LONGEST_GAP:?}").into()) } else { Ok(()) }
    }
}
