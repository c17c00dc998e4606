//! The engine: one BitChat node without a radio, a clock or a task.

use std::collections::VecDeque;

use super::config::Config;
use super::event::{Input, Output, PeerInfo};
use crate::time::{Instant, Now};

/// One BitChat node.
pub struct Engine {
    outputs: VecDeque<Output>,
}

impl Engine {
    /// A node that has not started yet; `seed` feeds every random choice it will make.
    pub fn new(_config: Config, _seed: [u8; 32]) -> Self {
        Self { outputs: VecDeque::new() }
    }

    /// Takes one input; afterwards drain [`Self::poll_output`].
    pub fn handle(&mut self, _input: Input, _now: Now) {}

    /// The next thing to do, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call `handle` with `Input::Timeout`; late or early is safe.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Everybody known, by peer id.
    pub fn peers(&self) -> Vec<PeerInfo> {
        Vec::new()
    }
}
