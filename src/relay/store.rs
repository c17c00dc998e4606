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

enum Job {
    Mail {
        mail: Mail,
        answer: oneshot::Sender<Outcome>,
    },
    Keep {
        secrets: Vec<TicketSecret>,
        done: oneshot::Sender<()>,
    },
    /// Not part of a transaction: the write-ahead log is emptied after it.
    Erase {
        ids: Vec<[u8; 8]>,
    },
    Sweep {
        answer: oneshot::Sender<Swept>,
    },
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
        while batch.tickets.len() < BATCH
            && let Ok(ticket) = tickets.try_recv()
        {
            batch.tickets.push(ticket);
        }
        while batch.jobs.len() < BATCH
            && let Ok(job) = jobs.try_recv()
        {
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

#[derive(Default)]
struct Batch {
    tickets: Vec<Commit>,
    jobs: Vec<Job>,
}

impl Batch {
    /// Everything in one transaction, then the answers. Whoever asked may have gone meanwhile, and that is no error:
    /// hence the `ok()`s and defaults. After an error nothing is answered, which those who wait take for a refusal.
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
                tickets.into_iter().for_each(|ticket| ticket.done.send(()).unwrap_or_default());
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
            Self::Done(done) => done.send(()).unwrap_or_default(),
            Self::Swept(answer, swept) => drop(answer.send(swept)),
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::htx::gate::ReplayEntry;
    use crate::relay::mail::Proof;
    use crate::storage::{Declined, MailboxLimits, RELAY_DATABASE_FILE};
    use crate::wire::mailbox::{Answer, address};

    const NOON: UnixMillis = UnixMillis(1_795_348_800_000);

    struct Running {
        home: tempfile::TempDir,
        store: Store,
        tickets: mpsc::Sender<Commit>,
        task: JoinHandle<()>,
    }

    fn running() -> Running {
        let home = tempfile::tempdir().unwrap();
        let database = RelayDatabase::open(home.path(), MailboxLimits::default()).unwrap();
        let (tickets, waiting) = mpsc::channel(TICKETS_BOUND);
        let (store, task) = start(database, waiting, Clock::starting_at(NOON), Metrics::default());
        Running { home, store, tickets, task }
    }

    fn used(mark: u8) -> ReplayEntry {
        ReplayEntry { mark: [mark; 32], hour: NOON.0 / 3_600_000 }
    }

    async fn remember(running: &Running, mark: u8) -> bool {
        let (done, kept) = oneshot::channel();
        running.tickets.send(Commit { entry: used(mark), done }).await.unwrap();
        kept.await.is_ok()
    }

    fn deposit() -> Mail {
        Mail::Deposit { address: address(&[1; 32]), token: [1; 16], envelope: "x".into() }
    }

    #[tokio::test]
    async fn r13_a_ticket_is_on_disk_before_anybody_is_let_in() {
        let running = running();
        assert!(remember(&running, 1).await);
        let other = RelayDatabase::open(running.home.path(), MailboxLimits::default()).unwrap();
        let marks: Vec<[u8; 32]> = other.used_tickets(NOON).unwrap().iter().map(|used| used.mark).collect();
        assert_eq!(marks, [[1; 32]]);
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_refused_and_the_store_goes_on_when_it_can_again() {
        let running = running();
        let other = Connection::open(running.home.path().join(RELAY_DATABASE_FILE)).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert!(!remember(&running, 1).await, "nobody is let in");
        assert_eq!(running.store.keep(Vec::new()).await.map_err(drop), Ok(()), "which writes nothing");
        let (first, second) = tokio::join!(running.store.mail(deposit()), remember(&running, 2));
        assert!(matches!(first, Err(Why::Store | Why::Declined(Declined::NoMailbox))) && !second);

        other.execute_batch("ROLLBACK").unwrap();
        assert!(remember(&running, 1).await);
        assert_eq!(running.store.mail(deposit()).await, Err(Why::Declined(Declined::NoMailbox)));
    }

    #[tokio::test]
    async fn the_database_is_closed_when_nobody_is_left_to_ask() {
        let Running { home, store, tickets, task } = running();
        store.sweep().await.unwrap();
        drop((store, tickets));
        task.await.unwrap();
        assert!(!home.path().join(format!("{RELAY_DATABASE_FILE}-wal")).exists());
    }

    #[tokio::test]
    async fn a_mailbox_of_a_key_that_signed_is_made_and_of_no_other() {
        let running = running();
        let keys = crate::crypto::Identity::from_bytes(&[1; 64]);
        let key = keys.signing_public();
        let proof = |signature| Proof { preimage: b"request".to_vec(), signature };
        let create = |proof| Mail::Create { key, token: [1; 16], proof };
        let forged = create(proof(keys.sign(b"another request")));
        assert_eq!(running.store.mail(forged).await, Err(Why::Signature));
        assert_eq!(running.store.mail(create(proof(keys.sign(b"request")))).await, Ok(Answer::Ok));
    }
}
