//! A line to one relay: a task that owns the tunnel, carries requests to the relay and answers back.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::htx::error::ErrorCode;
use crate::ids::NodeId;
use crate::net::client::{Client, Target};
use crate::net::tunnel::{Closed, OpenError, Opener, Stream, Tunnel};
use crate::wire::mailbox::{Answer, Frames, MailboxError, Op};
use crate::wire::record::NodeRecord;

/// Requests that may wait for a line; the driver has no more under way than this.
pub(super) const ASK_BOUND: usize = 8;
/// How long a request and its answer may take: 1 MiB over a poor link.
const EXCHANGE: Duration = Duration::from_secs(60);
/// How long what is under way may take once nobody asks any more.
const LINGER: Duration = Duration::from_secs(10);

/// Which line: counted over all relays, so that news of an old line are not taken for the new one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Serial(pub(super) u64);

/// A request on its way to a relay.
#[derive(Debug)]
pub(super) struct Ask {
    /// Carried back with the answer.
    pub(super) tag: u64,
    pub(super) op: Op,
    /// As it stands on the wire.
    pub(super) request: Bytes,
}

/// What a line tells the driver.
#[derive(Debug)]
pub(super) struct News {
    pub(super) relay: NodeId,
    pub(super) line: Serial,
    pub(super) what: What,
}

/// What can be told of a line.
#[derive(Debug)]
pub(super) enum What {
    /// It stands.
    Up { exporter: [u8; 32], asks: mpsc::Sender<Ask> },
    /// It does not come about.
    Failed(String),
    /// A request was answered, or was not.
    Answered { tag: u64, answer: Result<Answer, Unanswered> },
    /// It takes no more requests; those under way are answered.
    Retired,
    /// It is over; whatever was not answered will not be.
    Down(String),
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error("no stream can be opened: {0}")]
    Open(#[from] OpenError),
    #[error("the tunnel closed: {0}")]
    Closed(#[from] Closed),
    #[error("the relay said something else: {0}")]
    Protocol(#[from] MailboxError),
    #[error("the relay ended the stream without an answer")]
    Cut,
    #[error("no answer in {} s", EXCHANGE.as_secs())]
    Late,
}

/// What a line's task needs.
pub(super) struct Plan {
    pub(super) client: Client,
    pub(super) record: NodeRecord,
    pub(super) relay: NodeId,
    pub(super) line: Serial,
    pub(super) news: mpsc::Sender<News>,
}

impl Plan {
    /// Calls the relay and carries requests until the tunnel is over, or nobody asks any more.
    pub(super) async fn run(self) {
        let tunnel = match self.client.connect(&Target::new(self.record.clone())).await {
            Ok(tunnel) => tunnel,
            Err(error) => return self.tell(What::Failed(error.to_string())).await,
        };
        let (asks, asked) = mpsc::channel(ASK_BOUND);
        self.tell(What::Up { exporter: *tunnel.exporter(), asks }).await;
        self.serve(tunnel, asked).await;
    }

    async fn serve(&self, tunnel: Tunnel, mut asked: mpsc::Receiver<Ask>) {
        let mut exchanges = JoinSet::new();
        let opener = tunnel.opener();
        let mut retired = false;
        loop {
            tokio::select! {
                ask = asked.recv() => match ask {
                    Some(ask) => {
                        exchanges.spawn(exchange(opener.clone(), ask));
                    }
                    None => break,
                },
                Some(ended) = exchanges.join_next() => self.answered(ended).await,
                () = tunnel.retired(), if !retired => {
                    retired = true;
                    self.tell(What::Retired).await;
                }
                closed = tunnel.closed() => {
                    while let Some(ended) = exchanges.join_next().await {
                        self.answered(ended).await;
                    }
                    return self.tell(What::Down(closed.to_string())).await;
                }
            }
        }
        let rest = async {
            while let Some(ended) = exchanges.join_next().await {
                self.answered(ended).await;
            }
        };
        // What is not answered by then is not waited for.
        tokio::time::timeout(LINGER, rest).await.unwrap_or_default();
        tunnel.close(ErrorCode::Ok).await;
        self.tell(What::Down("hung up".to_owned())).await;
    }

    async fn answered(&self, ended: Result<(u64, Result<Answer, Unanswered>), tokio::task::JoinError>) {
        match ended {
            Ok((tag, answer)) => self.tell(What::Answered { tag, answer }).await,
            Err(error) => tracing::error!(%error, "a request's task failed"),
        }
    }

    async fn tell(&self, what: What) {
        // When the driver is gone, nobody wants to know.
        self.news.send(News { relay: self.relay, line: self.line, what }).await.ok();
    }
}

async fn exchange(opener: Opener, ask: Ask) -> (u64, Result<Answer, Unanswered>) {
    let Ask { tag, op, request } = ask;
    let answered = tokio::time::timeout(EXCHANGE, async {
        let stream = opener.open().await?;
        converse(stream, op, request).await
    });
    (tag, answered.await.unwrap_or(Err(Unanswered::Late)))
}

async fn converse(mut stream: Stream, op: Op, request: Bytes) -> Result<Answer, Unanswered> {
    stream.send(request).await?;
    stream.finish().await?;
    let mut frames = Frames::default();
    while let Some(piece) = stream.receive().await? {
        frames.push(&piece);
        if let Some(content) = frames.next_frame()? {
            return Ok(Answer::decode(op, &content)?);
        }
    }
    Err(Unanswered::Cut)
}
