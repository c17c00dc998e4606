//! `hopline peers`: who has been heard.

use crate::api::schema::Peer;
use crate::clock::wall_clock;
use crate::time::UnixMillis;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::names::shown;
use crate::cli::words::{Place, reach, span, table};

pub(in crate::cli) async fn run(context: &Context, place: Place) -> Result<(), CliError> {
    let list = context.client()?.peers().await?;
    if context.out.is_json() {
        return context.out.object(&list);
    }
    if list.peers.is_empty() {
        return context.out.line(match place {
            Place::Shell => "nobody yet: `hopline watch` shows when somebody comes",
            Place::Chat => "nobody yet: it is told here when somebody comes",
        });
    }
    let header = ["NAME", "PEER", "REACH", "SESSION", "TRUST", "HEARD"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> =
        std::iter::once(header).chain(list.peers.iter().map(|peer| row(peer, &list.peers))).collect();
    context.out.line(table(&rows))
}

fn row(peer: &Peer, all: &[Peer]) -> Vec<String> {
    let others = all.iter().map(|other| (other.id, other.nickname.as_str()));
    let ago = wall_clock().abs_diff(UnixMillis(peer.last_seen_ms));
    vec![
        shown(peer.id, &peer.nickname, others),
        peer.id.to_string(),
        reach(peer),
        if peer.session { "encrypted" } else { "none yet" }.to_owned(),
        trust(peer),
        format!("{} ago", span(ago)),
    ]
}

/// How far a peer is trusted, and who favours whom.
fn trust(peer: &Peer) -> String {
    if peer.blocked {
        return "blocked".to_owned();
    }
    let level = if peer.trust == "mutual" { "proven" } else { &peer.trust };
    let favour = match (peer.favourite, peer.favours_us) {
        (true, true) => ", mutual favourite",
        (true, false) => ", favourite",
        (false, true) => ", favours you",
        (false, false) => "",
    };
    format!("{level}{favour}")
}
