//! Rows to a Parquet file, a group of them in memory at a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, Type};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnDescriptor;

use super::{KIND_KEY, TableError, TableKind};
use crate::files::WholeFile;

/// Rows that are held until they are written together, and bytes of them: what bounds the memory.
const GROUP_ROWS: usize = 1 << 15;
const GROUP_BYTES: usize = 4 << 20;
/// What a text takes in memory besides its bytes.
const TEXT_OVERHEAD_BYTES: usize = 64;

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Nothing, in an optional column.
    Null,
    /// For a column of `BYTE_ARRAY (STRING)`.
    Text(&'a str),
    /// For a column of `INT32`.
    Small(i32),
    /// For a column of `INT64`.
    Integer(i64),
    /// For a column of `FLOAT`.
    Float(f32),
    /// For a column of `DOUBLE`.
    Double(f64),
}

impl<'a> Value<'a> {
    /// What `present` makes of a value, or nothing.
    pub fn of<T>(value: Option<T>, present: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Null, present)
    }
}

/// A table that appears under its name only when it is whole.
pub struct TableWriter {
    path: PathBuf,
    file: SerializedFileWriter<WholeFile>,
    columns: Vec<Column>,
    n_rows: usize,
    n_bytes: usize,
}

impl TableWriter {
    /// Begins the table that is to be `path`; its folder must exist.
    ///
    /// # Errors
    /// When the folder does not let a file be made.
    ///
    /// # Panics
    /// When the kind's columns are not in Parquet's notation.
    pub fn create(path: &Path, kind: TableKind) -> Result<Self, TableError> {
        let schema = parse_message_type(kind.columns).expect("a kind's columns are in Parquet's notation");
        let file = WholeFile::create(path).map_err(|source| TableError::Write { path: path.into(), source })?;
        let mut properties = WriterProperties::builder()
            .set_created_by(concat!("tripword ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_key_value_metadata(Some(vec![KeyValue::new(KIND_KEY.to_owned(), kind.name.to_owned())]));
        // Words, paths and the times of steps come again and again; of other numbers hardly two are equal.
        let comes_again = [Type::BYTE_ARRAY, Type::DOUBLE];
        for column in schema.get_fields().iter().filter(|column| !comes_again.contains(&column.get_physical_type())) {
            properties = properties.set_column_dictionary_enabled(column.name().into(), false);
        }
        let file = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties.build()))
            .map_err(|source| TableError::Parquet { path: path.into(), doing: "writing the table", source })?;
        let columns = file.schema_descr().columns().iter().map(|column| Column::new(column)).collect();
        Ok(Self { path: path.into(), file, columns, n_rows: 0, n_bytes: 0 })
    }

    /// Adds a row, a value for each column in their order.
    ///
    /// # Errors
    /// When the disk refuses.
    ///
    /// # Panics
    /// When the values are not of the columns' number and types.
    pub fn push(&mut self, row: &[Value]) -> Result<(), TableError> {
        assert_eq!(row.len(), self.columns.len(), "a value for each column");
        for (column, value) in self.columns.iter_mut().zip(row) {
            self.n_bytes += column.push(*value);
        }
        self.n_rows += 1;
        let is_full = self.n_rows >= GROUP_ROWS || self.n_bytes >= GROUP_BYTES;
        if is_full { self.write_group() } else { Ok(()) }
    }

    /// Moves the table to its place, over one that stands there.
    ///
    /// # Errors
    /// When the disk refuses; then the place is as it was.
    pub fn finish(mut self) -> Result<(), TableError> {
        self.write_group()?;
        let file = self.file.into_inner().map_err(|source| TableError::Parquet {
            path: self.path.clone(),
            doing: "writing the table's end",
            source,
        })?;
        file.finish().map_err(|source| TableError::Write { path: self.path, source })
    }

    fn write_group(&mut self) -> Result<(), TableError> {
        self.n_bytes = 0;
        if std::mem::take(&mut self.n_rows) == 0 {
            return Ok(());
        }
        let write = |file: &mut SerializedFileWriter<WholeFile>, columns: &mut [Column]| -> Result<(), ParquetError> {
            let mut group = file.next_row_group()?;
            for column in columns {
                let mut writer = group.next_column()?.expect("the group has the table's columns");
                column.write(writer.untyped())?;
                writer.close()?;
            }
            group.close().map(drop)
        };
        write(&mut self.file, &mut self.columns).map_err(|source| TableError::Parquet {
            path: self.path.clone(),
            doing: "writing rows of the table",
            source,
        })
    }
}

/// The values of a column since the last group.
struct Column {
    values: Values,
    /// 1 where there is a value, 0 where there is none; of a column that may have none.
    levels: Option<Vec<i16>>,
}

enum Values {
    Text(Vec<ByteArray>),
    Small(Vec<i32>),
    Integer(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
}

impl Column {
    fn new(column: &ColumnDescriptor) -> Self {
        let values = match column.physical_type() {
            Type::BYTE_ARRAY => Values::Text(Vec::new()),
            Type::INT32 => Values::Small(Vec::new()),
            Type::INT64 => Values::Integer(Vec::new()),
            Type::FLOAT => Values::Float(Vec::new()),
            Type::DOUBLE => Values::Double(Vec::new()),
            other => unreachable!("no table has a column of {other}"),
        };
        Self { values, levels: (column.max_def_level() > 0).then(Vec::new) }
    }

    /// Gives how many bytes the value takes.
    fn push(&mut self, value: Value) -> usize {
        let is_null = value == Value::Null;
        match (&mut self.levels, is_null) {
            (Some(levels), _) => levels.push(i16::from(!is_null)),
            (None, true) => unreachable!("nothing, where the column must have something"),
            (None, false) => {}
        }
        match (&mut self.values, value) {
            (_, Value::Null) => {}
            (Values::Text(values), Value::Text(value)) => {
                // Models, and paths of events, stay the same for many rows: these share one copy.
                let known = values.last().filter(|last| last.data() == value.as_bytes()).cloned();
                let n_new = if known.is_some() { 0 } else { value.len() };
                values.push(known.unwrap_or_else(|| value.into()));
                return n_new + TEXT_OVERHEAD_BYTES;
            }
            (Values::Small(values), Value::Small(value)) => values.push(value),
            (Values::Integer(values), Value::Integer(value)) => values.push(value),
            (Values::Float(values), Value::Float(value)) => values.push(value),
            (Values::Double(values), Value::Double(value)) => values.push(value),
            (_, value) => unreachable!("{value:?} is not of its column's type"),
        }
        size_of::<f64>()
    }

    /// Writes what there is and forgets it.
    fn write(&mut self, writer: &mut ColumnWriter) -> Result<(), ParquetError> {
        let levels = self.levels.as_deref();
        match (&mut self.values, writer) {
            (Values::Text(values), ColumnWriter::ByteArrayColumnWriter(writer)) => {
                writer.write_batch(values, levels, None)?;
                values.clear();
            }
            (Values::Small(values), ColumnWriter::Int32ColumnWriter(writer)) => {
                writer.write_batch(values, levels, None)?;
                values.clear();
            }
            (Values::Integer(values), ColumnWriter::Int64ColumnWriter(writer)) => {
                writer.write_batch(values, levels, None)?;
                values.clear();
            }
            (Values::Float(values), ColumnWriter::FloatColumnWriter(writer)) => {
                writer.write_batch(values, levels, None)?;
                values.clear();
            }
            (Values::Double(values), ColumnWriter::DoubleColumnWriter(writer)) => {
                writer.write_batch(values, levels, None)?;
                values.clear();
            }
            _ => unreachable!("columns and writers come from one schema"),
        }
        if let Some(levels) = &mut self.levels {
            levels.clear();
        }
        Ok(())
    }
}
