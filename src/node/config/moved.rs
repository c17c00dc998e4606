//! Where keys went that people may know by another name.

use crate::config::Fault;

/// Where a key went that was at the top of the file, or that the founding document has.
pub(super) fn moved(name: &str) -> Option<Fault> {
    let (section, to) = match name {
        "nickname" => ("node", "nickname"),
        "radio" => ("bitchat", "radio"),
        "adapters" => ("bitchat", "adapters"),
        "bitchat_enabled" => ("bitchat", "enabled"),
        "bitchat_max_peers" => ("bitchat", "max_peers"),
        "bitchat_hop_limit" => ("bitchat", "hop_limit"),
        "betanet_enabled" => ("betanet", "enabled"),
        "betanet_privacy_mode" => ("betanet", "privacy_mode"),
        "betanet_max_hops" => ("betanet", "max_hops"),
        "transport_priority" => ("router", "priority"),
        "enable_failover" => ("router", "failover"),
        "failover_timeout_sec" => ("router", "failover_timeout"),
        "max_retry_attempts" => ("router", "attempts"),
        "bitchat_api_url" => return Some(Fault::NoBackEnd("`bitchat.radio` says which radio is used")),
        "betanet_api_url" => return Some(Fault::NoBackEnd("the node runs each transport itself")),
        _ => return None,
    };
    Some(Fault::Elsewhere { section, to })
}
