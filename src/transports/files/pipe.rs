//! The two halves of a stream that carries a file: of QUIC, or of letters in mailboxes.

use std::time::Duration;

use bytes::Bytes;
use iroh::endpoint::{
    Connection, ConnectionError, ReadError, ReadExactError, RecvStream, SendStream, VarInt, WriteError,
};
use tokio::time::timeout;

use super::error::SendError;
use super::{MAIL_THINKING, STALL, THINKING};
use crate::ids::PeerId;
use crate::transports::betanet::{BetanetHandle, stream as mail};

/// The half that is written to.
#[derive(Debug)]
pub enum Outlet {
    /// Straight to the other side.
    Quic(SendStream),
    /// By its mailbox.
    Mail(mail::Outlet),
}

/// The half that is read from.
#[derive(Debug)]
pub enum Inlet {
    /// Straight from the other side.
    Quic(RecvStream),
    /// By our mailbox.
    Mail(mail::Inlet),
}

/// Where a stream leads.
#[derive(Debug)]
pub enum Way<'a> {
    /// Over a connection that stands.
    Quic(&'a Connection),
    /// To somebody's mailbox.
    Mail(&'a BetanetHandle, PeerId),
}

impl Way<'_> {
    /// Opens a stream.
    pub(super) async fn open(&self) -> Result<(Outlet, Inlet), SendError> {
        match self {
            Self::Quic(connection) => {
                let opened = timeout(STALL, connection.open_bi()).await.map_err(|_| SendError::Stalled)??;
                Ok((opened.0.into(), opened.1.into()))
            }
            Self::Mail(betanet, peer) => {
                let opened = betanet.open_stream(*peer).await.ok_or(SendError::NotConnected)?;
                Ok((Outlet::Mail(opened.0), Inlet::Mail(opened.1)))
            }
        }
    }
}

/// Why a half ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum Cut {
    /// The connection was lost.
    #[error("the connection was lost: {0}")]
    Connection(ConnectionError),
    /// The other side broke the stream off, and says why by a number: see `wire::file::Reason`.
    #[error("the other side broke it off with code {0}")]
    Broken(u64),
    /// It was ended here already.
    #[error("it was ended already")]
    Closed,
    /// Betanet stopped, or finds no way for too long.
    #[error("betanet carries no mail")]
    Mail,
}

impl From<SendStream> for Outlet {
    fn from(stream: SendStream) -> Self {
        Self::Quic(stream)
    }
}

impl From<RecvStream> for Inlet {
    fn from(stream: RecvStream) -> Self {
        Self::Quic(stream)
    }
}

impl Outlet {
    /// Writes a frame or a few bytes, which leave at once.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Cut> {
        match self {
            Self::Quic(stream) => Ok(stream.write_all(bytes).await?),
            Self::Mail(outlet) => {
                outlet.write(bytes).await?;
                Ok(outlet.flush().await?)
            }
        }
    }

    /// Writes a block, which may wait for the next one.
    pub(super) async fn write_block(&mut self, block: Bytes) -> Result<(), Cut> {
        match self {
            Self::Quic(stream) => Ok(stream.write_chunk(block).await?),
            Self::Mail(outlet) => Ok(outlet.write(&block).await?),
        }
    }

    /// Says that nothing more comes, and waits until the other side has everything.
    pub(super) async fn drain(&mut self) -> Result<(), Cut> {
        match self {
            Self::Quic(stream) => {
                stream.finish().map_err(|_closed| Cut::Closed)?;
                stream.stopped().await.map_err(WriteError::from)?;
                Ok(())
            }
            Self::Mail(outlet) => {
                outlet.finish().await?;
                Ok(outlet.drained().await?)
            }
        }
    }

    /// Says that nothing more comes.
    pub(super) async fn finish(&mut self) -> Result<(), Cut> {
        match self {
            Self::Quic(stream) => stream.finish().map_err(|_closed| Cut::Closed),
            Self::Mail(outlet) => Ok(outlet.finish().await?),
        }
    }

    /// Breaks the stream off, if it has not ended.
    pub(super) fn reset(&mut self, code: u8) {
        match self {
            Self::Quic(stream) => {
                stream.reset(VarInt::from(code)).ok();
            }
            Self::Mail(outlet) => outlet.reset(code),
        }
    }
}

impl Inlet {
    /// Reads what there is; `None` at the end.
    pub(super) async fn read(&mut self, into: &mut [u8]) -> Result<Option<usize>, Cut> {
        match self {
            Self::Quic(stream) => Ok(stream.read(into).await?),
            Self::Mail(inlet) => Ok(inlet.read(into).await?),
        }
    }

    /// Fills `into`; false when the stream ends before.
    pub(super) async fn read_exact(&mut self, into: &mut [u8]) -> Result<bool, Cut> {
        match self {
            Self::Quic(stream) => match stream.read_exact(into).await {
                Ok(()) => Ok(true),
                Err(ReadExactError::FinishedEarly(_)) => Ok(false),
                Err(ReadExactError::ReadError(error)) => Err(error.into()),
            },
            Self::Mail(inlet) => {
                let mut filled = 0;
                while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
                    match inlet.read(rest).await? {
                        Some(read) => filled = filled.saturating_add(read),
                        None => return Ok(false),
                    }
                }
                Ok(true)
            }
        }
    }

    /// Wants no more of it.
    pub(super) fn stop(&mut self, code: u8) {
        match self {
            Self::Quic(stream) => {
                stream.stop(VarInt::from(code)).ok();
            }
            Self::Mail(inlet) => inlet.stop(code),
        }
    }

    /// How long the other side may think about an offer. Over QUIC it is known to be there; mail may find it away,
    /// and is then offered again.
    pub(super) const fn thinking(&self) -> Duration {
        match self {
            Self::Quic(_) => THINKING,
            Self::Mail(_) => MAIL_THINKING,
        }
    }
}

impl From<WriteError> for Cut {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Stopped(code) => Self::Broken(code.into_inner()),
            WriteError::ConnectionLost(error) => Self::Connection(error),
            WriteError::ClosedStream | WriteError::ZeroRttRejected => Self::Closed,
        }
    }
}

impl From<ReadError> for Cut {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Reset(code) => Self::Broken(code.into_inner()),
            ReadError::ConnectionLost(error) => Self::Connection(error),
            ReadError::ClosedStream | ReadError::ZeroRttRejected => Self::Closed,
        }
    }
}

impl From<mail::Broken> for Cut {
    fn from(broken: mail::Broken) -> Self {
        match broken {
            mail::Broken::Off(code) => Self::Broken(code.into()),
            mail::Broken::Gone => Self::Mail,
        }
    }
}
