//! Compiled contracts in a folder, so that a node that starts again need not compile them.
//!
//! The folder holds a secret key and one file per entry, named by the prepared module's hash, the engine,
//! and a hash of the engine's version and configuration. What an entry looks like, what its seal protects
//! from and what it does not is told in `crates/wasm/src/sealed/mod.rs`.
//!
//! * An entry is written to a temporary file and renamed, so no reader sees half of it. There is no fsync:
//!   what a power failure leaves of an entry is noticed when it is read, and rebuilt.
//! * When the entries take more than the limit, those that were not read for longest are removed. The
//!   time of a file's last change is the time of its last use; not every file system keeps better ones.
//! * Nothing here fails a block. What goes wrong is logged, the first time, and the node compiles.

use std::{
    ffi::OsStr,
    fs::{self, DirEntry, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use resident_wasm::SealKey;
use tempfile::NamedTempFile;

/// The end of an entry's name. Other files in the folder are left alone.
pub(super) const SUFFIX: &str = ".code";

/// The beginning of a temporary file's name.
const TEMPORARY: &str = ".unfinished-";

/// Temporary files this old were left by a process that is gone.
const ABANDONED_AFTER: Duration = Duration::from_secs(3_600);

/// A folder for compiled contracts, made when it is first needed.
pub(super) struct DiskCache {
    folder: PathBuf,
    limit: u64,
    opened: OnceLock<Option<OpenCache>>,
}

impl DiskCache {
    /// `limit` is how many bytes all entries may have together.
    pub(super) fn new(folder: PathBuf, limit: u64) -> Self {
        DiskCache {
            folder,
            limit,
            opened: OnceLock::new(),
        }
    }

    /// The folder, ready to be used; none if it cannot be.
    pub(super) fn open(&self) -> Option<&OpenCache> {
        let opened = self.opened.get_or_init(|| {
            let opened = SealKey::of_folder(&self.folder).map(|key| OpenCache {
                folder: self.folder.clone(),
                limit: self.limit,
                key,
                has_warned: AtomicBool::new(false),
            });
            opened
                .inspect_err(|error| log::warn!("compiled contracts are not kept on disk: {error}"))
                .ok()
        });
        opened.as_ref()
    }
}

/// A folder with a key.
pub(super) struct OpenCache {
    folder: PathBuf,
    limit: u64,
    key: SealKey,
    has_warned: AtomicBool,
}

impl OpenCache {
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn key(&self) -> &SealKey {
        &self.key
    }

    /// What the folder has under a name, sealed or not.
    pub(super) fn read(&self, name: &str) -> Option<Vec<u8>> {
        match read(&self.folder.join(name), self.limit) {
            Ok(entry) => Some(entry),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.warn("read", &error);
                None
            }
        }
    }

    /// Keeps an entry, in the place of what the name stood for.
    pub(super) fn write(&self, name: &str, entry: &[u8]) {
        if entry.len() as u64 > self.limit {
            return;
        }
        let written = write(&self.folder, name, entry);
        if let Err(error) = written.and_then(|()| make_room(&self.folder, name, self.limit)) {
            self.warn("written", &error);
        }
    }

    fn warn(&self, what: &str, error: &io::Error) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            let folder = self.folder.display();
            log::warn!(
                "{folder} cannot be {what} ({error}), so contracts are compiled more often than they need be; check \
                 its owner, its permissions and the free space"
            );
        }
    }
}

fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Opening something else, a pipe for example, could wait for ever.
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_file() || metadata.len() > limit {
        return Err(io::Error::other(
            "an entry is not a file of a sensible size",
        ));
    }
    let file = File::open(path)?;
    // If it fails, the entry is removed earlier than it should.
    let _ = file.set_modified(SystemTime::now());
    let mut entry = Vec::with_capacity(metadata.len() as usize);
    file.take(limit).read_to_end(&mut entry)?;
    Ok(entry)
}

fn write(folder: &Path, name: &str, entry: &[u8]) -> io::Result<()> {
    let mut file = NamedTempFile::with_prefix_in(TEMPORARY, folder)?;
    file.write_all(entry)?;
    file.persist(folder.join(name))?;
    Ok(())
}

/// Removes what was not used for longest, but not `newest`.
fn make_room(folder: &Path, newest: &str, limit: u64) -> io::Result<()> {
    let (mut entries, mut bytes) = (Vec::new(), 0);
    for file in fs::read_dir(folder)? {
        let file = file?;
        let Some((used, size)) = used_and_size(&file) else {
            continue;
        };
        let name = file.file_name();
        if is_abandoned(&name, used) {
            remove(&file)?;
        } else if name.as_encoded_bytes().ends_with(SUFFIX.as_bytes()) {
            bytes += size;
            entries.push((used, name, size, file));
        }
    }
    entries.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
    for (_, name, size, file) in entries {
        if bytes <= limit {
            break;
        }
        if name != newest {
            remove(&file)?;
            bytes -= size;
        }
    }
    Ok(())
}

/// None if it is no file, or another process was faster to remove it.
fn used_and_size(file: &DirEntry) -> Option<(SystemTime, u64)> {
    let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn is_abandoned(name: &OsStr, used: SystemTime) -> bool {
    let is_temporary = name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes());
    is_temporary && used.elapsed().is_ok_and(|age| age > ABANDONED_AFTER)
}

fn remove(file: &DirEntry) -> io::Result<()> {
    match fs::remove_file(file.path()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn folder() -> TempDir {
        tempfile::tempdir().unwrap()
    }

    fn name(number: u8) -> String {
        format!("{number}{SUFFIX}")
    }

    fn set_age(path: &Path, seconds: u64) {
        let time = SystemTime::now() - Duration::from_secs(seconds);
        File::open(path).unwrap().set_modified(time).unwrap();
    }

    fn names(folder: &Path) -> Vec<String> {
        let files = fs::read_dir(folder).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != "key").collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_written_is_read_and_can_be_replaced() {
        let folder = folder();
        let cache = DiskCache::new(folder.path().join("a/b"), 100);
        assert!(!folder.path().join("a").exists(), "not needed yet");
        let cache = cache.open().unwrap();
        assert_eq!(cache.read("1.code"), None);
        for entry in [b"first".as_slice(), b"", &[1; 100]] {
            cache.write("1.code", entry);
            assert_eq!(cache.read("1.code").as_deref(), Some(entry));
        }
        assert_eq!(names(cache.folder()), ["1.code"]);
    }

    #[test]
    fn what_was_not_read_for_longest_makes_room() {
        let folder = folder();
        let cache = DiskCache::new(folder.path().to_owned(), 300);
        let cache = cache.open().unwrap();
        for number in 1..=3 {
            cache.write(&name(number), &[number; 100]);
            set_age(&folder.path().join(name(number)), 100 - u64::from(number));
        }
        fs::write(folder.path().join("notes.txt"), [0; 1_000]).unwrap();
        cache.read(&name(1)).expect("there is room for three");
        cache.write(&name(4), &[4; 100]);
        assert_eq!(
            names(folder.path()),
            ["1.code", "3.code", "4.code", "notes.txt"]
        );
        cache.write(&name(5), &[5; 201]);
        assert_eq!(names(folder.path()), ["5.code", "notes.txt"]);
        cache.write(&name(6), &[6; 301]);
        assert_eq!(names(folder.path()), ["5.code", "notes.txt"], "too large");
        // What was just written stays, even if the clock was set back.
        set_age(&folder.path().join(name(5)), 0);
        cache.write(&name(7), &[7; 300]);
        assert_eq!(names(folder.path()), ["7.code", "notes.txt"]);
    }

    #[test]
    fn what_dead_processes_left_is_removed() {
        let folder = folder();
        let left = ["old", "new"].map(|end| folder.path().join(format!("{TEMPORARY}{end}")));
        for path in &left {
            fs::write(path, b"half").unwrap();
        }
        set_age(&left[0], 4_000);
        let cache = DiskCache::new(folder.path().to_owned(), 300);
        cache.open().unwrap().write(&name(1), b"entry");
        assert_eq!(names(folder.path()), [".unfinished-new", "1.code"]);
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_none() {
        let folder = folder();
        let file = folder.path().join("file");
        fs::write(&file, b"text").unwrap();
        assert!(DiskCache::new(file.join("below"), 100).open().is_none());
        assert!(DiskCache::new(file.clone(), 100).open().is_none());
        assert_eq!(fs::read(file).unwrap(), b"text");
    }

    #[test]
    fn a_folder_that_goes_away_or_holds_something_else_is_only_a_miss() {
        let folder = folder();
        let path = folder.path().join("modules");
        let cache = DiskCache::new(path.clone(), 100);
        let cache = cache.open().unwrap();
        fs::create_dir_all(path.join("1.code/below")).unwrap();
        assert_eq!(cache.read("1.code"), None);
        cache.write("1.code", b"entry");
        assert!(path.join("1.code/below").is_dir());
        fs::write(path.join("2.code"), [0; 101]).unwrap();
        assert_eq!(cache.read("2.code"), None, "larger than the limit");
        fs::remove_dir_all(&path).unwrap();
        cache.write("3.code", b"entry");
        assert_eq!(cache.read("3.code"), None);
    }
}
