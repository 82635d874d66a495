//! Real servers for tests, started privately on free loopback ports in temporary folders, and ended by process id.
//!
//! Existing servers named by environment variables are used instead.

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tempfile::TempDir;

pub mod chromedriver;
mod fetch;
mod folder;
pub mod mariadb;
pub mod mongo;
pub mod pgbouncer;
pub mod postgres;
pub mod process;
pub mod prometheus;
pub mod proxy;
pub mod pushgateway;
pub mod redis;
pub mod rotel;
pub mod s3;
pub mod statsd;
pub mod wait;

pub use folder::folder;

/// The time for a server to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How often to start a server that exits at once: its killed predecessor may still be shutting down.
const MAX_START_ATTEMPTS: u32 = 10;

/// The file with a server's output, in its folder.
const OUTPUT_FILE: &str = "output";

/// A server, killed with its folder removed when dropped.
#[derive(Debug)]
pub struct Server {
    process: Running,
    port: u16,
    folder: TempDir,
}

/// A store with one server, started here or found.
#[derive(Debug)]
pub struct StoreServer {
    url: String,
    server: Option<Server>,
    serve: fn(TempDir, u16) -> Server,
}

/// A process, killed when dropped.
#[derive(Debug)]
struct Running(Child);

/// Ports handed out here: below those that systems use for connections, and that Redis Cluster nodes use, which add
/// 10,000.
const PORT_RANGE: Range<u16> = 12_000..22_000;

/// A free port that neither the system nor this program hands to anybody else.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    // Concurrent programs start elsewhere.
    let next = NEXT.get_or_init(|| {
        let random = RandomState::new().hash_one(std::process::id());
        AtomicU16::new(u16::try_from(random % 10_000).unwrap_or(0))
    });
    let count = PORT_RANGE.end - PORT_RANGE.start;
    let mut candidates =
        (0..count).map(|_| PORT_RANGE.start + next.fetch_add(1, Ordering::Relaxed) % count);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    candidates.find(is_free).expect("a free port")
}

/// Reports a missing server on stderr, past the harness's capture.
///
/// # Panics
/// When `CACHIER_TEST_REQUIRE` is set: then nothing may be skipped.
pub(crate) fn skip(what: &str) {
    // Failing to report is no failure.
    let _ = writeln!(std::io::stderr(), "skipped: {what}");
    let is_required = env::var_os("CACHIER_TEST_REQUIRE").is_some();
    assert!(!is_required, "CACHIER_TEST_REQUIRE is set, and {what}");
}

/// The first of these programs that exists: on the path, or at this name.
#[must_use]
pub fn program(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = env::split_paths(&path).collect();
    let found = |name: &&str| {
        let everywhere = folders.iter().map(|folder| folder.join(name));
        everywhere
            .chain([PathBuf::from(name)])
            .find(|path| path.is_file())
    };
    names.iter().find_map(found)
}

/// Where scripts put a download.
pub(crate) fn fetched(name: &str) -> PathBuf {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| project.join("target"), PathBuf::from);
    let places = [target, project.join("target")].map(|target| target.join("servers").join(name));
    let [first, second] = places;
    if first.is_file() { first } else { second }
}

/// A program on the path, or downloaded by a script.
pub(crate) fn program_or_fetched(name: &str) -> Option<PathBuf> {
    program(&[name]).or_else(|| Some(fetched(name)).filter(|path| path.is_file()))
}

/// A command whose process dies with the thread that starts it, where supported.
pub(crate) fn killed_with_parent(program: &Path) -> Command {
    let Some(setpriv) = crate::program(&["setpriv"]) else {
        return Command::new(program);
    };
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

impl StoreServer {
    /// The existing server that this variable of the environment names.
    pub(crate) fn named_by(variable: &str) -> Option<Self> {
        let url = env::var(variable).ok()?;
        Some(Self {
            url,
            server: None,
            serve: |_, _| unreachable!("it is not ours"),
        })
    }

    /// A server started here; `serve` starts it again in its folder, on its port.
    pub(crate) fn started(url: String, server: Server, serve: fn(TempDir, u16) -> Server) -> Self {
        Self {
            url,
            server: Some(server),
            serve,
        }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its port, if it was started here.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.server.as_ref().map(Server::port)
    }

    /// Its process, if it was started here.
    pub fn server(&mut self) -> Option<&mut Server> {
        self.server.as_mut()
    }

    /// Kills it and starts it again, with its folder.
    ///
    /// # Panics
    /// When it was not started here.
    pub fn start_again(&mut self) {
        let gone = self.server.take().expect("it was started here");
        let (folder, port) = gone.into_remains();
        self.server = Some((self.serve)(folder, port));
    }
}

impl Running {
    fn start(command: &mut Command, log: &Path) -> Self {
        let output = std::fs::File::create(log).expect("a file for its output");
        let errors = output.try_clone().expect("the same file once more");
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}")))
    }
}

impl Server {
    /// Starts a server, and polls until it `answers`.
    ///
    /// # Panics
    /// When it exits or does not answer in time; shows its output.
    #[track_caller]
    pub fn start(
        command: &mut Command,
        port: u16,
        folder: TempDir,
        mut answers: impl FnMut() -> bool,
    ) -> Self {
        let log = folder.path().join(OUTPUT_FILE);
        let mut server = Self {
            process: Running::start(command, &log),
            port,
            folder,
        };
        let (started, mut starts) = (Instant::now(), 1);
        while !answers() {
            let has_ended = server
                .process
                .0
                .try_wait()
                .expect("it can be asked")
                .is_some();
            let is_late = started.elapsed() > START_TIMEOUT;
            assert!(
                !(is_late || has_ended && starts == MAX_START_ATTEMPTS),
                "{command:?} does not answer: {}",
                text(&log)
            );
            thread::sleep(Duration::from_millis(10));
            if has_ended {
                thread::sleep(Duration::from_millis(200));
                server.process = Running::start(command, &log);
                starts += 1;
            }
        }
        server
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it keeps its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its output so far.
    #[must_use]
    pub fn output(&self) -> String {
        text(&self.folder().join(OUTPUT_FILE))
    }

    /// Sends a signal to it and its children: `STOP` and `CONT`, for a server that hangs for a while. It hangs when
    /// this returns.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, signal: Signal) {
        let server = self.process.pid();
        kill_process(server, signal).expect("it is there");
        for child in self.process.children() {
            // It may have exited meanwhile.
            let _ = kill_process(child, signal);
        }
        if signal == Signal::STOP {
            // Stopping takes a moment, in which it might still answer.
            waitpid(Some(server), WaitOptions::UNTRACED).expect("it is a child of this process");
        }
    }

    /// Kills it, and waits until it is gone; its folder stays.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(&mut self) {
        self.process.kill().expect("it can be killed");
    }

    /// Kills it, and keeps its folder and port for a restart.
    pub(crate) fn into_remains(self) -> (TempDir, u16) {
        (self.folder, self.port)
    }
}

impl Running {
    fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    /// Its child processes, where the system tells.
    fn children(&self) -> Vec<Pid> {
        let pid = self.0.id();
        let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let listed = listed.unwrap_or_default();
        let pids = listed.split_whitespace().filter_map(|pid| pid.parse().ok());
        pids.filter_map(Pid::from_raw).collect()
    }

    fn kill(&mut self) -> std::io::Result<()> {
        let children = self.children();
        self.0.kill()?;
        for child in children {
            // It may have died with its parent.
            let _ = kill_process(child, Signal::KILL);
        }
        self.0.wait().map(drop)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.kill();
    }
}

fn text(path: &Path) -> String {
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text));
    read.map_or_else(|error| error.to_string(), |_| text)
}
