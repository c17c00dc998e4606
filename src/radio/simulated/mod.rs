//! The simulated radio: the real-time face of [`crate::sim::Air`].
//!
//! [`SimulatedAir`] runs one air in this process and hands out radios. [`Hub`] serves such an air on a Unix
//! socket, so that every node can be a process of its own, killed and cut apart at will; [`join`] is the radio
//! of such a process, and [`control`] cuts and joins the air from outside.

mod hub;
mod in_process;
mod line;
mod member;
mod protocol;

pub use hub::{Hub, HubError};
pub use in_process::{Gone, SimulatedAir};
pub use member::{JoinError, control, join};
pub use protocol::{Control, Refusal};
