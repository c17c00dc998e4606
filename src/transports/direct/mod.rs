//! QUIC between contacts.

pub mod files;
