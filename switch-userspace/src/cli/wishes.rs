//! How a daemon is to run: what the words, the environment and a configuration file say, in this order.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Deserialize;

use super::{
    error::CliError,
    place::{DEFAULT_BPFFS, DatapathMode, Place, absolute_path},
};
use crate::{control::Settings, model::InstanceName};

const DEFAULT_STATE_DIR: &str = "/var/lib/wye";

/// Options of the commands that start a daemon.
#[derive(Debug, Args)]
pub(super) struct Wishes {
    /// A TOML file with any of the keys datapath, state-dir and bpffs; options and variables win over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where frames are switched [default: ebpf].
    #[arg(long, value_enum)]
    datapath: Option<DatapathMode>,
    #[command(flatten)]
    dirs: DirWishes,
}

/// Where a daemon keeps what outlives it.
#[derive(Debug, Args)]
pub(super) struct DirWishes {
    /// Directory of the desired state [default: /var/lib/wye].
    #[arg(long, env = "WYE_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// The bpf file system that kernel objects are pinned in [default: /sys/fs/bpf].
    #[arg(long, env = "WYE_BPFFS", value_name = "DIR")]
    bpffs: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct ConfigFile {
    datapath: Option<DatapathMode>,
    state_dir: Option<PathBuf>,
    bpffs: Option<PathBuf>,
}

/// What the wishes come to; all paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    instance: InstanceName,
    datapath: DatapathMode,
    run_dir: PathBuf,
    state_dir: PathBuf,
    bpffs: PathBuf,
}

impl Wishes {
    /// Puts words, variables and file together.
    pub(super) fn choose(&self, place: &Place) -> Result<Chosen, CliError> {
        let file = self.config.as_deref().map(read).transpose()?.unwrap_or_default();
        let datapath = self.datapath.or(file.datapath).unwrap_or(DatapathMode::Ebpf);
        choose(place, datapath, &self.dirs, &file)
    }
}

impl DirWishes {
    /// Puts words and variables together, for the default datapath.
    pub(super) fn choose(&self, place: &Place) -> Result<Chosen, CliError> {
        choose(place, DatapathMode::Ebpf, self, &ConfigFile::default())
    }
}

impl Chosen {
    /// What the daemon is told: directories of this instance alone.
    pub(super) fn settings(&self) -> Settings {
        let instance = self.instance.as_str();
        Settings {
            instance: self.instance.clone(),
            run_dir: self.run_dir.join(instance),
            state_dir: self.state_dir.join(instance),
            bpffs: self.bpffs.clone(),
            mode: self.datapath.into(),
        }
    }

    /// The options that say the same.
    pub(super) fn arguments(&self) -> [&OsStr; 10] {
        [
            "--instance".as_ref(),
            self.instance.as_str().as_ref(),
            "--datapath".as_ref(),
            self.datapath.word().as_ref(),
            "--run-dir".as_ref(),
            self.run_dir.as_os_str(),
            "--state-dir".as_ref(),
            self.state_dir.as_os_str(),
            "--bpffs".as_ref(),
            self.bpffs.as_os_str(),
        ]
    }
}

/// Removes the run directory with lock and log, and of the directories around it those that are empty then.
pub(super) fn forget_directories(settings: &Settings) -> io::Result<()> {
    match fs::remove_dir_all(&settings.run_dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let around = [Some(settings.state_dir.as_path()), settings.state_dir.parent(), settings.run_dir.parent()];
    for dir in around.into_iter().flatten() {
        // Other instances, or a damaged state set aside, may be there.
        let _ = fs::remove_dir(dir);
    }
    Ok(())
}

fn choose(
    place: &Place,
    datapath: DatapathMode,
    dirs: &DirWishes,
    file: &ConfigFile,
) -> Result<Chosen, CliError> {
    let dir = |wish: &Option<PathBuf>, file: &Option<PathBuf>, default: &str| {
        absolute_path(wish.as_deref().or(file.as_deref()).unwrap_or(Path::new(default)))
    };
    Ok(Chosen {
        instance: place.instance.clone(),
        datapath,
        run_dir: absolute_path(&place.run_dir)?,
        state_dir: dir(&dirs.state_dir, &file.state_dir, DEFAULT_STATE_DIR)?,
        bpffs: dir(&dirs.bpffs, &file.bpffs, DEFAULT_BPFFS)?,
    })
}

fn read(path: &Path) -> Result<ConfigFile, CliError> {
    let object = || path.display().to_string();
    let text =
        fs::read_to_string(path).map_err(|source| CliError::File { op: "read", object: object(), source })?;
    toml::from_str(&text).map_err(|source| CliError::Config { file: object(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_file_may_say_all_that_the_options_say() {
        let file: ConfigFile =
            toml::from_str("datapath = \"userspace\"\nstate-dir = \"/a\"\nbpffs = \"/b\"").expect("TOML");
        assert_eq!(file.datapath, Some(DatapathMode::Userspace));
        assert_eq!((file.state_dir, file.bpffs), (Some("/a".into()), Some("/b".into())));
    }

    #[test]
    fn a_key_that_nobody_reads_is_refused_with_its_place() {
        let error =
            toml::from_str::<ConfigFile>("datapath = \"ebpf\"\nstatedir = \"/a\"").expect_err("unknown key");
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
