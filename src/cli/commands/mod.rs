//! One command, one file.

pub(super) mod air;
pub(super) mod board;
pub(super) mod chat;
pub(super) mod completions;
pub(super) mod config;
pub(super) mod contact;
pub(super) mod daemon;
pub(super) mod demo;
pub(super) mod doctor;
pub(super) mod file;
pub(super) mod history;
pub(super) mod htx;
pub(super) mod man;
pub(super) mod outbox;
pub(super) mod packet;
pub(super) mod peers;
pub(super) mod person;
pub(super) mod ping;
pub(super) mod relay;
pub(super) mod route;
pub(super) mod send;
pub(super) mod status;
pub(super) mod topology;
pub(super) mod trace;
pub(super) mod verify;
pub(super) mod watch;
