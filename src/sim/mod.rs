//! A virtual world: the one model of the air, and nodes that live in it on virtual time.
//!
//! [`Air`] knows radios and who is in whose range, and nothing of packets. [`World`] runs many engines over
//! one air, as fast as the machine can; `radio::simulated` runs the same air against the real clock. The same
//! seed and the same inputs give the same run, byte for byte.

mod air;
mod connection;
mod disk;
mod edge;
pub mod event;
mod mobility;
mod random;
mod timeline;
pub mod topology;
mod world;

pub use air::Air;
pub use edge::Edge;
pub use event::StationId;
pub use mobility::{Field, RandomWaypoint};
pub use topology::Topology;
pub use world::{NodeId, Record, World};
