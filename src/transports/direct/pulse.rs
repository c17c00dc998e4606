//! Whether a connection still leads anywhere.

use std::time::Duration;

use bytes::Bytes;
use iroh::endpoint::{Connection, ConnectionError};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::link::{Code, close};

/// How long after the last message, or the last piece of a file, a connection counts as in use.
const IN_USE: Duration = Duration::from_secs(60);
/// How often one that is not in use is looked at: a file that waited for a person's yes may have begun.
const LOOK: Duration = Duration::from_secs(5);

/// How a connection in use is felt for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pulse {
    /// How often.
    pub(super) interval: Duration,
    /// After how much silence it is broken.
    pub(super) silence: Duration,
}

/// Waits until the connection is closed, and closes it when it falls silent while it is in use.
///
/// QUIC's keep-alive is set once for a connection's life, and iroh's 5 s (broken after 15 s, a relayed path
/// after 30 s) are right for one nobody uses. For one in use they are too slow, so it is sent a datagram every
/// interval: that is not held up by a full stream, and QUIC acknowledges it, which is all that is looked at.
pub(super) async fn watch(connection: &Connection, pulse: Pulse, activity: &Notify) -> ConnectionError {
    loop {
        tokio::select! {
            error = connection.closed() => return error,
            () = used(connection, activity) => {}
        }
        tokio::select! {
            error = connection.closed() => return error,
            lives = feel(connection, pulse, activity) => if !lives {
                close(connection, Code::Silence);
            },
        }
    }
}

/// Waits until the connection is in use.
async fn used(connection: &Connection, activity: &Notify) {
    let before = carried(connection);
    while tokio::time::timeout(LOOK, activity.notified()).await.is_err() && carried(connection) == before {}
}

/// Feels the pulse until the connection is no longer in use; false when there is none.
async fn feel(connection: &Connection, pulse: Pulse, activity: &Notify) -> bool {
    let mut used = Instant::now();
    let mut heard = (Instant::now(), acknowledgements(connection));
    let mut before = carried(connection);
    let mut ticks = tokio::time::interval(pulse.interval);
    loop {
        tokio::select! {
            () = activity.notified() => {
                used = Instant::now();
                continue;
            }
            _ = ticks.tick() => {}
        }
        let now = Instant::now();
        let acknowledged = acknowledgements(connection);
        if acknowledged != heard.1 {
            heard = (now, acknowledged);
        }
        if now.duration_since(heard.0) >= pulse.silence {
            return false;
        }
        let carries = carried(connection);
        if std::mem::replace(&mut before, carries) != carries {
            used = now;
        }
        if now.duration_since(used) >= IN_USE {
            return true;
        }
        // It fails when the other side takes no datagrams, and when the connection is closed, which is seen.
        connection.send_datagram(Bytes::from_static(&[0])).ok();
    }
}

/// How many pieces of streams it carried, of messages and of files.
fn carried(connection: &Connection) -> u64 {
    let stats = connection.stats();
    stats.frame_tx.stream.saturating_add(stats.frame_rx.stream)
}

fn acknowledgements(connection: &Connection) -> u64 {
    let received = connection.stats().frame_rx;
    received.acks.saturating_add(received.path_acks)
}
