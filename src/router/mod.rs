//! The router: which transport takes which message, and what happens when it does not arrive.
//!
//! Read [`event`] first, the port; then [`selection`], the decision; then `dispatch.rs`, the machine. Who owns
//! which state: `board` what is known of the transports, `lanes` who waits for a turn, `pending` a message and
//! its attempts, `failover` deadlines, pauses and distrust, `couriers` what the mesh may carry to who is away, `measured` what was measured, `warm` what was made
//! ready.

mod board;
pub mod config;
mod couriers;
mod dispatch;
pub mod error;
pub mod event;
pub mod explanation;
mod failover;
mod lanes;
pub mod measured;
mod outcomes;
mod pending;
pub mod selection;
mod turns;
mod warm;

pub use config::Config;
pub use dispatch::Router;
pub use explanation::Explanation;
pub use selection::Ask;
