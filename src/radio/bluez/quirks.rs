//! What BlueZ says, and what it means: the one place that reads its error names and texts.
//!
//! bluer has a kind for most of BlueZ's error names; btleplug boxes them, so that the D-Bus name has to be dug
//! out; and one condition (`le-connection-abort-by-local`) has no name of its own, only a message.

use bluez_async::BluetoothError;

use super::recovery::{AdapterSymptom, AdvertSymptom, DialSymptom};

/// What an error from BlueZ means to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The controller gave up connecting.
    Aborted,
    /// BlueZ believes that the same operation already runs.
    InProgress,
    /// More advertisements than the controller takes, or otherwise not permitted.
    NotPermitted,
    /// The adapter is off.
    NotReady,
    /// The D-Bus policy keeps us out.
    Denied,
    /// Nobody owns `org.bluez`, or the bus is gone.
    DaemonGone,
    /// The object is gone.
    NoSuchObject,
    /// Services were not resolved in time.
    Unresolved,
    /// There was no answer.
    NoReply,
    /// Anything else.
    Other,
}

impl From<Fault> for DialSymptom {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Aborted => Self::Aborted,
            Fault::InProgress => Self::InProgress,
            Fault::NoReply => Self::Hung,
            Fault::Unresolved => Self::Unresolved,
            Fault::NoSuchObject => Self::Unknown,
            Fault::NotPermitted | Fault::NotReady | Fault::Denied | Fault::DaemonGone | Fault::Other => {
                Self::Refused
            }
        }
    }
}

impl From<Fault> for AdapterSymptom {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NotReady => Self::PoweredOff,
            Fault::Denied => Self::Denied,
            Fault::DaemonGone => Self::DaemonGone,
            Fault::NoSuchObject => Self::Missing,
            Fault::NoReply => Self::Silent,
            Fault::Aborted | Fault::InProgress | Fault::NotPermitted | Fault::Unresolved | Fault::Other => {
                Self::Failed
            }
        }
    }
}

impl From<Fault> for AdvertSymptom {
    fn from(fault: Fault) -> Self {
        if fault == Fault::NotPermitted { Self::Exhausted } else { Self::Refused }
    }
}

impl From<&bluer::Error> for Fault {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "not our enum: it may grow, and most of it is no concern of ours"
    )]
    fn from(error: &bluer::Error) -> Self {
        use bluer::{ErrorKind, InternalErrorKind};

        if let ErrorKind::Internal(InternalErrorKind::DBus(name)) = &error.kind {
            return of_dbus(name, &error.message);
        }
        let name = match &error.kind {
            ErrorKind::NotFound | ErrorKind::DoesNotExist => return Self::NoSuchObject,
            ErrorKind::ServicesUnresolved => return Self::Unresolved,
            ErrorKind::Internal(InternalErrorKind::DBusConnectionLost) => return Self::DaemonGone,
            ErrorKind::InProgress => "org.bluez.Error.InProgress",
            ErrorKind::NotPermitted => "org.bluez.Error.NotPermitted",
            ErrorKind::NotReady => "org.bluez.Error.NotReady",
            _ => "org.bluez.Error.Failed",
        };
        of_dbus(name, &error.message)
    }
}

impl From<&btleplug::Error> for Fault {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "not our enum: it may grow, and most of it is no concern of ours"
    )]
    fn from(error: &btleplug::Error) -> Self {
        use btleplug::Error;

        match error {
            Error::DeviceNotFound => Self::NoSuchObject,
            Error::TimedOut(_) => Self::NoReply,
            Error::PermissionDenied => Self::Denied,
            Error::Other(inner) => match inner.downcast_ref::<BluetoothError>() {
                Some(BluetoothError::DbusError(error)) => {
                    of_dbus(error.name().unwrap_or_default(), error.message().unwrap_or_default())
                }
                Some(BluetoothError::ServiceDiscoveryTimedOut) => Self::Unresolved,
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }
}

/// The meaning of a D-Bus error. Only the aborted connection needs the message: its name is just `Failed`.
fn of_dbus(name: &str, message: &str) -> Fault {
    match name {
        "org.bluez.Error.InProgress" => Fault::InProgress,
        "org.bluez.Error.NotPermitted" => Fault::NotPermitted,
        "org.bluez.Error.NotReady" => Fault::NotReady,
        "org.freedesktop.DBus.Error.AccessDenied" => Fault::Denied,
        "org.bluez.Error.DoesNotExist"
        | "org.freedesktop.DBus.Error.UnknownObject"
        | "org.freedesktop.DBus.Error.UnknownMethod"
        | "org.freedesktop.DBus.Error.UnknownInterface" => Fault::NoSuchObject,
        "org.freedesktop.DBus.Error.ServiceUnknown"
        | "org.freedesktop.DBus.Error.NameHasNoOwner"
        | "org.freedesktop.DBus.Error.Disconnected"
        | "org.freedesktop.DBus.Error.NoServer"
        | "org.freedesktop.DBus.Error.FileNotFound" => Fault::DaemonGone,
        "org.freedesktop.DBus.Error.NoReply"
        | "org.freedesktop.DBus.Error.Timeout"
        | "org.freedesktop.DBus.Error.TimedOut" => Fault::NoReply,
        _ if message.contains("abort-by-local") => Fault::Aborted,
        _ => Fault::Other,
    }
}

/// A version of BlueZ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BluezVersion {
    /// The 5 of 5.66.
    pub major: u16,
    /// The 66 of 5.66.
    pub minor: u16,
}

impl BluezVersion {
    /// Whether its GATT server treats all centrals as one and drops the longest writes: so it did before 5.69.
    pub fn is_dated(self) -> bool {
        self < Self { major: 5, minor: 69 }
    }

    /// The version in the answer of `bluetoothctl --version`, as in `bluetoothctl: 5.66`.
    pub(super) fn parse(answer: &str) -> Option<Self> {
        let (major, minor) = answer.split_whitespace().next_back()?.split_once('.')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

impl std::fmt::Display for BluezVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:02}", self.major, self.minor)
    }
}

/// The longest write that every BlueZ server takes.
///
/// Before 5.69 it counts the attribute handle in and drops a write command of 511 or 512 bytes without a word. We
/// cannot know what runs at the other end, and two bytes are little.
pub(super) const MAX_WRITE: usize = 510;

/// Whom a notification reaches that is written to the file descriptor of one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotifyScope {
    /// The central that subscribed: BlueZ makes a descriptor for each.
    OneCentral,
    /// Every central that is subscribed: BlueZ makes one descriptor, for the first, and tells us of no other.
    AllCentrals,
}

impl NotifyScope {
    /// BlueZ makes a descriptor per central since 5.69 (bluez #460). An unknown version is taken for an old one.
    pub(super) fn of(version: Option<BluezVersion>) -> Self {
        match version {
            Some(version) if version.is_dated() => Self::AllCentrals,
            Some(_) => Self::OneCentral,
            None => Self::AllCentrals,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bluer_error(kind: bluer::ErrorKind, message: &str) -> bluer::Error {
        bluer::Error { kind, message: message.to_owned() }
    }

    fn btleplug_error(name: &str, message: &str) -> btleplug::Error {
        BluetoothError::from(dbus::Error::new_custom(name, message)).into()
    }

    #[test]
    fn both_libraries_errors_are_understood_alike() {
        use bluer::ErrorKind;
        for (kind, name, message, fault) in [
            (ErrorKind::Failed, "org.bluez.Error.Failed", "le-connection-abort-by-local", Fault::Aborted),
            (ErrorKind::InProgress, "org.bluez.Error.InProgress", "In Progress", Fault::InProgress),
            (ErrorKind::NotReady, "org.bluez.Error.NotReady", "Resource Not Ready", Fault::NotReady),
            (ErrorKind::NotFound, "org.freedesktop.DBus.Error.UnknownObject", "", Fault::NoSuchObject),
            (ErrorKind::Failed, "org.bluez.Error.Failed", "Software caused connection abort", Fault::Other),
        ] {
            assert_eq!(Fault::from(&bluer_error(kind, message)), fault, "{name} {message}");
            assert_eq!(Fault::from(&btleplug_error(name, message)), fault, "{name} {message}");
        }
    }

    #[test]
    fn a_missing_daemon_and_a_closed_door_are_told_apart() {
        let of = |name: &str| Fault::from(&btleplug_error(name, ""));
        assert_eq!(
            AdapterSymptom::from(of("org.freedesktop.DBus.Error.ServiceUnknown")),
            AdapterSymptom::DaemonGone
        );
        assert_eq!(
            AdapterSymptom::from(of("org.freedesktop.DBus.Error.AccessDenied")),
            AdapterSymptom::Denied
        );
        assert_eq!(AdapterSymptom::from(of("org.freedesktop.DBus.Error.NoReply")), AdapterSymptom::Silent);
    }

    #[test]
    fn too_many_advertisements_are_recognised() {
        let error = bluer_error(bluer::ErrorKind::NotPermitted, "Maximum advertisements reached");
        assert_eq!(AdvertSymptom::from(Fault::from(&error)), AdvertSymptom::Exhausted);
    }

    #[test]
    fn a_version_is_read_from_the_tools_answer() {
        let version = BluezVersion::parse("bluetoothctl: 5.66\n");
        assert_eq!(version, Some(BluezVersion { major: 5, minor: 66 }));
        assert_eq!(BluezVersion::parse("5.7"), Some(BluezVersion { major: 5, minor: 7 }));
        assert_eq!(BluezVersion::parse("bluetoothctl: what"), None);
        assert_eq!(BluezVersion::parse(""), None);
    }

    #[test]
    fn one_descriptor_serves_all_centrals_before_5_69() {
        let scope = |minor| NotifyScope::of(Some(BluezVersion { major: 5, minor }));
        assert_eq!(scope(66), NotifyScope::AllCentrals);
        assert_eq!(scope(68), NotifyScope::AllCentrals);
        assert_eq!(scope(69), NotifyScope::OneCentral);
        assert_eq!(NotifyScope::of(None), NotifyScope::AllCentrals);
    }
}
