//! A node's past: what its engine said and kept before the daemon starts, with a clock that is handed in.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use hopline::clock::Clock;
use hopline::ids::{AdapterId, AttemptId, LinkId};
use hopline::link::event::{DeviceAddress, LinkDownReason, RadioCommand, RadioEvent, Role};
use hopline::mesh::event::{Command, Input, Output};
use hopline::mesh::{Config, Engine, public_packet};
use hopline::storage::{Database, DeviceKey, Limits, load_or_create};
use hopline::time::{Instant, Now, UnixMillis};
use libtest_mimic::Failed;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const LINK: LinkId = LinkId { adapter: AdapterId(0), serial: 1 };

/// Makes a home whose node said these texts, evenly over the past `span`, to a neighbour that nobody knew. What its
/// engine kept then is what the daemon finds at its start.
pub fn live(home: &Path, texts: &[String], span: Duration) -> Result<(), Failed> {
    DirBuilder::new().recursive(true).mode(0o700).create(home)?;
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let identity = load_or_create(home, &mut rng)?;
    let key = DeviceKey::load_or_create(home, &mut rng)?;
    let mut database = Database::open(home, &key, Limits::default())?;

    let UnixMillis(present) = Clock::start().now().unix;
    let began = UnixMillis(present.saturating_sub(u64::try_from(span.as_millis())?));
    let step = span / u32::try_from(texts.len())?;
    let mut now = Now { instant: Instant::ZERO, unix: began };
    let mut engine = Engine::new(identity.clone(), Config::default(), [1; 32]);
    let mut kept = Vec::new();
    let mut feed = |engine: &mut Engine, input: Input, now: Now| {
        engine.handle(input, now);
        while let Some(output) = engine.poll_output() {
            match output {
                Output::Keep(change) => kept.push(change),
                Output::Radio(RadioCommand::Write { link, .. }) => {
                    engine.handle(Input::Radio(RadioEvent::Written { link }), now);
                }
                Output::Radio(_) | Output::Event(_) => {}
            }
        }
    };
    let (adapter, address) = (LINK.adapter, DeviceAddress([1; 6]));
    feed(&mut engine, Input::Radio(RadioEvent::AdapterUp { adapter, address }), now);
    for text in texts {
        // Nothing is said into the void, and a neighbour that is silent does not stay one for long.
        let up = RadioEvent::LinkUp { link: LINK, address, role: Role::Central, max_frame: 512 };
        feed(&mut engine, Input::Radio(up), now);
        let packet = public_packet(&identity, text, now.unix)?.bytes;
        feed(&mut engine, Input::Command(Command::Flood { attempt: AttemptId(1), packet }), now);
        let down = RadioEvent::LinkDown { link: LINK, reason: LinkDownReason::Remote };
        feed(&mut engine, Input::Radio(down), now);
        now = Now { instant: now.instant + step, unix: now.unix + step };
        feed(&mut engine, Input::Timeout, now);
    }
    Ok(database.transaction(|database| kept.iter().try_for_each(|change| database.keep(change)))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_was_said_is_on_disk() {
        let home = tempfile::tempdir().unwrap();
        let texts: Vec<String> = (0..50).map(|number| format!("number {number}")).collect();
        let path = home.path().join("ada");
        live(&path, &texts, Duration::from_secs(3_600)).unwrap();
        let key = DeviceKey::load_or_create(&path, &mut ChaCha20Rng::seed_from_u64(8)).unwrap();
        let (kept, _) = Database::open(&path, &key, Limits::default()).unwrap().kept().unwrap();
        let said = |text: &str| {
            kept.iter()
                .filter(|kept| kept.value.windows(text.len()).any(|part| part == text.as_bytes()))
                .count()
        };
        assert_eq!(texts.iter().filter(|text| said(text) > 0).count(), texts.len());
    }
}
