//! A radio driven by hand: what the link layer would do, as far as a test of frames needs it.

use std::time::Duration;

use bytes::Bytes;
use hopline::ids::LinkId;
use hopline::link::event::{DeviceAddress, RadioCommand, RadioEvent, Role};
use hopline::radio::RadioHandle;
use hopline::radio::bluez::{self, Timings};
use libtest_mimic::Failed;
use tokio::time::timeout;

use crate::Bench;

/// How long any single step may take. The bench's guest is emulated: this is no measure of anything.
pub const STEP: Duration = Duration::from_secs(40);

/// One radio.
#[derive(Debug)]
pub struct Radio {
    name: String,
    handle: RadioHandle,
}

/// A link that is up.
#[derive(Debug, Clone, Copy)]
pub struct Up {
    /// Its name.
    pub link: LinkId,
    /// The other end.
    pub address: DeviceAddress,
    /// The longest frame it carries.
    pub max_frame: usize,
}

impl Radio {
    /// Opens the radio over one adapter and waits until it works.
    pub async fn open(adapter: &str) -> Result<Self, Failed> {
        Self::over(&[adapter]).await
    }

    /// Opens the radio over several adapters and waits until all of them work.
    pub async fn over(adapters: &[&str]) -> Result<Self, Failed> {
        let names = adapters.iter().map(|&name| name.to_owned()).collect();
        let handle = bluez::open(names, Timings::default()).await?;
        let mut radio = Self { name: adapters.join("+"), handle };
        let up = |event: &RadioEvent| matches!(event, RadioEvent::AdapterUp { .. });
        for _ in adapters {
            radio.wait_for("an adapter to come up", up).await?;
        }
        Ok(radio)
    }

    /// Takes events until one fits.
    pub async fn wait_for(
        &mut self,
        what: &str,
        fits: impl Fn(&RadioEvent) -> bool,
    ) -> Result<RadioEvent, Failed> {
        let waited = self.wait_at_most(STEP, fits).await;
        waited.map_err(|error| format!("{error}: {what}", error = error.message().unwrap_or_default()).into())
    }

    /// Takes events until one fits, for so long.
    pub async fn wait_at_most(
        &mut self,
        limit: Duration,
        fits: impl Fn(&RadioEvent) -> bool,
    ) -> Result<RadioEvent, Failed> {
        let waiting = async {
            loop {
                match self.handle.events.recv().await {
                    Some(event) if fits(&event) => return Ok(event),
                    Some(_) => {}
                    None => return Err(Failed::from(format!("{}: the radio ended", self.name))),
                }
            }
        };
        match timeout(limit, waiting).await {
            Ok(event) => event,
            Err(_) => Err(format!("{}: waited in vain", self.name).into()),
        }
    }

    /// Dials whatever is heard first until a link is up.
    pub async fn dial(&mut self) -> Result<Up, Failed> {
        let heard = |event: &RadioEvent| matches!(event, RadioEvent::Discovered { .. });
        if let RadioEvent::Discovered { adapter, address, .. } = self.wait_for("a device", heard).await? {
            self.command(RadioCommand::Connect { adapter, address }).await?;
        }
        self.up(Role::Central).await
    }

    /// Waits for a link in this role.
    pub async fn up(&mut self, wanted: Role) -> Result<Up, Failed> {
        let answers = |event: &RadioEvent| {
            matches!(event, RadioEvent::LinkUp { role, .. } if *role == wanted)
                || matches!(event, RadioEvent::ConnectFailed { .. })
        };
        let event = self.wait_for("a link", answers).await?;
        let RadioEvent::LinkUp { link, address, max_frame, .. } = event else {
            return Err(format!("{}: {event:?}", self.name).into());
        };
        Ok(Up { link, address, max_frame })
    }

    /// Sends a frame and waits until the radio took it.
    pub async fn send(&mut self, up: Up, frame: Bytes) -> Result<(), Failed> {
        self.command(RadioCommand::Write { link: up.link, frame }).await?;
        let ours = |event: &RadioEvent| *event == RadioEvent::Written { link: up.link };
        self.wait_for("a frame to be taken", ours).await?;
        Ok(())
    }

    /// The next frame that arrives on a link.
    pub async fn receive(&mut self, up: Up) -> Result<Bytes, Failed> {
        let ours =
            |event: &RadioEvent| matches!(event, RadioEvent::Received { link, .. } if *link == up.link);
        let event = self.wait_for("a frame", ours).await?;
        let RadioEvent::Received { bytes, .. } = event else {
            return Err(format!("{}: {event:?}", self.name).into());
        };
        Ok(bytes)
    }

    /// Gives the radio a command.
    pub async fn command(&mut self, command: RadioCommand) -> Result<(), Failed> {
        Ok(self.handle.commands.send(command).await?)
    }
}

/// Two radios with a link between them: who dialled, and who was dialled.
#[derive(Debug)]
pub struct Linked {
    /// Who dialled.
    pub central: (Radio, Up),
    /// Who was dialled.
    pub peripheral: (Radio, Up),
}

/// Opens the first two adapters; the second dials the first.
pub async fn link(bench: &Bench) -> Result<Linked, Failed> {
    let [first, second, ..] = bench.adapters.as_slice() else {
        return Err("two adapters are needed".into());
    };
    let (mut a, mut b) = (Radio::open(first).await?, Radio::open(second).await?);
    let (dialled, answered) = tokio::join!(b.dial(), a.up(Role::Peripheral));
    Ok(Linked { central: (b, dialled?), peripheral: (a, answered?) })
}

/// Bytes that differ by place, size and seed, so that a shifted, cut or swapped frame shows.
pub fn pattern(size: usize, seed: u8) -> Bytes {
    (0..size).map(|place| (place * 31 + size * 7 + usize::from(seed) * 101).to_le_bytes()[0]).collect()
}

/// Fails unless the frame arrived as it was sent.
pub fn same(actual: &Bytes, expected: &Bytes, how: &str) -> Result<(), Failed> {
    if actual == expected {
        return Ok(());
    }
    let place = actual.iter().zip(expected.iter()).position(|(a, b)| a != b);
    Err(format!(
        "{how}: {} bytes sent, {} arrived, first difference at {place:?}",
        expected.len(),
        actual.len()
    )
    .into())
}
