//! What is on disk, all of it under the home directory (mode 0700):
//!
//! | file | mode | what |
//! |---|---|---|
//! | `identity.key` | 0600 | the two private keys, 64 bytes: X25519 private key, Ed25519 seed |
//!
//! A file is written whole under another name first and then takes its own in one step, so that a reader never
//! sees half of it, and a power cut leaves the old state or the new one.

mod error;
mod identity;

pub use error::IdentityFileError;
pub use identity::{IDENTITY_FILE, load_or_create};
