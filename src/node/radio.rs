//! Opening the radio a node was configured with.

use crate::ids::{AdapterId, PeerId};
use crate::radio::{RadioHandle, simulated};

use super::config::Radio;

/// A radio could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum RadioError {
    /// BlueZ has no radio for us.
    #[cfg(feature = "bluez")]
    #[error("Bluetooth cannot be used: {0}")]
    Bluez(#[from] crate::radio::bluez::BluezError),
    /// This program cannot use BlueZ.
    #[cfg(not(feature = "bluez"))]
    #[error("this program was built without Bluetooth")]
    BuiltWithoutBluez,
    /// The simulated air did not let us in.
    #[error(transparent)]
    Simulated(#[from] simulated::JoinError),
}

/// Opens it; `peer` is the id that its advertisements may show.
pub async fn open(radio: &Radio, peer: PeerId) -> Result<RadioHandle, RadioError> {
    match radio {
        Radio::Bluez { adapters } => bluez(adapters).await,
        Radio::Simulated { hub, place } => {
            Ok(simulated::join(hub, place.as_deref(), AdapterId(0), Some(peer)).await?)
        }
    }
}

#[cfg(feature = "bluez")]
async fn bluez(adapters: &[String]) -> Result<RadioHandle, RadioError> {
    use crate::radio::bluez::{Timings, open};
    Ok(open(adapters.to_vec(), Timings::default()).await?)
}

#[cfg(not(feature = "bluez"))]
async fn bluez(_adapters: &[String]) -> Result<RadioHandle, RadioError> {
    Err(RadioError::BuiltWithoutBluez)
}
