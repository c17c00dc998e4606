//! One JSON value a line, both ways, over a Unix socket.

use std::io;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// The longest line: a frame of 512 bytes in hex, and the words around it, with room to spare.
const MAX_LINE: u64 = 4096;
/// Who takes no line for so long is dead.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a connection between a hub and a member ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    /// The socket failed.
    #[error("the socket failed: {0}")]
    Io(#[from] io::Error),
    /// The other side closed it.
    #[error("the other side closed the connection")]
    Closed,
    /// A line is longer than any value.
    #[error("a line is longer than {MAX_LINE} bytes")]
    TooLong,
    /// A line is not what was expected.
    #[error("a line makes no sense: {0}")]
    Json(#[from] serde_json::Error),
    /// The other side takes nothing.
    #[error("the other side takes no lines")]
    Stuck,
}

/// The receiving half.
#[derive(Debug)]
pub(super) struct LineReader {
    reader: BufReader<OwnedReadHalf>,
    line: Vec<u8>,
}

/// The sending half.
#[derive(Debug)]
pub(super) struct LineWriter {
    writer: OwnedWriteHalf,
}

pub(super) fn split(stream: UnixStream) -> (LineReader, LineWriter) {
    let (reader, writer) = stream.into_split();
    (LineReader { reader: BufReader::new(reader), line: Vec::new() }, LineWriter { writer })
}

impl LineReader {
    /// The next value. Not safe to cancel: a part of a line may be lost.
    pub(super) async fn read<T: DeserializeOwned>(&mut self) -> Result<T, LineError> {
        self.line.clear();
        let read = (&mut self.reader).take(MAX_LINE).read_until(b'\n', &mut self.line).await?;
        match self.line.last() {
            Some(b'\n') => Ok(serde_json::from_slice(&self.line)?),
            Some(_) if u64::try_from(read).is_ok_and(|read| read >= MAX_LINE) => Err(LineError::TooLong),
            Some(_) | None => Err(LineError::Closed),
        }
    }
}

impl LineWriter {
    /// Sends a value.
    pub(super) async fn write<T: Serialize>(&mut self, value: &T) -> Result<(), LineError> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        tokio::time::timeout(WRITE_TIMEOUT, self.writer.write_all(&line))
            .await
            .map_err(|_elapsed| LineError::Stuck)?
            .map_err(LineError::Io)
    }
}
