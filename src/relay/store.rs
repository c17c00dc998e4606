//! The one task that owns the database. What is there goes into one transaction, so that many share one wait for the
//! disk; nothing is answered before it is on it.

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::htx::ticket::TicketSecret;
use crate::net::server::Commit;
use crate::storage::{RelayDatabase, StoreError, Swept};
use crate::time::UnixMillis;

use super::mail::{Mail, Outcome, Why};
use super::metrics::Metrics;

/// Operations that may wait for the disk; whoever has one more waits.
const BOUND: usize = 64;
/// Tickets that may wait to be remembered.
pub(super) const TICKETS_BOUND: usize = 64;
/// How much goes into one transaction at most.
const BATCH: usize = 64;

/// The way to the database. When the last one and the gate's channel are gone, the database is closed.
#[derive(Debug, Clone)]
pub(super) struct Store {
    jobs: mpsc::Sender<Job>,
}

#[derive(Debug)]
enum Job {
    Mail { mail: Mail, answer: oneshot::Sender<Outcome> },
    Keep { secrets: Vec<TicketSecret>, done: oneshot::Sender<()> },
    /// Not part of a transaction: the write-ahead log is emptied after it.
    Erase { ids: Vec<[u8; 8]> },
    Sweep { answer: oneshot::Sender<Swept> },
}

/// What is to be said once the transaction stands.
enum Reply {
    Mail(oneshot::Sender<Outcome>, Outcome),
    Done(oneshot::Sender<()>),
    Swept(oneshot::Sender<Swept>, Swept),
}

/// Starts the task. The receiver brings the tickets that the gate let in.
pub(super) fn start(
    database: RelayDatabase,
    tickets: mpsc::Receiver<Commit>,
    clock: Clock,
    metrics: Metrics,
) -> (Store, JoinHandle<()>) {
    let (jobs, waiting) = mpsc::channel(BOUND);
    (Store { jobs }, tokio::spawn(run(database, waiting, tickets, clock, metrics)))
}

impl Store {
    /// Has something done with a mailbox, and waits until it is on disk.
    pub(super) async fn mail(&self, mail: Mail) -> Outcome {
        let (answer, answered) = oneshot::channel();
        if self.jobs.send(Job::Mail { mail, answer }).await.is_err() {
            return Err(Why::Store);
        }
        answered.await.unwrap_or(Err(Why::Store))
    }

    /// Keeps ticket keys, and waits until they are on disk.
    pub(super) async fn keep(&self, secrets: Vec<TicketSecret>) -> Result<(), StoreError> {
        let (done, kept) = oneshot::channel();
        self.jobs.send(Job::Keep { secrets, done }).await.map_err(|_| StoreError::Closed)?;
        kept.await.map_err(|_| StoreError::Closed)
    }

    /// Erases ticket keys.
    pub(super) async fn erase(&self, ids: Vec<[u8; 8]>) -> Result<(), StoreError> {
        self.jobs.send(Job::Erase { ids }).await.map_err(|_| StoreError::Closed)
    }

    /// Deletes what is too old.
    pub(super) async fn sweep(&self) -> Result<Swept, StoreError> {
        let (answer, swept) = oneshot::channel();
        self.jobs.send(Job::Sweep { answer }).await.map_err(|_| StoreError::Closed)?;
        swept.await.map_err(|_| StoreError::Closed)
    }
}

async fn run(
    mut database: RelayDatabase,
    mut jobs: mpsc::Receiver<Job>,
    mut tickets: mpsc::Receiver<Commit>,
    clock: Clock,
    metrics: Metrics,
) {
    let mut batch = Batch::default();
    loop {
        let open = tokio::select! {
            biased;
            Some(ticket) = tickets.recv() => { batch.tickets.push(ticket); true }
            Some(job) = jobs.recv() => { batch.jobs.push(job); true }
            else => false,
        };
        if !open {
            return;
        }
        while batch.tickets.len() < BATCH && let Ok(ticket) = tickets.try_recv() {
            batch.tickets.push(ticket);
        }
        while batch.jobs.len() < BATCH && let Ok(job) = jobs.try_recv() {
            batch.jobs.push(job);
        }
        let (taken, now) = (std::mem::take(&mut batch), clock.now().unix);
        let visit = tokio::task::spawn_blocking(move || {
            taken.commit(&mut database, now);
            let totals = database.mailbox_totals();
            (database, totals)
        });
        match visit.await {
            Ok((back, totals)) => {
                database = back;
                totals.into_iter().for_each(|totals| metrics.keeps(totals));
            }
            Err(error) => return tracing::error!(%error, "the store failed"),
        }
    }
}

#[derive(Debug, Default)]
struct Batch {
    tickets: Vec<Commit>,
    jobs: Vec<Job>,
}

impl Batch {
    /// Everything in one transaction, then the answers. Whoever asked may have gone meanwhile, and that is no error:
    /// hence the `ok()`s. After an error nothing is answered, which those who wait take for a refusal.
    fn commit(self, database: &mut RelayDatabase, now: UnixMillis) {
        let Self { tickets, jobs } = self;
        let mut erased = Vec::new();
        let done = database.transaction(|database| {
            for ticket in &tickets {
                database.remember_ticket(&ticket.entry)?;
            }
            let mut replies = Vec::with_capacity(jobs.len());
            for job in jobs {
                replies.extend(job.run(database, now, &mut erased)?);
            }
            Ok::<_, StoreError>(replies)
        });
        match done {
            Ok(replies) => {
                tickets.into_iter().for_each(|ticket| drop(ticket.done.send(())));
                replies.into_iter().for_each(Reply::send);
            }
            Err(error) => tracing::error!(%error, "the store refused"),
        }
        if let Err(error) = database.erase_ticket_secrets(&erased) {
            tracing::error!(%error, "ticket keys could not be erased");
        }
    }
}

impl Job {
    fn run(
        self,
        database: &mut RelayDatabase,
        now: UnixMillis,
        erased: &mut Vec<[u8; 8]>,
    ) -> Result<Option<Reply>, StoreError> {
        Ok(Some(match self {
            Self::Mail { mail, answer } => Reply::Mail(answer, mail.run(database, now)?),
            Self::Keep { secrets, done } => {
                secrets.iter().try_for_each(|secret| database.keep_ticket_secret(secret))?;
                Reply::Done(done)
            }
            Self::Erase { ids } => {
                erased.extend(ids);
                return Ok(None);
            }
            Self::Sweep { answer } => {
                database.forget_tickets(now)?;
                Reply::Swept(answer, database.sweep(now)?)
            }
        }))
    }
}

impl Reply {
    fn send(self) {
        match self {
            Self::Mail(answer, outcome) => drop(answer.send(outcome)),
            Self::Done(done) => drop(done.send(())),
            Self::Swept(answer, swept) => drop(answer.send(swept)),
        }
    }
}
