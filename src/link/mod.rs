//! Radio connections become links that carry whole frames.

pub mod event;
