//! The database on a thread of its own: its calls wait for the disk, and no other task should.

use tokio::sync::{mpsc, oneshot};

use crate::storage::{Database, StoreError};

/// Calls that may wait for the disk; whoever has one more waits.
const BOUND: usize = 16;

type Job = Box<dyn FnOnce(&mut Database) + Send>;

/// The way to the database. When the last one is dropped, the database is closed.
#[derive(Debug, Clone)]
pub(super) struct Store {
    jobs: mpsc::Sender<Job>,
}

impl Store {
    /// Moves a database to its thread.
    pub(super) fn new(mut database: Database) -> Self {
        let (jobs, mut waiting) = mpsc::channel::<Job>(BOUND);
        tokio::task::spawn_blocking(move || {
            while let Some(job) = waiting.blocking_recv() {
                job(&mut database);
            }
        });
        Self { jobs }
    }

    /// Has something done with the database, and waits for the answer.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |database| {
            // Whoever asked may have gone meanwhile, and that is no error.
            answer.send(work(database)).ok();
        });
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}
