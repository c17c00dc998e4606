//! `hopline doctor`: what is missing for Bluetooth, and what to do about it.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::clock::{RELEASE_DATE, Synchronisation, synchronisation, wall_clock};

use crate::cli::context::Context;
use crate::cli::error::CliError;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Severity {
    /// As it should be.
    Good,
    /// It works, but not as well as it could.
    Warning,
    /// It does not work.
    Missing,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Missing => "MISSING",
        })
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    subject: &'static str,
    severity: Severity,
    found: String,
    advice: Option<&'static str>,
}

/// Everything that was looked at.
#[derive(Debug, Serialize)]
struct Report {
    ready: bool,
    findings: Vec<Finding>,
}

impl Finding {
    fn good(subject: &'static str, found: impl Into<String>) -> Self {
        Self { subject, severity: Severity::Good, found: found.into(), advice: None }
    }

    fn warning(subject: &'static str, found: impl Into<String>, advice: &'static str) -> Self {
        Self { subject, severity: Severity::Warning, found: found.into(), advice: Some(advice) }
    }

    fn missing(subject: &'static str, found: impl Into<String>, advice: &'static str) -> Self {
        Self { subject, severity: Severity::Missing, found: found.into(), advice: Some(advice) }
    }
}

pub(in crate::cli) async fn run(context: &Context) -> Result<(), CliError> {
    let mut findings = vec![kernel(Path::new("/sys/class/bluetooth"))];
    findings.extend(bluetooth::findings(&findings).await);
    findings.push(date());
    findings.push(clock(synchronisation().await));
    let missing = findings.iter().filter(|finding| finding.severity == Severity::Missing).count();
    let report = Report { ready: missing == 0, findings };
    let text = describe(&report);
    context.out.say(&report, text)?;
    if missing > 0 { Err(CliError::Missing(missing)) } else { Ok(()) }
}

fn describe(report: &Report) -> String {
    let line = |finding: &Finding| {
        let advice = finding.advice.map(|advice| format!("\n          -> {advice}")).unwrap_or_default();
        format!("{:<8}  {}: {}{advice}", finding.severity, finding.subject, finding.found)
    };
    let mut lines: Vec<String> = report.findings.iter().map(line).collect();
    if report.ready {
        lines.push("This machine is ready: hopline daemon".to_owned());
    } else {
        lines.push(
            "Without Bluetooth, `hopline demo` shows what Hopline does, and `hopline air` with".to_owned(),
        );
        lines.push("`hopline daemon --radio sim:PATH` runs nodes on a simulated air.".to_owned());
    }
    lines.join("\n")
}

/// The adapters the kernel has, which needs neither BlueZ nor permission to see.
fn kernel(class: &Path) -> Finding {
    let entries = fs::read_dir(class).map(|entries| entries.filter_map(Result::ok)).ok();
    let names = entries.into_iter().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    // A connection has an entry of its own there, like hci0:42.
    let mut adapters: Vec<String> =
        names.filter(|name| name.starts_with("hci") && !name.contains(':')).collect();
    adapters.sort();
    if adapters.is_empty() {
        return Finding::missing(
            "adapter",
            "this machine has no Bluetooth adapter",
            "plug in a USB adapter for Bluetooth 4.0 or later, or enable the built-in one; then `dmesg | grep -i \
             bluetooth` shows whether the kernel knows it",
        );
    }
    Finding::good("adapter", adapters.join(", "))
}

fn date() -> Finding {
    if wall_clock() < RELEASE_DATE {
        return Finding::missing(
            "date",
            "the clock stands before the day this program was built; nothing would be sent",
            "set it with `timedatectl set-time`, or connect to the internet so that it is set",
        );
    }
    Finding::good("date", "plausible")
}

fn clock(synchronisation: Synchronisation) -> Finding {
    match synchronisation {
        Synchronisation::Synchronised => Finding::good("clock", "synchronised, says the kernel"),
        Synchronisation::Unsynchronised => Finding::warning(
            "clock",
            "not synchronised, says the kernel; peers refuse packets that are more than two minutes off",
            "run `timedatectl set-ntp true`, or compare the clock with a phone's from time to time",
        ),
        Synchronisation::Unknown => Finding::warning(
            "clock",
            "the kernel could not be asked whether it is synchronised",
            "neither `timedatectl` nor `adjtimex` answers here; compare the clock with a phone's",
        ),
    }
}

#[cfg(feature = "bluez")]
mod bluetooth {
    use super::{Finding as Line, Severity};
    use crate::radio::bluez::probe::{Finding, Probe, probe};

    /// What BlueZ says about itself and its adapters; an adapter that is known to be missing is not missed again.
    pub(super) async fn findings(before: &[Line]) -> Vec<Line> {
        let adapter_missed = before.iter().any(|line| line.severity == Severity::Missing);
        let probe = probe().await;
        let mut lines = good(&probe);
        let told = |finding: &&Finding| !(adapter_missed && matches!(finding, Finding::NoAdapter));
        lines.extend(probe.findings.iter().filter(told).map(line));
        lines
    }

    fn good(probe: &Probe) -> Vec<Line> {
        let mut lines = Vec::new();
        if let Some(version) = probe.version {
            lines.push(Line::good("bluez", format!("version {version}")));
        }
        let kept_out = |finding: &Finding| {
            matches!(finding, Finding::NoBus | Finding::Denied | Finding::NoDaemon | Finding::NoAnswer)
        };
        if !probe.findings.iter().any(kept_out) {
            lines.push(Line::good("permissions", "this user may talk to BlueZ"));
        }
        let is_blocked =
            |finding: &Finding| matches!(finding, Finding::HardBlocked { .. } | Finding::SoftBlocked { .. });
        if !probe.findings.iter().any(is_blocked) {
            lines.push(Line::good("rfkill", "nothing is blocked"));
        }
        for adapter in &probe.adapters {
            let power = if adapter.powered { "on" } else { "off" };
            lines.push(Line::good("adapter", format!("{} {}, {power}", adapter.name, adapter.address)));
        }
        lines
    }

    fn line(finding: &Finding) -> Line {
        let found = finding.to_string();
        match finding {
            Finding::NoBus => Line::missing(
                "d-bus",
                found,
                "install and start D-Bus: `sudo apt install dbus`, then `sudo systemctl start dbus`",
            ),
            Finding::Denied => Line::missing(
                "permissions",
                found,
                "join the group: `sudo usermod -aG bluetooth $USER`, and log in again",
            ),
            Finding::NoDaemon => Line::missing(
                "bluez",
                found,
                "`sudo apt install bluez`, then `sudo systemctl enable --now bluetooth`",
            ),
            Finding::NoAnswer => Line::missing("bluez", found, "`sudo systemctl restart bluetooth`"),
            Finding::NoAdapter => Line::missing(
                "adapter",
                found,
                "`sudo systemctl restart bluetooth`, or plug the adapter out and in again",
            ),
            Finding::HardBlocked { .. } => {
                Line::missing("rfkill", found, "look for a switch or a key on the machine, or in its BIOS")
            }
            Finding::SoftBlocked { .. } => Line::missing("rfkill", found, "`sudo rfkill unblock bluetooth`"),
            Finding::PoweredOff { .. } => {
                Line::warning("adapter", found, "nothing to do: `hopline daemon` switches it on")
            }
            Finding::NoAdvertising { .. } => Line::warning(
                "adapter",
                found,
                "nodes cannot find this one, but it finds them; another adapter would do both",
            ),
            Finding::AdvertisingFull { .. } => {
                Line::warning("adapter", found, "end other programs that advertise, or restart bluetoothd")
            }
            Finding::OneRole { .. } => Line::warning(
                "adapter",
                found,
                "add a second adapter: `hopline daemon --adapter hci0 --adapter hci1`",
            ),
            Finding::Dated { .. } => Line::warning(
                "bluez",
                found,
                "it works, with shorter frames and more air time; update BlueZ when you can",
            ),
            Finding::VersionUnknown => {
                Line::warning("bluez", found, "install its tools: `sudo apt install bluez`")
            }
        }
    }
}

#[cfg(not(feature = "bluez"))]
mod bluetooth {
    use super::Finding;

    pub(super) async fn findings(_before: &[Finding]) -> Vec<Finding> {
        vec![Finding::missing(
            "bluez",
            "this program was built without Bluetooth",
            "build it with the feature `bluez`",
        )]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_not_an_adapter() {
        let class = tempfile::tempdir().unwrap();
        for name in ["hci1", "hci0", "hci0:42"] {
            fs::create_dir(class.path().join(name)).unwrap();
        }
        assert_eq!(kernel(class.path()), Finding::good("adapter", "hci0, hci1"));
    }

    #[test]
    fn a_machine_without_an_adapter_is_told_what_to_do() {
        let finding = kernel(Path::new("/nowhere"));
        assert_eq!(finding.severity, Severity::Missing);
        assert!(finding.advice.unwrap().contains("USB adapter"));
    }

    #[test]
    fn an_unsynchronised_clock_is_a_warning_with_advice() {
        let finding = clock(Synchronisation::Unsynchronised);
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.advice.unwrap().contains("timedatectl"));
    }
}
