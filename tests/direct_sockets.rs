//! Every socket the direct transport opens. A test binary of its own: no other test opens sockets beside it.

#![cfg(all(feature = "node", target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

mod direct;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use direct::Node;
use hopline::transports::direct::Config;

/// The tables of the kernel that list sockets other processes on any machine can talk to.
const NETWORK: [&str; 11] =
    ["tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6", "icmp", "icmp6", "packet"];

/// The inodes of this process's sockets.
fn own_sockets() -> BTreeSet<String> {
    let entries = fs::read_dir("/proc/self/fd").unwrap();
    let targets = entries.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    targets
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect()
}

/// What kind of sockets these are, with their local addresses: `udp 127.0.0.1:4433`.
fn kinds(inodes: &BTreeSet<String>) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    let mut unexplained = inodes.clone();
    for table in NETWORK.iter().chain(&["netlink", "unix"]) {
        let Ok(lines) = fs::read_to_string(format!("/proc/self/net/{table}")) else { continue };
        for line in lines.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let Some(inode) = words.iter().find(|word| unexplained.contains(**word)) else { continue };
            let address = if table.starts_with("udp") || table.starts_with("tcp") { words[1] } else { "" };
            let port = address.rsplit(':').next().and_then(|port| u16::from_str_radix(port, 16).ok());
            let kind = port.map_or_else(|| (*table).to_owned(), |port| format!("{table} {port}"));
            unexplained.remove(*inode);
            *kinds.entry(kind).or_default() += 1;
        }
    }
    assert!(unexplained.is_empty(), "sockets of no known kind: {unexplained:?}");
    kinds
}

/// The sockets that were opened since.
fn since(before: &BTreeSet<String>) -> BTreeMap<String, usize> {
    kinds(&own_sockets().difference(before).cloned().collect())
}

#[tokio::test]
async fn the_sockets_that_are_bound_are_all_there_are() {
    let before = own_sockets();
    let node = Node::start(1, Config::default(), Vec::new()).await;
    let bound = node.handle.bound().await;
    assert!(!bound.is_empty());

    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    for address in &bound {
        let table = if address.is_ipv4() { "udp" } else { "udp6" };
        expected.insert(format!("{table} {}", address.port()), 1);
    }
    // The kernel's own news of interfaces and routes; nobody else can reach it.
    let mut opened = since(&before);
    let netlink = opened.remove("netlink");
    assert_eq!(netlink, Some(1));
    assert_eq!(opened, expected);

    node.transport.stop().await;
    // The last tasks of a connection let go of it when they next run.
    let closed = async {
        while !own_sockets().is_subset(&before) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(direct::PATIENCE, closed).await.expect("no socket is left open");

    let node = Node::start(1, Config { mdns: true, ..Config::default() }, Vec::new()).await;
    let with_mdns = since(&before);
    let multicast: usize = ["udp 5353", "udp6 5353"].iter().filter_map(|kind| with_mdns.get(*kind)).sum();
    assert!(multicast > 0, "mDNS is on, and nothing listens: {with_mdns:?}");
    node.transport.stop().await;
}
