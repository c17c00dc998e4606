//! Real Bluetooth: one radio over one or several adapters, each central and peripheral at once.
//!
//! ```text
//!  RadioPort ── adapter ── running ─┬─ peripheral     bluer: GATT server, one characteristic    they dial us
//!   (one)      (one per   (while it  ├─ subscription   bluer: the way back to them
//!              adapter)    works)    ├─ advertisement  bluer: kept alive against BlueZ and kernel
//!                                    ├─ central        btleplug: scan, dial                      we dial them
//!                                    ├─ link           one task per GATT connection: frames in and out
//!                                    └─ health         power, bluetoothd, registration
//!              recovery    what to do when something fails (policy, tested without a radio)
//!              quirks      what BlueZ's errors and versions mean
//!              probe       what `hopline doctor` asks
//! ```
//!
//! All of it lives on a thread and a runtime of its own. On that thread D-Bus calls are served in the order in
//! which they came, which keeps written frames in order; and when the radio ends, everything that the two
//! libraries spawned ends with it, panics of theirs included.

mod adapter;
mod advertisement;
mod central;
mod error;
mod health;
mod link;
mod open;
mod peripheral;
pub mod probe;
mod quirks;
mod recovery;
mod running;
mod subscription;
mod timings;

use uuid::Uuid;

pub use error::BluezError;
pub use open::{open, open_when_there};
pub use quirks::BluezVersion;
pub use timings::Timings;

/// The BitChat service (spec 1.1).
pub const SERVICE: Uuid = Uuid::from_u128(0xF47B5E2D_4A9E_4C5A_9B3F_8E1D2C3A4B5C);

/// Its only characteristic (spec 1.1).
pub const CHARACTERISTIC: Uuid = Uuid::from_u128(0xA1B2C3D4_E5F6_4A5B_8C9D_0E1F2A3B4C5D);

/// The longest attribute value, hence the longest frame (Bluetooth Core 5.4, Vol 3 Part F, 3.2.9).
pub const MAX_FRAME: usize = 512;
