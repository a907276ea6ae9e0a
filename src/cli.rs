//! The command. Native only: it may read files, clocks and the environment.
#![allow(clippy::disallowed_methods)]

mod args;
mod check;
mod completions;
mod envoy;
mod explain;
mod key;
pub mod mock;
mod prices;
mod print;
pub mod render;
mod up;
mod usage;

use crate::config::{self, Plan};
use args::{Command, Conduit};
use clap::Parser;
use std::fmt;
use std::path::Path;
use std::process::ExitCode;

/// Why a verb failed; each kind has its exit code, which `conduit --help` documents. Code 2, wrong usage, is clap's own.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration or the request has mistakes; they were printed already. Exit code 1.
    Mistakes,
    /// Something on this machine is missing or in the way. Exit code 3.
    Machine(String),
    /// Envoy ended unexpectedly. Exit code 4.
    Envoy(String),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Failure::Mistakes => 1,
            Failure::Machine(_) => 3,
            Failure::Envoy(_) => 4,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Mistakes => Ok(()),
            Failure::Machine(why) | Failure::Envoy(why) => f.write_str(why),
        }
    }
}

/// Runs the command and returns its exit code.
pub fn main() -> ExitCode {
    let result = match Conduit::parse().command {
        Command::Check(args) => check::run(&args),
        Command::Render(args) => render_to(&args),
        Command::Up(args) => up::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Prices(args) => prices::run(&args),
        Command::Key(args) => key::run(&args),
        Command::Mock(args) => mock::run(&args),
        Command::Usage(args) => usage::run(&args),
        Command::Completions(args) => completions::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let text = failure.to_string();
            if !text.is_empty() {
                print::error(&text);
            }
            ExitCode::from(failure.code())
        }
    }
}

/// Reads a configuration file's text.
fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|e| {
        Failure::Machine(format!("{} cannot be read: {e}. Give the path of a conduit.yaml.", file.display()))
    })
}

/// Compiles a configuration with the process's environment; prints every mistake.
fn load(file: &Path, text: &str) -> Result<Plan, Failure> {
    config::load(text, &|name: &str| std::env::var(name).ok()).map_err(|mistakes| {
        for mistake in &mistakes {
            print::complain(&format!("{}:{mistake}", file.display()));
        }
        let count = mistakes.len();
        print::complain(&format!("{count} mistake{} in {}", if count == 1 { "" } else { "s" }, file.display()));
        Failure::Mistakes
    })
}

fn render_to(args: &args::Render) -> Result<(), Failure> {
    let text = read(&args.file)?;
    let plan = load(&args.file, &text)?;
    let options = render::Options {
        wasm: args.wasm.clone().unwrap_or_else(envoy::usual_module_path),
        access_log: plan.access_log.clone().unwrap_or_else(|| "/dev/stdout".to_owned()).into(),
        ca_bundle: render::find_ca_bundle(),
        dynamic_dir: None,
    };
    let bootstrap = render::bootstrap(&plan, &text, &options);
    let mut rendered = serde_json::to_string_pretty(&bootstrap).unwrap_or_default();
    rendered.push('\n');
    match &args.output {
        None => print::raw(&rendered),
        Some(path) => std::fs::write(path, rendered)
            .map_err(|e| Failure::Machine(format!("{} cannot be written: {e}.", path.display())))?,
    }
    Ok(())
}

/// A runtime for the verbs that serve.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::Machine(format!("the runtime cannot start: {e}.")))
}

/// Resolves on Ctrl-C or SIGTERM.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut term) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
}
