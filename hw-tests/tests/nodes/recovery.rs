//! Links come back by themselves, and nothing is shown twice for it.

use std::sync::Arc;
use std::time::Duration;

use hopline::api::schema::{ReachWord, StatusWord};
use hw_tests::node::Node;
use hw_tests::radio;
use hw_tests::record::Mark;
use hw_tests::stage::Stage;
use libtest_mimic::Failed;
use tokio::time::Instant;

use crate::words::{private, public};

/// How long a link may take to return, counted from the moment its hindrance is gone.
const RETURN: Duration = Duration::from_secs(30);
/// Said before, while there is no link, and after.
const BEFORE: &str = "ada to ben, before";
const MEANWHILE: &str = "ada to ben, meanwhile";
const AFTER: &str = "ada to ben, after";

pub(crate) async fn killed_node(stage: Arc<Stage>) -> Result<(), Failed> {
    let (ada, mut ben) = talking(&stage).await?;
    ben.kill().await?;
    let marks = (ada.record.mark(), ben.record.mark());
    let id = ada.send("ben", MEANWHILE).await?;
    let since = Instant::now();
    ben.restart().await?;
    returned(&ada, &ben, marks, since, "the killed node was started again").await?;
    ada.learns(id, StatusWord::Delivered).await?;
    goes_on(&ada, &ben).await
}

pub(crate) async fn restarted_bluetoothd(stage: Arc<Stage>) -> Result<(), Failed> {
    let (ada, ben) = talking(&stage).await?;
    let before = (ada.record.mark(), ben.record.mark());
    radio::restart_bluetoothd().await?;
    let since = Instant::now();
    let id = ada.send("ben", MEANWHILE).await?;
    let marks = (ada.loses_a_link(before.0).await?, ben.loses_a_link(before.1).await?);
    returned(&ada, &ben, marks, since, "bluetoothd was on the bus again").await?;
    ada.learns(id, StatusWord::Delivered).await?;
    goes_on(&ada, &ben).await
}

pub(crate) async fn adapter_off_and_on(stage: Arc<Stage>) -> Result<(), Failed> {
    let (ada, ben) = talking(&stage).await?;
    let before = (ada.record.mark(), ben.record.mark());
    radio::power(ben.adapter(), false).await?;
    let marks = (ada.loses_a_link(before.0).await?, ben.loses_a_link(before.1).await?);
    let id = ada.send("ben", MEANWHILE).await?;
    radio::power(ben.adapter(), true).await?;
    let since = Instant::now();
    returned(&ada, &ben, marks, since, "the adapter was switched on again").await?;
    ada.learns(id, StatusWord::Delivered).await?;
    goes_on(&ada, &ben).await
}

/// Two nodes with a link and a session between them.
async fn talking(stage: &Stage) -> Result<(Node, Node), Failed> {
    let ada = stage.start("ada", &[stage.adapter(0)?]).await?;
    let ben = stage.start_dialling("ben", stage.adapter(1)?, &ada).await?;
    private(&ada, &ben, 7, BEFORE).await?;
    Ok((ada, ben))
}

/// Waits until both know that a link leads to the other, and fails if that took too long.
async fn returned(
    ada: &Node,
    ben: &Node,
    since_marks: (Mark, Mark),
    since: Instant,
    what: &str,
) -> Result<(), Failed> {
    let at_ada = ada.meets(ben, ReachWord::Direct, since_marks.0).await?;
    let at_ben = ben.meets(ada, ReachWord::Direct, since_marks.1).await?;
    let took = at_ada.max(at_ben).saturating_duration_since(since);
    println!("the link was back {:.1} s after {what}", took.as_secs_f32());
    if took > RETURN {
        return Err(format!("the link took {took:.1?} to return").into());
    }
    Ok(())
}

/// Both still talk in both ways, and all that was ever said was shown once.
async fn goes_on(ada: &Node, ben: &Node) -> Result<(), Failed> {
    private(ada, ben, 7, AFTER).await?;
    private(ben, ada, 7, "ben to ada, after").await?;
    public(ada, ben, 7, "ada's last").await?;
    public(ben, ada, 7, "ben's last").await?;
    ben.record.shown_once(&[BEFORE, MEANWHILE, AFTER, "ada's last"])?;
    ada.record.shown_once(&["ben to ada, after", "ben's last"])
}
