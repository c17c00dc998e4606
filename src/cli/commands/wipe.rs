//! `hopline wipe`: destroys a node's home, for when the device must not be found with it.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::node::error::HomeError;
use crate::storage::{self, WipeError, Wiped};

use crate::cli::context::Context;
use crate::cli::error::CliError;

/// What `wipe` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(in crate::cli) struct Arguments {
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

const NOTES: &str = "\
The identity key is destroyed first (overwritten, then unlinked), then the key that messages are sealed with, then \
everything else in the home. A wipe that was interrupted is finished by running it again. A flash disk may keep old \
copies of what is overwritten until it reuses their place. Files received into a directory outside the home stay.";

pub(in crate::cli) fn run(context: &Context, arguments: &Arguments) -> Result<(), CliError> {
    let home = context.home()?;
    let path = home.path();
    let own = std::env::var_os("HOME").map(PathBuf::from);
    if !storage::is_home(path) || own.is_some_and(|own| holds(path, &own)) {
        return Err(WipeError::NotAHome { path: path.to_owned() }.into());
    }
    let _lock = home.lock().map_err(|error| match error {
        HomeError::Taken { home } => CliError::StillRunning { home },
        other @ (HomeError::Unknown | HomeError::Io { .. }) => other.into(),
    })?;
    if !arguments.yes && !confirmed(context, path)? {
        return context.out.say(&json!({ "destroyed": [] }), "nothing was destroyed");
    }
    let Wiped { keys, others } = storage::wipe(path)?;
    let object = json!({ "destroyed": keys, "removed": others, "home": path.display().to_string() });
    let keys =
        if keys.is_empty() { "no key was left".to_owned() } else { format!("destroyed {}", keys.join(", ")) };
    context
        .out
        .say(&object, format!("{keys}; removed {others} other files and directories, and {}", path.display()))
}

/// Whether a directory holds this person's own, or is it: more than a node, which nobody wants wiped.
fn holds(path: &Path, own: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    own.starts_with(&path) || own.canonicalize().is_ok_and(|own| own.starts_with(&path))
}

/// Asks once; only `yes` means yes.
fn confirmed(context: &Context, path: &Path) -> Result<bool, CliError> {
    if context.out.is_json() || !io::stdin().is_terminal() {
        return Err(CliError::NotConfirmed);
    }
    let question = format!(
        "This destroys the node in {}: its identity, its messages, its contacts, its files. Nobody can undo it.\n\
         Type yes to go on: ",
        path.display()
    );
    let mut err = io::stderr().lock();
    err.write_all(question.as_bytes()).and_then(|()| err.flush()).map_err(CliError::Output)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(CliError::Input)?;
    Ok(answer.trim() == "yes")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_holds_somebodys_own_is_known_by_any_of_its_names() {
        let directory = tempfile::tempdir().unwrap();
        let (users, ada) = (directory.path().join("users"), directory.path().join("users/ada"));
        fs::create_dir_all(ada.join(".hopline")).unwrap();
        let linked = directory.path().join("home");
        symlink(&users, &linked).unwrap();
        for own in [ada.clone(), linked.join("ada"), linked.join("ada/../ada/")] {
            for shared in [&ada, &users, &linked, &linked.join("ada")] {
                assert!(holds(shared, &own), "{} holds {}", shared.display(), own.display());
            }
            assert!(!holds(&ada.join(".hopline"), &own));
        }
    }
}
