//! Records as Parquet: a flat table, every column optional, compressed with zstd. Row by row in row groups of bounded size.

use super::columns::{COLUMNS, Cell, Column, Kind, blank, named};
use crate::cli::usage::entry::Entry;
use parquet::basic::{Compression, ZstdLevel};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{
    AsBytes, BoolType, ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::borrow::Cow;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;

/// The most rows of a row group.
const MOST_ROWS: usize = 65_536;
/// About how many bytes of text a row group holds at most before it is compressed.
const MOST_BYTES: usize = 64 << 20;
/// One more than the largest amount that a decimal of 38 digits holds: what readers of Parquet agree on.
const TOO_MUCH: u128 = 10_u128.pow(38);
/// How many rows are read at once.
const BATCH: usize = 1_024;

/// The schema.
fn schema() -> String {
    let column = |column: &Column| {
        let name = column.name;
        match column.kind {
            Kind::Text => format!("OPTIONAL BYTE_ARRAY {name} (UTF8);"),
            Kind::Json => format!("OPTIONAL BYTE_ARRAY {name} (JSON);"),
            Kind::Number => format!("OPTIONAL INT64 {name} (INTEGER(64,false));"),
            Kind::Money => format!("OPTIONAL FIXED_LEN_BYTE_ARRAY (16) {name} (DECIMAL(38,0));"),
            Kind::Flag => format!("OPTIONAL BOOLEAN {name};"),
        }
    };
    format!("message record {{ {} }}", COLUMNS.iter().map(column).collect::<String>())
}

/// What a row group holds of a column.
enum Values {
    Bytes(Vec<ByteArray>),
    Numbers(Vec<i64>),
    Money(Vec<FixedLenByteArray>),
    Flags(Vec<bool>),
}

/// Writes records.
pub(super) struct Writer<W: Write + Send> {
    file: SerializedFileWriter<W>,
    /// The values that are there, and for each row whether one is.
    columns: Vec<(Values, Vec<i16>)>,
    rows: usize,
    bytes: usize,
}

impl<W: Write + Send> Writer<W> {
    /// Begins a file.
    pub fn new(to: W) -> Result<Self, ParquetError> {
        let schema = Arc::new(parse_message_type(&schema())?);
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?));
        let file = SerializedFileWriter::new(to, schema, Arc::new(properties.build()))?;
        Ok(Self { file, columns: empty(), rows: 0, bytes: 0 })
    }

    /// Adds a record. `Err` within is why it does not fit.
    pub fn add(&mut self, entry: &Entry<'_>) -> Result<Result<(), String>, ParquetError> {
        if entry.cost_picodollars.is_some_and(|cost| cost >= TOO_MUCH) {
            return Ok(Err("its cost has more than 38 digits, the most of a decimal in Parquet".to_owned()));
        }
        for (column, (values, there)) in COLUMNS.iter().zip(&mut self.columns) {
            let cell = (column.get)(entry);
            there.push(i16::from(cell.is_some()));
            match (values, cell) {
                (Values::Bytes(values), Some(Cell::Text(text))) => {
                    self.bytes = self.bytes.saturating_add(text.len());
                    values.push(ByteArray::from(text.into_owned().into_bytes()));
                }
                // Unsigned numbers are stored as the signed ones of the same bits.
                (Values::Numbers(values), Some(Cell::Number(number))) => values.push(number.cast_signed()),
                (Values::Money(values), Some(Cell::Money(money))) => {
                    values.push(FixedLenByteArray::from(money.to_be_bytes().to_vec()));
                }
                (Values::Flags(values), Some(Cell::Flag(flag))) => values.push(flag),
                _ => {}
            }
        }
        self.rows = self.rows.saturating_add(1);
        if self.rows >= MOST_ROWS || self.bytes >= MOST_BYTES {
            self.flush()?;
        }
        Ok(Ok(()))
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        let columns = std::mem::replace(&mut self.columns, empty());
        (self.rows, self.bytes) = (0, 0);
        let mut group = self.file.next_row_group()?;
        for (values, there) in &columns {
            let Some(mut column) = group.next_column()? else { break };
            let there = Some(there.as_slice());
            match values {
                Values::Bytes(values) => column.typed::<ByteArrayType>().write_batch(values, there, None)?,
                Values::Numbers(values) => column.typed::<Int64Type>().write_batch(values, there, None)?,
                Values::Money(values) => column.typed::<FixedLenByteArrayType>().write_batch(values, there, None)?,
                Values::Flags(values) => column.typed::<BoolType>().write_batch(values, there, None)?,
            };
            column.close()?;
        }
        group.close()?;
        Ok(())
    }

    /// Writes what is left and the file's end.
    pub fn end(mut self) -> Result<(), ParquetError> {
        self.flush()?;
        self.file.close()?;
        Ok(())
    }
}

fn empty() -> Vec<(Values, Vec<i16>)> {
    let values = |column: &Column| match column.kind {
        Kind::Text | Kind::Json => Values::Bytes(Vec::new()),
        Kind::Number => Values::Numbers(Vec::new()),
        Kind::Money => Values::Money(Vec::new()),
        Kind::Flag => Values::Flags(Vec::new()),
    };
    COLUMNS.iter().map(|column| (values(column), Vec::new())).collect()
}

/// Reads every record of a file; columns go by their names, unknown ones are passed over.
///
/// # Errors
/// The file is no such Parquet, a value is none of its column's, or `take` says so.
pub(super) fn read(file: File, take: &mut dyn FnMut(Entry<'_>) -> Result<(), String>) -> Result<(), String> {
    let broken = |e: ParquetError| format!("found no readable Parquet: {e}");
    let file = SerializedFileReader::new(file).map_err(broken)?;
    let schema = file.metadata().file_metadata().schema_descr_ptr();
    let known: Vec<(usize, &'static Column)> = (0..schema.num_columns())
        .filter_map(|place| Some((place, named(&schema.column(place).path().string())?)))
        .collect();
    if known.is_empty() {
        return Err("found no column of a record, expected names such as time, target, cost_picodollars".to_owned());
    }
    let mut row = 0_u64;
    for group in 0..file.num_row_groups() {
        let group = file.get_row_group(group).map_err(broken)?;
        let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        let mut readers = Vec::new();
        for (place, column) in &known {
            let descriptor = schema.column(*place);
            if descriptor.max_rep_level() > 0 || descriptor.max_def_level() > 1 {
                return Err(format!("{}: found a list or structure, expected a plain column", column.name));
            }
            let optional = descriptor.max_def_level() == 1;
            readers.push((*column, optional, group.get_column_reader(*place).map_err(broken)?));
        }
        let mut left = rows;
        while left > 0 {
            let count = left.min(BATCH);
            let mut entries: Vec<Entry<'static>> = (0..count).map(|_| blank()).collect();
            for (column, optional, reader) in &mut readers {
                let cells = cells(reader, count, *optional).map_err(|why| format!("{}: {why}", column.name))?;
                if cells.len() != count {
                    return Err(format!("{}: found {} rows, expected {count}", column.name, cells.len()));
                }
                for ((entry, cell), number) in entries.iter_mut().zip(cells).zip(row.saturating_add(1)..) {
                    if let Some(cell) = cell {
                        (column.set)(entry, cell).map_err(|why| format!("row {number}: {}: {why}", column.name))?;
                    }
                }
            }
            entries.into_iter().try_for_each(&mut *take)?;
            row = row.saturating_add(u64::try_from(count).unwrap_or(0));
            left = left.saturating_sub(count);
        }
    }
    Ok(())
}

/// The next cells of a column.
fn cells(reader: &mut ColumnReader, count: usize, optional: bool) -> Result<Vec<Option<Cell<'static>>>, String> {
    let text = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| "found bytes that are no UTF-8".to_owned())?;
        Ok(Cell::Text(Cow::Owned(text)))
    };
    match reader {
        ColumnReader::BoolColumnReader(reader) => batch(reader, count, optional, |flag| Ok(Cell::Flag(*flag))),
        ColumnReader::Int32ColumnReader(reader) => {
            batch(reader, count, optional, |number| Ok(Cell::Number(number.cast_unsigned().into())))
        }
        ColumnReader::Int64ColumnReader(reader) => {
            batch(reader, count, optional, |number| Ok(Cell::Number(number.cast_unsigned())))
        }
        ColumnReader::ByteArrayColumnReader(reader) => batch(reader, count, optional, |bytes| text(bytes.data())),
        ColumnReader::FixedLenByteArrayColumnReader(reader) => batch(reader, count, optional, |bytes| {
            let bytes: [u8; 16] = bytes
                .as_bytes()
                .try_into()
                .map_err(|_| "found a number of another length, expected 16 bytes".to_owned())?;
            let money = i128::from_be_bytes(bytes);
            u128::try_from(money).map(Cell::Money).map_err(|_| format!("found {money}, expected no negative number"))
        }),
        _ => Err("found a type that no column of a record has".to_owned()),
    }
}

fn batch<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    count: usize,
    optional: bool,
    cell: impl Fn(&T::T) -> Result<Cell<'static>, String>,
) -> Result<Vec<Option<Cell<'static>>>, String> {
    let (mut values, mut there) = (Vec::new(), Vec::new());
    reader
        .read_records(count, Some(&mut there), None, &mut values)
        .map_err(|e| format!("found no readable Parquet: {e}"))?;
    let mut values = values.iter();
    if !optional {
        return values.map(|value| cell(value).map(Some)).collect();
    }
    there.iter().map(|there| if *there == 0 { Ok(None) } else { values.next().map(&cell).transpose() }).collect()
}
