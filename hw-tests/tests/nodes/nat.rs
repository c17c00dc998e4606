//! Two homes, each behind a NAT of its own, and a relay in a public place.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hopline::api::schema::{ConnectionReport, PathWord, StatusWord};
use hw_tests::iroh_relay::IrohRelay;
use hw_tests::network::{Place, wire};
use hw_tests::node::Node;
use hw_tests::stage::{Means, Stage};
use libtest_mimic::Failed;

use crate::words::{random_text, same};

/// Where the relay listens, whichever side it is seen from.
const RELAY: &str = "192.0.2.1:3340";
/// The public address of each NAT; the one below it is the relay's end of the wire.
const PUBLIC: [Ipv4Addr; 2] = [Ipv4Addr::new(198, 51, 100, 2), Ipv4Addr::new(203, 0, 113, 2)];
/// The port the daemons open at home.
const PORT: u16 = 4433;
/// Messages each way, and their letters.
const MESSAGES: u64 = 5;
const LETTERS: usize = 2000;
/// How long a straight path is waited for where one may come about.
const PUNCHING: Duration = Duration::from_secs(20);

/// The NAT takes another port for every destination: whatever address a peer is told, it is not the one that
/// would work, so no path but the relay's can come about.
pub(crate) async fn symmetric(stage: Arc<Stage>) -> Result<(), Failed> {
    let world = World::build("masquerade fully-random").await?;
    let (ada, ben, _relay) = world.people(&stage).await?;
    talk(&ada, &ben, 0..MESSAGES).await?;
    for (one, other) in [(&ada, &ben), (&ben, &ada)] {
        relayed(one, other).await?;
    }
    // What could have been tried has been tried by then.
    talk(&ada, &ben, MESSAGES..2 * MESSAGES).await?;
    for (one, other) in [(&ada, &ben), (&ben, &ada)] {
        relayed(one, other).await?;
    }
    for (home, node) in world.homes.iter().zip([&ada, &ben]) {
        same("packets that came straight to a home", home.counted("seen", "straight").await?, 0)?;
        let said = node.tells(&["status"]).await?;
        let line = said.lines().find(|line| line.contains("relayed by")).ok_or(said.clone())?;
        println!("{}: {}", node.name(), line.trim());
    }
    Ok(())
}

/// The NAT keeps the port where it can, and lets in what was written to before: a straight path may come about.
pub(crate) async fn port_keeping(stage: Arc<Stage>) -> Result<(), Failed> {
    let world = World::build("masquerade").await?;
    let (ada, ben, _relay) = world.people(&stage).await?;
    talk(&ada, &ben, 0..1).await?;
    println!("after the first message: {}", describe(ada.connection_to(&ben).await?.as_ref()));
    talk(&ada, &ben, 1..MESSAGES).await?;
    for ((home, one), other) in world.homes.iter().zip([&ada, &ben]).zip([&ben, &ada]) {
        let connection = one.connection_becomes(other, PathWord::Straight, PUNCHING).await?;
        let straight = home.counted("seen", "straight").await?;
        println!("{}: {}; {straight} packets came straight", one.name(), describe(connection.as_ref()));
    }
    talk(&ada, &ben, MESSAGES..2 * MESSAGES).await
}

/// Fails unless a node says that its connection to another one goes through the relay.
async fn relayed(node: &Node, other: &Node) -> Result<(), Failed> {
    let connection = node.connection_to(other).await?.ok_or("not connected")?;
    same("path", connection.path, PathWord::Relayed)?;
    same("relay", connection.through, Some(format!("http://{RELAY}/")))
}

fn describe(connection: Option<&ConnectionReport>) -> String {
    let Some(ConnectionReport { path, through, .. }) = connection else { return "not connected".to_owned() };
    format!("{path:?}, {}", through.as_deref().unwrap_or("unknown"))
}

/// Each writes to the other, who shows it word for word; the receipts come back.
async fn talk(ada: &Node, ben: &Node, seeds: std::ops::Range<u64>) -> Result<(), Failed> {
    let mut texts = [Vec::new(), Vec::new()];
    for seed in seeds {
        for (way, (from, to)) in [(ada, ben), (ben, ada)].into_iter().enumerate() {
            let text = random_text(seed * 2 + way as u64, LETTERS);
            let id = from.send(to.name(), &text).await?;
            let shown = to.shows_private(&text).await?;
            same("id", shown.id, id)?;
            same("sender", shown.sender, from.id)?;
            same("transport", shown.via.as_str(), "direct")?;
            from.learns(id, StatusWord::Delivered).await?;
            texts[way].push(text);
        }
    }
    for (texts, to) in texts.iter().zip([ben, ada]) {
        to.record.shown_once(&texts.iter().map(String::as_str).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// A home, its gateway, the relay in the middle, the other gateway, the other home.
struct World {
    relay: Place,
    /// They live as long as the test.
    _gateways: [Place; 2],
    homes: [Place; 2],
}

impl World {
    /// Lays it all out; `nat` is what the gateways do with packets that leave.
    async fn build(nat: &str) -> Result<Self, Failed> {
        let relay = Place::new("relay").await?;
        relay.route().await?;
        let listens: SocketAddr = RELAY.parse()?;
        relay.ip(&format!("address add {}/32 dev lo", listens.ip())).await?;
        let gateways = [Place::new("gate-a").await?, Place::new("gate-b").await?];
        let homes = [Place::new("home-a").await?, Place::new("home-b").await?];
        for (number, (gateway, home)) in gateways.iter().zip(&homes).enumerate() {
            let (public, other) = (PUBLIC[number], PUBLIC[1 - number]);
            let above = Ipv4Addr::from(u32::from(public) - 1);
            wire((&relay, &format!("{above}/30")), (gateway, &format!("{public}/30"))).await?;
            wire((gateway, &format!("10.0.{number}.1/24")), (home, &format!("10.0.{number}.2/24"))).await?;
            gateway.route().await?;
            gateway.ip(&format!("route add default via {above}")).await?;
            gateway.nft(&gateway_rules(&relay.device(), nat)).await?;
            home.ip(&format!("route add default via 10.0.{number}.1")).await?;
            home.nft(&home_rules(other)).await?;
        }
        Ok(Self { relay, _gateways: gateways, homes })
    }

    /// Starts the relay and a daemon in each home, and gives each daemon the other's card.
    async fn people(&self, stage: &Stage) -> Result<(Node, Node, IrohRelay), Failed> {
        let relay = IrohRelay::start(&self.relay, RELAY.parse()?, &stage.log("relay")).await?;
        let mut nodes = Vec::new();
        for ((name, home), public) in ["ada", "ben"].into_iter().zip(&self.homes).zip(PUBLIC) {
            let config = format!(
                "[bitchat]\nenabled = false\n\n[direct]\nbind = [\"0.0.0.0:{PORT}\"]\n\
                 advertise = [\"{public}:{PORT}\"]\nrelays = [\"{}\"]\n",
                relay.url
            );
            let means = Means { place: Some(home), config: &config, ..Means::default() };
            nodes.push(stage.start_as(name, means).await?);
        }
        let [ada, ben] = <[Node; 2]>::try_from(nodes).map_err(|_| "two daemons were started")?;
        ada.adds(&ben).await?;
        ben.adds(&ada).await?;
        Ok((ada, ben, relay))
    }
}

/// Nothing comes in that was not asked for, and no answer says so; what goes out bears the public address.
fn gateway_rules(outside: &str, nat: &str) -> String {
    format!(
        "table ip nat {{
            chain out {{
                type nat hook postrouting priority 100;
                oifname \"{outside}\" {nat}
            }}
        }}
        table inet guard {{
            chain input {{
                type filter hook input priority 0;
                iifname \"{outside}\" ct state new drop
            }}
            chain forward {{
                type filter hook forward priority 0; policy drop;
                ct state established,related accept
                iifname != \"{outside}\" accept
            }}
        }}"
    )
}

/// Counts the packets that come from the other home by no relay.
fn home_rules(other: Ipv4Addr) -> String {
    format!(
        "table inet seen {{
            counter straight {{ }}
            chain input {{
                type filter hook input priority 0;
                ip saddr {other} counter name \"straight\"
            }}
        }}"
    )
}
