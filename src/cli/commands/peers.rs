//! `hopline peers`: who has been heard.

use crate::api::schema::Peer;
use crate::clock::wall_clock;
use crate::time::UnixMillis;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::words::{printable, reach, span, table};

pub(in crate::cli) async fn run(context: &Context) -> Result<(), CliError> {
    let list = context.client()?.peers().await?;
    if context.out.is_json() {
        return context.out.object(&list);
    }
    if list.peers.is_empty() {
        return context.out.line("nobody yet: `hopline watch` shows when somebody comes");
    }
    let header = ["NAME", "PEER", "REACH", "SESSION", "HEARD"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(list.peers.iter().map(row)).collect();
    context.out.line(table(&rows))
}

fn row(peer: &Peer) -> Vec<String> {
    let ago = wall_clock().abs_diff(UnixMillis(peer.last_seen_ms));
    vec![
        printable(&peer.nickname),
        peer.id.to_string(),
        reach(peer),
        if peer.session { "encrypted" } else { "none yet" }.to_owned(),
        format!("{} ago", span(ago)),
    ]
}
