//! The command line: people's way in.
//!
//! `daemon` runs a node; `chat`, `send`, `peers`, `watch` and `status` talk to it through [`crate::api`];
//! the rest needs no daemon. One command, one file.

mod args;
mod bar;
mod commands;
mod context;
mod ending;
mod error;
mod names;
mod output;
mod program;
mod qr;
mod way;
mod words;

pub use program::main;
