//! Configuration files: TOML that is read key by key, and complained about by file, line and key.
//!
//! A [`Document`] is walked once, section by section; each key is one call that says its name, its default and what
//! is allowed. Checking a file, loading it and showing it are that same walk. Which keys there are is said by the two
//! programs: `node::config::sections` and `relay::config`.

mod document;
mod error;
mod quantity;
mod value;

pub use document::{Document, Origin, Section, Setting};
pub use error::{ConfigError, Fault, Problem, UnknownWord, ValueError};
pub use quantity::{NoSize, NoSpan, Size, Span};
pub use value::{Misread, Text, Value, anything, different, not, within};
