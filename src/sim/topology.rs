//! Who hears whom at the start: as a shape, or from a text file.
//!
//! ```text
//! # Two rooms, and a thick wall between them.
//! alice bob
//! bob   carol  loss=0.2 latency=40ms mtu=247
//! dave                     # hears nobody
//! ```
//!
//! A line names two nodes that hear each other, or one that may hear nobody. Options: `loss` and `drop`
//! (probabilities), `latency` and `jitter` (`20ms`, `1.5s`), `mtu` (bytes), `rate` (bytes a second), `rssi` (dBm).

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use super::edge::Edge;

/// Nodes in a topology, at most.
pub const MAX_NODES: usize = 1000;
/// The smallest ATT MTU there is (Bluetooth Core, volume 3, part G, 5.2.1).
const MIN_MTU: u16 = 23;
/// The longest latency or jitter: longer would be a broken radio, not a slow one.
const MAX_DELAY: Duration = Duration::from_secs(60);

/// Nodes by name, and the edges between them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Topology {
    nodes: Vec<String>,
    edges: BTreeMap<(usize, usize), Edge>,
}

/// Why a text is not a topology.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct TopologyError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a line of a topology.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A name is too long, or has other characters than letters, digits, `-`, `_` and `.`.
    #[error("`{0}` is no name: letters, digits, `-`, `_` and `.`, at most 32")]
    Name(String),
    /// A third word is not an option.
    #[error("`{0}` is neither one of two names nor an option like `loss=0.1`")]
    Word(String),
    /// No option has this name.
    #[error("no option is called `{0}`: loss, drop, latency, jitter, mtu, rate or rssi")]
    Option(String),
    /// An option's value does not fit it.
    #[error("`{value}` is no {option}")]
    Value {
        /// The option.
        option: String,
        /// Its value.
        value: String,
    },
    /// A node does not hear itself.
    #[error("`{0}` is joined with itself")]
    Loop(String),
    /// Two nodes are joined twice.
    #[error("`{0}` and `{1}` are joined a second time")]
    Twice(String, String),
    /// An option needs two nodes.
    #[error("options belong to two nodes that hear each other")]
    LonelyOption,
    /// There are too many nodes.
    #[error("more than {MAX_NODES} nodes")]
    TooMany,
}

impl Topology {
    /// `count` nodes in a row, each in range of the one before and the one after.
    pub fn chain(count: usize, edge: Edge) -> Self {
        Self::numbered(count, (1..count).map(|node| (node - 1, node)), edge)
    }

    /// A chain whose ends hear each other.
    pub fn ring(count: usize, edge: Edge) -> Self {
        let closing = (count > 2).then_some((0, count.saturating_sub(1)));
        Self::numbered(count, (1..count).map(|node| (node - 1, node)).chain(closing), edge)
    }

    /// `count` nodes that all hear each other.
    pub fn full(count: usize, edge: Edge) -> Self {
        Self::numbered(count, (0..count).flat_map(|b| (0..b).map(move |a| (a, b))), edge)
    }

    /// `columns` by `rows` nodes, each in range of its neighbours left, right, above and below.
    pub fn grid(columns: usize, rows: usize, edge: Edge) -> Self {
        let count = columns * rows;
        let right =
            (0..count).filter(move |node| (node + 1) % columns.max(1) != 0).map(|node| (node, node + 1));
        let below = (0..count.saturating_sub(columns)).map(|node| (node, node + columns));
        Self::numbered(count, right.chain(below), edge)
    }

    /// The names, in order of their first appearance.
    pub fn nodes(&self) -> &[String] {
        &self.nodes
    }

    /// The number of the node with this name.
    pub fn node(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node == name)
    }

    /// Pairs of nodes that hear each other, by number.
    pub fn edges(&self) -> impl Iterator<Item = (usize, usize, Edge)> {
        self.edges.iter().map(|(&(a, b), &edge)| (a, b, edge))
    }

    /// The edge between two nodes, by number.
    pub fn edge(&self, a: usize, b: usize) -> Option<Edge> {
        self.edges.get(&(a.min(b), a.max(b))).copied()
    }

    fn numbered(count: usize, edges: impl Iterator<Item = (usize, usize)>, edge: Edge) -> Self {
        Self {
            nodes: (0..count).map(|node| format!("n{node}")).collect(),
            edges: edges.map(|(a, b)| ((a, b), edge)).collect(),
        }
    }

    fn read_line(&mut self, line: &str) -> Result<(), Reason> {
        let text = line.split('#').next().unwrap_or_default();
        let mut words = text.split_whitespace();
        let Some(first) = words.next() else { return Ok(()) };
        let a = self.intern(first)?;
        let Some(second) = words.next() else { return Ok(()) };
        if second.contains('=') {
            return Err(Reason::LonelyOption);
        }
        let b = self.intern(second)?;
        if a == b {
            return Err(Reason::Loop(first.to_owned()));
        }
        let mut edge = Edge::default();
        for word in words {
            set_option(&mut edge, word)?;
        }
        match self.edges.insert((a.min(b), a.max(b)), edge) {
            None => Ok(()),
            Some(_) => Err(Reason::Twice(first.to_owned(), second.to_owned())),
        }
    }

    fn intern(&mut self, name: &str) -> Result<usize, Reason> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.len() > 32 || !name.bytes().all(allowed) {
            return Err(Reason::Name(name.to_owned()));
        }
        if let Some(known) = self.node(name) {
            return Ok(known);
        }
        if self.nodes.len() >= MAX_NODES {
            return Err(Reason::TooMany);
        }
        self.nodes.push(name.to_owned());
        Ok(self.nodes.len() - 1)
    }
}

impl FromStr for Topology {
    type Err = TopologyError;

    fn from_str(text: &str) -> Result<Self, TopologyError> {
        let mut topology = Self::default();
        for (index, line) in text.lines().enumerate() {
            topology.read_line(line).map_err(|reason| TopologyError { line: index + 1, reason })?;
        }
        Ok(topology)
    }
}

fn set_option(edge: &mut Edge, word: &str) -> Result<(), Reason> {
    let (option, value) = word.split_once('=').ok_or_else(|| Reason::Word(word.to_owned()))?;
    let bad = || Reason::Value { option: option.to_owned(), value: value.to_owned() };
    match option {
        "loss" => edge.loss = probability(value).ok_or_else(bad)?,
        "drop" => edge.drop = probability(value).ok_or_else(bad)?,
        "latency" => edge.latency = duration(value).ok_or_else(bad)?,
        "jitter" => edge.jitter = duration(value).ok_or_else(bad)?,
        "mtu" => edge.mtu = value.parse().ok().filter(|&mtu| mtu >= MIN_MTU).ok_or_else(bad)?,
        "rate" => edge.rate = value.parse().ok().filter(|&rate| rate > 0).ok_or_else(bad)?,
        "rssi" => {
            edge.rssi = value.parse().ok().filter(|rssi| (-127..=20).contains(rssi)).ok_or_else(bad)?;
        }
        _ => return Err(Reason::Option(option.to_owned())),
    }
    Ok(())
}

fn probability(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value| (0.0..=1.0).contains(value))
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e-3),
        None => (text.strip_suffix('s')?, 1.0),
    };
    let seconds = number.parse::<f64>().ok()? * unit;
    Duration::try_from_secs_f64(seconds).ok().filter(|&span| span <= MAX_DELAY)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(topology: &Topology) -> Vec<(usize, usize)> {
        topology.edges().map(|(a, b, _)| (a, b)).collect()
    }

    #[test]
    fn shapes_join_whom_they_say() {
        let edge = Edge::default();
        assert_eq!(pairs(&Topology::chain(4, edge)), [(0, 1), (1, 2), (2, 3)]);
        assert_eq!(pairs(&Topology::ring(4, edge)), [(0, 1), (0, 3), (1, 2), (2, 3)]);
        assert_eq!(pairs(&Topology::ring(2, edge)), [(0, 1)]);
        assert_eq!(pairs(&Topology::full(3, edge)), [(0, 1), (0, 2), (1, 2)]);
        assert_eq!(pairs(&Topology::grid(2, 2, edge)), [(0, 1), (0, 2), (1, 3), (2, 3)]);
    }

    #[test]
    fn a_file_names_nodes_and_edges() {
        let text = "# rooms\nalice bob\n\nbob carol loss=0.2 latency=40ms jitter=0.5s mtu=247 rate=9000 rssi=-85 # far\ndave\n";
        let topology: Topology = text.parse().unwrap();
        assert_eq!(topology.nodes(), ["alice", "bob", "carol", "dave"]);
        let far = Edge {
            loss: 0.2,
            latency: Duration::from_millis(40),
            jitter: Duration::from_millis(500),
            mtu: 247,
            rate: 9000,
            rssi: -85,
            ..Edge::default()
        };
        let edges: Vec<_> = topology.edges().collect();
        assert_eq!(edges, [(0, 1, Edge::default()), (1, 2, far)]);
    }

    #[test]
    fn an_error_names_its_line() {
        for (text, message) in [
            ("a b\na b loss=2", "line 2: `2` is no loss"),
            ("a b mtu=22", "line 1: `22` is no mtu"),
            (
                "a b speed=2",
                "line 1: no option is called `speed`: loss, drop, latency, jitter, mtu, rate or rssi",
            ),
            ("a b c", "line 1: `c` is neither one of two names nor an option like `loss=0.1`"),
            ("\n\na a", "line 3: `a` is joined with itself"),
            ("a b\nb a", "line 2: `b` and `a` are joined a second time"),
            ("a loss=0", "line 1: options belong to two nodes that hear each other"),
            ("a/b", "line 1: `a/b` is no name: letters, digits, `-`, `_` and `.`, at most 32"),
            ("a b latency=5", "line 1: `5` is no latency"),
            ("a b latency=1e9s", "line 1: `1e9s` is no latency"),
        ] {
            assert_eq!(text.parse::<Topology>().unwrap_err().to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "[ab=. 0-9ms#\n-]{0,80}") {
            if let Ok(topology) = text.parse::<Topology>() {
                prop_assert!(topology.edges().all(|(a, b, _)| a < b && b < topology.nodes().len()));
            }
        }
    }
}
