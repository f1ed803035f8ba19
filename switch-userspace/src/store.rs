//! The desired state on disk: one checksummed JSON document, replaced as a whole.
//!
//! The first line is `wye-state <version> <crc32 of the rest, hex>`, the rest is the document. A file that does not fit its
//! checksum or cannot be read as this version's state is set aside under another name, never overwritten and never trusted.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::dirs;

const MAGIC: &str = "wye-state";
const VERSION: u32 = 1;
const FILE: &str = "state.json";
/// What the name of a file that was set aside goes on with.
const DAMAGED: &str = ".damaged";

/// What was on disk.
#[derive(Debug, PartialEq, Eq)]
pub enum Loaded<T> {
    /// Nothing: a first start.
    Nothing,
    /// The state as it was saved last.
    State(T),
    /// A file that cannot be trusted; it lies at `quarantined` for inspection.
    Damaged {
        /// Where it lies.
        quarantined: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// Why the state could not be loaded or saved.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refuses.
    #[error("{op} {path}: {source}")]
    Io {
        /// What was tried.
        op: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The state cannot be written as JSON.
    #[error("write the state as JSON: {0}")]
    Encode(#[from] serde_json::Error),
}

/// The file that holds an instance's desired state.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// The store in `dir`, which is made where it is missing.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        dirs::make(dir).map_err(failed("make", dir))?;
        Ok(Self { dir: dir.to_path_buf() })
    }

    /// Whether a state is kept in `dir`.
    #[must_use]
    pub fn is_at(dir: &Path) -> bool {
        dir.join(FILE).exists()
    }

    /// Reads the state back. A damaged file is moved aside.
    ///
    /// # Errors
    /// The file is there and cannot be read or moved.
    pub fn load<T: DeserializeOwned>(&self) -> Result<Loaded<T>, StoreError> {
        let path = self.path();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::Nothing),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        match decode(&bytes) {
            Ok(state) => Ok(Loaded::State(state)),
            Err(why) => Ok(Loaded::Damaged { quarantined: self.quarantine()?, why }),
        }
    }

    /// Replaces the state: written beside the old one, synced, renamed over it. Either the old or the new one is on disk.
    ///
    /// # Errors
    /// The disk refuses; the old state is still there.
    pub fn save<T: Serialize>(&self, state: &T) -> Result<(), StoreError> {
        let body = serde_json::to_vec(state)?;
        let path = self.path();
        let fresh = self.dir.join(format!("{FILE}.new"));
        let written = write_synced(&fresh, &body).and_then(|()| fs::rename(&fresh, &path));
        if let Err(error) = written {
            // The first failure is the one to tell; a half-written file beside the state is never read.
            let _second = fs::remove_file(&fresh);
            return Err(failed("write", &path)(error));
        }
        if let Err(error) = File::open(&self.dir).and_then(|dir| dir.sync_all()) {
            // The new state is in its place: to call it unsaved would be wrong. A power failure alone could bring the old back.
            tracing::warn!(%error, dir = %self.dir.display(), "the directory of the state could not be synced");
        }
        Ok(())
    }

    /// Removes the state, what was set aside of it, and its directory where wye made it and nothing else lies there.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn remove(&self) -> Result<(), StoreError> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            read => read.map_err(failed("read", &self.dir))?,
        };
        for entry in entries.filter_map(Result::ok).filter(|entry| is_ours(&entry.file_name())) {
            fs::remove_file(entry.path()).map_err(failed("remove", &entry.path()))?;
        }
        dirs::forget(&self.dir);
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    fn quarantine(&self) -> Result<PathBuf, StoreError> {
        let path = self.path();
        let aside = (1..)
            .map(|number| self.dir.join(format!("{FILE}{DAMAGED}-{number}")))
            .find(|candidate| !candidate.exists())
            .unwrap_or_else(|| self.dir.join(format!("{FILE}{DAMAGED}")));
        fs::rename(&path, &aside).map_err(failed("set aside", &path))?;
        Ok(aside)
    }
}

/// Whether a file of that name was made here: the state, or what was set aside.
fn is_ours(name: &OsStr) -> bool {
    let rest = name.to_str().and_then(|name| name.strip_prefix(FILE));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(DAMAGED))
}

fn write_synced(path: &Path, body: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    writeln!(file, "{MAGIC} {VERSION} {:08x}", crc32fast::hash(body))?;
    file.write_all(body)?;
    file.sync_all()
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("it has no first line")?;
    let (head, body) = (&bytes[..end], &bytes[end + 1..]);
    let head = std::str::from_utf8(head).map_err(|_| "its first line is not text")?;
    let [magic, version, sum] = head.split(' ').collect::<Vec<_>>()[..] else {
        return Err(String::from("its first line has not three words"));
    };
    if magic != MAGIC {
        return Err(String::from("it is not a state of wye"));
    }
    if version != VERSION.to_string() {
        return Err(format!("it is of version {version}; this program reads version {VERSION}"));
    }
    if sum != format!("{:08x}", crc32fast::hash(body)) {
        return Err(String::from("its checksum is wrong"));
    }
    serde_json::from_slice(body).map_err(|error| format!("it cannot be read: {error}"))
}

fn failed<'a>(op: &'static str, path: &'a Path) -> impl Fn(io::Error) -> StoreError + 'a {
    move |source| StoreError::Io { op, path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type State = Vec<String>;

    fn state() -> State {
        vec![String::from("red"), String::from("blue")]
    }

    fn saved() -> (tempfile::TempDir, Store, Vec<u8>) {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path()).expect("a store");
        store.save(&state()).expect("saved");
        let bytes = fs::read(store.path()).expect("its file");
        (dir, store, bytes)
    }

    #[test]
    fn a_saved_state_is_loaded_again() {
        let (_dir, store, _) = saved();
        assert_eq!(store.load().expect("loaded"), Loaded::State(state()));
    }

    #[test]
    fn a_first_start_finds_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("new")).expect("a store");
        assert_eq!(store.load::<State>().expect("loaded"), Loaded::Nothing);
    }

    #[test]
    fn every_truncation_is_set_aside_and_the_next_start_is_a_first_one() {
        let (_dir, store, bytes) = saved();
        for len in 0..bytes.len() {
            fs::write(store.path(), &bytes[..len]).expect("written");
            let Loaded::Damaged { quarantined, .. } = store.load::<State>().expect("loaded") else {
                panic!("{len} bytes were trusted");
            };
            assert_eq!(fs::read(&quarantined).expect("kept"), &bytes[..len]);
            assert_eq!(store.load::<State>().expect("loaded"), Loaded::Nothing);
            fs::remove_file(quarantined).expect("removed");
        }
    }

    #[test]
    fn what_was_set_aside_goes_with_the_state_and_other_files_stay() {
        let (dir, store, _) = saved();
        for name in ["state.json.damaged-1", "state.json.damaged-2", "theirs"] {
            fs::write(dir.path().join(name), "x").expect("written");
        }
        store.remove().expect("removed");
        let left: Vec<_> =
            fs::read_dir(dir.path()).expect("there").flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left, ["theirs"]);
    }

    #[test]
    fn a_later_version_is_not_misread() {
        let (_dir, store, bytes) = saved();
        let text = String::from_utf8(bytes).expect("text").replacen("wye-state 1 ", "wye-state 2 ", 1);
        fs::write(store.path(), text).expect("written");
        let Loaded::Damaged { why, .. } = store.load::<State>().expect("loaded") else {
            panic!("a later version was trusted");
        };
        assert!(why.contains("version 2"), "{why}");
    }

    proptest! {
        #[test]
        fn no_flipped_bit_is_trusted(position in 0usize..1000, bit in 0u8..8) {
            let (_dir, store, mut bytes) = saved();
            let position = position % bytes.len();
            bytes[position] ^= 1 << bit;
            fs::write(store.path(), &bytes).expect("written");
            let loaded = store.load::<State>().expect("loaded");
            let damaged = matches!(loaded, Loaded::Damaged { .. });
            prop_assert!(damaged);
        }
    }
}
