//! How far reading is, on standard error where that is a terminal.

use super::logs::Log;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes read of all logs together, records per second, and how long it will take.
pub(crate) struct Progress {
    bar: ProgressBar,
    passed: Arc<AtomicU64>,
}

impl Progress {
    /// For these logs. Where the size of one is unknown there is no end to foresee.
    pub fn of(logs: &[Log]) -> Self {
        let total = logs.iter().map(Log::size).try_fold(0_u64, |sum, size| Some(sum.saturating_add(size?)));
        // Hidden where standard error is no terminal.
        let (bar, template) = match total {
            Some(total) => {
                let template = "{bar:20} {bytes} of {total_bytes}  {binary_bytes_per_sec}  {msg}  {eta} left";
                (ProgressBar::new(total), template)
            }
            None => (ProgressBar::no_length(), "{spinner} {bytes}  {binary_bytes_per_sec}  {msg}"),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar, passed: Arc::default() }
    }

    /// What counts the bytes.
    pub fn passed(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.passed)
    }

    /// Shows how far it is.
    pub fn update(&self, records: u64) {
        self.bar.set_position(self.passed.load(Ordering::Relaxed));
        let seconds = self.bar.elapsed().as_millis().max(1);
        let rate = u128::from(records).saturating_mul(1_000).checked_div(seconds).unwrap_or(0);
        self.bar.set_message(format!("{records} records, {rate}/s"));
    }

    /// Says something besides.
    pub fn aside(&self, text: &str) {
        self.bar.suspend(|| crate::cli::print::complain(text));
    }

    /// Clears the line.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
