//! Where records are read from: files, folders, standard input, rotated and compressed logs; in pieces of whole lines.

use crate::cli::Failure;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much is read at once.
const PIECE: usize = 1 << 20;
/// A line longer than this is no record.
pub(crate) const LONGEST: usize = 1 << 20;
/// Where `conduit up` writes without being told.
const USUAL: &str = "run";

/// A log to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
    /// A plain file from the first line on that begins at this offset or later.
    Rest(PathBuf, u64),
}

impl Log {
    /// Where it is.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Stdin => None,
            Self::File(path) | Self::Rest(path, _) => Some(path),
        }
    }

    /// What it is called in messages.
    pub fn name(&self) -> String {
        self.path().map_or_else(|| "standard input".to_owned(), |path| path.display().to_string())
    }

    /// How much there is to read, where that is known.
    pub fn size(&self) -> Option<u64> {
        let skipped = if let Self::Rest(_, offset) = self { *offset } else { 0 };
        let meta = std::fs::metadata(self.path()?).ok().filter(std::fs::Metadata::is_file)?;
        Some(meta.len().saturating_sub(skipped))
    }
}

/// The logs that the arguments name; a folder stands for every `access*.jsonl*` in it, nothing for the usual folder of
/// `conduit up`.
pub(crate) fn find(named: &[PathBuf]) -> Result<Vec<Log>, Failure> {
    let usual = [PathBuf::from(USUAL)];
    let named = if named.is_empty() {
        if !Path::new(USUAL).is_dir() {
            return Err(Failure::Machine(format!(
                "no log is given, and the folder {USUAL} of `conduit up` is not here. Give the path of an access log."
            )));
        }
        &usual
    } else {
        named
    };
    let mut logs = Vec::new();
    for path in named {
        if path.as_os_str() == "-" {
            logs.push(Log::Stdin);
        } else if path.is_dir() {
            logs.extend(in_folder(path)?.into_iter().map(Log::File));
        } else {
            logs.push(Log::File(path.clone()));
        }
    }
    logs.dedup();
    Ok(logs)
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failure = |why: String| Failure::Machine(format!("{}: {why}", folder.display()));
    let entries = std::fs::read_dir(folder).map_err(|e| failure(format!("cannot be read: {e}.")))?;
    let named = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("access") && name.contains(".jsonl") && path.is_file()
    };
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(named).collect();
    found.sort();
    if found.is_empty() {
        return Err(failure("holds no access*.jsonl*. Give the path of an access log.".to_owned()));
    }
    Ok(found)
}

/// A log and its rotated siblings: `access.jsonl` and every `access.jsonl.*`, `access-*.jsonl*` beside it.
pub(crate) fn with_siblings(log: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (log.parent(), log.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let (stem, ending) = name.split_once('.').unwrap_or((name, ""));
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let sibling = |path: &PathBuf| {
        let other = path.file_name().unwrap_or_default().to_string_lossy();
        let rotated = other.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']));
        let dated = other
            .strip_prefix(stem)
            .and_then(|rest| rest.strip_prefix(['-', '.', '_']))
            .is_some_and(|rest| !ending.is_empty() && rest.contains(&format!(".{ending}")));
        (rotated || dated) && path.is_file()
    };
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(sibling).collect();
    found.sort();
    found
}

/// Opens a log, decompressed; `passed` counts the bytes that were read of it as it is on disk.
pub(crate) fn open(log: &Log, passed: Arc<AtomicU64>) -> io::Result<Box<dyn Read>> {
    match log {
        Log::Stdin => decompressed(Counted { inner: io::stdin(), passed }, false),
        Log::File(path) => {
            let brotli = path.extension().is_some_and(|ending| ending == "br");
            decompressed(Counted { inner: File::open(path)?, passed }, brotli)
        }
        Log::Rest(path, offset) => Ok(Box::new(Counted { inner: open_at(path, *offset)?, passed })),
    }
}

struct Counted<R> {
    inner: R,
    passed: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.passed.fetch_add(u64::try_from(read).unwrap_or(0), Ordering::Relaxed);
        Ok(read)
    }
}

/// gzip (also several members in a row) and zstd show by their first bytes; brotli has none and goes by the file's name.
fn decompressed(from: impl Read + 'static, brotli: bool) -> io::Result<Box<dyn Read>> {
    let mut from = BufReader::with_capacity(PIECE, from);
    let mut first = Vec::new();
    from.by_ref().take(4).read_to_end(&mut first)?;
    let zstd = matches!(first.as_slice(), [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18]);
    let gzip = first.starts_with(&[0x1f, 0x8b]);
    let whole = BufReader::with_capacity(PIECE, Cursor::new(first).chain(from));
    Ok(if gzip {
        Box::new(flate2::bufread::MultiGzDecoder::new(whole))
    } else if zstd {
        Box::new(zstd::stream::read::Decoder::with_buffer(whole)?)
    } else if brotli {
        Box::new(brotli::Decompressor::new(whole, 1 << 16))
    } else {
        Box::new(whole)
    })
}

/// Whole lines in a row.
#[derive(Debug)]
pub(crate) struct Piece {
    /// Which log they are of, by its place.
    pub log: usize,
    /// The number of the first line, from 1 on.
    pub first_line: u64,
    /// The lines, each with its end (the last of a log may lack it).
    pub bytes: Vec<u8>,
}

/// Cuts what is read into pieces of whole lines, each about 1 MiB. Longer lines are given to `too_long` by number.
///
/// # Errors
/// The log cannot be read on. What came before was given to `take`.
pub(crate) fn pieces(
    log: usize,
    from: &mut dyn Read,
    take: &mut dyn FnMut(Piece) -> bool,
    too_long: &mut dyn FnMut(u64),
) -> io::Result<()> {
    let (mut rest, mut line, mut skipping) = (Vec::new(), 1_u64, false);
    loop {
        let mut bytes = Vec::with_capacity(PIECE.saturating_add(rest.len()));
        bytes.append(&mut rest);
        let known = bytes.len();
        let result = from.take(u64::try_from(PIECE).unwrap_or(u64::MAX)).read_to_end(&mut bytes);
        let over = matches!(result, Ok(0)) || result.is_err();
        if skipping {
            // In the middle of a line that is too long: nothing of it is kept.
            match memchr::memchr(b'\n', &bytes) {
                Some(end) => {
                    bytes.drain(..=end);
                    line = line.saturating_add(1);
                    skipping = false;
                }
                None if over => return result.map(|_| ()),
                None => continue,
            }
        }
        let whole = if over {
            bytes.len()
        } else {
            let fresh = bytes.get(known.min(bytes.len())..).unwrap_or_default();
            match memchr::memrchr(b'\n', fresh).map(|at| at.saturating_add(known).saturating_add(1)) {
                Some(end) => end,
                None => memchr::memrchr(b'\n', &bytes).map_or(0, |at| at.saturating_add(1)),
            }
        };
        rest = bytes.split_off(whole.min(bytes.len()));
        if rest.len() > LONGEST {
            too_long(line.saturating_add(count_lines(&bytes)));
            rest = Vec::new();
            skipping = true;
        }
        if !bytes.is_empty() {
            let lines = count_lines(&bytes);
            if !take(Piece { log, first_line: line, bytes }) {
                return Ok(());
            }
            line = line.saturating_add(lines);
        }
        if over {
            return result.map(|_| ());
        }
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    u64::try_from(memchr::memchr_iter(b'\n', bytes).count()).unwrap_or(u64::MAX)
}

impl Piece {
    /// Its lines that are not blank, with their numbers.
    pub fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut from = 0_usize;
        let mut ends = memchr::memchr_iter(b'\n', &self.bytes);
        let mut number = self.first_line;
        std::iter::from_fn(move || {
            if from >= self.bytes.len() {
                return None;
            }
            let end = ends.next().unwrap_or(self.bytes.len());
            let line = self.bytes.get(from..end).unwrap_or_default();
            let this = number;
            from = end.saturating_add(1);
            number = number.saturating_add(1);
            Some((this, line))
        })
        .filter(|(_, line)| !line.trim_ascii().is_empty())
    }
}

/// Reads logs in order, in this thread: every line with its log's place and number. What cannot be read is told.
///
/// # Errors
/// A log that cannot be opened or read on.
pub(crate) fn each_line(
    logs: &[Log],
    passed: &Arc<AtomicU64>,
    take: &mut dyn FnMut(usize, u64, Result<&[u8], &'static str>) -> io::Result<()>,
) -> io::Result<()> {
    for (place, log) in logs.iter().enumerate() {
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{} cannot be read: {e}", log.name()));
        let mut from = open(log, Arc::clone(passed)).map_err(named)?;
        let mut failed = None;
        let mut long = Vec::new();
        let mut give = |piece: Piece| {
            for (number, line) in piece.lines() {
                if let Err(error) = take(place, number, Ok(line)) {
                    failed = Some(error);
                    return false;
                }
            }
            true
        };
        pieces(place, &mut *from, &mut give, &mut |line| long.push(line)).map_err(named)?;
        if let Some(error) = failed {
            return Err(error);
        }
        for line in long {
            take(place, line, Err(TOO_LONG))?;
        }
    }
    Ok(())
}

/// Why a line that [`pieces`] gave up is no record.
pub(crate) const TOO_LONG: &str = "no record: longer than 1 MiB";

/// Opens a plain file at the first whole line after an offset.
pub(crate) fn open_at(path: &Path, offset: u64) -> io::Result<BufReader<File>> {
    use std::io::{Seek, SeekFrom};
    let mut file = BufReader::with_capacity(PIECE, File::open(path)?);
    if offset > 0 {
        file.seek(SeekFrom::Start(offset.saturating_sub(1)))?;
        let mut rest = Vec::new();
        file.read_until(b'\n', &mut rest)?;
    }
    Ok(file)
}
