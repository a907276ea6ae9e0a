//! The tap role: a network filter on the way from a provider's socket to Envoy's HTTP client. See [`crate::tap`].

use super::hostcalls::{self, Source};
use crate::tap::Tap as Framing;
use proxy_wasm::traits::{Context, StreamContext};
use proxy_wasm::types::Action;

#[derive(Default)]
pub(super) struct Tap {
    framing: Framing,
}

impl Context for Tap {}

/// As much of a piece as a request line may take. A longer one is not a chat request's.
const REQUEST_LINE: usize = 4096;

impl StreamContext for Tap {
    fn on_downstream_data(&mut self, size: usize, _ends: bool) -> Action {
        let bytes = hostcalls::buffer(Source::DownstreamData, size.min(REQUEST_LINE)).unwrap_or_default();
        self.framing.asked(&bytes);
        Action::Continue
    }

    fn on_upstream_data(&mut self, size: usize, ends: bool) -> Action {
        if size > 0 {
            self.framing.seen(&hostcalls::buffer(Source::UpstreamData, size).unwrap_or_default());
        }
        if ends {
            let missing = self.framing.close();
            if !missing.is_empty() {
                hostcalls::append_buffer(Source::UpstreamData, size, &missing);
            }
        }
        Action::Continue
    }
}
