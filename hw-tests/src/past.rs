//! A node's past: what its engine heard and kept before the daemon starts, with a clock that is handed in.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use hopline::clock::Clock;
use hopline::crypto::Identity;
use hopline::ids::{AdapterId, AttemptId, LinkId, PeerId};
use hopline::link::event::{DeviceAddress, RadioCommand, RadioEvent, Role};
use hopline::mesh::event::{Command, Input, Output};
use hopline::mesh::kept::Keep;
use hopline::mesh::{Config, Engine, public_packet};
use hopline::storage::{Database, DeviceKey, Limits, load_or_create};
use hopline::time::{Instant, Now, UnixMillis};
use libtest_mimic::Failed;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// How often everybody's timers are served: often enough that nobody seems to have gone.
const TICK: Duration = Duration::from_secs(1);
/// Those who said it, and are gone when the daemon starts.
const AUTHORS: u8 = 2;
const ADAPTER: AdapterId = AdapterId(0);

/// Makes a home whose node heard these texts, evenly over the past `span`, from peers that said them in turn. What its
/// engine kept of that is what the daemon finds at its start. Who said each is given back.
pub fn live(home: &Path, texts: &[String], span: Duration) -> Result<Vec<PeerId>, Failed> {
    DirBuilder::new().recursive(true).mode(0o700).create(home)?;
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let identity = load_or_create(home, &mut rng)?;
    let key = DeviceKey::load_or_create(home, &mut rng)?;
    let mut database = Database::open(home, &key, Limits::default())?;

    let UnixMillis(present) = Clock::start().now().unix;
    let began = UnixMillis(present.saturating_sub(u64::try_from(span.as_millis())?));
    let mut room = Room::new(identity, Now { instant: Instant::ZERO, unix: began }, &mut rng);
    let step = span / u32::try_from(texts.len())?;
    let mut said_by = Vec::new();
    for (text, author) in texts.iter().zip((0..room.authors.len()).cycle()) {
        room.pass(step);
        said_by.push(room.say(author, text)?);
    }
    database.transaction(|database| room.kept.iter().try_for_each(|change| database.keep(change)))?;
    Ok(said_by)
}

/// The node and those it hears, each over a link of its own. Their engines are the ones of every daemon; only the air
/// between them is made up, and loses nothing.
struct Room {
    node: Engine,
    authors: Vec<(Identity, Engine)>,
    now: Now,
    kept: Vec<Keep>,
}

impl Room {
    fn new(node: Identity, now: Now, rng: &mut ChaCha20Rng) -> Self {
        let mut seed = || {
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            seed
        };
        let node = Engine::new(node, Config::default(), seed());
        let names = (1..=AUTHORS).map(|number| format!("author {number}"));
        let mut author = |nickname| {
            let identity = Identity::generate(&mut ChaCha20Rng::from_seed(seed()));
            (identity.clone(), Engine::new(identity, Config { nickname, ..Config::default() }, seed()))
        };
        let authors = names.map(&mut author).collect();
        let mut room = Self { node, authors, now, kept: Vec::new() };
        room.meet();
        room
    }

    fn meet(&mut self) {
        let up = |number: u8| RadioEvent::AdapterUp { adapter: ADAPTER, address: DeviceAddress([number; 6]) };
        self.node.handle(Input::Radio(up(0)), self.now);
        for (number, (_, author)) in (1..).zip(&mut self.authors) {
            let link_up = |role, address| {
                let link = link(number);
                Input::Radio(RadioEvent::LinkUp {
                    link,
                    address: DeviceAddress([address; 6]),
                    role,
                    max_frame: 512,
                })
            };
            author.handle(Input::Radio(up(number)), self.now);
            author.handle(link_up(Role::Central, 0), self.now);
            self.node.handle(link_up(Role::Peripheral, number), self.now);
        }
        self.talk();
    }

    /// One of the authors says something to everyone.
    fn say(&mut self, author: usize, text: &str) -> Result<PeerId, Failed> {
        let (identity, engine) = self.authors.get_mut(author).ok_or("no such author")?;
        let packet = public_packet(identity, text, self.now.unix)?.bytes;
        engine.handle(Input::Command(Command::Flood { attempt: AttemptId(1), packet }), self.now);
        let peer = identity.peer_id();
        self.talk();
        Ok(peer)
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now.instant + span;
        while self.now.instant < end {
            let step = TICK.min(end.since(self.now.instant));
            self.now = Now { instant: self.now.instant + step, unix: self.now.unix + step };
            self.node.handle(Input::Timeout, self.now);
            self.authors.iter_mut().for_each(|(_, author)| author.handle(Input::Timeout, self.now));
            self.talk();
        }
    }

    /// Carries what they write to each other until nobody has anything more to say.
    fn talk(&mut self) {
        let mut silent = false;
        while !silent {
            silent = true;
            for (link, frame) in written(&mut self.node, self.now, &mut self.kept) {
                silent = false;
                let author =
                    usize::try_from(link.serial).ok().and_then(|serial| self.authors.get_mut(serial - 1));
                if let Some((_, author)) = author {
                    author.handle(Input::Radio(RadioEvent::Received { link, bytes: frame }), self.now);
                }
            }
            for (_, author) in &mut self.authors {
                for (link, bytes) in written(author, self.now, &mut Vec::new()) {
                    silent = false;
                    self.node.handle(Input::Radio(RadioEvent::Received { link, bytes }), self.now);
                }
            }
        }
    }
}

/// What an engine puts on its links; what it wants kept is added to `kept`.
fn written(engine: &mut Engine, now: Now, kept: &mut Vec<Keep>) -> Vec<(LinkId, Bytes)> {
    let mut frames = Vec::new();
    while let Some(output) = engine.poll_output() {
        match output {
            Output::Keep(change) => kept.push(change),
            Output::Radio(RadioCommand::Write { link, frame }) => {
                engine.handle(Input::Radio(RadioEvent::Written { link }), now);
                frames.push((link, frame));
            }
            Output::Radio(_) | Output::Event(_) => {}
        }
    }
    frames
}

fn link(number: u8) -> LinkId {
    LinkId { adapter: ADAPTER, serial: number.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_others_said_is_on_disk() {
        let home = tempfile::tempdir().unwrap();
        let texts: Vec<String> = (0..50).map(|number| format!("number {number}")).collect();
        let path = home.path().join("ada");
        let said_by = live(&path, &texts, Duration::from_secs(3_600)).unwrap();
        let key = DeviceKey::load_or_create(&path, &mut ChaCha20Rng::seed_from_u64(8)).unwrap();
        let (kept, _) = Database::open(&path, &key, Limits::default()).unwrap().kept().unwrap();
        let said = |text: &str| {
            kept.iter()
                .filter(|kept| kept.value.windows(text.len()).any(|part| part == text.as_bytes()))
                .count()
        };
        assert_eq!(texts.iter().filter(|text| said(text) > 0).count(), texts.len());
        assert!(said_by.len() == texts.len() && said_by[0] != said_by[1] && said_by[0] == said_by[2]);
    }
}
