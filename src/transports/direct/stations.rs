//! Our endpoints: that of the current key, and that of the previous one while somebody may still know it.

use std::sync::Arc;
use std::time::Duration;

use iroh::SecretKey;
use iroh::endpoint::Endpoint;
use tokio::sync::{Notify, mpsc};

use super::config::Config;
use super::endpoint::{Accepted, Station};
use super::error::StartError;

/// How often a socket is tried to be opened where another was closed.
const MOVE_TRIES: u32 = 50;
/// The pause between two tries.
const MOVE_PAUSE: Duration = Duration::from_millis(100);

/// Our endpoints.
pub(super) struct Stations {
    /// The current key's first.
    open: Vec<Station>,
    accepting: mpsc::Sender<Accepted>,
    news: Arc<Notify>,
}

impl Stations {
    /// Opens the endpoint of a key. Whoever connects goes to `accepting`, and `news` rings when what an
    /// endpoint sees around itself has changed.
    pub(super) async fn open(
        config: &Config,
        secret: &[u8; 32],
        accepting: mpsc::Sender<Accepted>,
        news: Arc<Notify>,
    ) -> Result<Self, StartError> {
        let mut stations = Self { open: Vec::new(), accepting, news };
        stations.add(config, secret).await?;
        Ok(stations)
    }

    /// The current key's.
    pub(super) fn current(&self) -> Option<&Station> {
        self.open.first()
    }

    /// Every endpoint.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Station> {
        self.open.iter()
    }

    /// The endpoint to make the next call with, for who was turned away this often.
    pub(super) fn to_call_with(&self, turned_away: usize) -> Option<&Endpoint> {
        let index = turned_away.checked_rem(self.open.len())?;
        self.open.get(index).map(|station| &station.endpoint)
    }

    /// Takes out the endpoints that are of no use with these keys; they are to be closed before
    /// [`Self::open_missing`].
    ///
    /// A fixed port goes to the current key; the previous one then listens on any port that is free, where
    /// nobody calls it, but it can still call.
    pub(super) fn take_useless(
        &mut self,
        config: &Config,
        current: &[u8; 32],
        previous: Option<&[u8; 32]>,
    ) -> Vec<Station> {
        let current = self.take(current);
        let previous = previous.filter(|_| current.is_some() || !config.has_fixed_port());
        let previous = previous.and_then(|secret| self.take(secret));
        let useful = current.into_iter().chain(previous).collect();
        std::mem::replace(&mut self.open, useful)
    }

    /// Opens an endpoint for each key that has none yet.
    pub(super) async fn open_missing(
        &mut self,
        config: &Config,
        current: &[u8; 32],
        previous: Option<&[u8; 32]>,
    ) -> Result<(), StartError> {
        let previous_open = previous.and_then(|secret| self.take(secret));
        if self.open.is_empty() {
            self.open_patiently(config, current).await?;
        }
        match (previous_open, previous) {
            (Some(station), _) => self.open.push(station),
            (None, Some(secret)) => self.add(&config.on_any_port(), secret).await?,
            (None, None) => {}
        }
        Ok(())
    }

    /// Closes every endpoint.
    pub(super) async fn close(&mut self) {
        for station in self.open.drain(..) {
            station.close().await;
        }
    }

    async fn add(&mut self, config: &Config, secret: &[u8; 32]) -> Result<(), StartError> {
        let news = Arc::clone(&self.news);
        self.open.push(Station::open(config, secret, self.accepting.clone(), news).await?);
        Ok(())
    }

    /// Opens an endpoint where another was closed: the last tasks of its connections hold its sockets for a
    /// moment.
    async fn open_patiently(&mut self, config: &Config, secret: &[u8; 32]) -> Result<(), StartError> {
        let mut tries = 0;
        loop {
            match self.add(config, secret).await {
                Err(StartError::Bind(error)) if tries < MOVE_TRIES => {
                    tracing::debug!(%error, "the sockets are not free yet");
                    tries += 1;
                    tokio::time::sleep(MOVE_PAUSE).await;
                }
                done => return done,
            }
        }
    }

    /// Takes out the endpoint of a key.
    fn take(&mut self, secret: &[u8; 32]) -> Option<Station> {
        let id = SecretKey::from_bytes(secret).public();
        let at = self.open.iter().position(|station| station.endpoint.id() == id)?;
        Some(self.open.remove(at))
    }
}
