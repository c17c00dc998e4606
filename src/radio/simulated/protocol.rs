//! What a hub and its members say to each other: the radio port, as lines of JSON.
//!
//! A client opens with a [`Greeting`] and gets an [`Answer`]. After a welcome the hub sends [`EventLine`]s and
//! the member [`CommandLine`]s until one of them closes the connection.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::ids::{AdapterId, LinkId, PeerId};
use crate::link::event::{DeviceAddress, LinkDownReason, RadioCommand, RadioEvent, Role};

/// The version of this protocol; hub and members come from the same release, or nearly so.
pub(super) const VERSION: u32 = 1;

/// What a client opens with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Greeting {
    pub(super) version: u32,
    pub(super) wish: Wish,
}

/// What a client wants of a hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Wish {
    /// To be a radio.
    Join {
        /// The node of the topology to be; without one, the next that is free.
        name: Option<String>,
        #[serde(with = "AdapterIdLine")]
        adapter: AdapterId,
        #[serde(with = "optional_peer")]
        peer: Option<PeerId>,
        first_serial: u32,
    },
    /// To change the air.
    Control(Control),
}

/// A change of the air.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// Two nodes hear each other no more.
    Cut {
        /// The one.
        a: String,
        /// The other.
        b: String,
    },
    /// Two nodes hear each other again, as well as the topology says, or as any two do.
    Join {
        /// The one.
        a: String,
        /// The other.
        b: String,
    },
}

/// What the hub says to a greeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// The client is a radio now, under this name.
    Welcome { name: String },
    /// The air was changed.
    Done,
    /// Neither.
    Refused(Refusal),
}

/// Why a hub refuses a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// It speaks another version of the protocol.
    #[error("the air speaks version {0} of its protocol, this program another")]
    Version(u32),
    /// The topology has no such node.
    #[error("the air has no node called `{0}`")]
    Unknown(String),
    /// Somebody else is that node.
    #[error("somebody is `{0}` already")]
    Taken(String),
    /// Somebody is every node.
    #[error("every node of the air is taken")]
    Full,
}

/// One radio event.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EventLine(#[serde(with = "RadioEventLine")] pub(super) RadioEvent);

/// One radio command.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CommandLine(#[serde(with = "RadioCommandLine")] pub(super) RadioCommand);

#[derive(Serialize, Deserialize)]
#[serde(remote = "RadioEvent", rename_all = "snake_case")]
enum RadioEventLine {
    AdapterUp {
        #[serde(with = "AdapterIdLine")]
        adapter: AdapterId,
        #[serde(with = "address")]
        address: DeviceAddress,
    },
    AdapterDown {
        #[serde(with = "AdapterIdLine")]
        adapter: AdapterId,
    },
    Discovered {
        #[serde(with = "AdapterIdLine")]
        adapter: AdapterId,
        #[serde(with = "address")]
        address: DeviceAddress,
        rssi: Option<i16>,
        #[serde(with = "optional_peer")]
        peer: Option<PeerId>,
    },
    LinkUp {
        #[serde(with = "LinkIdLine")]
        link: LinkId,
        #[serde(with = "address")]
        address: DeviceAddress,
        #[serde(with = "RoleLine")]
        role: Role,
        max_frame: usize,
    },
    LinkDown {
        #[serde(with = "LinkIdLine")]
        link: LinkId,
        #[serde(with = "LinkDownReasonLine")]
        reason: LinkDownReason,
    },
    ConnectFailed {
        #[serde(with = "AdapterIdLine")]
        adapter: AdapterId,
        #[serde(with = "address")]
        address: DeviceAddress,
        #[serde(with = "LinkDownReasonLine")]
        reason: LinkDownReason,
    },
    Received {
        #[serde(with = "LinkIdLine")]
        link: LinkId,
        #[serde(with = "hex")]
        bytes: Bytes,
    },
    Written {
        #[serde(with = "LinkIdLine")]
        link: LinkId,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "RadioCommand", rename_all = "snake_case")]
enum RadioCommandLine {
    Connect {
        #[serde(with = "AdapterIdLine")]
        adapter: AdapterId,
        #[serde(with = "address")]
        address: DeviceAddress,
    },
    Disconnect {
        #[serde(with = "LinkIdLine")]
        link: LinkId,
    },
    Write {
        #[serde(with = "LinkIdLine")]
        link: LinkId,
        #[serde(with = "hex")]
        frame: Bytes,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "LinkDownReason", rename_all = "snake_case")]
enum LinkDownReasonLine {
    Closed,
    Remote,
    TimedOut,
    NoService,
    AdapterDown,
    Failed,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Role", rename_all = "snake_case")]
enum RoleLine {
    Central,
    Peripheral,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "AdapterId")]
struct AdapterIdLine(u8);

#[derive(Serialize, Deserialize)]
#[serde(remote = "LinkId")]
struct LinkIdLine {
    #[serde(with = "AdapterIdLine")]
    adapter: AdapterId,
    serial: u32,
}

mod address {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::ids::{parse_hex, to_hex};
    use crate::link::event::DeviceAddress;

    pub(super) fn serialize<S: Serializer>(address: &DeviceAddress, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&to_hex(&address.0))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<DeviceAddress, D::Error> {
        parse_hex(&String::deserialize(from)?).map(DeviceAddress).map_err(D::Error::custom)
    }
}

mod optional_peer {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::ids::PeerId;

    pub(super) fn serialize<S: Serializer>(peer: &Option<PeerId>, to: S) -> Result<S::Ok, S::Error> {
        peer.map(|peer| peer.to_string()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PeerId>, D::Error> {
        Option::<String>::deserialize(from)?.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

mod hex {
    use bytes::Bytes;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::ids::{parse_hex, to_hex};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&to_hex(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(from)?;
        let digits = text.as_bytes().chunks(2);
        digits
            .map(|pair| {
                let pair = std::str::from_utf8(pair).map_err(D::Error::custom)?;
                parse_hex::<1>(pair).map(|[byte]| byte).map_err(D::Error::custom)
            })
            .collect::<Result<Vec<u8>, _>>()
            .map(Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: LinkId = LinkId { adapter: AdapterId(1), serial: 7 };
    const ADDRESS: DeviceAddress = DeviceAddress([0xC0, 1, 2, 3, 4, 5]);

    #[test]
    fn events_read_as_they_were_written() {
        let adapter = AdapterId(1);
        let reason = LinkDownReason::TimedOut;
        for event in [
            RadioEvent::AdapterUp { adapter, address: ADDRESS },
            RadioEvent::AdapterDown { adapter },
            RadioEvent::Discovered { adapter, address: ADDRESS, rssi: Some(-70), peer: Some(PeerId([9; 8])) },
            RadioEvent::Discovered { adapter, address: ADDRESS, rssi: None, peer: None },
            RadioEvent::LinkUp { link: LINK, address: ADDRESS, role: Role::Peripheral, max_frame: 512 },
            RadioEvent::LinkDown { link: LINK, reason },
            RadioEvent::ConnectFailed { adapter, address: ADDRESS, reason },
            RadioEvent::Received { link: LINK, bytes: Bytes::from_static(&[0, 0xAB, 0xFF]) },
            RadioEvent::Written { link: LINK },
        ] {
            let line = serde_json::to_string(&EventLine(event.clone())).unwrap();
            assert_eq!(serde_json::from_str::<EventLine>(&line).unwrap().0, event);
        }
    }

    #[test]
    fn commands_read_as_they_were_written() {
        for command in [
            RadioCommand::Connect { adapter: AdapterId(1), address: ADDRESS },
            RadioCommand::Disconnect { link: LINK },
            RadioCommand::Write { link: LINK, frame: Bytes::from(vec![0x5A; 512]) },
        ] {
            let line = serde_json::to_string(&CommandLine(command.clone())).unwrap();
            assert_eq!(serde_json::from_str::<CommandLine>(&line).unwrap().0, command);
        }
    }

    #[test]
    fn a_line_is_plain() {
        let frame = Bytes::from_static(&[1, 2]);
        let line = serde_json::to_string(&CommandLine(RadioCommand::Write { link: LINK, frame })).unwrap();
        assert_eq!(line, r#"{"write":{"link":{"adapter":1,"serial":7},"frame":"0102"}}"#);
    }

    #[test]
    fn bad_hex_is_refused() {
        for hex in ["0", "0g", "ü", "012"] {
            let line = format!(r#"{{"write":{{"link":{{"adapter":1,"serial":7}},"frame":"{hex}"}}}}"#);
            assert!(serde_json::from_str::<CommandLine>(&line).is_err(), "{hex}");
        }
    }
}
