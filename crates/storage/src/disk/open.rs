//! Opening a folder, and saying exactly what is wrong with one that cannot be opened.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use redb::{
    Database, DatabaseError, ReadOnlyDatabase, ReadableDatabase, TableDefinition, TableError,
};

use super::{
    FILE_NAME, FORMAT_VERSION, RECORDS,
    damage::{is_damage, without_panic},
};

/// Holds the format version under [`VERSION_KEY`].
const META: TableDefinition<'_, &str, u32> = TableDefinition::new("meta");
const VERSION_KEY: &str = "format version";

/// Memory for pages that were read or wait to be written.
const CACHE_BYTES: usize = 256 << 20;

/// Why a folder cannot be opened as a [`DiskStore`](super::DiskStore). Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is a file where the folder should be.
    #[error("{} is a file; name a folder for the store", .folder.display())]
    NotAFolder {
        /// The folder asked for.
        folder: PathBuf,
    },
    /// The folder cannot be made, or the file in it cannot be opened for writing.
    #[error("{} cannot be written ({source}); check its owner and permissions, or name another folder", .folder.display())]
    NotWritable {
        /// The folder asked for.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another store is open on this folder.
    #[error("{} is in use by another process; stop that one first, or name another folder", .folder.display())]
    InUse {
        /// The folder asked for.
        folder: PathBuf,
    },
    /// The records are laid out in a way this version cannot read.
    #[error("{} has format version {found}, and this program reads version {FORMAT_VERSION}; run the program that wrote it, or name another folder", .folder.display())]
    OtherVersion {
        /// The folder asked for.
        folder: PathBuf,
        /// The version found there.
        found: u32,
    },
    /// The file is a database, but not one of ours.
    #[error("{} holds a database of another program; name another folder", .folder.display())]
    Foreign {
        /// The folder asked for.
        folder: PathBuf,
    },
    /// The file is damaged, or not a database.
    #[error("the store in {} is damaged ({reason}); restore the folder from a backup, or move it away and let the node fetch its chains again", .folder.display())]
    Damaged {
        /// The folder asked for.
        folder: PathBuf,
        /// What was found.
        reason: String,
    },
    /// Anything else the disk or the database reported.
    #[error("the store in {} cannot be opened: {reason}; check the disk and its free space", .folder.display())]
    Failed {
        /// The folder asked for.
        folder: PathBuf,
        /// What was reported.
        reason: String,
    },
    /// The system gave no thread for writing.
    #[error("the writer thread of the store in {} cannot be started ({source}); raise the limit on threads", .folder.display())]
    NoThread {
        /// The folder asked for.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

pub(super) fn open(folder: &Path) -> Result<Database, OpenError> {
    let damaged = |reason| OpenError::Damaged {
        folder: folder.to_owned(),
        reason,
    };
    without_panic(|| open_checked(folder)).unwrap_or_else(|reason| Err(damaged(reason)))
}

fn open_checked(folder: &Path) -> Result<Database, OpenError> {
    make_folder(folder)?;
    let path = folder.join(FILE_NAME);
    if path.metadata().is_ok_and(|metadata| metadata.len() > 0) {
        check_before_writing(folder, &path)?;
    }
    let database = open_database(folder, &path)?;
    match read_version(&database).map_err(|error| classify(folder, error))? {
        Version::Empty => initialize(&database).map_err(|error| classify(folder, error))?,
        version => version.check(folder)?,
    }
    Ok(database)
}

fn make_folder(folder: &Path) -> Result<(), OpenError> {
    if folder.metadata().is_ok_and(|metadata| !metadata.is_dir()) {
        return Err(OpenError::NotAFolder {
            folder: folder.to_owned(),
        });
    }
    fs::create_dir_all(folder).map_err(|source| OpenError::NotWritable {
        folder: folder.to_owned(),
        source,
    })
}

/// Opening for writing may already touch the file, and a file of another version must stay as it is.
/// A file that was not closed cleanly cannot be opened for reading only; that one is looked at after
/// its repair, which keeps its records.
fn check_before_writing(folder: &Path, path: &Path) -> Result<(), OpenError> {
    let database = match ReadOnlyDatabase::open(path) {
        Err(DatabaseError::RepairAborted) => return Ok(()),
        opened => opened.map_err(|error| classify(folder, error))?,
    };
    read_version(&database)
        .map_err(|error| classify(folder, error))?
        .check(folder)
}

fn open_database(folder: &Path, path: &Path) -> Result<Database, OpenError> {
    let mut builder = Database::builder();
    let opened = builder.set_cache_size(CACHE_BYTES).create(path);
    opened.map_err(|error| classify(folder, error))
}

enum Version {
    /// A database without tables: it was made just now, or its maker died before the first commit.
    Empty,
    Foreign,
    Found(u32),
}

impl Version {
    fn check(self, folder: &Path) -> Result<(), OpenError> {
        let folder = folder.to_owned();
        match self {
            Self::Empty | Self::Found(FORMAT_VERSION) => Ok(()),
            Self::Found(found) => Err(OpenError::OtherVersion { folder, found }),
            Self::Foreign => Err(OpenError::Foreign { folder }),
        }
    }
}

fn read_version(database: &impl ReadableDatabase) -> Result<Version, redb::Error> {
    let transaction = database.begin_read()?;
    if transaction.list_tables()?.next().is_none() {
        return Ok(Version::Empty);
    }
    match transaction.open_table(META) {
        Ok(meta) => Ok(meta
            .get(VERSION_KEY)?
            .map_or(Version::Foreign, |version| Version::Found(version.value()))),
        Err(TableError::Storage(error)) => Err(error.into()),
        Err(_) => Ok(Version::Foreign),
    }
}

fn initialize(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction
        .open_table(META)?
        .insert(VERSION_KEY, FORMAT_VERSION)?;
    transaction.open_table(RECORDS)?;
    transaction.commit()?;
    Ok(())
}

fn classify(folder: &Path, error: impl Into<redb::Error>) -> OpenError {
    let folder = folder.to_owned();
    match error.into() {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
            OpenError::InUse { folder }
        }
        redb::Error::Corrupted(reason) => OpenError::Damaged { folder, reason },
        redb::Error::UpgradeRequired(version) => OpenError::Damaged {
            folder,
            reason: format!("the file format of the database is {version}"),
        },
        redb::Error::Io(source) => classify_io(folder, source),
        other => OpenError::Failed {
            folder,
            reason: other.to_string(),
        },
    }
}

fn classify_io(folder: PathBuf, source: io::Error) -> OpenError {
    use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};
    match source.kind() {
        _ if is_damage(&source) => OpenError::Damaged {
            folder,
            reason: source.to_string(),
        },
        NotFound | PermissionDenied | ReadOnlyFilesystem => {
            OpenError::NotWritable { folder, source }
        }
        _ => OpenError::Failed {
            folder,
            reason: source.to_string(),
        },
    }
}
