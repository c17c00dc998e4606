//! A network that loses packets and takes its time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hopline::api::files::{DirectionWord, FileWord};
use hopline::api::schema::StatusWord;
use hw_tests::network::{Place, impair, wire};
use hw_tests::node::Node;
use hw_tests::stage::{Means, Stage};
use libtest_mimic::Failed;
use tokio::time::Instant;

use crate::words::{random_text, same};

/// There and back between each end and the middle.
const ROUND_TRIP: Duration = Duration::from_millis(50);
/// Packets of each wire that are lost each way, of a hundred.
const LOSS: f32 = 1.0;
/// How long a file may take.
pub(crate) const CARRIED: Duration = Duration::from_secs(200);

/// Messages and a file over direct; what the network does to packets is measured, not taken for granted.
pub(crate) async fn direct(stage: Arc<Stage>) -> Result<(), Failed> {
    let world = World::build().await?;
    let mut nodes = Vec::new();
    for (name, place) in ["ada", "ben"].into_iter().zip(&world.ends) {
        let config = "[bitchat]\nenabled = false\n\n[files]\naccept = \"contacts\"\n";
        nodes.push(stage.start_as(name, Means { place: Some(place), config, ..Means::default() }).await?);
    }
    let [ada, ben] = <[Node; 2]>::try_from(nodes).map_err(|_| "two daemons were started")?;
    ada.adds(&ben).await?;
    ben.adds(&ada).await?;
    says(&ada, &ben, 1, "direct").await?;
    says(&ben, &ada, 2, "direct").await?;
    let connection = ada.connection_to(&ben).await?.ok_or("not connected")?;
    let round_trip = Duration::from_millis(connection.round_trip_ms);
    if round_trip < 2 * ROUND_TRIP {
        return Err(format!("there and back over two wires in {round_trip:?}").into());
    }

    let content = random_text(3, 1 << 20);
    let since = Instant::now();
    carries(&ada, &ben, &stage.path("holiday.zip"), content.as_bytes()).await?;
    let took = since.elapsed();
    let lost = world.lost().await?;
    println!(
        "{} bytes in {:.1} s (emulated), {round_trip:?} there and back, {lost} packets lost",
        content.len(),
        took.as_secs_f32()
    );
    if lost == 0 {
        return Err("the network lost nothing".into());
    }
    Ok(())
}

/// `from` writes to `to`, who shows it word for word as this transport brought it; the receipt comes back.
pub(crate) async fn says(from: &Node, to: &Node, seed: u64, via: &str) -> Result<(), Failed> {
    let text = random_text(seed, 2000);
    let id = from.send(to.name(), &text).await?;
    let shown = to.shows_private(&text).await?;
    same("id", shown.id, id)?;
    same("sender", shown.sender, from.id)?;
    same("transport", shown.via.as_str(), via)?;
    from.learns(id, StatusWord::Delivered).await
}

/// `from` sends a file to `to`; what arrived is compared with what was sent.
pub(crate) async fn carries(from: &Node, to: &Node, file: &Path, content: &[u8]) -> Result<(), Failed> {
    std::fs::write(file, content)?;
    from.send_file(to, file).await?;
    let done = |status| status == FileWord::Done;
    let received = to.file(DirectionWord::In, "a file to arrive", CARRIED, |file| done(file.status)).await?;
    let arrived = std::fs::read(received.path.ok_or("a file that is nowhere")?)?;
    same("the file arrived as it was sent", arrived == content, true)?;
    from.file(DirectionWord::Out, "a file to be acknowledged", CARRIED, |file| done(file.status)).await?;
    Ok(())
}

/// Two ends and a middle that routes between them, over two wires.
pub(crate) struct World {
    pub(crate) middle: Place,
    pub(crate) ends: [Place; 2],
}

impl World {
    pub(crate) async fn build() -> Result<Self, Failed> {
        let (middle, ends) =
            (Place::new("middle").await?, [Place::new("ada").await?, Place::new("ben").await?]);
        middle.route().await?;
        for (number, end) in ends.iter().enumerate() {
            let [above, below] = [1, 2].map(|host| format!("10.0.{number}.{host}"));
            wire((&middle, &format!("{above}/24")), (end, &format!("{below}/24"))).await?;
            end.ip(&format!("route add default via {above}")).await?;
            impair(&middle, end, ROUND_TRIP, LOSS).await?;
        }
        Ok(Self { middle, ends })
    }

    /// Packets that were lost so far.
    pub(crate) async fn lost(&self) -> Result<u64, Failed> {
        let mut lost = 0;
        for end in &self.ends {
            lost += end.lost(&self.middle).await? + self.middle.lost(end).await?;
        }
        Ok(lost)
    }
}
