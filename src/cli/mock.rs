//! `conduit mock`: providers to try a gateway against. It speaks the OpenAI and Anthropic formats on one port, refuses
//! what the vendors refuse, and misbehaves on demand. It shares no format code with the gateway, so that the two check
//! each other.

mod anthropic;
mod body;
mod faults;
mod ledger;
mod openai;
mod refusal;
mod reply;
mod respond;
mod sample;
mod script;
mod server;

pub use script::Script;
pub use server::serve;

use super::{Failure, args, interrupted, print, runtime};
use tokio::net::TcpListener;

/// How a mock behaves when the request does not say otherwise.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Answer every request with this status.
    pub fail: Option<u16>,
    /// Wait before every answer, in milliseconds.
    pub delay_ms: u64,
    /// Serve requests without a credential.
    pub open: bool,
    /// Scripted answers.
    pub script: Script,
}

pub(super) fn run(args: &args::Mock) -> Result<(), Failure> {
    let script = match &args.script {
        None => Script::default(),
        Some(file) => {
            let text = super::read(file)?;
            Script::read(&text).map_err(|why| {
                print::complain(&format!("{}:{why}", file.display()));
                Failure::Mistakes
            })?
        }
    };
    let options = Options { fail: args.fail, delay_ms: args.delay_ms, open: args.open, script };
    runtime()?.block_on(async {
        let listener = TcpListener::bind((args.address.as_str(), args.port)).await.map_err(|e| {
            Failure::Machine(format!("cannot listen on {}:{}: {e}. Choose another --port.", args.address, args.port))
        })?;
        let at = listener.local_addr().map_err(|e| Failure::Machine(format!("the listener has no address: {e}.")))?;
        print::line(&format!("mock providers at http://{at}/v1 (requests: /mock/requests, bill: /mock/bill)"));
        serve(listener, options, interrupted()).await;
        Ok(())
    })
}
