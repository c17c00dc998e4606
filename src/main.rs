//! The `hopline` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    hopline::cli::main()
}
