//! What radios there are, as the environment tells, and whether networks can be made.

use crate::network::Networks;

/// How the adapters of the bench hear each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// Two adapters in each other's range.
    Pair,
    /// Three adapters in a line; the ends do not hear each other.
    Line,
    /// Two pairs that do not hear each other.
    Domains,
    /// Six adapters in a line, each in range of its neighbours alone.
    Chain,
    /// No adapter: what is to be tested is the network alone.
    Network,
}

impl Topology {
    fn named(name: &str) -> Option<Self> {
        [Self::Pair, Self::Line, Self::Domains, Self::Chain, Self::Network]
            .into_iter()
            .find(|topology| topology.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::Line => "line",
            Self::Domains => "domains",
            Self::Chain => "chain",
            Self::Network => "network",
        }
    }

    fn adapters(self) -> usize {
        match self {
            Self::Pair => 2,
            Self::Line => 3,
            Self::Domains => 4,
            Self::Chain => 6,
            Self::Network => 0,
        }
    }

    /// This topology, and variables of the environment that must be set as well.
    pub const fn and(self, variables: &'static [&'static str]) -> Needs {
        Needs { topology: self, variables, networks: None }
    }
}

/// What a test cannot do without.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    topology: Topology,
    variables: &'static [&'static str],
    networks: Option<Networks>,
}

impl Needs {
    /// Networks of the test's own as well.
    pub const fn and_networks(self, networks: Networks) -> Self {
        Self { networks: Some(networks), ..self }
    }
}

impl From<Topology> for Needs {
    fn from(topology: Topology) -> Self {
        topology.and(&[])
    }
}

/// The radios there are.
#[derive(Debug, Clone)]
pub struct Bench {
    /// Their names, as in `hci0`.
    pub adapters: Vec<String>,
    topology: Option<Topology>,
}

impl Bench {
    /// Reads the environment. Two adapters without a topology are on one desk, hence a pair.
    pub fn from_env() -> Self {
        let adapters: Vec<String> = std::env::var("HW_ADAPTERS")
            .unwrap_or_default()
            .split(',')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        let topology = match std::env::var("HW_TOPOLOGY") {
            Ok(name) => Topology::named(&name),
            Err(_) => Some(Topology::Pair),
        };
        Self { adapters, topology }
    }

    /// Why a test cannot run here, if it cannot.
    pub(crate) fn lacks(&self, needs: Needs) -> Option<String> {
        if self.topology != Some(needs.topology) {
            return Some(format!("needs HW_TOPOLOGY={}", needs.topology.name()));
        }
        if self.adapters.len() < needs.topology.adapters() {
            return Some(format!("needs {} adapters in HW_ADAPTERS", needs.topology.adapters()));
        }
        let unset = needs.variables.iter().find(|name| std::env::var_os(name).is_none());
        let unset = unset.map(|name| format!("needs {name}"));
        unset.or_else(|| needs.networks.and_then(Networks::lack))
    }
}
