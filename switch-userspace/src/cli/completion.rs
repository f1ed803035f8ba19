//! `wye completion`: what a shell has to load to complete wye's words.

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use super::{error::CliError, output};

const EXAMPLES: &str = "\
Examples:
  wye completion bash > /etc/bash_completion.d/wye
  wye completion zsh > /usr/local/share/zsh/site-functions/_wye
  wye completion fish > ~/.config/fish/completions/wye.fish";

/// Print a completion script.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct CompletionArgs {
    /// For which shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &CompletionArgs, mut command: Command) -> Result<(), CliError> {
    let mut script = Vec::new();
    generate(args.shell, &mut command, "wye", &mut script);
    output::print(script)
}
