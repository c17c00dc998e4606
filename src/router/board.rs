//! What is known of the transports: what each can do, how it is, whom it reaches, and what the machine is like.

use std::collections::BTreeMap;

use super::event::Conditions;
use super::selection::{Ask, Exclusion, unfit};
use crate::capabilities::{Capabilities, DownReason, Health, Reach, TransportKey};
use crate::message::Recipient;

/// Recipients a transport may reach at a time; of one more is taken to be out of reach.
pub(super) const REACHED: usize = 4096;

/// One transport.
#[derive(Debug)]
pub(super) struct Station {
    pub(super) capabilities: Capabilities,
    pub(super) health: Health,
    /// Everyone else is out of reach.
    reached: BTreeMap<Recipient, Reach>,
}

impl Station {
    pub(super) fn reach(&self, to: Recipient) -> Reach {
        self.reached.get(&to).copied().unwrap_or_default()
    }
}

/// Every transport of this node.
#[derive(Debug, Default)]
pub(super) struct Board {
    stations: BTreeMap<TransportKey, Station>,
    pub(super) conditions: Conditions,
}

impl Board {
    /// Takes a transport in; it has not come up yet, and reaches nobody.
    pub(super) fn register(&mut self, transport: TransportKey, capabilities: Capabilities) {
        let health = Health::Down(DownReason::Starting);
        self.stations.insert(transport, Station { capabilities, health, reached: BTreeMap::new() });
    }

    /// Returns what it was before; nothing when there is no such transport.
    pub(super) fn set_health(&mut self, transport: TransportKey, health: Health) -> Option<Health> {
        let station = self.stations.get_mut(&transport)?;
        Some(std::mem::replace(&mut station.health, health))
    }

    /// Returns what it was before; nothing when there is no such transport, or no room.
    pub(super) fn set_reach(
        &mut self,
        transport: TransportKey,
        to: Recipient,
        reach: Reach,
    ) -> Option<Reach> {
        let station = self.stations.get_mut(&transport)?;
        if reach == Reach::No {
            return Some(station.reached.remove(&to).unwrap_or_default());
        }
        if station.reached.len() >= REACHED && !station.reached.contains_key(&to) {
            return None;
        }
        Some(station.reached.insert(to, reach).unwrap_or_default())
    }

    pub(super) fn station(&self, transport: TransportKey) -> Option<&Station> {
        self.stations.get(&transport)
    }

    pub(super) fn stations(&self) -> impl Iterator<Item = (TransportKey, &Station)> {
        self.stations.iter().map(|(transport, station)| (*transport, station))
    }

    /// What each transport of this node can never do for this message; nothing when it may take it.
    pub(super) fn fitness(&self, ask: &Ask) -> impl Iterator<Item = (TransportKey, Option<Exclusion>)> {
        self.stations()
            .map(move |(transport, station)| (transport, unfit(transport, &station.capabilities, ask)))
    }
}
