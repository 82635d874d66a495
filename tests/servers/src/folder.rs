//! Servers' folders, and removal of leftover ones.

use std::fs;
use std::path::Path;
use std::sync::Once;

use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;

const PREFIX: &str = "cachier-server-";

/// A folder for a server, accessible to every user.
///
/// # Panics
/// When it cannot be created.
#[must_use]
pub fn folder() -> TempDir {
    static LEFTOVERS_REMOVED: Once = Once::new();
    let parent = std::env::temp_dir();
    LEFTOVERS_REMOVED.call_once(|| remove_leftovers(&parent));
    tempfile::Builder::new()
        .prefix(&format!("{PREFIX}{}-", std::process::id()))
        .tempdir_in(parent)
        .expect("a temporary folder")
}

/// Removes folders of dead programs: servers in statics are never dropped.
fn remove_leftovers(parent: &Path) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    for entry in entries {
        let is_left = entry
            .file_name()
            .to_str()
            .and_then(program_of)
            .is_some_and(is_gone);
        if is_left {
            // Another program may be removing it, or another user own it.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The program that created the folder of this name.
fn program_of(name: &str) -> Option<Pid> {
    let (program, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
    Pid::from_raw(program.parse().ok()?)
}

fn is_gone(program: Pid) -> bool {
    test_kill_process(program) == Err(rustix::io::Errno::SRCH)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn leftovers_of_dead_programs_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let names = [
            (format!("{PREFIX}{}-left", child.id()), false),
            (format!("{PREFIX}{}-kept", std::process::id()), true),
            (format!("{PREFIX}other"), true),
            ("another".to_owned(), true),
        ];
        for (name, _) in &names {
            fs::create_dir(parent.path().join(name)).unwrap();
        }
        remove_leftovers(parent.path());
        for (name, is_kept) in names {
            assert_eq!(parent.path().join(&name).exists(), is_kept, "{name}");
        }
    }
}
