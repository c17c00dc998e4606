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

/// A radio, and why it has no adapter yet.
#[derive(Debug)]
pub struct Opened {
    /// The radio; it copes with whatever happens to its adapters.
    pub radio: RadioHandle,
    /// Why it has to wait for an adapter: for somebody to read.
    pub missing: Option<RadioError>,
}

impl From<RadioHandle> for Opened {
    fn from(radio: RadioHandle) -> Self {
        Self { radio, missing: None }
    }
}

/// Opens it; `peer` is the id that its advertisements may show. What was named must be there; where no adapter
/// was, the first one is used as soon as there is one.
pub async fn open(radio: &Radio, peer: PeerId) -> Result<Opened, RadioError> {
    match radio {
        Radio::Bluez { adapters } => bluez(adapters).await,
        Radio::Simulated { hub, place } => {
            Ok(simulated::join(hub, place.as_deref(), AdapterId(0), Some(peer)).await?.into())
        }
    }
}

#[cfg(feature = "bluez")]
async fn bluez(adapters: &[String]) -> Result<Opened, RadioError> {
    use crate::radio::bluez::{Timings, open, open_when_there};
    if !adapters.is_empty() {
        return Ok(open(adapters.to_vec(), Timings::default()).await?.into());
    }
    let (radio, missing) = open_when_there(Timings::default()).await;
    Ok(Opened { radio, missing: missing.map(RadioError::from) })
}

#[cfg(not(feature = "bluez"))]
async fn bluez(_adapters: &[String]) -> Result<Opened, RadioError> {
    Err(RadioError::BuiltWithoutBluez)
}
