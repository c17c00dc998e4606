//! `hopline relay`: a program of its own beside the node.

mod check;
mod init;
mod record;
mod run;
mod verb;

pub(in crate::cli) use verb::{Arguments, is_running, run};
