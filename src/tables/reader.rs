//! A Parquet file back to rows.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::Field;
use parquet::record::reader::RowIter;
use parquet::schema::parser::parse_message_type;

use super::{KIND_KEY, TableError, TableKind};

/// The rows of a table, in their order; none after one that cannot be read.
pub struct TableReader {
    path: PathBuf,
    rows: Option<RowIter<'static>>,
    n_read: usize,
}

impl TableReader {
    /// Opens `path`, which must be a table of this kind.
    ///
    /// # Errors
    /// When it cannot be read, or is anything else.
    ///
    /// # Panics
    /// When the kind's columns are not in Parquet's notation.
    pub fn open(path: &Path, kind: TableKind) -> Result<Self, TableError> {
        let failed = |source| TableError::Read { path: path.into(), source };
        let file = File::open(path).map_err(failed)?;
        let n_bytes = file.metadata().map_err(failed)?.len();
        let other = |found: String| TableError::OtherKind { path: path.into(), found, expected: kind.name };
        let reader =
            unharmed(|| SerializedFileReader::new(file)).map_err(|error| other(format!("no Parquet ({error})")))?;
        let metadata = reader.metadata().file_metadata();
        let entries = metadata.key_value_metadata().into_iter().flatten();
        let found = entries.filter(|entry| entry.key == KIND_KEY).find_map(|entry| entry.value.as_deref());
        if found != Some(kind.name) {
            return Err(other(found.map_or_else(|| "a table of another program".into(), str::to_owned)));
        }
        let expected = parse_message_type(kind.columns).expect("a kind's columns are in Parquet's notation");
        if metadata.schema() != &expected {
            return Err(other("other columns than such a table has".into()));
        }
        if !lies_within(reader.metadata(), n_bytes) {
            return Err(other("a table whose rows lie beyond the file's end".into()));
        }
        let rows = Some(RowIter::from_file_into(Box::new(reader)));
        Ok(Self { path: path.into(), rows, n_read: 0 })
    }
}

impl Iterator for TableReader {
    type Item = Result<Row, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = self.rows.as_mut()?;
        let row = unharmed(|| rows.next().transpose()).transpose()?;
        self.n_read += 1;
        let path = self.path.clone();
        Some(match row {
            Ok(row) => Ok(Row { path, number: self.n_read, columns: row.into_columns() }),
            Err(source) => {
                // Parquet's own reader would tell the same for ever.
                self.rows = None;
                Err(TableError::Parquet { path, doing: "reading a row of the table", source })
            }
        })
    }
}

/// What Parquet's own reader makes of a file. It is not proof against damage, and panics where a file contradicts itself.
fn unharmed<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    // A reader that panicked is not asked again.
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(ParquetError::General("the file is damaged: it contradicts itself".into())))
}

/// Whether everything that the file's index names lies in a file of so many bytes.
fn lies_within(metadata: &ParquetMetaData, n_bytes: u64) -> bool {
    metadata.row_groups().iter().all(|group| {
        let columns_lie_within = group.columns().iter().all(|column| {
            let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let spans = [start, column.data_page_offset(), column.compressed_size()].map(u64::try_from);
            match spans {
                [Ok(start), Ok(data), Ok(length)] => {
                    data <= n_bytes && start.checked_add(length).is_some_and(|end| end <= n_bytes)
                }
                _ => false,
            }
        });
        group.num_rows() >= 0 && columns_lie_within
    })
}

/// One row; columns are asked for by their names.
pub struct Row {
    path: PathBuf,
    number: usize,
    columns: Vec<(String, Field)>,
}

impl Row {
    fn field(&self, name: &str) -> Option<&Field> {
        self.columns.iter().find(|(column, _)| column == name).map(|(_, field)| field)
    }

    /// What is wrong with this row.
    pub fn fault(&self, fault: impl Into<String>) -> TableError {
        TableError::Row { path: self.path.clone(), row: self.number, fault: fault.into() }
    }

    /// A text, or nothing.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.field(name) {
            Some(Field::Str(text)) => Some(text),
            _ => None,
        }
    }

    /// A whole number, or a moment in microseconds, or nothing.
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.field(name) {
            Some(Field::Int(value)) => Some(i64::from(*value)),
            Some(Field::Long(value) | Field::TimestampMicros(value)) => Some(*value),
            _ => None,
        }
    }

    /// A number, or nothing.
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.field(name) {
            Some(Field::Float(value)) => Some(f64::from(*value)),
            Some(Field::Double(value)) => Some(*value),
            _ => None,
        }
    }

    /// What must be there.
    ///
    /// # Errors
    /// When `value`, which is that of the column `name`, is nothing.
    pub fn needed<T>(&self, name: &str, value: Option<T>) -> Result<T, TableError> {
        value.ok_or_else(|| self.fault(format!("found nothing in column {name}, expected a value")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{TableWriter, Value};
    use super::*;

    const KIND: TableKind = TableKind {
        name: "test 1",
        columns: "message test {
            required int64 n;
            optional byte_array word (string);
            optional double time_s;
            required float score;
            optional int32 channel;
        }",
    };

    #[test]
    fn rows_of_several_groups_come_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let n_rows = 100_000;
        let word = |n: i64| (n % 3 > 0).then(|| "x".repeat(n as usize % 300));
        let time_s = |n: i64| (n % 5 > 0).then_some(n as f64 / 7.0);
        let channel = |n: i64| (n % 2 > 0).then_some(n as i32 % 9);
        let mut table = TableWriter::create(&path, KIND).unwrap();
        for n in 0..n_rows {
            let word = word(n);
            table
                .push(&[
                    Value::Integer(n),
                    Value::of(word.as_deref(), Value::Text),
                    Value::of(time_s(n), Value::Double),
                    Value::Float(n as f32),
                    Value::of(channel(n), Value::Small),
                ])
                .unwrap();
        }
        assert!(!path.exists(), "it appears when it is whole");
        table.finish().unwrap();
        let mut n_read = 0;
        for (n, row) in (0..).zip(TableReader::open(&path, KIND).unwrap()) {
            let row = row.unwrap();
            assert_eq!((row.integer("n"), row.text("word")), (Some(n), word(n).as_deref()));
            assert_eq!((row.number("time_s"), row.number("score")), (time_s(n), Some(f64::from(n as f32))));
            assert_eq!(row.integer("channel"), channel(n).map(i64::from));
            n_read += 1;
        }
        assert_eq!(n_read, n_rows);
        let other = TableKind { name: "other 1", ..KIND };
        let error = TableReader::open(&path, other).err().unwrap().to_string();
        assert!(error.contains("found test 1") && error.contains("(other 1)"), "{error}");
    }
}
