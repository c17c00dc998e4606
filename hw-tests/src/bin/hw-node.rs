//! The `hopline` program, for the tests of this package to start.

use std::process::ExitCode;

fn main() -> ExitCode {
    hopline::cli::main()
}
