//! `conduit usage export` and `import`: records out of logs into tables, and back.

mod columns;
mod csv;
mod parquet;

use super::clock::time_of;
use super::entry::{Entry, text};
use super::logs::{self, Log};
use super::progress::Progress;
use super::workers::{Skipped, broken_off};
use crate::cli::args::{Export, ExportFormat, Import};
use crate::cli::{Failure, print};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;

/// Where records go.
enum Sink {
    Parquet(Box<parquet::Writer<BufWriter<File>>>),
    Csv(BufWriter<File>),
    Lines(BufWriter<File>),
}

impl Sink {
    fn new(format: ExportFormat, file: File) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(1 << 20, file);
        Ok(match format {
            ExportFormat::Parquet => Self::Parquet(Box::new(parquet::Writer::new(file).map_err(io::Error::other)?)),
            ExportFormat::Csv => {
                csv::head(&mut file)?;
                Self::Csv(file)
            }
            ExportFormat::Jsonl => Self::Lines(file),
        })
    }

    /// Takes a record. `Err` within is why it does not fit.
    fn take(&mut self, entry: &Entry<'_>) -> io::Result<Result<(), String>> {
        match self {
            Self::Parquet(writer) => return writer.add(entry).map_err(io::Error::other),
            Self::Csv(file) => csv::row(file, entry)?,
            Self::Lines(file) => line(file, entry)?,
        }
        Ok(Ok(()))
    }

    fn end(self) -> io::Result<()> {
        match self {
            Self::Parquet(writer) => writer.end().map_err(io::Error::other),
            Self::Csv(mut file) | Self::Lines(mut file) => file.flush(),
        }
    }
}

/// A record as it stands in the log.
fn line(to: &mut dyn Write, entry: &Entry<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *to, entry).map_err(io::Error::from)?;
    to.write_all(b"\n")
}

/// `conduit usage export`
pub(super) fn export(args: &Export) -> Result<(), Failure> {
    let zone = super::zone(args.zone.as_deref())?;
    let stretch = super::stretch(args.since.as_deref(), args.until.as_deref(), &zone)?;
    let found = logs::find(&args.logs)?;
    // An export into the folder that it reads must not read what it writes.
    let own = std::fs::canonicalize(&args.output).ok();
    if own.is_some() && found.iter().any(|log| log.path().and_then(|path| std::fs::canonicalize(path).ok()) == own) {
        return Err(Failure::Machine(format!(
            "{} is one of the logs. Choose another --output.",
            args.output.display()
        )));
    }
    for path in found.iter().filter_map(Log::path) {
        File::open(path).map_err(|e| Failure::Machine(format!("{} cannot be read: {e}.", path.display())))?;
    }
    let unwritable = |e: io::Error| Failure::Machine(format!("{} cannot be written: {e}.", args.output.display()));
    let mut sink = File::create(&args.output).and_then(|file| Sink::new(args.format, file)).map_err(unwritable)?;
    let progress = Progress::of(&found);
    let (mut skipped, mut records, mut whole) = (Skipped::default(), 0_u64, true);
    for (place, log) in found.iter().enumerate() {
        let mut failed = None;
        let mut long = Vec::new();
        let mut give = |piece: logs::Piece| {
            progress.update(records);
            for (number, line) in piece.lines() {
                let entry = match Entry::read(line) {
                    Ok(entry) => entry,
                    Err(why) => {
                        skipped.add(place, number, &why);
                        continue;
                    }
                };
                if stretch.is_bounded() {
                    match text(&entry.time).and_then(time_of) {
                        Some(time) if stretch.holds(time) => {}
                        Some(_) => continue,
                        None => {
                            skipped.add(place, number, "its `time` is no RFC 3339");
                            continue;
                        }
                    }
                }
                match sink.take(&entry) {
                    Ok(Ok(())) => records = records.saturating_add(1),
                    Ok(Err(why)) => skipped.add(place, number, &why),
                    Err(error) => {
                        failed = Some(error);
                        return false;
                    }
                }
            }
            true
        };
        let read = logs::open(log, progress.passed());
        let read = read.and_then(|mut from| logs::pieces(place, &mut *from, &mut give, &mut |line| long.push(line)));
        if let Some(error) = failed {
            return Err(unwritable(error));
        }
        if let Err(error) = read {
            whole = false;
            progress.aside(&broken_off(log, &error));
        }
        long.iter().for_each(|line| skipped.add(place, *line, logs::TOO_LONG));
    }
    sink.end().map_err(unwritable)?;
    progress.end();
    print::line(&format!("{} records in {}", super::grouped(records), args.output.display()));
    super::told(&skipped, &found, whole)
}

/// `conduit usage import`
pub(super) fn import(args: &Import) -> Result<(), Failure> {
    let missing = |e: io::Error| Failure::Machine(format!("{} cannot be read: {e}.", args.file.display()));
    let log = if args.file.as_os_str() == "-" { Log::Stdin } else { Log::File(args.file.clone()) };
    let source = if log.path().map(begins_parquet).transpose().map_err(missing)?.unwrap_or(false) {
        Source::Parquet(File::open(&args.file).map_err(missing)?)
    } else {
        let mut from = BufReader::new(logs::open(&log, Arc::default()).map_err(missing)?);
        let json = from.fill_buf().map_err(missing)?.trim_ascii_start().starts_with(b"{");
        if json { Source::Lines(from) } else { Source::Csv(from) }
    };
    let unwritable = |e: io::Error| {
        let there = e.kind() == io::ErrorKind::AlreadyExists;
        let hint = if there { " Import into a new file; logs are never replaced." } else { "" };
        Failure::Machine(format!("{} cannot be written: {e}.{hint}", args.output.display()))
    };
    let file = File::options().write(true).create_new(true).open(&args.output).map_err(unwritable)?;
    let mut to = BufWriter::with_capacity(1 << 20, file);
    let mut records = 0_u64;
    let taken = source.read(&mut |entry| {
        records = records.saturating_add(1);
        line(&mut to, &entry).map_err(|e| format!("cannot be written to {}: {e}", args.output.display()))
    });
    if let Err(why) = taken {
        // Half a log would count as a whole one.
        let _ = std::fs::remove_file(&args.output);
        print::complain(&format!("{}: {why}", args.file.display()));
        return Err(Failure::Mistakes);
    }
    to.flush().map_err(unwritable)?;
    print::line(&format!("{} records in {}", super::grouped(records), args.output.display()));
    Ok(())
}

/// What is imported.
enum Source {
    Parquet(File),
    Csv(BufReader<Box<dyn Read>>),
    Lines(BufReader<Box<dyn Read>>),
}

impl Source {
    fn read(self, take: &mut dyn FnMut(Entry<'_>) -> Result<(), String>) -> Result<(), String> {
        match self {
            Self::Parquet(file) => parquet::read(file, take),
            Self::Lines(mut from) => lines(&mut from, take),
            Self::Csv(from) => {
                let mut rows = csv::Rows::begin(from)?;
                while let Some(entry) = rows.next()? {
                    take(entry)?;
                }
                Ok(())
            }
        }
    }
}

fn lines(from: &mut dyn Read, take: &mut dyn FnMut(Entry<'_>) -> Result<(), String>) -> Result<(), String> {
    let (mut wrong, mut long) = (None, None);
    let mut give = |piece: logs::Piece| {
        for (number, line) in piece.lines() {
            let taken = Entry::read(line).and_then(&mut *take);
            if let Err(why) = taken {
                wrong = Some(format!("line {number}: {why}"));
                return false;
            }
        }
        true
    };
    logs::pieces(0, from, &mut give, &mut |line| long = Some(line)).map_err(|e| format!("cannot be read: {e}"))?;
    let long = long.map(|line| format!("line {line}: {}", logs::TOO_LONG));
    wrong.or(long).map_or(Ok(()), Err)
}

fn begins_parquet(path: &Path) -> io::Result<bool> {
    let mut first = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut first)?;
    Ok(first == b"PAR1")
}
