//! The binary `nexus` once more, in the package whose tests start and kill it.

use std::process::ExitCode;

use clap::Parser;
use nexus_local::cli::Nexus;

fn main() -> ExitCode {
    nexus_local::cli::run(Nexus::parse())
}
