//! `hopline htx`: what a relay, or any web site, shows and does.

mod layers;
mod lint;
mod paragraph;
mod probe;
mod target;
mod verb;

pub(in crate::cli) use verb::{Arguments, run};
