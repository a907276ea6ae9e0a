//! `conduit completions`: a completion script for a shell.

use super::{Failure, args, print};
use clap::CommandFactory;

pub(super) fn run(args: &args::Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::Conduit::command(), "conduit", &mut script);
    print::raw(&String::from_utf8_lossy(&script));
    Ok(())
}
