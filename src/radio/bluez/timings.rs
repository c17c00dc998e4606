//! Every time-out of the radio.

use std::time::Duration;

/// How long things may take. Nothing that waits for BlueZ waits without one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// Connecting to a device and finding its services.
    pub connect: Duration,
    /// Reading what services were found.
    pub resolve: Duration,
    /// Switching notifications on.
    pub subscribe: Duration,
    /// Handing one frame to BlueZ.
    pub write: Duration,
    /// Any other call.
    pub call: Duration,
    /// Hearing a device again after BlueZ was told to forget it.
    pub rediscover: Duration,
    /// Quiet time between a connection that came up and the next one we dial (they disturb each other).
    pub settle: Duration,
    /// How long one scan runs: the kernel reports a device once per scan, or seldom more.
    pub scan: Duration,
    /// How long a scan may hear nobody at all: three of BlueZ's advertising intervals of 1.28 s.
    pub first_sighting: Duration,
    /// Between two looks for BlueZ and an adapter, while there is none.
    pub look: Duration,
    /// Between two looks at an adapter's health.
    pub health: Duration,
    /// Saying goodbye. BlueZ disconnects two seconds after it was asked, whether or not anybody waits for it.
    pub farewell: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            resolve: Duration::from_secs(10),
            subscribe: Duration::from_secs(10),
            write: Duration::from_secs(5),
            call: Duration::from_secs(5),
            rediscover: Duration::from_secs(12),
            settle: Duration::from_secs(1),
            scan: Duration::from_secs(20),
            first_sighting: Duration::from_secs(4),
            look: Duration::from_secs(5),
            health: Duration::from_secs(2),
            farewell: Duration::from_millis(300),
        }
    }
}
