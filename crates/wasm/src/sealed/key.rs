//! The secret that a node seals its compiled code with.

use std::{
    fs::{self, DirBuilder, File, Metadata},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;
use thiserror::Error;

/// The key's name inside its folder.
const KEY_FILE: &str = "key";

/// A secret key, from a folder that only the node's user can write to. Nothing can take it out of here.
pub struct SealKey([u8; 32]);

/// Why a folder has no key that could be used.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The folder or the key in it cannot be made or read.
    #[error("{} cannot be used ({source}); check its owner, its permissions and the free space", .folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Other users could put compiled code into the folder.
    #[error("{} can be written by other users; take that permission from them, or name another folder", .folder.display())]
    Shared {
        /// The folder.
        folder: PathBuf,
    },
}

impl SealKey {
    /// The key of a folder. The folder is made if it does not exist. A new key is made if there is none,
    /// if what is there is not a key, or if other users could read it; entries that were sealed with
    /// another key are worthless then.
    ///
    /// # Errors
    /// If the folder cannot be made or written, or others can write to it.
    pub fn of_folder(folder: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::Io {
            folder: folder.to_owned(),
            source,
        };
        make_folder(folder).map_err(failed)?;
        let fresh = NamedTempFile::new_in(folder).map_err(failed)?;
        if !is_ours_alone(folder, fresh.as_file(), OTHERS_WRITE).map_err(failed)? {
            let folder = folder.to_owned();
            return Err(KeyError::Shared { folder });
        }
        read_or_replace(&folder.join(KEY_FILE), fresh).map_err(failed)
    }

    /// Not public: whoever chooses a key could seal code that no engine made.
    #[cfg(test)]
    pub(super) fn from_bytes(bytes: [u8; 32]) -> Self {
        SealKey(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// `fresh` is an empty file beside the key.
fn read_or_replace(path: &Path, fresh: NamedTempFile) -> io::Result<SealKey> {
    if let Some(key) = read(path, fresh.as_file())? {
        return Ok(key);
    }
    let is_damaged = fs::symlink_metadata(path).is_ok();
    let mut key = SealKey([0; 32]);
    getrandom::fill(&mut key.0).map_err(io::Error::other)?;
    fresh.as_file().write_all(&key.0)?;
    fresh.as_file().sync_all()?;
    if is_damaged {
        fresh.persist(path)?;
        return Ok(key);
    }
    match fresh.persist_noclobber(path) {
        Ok(_) => Ok(key),
        // Another process was faster. Its key is whole, because it arrived in one step like this one.
        Err(lost) => read(path, lost.file.as_file())?.ok_or(lost.error),
    }
}

/// The key in a file; none if there is no key, or none that could be trusted.
fn read(path: &Path, ours: &File) -> io::Result<Option<SealKey>> {
    let is_file = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
    if !is_file || !is_ours_alone(path, ours, OTHERS_READ_OR_WRITE)? {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(33);
    File::open(path)?.take(33).read_to_end(&mut bytes)?;
    Ok(bytes.try_into().ok().map(SealKey))
}

const OTHERS_WRITE: u32 = 0o022;
const OTHERS_READ_OR_WRITE: u32 = 0o077;

/// Whether a file or folder belongs to whoever made the file `ours`, and gives others none of these
/// permissions.
fn is_ours_alone(path: &Path, ours: &File, others: u32) -> io::Result<bool> {
    Ok(is_private(&fs::metadata(path)?, &ours.metadata()?, others))
}

#[cfg(unix)]
fn is_private(found: &Metadata, ours: &Metadata, others: u32) -> bool {
    use std::os::unix::fs::MetadataExt;
    found.uid() == ours.uid() && found.mode() & others == 0
}

/// Where permissions are something else, the folder's place has to protect it.
#[cfg(not(unix))]
fn is_private(_: &Metadata, _: &Metadata, _: u32) -> bool {
    true
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(folder: &Path) -> [u8; 32] {
        SealKey::of_folder(folder).expect("the folder is ours").0
    }

    #[test]
    fn a_folder_keeps_its_key() {
        let parent = tempfile::tempdir().unwrap();
        let folders = ["a", "b/c"].map(|name| parent.path().join(name));
        let keys = folders.each_ref().map(|folder| key(folder));
        assert_ne!(keys[0], keys[1]);
        assert_ne!(keys[0], [0; 32]);
        assert_eq!(keys, folders.each_ref().map(|folder| key(folder)));
        let files = fs::read_dir(&folders[0]).unwrap().count();
        assert_eq!(files, 1, "only the key stays");
    }

    #[test]
    fn what_is_no_key_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let mut keys = vec![key(folder.path())];
        for bytes in [0, 31, 33] {
            fs::write(folder.path().join(KEY_FILE), vec![1; bytes]).unwrap();
            keys.push(key(folder.path()));
            assert_eq!(key(folder.path()), keys[keys.len() - 1]);
        }
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 4, "all are different");
    }

    #[test]
    fn all_who_come_first_get_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let keys: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| key(folder.path()))).collect();
            let joined = threads.into_iter().map(|thread| thread.join().unwrap());
            joined.collect()
        });
        assert_eq!(keys, vec![keys[0]; 8]);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_neither_read_the_key_nor_write_the_folder() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("modules");
        let first = key(&folder);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let set_mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let file = folder.join(KEY_FILE);
        assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));

        set_mode(&file, 0o640);
        assert_ne!(key(&folder), first, "somebody may have read the first");
        assert_eq!(mode(&file), 0o600);

        set_mode(&folder, 0o755);
        key(&folder);
        set_mode(&folder, 0o770);
        let error = SealKey::of_folder(&folder).err().unwrap();
        assert!(matches!(error, KeyError::Shared { .. }), "{error}");
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_an_error() {
        let file = NamedTempFile::new().unwrap();
        for folder in [file.path().to_owned(), file.path().join("below")] {
            let error = SealKey::of_folder(&folder).err().unwrap();
            assert!(matches!(error, KeyError::Io { .. }), "{error}");
        }
    }
}
