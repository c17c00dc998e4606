//! What a node is told at its start: by the command line, by `config.toml` in its home, by defaults.
//!
//! [`sections`] says which keys there are, each in one line: its name, its default, what is allowed. Checking a
//! file, loading it and showing it are the same walk over these lines, so none of the three can know a key that
//! another does not. `docs/configuration.md` explains the keys to people.

mod courier;
pub mod error;
mod listen;
mod load;
mod moved;
mod policy;
pub mod radio;
pub mod relays;
pub mod sections;

pub use error::LoadError;
pub use listen::Listen;
pub use load::{Loaded, Overrides, check, default_home};
pub use policy::RelayPolicy;
pub use radio::{Radio, RadioChoice};
pub use sections::Config;
