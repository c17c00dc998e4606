//! A BitChat client that others wrote.

use std::sync::Arc;

use hopline::api::schema::StatusWord;
use hw_tests::foreign::{Foreign, text};
use hw_tests::node::Node;
use hw_tests::record::{Mark, PATIENCE};
use hw_tests::stage::Stage;
use libtest_mimic::Failed;

use crate::words::same;

pub(crate) async fn run(stage: Arc<Stage>) -> Result<(), Failed> {
    let ada = seen_whole(&stage).await?;
    let mut fay = Foreign::start("fay", stage.adapter(1)?, stage.log("fay")).await?;
    announces(&ada, &fay).await?;

    fay.order("public fay to everyone").await?;
    same("sender", ada.shows_public("fay to everyone").await?.sender.to_string(), fay.id.clone())?;
    ada.send("everyone", "ada to everyone").await?;
    fay.tells("public", &[("text", "ada to everyone")]).await?;

    fay_writes(&ada, &mut fay, "fay to ada alone").await?;
    ada_writes(&ada, &mut fay, "ada to fay alone").await?;

    fay_writes(&ada, &mut fay, "fay's last").await?;
    ada_writes(&ada, &mut fay, "ada's last").await?;
    ada.record.shown_once(&["fay to everyone", "fay to ada alone", "fay's last"])?;
    same("showings", fay.told("public", "ada to everyone"), 1)?;
    same("showings", fay.told("private", "ada to fay alone"), 1)?;
    same("packets the second decoder disputes", fay.disputed().len(), 0)
}

/// A node whose id does not end in a zero byte: the foreign client takes zeros at the end for padding.
async fn seen_whole(stage: &Stage) -> Result<Node, Failed> {
    loop {
        let mut ada = stage.start("ada", &[stage.adapter(0)?]).await?;
        if !ada.id.to_string().ends_with("00") {
            return Ok(ada);
        }
        ada.end().await?;
        std::fs::remove_dir_all(stage.path("ada"))?;
    }
}

/// Each hears who the other is.
async fn announces(ada: &Node, fay: &Foreign) -> Result<(), Failed> {
    let heard = fay.tells("announce", &[("peer", &ada.id.to_string())]).await?;
    same("nickname", text(&heard, "nickname")?.as_str(), "ada")?;
    let fay_is_there = |event: &hopline::api::schema::EventReport| {
        let hopline::api::schema::EventReport::Peer(peer) = event else { return None };
        (peer.id.to_string() == fay.id).then(|| peer.nickname.clone())
    };
    let nickname = ada.record.find(Mark::START, "an announce of fay", PATIENCE, fay_is_there).await?.value;
    same("nickname", nickname.as_str(), "fay")
}

/// A private message of the foreign peer arrives, and both receipts reach it.
async fn fay_writes(ada: &Node, fay: &mut Foreign, words: &str) -> Result<(), Failed> {
    fay.order(&format!("private {} {words}", ada.id)).await?;
    let shown = ada.shows_private(words).await?;
    same("sender", shown.sender.to_string(), fay.id.clone())?;
    let id = text(&fay.tells("private_sent", &[("text", words)]).await?, "id")?;
    fay.tells("delivered", &[("id", &id)]).await?;
    ada.mark_read(&shown).await?;
    fay.tells("read", &[("id", &id)]).await?;
    Ok(())
}

/// A private message of ours arrives at the foreign peer, and both its receipts reach us.
async fn ada_writes(ada: &Node, fay: &mut Foreign, words: &str) -> Result<(), Failed> {
    let id = ada.send("fay", words).await?;
    let heard = fay.tells("private", &[("text", words)]).await?;
    let wire_id = text(&heard, "id")?;
    same("id", wire_id.clone(), id.to_string())?;
    fay.order(&format!("delivered {} {wire_id}", ada.id)).await?;
    ada.learns(id, StatusWord::Delivered).await?;
    fay.order(&format!("read {} {wire_id}", ada.id)).await?;
    ada.learns(id, StatusWord::Read).await?;
    Ok(())
}
