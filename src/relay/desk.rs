//! Where requests are answered, and what each costs.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::net::server::GateHandle;
use crate::wire::mailbox::{Answer, MAX_FRAME_LEN, MailboxError, Op, Request};
use crate::wire::record::SignedRecord;

use super::mail::{Mail, Outcome, Proof, Why};
use super::metrics::Metrics;
use super::store::Store;

/// Bytes of requests and answers that are in memory at once, of all tunnels together; what does not fit is refused.
const MEMORY: usize = 128 << 20;

/// Answers requests; one for all tunnels.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) store: Store,
    pub(super) gate: GateHandle,
    pub(super) record: watch::Receiver<SignedRecord>,
    pub(super) metrics: Metrics,
    pub(super) memory: Arc<Semaphore>,
}

/// Who asks: no more of them than an answer needs.
#[derive(Clone, Copy)]
pub(super) struct Asker {
    pub(super) source: IpAddr,
    pub(super) exporter: [u8; 32],
}

/// All the memory there is for requests and answers.
pub(super) fn memory() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MEMORY))
}

impl Desk {
    /// Answers what a tunnel asked. The bytes of the answer count as long as what is given with it is held.
    pub(super) async fn answer(
        &self,
        content: &Bytes,
        asker: Asker,
    ) -> (Answer, Option<OwnedSemaphorePermit>) {
        let mut room = None;
        let (op, outcome) = match Request::decode(content) {
            Ok(request) => {
                let op = request.op();
                room = self.room(answer_bound(op));
                let outcome =
                    if room.is_some() { self.outcome(request, asker).await } else { Err(Why::Memory) };
                (name(op), outcome)
            }
            Err(error) => ("unread", unread(&error)),
        };
        let answer = outcome.unwrap_or_else(|why| {
            self.metrics.refused(why.as_str());
            Answer::Refused
        });
        self.metrics.answered(op, word(&answer));
        (answer, room)
    }

    /// Room for so many bytes; nothing when there is none.
    pub(super) fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).ok()?;
        Arc::clone(&self.memory).try_acquire_many_owned(bytes).ok()
    }

    /// The answer to a request that there is no room for.
    pub(super) fn no_room(&self) -> Answer {
        self.metrics.refused(Why::Memory.as_str());
        self.metrics.answered("unread", word(&Answer::Refused));
        Answer::Refused
    }

    async fn outcome(&self, request: Request, asker: Asker) -> Outcome {
        let preimage = request.preimage(&asker.exporter).unwrap_or_default();
        let proof = |signature| Proof { preimage, signature };
        match request {
            Request::Create { key, token, signature } => {
                if !self.gate.charge(asker.source).await {
                    return Err(Why::SourceBucket);
                }
                self.store.mail(Mail::Create { key, token, proof: proof(signature) }).await
            }
            Request::Deposit { address, token, envelope } => {
                self.store.mail(Mail::Deposit { address, token, envelope }).await
            }
            Request::Fetch { address, after, signature } => {
                self.store.mail(Mail::Fetch { address, after, proof: proof(signature) }).await
            }
            Request::Ack { address, ids, signature } => {
                self.store.mail(Mail::Acknowledge { address, ids, proof: proof(signature) }).await
            }
            Request::Echo(bytes) => Ok(Answer::Echoed(bytes)),
            Request::Record(asked) => {
                let record = self.record.borrow();
                if asked.is_some_and(|node| node != record.record().id()) {
                    return Err(Why::OtherRecord);
                }
                Ok(Answer::Record(record.bytes().clone()))
            }
        }
    }
}

/// The most bytes of an answer that are worth counting: those of a page.
const fn answer_bound(op: Op) -> usize {
    match op {
        Op::Fetch => MAX_FRAME_LEN,
        Op::Create | Op::Deposit | Op::Ack | Op::Echo | Op::Record => 0,
    }
}

fn unread(error: &MailboxError) -> Outcome {
    let answer = error.answer();
    if answer == Answer::Refused { Err(Why::Unsupported) } else { Ok(answer) }
}

const fn name(op: Op) -> &'static str {
    match op {
        Op::Create => "create",
        Op::Deposit => "deposit",
        Op::Fetch => "fetch",
        Op::Ack => "ack",
        Op::Echo => "echo",
        Op::Record => "record",
    }
}

const fn word(answer: &Answer) -> &'static str {
    match answer {
        Answer::Ok | Answer::Fetched(_) | Answer::Echoed(_) | Answer::Record(_) => "ok",
        Answer::Refused => "refused",
        Answer::Malformed => "malformed",
    }
}
