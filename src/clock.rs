//! The clocks of this machine: the only place that reads them.

use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use tokio::process::Command;
use tokio::time::{Instant as Moment, Sleep};

use crate::time::{Instant, Now, UnixMillis};

/// When this release was built: 2026-11-22. Raised at every release.
///
/// A wall clock that stands before it is plainly unset, and packets stamped by it would be refused by
/// everybody (spec 2.7); so nothing is sent then.
pub const RELEASE_DATE: UnixMillis = UnixMillis(1_795_305_600_000);

/// How long a program that knows the kernel's clock status may take to tell it.
const ASK_TIMEOUT: Duration = Duration::from_secs(3);

/// A monotonic clock that started at zero with the node, and the wall clock beside it. The monotonic one is the
/// runtime's: where a test has the runtime's time stand or leap, this one does too.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Moment,
    /// What the wall clock said at the start, where it is not this machine's.
    wall: Option<UnixMillis>,
}

impl Clock {
    /// A clock whose run starts here.
    pub fn start() -> Self {
        Self { start: Moment::now(), wall: None }
    }

    /// A clock whose run starts here, at a wall clock time that is handed in: for programs under test.
    pub fn starting_at(wall: UnixMillis) -> Self {
        Self { wall: Some(wall), ..Self::start() }
    }

    /// Both clocks, read once.
    pub fn now(&self) -> Now {
        let elapsed = Moment::now().saturating_duration_since(self.start);
        let unix = self.wall.map_or_else(wall_clock, |start| start + elapsed);
        Now { instant: Instant::from_start(elapsed), unix }
    }

    /// Waits until an instant of this run; for ever when there is none.
    pub async fn sleep_until(&self, at: Option<Instant>) {
        match at.and_then(|at| self.name(at)) {
            Some(at) => tokio::time::sleep_until(at).await,
            // None was asked for, or one that lies beyond what the runtime can name.
            None => std::future::pending().await,
        }
    }

    /// An instant of this run as the runtime names it.
    fn name(&self, at: Instant) -> Option<Moment> {
        self.start.checked_add(at.since_start())
    }
}

/// Wakes a task that is polled, at an instant that may change at every turn.
#[derive(Debug)]
pub struct Alarm {
    clock: Clock,
    sleep: Option<Pin<Box<Sleep>>>,
    set: Option<Instant>,
}

impl Alarm {
    /// An alarm that is not set.
    pub const fn new(clock: Clock) -> Self {
        Self { clock, sleep: None, set: None }
    }

    /// Ready when the instant has come. It may be ready too early where an earlier instant was asked for before:
    /// to move it only forward costs nothing.
    pub fn poll(&mut self, at: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = at else { return Poll::Pending };
        if self.set.is_none_or(|set| at < set) {
            let Some(name) = self.clock.name(at) else { return Poll::Pending };
            match &mut self.sleep {
                Some(sleep) => sleep.as_mut().reset(name),
                None => self.sleep = Some(Box::pin(tokio::time::sleep_until(name))),
            }
            self.set = Some(at);
        }
        let Some(sleep) = &mut self.sleep else { return Poll::Pending };
        ready!(sleep.as_mut().poll(cx));
        self.set = None;
        Poll::Ready(())
    }
}

/// The wall clock; zero when it stands before 1970.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn wall_clock() -> UnixMillis {
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}

/// What the kernel says about its wall clock (the `STA_UNSYNC` bit of adjtimex(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronisation {
    /// A time source keeps it right.
    Synchronised,
    /// Nothing keeps it right.
    Unsynchronised,
    /// No program here could tell.
    Unknown,
}

/// Asks the kernel whether its clock is synchronised.
///
/// The system call needs `unsafe`, which this crate forbids itself, so a program that makes it is asked:
/// systemd's `timedatectl`, or else `adjtimex`.
pub async fn synchronisation() -> Synchronisation {
    if let Some(answer) = ask("timedatectl", &["show", "--property=NTPSynchronized", "--value"]).await {
        match answer.trim() {
            "yes" => return Synchronisation::Synchronised,
            "no" => return Synchronisation::Unsynchronised,
            _ => {}
        }
    }
    match ask("adjtimex", &["--print"]).await {
        Some(answer) => adjtimex_status(&answer),
        None => Synchronisation::Unknown,
    }
}

async fn ask(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(ASK_TIMEOUT, command.output()).await.ok()?.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Reads the `status: N` line that `adjtimex --print` writes.
fn adjtimex_status(printed: &str) -> Synchronisation {
    /// `STA_UNSYNC` of adjtimex(2).
    const UNSYNCHRONISED: u32 = 0x40;
    let status = printed.lines().find_map(|line| line.trim().strip_prefix("status:"));
    let word = status.and_then(|value| value.split_whitespace().next());
    match word.and_then(|word| word.parse::<u32>().ok()) {
        Some(bits) if UNSYNCHRONISED & bits == 0 => Synchronisation::Synchronised,
        Some(_) => Synchronisation::Unsynchronised,
        None => Synchronisation::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_bits_of_adjtimex_are_read() {
        let printed = |status: &str| format!("         mode: 0\n       status: {status}\n  constant: 7\n");
        assert_eq!(adjtimex_status(&printed("64 (UNSYNC)")), Synchronisation::Unsynchronised);
        assert_eq!(adjtimex_status(&printed("8193")), Synchronisation::Synchronised);
        assert_eq!(adjtimex_status("no such line"), Synchronisation::Unknown);
    }

    #[test]
    fn the_wall_clock_of_the_machine_that_builds_a_release_is_not_before_it() {
        assert!(
            wall_clock() >= RELEASE_DATE,
            "this machine's clock is unset, or RELEASE_DATE is in the future"
        );
    }

    #[test]
    fn a_clock_starts_near_zero_and_does_not_go_back() {
        let clock = Clock::start();
        let first = clock.now().instant;
        assert!(first < Instant::from_start(Duration::from_secs(5)));
        assert!(clock.now().instant >= first);
    }
}
