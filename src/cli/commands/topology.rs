//! `hopline topology`: who hears whom.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::survey::{NodeReport, TopologyReport};
use crate::ids::PeerId;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::words::printable;

use super::trace::title;

/// What `topology` is told.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Write it for Graphviz: `hopline topology --dot | dot -Tsvg`
    #[arg(long)]
    dot: bool,
}

pub(in crate::cli) async fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    let report = context.client()?.topology().await?;
    if arguments.dot {
        return context.out.line(dot(&report));
    }
    context.out.say(&report, text(&report))
}

/// This node, and below every node whoever is reached over it first; then the edges that are not in this tree.
pub(super) fn text(report: &TopologyReport) -> String {
    let nodes: BTreeMap<PeerId, &NodeReport> = report.nodes.iter().map(|node| (node.peer, node)).collect();
    let name = |peer: PeerId| nodes.get(&peer).map_or_else(|| peer.to_string(), |node| title(node));
    let below = children(report);
    let mut lines = vec![format!("{}  {}  this node", name(report.me), report.me)];
    let mut in_tree = BTreeSet::new();
    let mut stack: Vec<(PeerId, PeerId, String, bool)> = Vec::new();
    push_children(&mut stack, report.me, "", &below);
    while let Some((parent, peer, indent, last)) = stack.pop() {
        in_tree.insert((parent.min(peer), parent.max(peer)));
        let branch = if last { "└─ " } else { "├─ " };
        lines.push(format!("{indent}{branch}{}  {peer}", name(peer)));
        push_children(&mut stack, peer, &format!("{indent}{}", if last { "   " } else { "│  " }), &below);
    }
    if stack.is_empty() && in_tree.is_empty() {
        lines.push("no neighbour confirms a link yet; announces come every 15 to 20 s".to_owned());
    }
    for (confirmed, heading) in [(true, "these hear each other, too:"), (false, "only one of these says so:")]
    {
        let others = report.edges.iter().filter(|edge| edge.confirmed == confirmed);
        let others = others.filter(|edge| !in_tree.contains(&(edge.a, edge.b)));
        let others: Vec<String> =
            others.map(|edge| format!("  {} - {}", name(edge.a), name(edge.b))).collect();
        if !others.is_empty() {
            lines.push(heading.to_owned());
            lines.extend(others);
        }
    }
    lines.join("\n")
}

/// Below each node those that are one hop farther, each once.
fn children(report: &TopologyReport) -> BTreeMap<PeerId, Vec<PeerId>> {
    let hops: BTreeMap<PeerId, usize> =
        report.nodes.iter().filter_map(|node| Some((node.peer, node.hops?))).collect();
    let mut placed = BTreeSet::new();
    let mut below: BTreeMap<PeerId, Vec<PeerId>> = BTreeMap::new();
    for edge in report.edges.iter().filter(|edge| edge.confirmed) {
        let (Some(a), Some(b)) = (hops.get(&edge.a), hops.get(&edge.b)) else { continue };
        let (upper, lower) = if a < b { (edge.a, edge.b) } else { (edge.b, edge.a) };
        if a != b && placed.insert(lower) {
            below.entry(upper).or_default().push(lower);
        }
    }
    below
}

fn push_children(
    stack: &mut Vec<(PeerId, PeerId, String, bool)>,
    parent: PeerId,
    indent: &str,
    below: &BTreeMap<PeerId, Vec<PeerId>>,
) {
    let peers = below.get(&parent).map(Vec::as_slice).unwrap_or_default();
    // What is pushed last is shown first.
    for (position, &peer) in peers.iter().rev().enumerate() {
        stack.push((parent, peer, indent.to_owned(), position == 0));
    }
}

/// The same for Graphviz; what one end alone says is dashed.
fn dot(report: &TopologyReport) -> String {
    let nodes = report.nodes.iter().map(|node| {
        let label = printable(&node.nickname).replace(['\\', '"'], "'");
        let own = if node.peer == report.me { ", peripheries=2" } else { "" };
        format!("  \"{0}\" [label=\"{label}\\n{0}\"{own}];", node.peer)
    });
    let edges = report.edges.iter().map(|edge| {
        let style = if edge.confirmed { "" } else { " [style=dashed]" };
        format!("  \"{}\" -- \"{}\"{style};", edge.a, edge.b)
    });
    let lines: Vec<String> = nodes.chain(edges).collect();
    format!("graph mesh {{\n{}\n}}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::survey::EdgeReport;

    fn peer(n: u8) -> PeerId {
        PeerId([n; 8])
    }

    fn report() -> TopologyReport {
        let node =
            |n: u8, nickname: &str, hops| NodeReport { peer: peer(n), nickname: nickname.to_owned(), hops };
        let edge = |a: u8, b: u8, confirmed| EdgeReport { a: peer(a), b: peer(b), confirmed };
        TopologyReport {
            me: peer(1),
            nodes: vec![
                node(1, "ada", Some(0)),
                node(2, "ben", Some(1)),
                node(3, "cy\"\u{1b}", Some(1)),
                node(4, "dora", Some(2)),
                node(5, "", None),
            ],
            edges: vec![
                edge(1, 2, true),
                edge(1, 3, true),
                edge(2, 3, true),
                edge(2, 4, true),
                edge(4, 5, false),
            ],
        }
    }

    #[test]
    fn people_see_a_tree_and_what_is_beside_it() {
        let expected = "\
ada  0101010101010101  this node
├─ ben  0202020202020202
│  └─ dora  0404040404040404
└─ cy\"\u{fffd}  0303030303030303
these hear each other, too:
  ben - cy\"\u{fffd}
only one of these says so:
  dora - 0505050505050505";
        assert_eq!(text(&report()), expected);
    }

    #[test]
    fn alone_it_says_what_to_expect() {
        let nodes = vec![NodeReport { peer: peer(1), nickname: "ada".to_owned(), hops: Some(0) }];
        let alone = TopologyReport { me: peer(1), nodes, edges: Vec::new() };
        assert!(text(&alone).ends_with("announces come every 15 to 20 s"));
    }

    #[test]
    fn a_name_cannot_break_out_of_the_graph() {
        let dot = dot(&report());
        assert!(dot.contains("\"0303030303030303\" [label=\"cy'\u{fffd}\\n0303030303030303\"];"), "{dot}");
        assert!(dot.contains("\"0404040404040404\" -- \"0505050505050505\" [style=dashed];"));
        assert!(dot.starts_with("graph mesh {\n") && dot.ends_with("\n}"));
    }
}
