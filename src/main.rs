//! The `pulso` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    pulso::cli::run()
}
