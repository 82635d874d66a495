//! Other processes: this test program, started again with a part to play.
//!
//! A test that needs them first calls [`part`], which is `None` in the test itself, and the task in the processes it
//! starts.

use std::env;
use std::io::{BufRead, BufReader, ErrorKind, Write, stderr, stdin};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{WAIT_TIMEOUT, until};

const PART_VARIABLE: &str = "CACHIER_TEST_PART";
const OUTPUT_PREFIX: &str = "part says: ";

/// The part of this process; `None` if it is not started by a test.
#[must_use]
pub fn part() -> Option<String> {
    env::var(PART_VARIABLE).ok()
}

/// Sends a line to the test.
#[allow(clippy::print_stdout)]
pub fn say(line: impl std::fmt::Display) {
    println!("{OUTPUT_PREFIX}{line}");
}

/// Receives a line from the test.
///
/// # Panics
/// When the test is gone.
#[must_use]
pub fn hear() -> String {
    let mut line = String::new();
    let length = stdin().read_line(&mut line).expect("a line of the test");
    assert!(length > 0, "the test is gone");
    line.trim_end().to_owned()
}

/// Reports a skipped test on stderr, past the harness's capture: one of what this user or machine does not allow. What is
/// only not installed is missed where a test looks for it.
pub fn skip(why: &str) {
    // Failing to report is no failure.
    let _ = writeln!(stderr(), "skipped: {why}");
}

/// A process with a part. It ends with its test.
#[derive(Debug)]
pub struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Process {
    /// Starts this program to run only the test of this name, which calls [`part`]. `prepare` sets the process's
    /// environment.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(test: &str, part: &str, prepare: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(this_program());
        command.args(only(test));
        prepare(&mut command);
        Self::spawn(command, part)
    }

    /// Like [`start`](Self::start), with its own `tmpfs` with these options mounted at the file backend's folder.
    /// `None` if this user may not mount.
    ///
    /// # Panics
    /// When it cannot be started, or `unshare` is missing and `CACHIER_TEST_REQUIRE` is set.
    #[must_use]
    pub fn start_with_mount(
        test: &str,
        part: &str,
        folder: &Path,
        options: &str,
        prepare: impl FnOnce(&mut Command),
    ) -> Option<Self> {
        const MOUNT: &str =
            r#"mount -t tmpfs -o "mode=0700,$0" tmpfs "$CACHIER_CACHE_DIR" && exec "$@""#;
        let mounted = || {
            let mut command = Command::new("unshare");
            command.args(["--mount", "--map-root-user", "sh", "-c", MOUNT, options]);
            command.env("CACHIER_CACHE_DIR", folder);
            command
        };
        if !is_allowed(mounted().arg("true")) {
            return None;
        }
        let mut command = mounted();
        command.arg(this_program()).args(only(test));
        prepare(&mut command);
        Some(Self::spawn(command, part))
    }

    /// As [`start`](Self::start), where the locks of files fail as on a file system without any (`ENOLCK`). `None` where there
    /// is no `strace` to have them fail, or it may not.
    ///
    /// # Panics
    /// When it cannot be started, or `strace` is missing and `CACHIER_TEST_REQUIRE` is set.
    #[must_use]
    pub fn start_without_locks(
        test: &str,
        part: &str,
        prepare: impl FnOnce(&mut Command),
    ) -> Option<Self> {
        let inject = ["-e", "trace=flock", "-e", "inject=flock:error=ENOLCK"];
        Self::start_under_strace(test, part, &inject, Path::new("/dev/null"), prepare)
    }

    /// As [`start`](Self::start), under `strace` with these options, which writes to a file. `None` where there is no `strace`,
    /// or it may not.
    ///
    /// # Panics
    /// When it cannot be started, or `strace` is missing and `CACHIER_TEST_REQUIRE` is set.
    #[must_use]
    pub fn start_under_strace(
        test: &str,
        part: &str,
        options: &[&str],
        trace: &Path,
        prepare: impl FnOnce(&mut Command),
    ) -> Option<Self> {
        let under_strace = || {
            let mut command = Command::new("strace");
            command.args(["-f", "-qq", "-o"]).arg(trace).args(options);
            command
        };
        if !is_allowed(under_strace().arg("true")) {
            return None;
        }
        let mut command = under_strace();
        command.arg(this_program()).args(only(test));
        prepare(&mut command);
        Some(Self::spawn(command, part))
    }

    /// As [`start`](Self::start), as another user, of this group alone. `None` where this user may not become others, or others
    /// may not run this program.
    ///
    /// # Panics
    /// When it cannot be started.
    #[cfg(unix)]
    #[must_use]
    pub fn start_as(
        (user, group): (u32, u32),
        test: &str,
        part: &str,
        prepare: impl FnOnce(&mut Command),
    ) -> Option<Self> {
        use std::os::unix::process::CommandExt;
        let as_other = || {
            let mut command = Command::new(this_program());
            command.uid(user).gid(group);
            command
        };
        if !is_allowed(as_other().arg("--list")) {
            return None;
        }
        let mut command = as_other();
        command.args(only(test));
        prepare(&mut command);
        Some(Self::spawn(command, part))
    }

    fn spawn(mut command: Command, part: &str) -> Self {
        command
            .env(PART_VARIABLE, part)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("this program starts again");
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // The harness does not end its line before the test ends.
                if let Some((_, said)) = line.split_once(OUTPUT_PREFIX) {
                    let _ = sender.send(said.to_owned());
                }
            }
        });
        Self {
            input: child.stdin.take(),
            child,
            lines,
        }
    }

    /// The next line it sends.
    ///
    /// # Panics
    /// When it sends nothing more.
    #[track_caller]
    #[must_use]
    pub fn line(&self) -> String {
        self.lines
            .recv_timeout(WAIT_TIMEOUT)
            .expect("it says something")
    }

    /// The last line that it sends, once it has exited successfully.
    ///
    /// # Panics
    /// When it sends nothing, fails, or does not exit.
    #[track_caller]
    #[must_use]
    pub fn last_line(self) -> String {
        let line = self.line();
        self.finish();
        line
    }

    /// The next line, if it has sent one.
    #[must_use]
    pub fn try_line(&self) -> Option<String> {
        self.lines.try_recv().ok()
    }

    /// Sends it a line.
    ///
    /// # Panics
    /// When it does not listen.
    #[track_caller]
    pub fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it has not been finished");
        writeln!(input, "{line}").expect("it listens");
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When it is gone.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is there");
    }

    /// Sends SIGKILL, and waits for the end.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// The same, but keeps its input open for processes that it has forked.
    ///
    /// # Panics
    /// When it cannot be killed.
    #[must_use]
    pub fn kill_and_keep_input(mut self) -> Option<ChildStdin> {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
        self.input.take()
    }

    /// Waits until it has exited successfully.
    ///
    /// # Panics
    /// When it fails, or does not exit.
    #[track_caller]
    pub fn finish(mut self) {
        drop(self.input.take());
        let mut ended = None;
        until("the process ends", || {
            ended = self.child.try_wait().expect("it can be asked");
            ended.is_some()
        });
        assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    }
}

/// Whether what a test needs can be done here.
///
/// # Panics
/// When the program is missing and `CACHIER_TEST_REQUIRE` is set: then nothing may be skipped that could be installed.
fn is_allowed(tried: &mut Command) -> bool {
    let output = tried.output();
    let is_missing = output
        .as_ref()
        .is_err_and(|error| error.kind() == ErrorKind::NotFound);
    let is_required = env::var_os("CACHIER_TEST_REQUIRE").is_some();
    let program = tried.get_program().display();
    assert!(
        !(is_missing && is_required),
        "CACHIER_TEST_REQUIRE is set, and there is no `{program}`; `tests/run` installs it"
    );
    output.is_ok_and(|output| output.status.success())
}

fn this_program() -> PathBuf {
    env::current_exe().expect("this program has a path")
}

fn only(test: &str) -> [&str; 4] {
    [test, "--exact", "--nocapture", "--test-threads=1"]
}

/// A process does not outlive a failed test.
impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
