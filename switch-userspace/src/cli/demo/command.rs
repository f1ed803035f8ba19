//! Running the programs that the demo shows.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::Ordering,
};

use super::{DemoError, INTERRUPTED, stage::INSTANCE};
use crate::cli::output;

/// The programs that have to be installed.
const PROGRAMS: [&str; 7] = ["ip", "iperf3", "mount", "ping", "sha256sum", "socat", "umount"];

/// Checks that everything is there before anything is begun.
pub(super) fn require_programs() -> Result<(), DemoError> {
    let path = env::var_os("PATH").unwrap_or_default();
    let installed = |program: &&str| env::split_paths(&path).any(|dir| dir.join(program).is_file());
    let missing: Vec<_> = PROGRAMS.into_iter().filter(|program| !installed(program)).collect();
    if missing.is_empty() { Ok(()) } else { Err(DemoError::Missing(missing)) }
}

/// Runs `wye` for the demo's instance, and other programs, in the namespace that plays the host.
#[derive(Clone)]
pub(super) struct Runner {
    wye: PathBuf,
    environment: [(&'static str, PathBuf); 4],
}

impl Runner {
    /// A runner for an instance that has everything below `dir`.
    pub(super) fn new(dir: &Path) -> Result<Self, DemoError> {
        let wye = env::current_exe().map_err(|source| DemoError::Io {
            op: "find",
            object: "the program wye".to_owned(),
            source,
        })?;
        let environment = [
            ("WYE_INSTANCE", INSTANCE.into()),
            ("WYE_RUN_DIR", dir.join("run")),
            ("WYE_STATE_DIR", dir.join("state")),
            ("WYE_BPFFS", dir.join("bpf")),
        ];
        Ok(Self { wye, environment })
    }

    /// Runs `wye WORDS`, shows command and output, and returns the output.
    pub(super) fn wye(&self, words: &str) -> Result<String, DemoError> {
        self.shown(self.command("wye", words))
    }

    /// Runs another program with its words and shows the command.
    pub(super) fn other(&self, line: &str) -> Result<String, DemoError> {
        let (program, words) = line.split_once(' ').unwrap_or((line, ""));
        self.shown(self.command(program, words))
    }

    /// `wye exec CONTAINER -- LINE`, to be started by the caller.
    pub(super) fn inside(&self, container: &str, line: &str) -> Command {
        self.command("wye", &format!("exec {container} -- {line}"))
    }

    /// A program with its words, to be started by the caller.
    pub(super) fn command(&self, program: &str, words: &str) -> Command {
        let mut command =
            Command::new(if program == "wye" { self.wye.as_os_str() } else { program.as_ref() });
        command.args(words.split_whitespace()).envs(self.environment.clone()).stdin(Stdio::null());
        if INTERRUPTED.load(Ordering::Relaxed) {
            // A second Ctrl-C must not stop the removal.
            command.process_group(0);
        }
        command
    }

    fn shown(&self, mut command: Command) -> Result<String, DemoError> {
        show(&command)?;
        let run = command.output();
        let done = finished(&command, run)?;
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        let talk = String::from_utf8_lossy(&done.stderr);
        for line in said.lines().chain(talk.lines()) {
            output::line(format!("  {line}").trim_end())?;
        }
        Ok(said)
    }
}

/// Prints a command as it would be typed.
pub(super) fn show(command: &Command) -> Result<(), DemoError> {
    Ok(output::line(format!("$ {}", line_of(command)))?)
}

/// Runs a program that need not be shown.
pub(super) fn quiet(program: &str, words: &[&str]) -> Result<String, DemoError> {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null());
    let run = command.output();
    Ok(String::from_utf8_lossy(&finished(&command, run)?.stdout).into_owned())
}

/// A program that runs beside the demo; it ends with this value at the latest.
pub(super) struct Background {
    line: String,
    pub(super) child: Child,
}

impl Background {
    /// Starts `command`, with pipes for what it says.
    pub(super) fn start(command: &mut Command) -> Result<Self, DemoError> {
        let line = line_of(command);
        let started = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = started.map_err(|source| DemoError::Io { op: "run", object: line.clone(), source })?;
        Ok(Self { line, child })
    }

    /// Waits until the program has written a line with `text` to stdout.
    pub(super) fn wait_for_output(&mut self, text: &str) -> Result<(), DemoError> {
        let pipe = self.child.stdout.take();
        self.child.stdout = Some(self.read_until(pipe, text)?);
        Ok(())
    }

    /// Waits until the program has written a line with `text` to stderr.
    pub(super) fn wait_for_talk(&mut self, text: &str) -> Result<(), DemoError> {
        let pipe = self.child.stderr.take();
        self.child.stderr = Some(self.read_until(pipe, text)?);
        Ok(())
    }

    /// Reads lines up to the one with `text` and returns the pipe: a program whose pipe is closed ends at its next word.
    fn read_until<P: Read>(&self, pipe: Option<P>, text: &str) -> Result<P, DemoError> {
        let failed = |said: String| DemoError::Command { command: self.line.clone(), said };
        let mut reader = BufReader::new(pipe.ok_or_else(|| failed("it has no output".to_owned()))?);
        let mut said = String::new();
        while !said.contains(text) {
            let before = said.len();
            reader.read_line(&mut said).map_err(|source| failed(source.to_string()))?;
            if said.len() == before {
                return Err(failed(said.trim().to_owned()));
            }
        }
        Ok(reader.into_inner())
    }

    /// Waits for the end, which has to be a success, and returns what the program wrote to stdout.
    pub(super) fn finish(mut self) -> Result<String, DemoError> {
        let mut stdout = Vec::new();
        let failed = |source| DemoError::Io { op: "read from", object: self.line.clone(), source };
        if let Some(mut pipe) = self.child.stdout.take() {
            pipe.read_to_end(&mut stdout).map_err(failed)?;
        }
        let mut stderr = Vec::new();
        if let Some(mut pipe) = self.child.stderr.take() {
            pipe.read_to_end(&mut stderr).map_err(failed)?;
        }
        let status = self.child.wait().map_err(failed)?;
        if status.success() {
            return Ok(String::from_utf8_lossy(&stdout).into_owned());
        }
        let said = if stderr.is_empty() { &stdout } else { &stderr };
        Err(DemoError::Command {
            command: self.line.clone(),
            said: String::from_utf8_lossy(said).trim().to_owned(),
        })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Both fail where the program has ended and was waited for, which is the usual case.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn finished(command: &Command, run: std::io::Result<Output>) -> Result<Output, DemoError> {
    let done = run.map_err(|source| DemoError::Io { op: "run", object: line_of(command), source })?;
    if done.status.success() {
        return Ok(done);
    }
    let said = if done.stderr.is_empty() { &done.stdout } else { &done.stderr };
    Err(DemoError::Command {
        command: line_of(command),
        said: String::from_utf8_lossy(said).trim().to_owned(),
    })
}

/// The command as it would be typed.
fn line_of(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
