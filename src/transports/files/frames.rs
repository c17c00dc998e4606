//! Frames on a stream: two bytes of length, then the frame.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::pipe::{Cut, Inlet, Outlet};
use crate::wire::file::MAX_FRAME_LEN;

/// Why no frame was read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadFrameError {
    #[error("nothing came for too long")]
    Silent,
    #[error("the stream ended")]
    Ended,
    #[error(transparent)]
    Stream(Cut),
    #[error("a frame of {len} bytes, the most is {MAX_FRAME_LEN}")]
    TooLong { len: usize },
}

/// Writes one frame.
pub(super) async fn write(send: &mut Outlet, frame: &[u8]) -> Result<(), Cut> {
    // No frame is longer than MAX_FRAME_LEN, which fits.
    let length = u16::try_from(frame.len()).unwrap_or(u16::MAX);
    send.write(&[&length.to_be_bytes()[..], frame].concat()).await
}

/// Writes the byte that says what a stream is for, and the first frame.
pub(super) async fn write_first(send: &mut Outlet, kind: u8, frame: &[u8]) -> Result<(), Cut> {
    let length = u16::try_from(frame.len()).unwrap_or(u16::MAX);
    send.write(&[&[kind], &length.to_be_bytes()[..], frame].concat()).await
}

/// Reads one frame, if it comes within `patience`.
pub(super) async fn read(recv: &mut Inlet, patience: Duration) -> Result<Bytes, ReadFrameError> {
    timeout(patience, read_patiently(recv)).await.unwrap_or(Err(ReadFrameError::Silent))
}

async fn read_patiently(recv: &mut Inlet) -> Result<Bytes, ReadFrameError> {
    let mut length = [0; 2];
    read_exact(recv, &mut length).await?;
    let len = usize::from(u16::from_be_bytes(length));
    if len > MAX_FRAME_LEN {
        return Err(ReadFrameError::TooLong { len });
    }
    let mut frame = vec![0; len];
    read_exact(recv, &mut frame).await?;
    Ok(frame.into())
}

/// Fills `into`.
pub(super) async fn read_exact(recv: &mut Inlet, into: &mut [u8]) -> Result<(), ReadFrameError> {
    match recv.read_exact(into).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(ReadFrameError::Ended),
        Err(cut) => Err(ReadFrameError::Stream(cut)),
    }
}
