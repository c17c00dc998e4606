//! `hopline demo`: what Hopline does, on a machine without a radio.
//!
//! Three nodes run in this process with the daemon's own driver and engine, in real time, over the simulated
//! radio. What a step claims was checked at the far end before it is told.

mod cast;
mod error;
mod steps;
mod telling;

pub(in crate::cli) use error::DemoError;
pub(in crate::cli) use steps::{Arguments, run};
