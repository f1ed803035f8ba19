//! Which daemon a command is about.

use std::path::{Path, PathBuf, absolute};

use super::error::CliError;
use crate::{
    api::{client::Client, routes},
    datapath::naming::DEFAULT_INSTANCE,
    model::InstanceName,
    run_dir::LOG_NAME,
};

pub(super) const DEFAULT_RUN_DIR: &str = "/run/wye";
pub(super) const DEFAULT_BPFFS: &str = "/sys/fs/bpf";

/// The instance, and the directory where its socket is.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Place {
    /// Which switch: several can run on one machine.
    #[arg(long, global = true, env = "WYE_INSTANCE", value_name = "NAME", default_value = DEFAULT_INSTANCE)]
    pub(super) instance: InstanceName,
    /// Directory of sockets and locks.
    #[arg(long, global = true, env = "WYE_RUN_DIR", value_name = "DIR", default_value = DEFAULT_RUN_DIR)]
    pub(super) run_dir: PathBuf,
}

/// Where the bpf file system is.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct BpffsArgs {
    /// The bpf file system that kernel objects are pinned in.
    #[arg(long, env = "WYE_BPFFS", value_name = "DIR", default_value = DEFAULT_BPFFS)]
    pub(super) bpffs: PathBuf,
}

impl Place {
    /// Directory of this instance's socket, lock and log.
    pub(super) fn dir(&self) -> PathBuf {
        self.run_dir.join(self.instance.as_str())
    }

    /// Where a daemon in the background writes what it has to say.
    pub(super) fn log(&self) -> PathBuf {
        self.dir().join(LOG_NAME)
    }

    /// A client of the daemon.
    pub(super) fn client(&self) -> Result<Client, CliError> {
        Ok(Client::new(self.dir().join(routes::SOCKET_NAME))?)
    }

    /// The command `wye WORDS` for this place, to be typed.
    pub(super) fn command(&self, words: &str) -> String {
        let mut command = format!("wye {words}");
        if self.instance.as_str() != DEFAULT_INSTANCE {
            command += &format!(" --instance {}", self.instance);
        }
        if self.run_dir != Path::new(DEFAULT_RUN_DIR) {
            command += &format!(" --run-dir {}", self.run_dir.display());
        }
        command
    }
}

/// The path from the root on.
pub(super) fn absolute_path(path: &Path) -> Result<PathBuf, CliError> {
    absolute(path).map_err(|source| CliError::File {
        op: "make absolute",
        object: path.display().to_string(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_to_type_names_what_is_not_the_default() {
        let mut place = Place {
            instance: InstanceName::new(DEFAULT_INSTANCE).expect("a name"),
            run_dir: DEFAULT_RUN_DIR.into(),
        };
        assert_eq!(place.command("up"), "wye up");
        place.instance = InstanceName::new("lab").expect("a name");
        place.run_dir = "/tmp/lab".into();
        assert_eq!(place.command("up"), "wye up --instance lab --run-dir /tmp/lab");
    }
}
