//! A live relay held against the requirements of the specification (chapter 14).
//!
//! ```text
//!   outside  what any visitor sees: TLS, HTTP/2, twice
//!   door     tickets: good ones open, all others are a visit
//!   inside   a tunnel by hand ([`hand`]), every frame the lint's own
//!   papers   the node record
//! ```
//!
//! What one visit cannot show is said to be so, with the tests of this project that show it.

mod door;
mod finding;
mod guest;
mod hand;
mod inside;
mod outside;
mod papers;
mod requirement;
mod run;
mod worn;

pub use finding::{Finding, Line, Verdict};
pub use run::{Subject, lint};
