//! Every tunable of the engine.

use crate::time::UnixMillis;

/// What an engine can be told at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name announced to everyone: at most 255 bytes, 15 to look right on every phone (spec 5.1).
    pub nickname: String,
    /// Nothing is sent while the wall clock stands before this: the build date of the release.
    pub clock_floor: UnixMillis,
}
