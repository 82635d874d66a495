//! Servers without a package are downloaded or built by scripts next to this crate.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that a script can provide.
pub(crate) struct Download {
    /// The script's name.
    pub(crate) script: &'static str,
    /// The variable that names an existing server.
    pub(crate) variable: &'static str,
    /// The script's requirements.
    pub(crate) needs: &'static str,
}

impl Download {
    /// Runs the script, which may take minutes.
    ///
    /// # Errors
    /// Says what to install, or to set instead.
    pub(crate) fn fetch(&self) -> Result<(), String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(self.script);
        let _ = writeln!(
            std::io::stderr(),
            "no server in {}: tests/servers/{} gets one, once, which may take minutes",
            self.variable,
            self.script
        );
        self.run(&script, &target())
    }

    fn run(&self, script: &Path, target: &Path) -> Result<(), String> {
        let status = Command::new(script)
            .env("CARGO_TARGET_DIR", target)
            .status();
        if status.is_ok_and(|status| status.success()) {
            return Ok(());
        }
        Err(format!(
            "tests/servers/{} has failed, which needs {}; or name a server in {}",
            self.script, self.needs, self.variable
        ))
    }
}

/// The target folder, whatever the script's working directory.
fn target() -> PathBuf {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| project.join("target"), PathBuf::from);
    std::path::absolute(&target).unwrap_or(target)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const DOWNLOAD: Download = Download {
        script: "get-it",
        variable: "CACHIER_IT_URL",
        needs: "the network",
    };

    /// Written by another process: a concurrent fork in this program would inherit our writable file, and the system
    /// does not execute a file that is open for writing.
    fn script(folder: &Path, text: &str) -> PathBuf {
        let script = folder.join("get-it");
        let mut write = Command::new("sh");
        write.args([
            "-c",
            r#"printf %s "$1" > "$2" && chmod +x "$2""#,
            "sh",
            text,
        ]);
        assert!(write.arg(&script).status().unwrap().success());
        script
    }

    #[test]
    fn a_script_learns_its_target_folder() {
        let folder = tempfile::tempdir().unwrap();
        let script = script(
            folder.path(),
            "#!/bin/sh\necho it > \"$CARGO_TARGET_DIR/it\"\n",
        );
        DOWNLOAD.run(&script, folder.path()).unwrap();
        assert!(folder.path().join("it").is_file());
    }

    #[test]
    fn a_failing_script_is_reported_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let failing = script(folder.path(), "#!/bin/sh\nexit 3\n");
        for script in [failing, folder.path().join("none")] {
            let error = DOWNLOAD.run(&script, folder.path()).unwrap_err();
            assert_eq!(
                error,
                "tests/servers/get-it has failed, which needs the network; or name a server in CACHIER_IT_URL"
            );
        }
    }
}
