//! Which radio the BitChat mesh runs over.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::config::{Text, ValueError};

/// Which radio a node uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Radio {
    /// Real Bluetooth through BlueZ.
    Bluez {
        /// The adapters to use, like `hci0`; none means the first one there is.
        adapters: Vec<String>,
    },
    /// The simulated air that `hopline air` serves.
    Simulated {
        /// The hub's socket.
        hub: PathBuf,
        /// The place in the hub's topology to take; none means any that is free.
        place: Option<String>,
    },
}

/// A radio as it is written: `bluez`, `sim:PATH` or `sim:PATH#NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RadioChoice {
    /// Real Bluetooth.
    Bluez,
    /// The simulated air.
    Simulated {
        /// The hub's socket.
        hub: PathBuf,
        /// The place to take.
        place: Option<String>,
    },
}

impl RadioChoice {
    /// The radio, with the adapters that real Bluetooth uses.
    pub(super) fn with(self, adapters: Vec<String>) -> Radio {
        match self {
            Self::Bluez => Radio::Bluez { adapters },
            Self::Simulated { hub, place } => Radio::Simulated { hub, place },
        }
    }
}

impl FromStr for RadioChoice {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text == "bluez" {
            return Ok(Self::Bluez);
        }
        let wrong = || ValueError::Radio(text.to_owned());
        let place = text.strip_prefix("sim:").ok_or_else(wrong)?;
        let (hub, name) = match place.rsplit_once('#') {
            Some((hub, name)) => (hub, Some(name)),
            None => (place, None),
        };
        if hub.is_empty() || name.is_some_and(str::is_empty) {
            return Err(wrong());
        }
        Ok(Self::Simulated { hub: PathBuf::from(hub), place: name.map(str::to_owned) })
    }
}

impl Text for RadioChoice {}

impl fmt::Display for RadioChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bluez => f.write_str("bluez"),
            Self::Simulated { hub, place: None } => write!(f, "sim:{}", hub.display()),
            Self::Simulated { hub, place: Some(place) } => write!(f, "sim:{}#{place}", hub.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_radio_reads_as_it_prints() {
        for text in ["bluez", "sim:/tmp/air", "sim:air#ada"] {
            assert_eq!(text.parse::<RadioChoice>().unwrap().to_string(), text);
        }
        for text in ["", "sim:", "sim:#ada", "sim:air#", "lora"] {
            assert_eq!(text.parse::<RadioChoice>(), Err(ValueError::Radio(text.to_owned())));
        }
    }
}
