//! `conduit up`: check, render, run Envoy, follow the access log; reload when the file changes.

mod follow;
mod greet;
mod ports;
mod rebuild;
mod reload;

use super::envoy::{self, Envoy};
use super::print::{self, Ink, ink};
use super::render::{self, Options};
use super::{Failure, args, interrupted, load, mock, read, runtime};
use crate::admit::opening;
use crate::config::{Address, Plan};
use crate::host::Time;
use serde_json::Value;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Compiling the module takes seconds on a small machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(args: &args::Up) -> Result<(), Failure> {
    runtime()?.block_on(up(args))
}

async fn up(args: &args::Up) -> Result<(), Failure> {
    let text = read(&args.file)?;
    let plan = load(&args.file, &text)?;
    let binary = envoy::find(&args.envoy)?;
    let module = envoy::find_module(&args.wasm)?;
    let folder = Folder::make(&args.run_dir)?;
    ports::free(&plan, &args.file)?;
    // Held until this command ends: Envoy follows the files in the folder, whoever writes them.
    let _lock = folder.lock()?;

    let mut mocks = Mocks::default();
    mocks.ensure(&plan).await?;
    let log = folder.access_log(&plan);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let rebuilt = rebuild::rebuild(&plan, &log, Time(u64::try_from(now).unwrap_or(u64::MAX)))?;
    let options = Options {
        wasm: module,
        access_log: log.clone(),
        ca_bundle: render::find_ca_bundle(),
        dynamic_dir: Some(folder.path.clone()),
        opening: Some(&rebuilt.balances).filter(|balances| !balances.is_empty()).map(|b| opening::write(b)),
    };
    folder.write_resources(&render::resources(&plan, &text, &options))?;
    folder.write("envoy.json", &render::bootstrap(&plan, &text, &options))?;
    let mut tail = follow::Tail::at_end_of(&log);
    let mut envoy = Envoy::start(
        &binary,
        &folder.path.join("envoy.json"),
        &folder.path.join("envoy.log"),
        &plan.admin,
        args.concurrency,
    )?;
    let mut watch = reload::Watch::new(&args.file, text);
    let stop = interrupted();
    tokio::pin!(stop);
    tokio::select! {
        ready = envoy.ready(&plan.listen, PATIENCE) => if let Err(failure) = ready {
            // Waited for, so that its ports are free when this command has ended.
            envoy.kill().await;
            return Err(failure);
        },
        () = &mut stop => {
            envoy.stop().await;
            return Ok(());
        }
    }
    print::line(&greet::greeting(&plan, &log, &folder.path.join("envoy.log"), &rebuilt));

    let mut current = plan;
    let mut beat = tokio::time::interval(Duration::from_millis(100));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let result = loop {
        tokio::select! {
            () = &mut stop => break Ok(()),
            failure = envoy.ended() => break Err(failure),
            _ = beat.tick() => {}
        }
        for line in tail.lines() {
            print::line(&follow::readable(&line));
        }
        if let Some(text) = watch.changed() {
            let reload = reload::Reload { file: &args.file, options: &options, folder: &folder };
            if let Some(plan) = reload.apply(&text, &current, &envoy, &mut mocks).await {
                current = plan;
            }
        }
    };
    if result.is_ok() {
        print::line(&ink(Ink::Dim, "stopping Envoy"));
        envoy.stop().await;
    }
    for line in tail.lines() {
        print::line(&follow::readable(&line));
    }
    result
}

/// The run folder.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn make(path: &Path) -> Result<Self, Failure> {
        let made = std::fs::create_dir_all(path).and_then(|()| std::fs::canonicalize(path));
        let path = made.map_err(|e| {
            Failure::Machine(format!(
                "the run folder {} cannot be made: {e}. Choose another --run-dir.",
                path.display()
            ))
        })?;
        Ok(Self { path })
    }

    /// Keeps other `conduit up` out. Freed with the file, however the process ends.
    fn lock(&self) -> Result<File, Failure> {
        let at = self.path.join(".lock");
        let failure = |why: String| Failure::Machine(format!("the run folder {} {why}", self.path.display()));
        let file =
            File::create(&at).map_err(|e| failure(format!("cannot be written: {e}. Choose another --run-dir.")))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(failure(
                "is in use by another `conduit up`. Stop that one, or choose another --run-dir.".to_owned(),
            )),
            // A file system that knows no locks is no reason not to start.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
        }
    }

    /// The file that the plan names for the access log, or one here: `up` needs one that it can follow.
    fn access_log(&self, plan: &Plan) -> PathBuf {
        let named = plan.access_log.as_ref().filter(|path| !path.starts_with("/dev/"));
        named.map(PathBuf::from).unwrap_or_else(|| self.path.join("access.jsonl"))
    }

    /// Replaces a file at once, so that Envoy never reads half of it.
    fn write(&self, name: &str, content: &Value) -> Result<(), Failure> {
        let (to, draft) = (self.path.join(name), self.path.join(format!(".{name}.draft")));
        let text = serde_json::to_string_pretty(content).unwrap_or_default();
        let written = std::fs::write(&draft, text).and_then(|()| std::fs::rename(&draft, &to));
        written.map_err(|e| Failure::Machine(format!("{} cannot be written: {e}.", to.display())))
    }

    /// Clusters before the listener that names them.
    fn write_resources(&self, (lds, cds): &(Value, Value)) -> Result<(), Failure> {
        self.write("cds.json", cds)?;
        self.write("lds.json", lds)
    }
}

/// The mock providers that run in this process.
#[derive(Default)]
struct Mocks {
    running: Option<(Address, JoinHandle<()>)>,
}

impl Mocks {
    /// Starts them where a provider needs them and they do not run yet.
    async fn ensure(&mut self, plan: &Plan) -> Result<(), Failure> {
        let Some(address) = plan.mock.as_ref().filter(|_| plan.providers.iter().any(|provider| provider.mocked)) else {
            return Ok(());
        };
        if self.running.as_ref().is_some_and(|(at, _)| at == address) {
            return Ok(());
        }
        let listener = TcpListener::bind((address.address.as_str(), address.port)).await.map_err(|e| {
            Failure::Machine(format!(
                "the mock providers cannot listen on {}:{}: {e}. Change `mock.port`, or set the providers' keys.",
                address.address, address.port
            ))
        })?;
        if let Some((_, old)) = self.running.take() {
            old.abort();
        }
        let serving = tokio::spawn(mock::serve(listener, mock::Options::default(), std::future::pending()));
        self.running = Some((address.clone(), serving));
        Ok(())
    }
}

impl Drop for Mocks {
    fn drop(&mut self) {
        if let Some((_, serving)) = &self.running {
            serving.abort();
        }
    }
}
