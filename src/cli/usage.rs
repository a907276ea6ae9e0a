//! `conduit usage`: what access-log records add up to.

pub(crate) mod clock;
pub(crate) mod entry;
pub(crate) mod logs;
mod output;
mod progress;
mod scan;
mod tally;
mod views;
pub(crate) mod workers;

use super::{Failure, args, print};
use clock::Stretch;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use output::Report;
use scan::Wanted;
use std::path::PathBuf;
use views::View;

pub(crate) use views::Dimension;

pub(super) fn run(args: &args::Usage) -> Result<(), Failure> {
    let zone = zone(args.zone.as_deref())?;
    let stretch = stretch(args.since.as_deref(), args.until.as_deref(), &zone)?;
    let logs = logs::find(&args.logs)?;
    let views = [Vec::new(), args.by.clone()];
    let (sum, whole) = scan::scan(&logs, &Wanted { views: &views, stretch: &stretch, zone: &zone })?;
    let mut sums = sum.views.into_iter();
    let total = sums.next().map(View::groups).and_then(|groups| groups.into_iter().next()).map(|group| group.tally);
    let groups = sums.next();
    let merged = groups.as_ref().map_or(0, View::merged);
    let groups = groups.map(View::groups).unwrap_or_default();
    let report = Report { by: &args.by, groups: &groups, total: &total.unwrap_or_default() };
    let text = match args.format {
        args::ReportFormat::Table => output::table(&report),
        args::ReportFormat::Csv => output::csv(&report),
        args::ReportFormat::Json => output::json(&report),
    };
    write(args.output.as_ref(), &text)?;
    if merged > 0 {
        print::complain(&format!(
            "more than {} groups: the {merged} smallest are merged into {}. Group by less, or ask for a shorter time.",
            output::grouped(u64::try_from(views::MOST_GROUPS).unwrap_or(0)),
            views::OTHER
        ));
    }
    sum.skipped.tell(&logs);
    if whole { Ok(()) } else { Err(Failure::Mistakes) }
}

fn write(to: Option<&PathBuf>, text: &str) -> Result<(), Failure> {
    match to {
        None => print::raw(text),
        Some(path) => std::fs::write(path, text)
            .map_err(|e| Failure::Machine(format!("{} cannot be written: {e}.", path.display())))?,
    }
    Ok(())
}

/// The zone of that name, or UTC.
fn zone(name: Option<&str>) -> Result<TimeZone, Failure> {
    let Some(name) = name.filter(|name| *name != "UTC") else { return Ok(TimeZone::UTC) };
    TimeZone::get(name).map_err(|_| {
        print::complain(&format!("--zone: found {name}, expected an IANA name such as Europe/Berlin."));
        Failure::Mistakes
    })
}

fn stretch(since: Option<&str>, until: Option<&str>, zone: &TimeZone) -> Result<Stretch, Failure> {
    let now = Timestamp::now();
    let read = |option: &str, text: Option<&str>| {
        text.map(|text| clock::moment(text, now, zone)).transpose().map_err(|why| {
            print::complain(&format!("{option} {why}"));
            Failure::Mistakes
        })
    };
    Ok(Stretch { since: read("--since", since)?, until: read("--until", until)? })
}
