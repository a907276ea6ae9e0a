//! What Envoy offers of `wasi_snapshot_preview1`. Nothing else: a module that imports more does not load there.

use crate::hostcalls::{read, write};
use crate::state::Host;
use wasmtime::{Caller, Linker, Result, bail};

const EBADF: u32 = 8;
const EFAULT: u32 = 21;
const ENOENT: u32 = 44;
const ENOSYS: u32 = 52;
const ENOTSUP: u32 = 58;
const MODULE: &str = "wasi_snapshot_preview1";

fn done(result: Option<()>) -> u32 {
    if result.is_some() { 0 } else { EFAULT }
}

/// Adds the functions.
pub fn add(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap(MODULE, "fd_write", |mut cx: Caller<'_, Host>, fd: u32, iovs: u32, count: u32, out: u32| {
        if fd != 1 && fd != 2 {
            return EBADF;
        }
        let mut text = Vec::new();
        for entry in 0..count {
            let Some(iov) = read(&mut cx, iovs + entry * 8, 8) else { return EFAULT };
            let number = |at: usize| u32::from_le_bytes([iov[at], iov[at + 1], iov[at + 2], iov[at + 3]]);
            let Some(bytes) = read(&mut cx, number(0), number(4)) else { return EFAULT };
            text.extend(bytes);
        }
        let level = if fd == 1 { 2 } else { 4 };
        let line = String::from_utf8_lossy(&text).trim_end().to_owned();
        cx.data_mut().log.push((level, line));
        done(write(&mut cx, out, &(text.len() as u32).to_le_bytes()))
    })?;
    linker.func_wrap(MODULE, "fd_read", |_: u32, _: u32, _: u32, _: u32| ENOSYS)?;
    linker.func_wrap(MODULE, "fd_seek", |_: u32, _: i64, _: u32, _: u32| 0u32)?;
    linker.func_wrap(MODULE, "fd_close", |_: u32| 0u32)?;
    linker.func_wrap(MODULE, "fd_fdstat_get", |mut cx: Caller<'_, Host>, fd: u32, out: u32| {
        if fd != 1 && fd != 2 {
            return EBADF;
        }
        let mut stat = [0u8; 24];
        stat[8] = 64;
        done(write(&mut cx, out, &stat))
    })?;
    linker.func_wrap(MODULE, "fd_prestat_get", |_: u32, _: u32| EBADF)?;
    linker.func_wrap(MODULE, "fd_prestat_dir_name", |_: u32, _: u32, _: u32| ENOSYS)?;
    linker.func_wrap(
        MODULE,
        "path_open",
        |_: u32, _: u32, _: u32, _: u32, _: u32, _: i64, _: i64, _: u32, _: u32| ENOENT,
    )?;
    linker.func_wrap(MODULE, "environ_sizes_get", |mut cx: Caller<'_, Host>, count: u32, size: u32| {
        let environment = &cx.data().environment;
        let (number, bytes) = (environment.len() as u32, environment.iter().map(|e| e.len() as u32 + 1).sum::<u32>());
        done(write(&mut cx, count, &number.to_le_bytes()).and_then(|()| write(&mut cx, size, &bytes.to_le_bytes())))
    })?;
    linker.func_wrap(MODULE, "environ_get", |mut cx: Caller<'_, Host>, mut pointers: u32, mut buffer: u32| {
        for mut entry in cx.data().environment.clone() {
            entry.push('\0');
            if write(&mut cx, pointers, &buffer.to_le_bytes()).is_none()
                || write(&mut cx, buffer, entry.as_bytes()).is_none()
            {
                return EFAULT;
            }
            pointers += 4;
            buffer += entry.len() as u32;
        }
        0
    })?;
    linker.func_wrap(MODULE, "args_sizes_get", |mut cx: Caller<'_, Host>, count: u32, size: u32| {
        done(write(&mut cx, count, &[0; 4]).and_then(|()| write(&mut cx, size, &[0; 4])))
    })?;
    linker.func_wrap(MODULE, "args_get", |_: u32, _: u32| 0u32)?;
    linker.func_wrap(MODULE, "clock_time_get", |mut cx: Caller<'_, Host>, clock: u32, _: i64, out: u32| {
        // A monotonic clock is not offered: `Instant::now` would panic there.
        if clock != 0 {
            return ENOTSUP;
        }
        let now = cx.data().clock;
        done(write(&mut cx, out, &now.to_le_bytes()))
    })?;
    linker.func_wrap(MODULE, "random_get", |mut cx: Caller<'_, Host>, out: u32, size: u32| {
        let bytes: Vec<u8> = (0..size).map(|_| next_byte(&mut cx.data_mut().random)).collect();
        done(write(&mut cx, out, &bytes))
    })?;
    linker.func_wrap(MODULE, "sched_yield", || 0u32)?;
    linker.func_wrap(MODULE, "poll_oneoff", |_: u32, _: u32, _: u32, _: u32| ENOSYS)?;
    linker.func_wrap(MODULE, "proc_exit", |code: u32| -> Result<()> { bail!("the module exited with code {code}") })?;
    Ok(())
}

/// A byte of a fixed sequence (SplitMix64): each run sees the same random numbers.
fn next_byte(state: &mut u64) -> u8 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) as u8
}
