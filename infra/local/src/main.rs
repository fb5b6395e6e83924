//! `nexus`: the one-machine host, and what a person does with it from a terminal.

use std::process::ExitCode;

use clap::Parser;
use nexus_local::cli::Nexus;

fn main() -> ExitCode {
    nexus_local::cli::run(Nexus::parse())
}
