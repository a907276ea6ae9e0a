//! Every call to the host, and nothing else: the only file that knows the ABI
//! (<https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>, 2026-11-21).
//!
//! The SDK's own `hostcalls` panic on every status but the expected one, and a panic here is a trap that costs the
//! worker its VM. So the imports stand here again, and each status becomes an `Option`: what the host will not give is
//! not there, what it will not take is logged by Envoy itself.
#![allow(unsafe_code)]

use crate::exchange::{HeaderEdits, Headers, Reply};
use crate::host::{Time, Version};
use crate::report::metrics::Kind;

/// Log levels of the host.
#[derive(Clone, Copy)]
pub(super) enum Level {
    Warn = 3,
    Critical = 5,
}

/// Buffers of the host.
#[derive(Clone, Copy)]
pub(super) enum Source {
    RequestBody = 0,
    ResponseBody = 1,
    DownstreamData = 2,
    UpstreamData = 3,
    PluginConfiguration = 7,
}

/// Header maps of the host.
#[derive(Clone, Copy)]
pub(super) enum Map {
    Request = 0,
    Response = 2,
}

const OK: u32 = 0;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_buffer_bytes(kind: u32, start: usize, most: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_buffer_bytes(kind: u32, start: usize, size: usize, data: *const u8, length: usize) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_close_stream(stream: u32) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_set_shared_data(key: *const u8, key_size: usize, value: *const u8, value_size: usize, cas: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
}

/// Runs a call that returns bytes allocated in this module by the host.
fn returned(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Option<Vec<u8>> {
    let mut data: *mut u8 = std::ptr::null_mut();
    let mut size = 0_usize;
    if call(&raw mut data, &raw mut size) != OK {
        return None;
    }
    if data.is_null() {
        return Some(Vec::new());
    }
    // SAFETY: the host allocated these bytes through `proxy_on_memory_allocate`, which the SDK exports and which
    // makes them as a `Vec<u8>` whose capacity is exactly `size`; with status OK they are initialised and ours.
    Some(unsafe { Vec::from_raw_parts(data, size, size) })
}

/// Writes a line to Envoy's log.
pub(super) fn log(level: Level, message: &str) {
    // SAFETY: pointer and length are of one live `str`.
    unsafe { proxy_log(level as u32, message.as_ptr(), message.len()) };
}

/// The time; the epoch where the host has none.
pub(super) fn now() -> Time {
    let mut nanos = 0_u64;
    // SAFETY: the host writes one `u64` to a live one.
    unsafe { proxy_get_current_time_nanoseconds(&raw mut nanos) };
    Time(nanos)
}

/// The first `most` bytes of a buffer; `None` where the host has none.
pub(super) fn buffer(source: Source, most: usize) -> Option<Vec<u8>> {
    // SAFETY: `returned` hands in live out-pointers.
    returned(|data, size| unsafe { proxy_get_buffer_bytes(source as u32, 0, most, data, size) })
}

/// Replaces the first `size` bytes of a buffer.
pub(super) fn set_buffer(source: Source, size: usize, bytes: &[u8]) -> bool {
    // SAFETY: pointer and length are of one live slice.
    unsafe { proxy_set_buffer_bytes(source as u32, 0, size, bytes.as_ptr(), bytes.len()) == OK }
}

/// Adds bytes behind the first `size` bytes of a buffer.
pub(super) fn append_buffer(source: Source, size: usize, bytes: &[u8]) -> bool {
    // SAFETY: pointer and length are of one live slice.
    unsafe { proxy_set_buffer_bytes(source as u32, size, 0, bytes.as_ptr(), bytes.len()) == OK }
}

/// The headers of a message; none where the host has none. Bytes that are no UTF-8 become replacement characters.
pub(super) fn headers(map: Map) -> Headers {
    // SAFETY: `returned` hands in live out-pointers.
    let bytes = returned(|data, size| unsafe { proxy_get_header_map_pairs(map as u32, data, size) });
    Headers::new(bytes.map(|bytes| pairs(&bytes).unwrap_or_default()).unwrap_or_default())
}

/// The ABI's serialised map: a count, then name and value sizes, then names and values, each ended by a zero byte.
fn pairs(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let number = |at: usize| {
        let four = bytes.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(four.try_into().ok()?) as usize)
    };
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let count = number(0)?;
    let mut sizes_at = 4_usize;
    let mut at = count.checked_mul(8)?.checked_add(4)?;
    let mut text = |size: usize| {
        let end = at.checked_add(size)?;
        let text = String::from_utf8_lossy(bytes.get(at..end)?).into_owned();
        at = end.checked_add(1)?;
        Some(text)
    };
    let mut pairs = Vec::new();
    for _ in 0..count {
        let (name_size, value_size) = (number(sizes_at)?, number(sizes_at.checked_add(4)?)?);
        pairs.push((text(name_size)?, text(value_size)?));
        sizes_at = sizes_at.checked_add(8)?;
    }
    Some(pairs)
}

/// The same, the other way round.
fn serialised(pairs: &[(&str, &str)]) -> Vec<u8> {
    let size_of = |length: usize| u32::try_from(length).unwrap_or(0).to_le_bytes();
    let mut bytes = size_of(pairs.len()).to_vec();
    for (name, value) in pairs {
        bytes.extend_from_slice(&size_of(name.len()));
        bytes.extend_from_slice(&size_of(value.len()));
    }
    for (name, value) in pairs {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(0);
    }
    bytes
}

/// Carries out edits of a message's headers; whether the host took all of them.
pub(super) fn edit(map: Map, edits: &HeaderEdits) -> bool {
    let mut taken = true;
    for name in &edits.remove {
        // SAFETY: pointer and length are of one live `str`.
        taken &= unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) } == OK;
    }
    for (name, value) in &edits.set {
        // SAFETY: pointers and lengths are of live `str`s.
        let status = unsafe {
            proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
        };
        taken &= status == OK;
    }
    taken
}

fn path_of(path: &[&str]) -> String {
    path.join("\0")
}

/// A property of the stream or the plugin.
pub(super) fn property(path: &[&str]) -> Option<Vec<u8>> {
    let path = path_of(path);
    // SAFETY: pointer and length are of one live `str`; `returned` hands in live out-pointers.
    returned(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

/// Sets a property; Envoy keeps it as filter state `wasm.<name>`.
pub(super) fn set_property(name: &str, value: &[u8]) -> bool {
    // SAFETY: pointers and lengths are of a live `str` and a live slice.
    unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) == OK }
}

/// Answers the request here.
pub(super) fn reply(reply: &Reply) -> bool {
    let headers: Vec<(&str, &str)> = reply.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let headers = serialised(&headers);
    let details = "conduit";
    // SAFETY: pointers and lengths are of live slices; -1 is the ABI's "no gRPC status".
    unsafe {
        proxy_send_local_response(
            u32::from(reply.status),
            details.as_ptr(),
            details.len(),
            reply.body.as_ptr(),
            reply.body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        ) == OK
    }
}

/// Resets the stream of the answer.
pub(super) fn reset_answer() {
    const HTTP_RESPONSE: u32 = 1;
    // SAFETY: a plain number.
    unsafe { proxy_close_stream(HTTP_RESPONSE) };
}

/// Defines a metric and gives its id.
pub(super) fn define_metric(kind: Kind, name: &str) -> Option<u32> {
    let kind = match kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
        Kind::Histogram => 2,
    };
    let mut id = 0_u32;
    // SAFETY: pointer and length are of one live `str`; the host writes one `u32` to a live one.
    (unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) } == OK).then_some(id)
}

/// Adds to a counter or gauge.
pub(super) fn increment_metric(id: u32, offset: i64) {
    // SAFETY: plain numbers.
    unsafe { proxy_increment_metric(id, offset) };
}

/// Records into a histogram.
pub(super) fn record_metric(id: u32, value: u64) {
    // SAFETY: plain numbers.
    unsafe { proxy_record_metric(id, value) };
}

/// Asks for a tick each so many milliseconds.
pub(super) fn set_tick_period(millis: u32) {
    // SAFETY: a plain number.
    unsafe { proxy_set_tick_period_milliseconds(millis) };
}

/// The data that all workers share.
pub(super) struct SharedData;

impl crate::host::Shared for SharedData {
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        let mut cas = 0_u32;
        // SAFETY: the host reads `key` during the call only and writes the three places, which outlive it.
        let value =
            returned(|data, size| unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut cas) })?;
        Some((value, Version(cas)))
    }

    fn swap(&self, key: &str, value: &[u8], version: Option<Version>) -> bool {
        // The host takes whatever stands there for 0, and compares with any other number only where something stands
        // there already: a number that no writing has means "where nothing is known yet".
        const ABSENT: u32 = u32::MAX;
        let cas = version.map_or(ABSENT, |version| version.0);
        set_shared_data(key, value, cas)
    }

    fn set(&self, key: &str, value: &[u8]) {
        set_shared_data(key, value, 0);
    }
}

fn set_shared_data(key: &str, value: &[u8], cas: u32) -> bool {
    // SAFETY: the host reads both during the call only.
    unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) == OK }
}
