//! Five nodes in a line, one adapter each, and a foreign client at its end.

use std::sync::Arc;

use hopline::api::files::DirectionWord;
use hopline::api::schema::{EventReport, ReachWord};
use hw_tests::foreign::Foreign;
use hw_tests::node::Node;
use hw_tests::record::{Mark, PATIENCE};
use hw_tests::stage::Stage;
use libtest_mimic::Failed;
use tokio::time::Instant;

use crate::lossy::carries;
use crate::words::{private, public, random_text, same};

/// Bytes of the file that goes from one end to the other.
const FILE: usize = 100_000;
/// The nodes in their order.
const NAMES: [&str; 5] = ["ada", "ben", "cleo", "dan", "eve"];

pub(crate) async fn run(stage: Arc<Stage>) -> Result<(), Failed> {
    let nodes = in_a_line(&stage).await?;
    let [ada, .., eve] = nodes.as_slice() else { return Err("no line".into()) };
    ada.meets(eve, ReachWord::Mesh, Mark::START).await?;
    eve.meets(ada, ReachWord::Mesh, Mark::START).await?;
    for (place, node) in nodes.iter().enumerate() {
        for (other_place, other) in nodes.iter().enumerate().filter(|(at, _)| place.abs_diff(*at) > 1) {
            let links = node.links_to(other).await?.len();
            same(&format!("links between places {place} and {other_place}"), links, 0)?;
        }
    }

    public(ada, eve, 4, "ada to everyone").await?;
    private(ada, eve, 4, "ada to eve alone").await?;
    private(eve, ada, 4, "eve to ada alone").await?;
    for between in &nodes[1..4] {
        same(
            "private messages a node between could read",
            between.record.shown("ada to eve alone").len(),
            0,
        )?;
    }

    let since = Instant::now();
    let content = [b"%PDF-1.4\n", random_text(5, FILE - 9).as_bytes()].concat();
    if let Err(failed) = carries(ada, eve, &stage.path("plan.pdf"), &content).await {
        for node in &nodes {
            println!("{}: {:?}", node.name(), node.status().await?.counters);
        }
        return Err(failed);
    }
    let arrived = since.elapsed();
    let whole = |event: &EventReport| {
        let EventReport::File(file) = event else { return None };
        (file.direction == DirectionWord::Out && file.done == file.size).then_some(())
    };
    let left = ada.record.find(Mark::START, "all pieces to leave", PATIENCE, whole).await?.at;
    println!("{FILE} bytes left in {:?} and arrived in {arrived:?} (emulated)", left.duration_since(since));

    // Next to eve, out of range of everybody else.
    let mut fay = Foreign::start("fay", stage.adapter(5)?, stage.log("fay")).await?;
    fay.tells("announce", &[("peer", &eve.id.to_string())]).await?;
    fay.order("public fay to everyone").await?;
    same("sender", ada.shows_public("fay to everyone").await?.sender.to_string(), fay.id.clone())?;
    ada.send("everyone", "ada once more").await?;
    fay.tells("public", &[("text", "ada once more")]).await?;
    eve.record.shown_once(&["ada to everyone", "ada to eve alone", "fay to everyone", "ada once more"])
}

/// Each dials the one before it.
async fn in_a_line(stage: &Stage) -> Result<Vec<Node>, Failed> {
    let mut nodes: Vec<Node> = Vec::new();
    for (place, name) in NAMES.into_iter().enumerate() {
        let adapter = stage.adapter(place)?;
        let node = match nodes.last() {
            Some(before) => stage.start_dialling(name, adapter, before).await?,
            None => stage.start(name, &[adapter]).await?,
        };
        nodes.push(node);
    }
    Ok(nodes)
}
