//! Why a node has no configuration.

use crate::config::{ConfigError, ValueError};
use crate::node::error::HomeError;

use super::relays::RelayError;

/// The configuration does not hold together.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The command line holds a value that is not allowed.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// `config.toml` cannot be used.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// A relay of betanet cannot be used.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// The home cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
}
