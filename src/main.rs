//! The `conduit` command; all of it is in [`conduit::cli`].

#[cfg(not(target_family = "wasm"))]
fn main() -> std::process::ExitCode {
    conduit::cli::main()
}

#[cfg(target_family = "wasm")]
fn main() {}
