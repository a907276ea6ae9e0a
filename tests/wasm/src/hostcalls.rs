//! The functions of ABI 0.2.1 that the module imports from `env`, with Envoy's answers.

use crate::headers::Headers;
use crate::state::{Deferred, Direction, Host, LocalReply, Metric, Status, replace};
use wasmtime::{Caller, Linker, Result};

type Answer = std::result::Result<(), Status>;
type Cx<'a> = Caller<'a, Host>;

/// Bytes of the module's memory.
pub fn read(cx: &mut Cx<'_>, at: u32, size: u32) -> Option<Vec<u8>> {
    let memory = cx.data().guest.as_ref()?.memory;
    let (at, size) = (at as usize, size as usize);
    memory.data(&cx).get(at..at.checked_add(size)?).map(<[u8]>::to_vec)
}

/// Writes into the module's memory.
pub fn write(cx: &mut Cx<'_>, at: u32, bytes: &[u8]) -> Option<()> {
    let memory = cx.data().guest.as_ref()?.memory;
    memory.write(cx, at as usize, bytes).ok()
}

fn bytes(cx: &mut Cx<'_>, at: u32, size: u32) -> std::result::Result<Vec<u8>, Status> {
    read(cx, at, size).ok_or(Status::InvalidMemoryAccess)
}

fn text(cx: &mut Cx<'_>, at: u32, size: u32) -> std::result::Result<String, Status> {
    String::from_utf8(bytes(cx, at, size)?).map_err(|_| Status::BadArgument)
}

fn put(cx: &mut Cx<'_>, at: u32, value: &[u8]) -> Answer {
    write(cx, at, value).ok_or(Status::InvalidMemoryAccess)
}

/// Copies `value` into memory that the module allocates and says where. An empty value is a null pointer.
fn give(cx: &mut Cx<'_>, value: &[u8], pointer: u32, size: u32) -> Answer {
    let mut at = 0;
    if !value.is_empty() {
        let allocate = cx.data().guest.as_ref().ok_or(Status::InternalFailure)?.allocate.clone();
        at = allocate.call(&mut *cx, value.len() as u32).map_err(|_| Status::InvalidMemoryAccess)?;
        put(cx, at, value)?;
    }
    put(cx, pointer, &at.to_le_bytes())?;
    put(cx, size, &(value.len() as u32).to_le_bytes())
}

fn status(body: impl FnOnce() -> Answer) -> u32 {
    body().err().unwrap_or(Status::Ok) as u32
}

macro_rules! hostcall {
    ($linker:ident, $name:literal, |$cx:ident $(, $arg:ident: $ty:ty)*| $body:block) => {
        $linker.func_wrap("env", $name, |mut caller: Caller<'_, Host> $(, $arg: $ty)*| -> u32 {
            if let Some(injected) = caller.data_mut().begin($name) {
                return injected as u32;
            }
            let $cx = &mut caller;
            status(|| $body)
        })?;
    };
}

/// Adds the functions.
pub fn add(linker: &mut Linker<Host>) -> Result<()> {
    general(linker)?;
    maps(linker)?;
    buffers(linker)?;
    shared(linker)?;
    metrics(linker)?;
    streams(linker)?;
    callouts(linker)
}

fn general(linker: &mut Linker<Host>) -> Result<()> {
    hostcall!(linker, "proxy_log", |cx, level: u32, at: u32, size: u32| {
        let line = String::from_utf8_lossy(&bytes(cx, at, size)?).into_owned();
        cx.data_mut().log.push((level, line));
        Ok(())
    });
    hostcall!(linker, "proxy_get_log_level", |cx, out: u32| {
        let level = cx.data().log_level;
        put(cx, out, &level.to_le_bytes())
    });
    hostcall!(linker, "proxy_get_current_time_nanoseconds", |cx, out: u32| {
        let now = cx.data().clock;
        put(cx, out, &now.to_le_bytes())
    });
    hostcall!(linker, "proxy_set_tick_period_milliseconds", |cx, period: u32| {
        let root = cx.data().effective;
        cx.data_mut().ticks.insert(root, period);
        Ok(())
    });
    hostcall!(linker, "proxy_set_effective_context", |cx, context: u32| {
        if !cx.data().contexts.contains_key(&context) && !cx.data().roots.contains_key(&context) {
            return Err(Status::BadArgument);
        }
        cx.data_mut().effective = context;
        Ok(())
    });
    hostcall!(linker, "proxy_done", |_cx| { Ok(()) });
    hostcall!(linker, "proxy_get_property", |cx, path: u32, path_size: u32, out: u32, out_size: u32| {
        let path = bytes(cx, path, path_size)?;
        let host = cx.data_mut();
        let root = match host.context() {
            Some(context) => context.root,
            None => host.effective,
        };
        let value = match path.as_slice() {
            b"plugin_root_id" => host.roots.get(&root).map(|id| id.clone().into_bytes()),
            b"plugin_vm_id" => Some(b"conduit".to_vec()),
            b"plugin_name" => Some(b"conduit".to_vec()),
            path => host.context().and_then(|context| {
                let named = String::from_utf8_lossy(path);
                context.properties.get(path).or_else(|| context.filter_state.get(named.as_ref())).cloned()
            }),
        };
        give(cx, &value.ok_or(Status::NotFound)?, out, out_size)
    });
    hostcall!(linker, "proxy_set_property", |cx, path: u32, path_size: u32, at: u32, size: u32| {
        let (path, value) = (text(cx, path, path_size)?, bytes(cx, at, size)?);
        let context = cx.data_mut().context().ok_or(Status::NotFound)?;
        context.filter_state.insert(path, value);
        Ok(())
    });
    hostcall!(linker, "proxy_call_foreign_function", |_cx, _n: u32, _ns: u32, _a: u32, _as: u32, _r: u32, _rs: u32| {
        Err(Status::NotFound)
    });
    hostcall!(linker, "proxy_get_status", |cx, code: u32, out: u32, out_size: u32| {
        put(cx, code, &[0; 4])?;
        give(cx, b"", out, out_size)
    });
    Ok(())
}

fn maps(linker: &mut Linker<Host>) -> Result<()> {
    hostcall!(linker, "proxy_get_header_map_pairs", |cx, kind: u32, out: u32, out_size: u32| {
        // Where there is no such map at the moment, Envoy answers with an empty one.
        let wire = cx.data_mut().map(kind).map(Headers::to_wire).unwrap_or_default();
        give(cx, &wire, out, out_size)
    });
    hostcall!(linker, "proxy_set_header_map_pairs", |cx, kind: u32, at: u32, size: u32| {
        let map = Headers::from_wire(&bytes(cx, at, size)?).ok_or(Status::BadArgument)?;
        *cx.data_mut().map_mut(kind)? = map;
        Ok(())
    });
    hostcall!(linker, "proxy_get_header_map_value", |cx, kind: u32, at: u32, size: u32, out: u32, out_size: u32| {
        let name = text(cx, at, size)?;
        let map = cx.data_mut().map(kind).ok_or(Status::BadArgument)?;
        let value = map.bytes(&name).ok_or(Status::NotFound)?.to_vec();
        give(cx, &value, out, out_size)
    });
    hostcall!(linker, "proxy_add_header_map_value", |cx, kind: u32, at: u32, size: u32, v: u32, v_size: u32| {
        let (name, value) = (text(cx, at, size)?, bytes(cx, v, v_size)?);
        cx.data_mut().map_mut(kind)?.add(&name, &value);
        Ok(())
    });
    hostcall!(linker, "proxy_replace_header_map_value", |cx, kind: u32, at: u32, size: u32, v: u32, v_size: u32| {
        let (name, value) = (text(cx, at, size)?, bytes(cx, v, v_size)?);
        cx.data_mut().map_mut(kind)?.set(&name, &value);
        Ok(())
    });
    hostcall!(linker, "proxy_remove_header_map_value", |cx, kind: u32, at: u32, size: u32| {
        let name = text(cx, at, size)?;
        cx.data_mut().map_mut(kind)?.remove(&name);
        Ok(())
    });
    Ok(())
}

/// The buffer behind a `proxy_buffer_type_t` of a stream.
fn body(host: &mut Host, kind: u32) -> std::result::Result<Option<&mut Vec<u8>>, Status> {
    let direction = match kind {
        0 => Direction::Request,
        1 => Direction::Response,
        2..=8 => return Err(Status::NotFound),
        _ => return Err(Status::BadArgument),
    };
    Ok(host.context().ok_or(Status::NotFound)?.side(direction).body.as_mut())
}

fn buffers(linker: &mut Linker<Host>) -> Result<()> {
    hostcall!(linker, "proxy_get_buffer_bytes", |cx, kind: u32, start: u32, size: u32, out: u32, out_size: u32| {
        let host = cx.data_mut();
        let buffer = match kind {
            6 => Vec::new(),
            7 if host.configuring => host.configuration.clone(),
            // Outside of a body callback the buffer is empty, not missing.
            kind => body(host, kind)?.cloned().unwrap_or_default(),
        };
        let start = start as usize;
        let end = start.saturating_add(size as usize).min(buffer.len());
        match buffer.get(start..end) {
            // Envoy leaves the pointers alone here.
            None | Some(&[]) => Ok(()),
            Some(part) => give(cx, part, out, out_size),
        }
    });
    hostcall!(linker, "proxy_set_buffer_bytes", |cx, kind: u32, start: u32, size: u32, at: u32, length: u32| {
        let data = bytes(cx, at, length)?;
        let buffer = body(cx.data_mut(), kind)?.ok_or(Status::BadArgument)?;
        replace(buffer, start as usize, size as usize, &data)
    });
    Ok(())
}

fn shared(linker: &mut Linker<Host>) -> Result<()> {
    hostcall!(linker, "proxy_get_shared_data", |cx, at: u32, size: u32, out: u32, out_size: u32, cas: u32| {
        let key = text(cx, at, size)?;
        let (value, number) = cx.data().shared.get(&key).cloned().ok_or(Status::NotFound)?;
        give(cx, &value, out, out_size)?;
        put(cx, cas, &number.to_le_bytes())
    });
    hostcall!(linker, "proxy_set_shared_data", |cx, at: u32, size: u32, v: u32, v_size: u32, cas: u32| {
        let (key, value) = (text(cx, at, size)?, bytes(cx, v, v_size)?);
        cx.data_mut().set_shared(&key, value, cas)
    });
    hostcall!(linker, "proxy_register_shared_queue", |cx, at: u32, size: u32, out: u32| {
        let name = text(cx, at, size)?;
        let queues = &mut cx.data_mut().queues;
        let place = queues.iter().position(|(n, _)| *n == name).unwrap_or(queues.len());
        if place == queues.len() {
            queues.push((name, Vec::new()));
        }
        put(cx, out, &(place as u32 + 1).to_le_bytes())
    });
    hostcall!(linker, "proxy_resolve_shared_queue", |cx, _vm: u32, _vm_size: u32, at: u32, size: u32, out: u32| {
        let name = text(cx, at, size)?;
        let place = cx.data().queues.iter().position(|(n, _)| *n == name).ok_or(Status::NotFound)?;
        put(cx, out, &(place as u32 + 1).to_le_bytes())
    });
    hostcall!(linker, "proxy_enqueue_shared_queue", |cx, queue: u32, at: u32, size: u32| {
        let value = bytes(cx, at, size)?;
        let place = (queue as usize).wrapping_sub(1);
        cx.data_mut().queues.get_mut(place).ok_or(Status::NotFound)?.1.push(value);
        Ok(())
    });
    hostcall!(linker, "proxy_dequeue_shared_queue", |cx, queue: u32, out: u32, out_size: u32| {
        let place = (queue as usize).wrapping_sub(1);
        let waiting = &mut cx.data_mut().queues.get_mut(place).ok_or(Status::NotFound)?.1;
        if waiting.is_empty() {
            return Err(Status::Empty);
        }
        let value = waiting.remove(0);
        give(cx, &value, out, out_size)
    });
    Ok(())
}

fn metrics(linker: &mut Linker<Host>) -> Result<()> {
    hostcall!(linker, "proxy_define_metric", |cx, kind: u32, at: u32, size: u32, out: u32| {
        let name = text(cx, at, size)?;
        let new = match kind {
            0 => Metric::Counter(0),
            1 => Metric::Gauge(0),
            2 => Metric::Histogram(Vec::new()),
            _ => return Err(Status::BadArgument),
        };
        let host = cx.data_mut();
        host.metrics.entry(name.clone()).or_insert(new);
        host.metric_ids.push(name);
        let id = host.metric_ids.len() as u32;
        put(cx, out, &id.to_le_bytes())
    });
    hostcall!(linker, "proxy_increment_metric", |cx, id: u32, offset: i64| {
        match cx.data_mut().metric(id)? {
            Metric::Counter(value) if offset > 0 => *value = value.wrapping_add(offset as u64),
            Metric::Gauge(value) => *value = value.wrapping_add_signed(offset),
            _ => return Err(Status::BadArgument),
        }
        Ok(())
    });
    hostcall!(linker, "proxy_record_metric", |cx, id: u32, value: u64| {
        match cx.data_mut().metric(id)? {
            Metric::Counter(old) => *old = old.wrapping_add(value),
            Metric::Gauge(old) => *old = value,
            Metric::Histogram(values) => values.push(value),
        }
        Ok(())
    });
    hostcall!(linker, "proxy_get_metric", |cx, id: u32, out: u32| {
        let value = match cx.data_mut().metric(id)? {
            Metric::Counter(value) | Metric::Gauge(value) => *value,
            Metric::Histogram(_) => return Err(Status::BadArgument),
        };
        put(cx, out, &value.to_le_bytes())
    });
    Ok(())
}

fn streams(linker: &mut Linker<Host>) -> Result<()> {
    hostcall!(linker, "proxy_continue_stream", |cx, kind: u32| {
        let direction = match kind {
            0 => Direction::Request,
            1 => Direction::Response,
            2 => return Ok(()),
            3 => return Err(Status::Unimplemented),
            _ => return Err(Status::BadArgument),
        };
        if let Some(context) = cx.data_mut().context() {
            context.deferred.push(Deferred::Continue(direction));
            // Envoy forgets the request's parts, whichever direction continues.
            context.request.headers_visible = false;
            context.request.trailers_visible = false;
        }
        Ok(())
    });
    hostcall!(linker, "proxy_close_stream", |cx, kind: u32| {
        if kind > 3 {
            return Err(Status::BadArgument);
        }
        if let Some(context) = cx.data_mut().context() {
            context.deferred.push(Deferred::Reset);
        }
        Ok(())
    });
    hostcall!(linker, "proxy_send_local_response", |cx,
                                                    status: u32,
                                                    _d: u32,
                                                    _ds: u32,
                                                    at: u32,
                                                    size: u32,
                                                    h: u32,
                                                    h_size: u32,
                                                    _grpc: i32| {
        let body = bytes(cx, at, size)?;
        let headers = Headers::from_wire(&bytes(cx, h, h_size)?).ok_or(Status::BadArgument)?;
        let host = cx.data_mut();
        if let Some(context) = host.context() {
            context.deferred.push(Deferred::Reply(LocalReply { status, headers, body }));
        }
        host.stop_iteration = true;
        Ok(())
    });
    Ok(())
}

/// No cluster is known to be called: Envoy's answer to calls of such ones.
fn callouts(linker: &mut Linker<Host>) -> Result<()> {
    hostcall!(linker, "proxy_http_call", |_cx,
                                          _a: u32,
                                          _b: u32,
                                          _c: u32,
                                          _d: u32,
                                          _e: u32,
                                          _f: u32,
                                          _g: u32,
                                          _h: u32,
                                          _i: u32,
                                          _j: u32| {
        Err(Status::BadArgument)
    });
    hostcall!(linker, "proxy_grpc_call", |_cx,
                                          _a: u32,
                                          _b: u32,
                                          _c: u32,
                                          _d: u32,
                                          _e: u32,
                                          _f: u32,
                                          _g: u32,
                                          _h: u32,
                                          _i: u32,
                                          _j: u32,
                                          _k: u32,
                                          _l: u32| {
        Err(Status::ParseFailure)
    });
    hostcall!(linker, "proxy_grpc_stream", |_cx,
                                            _a: u32,
                                            _b: u32,
                                            _c: u32,
                                            _d: u32,
                                            _e: u32,
                                            _f: u32,
                                            _g: u32,
                                            _h: u32,
                                            _i: u32| {
        Err(Status::ParseFailure)
    });
    hostcall!(linker, "proxy_grpc_send", |_cx, _a: u32, _b: u32, _c: u32, _d: u32| { Err(Status::BadArgument) });
    hostcall!(linker, "proxy_grpc_cancel", |_cx, _a: u32| { Err(Status::BadArgument) });
    hostcall!(linker, "proxy_grpc_close", |_cx, _a: u32| { Err(Status::BadArgument) });
    Ok(())
}
