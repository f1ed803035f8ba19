//! The lock of an instance: who holds it is its daemon, or clears up after one. It goes with the process, however that ends.
//!
//! Its file goes with the run directory. Whoever has locked a file that is not in its place any more has locked nothing, and
//! tries again.

use std::{
    fs::{self, File, Permissions, TryLockError},
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use crate::{
    dirs,
    run_dir::{self, LOCK_NAME},
};

/// How often the lock is tried anew where its directory goes meanwhile.
const ATTEMPTS: u32 = 100;

/// The lock, held.
#[derive(Debug)]
pub struct RunLock {
    file: File,
    dir: PathBuf,
}

impl RunLock {
    /// Takes the lock of the run directory `dir`, which is made where it is missing; nothing where somebody else has it.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn try_take(dir: &Path) -> io::Result<Option<Self>> {
        for _ in 0..ATTEMPTS {
            match Self::try_once(dir) {
                Ok(Attempt::Taken(lock)) => return Ok(Some(lock)),
                Ok(Attempt::Held) => return Ok(None),
                Ok(Attempt::Moved) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("the directory goes away again and again"))
    }

    /// Removes what the instance has in its run directory, the lock with it.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn clear(self) -> io::Result<()> {
        run_dir::clear(&self.dir)
    }

    fn try_once(dir: &Path) -> io::Result<Attempt> {
        dirs::make(dir)?;
        fs::set_permissions(dir, Permissions::from_mode(0o750))?;
        let path = dir.join(LOCK_NAME);
        let lock = Self { file: File::create(&path)?, dir: dir.to_path_buf() };
        match lock.file.try_lock() {
            Ok(()) if lock.is_at(&path)? => Ok(Attempt::Taken(lock)),
            Ok(()) => Ok(Attempt::Moved),
            Err(TryLockError::WouldBlock) => Ok(Attempt::Held),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let (mine, there) = (self.file.metadata()?, fs::metadata(path)?);
        Ok((mine.dev(), mine.ino()) == (there.dev(), there.ino()))
    }
}

/// What came of one try.
enum Attempt {
    Taken(RunLock),
    Held,
    /// The locked file is not in its place any more.
    Moved,
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        thread,
    };

    use super::*;

    #[test]
    fn one_at_a_time_holds_the_lock_though_its_directory_comes_and_goes() {
        let there = tempfile::tempdir().expect("a directory");
        let dir = there.path().join("run/lab");
        let holders = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let Some(lock) = RunLock::try_take(&dir).expect("the file system allows it") else {
                            continue;
                        };
                        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                        holders.fetch_sub(1, Ordering::SeqCst);
                        lock.clear().expect("cleared");
                    }
                });
            }
        });
    }
}
