//! Announce, public message, private message, receipts.

use std::sync::Arc;

use hopline::api::schema::RoleWord;
use hw_tests::node::Node;
use hw_tests::stage::Stage;
use libtest_mimic::Failed;

use crate::words::{private, public, same};

pub(crate) async fn run(stage: Arc<Stage>) -> Result<(), Failed> {
    the_central_begins(&stage).await?;
    the_peripheral_begins(&stage).await
}

async fn the_central_begins(stage: &Stage) -> Result<(), Failed> {
    let mut ada = stage.start("ada", &[stage.adapter(0)?]).await?;
    let mut ben = stage.start_dialling("ben", stage.adapter(1)?, &ada).await?;
    public(&ada, &ben, 7, "ada to everyone").await?;
    public(&ben, &ada, 7, "ben to everyone").await?;

    strangers(&ben, &ada).await?;
    private(&ben, &ada, 7, "ben, the central, begins").await?;
    private(&ada, &ben, 7, "ada answers").await?;
    public(&ada, &ben, 7, "ada's last").await?;
    public(&ben, &ada, 7, "ben's last").await?;
    same("ben's role", ben.roles_towards(&ada).await?, vec![RoleWord::Central])?;
    ben.record.shown_once(&["ada to everyone", "ada answers", "ada's last"])?;
    ada.record.shown_once(&["ben to everyone", "ben, the central, begins", "ben's last"])?;

    let took = ben.end().await?;
    ada.hears_goodbye_of(&ben).await?;
    println!("ben ended {took:.1?} after SIGTERM, and ada heard his goodbye");
    ada.end().await?;
    Ok(())
}

/// The other way round, also between the adapters.
async fn the_peripheral_begins(stage: &Stage) -> Result<(), Failed> {
    let cyd = stage.start("cyd", &[stage.adapter(1)?]).await?;
    let dan = stage.start_dialling("dan", stage.adapter(0)?, &cyd).await?;
    strangers(&cyd, &dan).await?;
    private(&cyd, &dan, 7, "cyd, the peripheral, begins").await?;
    private(&dan, &cyd, 7, "dan answers").await?;
    public(&cyd, &dan, 7, "cyd's last").await?;
    public(&dan, &cyd, 7, "dan's last").await?;
    same("cyd's role", cyd.roles_towards(&dan).await?, vec![RoleWord::Peripheral])?;
    dan.record.shown_once(&["cyd, the peripheral, begins", "cyd's last"])?;
    cyd.record.shown_once(&["dan answers", "dan's last"])
}

/// No session stands between the two: whoever speaks first begins the handshake.
async fn strangers(one: &Node, other: &Node) -> Result<(), Failed> {
    let sessions = (one.has_session_with(other).await?, other.has_session_with(one).await?);
    same("sessions before the first private message", sessions, (false, false))
}
