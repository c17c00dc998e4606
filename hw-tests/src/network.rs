//! Networks of a test's own: places (network namespaces), wires between them, and what befalls the packets there.
//!
//! Nothing of it touches the networks of the machine, and all of it is gone with the last handle on a place.

use std::ffi::OsStr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Says, when it is set, that networks can be made: a test that needs one then fails where it would be ignored.
const PROMISED: &str = "HW_NETWORK";
/// Swallows everything that comes in, without a word.
const CUT: &str = "table inet cut {
    chain input {
        type filter hook input priority -300; policy drop;
        iifname \"lo\" accept
    }
}";
/// A wire whose packets are translated: nothing that lasts.
const WIRE: &str = "ip link add one type veth peer name other && ip link set one up &&
    nft 'add table ip nat; add chain ip nat out { type nat hook postrouting priority 100; };
         add rule ip nat out oifname one masquerade fully-random'";
/// Loss and delay on that wire.
const LOSS: &str = "tc qdisc add dev one root handle 1: tbf rate 1gbit burst 1600 limit 64mb &&
    tc qdisc add dev one parent 1: netem delay 1ms loss 1%";

/// What networks a test makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Networks {
    /// Wires and rules.
    Wired,
    /// Wires that lose and delay as well.
    Lossy,
}

impl Networks {
    /// Why none can be made here, if none can: it is tried.
    pub(crate) fn lack(self) -> Option<String> {
        if std::env::var_os(PROMISED).is_some() {
            return None;
        }
        let (script, with) = match self {
            Self::Wired => (WIRE.to_owned(), "nftables"),
            Self::Lossy => (format!("{WIRE} && {LOSS}"), "nftables and netem"),
        };
        let said = match std::process::Command::new("unshare").args(["--net", "sh", "-c", &script]).output() {
            Ok(output) if output.status.success() => return None,
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        let said = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
        Some(format!("needs network namespaces with {with}: {said}"))
    }
}

/// A place of its own on no network but the wires laid to it.
#[derive(Debug, Clone)]
pub struct Place(Arc<Namespace>);

#[derive(Debug)]
struct Namespace {
    /// As the test calls it.
    label: &'static str,
    /// As the kernel knows it.
    name: String,
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A process that still runs in it keeps it until it ends.
        let removed = std::process::Command::new("ip").args(["netns", "delete", &self.name]).status();
        if !removed.is_ok_and(|status| status.success()) {
            eprintln!("the namespace {} is still there", self.name);
        }
    }
}

impl Place {
    /// Makes a place that has nothing but a loopback. Device names bear the label: ten letters at most.
    pub async fn new(label: &'static str) -> Result<Self, Failed> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("hw-{}-{number}-{label}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &name]), "").await?;
        let place = Self(Arc::new(Namespace { label, name }));
        place.ip("link set lo up").await?;
        Ok(place)
    }

    /// A program that will run there. What it opens as a file, a Unix socket included, is the machine's.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.0.name)).arg("--").arg(program);
        command
    }

    /// Gives it these commands of `ip`, one a line.
    pub async fn ip(&self, commands: &str) -> Result<(), Failed> {
        let mut ip = Command::new("ip");
        ip.args(["-netns", &self.0.name, "-batch", "-"]);
        run(&mut ip, commands).await.map(drop)
    }

    /// Gives it these rules of nftables.
    pub async fn nft(&self, rules: &str) -> Result<(), Failed> {
        run(self.command("nft").args(["-f", "-"]), rules).await.map(drop)
    }

    /// Has it pass on packets that are for others.
    pub async fn route(&self) -> Result<(), Failed> {
        let on = "echo 1 > /proc/sys/net/ipv4/ip_forward";
        run(self.command("sh").args(["-c", on]), "").await.map(drop)
    }

    /// How many packets a named counter of a table has counted.
    pub async fn counted(&self, table: &str, counter: &str) -> Result<u64, Failed> {
        let asked =
            run(self.command("nft").args(["-j", "list", "counter", "inet", table, counter]), "").await?;
        let listed: Value = serde_json::from_str(&asked)?;
        let counters = listed["nftables"].as_array().into_iter().flatten();
        let packets = counters.filter_map(|entry| entry["counter"]["packets"].as_u64()).next();
        Ok(packets.ok_or_else(|| format!("no counter {counter}: {asked}"))?)
    }

    /// Lets nothing in from here on. Nobody is told: what is sent to it is lost, what it sends still leaves.
    pub async fn cut(&self) -> Result<(), Failed> {
        self.nft(CUT).await
    }

    /// Lets in again what comes.
    pub async fn mend(&self) -> Result<(), Failed> {
        self.nft("delete table inet cut").await
    }

    /// Holds back what leaves on the wire to another place for so long, and loses so many percent of it.
    async fn hold_back(&self, towards: &Self, delay: Duration, loss: f32) -> Result<(), Failed> {
        let device = towards.device();
        // The kernel passes on several packets as one until they meet a bucket that is too small for that. What is
        // on the way at full speed has room in the queue: nothing is lost but what shall be.
        let commands = format!(
            "qdisc replace dev {device} root handle 1: tbf rate 1gbit burst 1600 limit 64mb\n\
             qdisc replace dev {device} parent 1: handle 2: \
             netem delay {}us loss random {loss}% limit 40000",
            delay.as_micros()
        );
        let mut tc = Command::new("tc");
        tc.args(["-netns", &self.0.name, "-batch", "-"]);
        run(&mut tc, &commands).await.map(drop)
    }

    /// How many packets were lost on the way to another place since that was made worse.
    pub async fn lost(&self, towards: &Self) -> Result<u64, Failed> {
        let mut tc = Command::new("tc");
        tc.args(["-netns", &self.0.name, "-json", "-statistics", "qdisc", "show", "dev", &towards.device()]);
        let asked = run(&mut tc, "").await?;
        let listed: Value = serde_json::from_str(&asked)?;
        let netem = listed.as_array().into_iter().flatten().find(|qdisc| qdisc["kind"] == "netem");
        let lost = netem.and_then(|netem| netem["drops"].as_u64());
        Ok(lost.ok_or_else(|| format!("no netem on the way to {}: {asked}", towards.0.label))?)
    }

    /// The device that leads to this place, in every place with a wire to it.
    pub fn device(&self) -> String {
        format!("to-{}", self.0.label)
    }
}

/// Lays a wire between two places, each with its address on it, like `192.0.2.1/30`.
pub async fn wire(one: (&Place, &str), other: (&Place, &str)) -> Result<(), Failed> {
    let (at_one, at_other) = (other.0.device(), one.0.device());
    let made = format!("link add {at_one} type veth peer name {at_other} netns {}", other.0.0.name);
    one.0.ip(&made).await?;
    for ((place, address), device) in [(one, at_one), (other, at_other)] {
        place.ip(&format!("address add {address} dev {device}\nlink set {device} up")).await?;
    }
    Ok(())
}

/// Makes a wire worse: packets take so long there and back, and so many percent are lost each way.
pub async fn impair(one: &Place, other: &Place, round_trip: Duration, loss: f32) -> Result<(), Failed> {
    one.hold_back(other, round_trip / 2, loss).await?;
    other.hold_back(one, round_trip / 2, loss).await
}

/// Runs a program to a good end; what it printed.
async fn run(command: &mut Command, input: &str) -> Result<String, Failed> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{:?}: {}\n{input}", command.as_std(), said.trim()).into())
}
