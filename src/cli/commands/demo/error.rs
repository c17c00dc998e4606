//! How the demo can fail.

use crate::node::error::{NodeError, SendError};
use crate::node::handle::Stopped;
use crate::radio::simulated::Gone;
use crate::sim::topology::TopologyError;
use crate::storage::StoreError;

/// The demo did not go as it must.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum DemoError {
    #[error("{node} waited {seconds} s in vain for {what}")]
    InVain { node: &'static str, what: &'static str, seconds: u64 },
    #[error("{node} missed {count} events")]
    Missed { node: &'static str, count: u64 },
    #[error("at {node}, {what} is not as it was sent")]
    Differs { node: &'static str, what: &'static str },
    #[error("{node} was shown {count} messages, not {expected}")]
    Count { node: String, count: u64, expected: u64 },
    #[error("{actual} fragments are fewer than {least}")]
    FewFragments { actual: u16, least: u16 },
    #[error(transparent)]
    Topology(#[from] TopologyError),
    #[error(transparent)]
    Air(#[from] Gone),
    #[error(transparent)]
    Database(#[from] StoreError),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error(transparent)]
    Stopped(#[from] Stopped),
    #[error(transparent)]
    Node(#[from] NodeError),
}
