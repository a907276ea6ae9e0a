//! Reading answers that come compressed although they were asked for as they are: between the provider and the upstream
//! role stands a decompressor for each coding. Nothing is offered in `accept-encoding`, and requests are left alone.

use super::typed;
use serde_json::{Value, json};

/// Bytes that a decompressor gives at once.
const CHUNK: u32 = 65_536;

/// The decompressors, to stand before the codec.
pub(super) fn filters() -> Vec<Value> {
    // The largest window, and the largest ratio that Envoy takes: more than gzip can reach.
    let gzip = json!({"window_bits": 15, "chunk_size": CHUNK, "max_inflate_ratio": 1_032});
    let chunked = || json!({"chunk_size": CHUNK});
    [("gzip", "Gzip", gzip), ("brotli", "Brotli", chunked()), ("zstd", "Zstd", chunked())]
        .into_iter()
        .map(|(name, kind, library)| {
            let library = typed(&format!("envoy.extensions.compression.{name}.decompressor.v3.{kind}"), library);
            let never = json!({"default_value": false, "runtime_key": "conduit.decompress_requests"});
            json!({
                "name": format!("conduit.decompress.{name}"),
                "typed_config": typed("envoy.extensions.filters.http.decompressor.v3.Decompressor", json!({
                    "decompressor_library": {"name": name, "typed_config": library},
                    "request_direction_config": {
                        "common_config": {"enabled": never},
                        "advertise_accept_encoding": false,
                    },
                    // The module is no proxy that could honour `no-transform`: it reads the answer.
                    "response_direction_config": {"common_config": {"ignore_no_transform_header": true}},
                })),
            })
        })
        .collect()
}

/// Trailers that the decompressors add for statistics.
pub(super) fn trailers() -> Vec<String> {
    let sides = ["compressed", "uncompressed"];
    ["gzip", "brotli", "zstd"]
        .iter()
        .flat_map(|name| sides.map(|side| format!("x-envoy-decompressor-{name}-{side}-bytes")))
        .collect()
}
