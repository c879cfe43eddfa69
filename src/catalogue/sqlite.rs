//! A catalogue as a SQLite file that is valid at every moment: each recording is put there in one transaction.
//!
//! While it is written it has a write-ahead log beside it (`-wal`), so that others can look at it meanwhile and a power cut loses
//! recordings but breaks nothing; a program that is killed leaves the log, and whoever opens the catalogue next takes it in.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::sqlite_rows::{Setups, delete, insert, select};
use super::{CatalogueError, CatalogueWriter, Entries, RecordingEntry};

/// The tables; see the file.
const SCHEMA: &str = include_str!("schema.sql");
/// `PRAGMA application_id`: "trip".
const APPLICATION_ID: u32 = 0x7472_6970;
/// `PRAGMA user_version`: raised when a table changes so that older programs cannot read it.
const SCHEMA_VERSION: u32 = 1;
/// How long another program may hold the catalogue before it is an error.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// A SQLite file with the tables of `schema.sql`.
pub struct SqliteCatalogue {
    path: PathBuf,
    connection: Connection,
    setups: Setups,
}

impl SqliteCatalogue {
    /// Opens the catalogue `path` to add to it; it is made if there is none.
    ///
    /// # Errors
    /// When something else stands there, which is left as it is, or SQLite refuses.
    pub fn open(path: &Path) -> Result<Self, CatalogueError> {
        check_header(path)?;
        let mut catalogue = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        // The tables come before the log does: a file with anything in it says in its own first bytes what it is.
        catalogue.make_tables()?;
        catalogue.pragma("journal_mode", "wal")?;
        catalogue.pragma("synchronous", "normal")?;
        catalogue.load_setups()?;
        Ok(catalogue)
    }

    /// Makes a catalogue in the file `path` that nobody else knows yet: nothing is safe before it is finished.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn draft(path: &Path) -> Result<Self, CatalogueError> {
        let catalogue = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        catalogue.pragma("journal_mode", "off")?;
        catalogue.pragma("synchronous", "off")?;
        catalogue.connection.execute_batch("BEGIN").map_err(CatalogueError::sqlite(path))?;
        catalogue.write_schema()?;
        Ok(catalogue)
    }

    /// Opens the catalogue `path` to read it.
    ///
    /// # Errors
    /// When there is none, or SQLite refuses.
    pub fn open_to_read(path: &Path) -> Result<Self, CatalogueError> {
        if !check_header(path)? {
            return Err(CatalogueError::NotFound { path: path.into() });
        }
        let mut catalogue = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        catalogue.load_setups()?;
        Ok(catalogue)
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, CatalogueError> {
        let failed = CatalogueError::sqlite(path);
        let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(&failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(&failed)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(&failed)?;
        Ok(Self { path: path.into(), connection, setups: Setups::default() })
    }

    fn pragma(&self, name: &str, value: &str) -> Result<(), CatalogueError> {
        // Some answer with what is in force now, which may be something else: an old journal serves, too.
        let set = self.connection.pragma_update_and_check(None, name, value, |_| Ok(())).optional();
        set.map(drop).map_err(CatalogueError::sqlite(&self.path))
    }

    /// Makes the tables in a file that has none.
    fn make_tables(&mut self) -> Result<(), CatalogueError> {
        let failed = CatalogueError::sqlite(&self.path);
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(&failed)?;
        let n_tables: i64 =
            self.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(&failed)?;
        if n_tables == 0 {
            self.write_schema()?;
        }
        self.connection.execute_batch("COMMIT").map_err(&failed)
    }

    fn write_schema(&self) -> Result<(), CatalogueError> {
        let pragmas = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};");
        self.connection.execute_batch(&(pragmas + SCHEMA)).map_err(CatalogueError::sqlite(&self.path))
    }

    fn load_setups(&mut self) -> Result<(), CatalogueError> {
        self.setups = Setups::load(&self.connection).map_err(CatalogueError::sqlite(&self.path))?;
        Ok(())
    }

    /// Each recording with the moment when it was heard, in the order in which they were put there.
    ///
    /// # Errors
    /// When SQLite refuses, or a moment is none.
    pub fn recordings(&self) -> Result<Vec<(String, Timestamp)>, CatalogueError> {
        let failed = CatalogueError::sqlite(&self.path);
        let mut query =
            self.connection.prepare("SELECT path, labelled_at FROM recordings ORDER BY id").map_err(&failed)?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).map_err(&failed)?;
        rows.map(|row| {
            let (recording, moment): (String, String) = row.map_err(&failed)?;
            match moment.parse() {
                Ok(moment) => Ok((recording, moment)),
                Err(_) => Err(self.content(&recording, format!("found the moment '{moment}', expected RFC 3339"))),
            }
        })
        .collect()
    }

    /// What is known of the recording `path`, if anything.
    ///
    /// # Errors
    /// When SQLite refuses, or what it has makes no sense.
    pub fn entry(&self, path: &str) -> Result<Option<RecordingEntry>, CatalogueError> {
        match select(&self.connection, &self.setups, path).map_err(CatalogueError::sqlite(&self.path))? {
            Some(Ok(entry)) => Ok(Some(entry)),
            Some(Err(fault)) => Err(self.content(path, fault)),
            None => Ok(None),
        }
    }

    /// When the recording `path` was heard, if it is there.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn labelled_at(&self, path: &str) -> Result<Option<Timestamp>, CatalogueError> {
        let failed = CatalogueError::sqlite(&self.path);
        let mut query =
            self.connection.prepare_cached("SELECT labelled_at FROM recordings WHERE path = ?1").map_err(&failed)?;
        let moment: Option<String> = query.query_row([path], |row| row.get(0)).optional().map_err(&failed)?;
        Ok(moment.and_then(|moment| moment.parse().ok()))
    }

    fn content(&self, recording: &str, fault: String) -> CatalogueError {
        CatalogueError::Content { path: self.path.clone(), recording: recording.to_owned(), fault }
    }

    /// All entries, in the order in which they were put there.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn into_entries(self) -> Result<Entries, CatalogueError> {
        let recordings = self.recordings()?;
        Ok(Box::new(recordings.into_iter().filter_map(move |(path, _)| self.entry(&path).transpose())))
    }

    /// Adds what is known of a recording, as a part of a transaction.
    ///
    /// # Errors
    /// When SQLite refuses.
    fn put_rows(&mut self, entry: &RecordingEntry) -> Result<(), CatalogueError> {
        let put =
            delete(&self.connection, &entry.path).and_then(|()| insert(&self.connection, &mut self.setups, entry));
        put.map_err(CatalogueError::sqlite(&self.path))
    }

    /// Ends a draft: all of it is in the file.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn finish_draft(self) -> Result<(), CatalogueError> {
        let failed = CatalogueError::sqlite(&self.path);
        self.connection.execute_batch("COMMIT").map_err(&failed)?;
        self.connection.close().map_err(|(_, error)| failed(error))
    }

    /// Adds what is known of a recording to a draft.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn put_in_draft(&mut self, entry: &RecordingEntry) -> Result<(), CatalogueError> {
        self.put_rows(entry)
    }
}

impl CatalogueWriter for SqliteCatalogue {
    fn put(&mut self, entry: &RecordingEntry) -> Result<(), CatalogueError> {
        let run =
            |connection: &Connection, sql| connection.execute_batch(sql).map_err(CatalogueError::sqlite(&self.path));
        run(&self.connection, "BEGIN IMMEDIATE")?;
        match self.put_rows(entry) {
            Ok(()) => self.connection.execute_batch("COMMIT").map_err(CatalogueError::sqlite(&self.path)),
            Err(error) => {
                // What was put of this recording goes; what cannot be undone is undone by whoever opens the file next.
                let _ = self.connection.execute_batch("ROLLBACK");
                self.setups = Setups::load(&self.connection).unwrap_or_default();
                Err(error)
            }
        }
    }

    fn finish(self: Box<Self>) -> Result<(), CatalogueError> {
        let failed = CatalogueError::sqlite(&self.path);
        let unused = "DELETE FROM setups WHERE id NOT IN (SELECT setup_id FROM recordings)";
        self.connection.execute_batch(unused).map_err(&failed)?;
        // One file and no log, unless somebody looks at it right now.
        let _ = self.pragma("journal_mode", "delete");
        self.connection.close().map_err(|(_, error)| failed(error))
    }
}

/// Whether there is a catalogue at `path`, by its first bytes alone: nothing is changed by looking.
///
/// # Errors
/// When there is something else, or it cannot be read.
pub(super) fn check_header(path: &Path) -> Result<bool, CatalogueError> {
    // The format's own places (SQLite, Database File Format, 1.3): user version at 60, application id at 68.
    let mut header = [0u8; 72];
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(CatalogueError::disk(path, error)),
    };
    let length = file.metadata().map_err(|error| CatalogueError::disk(path, error))?.len();
    if length == 0 {
        return Ok(false);
    }
    let other = |found: &str| Err(CatalogueError::NotACatalogue { path: path.into(), found: found.to_owned() });
    if file.read_exact(&mut header).is_err() || !header.starts_with(b"SQLite format 3\0") {
        return other("a file that is no SQLite");
    }
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if number(68) != APPLICATION_ID {
        return other("the SQLite file of another program");
    }
    if number(60) != SCHEMA_VERSION {
        return Err(CatalogueError::OtherVersion { path: path.into(), found: number(60), expected: SCHEMA_VERSION });
    }
    Ok(true)
}
