//! Who carries: each folder is one transport, and [`port`] is what all of them owe the node.

pub mod betanet;
pub mod bitchat;
pub mod direct;
pub mod files;
pub mod port;
