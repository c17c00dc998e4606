//! A message far longer than a frame.

use std::sync::Arc;

use hopline::api::schema::StatusWord;
use hw_tests::node::Node;
use hw_tests::stage::Stage;
use libtest_mimic::Failed;
use tokio::time::Instant;

use crate::words::{public, random_text, same};

/// Letters of the text. Random base64 deflates to three quarters, so that about 24 KiB are on the air.
const LETTERS: usize = 32 * 1024;
const FRAGMENTS: u16 = 50;

pub(crate) async fn run(stage: Arc<Stage>) -> Result<(), Failed> {
    let ada = stage.start("ada", &[stage.adapter(0)?]).await?;
    let ben = stage.start_dialling("ben", stage.adapter(1)?, &ada).await?;
    let (written, notified) = (random_text(1, LETTERS), random_text(2, LETTERS));
    crosses(&ben, &ada, &written, "written by the central").await?;
    crosses(&ada, &ben, &notified, "notified by the peripheral").await?;
    public(&ben, &ada, 7, "that was all from ben").await?;
    public(&ada, &ben, 7, "that was all from ada").await?;
    ada.record.shown_once(&[&written])?;
    ben.record.shown_once(&[&notified])
}

async fn crosses(from: &Node, to: &Node, text: &str, how: &str) -> Result<(), Failed> {
    let since = Instant::now();
    let id = from.send("everyone", text).await?;
    let shown = to.shows_public(text).await?;
    same("id", shown.id, id)?;
    same("sender", shown.sender, from.id)?;
    from.learns(id, StatusWord::Sent).await?;
    let took = since.elapsed();
    println!("{} letters {how}: {} fragments joined, {took:.1?}", text.len(), shown.fragments);
    if shown.fragments < FRAGMENTS {
        return Err(format!("{} fragments joined, at least {FRAGMENTS} expected", shown.fragments).into());
    }
    Ok(())
}
