//! How a daemon is to run: what the words, the environment and a configuration file say, in this order.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Deserialize;

use super::{
    error::CliError,
    place::{DEFAULT_BPFFS, Place, absolute_path},
};
use crate::{control::Settings, datapath::Mode, model::InstanceName, run_dir::LastStart};

const DEFAULT_STATE_DIR: &str = "/var/lib/wye";

/// Options of the commands that start a daemon.
#[derive(Debug, Args)]
pub(super) struct Wishes {
    /// Where frames are switched [default: where the instance's last daemon did, ebpf for a new instance].
    #[arg(long, value_enum)]
    datapath: Option<Mode>,
    #[command(flatten)]
    dirs: DirWishes,
}

/// Where a daemon keeps what outlives it.
#[derive(Debug, Args)]
pub(super) struct DirWishes {
    /// A TOML file with any of the keys datapath, state-dir and bpffs; options and variables win over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
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
    datapath: Option<Mode>,
    state_dir: Option<PathBuf>,
    bpffs: Option<PathBuf>,
}

/// What the wishes come to; all paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    instance: InstanceName,
    datapath: Mode,
    run_dir: PathBuf,
    state_dir: PathBuf,
    bpffs: PathBuf,
}

impl Wishes {
    /// Puts words, variables and file together.
    pub(super) fn choose(&self, place: &Place) -> Result<Chosen, CliError> {
        let file = self.dirs.file()?;
        let last = LastStart::read(&place.dir()).map(|start| start.mode);
        self.dirs.choose(place, ConfigFile { datapath: self.datapath.or(file.datapath).or(last), ..file })
    }

    /// The datapath that was asked for on the command line, where one was.
    pub(super) const fn datapath(&self) -> Option<Mode> {
        self.datapath
    }
}

impl DirWishes {
    /// The daemon that a command clears up after: how it was started counts more than what a file says.
    pub(super) fn choose_started(&self, place: &Place) -> Result<Chosen, CliError> {
        let start = LastStart::read(&place.dir()).map(ConfigFile::from).unwrap_or_default();
        let file = self.file()?;
        let either = ConfigFile {
            datapath: start.datapath.or(file.datapath),
            state_dir: start.state_dir.or(file.state_dir),
            bpffs: start.bpffs.or(file.bpffs),
        };
        self.choose(place, either)
    }

    fn file(&self) -> Result<ConfigFile, CliError> {
        Ok(self.config.as_deref().map(read).transpose()?.unwrap_or_default())
    }

    fn choose(&self, place: &Place, file: ConfigFile) -> Result<Chosen, CliError> {
        let dir = |wish: &Option<PathBuf>, file: Option<PathBuf>, default: &str| {
            absolute_path(&wish.clone().or(file).unwrap_or_else(|| default.into()))
        };
        Ok(Chosen {
            instance: place.instance.clone(),
            datapath: file.datapath.unwrap_or(Mode::Ebpf),
            run_dir: absolute_path(&place.run_dir)?,
            state_dir: dir(&self.state_dir, file.state_dir, DEFAULT_STATE_DIR)?,
            bpffs: dir(&self.bpffs, file.bpffs, DEFAULT_BPFFS)?,
        })
    }
}

impl From<LastStart> for ConfigFile {
    fn from(start: LastStart) -> Self {
        Self {
            datapath: Some(start.mode),
            state_dir: start.state_dir.parent().map(Path::to_path_buf),
            bpffs: Some(start.bpffs),
        }
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
            mode: self.datapath,
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
        assert_eq!(file.datapath, Some(Mode::Userspace));
        assert_eq!((file.state_dir, file.bpffs), (Some("/a".into()), Some("/b".into())));
    }

    #[test]
    fn a_key_that_nobody_reads_is_refused_with_its_place() {
        let error =
            toml::from_str::<ConfigFile>("datapath = \"ebpf\"\nstatedir = \"/a\"").expect_err("unknown key");
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
