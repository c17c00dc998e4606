//! What the machine is like: whether there is a way to the internet, whether its battery is low, whether bytes
//! cost money. The node asks every half minute and tells its router.
//!
//! The kernel says the first two, in a few lines of `/proc/net` and `/sys/class/power_supply`; it has no idea of
//! the third, so the configuration says that.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use crate::config::{Text, UnknownWord};
use crate::router::event::Conditions;

/// A battery below this many percent that is not being charged is low.
const LOW_PERCENT: u8 = 20;
/// The route may be used (`RTF_UP` in the kernel's `route.h`).
const ROUTE_UP: u32 = 0x0001;
/// The route refuses what matches it (`RTF_REJECT`).
const ROUTE_REJECTS: u32 = 0x0200;

/// What the configuration says about the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// Every byte over the internet costs money.
    pub metered: bool,
    /// How the battery is.
    pub battery: BatterySetting,
}

/// What the configuration says about the battery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BatterySetting {
    /// The kernel knows.
    #[default]
    Auto,
    /// As if it were low.
    Low,
    /// As if there were none.
    Fine,
}

impl Text for BatterySetting {}

impl FromStr for BatterySetting {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "auto" => Ok(Self::Auto),
            "low" => Ok(Self::Low),
            "fine" => Ok(Self::Fine),
            _ => Err(UnknownWord { found: text.to_owned(), allowed: &["auto", "low", "fine"] }),
        }
    }
}

impl fmt::Display for BatterySetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Low => "low",
            Self::Fine => "fine",
        })
    }
}

/// Looks at this machine. What cannot be read counts as not there: no battery, no route.
pub fn conditions(settings: Settings) -> Conditions {
    look(Path::new("/"), settings)
}

fn look(root: &Path, settings: Settings) -> Conditions {
    let text = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    Conditions {
        internet: has_default_route(&text("proc/net/route"))
            || has_default_route_v6(&text("proc/net/ipv6_route")),
        battery_low: match settings.battery {
            BatterySetting::Low => true,
            BatterySetting::Fine => false,
            BatterySetting::Auto => batteries_are_low(&batteries(&root.join("sys/class/power_supply"))),
        },
        metered: settings.metered,
    }
}

/// One battery of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Battery {
    percent: u8,
    discharging: bool,
}

/// Every battery that runs the machine.
fn batteries(class: &Path) -> Vec<Battery> {
    let entries = fs::read_dir(class).into_iter().flatten().filter_map(Result::ok);
    let read = |entry: fs::DirEntry| {
        let text = |name: &str| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        battery(&text("type"), &text("scope"), &text("capacity"), &text("status"))
    };
    entries.filter_map(read).collect()
}

/// Reads the attributes of a power supply; `None` when it is no battery of the machine itself: mains, or a mouse.
fn battery(kind: &str, scope: &str, capacity: &str, status: &str) -> Option<Battery> {
    if kind.trim() != "Battery" || scope.trim() == "Device" {
        return None;
    }
    Some(Battery { percent: capacity.trim().parse().ok()?, discharging: status.trim() == "Discharging" })
}

/// Whether one of them is being used up and none has much left: a laptop with two empties one after the other.
fn batteries_are_low(batteries: &[Battery]) -> bool {
    batteries.iter().any(|battery| battery.discharging)
        && batteries.iter().all(|battery| battery.percent < LOW_PERCENT)
}

/// Reads `/proc/net/route`: interface, destination, gateway, flags, three counts, mask; numbers are hexadecimal.
fn has_default_route(table: &str) -> bool {
    table.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [interface, destination, _, flags, _, _, _, mask, ..] = fields.as_slice() else { return false };
        is_zero(destination) && is_zero(mask) && leads_out(interface, flags)
    })
}

/// Reads `/proc/net/ipv6_route`: destination and its length, source and its length, next hop, three counts,
/// flags, interface; numbers are hexadecimal.
fn has_default_route_v6(table: &str) -> bool {
    table.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [destination, length, _, _, _, _, _, _, flags, interface] = fields.as_slice() else {
            return false;
        };
        is_zero(destination) && is_zero(length) && leads_out(interface, flags)
    })
}

fn is_zero(hex: &str) -> bool {
    !hex.is_empty() && hex.bytes().all(|digit| digit == b'0')
}

fn leads_out(interface: &str, flags: &str) -> bool {
    let flags = u32::from_str_radix(flags, 16).unwrap_or(0);
    interface != "lo" && flags & ROUTE_UP != 0 && flags & ROUTE_REJECTS == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTO: Settings = Settings { metered: false, battery: BatterySetting::Auto };
    const HEADER: &str =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
    const DEFAULT: &str = "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
    const LAN: &str = "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";

    fn six(length: &str, flags: &str, interface: &str) -> String {
        let zero = "00000000000000000000000000000000";
        format!("{zero} {length} {zero} 00 {zero} 00000400 00000001 00000000 {flags}     {interface}\n")
    }

    #[test]
    fn a_default_route_is_a_way_to_the_internet_and_a_lan_is_none() {
        assert!(has_default_route(&format!("{HEADER}{LAN}{DEFAULT}")));
        assert!(!has_default_route(&format!("{HEADER}{LAN}")));
        assert!(!has_default_route(HEADER));
        assert!(!has_default_route(""));
    }

    #[test]
    fn the_kernels_own_refusing_default_of_ipv6_is_no_way() {
        assert!(has_default_route_v6(&six("00", "00000003", "eth0")));
        assert!(!has_default_route_v6(&six("00", "00200200", "lo")));
        assert!(!has_default_route_v6(&six("00", "00000201", "eth0")));
        assert!(!has_default_route_v6(&six("80", "00000003", "eth0")));
        assert!(!has_default_route_v6("short line\n"));
    }

    #[test]
    fn a_battery_is_low_only_below_twenty_percent_and_while_it_is_used_up() {
        let low = |percent, discharging| batteries_are_low(&[Battery { percent, discharging }]);
        assert!(low(19, true));
        assert!(!low(20, true));
        assert!(!low(5, false));
        assert!(!batteries_are_low(&[]));
        let full = Battery { percent: 90, discharging: false };
        assert!(!batteries_are_low(&[Battery { percent: 5, discharging: true }, full]));
    }

    #[test]
    fn neither_mains_nor_a_mouse_is_the_machines_battery() {
        let read = Some(Battery { percent: 12, discharging: true });
        assert_eq!(battery("Battery\n", "", "12\n", "Discharging\n"), read);
        assert_eq!(battery("Battery\n", "System\n", "12\n", "Discharging\n"), read);
        assert_eq!(battery("Battery\n", "Device\n", "12\n", "Discharging\n"), None);
        assert_eq!(battery("Mains\n", "", "", ""), None);
        assert_eq!(battery("Battery\n", "", "?\n", "Unknown\n"), None);
    }

    #[test]
    fn a_machine_is_read_from_its_files_and_the_configuration_has_the_last_word() {
        let root = tempfile::tempdir().unwrap();
        let supply = root.path().join("sys/class/power_supply/BAT0");
        fs::create_dir_all(&supply).unwrap();
        for (name, text) in [("type", "Battery\n"), ("capacity", "7\n"), ("status", "Discharging\n")] {
            fs::write(supply.join(name), text).unwrap();
        }
        fs::create_dir_all(root.path().join("proc/net")).unwrap();
        fs::write(root.path().join("proc/net/route"), format!("{HEADER}{DEFAULT}")).unwrap();
        let expected = Conditions { internet: true, battery_low: true, metered: false };
        assert_eq!(look(root.path(), AUTO), expected);
        let settings = Settings { metered: true, battery: BatterySetting::Fine };
        let expected = Conditions { internet: true, battery_low: false, metered: true };
        assert_eq!(look(root.path(), settings), expected);
    }

    #[test]
    fn a_machine_that_says_nothing_is_on_mains_and_offline() {
        let nowhere = look(Path::new("/nowhere"), AUTO);
        assert_eq!(nowhere, Conditions { internet: false, battery_low: false, metered: false });
    }
}
