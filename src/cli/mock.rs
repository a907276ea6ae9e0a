//! `conduit mock`: providers to try a gateway against. It speaks the formats of OpenAI (chat and Responses), Azure,
//! Anthropic, Google (AI Studio and Vertex) and Bedrock on one port, refuses what the vendors refuse, and misbehaves on
//! demand. It shares no format code with the gateway, so that the two check each other.

mod anthropic;
mod bedrock;
mod body;
mod cache;
mod credential;
mod endpoint;
mod eventstream;
mod faults;
mod form;
mod gemini;
mod json;
mod ledger;
mod media;
mod meter;
mod openai;
mod refusal;
mod reply;
mod respond;
mod responses;
mod sample;
mod script;
mod server;
mod sigv4;
mod squeeze;
mod strict;
mod vector;

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
    /// The key that Bedrock's requests are signed with.
    pub aws: AwsKey,
}

/// An AWS access key that the mock knows.
#[derive(Clone, PartialEq, Eq)]
pub struct AwsKey {
    /// Its id.
    pub access: String,
    /// Its secret, never shown.
    pub secret: String,
}

impl Default for AwsKey {
    fn default() -> Self {
        Self { access: "AKIDMOCK".to_owned(), secret: "mock-secret".to_owned() }
    }
}

impl std::fmt::Debug for AwsKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsKey").field("access", &self.access).finish_non_exhaustive()
    }
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
    let aws = AwsKey { access: args.aws_access_key.clone(), secret: args.aws_secret_key.clone() };
    let options = Options { fail: args.fail, delay_ms: args.delay_ms, open: args.open, script, aws };
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
