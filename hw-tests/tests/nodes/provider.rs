//! A relay that keeps the mail of two people, on a network that loses packets and takes its time.

use std::sync::Arc;

use hopline::api::files::{DirectionWord, FileWord};
use hopline::api::schema::StatusWord;
use hw_tests::node::Node;
use hw_tests::stage::{Means, Stage};
use libtest_mimic::Failed;
use tokio::time::Instant;

use crate::lossy::{CARRIED, World, says};
use crate::words::{random_text, same};

/// Where the relay listens.
const RELAY: &str = "192.0.2.1:443";
/// The file's bytes.
const SIZE: usize = 10 << 20;
/// What is written while there is no relay.
const MEANWHILE: &str = "ada to ben, meanwhile";

/// Messages both ways, and a file in whose middle the relay is killed, and started again.
pub(crate) async fn killed_and_restarted(stage: Arc<Stage>) -> Result<(), Failed> {
    let world = World::build().await?;
    world.middle.ip("address add 192.0.2.1/32 dev lo").await?;
    let mut relay = stage.start_relay("relay", &world.middle, RELAY.parse()?).await?;
    let config = format!(
        "[bitchat]\nenabled = false\n\n[direct]\nenabled = false\n\n[files]\naccept = \"contacts\"\n\n{}",
        relay.config()
    );
    let mut nodes = Vec::new();
    for (name, place) in ["ada", "ben"].into_iter().zip(&world.ends) {
        nodes.push(
            stage.start_as(name, Means { place: Some(place), config: &config, ..Means::default() }).await?,
        );
    }
    let [ada, ben] = <[Node; 2]>::try_from(nodes).map_err(|_| "two daemons were started")?;
    ada.adds(&ben).await?;
    ben.adds(&ada).await?;
    says(&ada, &ben, 1, "betanet").await?;
    says(&ben, &ada, 2, "betanet").await?;

    let (file, content) = (stage.path("holiday.zip"), random_text(3, SIZE));
    std::fs::write(&file, &content)?;
    let since = Instant::now();
    ada.send_file(&ben, &file).await?;
    let third = |done: u64, size: u64| done > size / 3;
    let cut =
        ben.file(DirectionWord::In, "a third of it", CARRIED, |file| third(file.done, file.size)).await?;
    relay.kill().await?;
    println!("the relay is killed when {} of {} bytes have arrived", cut.done, cut.size);
    let id = ada.send("ben", MEANWHILE).await?;
    relay.restart().await?;
    same("text", ben.shows_private(MEANWHILE).await?.id, id)?;
    ada.learns(id, StatusWord::Delivered).await?;

    let done = |status| status == FileWord::Done;
    let received = ben.file(DirectionWord::In, "the file", CARRIED, |file| done(file.status)).await?;
    let arrived = std::fs::read(received.path.ok_or("a file that is nowhere")?)?;
    same("the file arrived as it was sent", arrived == content.as_bytes(), true)?;
    ada.file(DirectionWord::Out, "its end", CARRIED, |file| done(file.status)).await?;
    println!(
        "{SIZE} bytes in {:.1} s (emulated), {} packets lost",
        since.elapsed().as_secs_f32(),
        world.lost().await?
    );
    says(&ada, &ben, 4, "betanet").await?;
    says(&ben, &ada, 5, "betanet").await?;
    ben.record.shown_once(&[MEANWHILE, &random_text(1, 2000), &random_text(4, 2000)])?;
    ada.record.shown_once(&[&random_text(2, 2000), &random_text(5, 2000)])
}
