//! The streams that contacts open, each with a file to offer.

use std::sync::Arc;

use iroh::endpoint::Connection;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::timeout;

use super::error::ReceiveError;
use super::incoming::Incoming;
use super::pipe::{Inlet, Outlet};
use super::{STALL, frames};
use crate::ids::PeerId;
use crate::wire::file::{Reason, STREAM_KIND};

/// A file that a contact offers.
#[derive(Debug)]
pub struct FileOffer {
    /// Who.
    pub peer: PeerId,
    /// What.
    pub incoming: Incoming,
}

/// Where offers go; nowhere yet, perhaps.
pub(in crate::transports) type Taker = Option<mpsc::Sender<FileOffer>>;

/// Hands on what a contact offers, until the connection ends, and says that it is in use. QUIC bounds how many
/// streams there are at once.
pub(in crate::transports) async fn listen(
    connection: Connection,
    peer: PeerId,
    taker: watch::Receiver<Taker>,
    activity: Arc<Notify>,
) {
    while let Ok((send, recv)) = connection.accept_bi().await {
        activity.notify_one();
        let taker = taker.borrow().clone();
        tokio::spawn(async move {
            if let Err(error) = hand_on(send.into(), recv.into(), peer, taker).await {
                tracing::debug!(%peer, %error, "a contact's stream has no file to offer");
            }
        });
    }
}

/// Hands on a stream that somebody opened.
pub(in crate::transports) async fn hand_on(
    send: Outlet,
    mut recv: Inlet,
    peer: PeerId,
    taker: Taker,
) -> Result<(), ReceiveError> {
    let mut kind = [0];
    timeout(STALL, frames::read_exact(&mut recv, &mut kind)).await.map_err(|_| ReceiveError::Stalled)??;
    if kind != [STREAM_KIND] {
        // A later version may have more kinds; this one says that it does not.
        recv.stop(Reason::Protocol.code());
        return Ok(());
    }
    let incoming = Incoming::read(send, recv).await?;
    let declined = match taker {
        None => incoming,
        Some(taker) => match taker.send(FileOffer { peer, incoming }).await {
            Ok(()) => return Ok(()),
            Err(mpsc::error::SendError(offer)) => offer.incoming,
        },
    };
    // The node is starting or stopping: the sender shall come again.
    declined.decline(Reason::Busy).await
}
