//! The page for browsers: one file, without scripts and without anything from elsewhere.

use super::{BudgetLine, Calibration, LimitLine, Status, TargetLine};
use crate::admit::accounts::Standing;
use crate::cost::Usd;
use crate::host::Time;
use crate::report::escaped;

const STYLE: &str = include_str!("style.css");

/// The page.
pub(super) fn page(status: &Status) -> String {
    let since = match &status.since {
        Some(since) => format!(" · values known since <time>{}</time>", escaped(since)),
        None => String::new(),
    };
    let more = if status.more { "<p>There are more accounts than are shown.</p>" } else { "" };
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>Conduit status</title><style>{STYLE}</style></head><body><header><h1>Conduit</h1>\
         <p>version {} · <time>{}</time>{since}</p></header><main>{}{}{}{more}</main></body></html>\n",
        escaped(status.version),
        escaped(&status.time),
        budgets(status),
        limits(status),
        targets(status),
    )
}

fn section(title: &str, empty: &str, head: &[(&str, bool)], rows: &str) -> String {
    if rows.is_empty() {
        return format!("<section><h2>{title}</h2><p class=\"none\">{empty}</p></section>");
    }
    let head: String =
        head.iter().map(|(name, number)| format!("<th{}>{name}</th>", if *number { NUMBER } else { "" })).collect();
    format!(
        "<section><h2>{title}</h2><div class=\"wide\"><table><thead><tr>{head}</tr></thead>{rows}</table></div></section>"
    )
}

const NUMBER: &str = " class=\"n\"";

fn budgets(status: &Status) -> String {
    let head = [
        ("Account", false),
        ("Used", false),
        ("Spent", true),
        ("Reserved", true),
        ("Left", true),
        ("Limit", true),
        ("Resets", false),
    ];
    let rows: String = status.budgets.iter().map(|budget| budget_rows(budget, status.now)).collect();
    section("Budgets", "The file names no budgets.", &head, &rows)
}

fn budget_rows(budget: &BudgetLine, now: Time) -> String {
    let over = over(&budget.per);
    let caption = format!("{over}, each {}; when exceeded: {}", budget.period, budget.on_exceed);
    let rows = budget.accounts.iter().map(|account| {
        let standing = &account.standing;
        format!(
            "<tr><td>{}</td><td>{}</td>{}{}{}{}<td>{}</td></tr>",
            value(&account.value, &budget.per),
            bar(standing),
            money(standing.spent),
            money(standing.reserved),
            money(standing.left()),
            money(budget.limit),
            when(standing.resets, now),
        )
    });
    group(&budget.name, &caption, 7, rows.collect(), &format!("nothing spent of ${}", budget.limit_usd))
}

fn limits(status: &Status) -> String {
    let head = [("Account", false), ("Used", false), ("Now", true), ("Left", true), ("Limit", true), ("Full", false)];
    let rows: String = status.limits.iter().map(|limit| limit_rows(limit, status.now)).collect();
    section("Limits", "The file names no limits.", &head, &rows)
}

fn limit_rows(limit: &LimitLine, now: Time) -> String {
    let of = match limit.of {
        "concurrent" => "requests at the same time".to_owned(),
        of => format!("{of} per minute"),
    };
    let caption = format!("{of}, {}", over(&limit.per));
    let rows = limit.accounts.iter().map(|account| {
        format!(
            "<tr><td>{}</td><td>{}</td>{}{}{}<td>{}</td></tr>",
            value(&account.value, &limit.per),
            bar(&account.standing),
            number(account.used),
            number(account.left),
            number(limit.limit),
            when(account.standing.resets, now),
        )
    });
    group(&limit.name, &caption, 6, rows.collect(), &format!("nothing used of {}", grouped(limit.limit)))
}

/// A rule's rows under its name.
fn group(name: &str, caption: &str, columns: u8, rows: String, empty: &str) -> String {
    let rows = match rows.as_str() {
        "" => format!("<tr><td colspan=\"{columns}\" class=\"none\">{}</td></tr>", escaped(empty)),
        _ => rows,
    };
    format!(
        "<tbody><tr><th colspan=\"{columns}\" scope=\"rowgroup\">{} <small>{}</small></th></tr>{rows}</tbody>",
        escaped(name),
        escaped(caption),
    )
}

fn targets(status: &Status) -> String {
    let head = [("Target", false), ("Status", false), ("Counting", false)];
    let rows: String = status.targets.iter().map(|target| target_row(target, status.now)).collect();
    let rows = if rows.is_empty() { rows } else { format!("<tbody>{rows}</tbody>") };
    section("Targets", "The file names no targets.", &head, &rows)
}

fn target_row(target: &TargetLine, now: Time) -> String {
    let (class, text) = match &target.status_reason {
        None => ("ready", "READY".to_owned()),
        Some(reason) => (if target.until.is_some() { "rests" } else { "out" }, format!("NOT READY: {reason}")),
    };
    let ends = target.until.map(|until| format!("; ready {}", when(Some(until), now))).unwrap_or_default();
    let counting = target.calibration.as_ref().map_or_else(|| "–".to_owned(), calibrated);
    format!(
        "<tr><td>{}</td><td><span class=\"{class}\">{}</span>{ends}</td><td>{counting}</td></tr>",
        escaped(&target.name),
        escaped(&text),
    )
}

fn calibrated(calibration: &Calibration) -> String {
    let Calibration { ratio_thousandths: ratio, around, answers, error_thousandths: error } = calibration;
    format!(
        "× {}.{:03} {around:+} from {} answers, error {}.{} %",
        ratio / 1_000,
        ratio % 1_000,
        grouped(u64::from(*answers)),
        error / 10,
        error % 10
    )
}

/// What a rule adds up over.
fn over(per: &str) -> String {
    if per == "all" { "over everything".to_owned() } else { format!("per {per}") }
}

/// An account's value; where a rule adds up over everything there is none.
fn value(value: &str, per: &str) -> String {
    match value {
        "" if per == "all" => "everything".to_owned(),
        "" => format!("<span class=\"none\">no {}</span>", escaped(per)),
        _ => escaped(value),
    }
}

/// How full an account is: spent, then reserved.
fn bar(standing: &Standing) -> String {
    let percent = |part: u128| {
        let share = part.saturating_mul(1_000).checked_div(standing.limit).unwrap_or(1_000).min(1_000);
        format!("{}.{}", share / 10, share % 10)
    };
    let used = standing.spent.saturating_add(standing.reserved);
    let class = if used >= standing.limit { " over" } else { "" };
    let (spent, used) = (percent(standing.spent), percent(used));
    format!(
        "<div class=\"bar{class}\" role=\"img\" aria-label=\"{used} % used\" title=\"{used} %\">\
         <i style=\"width:{used}%\"></i><b style=\"width:{spent}%\"></b></div>"
    )
}

/// Dollars with two to four decimals, rounded down; all of them when pointed at.
fn money(pico: u128) -> String {
    const PARTS: u128 = 100_000_000;
    let parts = pico / PARTS;
    let text = if parts == 0 && pico > 0 {
        "&lt; $0.0001".to_owned()
    } else {
        let decimals = format!("{:04}", parts % 10_000);
        let shown = decimals.trim_end_matches('0');
        format!("${}.{shown:0<2}", parts / 10_000)
    };
    format!("<td class=\"n\" title=\"${}\">{text}</td>", Usd(pico))
}

fn number(number: u64) -> String {
    format!("<td class=\"n\">{}</td>", grouped(number))
}

/// A number in groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digits.len().saturating_sub(place) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A moment and how far away it is.
fn when(at: Option<Time>, now: Time) -> String {
    let Some(at) = at else { return "–".to_owned() };
    let seconds = at.since(now).0.div_ceil(1_000_000_000);
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let left = match () {
        () if days > 0 => format!("{days} d {} h", hours % 24),
        () if hours > 0 => format!("{hours} h {} min", minutes % 60),
        () if minutes > 0 => format!("{minutes} min {} s", seconds % 60),
        () => format!("{seconds} s"),
    };
    let at = at.rfc3339();
    // Seconds are enough for a reader.
    format!("in {left} <small>{}Z</small>", escaped(at.get(..19).unwrap_or(&at)))
}
