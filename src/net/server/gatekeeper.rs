//! The task that owns the gate, and the handle on it.

use std::net::IpAddr;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::htx::gate::{Gate, Verdict};
use crate::htx::ticket::{Presented, TicketSecret};

/// Questions that wait for the gate.
const QUESTIONS: usize = 256;

/// What a POST to the tunnel path brings.
#[derive(Debug, Default)]
pub(super) struct Brought {
    pub(super) cookie: Option<Vec<u8>>,
    pub(super) query: Option<Vec<u8>>,
    pub(super) form: Option<Vec<u8>>,
}

enum Question {
    Check { source: IpAddr, brought: Brought, answer: oneshot::Sender<(Verdict, Zeroizing<[u8; 32]>)> },
    Charge { source: IpAddr, answer: oneshot::Sender<bool> },
    Add(TicketSecret),
    Erase(oneshot::Sender<Vec<[u8; 8]>>),
    CurveOperations(oneshot::Sender<u64>),
}

/// Asks the task that owns the gate. Once the server has stopped, everything is refused.
#[derive(Debug, Clone)]
pub struct GateHandle(mpsc::Sender<Question>);

impl GateHandle {
    /// Starts the task. It ends when the last handle is dropped.
    pub(super) fn start(gate: Gate, seed: &[u8; 32], clock: Clock) -> Self {
        let (sender, questions) = mpsc::channel(QUESTIONS);
        tokio::spawn(keep(gate, questions, ChaCha20Rng::from_seed(*seed), clock));
        Self(sender)
    }

    /// Takes a token from a source's bucket. False when it has none.
    pub async fn charge(&self, source: IpAddr) -> bool {
        self.ask(|answer| Question::Charge { source, answer }).await.unwrap_or(false)
    }

    /// Takes a ticket key of a later day.
    pub async fn add(&self, secret: TicketSecret) {
        // Where the server has stopped, nobody needs it.
        self.0.send(Question::Add(secret)).await.ok();
    }

    /// Erases ticket keys whose time is over, and tells which: they are to be erased from disk too.
    pub async fn erase(&self) -> Vec<[u8; 8]> {
        self.ask(Question::Erase).await.unwrap_or_default()
    }

    /// How many curve operations the gate has done.
    pub async fn curve_operations(&self) -> u64 {
        self.ask(Question::CurveOperations).await.unwrap_or(0)
    }

    /// Puts what a POST brings to the gate. Beside the verdict comes fresh randomness for a tunnel.
    pub(super) async fn check(
        &self,
        source: IpAddr,
        brought: Brought,
    ) -> Option<(Verdict, Zeroizing<[u8; 32]>)> {
        self.ask(|answer| Question::Check { source, brought, answer }).await
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.0.send(question(answer)).await.ok()?;
        answered.await.ok()
    }
}

async fn keep(mut gate: Gate, mut questions: mpsc::Receiver<Question>, mut rng: ChaCha20Rng, clock: Clock) {
    while let Some(question) = questions.recv().await {
        let now = clock.now();
        // Who does not wait for the answer any more has closed the connection.
        match question {
            Question::Check { source, brought, answer } => {
                let presented = Presented {
                    cookie: brought.cookie.as_deref(),
                    query: brought.query.as_deref(),
                    form: brought.form.as_deref(),
                };
                let verdict = gate.check(source, &presented, now);
                let mut seed = Zeroizing::new([0; 32]);
                rng.fill_bytes(&mut *seed);
                answer.send((verdict, seed)).ok();
            }
            Question::Charge { source, answer } => {
                answer.send(gate.charge(source, now).is_ok()).ok();
            }
            Question::Add(secret) => gate.add(secret),
            Question::Erase(answer) => {
                answer.send(gate.erase(now.unix)).ok();
            }
            Question::CurveOperations(answer) => {
                answer.send(gate.curve_operations()).ok();
            }
        }
    }
}
