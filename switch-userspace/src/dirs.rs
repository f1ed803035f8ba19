//! Directories that wye makes for itself, and takes away again once nobody else uses them.
//!
//! A directory that was made here has a mark in it, so that one that was there before is told from it, by whichever instance
//! and after whatever time.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
};

const MARK: &str = ".made-by-wye";

/// Makes `dir` where it is missing, and what is missing on the way to it.
///
/// # Errors
/// The file system refuses.
pub fn make(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        make(parent)?;
    }
    match DirBuilder::new().mode(0o755).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.and_then(|()| File::create(dir.join(MARK))).map(drop),
    }
}

/// Takes `dir` and those around it away, up to one that was not made here or has something else in it.
pub fn forget(dir: &Path) {
    for dir in dir.ancestors() {
        if !has_only_mark(dir) || fs::remove_file(dir.join(MARK)).and_then(|()| fs::remove_dir(dir)).is_err()
        {
            return;
        }
    }
}

fn has_only_mark(dir: &Path) -> bool {
    let Ok(entries) = fs::read_dir(dir) else { return false };
    let names: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.file_name())).collect();
    names == [MARK]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_goes_and_what_was_there_before_stays() {
        let there = tempfile::tempdir().expect("a directory");
        let dir = there.path().join("a/b");
        make(&dir).expect("made");
        make(&dir).expect("there already");
        assert!(dir.is_dir());
        forget(&dir);
        assert_eq!(fs::read_dir(there.path()).expect("still there").count(), 0);
    }

    #[test]
    fn a_directory_that_others_use_stays_until_they_have_left() {
        let there = tempfile::tempdir().expect("a directory");
        let [mine, theirs] = ["wye/mine", "wye/theirs"].map(|name| there.path().join(name));
        make(&mine).expect("made");
        make(&theirs).expect("made");
        forget(&mine);
        assert!(!mine.exists() && theirs.is_dir());
        forget(&theirs);
        assert!(!there.path().join("wye").exists());
    }
}
