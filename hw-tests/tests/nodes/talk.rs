//! Announce, public message, private message, receipts.

use std::sync::Arc;

use hopline::api::schema::RoleWord;
use hw_tests::node::Node;
use hw_tests::stage::Stage;
use libtest_mimic::Failed;

use crate::words::{private, public, same};

pub(crate) async fn run(stage: Arc<Stage>) -> Result<(), Failed> {
    let ada = stage.start("ada", &[stage.adapter(0)?]).await?;
    let mut ben = stage.start_dialling("ben", stage.adapter(1)?, &ada).await?;
    public(&ada, &ben, 7, "ada to everyone").await?;
    public(&ben, &ada, 7, "ben to everyone").await?;

    strangers(&ben, &ada).await?;
    same("ben's role", ben.roles_towards(&ada).await?, vec![RoleWord::Central])?;
    private(&ben, &ada, 7, "ben, the central, begins").await?;
    private(&ada, &ben, 7, "ada answers").await?;
    public(&ada, &ben, 7, "ada's last to ben").await?;
    ben.record.shown_once(&["ada to everyone", "ada answers", "ada's last to ben"])?;

    let took = ben.end().await?;
    ada.hears_goodbye_of(&ben).await?;
    println!("ben ended {took:.1?} after SIGTERM, and ada heard his goodbye");

    let cyd = stage.start_dialling("cyd", stage.adapter(1)?, &ada).await?;
    strangers(&ada, &cyd).await?;
    same("ada's role", ada.roles_towards(&cyd).await?, vec![RoleWord::Peripheral])?;
    private(&ada, &cyd, 7, "ada, the peripheral, begins").await?;
    private(&cyd, &ada, 7, "cyd answers").await?;
    public(&cyd, &ada, 7, "cyd's last").await?;
    public(&ada, &cyd, 7, "ada's last").await?;
    cyd.record.shown_once(&["ada, the peripheral, begins", "ada's last"])?;
    ada.record.shown_once(&["ben to everyone", "ben, the central, begins", "cyd answers", "cyd's last"])
}

/// No session stands between the two: whoever speaks first begins the handshake.
async fn strangers(one: &Node, other: &Node) -> Result<(), Failed> {
    let sessions = (one.has_session_with(other).await?, other.has_session_with(one).await?);
    same("sessions before the first private message", sessions, (false, false))
}
