//! `hopline chat`: lines typed go out, what comes is printed.
//!
//! [`table`] has the commands, one row each; what each of them does is said in [`conversation`].

mod board;
mod conversation;
mod files;
mod group;
mod people;
mod survey;
mod table;

pub(in crate::cli) use conversation::run;
pub(in crate::cli) use table::Unclear;
