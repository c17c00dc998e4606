//! A node between two others that do not hear each other.

use std::sync::Arc;

use hopline::api::schema::{ReachWord, RoleWord};
use hw_tests::node::Node;
use hw_tests::record::Mark;
use hw_tests::stage::Stage;
use libtest_mimic::Failed;

use crate::words::{private, public, same};

pub(crate) async fn one_adapter(stage: Arc<Stage>) -> Result<(), Failed> {
    let ada = stage.start("ada", &[stage.adapter(0)?]).await?;
    let rae = stage.start_dialling("rae", stage.adapter(1)?, &ada).await?;
    let ben = stage.start_dialling("ben", stage.adapter(2)?, &rae).await?;
    crosses(&ada, &rae, &ben).await?;
    // Either neighbour may have come to hold a second link the other way meanwhile.
    same("rae dialled ada", rae.roles_towards(&ada).await?.contains(&RoleWord::Central), true)?;
    same("ben dialled rae", rae.roles_towards(&ben).await?.contains(&RoleWord::Peripheral), true)?;
    same("rae's adapters", rae.status().await?.adapters.len(), 1)
}

pub(crate) async fn two_adapters(stage: Arc<Stage>) -> Result<(), Failed> {
    let ada = stage.start("ada", &[stage.adapter(0)?]).await?;
    let rae = stage.start("rae", &[stage.adapter(1)?, stage.adapter(2)?]).await?;
    let ben = stage.start("ben", &[stage.adapter(3)?]).await?;
    for end in [&ada, &ben] {
        rae.meets(end, ReachWord::Direct, Mark::START).await?;
        end.meets(&rae, ReachWord::Direct, Mark::START).await?;
    }
    crosses(&ada, &rae, &ben).await?;
    for (end, adapter) in [(&ada, "0."), (&ben, "1.")] {
        let links = rae.links_to(end).await?;
        if links.is_empty() || !links.iter().all(|link| link.link.starts_with(adapter)) {
            return Err(
                format!("rae's links to {} are not on adapter {adapter} {links:?}", end.name()).into()
            );
        }
    }
    Ok(())
}

/// What the ends say to each other passes the relay, one TTL less, and nobody shows anything twice.
async fn crosses(ada: &Node, rae: &Node, ben: &Node) -> Result<(), Failed> {
    ada.meets(ben, ReachWord::Mesh, Mark::START).await?;
    ben.meets(ada, ReachWord::Mesh, Mark::START).await?;
    same("links between the ends", ada.links_to(ben).await?.len(), 0)?;

    public(ada, ben, 6, "ada to everyone").await?;
    public(ben, ada, 6, "ben to everyone").await?;
    same("TTL at the relay", rae.shows_public("ada to everyone").await?.ttl, 7)?;
    private(ada, ben, 6, "ada to ben alone").await?;
    private(ben, ada, 6, "ben to ada alone").await?;
    public(ada, ben, 6, "ada's last").await?;
    public(ben, ada, 6, "ben's last").await?;
    rae.shows_public("ada's last").await?;
    rae.shows_public("ben's last").await?;

    ben.record.shown_once(&["ada to everyone", "ada to ben alone", "ada's last"])?;
    ada.record.shown_once(&["ben to everyone", "ben to ada alone", "ben's last"])?;
    rae.record.shown_once(&["ada to everyone", "ben to everyone", "ada's last", "ben's last"])?;
    for text in ["ada to ben alone", "ben to ada alone"] {
        same("private messages the relay could read", rae.record.shown(text).len(), 0)?;
    }
    let relayed = rae.status().await?.counters.mesh.relayed;
    println!("rae relayed {relayed} packets");
    Ok(())
}
