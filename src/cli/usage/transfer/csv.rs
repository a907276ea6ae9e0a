//! Records as CSV (RFC 4180), in the convention of PostgreSQL's `COPY … CSV`: a value that is not there is empty, an empty
//! text is `""`. CSV libraries do not tell the two apart, and records must come back as they were.

use super::columns::{COLUMNS, Cell, Column, blank, named};
use crate::cli::usage::entry::Entry;
use crate::cli::usage::output::csv_field;
use std::io::{self, BufRead, Write};

/// A row longer than this is none of ours.
const LONGEST: usize = 16 << 20;

/// The line of names.
pub(super) fn head(to: &mut dyn Write) -> io::Result<()> {
    let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    writeln!(to, "{}", names.join(","))
}

/// A record's line.
pub(super) fn row(to: &mut dyn Write, entry: &Entry<'_>) -> io::Result<()> {
    for (place, column) in COLUMNS.iter().enumerate() {
        if place > 0 {
            to.write_all(b",")?;
        }
        let field = match (column.get)(entry) {
            None => String::new(),
            Some(Cell::Text(text)) => csv_field(Some(&text)),
            Some(Cell::Number(number)) => number.to_string(),
            Some(Cell::Money(money)) => money.to_string(),
            Some(Cell::Flag(flag)) => flag.to_string(),
        };
        to.write_all(field.as_bytes())?;
    }
    to.write_all(b"\n")
}

/// Reads rows; columns go by their names in the first one, unknown ones are passed over.
pub(super) struct Rows<R> {
    from: R,
    line: u64,
    columns: Vec<Option<&'static Column>>,
}

impl<R: BufRead> Rows<R> {
    /// Reads the names.
    ///
    /// # Errors
    /// None of them is a record's.
    pub fn begin(from: R) -> Result<Self, String> {
        let mut rows = Self { from, line: 1, columns: Vec::new() };
        let names = rows.fields()?.unwrap_or_default();
        let name = |field: &Option<String>| field.as_deref().map(|name| name.trim_start_matches('\u{feff}').to_owned());
        rows.columns = names.iter().map(|field| named(name(field)?.as_str())).collect();
        if rows.columns.iter().all(Option::is_none) {
            return Err(
                "line 1: found no column of a record, expected names such as time, target, cost_picodollars".into()
            );
        }
        Ok(rows)
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// Where and what is wrong with it.
    pub fn next(&mut self) -> Result<Option<Entry<'static>>, String> {
        let line = self.line;
        let Some(fields) = self.fields()? else { return Ok(None) };
        let wrong = |why: String| format!("line {line}: {why}");
        if fields.len() != self.columns.len() {
            return Err(wrong(format!("found {} fields, expected {}", fields.len(), self.columns.len())));
        }
        let mut entry = blank();
        for (column, field) in self.columns.iter().zip(fields) {
            if let (Some(column), Some(text)) = (column, field) {
                let set = Cell::read(column.kind, text).and_then(|cell| (column.set)(&mut entry, cell));
                set.map_err(|why| wrong(format!("{}: {why}", column.name)))?;
            }
        }
        Ok(Some(entry))
    }

    /// The fields of the next row, which may hold ends of lines within quotes.
    fn fields(&mut self) -> Result<Option<Vec<Option<String>>>, String> {
        let began = self.line;
        let wrong = |why: &str| format!("line {began}: {why}");
        let mut row = Vec::new();
        loop {
            let before = row.len();
            let most = u64::try_from(LONGEST.saturating_sub(before)).unwrap_or(0);
            let mut limited = io::Read::take(&mut self.from, most);
            let read = limited.read_until(b'\n', &mut row).map_err(|e| wrong(&format!("cannot be read: {e}")))?;
            if row.len() >= LONGEST {
                return Err(wrong("a row longer than 16 MiB; is a quote left open?"));
            }
            // Every quote within a quoted field is doubled, so that an odd number says that one is open.
            let open = !row.iter().filter(|byte| **byte == b'"').count().is_multiple_of(2);
            self.line = self.line.saturating_add(u64::from(read > 0));
            if read == 0 && open {
                return Err(wrong("found the end of the file within quotes"));
            }
            if row.is_empty() {
                return Ok(None);
            }
            if open {
                continue;
            }
            while row.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                row.pop();
            }
            if row.is_empty() && read > 0 {
                // A blank line.
                continue;
            }
            if row.is_empty() {
                return Ok(None);
            }
            let text = String::from_utf8(row).map_err(|_| wrong("found bytes that are no UTF-8"))?;
            return split(&text).map(Some).map_err(|why| wrong(&why));
        }
    }
}

fn split(row: &str) -> Result<Vec<Option<String>>, String> {
    let mut fields = Vec::new();
    let mut chars = row.chars().peekable();
    loop {
        let mut field = String::new();
        let quoted = chars.next_if_eq(&'"').is_some();
        if quoted {
            loop {
                match chars.next() {
                    Some('"') if chars.next_if_eq(&'"').is_none() => break,
                    Some(c) => field.push(c),
                    None => return Err("found a quote that does not end".to_owned()),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| *c != ',') {
                field.push(c);
            }
        }
        fields.push(Some(field).filter(|field| quoted || !field.is_empty()));
        match chars.next() {
            None => return Ok(fields),
            Some(',') => {}
            Some(other) => return Err(format!("found {other:?} after a quoted field, expected a comma")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn fields_are_told_apart() {
        for (row, want) in [
            ("a,b", vec![Some("a"), Some("b")]),
            (",\"\",", vec![None, Some(""), None]),
            ("\"a,\"\"b\"\"\nc\",d", vec![Some("a,\"b\"\nc"), Some("d")]),
            ("é,\" \"", vec![Some("é"), Some(" ")]),
        ] {
            let want: Vec<Option<String>> = want.into_iter().map(|field| field.map(str::to_owned)).collect();
            assert_eq!(split(row), Ok(want), "{row}");
        }
        assert!(split("\"a\"b").is_err() && split("\"a").is_err());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let all = |text: &str| -> Result<usize, String> {
            let mut rows = Rows::begin(text.as_bytes())?;
            let mut count = 0;
            while rows.next()?.is_some() {
                count += 1;
            }
            Ok(count)
        };
        assert_eq!(all("\u{feff}time,other,ttft_ms\r\n\"a\nb\",x,1\r\n\r\n,,\n"), Ok(2));
        for (text, part) in [
            ("", "line 1: found no column"),
            ("a,b\n", "line 1: found no column"),
            ("time,ttft_ms\n\"a\nb\",1\nx,-1\n", "line 4: ttft_ms: found \"-1\", expected a whole number"),
            ("time,status\nx,70000\n", "line 2: status: found 70000, expected a smaller"),
            ("time\na,b\n", "line 2: found 2 fields, expected 1"),
            ("time\n\"a\n", "line 2: found the end of the file within quotes"),
            ("time,stream\na,yes\n", "line 2: stream: found \"yes\", expected true or false"),
            ("time,attempts\na,{\n", "line 2: attempts: found no JSON"),
        ] {
            let error = all(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
