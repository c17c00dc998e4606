//! Everything a node said while it was watched, over all its lives.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hopline::api::client::Events;
use hopline::api::schema::{EventReport, ReceivedMessage};
use libtest_mimic::Failed;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// How long any single step may take. The bench's guest is emulated: this is no measure of anything.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// One event, and when it was heard.
#[derive(Debug, Clone)]
struct Entry {
    at: Instant,
    event: EventReport,
}

/// The events of one node, in order; it grows while the node runs.
#[derive(Debug, Clone)]
pub struct Record {
    name: String,
    entries: Arc<watch::Sender<Vec<Entry>>>,
    file: PathBuf,
}

/// A place in a record: what came before it does not count.
#[derive(Debug, Clone, Copy)]
pub struct Mark(usize);

/// An event that was waited for.
#[derive(Debug, Clone, Copy)]
pub struct Found<T> {
    /// When it was heard.
    pub at: Instant,
    /// The place behind it.
    pub after: Mark,
    /// What was taken from it.
    pub value: T,
}

/// A private message that was shown.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// When.
    pub at: Instant,
    /// What.
    pub message: ReceivedMessage,
}

impl Mark {
    /// Before everything.
    pub const START: Self = Self(0);
}

impl Record {
    /// An empty record, also written to `file`, one JSON object a line.
    pub(crate) fn new(name: &str, file: PathBuf) -> Self {
        Self { name: name.to_owned(), entries: Arc::new(watch::Sender::new(Vec::new())), file }
    }

    /// Takes down a stream of events until it ends.
    pub(crate) fn follow(&self, mut events: Events) {
        let record = self.clone();
        tokio::spawn(async move {
            loop {
                match events.next().await {
                    Ok(Some(event)) => record.add(event).await,
                    Ok(None) => return,
                    Err(error) => {
                        eprintln!("{}: {error}", record.name);
                        return;
                    }
                }
            }
        });
    }

    async fn add(&self, event: EventReport) {
        use tokio::io::AsyncWriteExt;
        if let Ok(line) = serde_json::to_string(&event)
            && let Ok(mut file) =
                tokio::fs::OpenOptions::new().create(true).append(true).open(&self.file).await
            && let Err(error) = file.write_all(format!("{line}\n").as_bytes()).await
        {
            eprintln!("{}: {error}", self.file.display());
        }
        self.entries.send_modify(|entries| entries.push(Entry { at: Instant::now(), event }));
    }

    /// The end of the record as it is.
    pub fn mark(&self) -> Mark {
        Mark(self.entries.borrow().len())
    }

    /// Waits for an event from `mark` on that `pick` takes.
    pub async fn find<T>(
        &self,
        mark: Mark,
        what: &str,
        within: Duration,
        mut pick: impl FnMut(&EventReport) -> Option<T>,
    ) -> Result<Found<T>, Failed> {
        let mut found = None;
        let mut next = mark.0;
        let mut entries = self.entries.subscribe();
        let waiting = entries.wait_for(|entries| {
            for entry in entries.iter().skip(next) {
                next += 1;
                let Some(value) = pick(&entry.event) else { continue };
                found = Some(Found { at: entry.at, after: Mark(next), value });
                return true;
            }
            false
        });
        let in_vain = |_| format!("{}: waited {within:?} in vain for {what}", self.name);
        timeout(within, waiting).await.map_err(in_vain)??;
        Ok(found.ok_or("an event that came and went")?)
    }

    /// Every private message that was shown, in order.
    pub fn arrivals(&self) -> Vec<Arrival> {
        let arrival = |entry: &Entry| {
            let EventReport::PrivateMessage(message) = &entry.event else { return None };
            Some(Arrival { at: entry.at, message: message.clone() })
        };
        self.entries.borrow().iter().filter_map(arrival).collect()
    }

    /// Every time this text was shown, public or private.
    pub fn shown(&self, text: &str) -> Vec<ReceivedMessage> {
        let entries = self.entries.borrow();
        let messages = entries.iter().filter_map(|entry| message(&entry.event));
        messages.filter(|message| message.text == text).cloned().collect()
    }

    /// Fails unless each of these texts was shown exactly once so far, and nothing was missed.
    ///
    /// The window is whatever the test did since it sent them: it should end with the arrival of something that
    /// was sent later.
    pub fn shown_once(&self, texts: &[&str]) -> Result<(), Failed> {
        for text in texts {
            let times = self.shown(text).len();
            if times != 1 {
                return Err(format!("{} showed {text:.40?} {times} times", self.name).into());
            }
        }
        let missed = |entry: &Entry| matches!(entry.event, EventReport::Missed { .. });
        if self.entries.borrow().iter().any(missed) {
            return Err(format!("{}: the record has a gap", self.name).into());
        }
        Ok(())
    }
}

fn message(event: &EventReport) -> Option<&ReceivedMessage> {
    if let EventReport::PublicMessage(message) | EventReport::PrivateMessage(message) = event {
        Some(message)
    } else {
        None
    }
}
