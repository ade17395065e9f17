//! What is generated from the commands themselves: completions and manual pages.

use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use serde_json::json;

use super::output::Output;
use super::{Done, Failure};

/// Prints the completions for a shell.
pub(super) fn completions(mut command: Command, shell: Shell) -> Done {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    // A closed pipe is not a failure of the command.
    let _ = io::stdout().lock().write_all(&script);
    Ok(())
}

/// Writes a manual page for each command into a folder.
pub(super) fn manual_pages(command: Command, folder: &Path, output: &Output) -> Done {
    let failed = |error: io::Error| Failure::Failed(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut pages = Vec::new();
    write_page(command, folder, &mut pages).map_err(failed)?;
    let text =
        format!("wrote {} pages; read one with `man {}/auth-service.1`", pages.len(), folder.display());
    output.result(&json!({"folder": folder, "pages": pages}), &text);
    Ok(())
}

fn write_page(mut command: Command, folder: &Path, pages: &mut Vec<String>) -> io::Result<()> {
    command.build();
    let file = format!("{}.1", command.get_display_name().unwrap_or(command.get_name()));
    let mut page = Vec::new();
    Man::new(command.clone()).title(file.trim_end_matches(".1")).render(&mut page)?;
    std::fs::write(folder.join(&file), page)?;
    pages.push(file);
    command
        .get_subcommands()
        .filter(|subcommand| subcommand.get_name() != "help")
        .try_for_each(|subcommand| write_page(subcommand.clone(), folder, pages))
}
