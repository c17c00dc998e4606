//! What `hopline doctor` asks about Bluetooth: what is there, and what is wrong with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use dbus::arg::{PropMap, prop_cast};
use dbus::blocking::Connection;
use dbus::blocking::stdintf::org_freedesktop_dbus::ObjectManager;
use tokio::process::Command;
use tokio::time::timeout;

pub use super::quirks::BluezVersion;

const PATIENCE: Duration = Duration::from_secs(5);

/// What there is, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The version of BlueZ, when its tools are installed.
    pub version: Option<BluezVersion>,
    /// Every adapter BlueZ knows, by name.
    pub adapters: Vec<AdapterReport>,
    /// Everything that is wrong or worth knowing, the worst first.
    pub findings: Vec<Finding>,
}

/// One adapter as BlueZ describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterReport {
    /// Its name, as in `hci0`.
    pub name: String,
    /// Its Bluetooth address.
    pub address: String,
    /// Whether it is on.
    pub powered: bool,
    /// Whether others can see it when they look for classic Bluetooth. Advertising does not need it.
    pub discoverable: bool,
    /// What it can be: `central`, `peripheral`, `central-peripheral`.
    pub roles: Vec<String>,
    /// Advertisements that run, and further ones it takes; none if it cannot advertise.
    pub advertising: Option<AdvertisingReport>,
}

/// An adapter's advertising instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdvertisingReport {
    /// In use.
    pub active: u8,
    /// Free.
    pub free: u8,
}

/// One thing that is wrong, or worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Finding {
    /// There is no D-Bus system bus.
    #[error("there is no D-Bus system bus")]
    NoBus,
    /// The bus does not let this user talk to BlueZ.
    #[error("this user may not talk to BlueZ")]
    Denied,
    /// Nobody owns `org.bluez`.
    #[error("bluetoothd is not running")]
    NoDaemon,
    /// BlueZ did not answer.
    #[error("bluetoothd does not answer")]
    NoAnswer,
    /// The machine has no Bluetooth adapter, or the kernel no driver for it.
    #[error("there is no Bluetooth adapter")]
    NoAdapter,
    /// A switch on the machine keeps a radio off.
    #[error("{radio} is switched off by a hardware switch")]
    HardBlocked {
        /// The radio's name in rfkill.
        radio: String,
    },
    /// The system keeps a radio off.
    #[error("{radio} is blocked by rfkill")]
    SoftBlocked {
        /// The radio's name in rfkill.
        radio: String,
    },
    /// The adapter is off; the daemon switches it on.
    #[error("{adapter} is powered off")]
    PoweredOff {
        /// Its name.
        adapter: String,
    },
    /// The adapter cannot advertise: nobody can find this node.
    #[error("{adapter} cannot advertise")]
    NoAdvertising {
        /// Its name.
        adapter: String,
    },
    /// Other programs hold all advertising instances of the adapter.
    #[error("{adapter} has no free advertising instance")]
    AdvertisingFull {
        /// Its name.
        adapter: String,
    },
    /// The adapter cannot be central and peripheral at once.
    #[error("{adapter} cannot be central and peripheral at the same time")]
    OneRole {
        /// Its name.
        adapter: String,
    },
    /// BlueZ before 5.69 sends each notification to every connected central, and drops writes of 511 and 512 bytes.
    #[error(
        "BlueZ {version} notifies all centrals alike and drops the longest writes; 5.69 and later do not"
    )]
    Dated {
        /// The version found.
        version: BluezVersion,
    },
    /// `bluetoothctl` is not there to ask.
    #[error("the version of BlueZ is unknown")]
    VersionUnknown,
}

impl Finding {
    /// Whether a node cannot work over Bluetooth with this.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::NoBus | Self::Denied | Self::NoDaemon | Self::NoAnswer | Self::NoAdapter => true,
            Self::HardBlocked { .. }
            | Self::SoftBlocked { .. }
            | Self::PoweredOff { .. }
            | Self::NoAdvertising { .. }
            | Self::AdvertisingFull { .. }
            | Self::OneRole { .. }
            | Self::Dated { .. }
            | Self::VersionUnknown => false,
        }
    }
}

/// Looks at everything.
pub async fn probe() -> Probe {
    let version = version().await;
    let asked = tokio::task::spawn_blocking(|| (adapters(), blocked(Path::new("/sys/class/rfkill")))).await;
    let (adapters, blocked) = asked.unwrap_or_else(|_| (Err(Finding::NoAnswer), Vec::new()));
    conclude(version, adapters, blocked)
}

/// The version of BlueZ. The daemon tells nobody; its command line tool comes from the same build.
pub(super) async fn version() -> Option<BluezVersion> {
    let answer = timeout(PATIENCE, Command::new("bluetoothctl").arg("--version").kill_on_drop(true).output());
    let output = answer.await.ok()?.ok()?;
    BluezVersion::parse(&String::from_utf8_lossy(&output.stdout))
}

fn conclude(
    version: Option<BluezVersion>,
    adapters: Result<Vec<AdapterReport>, Finding>,
    mut findings: Vec<Finding>,
) -> Probe {
    let adapters = adapters.unwrap_or_else(|finding| {
        findings.push(finding);
        Vec::new()
    });
    let unexplained = findings.iter().all(|finding| !finding.is_fatal());
    if adapters.is_empty() && unexplained {
        findings.push(Finding::NoAdapter);
    }
    for report in &adapters {
        let adapter = report.name.clone();
        if !report.powered {
            findings.push(Finding::PoweredOff { adapter: adapter.clone() });
        }
        match report.advertising {
            None => findings.push(Finding::NoAdvertising { adapter: adapter.clone() }),
            Some(AdvertisingReport { free: 0, .. }) => {
                findings.push(Finding::AdvertisingFull { adapter: adapter.clone() });
            }
            Some(_) => {}
        }
        if !report.roles.is_empty() && !report.roles.iter().any(|role| role == "central-peripheral") {
            findings.push(Finding::OneRole { adapter });
        }
    }
    match version {
        None => findings.push(Finding::VersionUnknown),
        Some(version) if version.is_dated() => findings.push(Finding::Dated { version }),
        Some(_) => {}
    }
    findings.sort();
    Probe { version, adapters, findings }
}

fn adapters() -> Result<Vec<AdapterReport>, Finding> {
    let bus = Connection::new_system().map_err(|_| Finding::NoBus)?;
    let objects = bus.with_proxy("org.bluez", "/", PATIENCE).get_managed_objects().map_err(|error| {
        match error.name().unwrap_or_default() {
            "org.freedesktop.DBus.Error.AccessDenied" => Finding::Denied,
            "org.freedesktop.DBus.Error.NoReply" | "org.freedesktop.DBus.Error.Timeout" => Finding::NoAnswer,
            _ => Finding::NoDaemon,
        }
    })?;
    let objects: BTreeMap<String, _> = objects.into_iter().map(|(path, it)| (path.to_string(), it)).collect();
    let mut adapters = Vec::new();
    for (path, interfaces) in &objects {
        let Some(adapter) = interfaces.get("org.bluez.Adapter1") else { continue };
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        adapters.push(report(name, adapter, interfaces.get("org.bluez.LEAdvertisingManager1")));
    }
    Ok(adapters)
}

fn report(name: String, adapter: &PropMap, advertising: Option<&PropMap>) -> AdapterReport {
    let count = |map: &PropMap, key| prop_cast::<u8>(map, key).copied().unwrap_or_default();
    AdapterReport {
        name,
        address: prop_cast::<String>(adapter, "Address").cloned().unwrap_or_default(),
        powered: prop_cast(adapter, "Powered").copied().unwrap_or_default(),
        discoverable: prop_cast(adapter, "Discoverable").copied().unwrap_or_default(),
        roles: prop_cast::<Vec<String>>(adapter, "Roles").cloned().unwrap_or_default(),
        advertising: advertising.map(|map| AdvertisingReport {
            active: count(map, "ActiveInstances"),
            free: count(map, "SupportedInstances"),
        }),
    }
}

/// Bluetooth radios that rfkill keeps off. Without the folder nothing is known, so nothing is said.
fn blocked(rfkill: &Path) -> Vec<Finding> {
    let Ok(radios) = fs::read_dir(rfkill) else { return Vec::new() };
    let mut findings = Vec::new();
    for radio in radios.flatten().map(|entry| entry.path()) {
        let read = |file: &str| fs::read_to_string(radio.join(file)).map(|text| text.trim().to_owned());
        if !read("type").is_ok_and(|kind| kind == "bluetooth") {
            continue;
        }
        let name = read("name").unwrap_or_else(|_| radio.display().to_string());
        if read("hard").is_ok_and(|state| state == "1") {
            findings.push(Finding::HardBlocked { radio: name.clone() });
        }
        if read("soft").is_ok_and(|state| state == "1") {
            findings.push(Finding::SoftBlocked { radio: name });
        }
    }
    findings.sort();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn healthy(name: &str) -> AdapterReport {
        AdapterReport {
            name: name.to_owned(),
            address: "A0:B0:C0:00:00:00".to_owned(),
            powered: true,
            discoverable: false,
            roles: vec!["central".to_owned(), "peripheral".to_owned(), "central-peripheral".to_owned()],
            advertising: Some(AdvertisingReport { active: 0, free: 5 }),
        }
    }

    const NEW: Option<BluezVersion> = Some(BluezVersion { major: 5, minor: 82 });

    #[test]
    fn a_healthy_machine_has_no_findings() {
        assert_eq!(conclude(NEW, Ok(vec![healthy("hci0")]), Vec::new()).findings, []);
    }

    #[test]
    fn a_machine_without_an_adapter_is_told_so() {
        let probe = conclude(NEW, Ok(Vec::new()), Vec::new());
        assert_eq!(probe.findings, [Finding::NoAdapter]);
        assert!(probe.findings[0].is_fatal());
    }

    #[test]
    fn a_missing_bus_is_not_blamed_on_a_missing_adapter() {
        let probe = conclude(None, Err(Finding::NoBus), Vec::new());
        assert_eq!(probe.findings, [Finding::NoBus, Finding::VersionUnknown]);
    }

    #[test]
    fn every_weakness_of_an_adapter_is_found() {
        let mut adapter = healthy("hci0");
        adapter.powered = false;
        adapter.roles.pop();
        adapter.advertising = None;
        let name = || "hci0".to_owned();
        let version = BluezVersion { major: 5, minor: 66 };
        assert_eq!(
            conclude(Some(version), Ok(vec![adapter]), Vec::new()).findings,
            [
                Finding::PoweredOff { adapter: name() },
                Finding::NoAdvertising { adapter: name() },
                Finding::OneRole { adapter: name() },
                Finding::Dated { version },
            ]
        );
    }

    #[test]
    fn rfkill_is_read_for_bluetooth_radios_only() {
        let folder = tempfile::tempdir().unwrap();
        for (radio, kind, hard, soft) in [("rfkill0", "wlan", "1", "1"), ("rfkill1", "bluetooth", "0", "1")] {
            let path = folder.path().join(radio);
            fs::create_dir(&path).unwrap();
            for (file, text) in [("type", kind), ("hard", hard), ("soft", soft), ("name", "hci0")] {
                fs::write(path.join(file), format!("{text}\n")).unwrap();
            }
        }
        assert_eq!(blocked(folder.path()), [Finding::SoftBlocked { radio: "hci0".to_owned() }]);
        assert_eq!(blocked(Path::new("/nowhere/rfkill")), []);
    }
}
