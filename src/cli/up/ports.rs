//! Ports are looked at before anything starts: a sentence now is better than Envoy's log later.

use crate::cli::Failure;
use crate::config::{Address, Plan};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;

/// Fails where a port that the plan needs cannot be listened on.
pub(super) fn free(plan: &Plan, file: &Path) -> Result<(), Failure> {
    let mocked = plan.providers.iter().any(|provider| provider.mocked);
    let wanted =
        [("listen", Some(&plan.listen)), ("admin", Some(&plan.admin)), ("mock", plan.mock.as_ref().filter(|_| mocked))];
    let mut held: Vec<(&str, TcpListener)> = Vec::new();
    for (setting, address) in wanted {
        let Some(address) = address else { continue };
        match TcpListener::bind((address.address.as_str(), address.port)) {
            // Kept until all are looked at: two settings may name the same port.
            Ok(listener) => held.push((setting, listener)),
            Err(e) => return Err(Failure::Machine(sentence(setting, address, &e, &held, file))),
        }
    }
    Ok(())
}

fn sentence(
    setting: &str,
    address: &Address,
    error: &std::io::Error,
    held: &[(&str, TcpListener)],
    file: &Path,
) -> String {
    let Address { address: host, port } = address;
    let other = held.iter().find(|(_, listener)| listener.local_addr().is_ok_and(|at| at.port() == *port));
    let file = file.display();
    match (error.kind(), other) {
        (ErrorKind::AddrInUse, Some((other, _))) => {
            format!("port {port} is both `{other}.port` and `{setting}.port` in {file}. Change one of them.")
        }
        (ErrorKind::AddrInUse, None) => format!(
            "port {port} on {host} is in use by another program. Stop that program, or change `{setting}.port` in \
             {file}."
        ),
        (ErrorKind::PermissionDenied, _) => format!(
            "port {port} on {host} may not be used by this user. Change `{setting}.port` in {file} to one above 1023."
        ),
        _ => format!("cannot listen on {host}:{port}: {error}. Change `{setting}.address` in {file}."),
    }
}
