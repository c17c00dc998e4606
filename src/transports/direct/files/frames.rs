//! Frames on a stream: two bytes of length, then the frame.

use std::time::Duration;

use bytes::Bytes;
use iroh::endpoint::{ReadError, ReadExactError, RecvStream, SendStream, WriteError};
use tokio::time::timeout;

use crate::wire::file::MAX_FRAME_LEN;

/// Why no frame was read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadFrameError {
    #[error("nothing came for too long")]
    Silent,
    #[error("the stream ended")]
    Ended,
    #[error(transparent)]
    Stream(ReadError),
    #[error("a frame of {len} bytes, the most is {MAX_FRAME_LEN}")]
    TooLong { len: usize },
}

/// Writes one frame.
pub(super) async fn write(send: &mut SendStream, frame: &[u8]) -> Result<(), WriteError> {
    // No frame is longer than MAX_FRAME_LEN, which fits.
    let length = u16::try_from(frame.len()).unwrap_or(u16::MAX);
    send.write_all(&[&length.to_be_bytes()[..], frame].concat()).await
}

/// Reads one frame, if it comes within `patience`.
pub(super) async fn read(recv: &mut RecvStream, patience: Duration) -> Result<Bytes, ReadFrameError> {
    timeout(patience, read_patiently(recv)).await.unwrap_or(Err(ReadFrameError::Silent))
}

async fn read_patiently(recv: &mut RecvStream) -> Result<Bytes, ReadFrameError> {
    let mut length = [0; 2];
    recv.read_exact(&mut length).await.map_err(ended)?;
    let len = usize::from(u16::from_be_bytes(length));
    if len > MAX_FRAME_LEN {
        return Err(ReadFrameError::TooLong { len });
    }
    let mut frame = vec![0; len];
    recv.read_exact(&mut frame).await.map_err(ended)?;
    Ok(frame.into())
}

pub(super) fn ended(error: ReadExactError) -> ReadFrameError {
    match error {
        ReadExactError::FinishedEarly(_) => ReadFrameError::Ended,
        ReadExactError::ReadError(error) => ReadFrameError::Stream(error),
    }
}
