//! What goes by the day: ticket keys come and go, the record is made anew, what is too old is deleted (spec 4, 16.2).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::htx::ticket::TicketSecret;
use crate::net::server::GateHandle;
use crate::time::{Instant, Now};
use crate::wire::record::{SignedRecord, TicketKey};

use super::error::RelayError;
use super::record::{Author, write};
use super::store::Store;

/// Days for which there is a ticket key: today and the next 13.
const DAYS: u32 = 14;
/// How often old things are looked for; a key is erased on the minute.
const EVERY: Duration = Duration::from_secs(3_600);
const DAY_MS: u64 = 86_400_000;
/// When a key of yesterday is erased, after midnight.
const ERASURE_MS: u64 = 3 * 3_600_000;

/// The keys that are missing for a day, made.
pub(super) fn missing(known: &[TicketKey], today: u32, rng: &mut ChaCha20Rng) -> Vec<TicketSecret> {
    days(today)
        .filter(|day| !known.iter().any(|key| key.day == *day))
        .map(|day| TicketSecret::generate(day, rng))
        .collect()
}

/// The keys that belong into a record of this day.
pub(super) fn current(known: &[TicketKey], today: u32) -> Vec<TicketKey> {
    known.iter().copied().filter(|key| days(today).contains(&key.day)).collect()
}

fn days(today: u32) -> std::ops::Range<u32> {
    today..today.saturating_add(DAYS)
}

/// Does it all, day by day.
#[derive(Debug)]
pub(super) struct Rotation {
    pub(super) clock: Clock,
    pub(super) store: Store,
    pub(super) gate: GateHandle,
    pub(super) author: Arc<Author>,
    pub(super) known: Vec<TicketKey>,
    /// Where the record is written to.
    pub(super) file: PathBuf,
    pub(super) record: watch::Sender<SignedRecord>,
    pub(super) rng: ChaCha20Rng,
}

impl Rotation {
    /// Runs until it is aborted.
    pub(super) async fn run(mut self) {
        let mut day = self.clock.now().unix.day();
        loop {
            self.clean().await;
            let now = self.clock.now();
            self.clock.sleep_until(Some(next(now))).await;
            let today = self.clock.now().unix.day();
            if today != day {
                match self.renew(today).await {
                    Ok(()) => day = today,
                    Err(error) => tracing::error!(%error, "the record could not be renewed"),
                }
            }
        }
    }

    /// A new day: keys on disk first, then in the gate, then in the record.
    async fn renew(&mut self, today: u32) -> Result<(), RelayError> {
        let made = missing(&self.known, today, &mut self.rng);
        let keys: Vec<TicketKey> = made.iter().map(TicketSecret::public).collect();
        let copies = made.iter().map(|made| TicketSecret::from_parts(made.id(), made.day(), made.secret()));
        self.store.keep(copies.collect()).await?;
        for secret in made {
            self.gate.add(secret).await;
        }
        self.known.extend(keys);
        let record = self.author.record(current(&self.known, today), today)?;
        write(&self.file, &record)?;
        tracing::info!("the record was renewed");
        // Nobody may be looking, and that is no error.
        self.record.send_replace(record);
        Ok(())
    }

    async fn clean(&mut self) {
        let erased = self.gate.erase().await;
        self.known.retain(|key| !erased.contains(&key.id));
        let cleaned = async {
            self.store.erase(erased).await?;
            while self.store.sweep().await?.more {}
            Ok::<_, RelayError>(())
        };
        if let Err(error) = cleaned.await {
            tracing::error!(%error, "what is too old could not be deleted");
        }
    }
}

/// The next midnight, the next erasure, or in an hour, whichever is first.
fn next(now: Now) -> Instant {
    let until = |at: u64| {
        let into = now.unix.0 % DAY_MS;
        Duration::from_millis(if into < at { at - into } else { at + DAY_MS - into })
    };
    now.instant + EVERY.min(until(ERASURE_MS)).min(until(DAY_MS))
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng;

    use super::*;
    use crate::time::UnixMillis;

    const MIDNIGHT: UnixMillis = UnixMillis(1_795_305_600_000);

    fn keys(days: impl IntoIterator<Item = u32>) -> Vec<TicketKey> {
        days.into_iter().map(|day| TicketKey { id: [0; 8], public: [0; 32], day }).collect()
    }

    fn days(keys: impl IntoIterator<Item = u32>) -> Vec<u32> {
        keys.into_iter().collect()
    }

    #[test]
    fn there_is_a_key_for_today_and_the_next_thirteen_days_and_none_is_made_twice() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let made = |known: &[TicketKey], rng: &mut ChaCha20Rng| {
            days(missing(known, 100, rng).iter().map(TicketSecret::day))
        };
        assert_eq!(made(&[], &mut rng), days(100..114));
        assert_eq!(made(&keys(99..113), &mut rng), [113], "a day later");
        assert_eq!(made(&keys(100..114), &mut rng), [0; 0]);
        let shown = current(&keys(98..113), 100);
        assert_eq!(days(shown.iter().map(|key| key.day)), days(100..113), "yesterday's is not in the record");
    }

    #[test]
    fn it_wakes_at_midnight_at_three_and_at_least_every_hour() {
        let next_at = |after_midnight: u64| {
            let unix = MIDNIGHT + Duration::from_secs(after_midnight);
            next(Now { instant: Instant::ZERO, unix }).since_start().as_secs() + after_midnight
        };
        assert_eq!(next_at(23 * 3_600 + 1_800), 86_400);
        assert_eq!(next_at(2 * 3_600 + 1_800), 3 * 3_600);
        assert_eq!(next_at(3 * 3_600), 4 * 3_600);
        assert_eq!(next_at(0), 3_600);
    }
}
