//! Files to and from contacts, and over the mesh to and from anybody: which are on their way, which a person has to be asked about, which are due again.
//!
//! One task, the desk, takes what people ask and what contacts offer; each transfer is a task of its own, which
//! goes on until the file is there, cancelled or refused. What is known of each is in the database before a byte
//! of it is carried, so that it goes on in another run. The bytes are carried by
//! [`crate::transports::files`].

mod arriving;
mod desk;
mod error;
mod handle;
mod pauses;
mod receiving;
mod record;
mod sending;
mod voice;
mod ways;

pub(super) use desk::{Setup, start};
pub use error::FileError;
pub use handle::FilesHandle;
pub(super) use ways::Ways;
