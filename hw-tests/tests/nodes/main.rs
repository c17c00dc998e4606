//! Real daemons over a real Bluetooth stack. Everything is verified by the text that the far end shows.

#![expect(clippy::print_stdout, reason = "what was counted and measured belongs to a test's output")]

mod chain;
mod failover;
mod foreign;
mod history;
mod large;
mod lossy;
mod nat;
mod provider;
mod recovery;
mod relay;
mod talk;
mod words;

use std::time::Duration;

use hw_tests::network::Networks;
use hw_tests::stage::trial;
use hw_tests::{Topology, foreign as peer, iroh_relay};

const NODE: &str = env!("CARGO_BIN_EXE_hw-node");
/// How long a test may take.
const LIMIT: Duration = Duration::from_secs(300);

fn main() {
    let restart = Topology::Pair.and(&["HW_RESTART_BLUETOOTHD"]);
    let both = Topology::Pair.and(&[]).and_networks(Networks::Wired);
    let chain = Topology::Chain.and(peer::VARIABLES);
    let lossy = Topology::Network.and(&[]).and_networks(Networks::Lossy);
    let networks = Topology::Network.and(iroh_relay::VARIABLES).and_networks(Networks::Wired);
    hw_tests::run(vec![
        trial(NODE, "two_nodes_talk_whoever_dialled_and_whoever_began", Topology::Pair, LIMIT, talk::run),
        trial(NODE, "a_message_of_32_kib_crosses_in_fragments", Topology::Pair, LIMIT, large::run),
        trial(NODE, "recovery_of_a_node_that_was_killed", Topology::Pair, LIMIT, recovery::killed_node),
        trial(NODE, "recovery_of_a_restarted_bluetoothd", restart, LIMIT, recovery::restarted_bluetoothd),
        trial(
            NODE,
            "recovery_of_an_adapter_that_was_off",
            Topology::Pair,
            LIMIT,
            recovery::adapter_off_and_on,
        ),
        trial(NODE, "a_foreign_client_talks", Topology::Pair.and(peer::VARIABLES), LIMIT, foreign::run),
        trial(NODE, "history_of_an_hour_is_told_to_who_was_away", Topology::Pair, LIMIT, history::run),
        trial(
            NODE,
            "relay_over_one_adapter_with_a_link_in_and_a_link_out",
            Topology::Line,
            LIMIT,
            relay::one_adapter,
        ),
        trial(NODE, "relay_between_two_adapters", Topology::Domains, LIMIT, relay::two_adapters),
        trial(NODE, "chain_of_five_and_a_foreign_client", chain, Duration::from_secs(600), chain::run),
        trial(NODE, "failover_to_bluetooth_and_back", both, LIMIT, failover::run),
        trial(NODE, "nat_that_lets_no_path_through", networks, LIMIT, nat::symmetric),
        trial(NODE, "nat_that_keeps_ports", networks, LIMIT, nat::port_keeping),
        trial(NODE, "lossy_network_under_direct", lossy, LIMIT, lossy::direct),
        trial(
            NODE,
            "lossy_network_under_a_relay_that_is_killed",
            lossy,
            LIMIT,
            provider::killed_and_restarted,
        ),
    ]);
}
