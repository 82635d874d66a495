//! The program in a pseudo-terminal, and what a terminal shows of its output.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{
    Child, CommandBuilder, ExitStatus, MasterPty, PtySize, SlavePty, native_pty_system,
};
use vt100::{Parser, Screen};

/// The longest wait; only failing tests wait that long.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) const ENTER: &str = "\r";
pub(crate) const ESCAPE: &str = "\x1b";
pub(crate) const DOWN: &str = "\x1b[B";

pub(crate) struct Terminal {
    master: Box<dyn MasterPty + Send>,
    /// Kept open, so that the terminal is there when the program has ended.
    _slave: Box<dyn SlavePty + Send>,
    keys: Box<dyn Write + Send>,
    shown: Arc<Mutex<Shown>>,
    child: Box<dyn Child + Send + Sync>,
    modes_before: String,
}

struct Shown {
    parser: Parser,
    /// All of the output.
    raw: Vec<u8>,
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize {
        rows,
        cols,
        ..PtySize::default()
    }
}

/// Whether it echoes, waits for whole lines, and so on.
fn modes(master: &dyn MasterPty) -> String {
    let modes = master.get_termios().unwrap();
    format!(
        "{:?} {:?} {:?}",
        modes.input_flags, modes.output_flags, modes.local_flags
    )
}

fn at_least_one(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap()
}

impl Terminal {
    /// Starts `cachier top` with these arguments on a terminal of this size.
    pub(crate) fn start(
        arguments: &[&str],
        rows: u16,
        cols: u16,
        variables: &[(&str, &str)],
    ) -> Self {
        let pair = native_pty_system().openpty(size(rows, cols)).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_cachier"));
        command.arg("top");
        command.args(arguments);
        command.env_remove("NO_COLOR");
        command.env("TERM", "xterm-256color");
        for (name, value) in variables {
            command.env(name, value);
        }
        let modes_before = modes(&*pair.master);
        let child = pair.slave.spawn_command(command).unwrap();
        let shown = Shown {
            parser: Parser::new(at_least_one(rows), at_least_one(cols), 0),
            raw: Vec::new(),
        };
        let shown = Arc::new(Mutex::new(shown));
        read(pair.master.try_clone_reader().unwrap(), Arc::clone(&shown));
        Self {
            keys: pair.master.take_writer().unwrap(),
            master: pair.master,
            _slave: pair.slave,
            shown,
            child,
            modes_before,
        }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    pub(crate) fn resize(&self, rows: u16, cols: u16) {
        self.shown()
            .parser
            .screen_mut()
            .set_size(at_least_one(rows), at_least_one(cols));
        self.master.resize(size(rows, cols)).unwrap();
    }

    /// Waits until the screen is as it should be.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Screen) -> bool) {
        let started = Instant::now();
        while !holds(self.shown().parser.screen()) {
            assert!(
                started.elapsed() < WAIT_TIMEOUT,
                "in vain: {what}\n{}",
                self.text()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the screen has these words.
    #[track_caller]
    pub(crate) fn until_shown(&self, words: &str) {
        self.until(words, |screen| screen.contents().contains(words));
    }

    #[track_caller]
    pub(crate) fn until_gone(&self, words: &str) {
        self.until(&format!("no {words}"), |screen| {
            !screen.contents().contains(words)
        });
    }

    pub(crate) fn text(&self) -> String {
        self.shown().parser.screen().contents()
    }

    pub(crate) fn raw(&self) -> String {
        String::from_utf8_lossy(&self.shown().raw).into_owned()
    }

    pub(crate) fn draw<R>(&self, draw: impl FnOnce(&Screen) -> R) -> R {
        draw(self.shown().parser.screen())
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Waits until the program has ended, and asserts that the terminal is as it was before.
    #[track_caller]
    pub(crate) fn until_ended(mut self) -> ExitStatus {
        let started = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(
                    started.elapsed() < WAIT_TIMEOUT,
                    "it does not end\n{}",
                    self.text()
                ),
            }
            thread::sleep(Duration::from_millis(5));
        };
        self.until("the screen of before", |screen| {
            !screen.alternate_screen() && !screen.hide_cursor()
        });
        assert_eq!(modes(&*self.master), self.modes_before);
        status
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In a thread that ends with the terminal.
fn read(mut output: Box<dyn Read + Send>, shown: Arc<Mutex<Shown>>) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length) = output.read(&mut buffer) {
            if length == 0 {
                return;
            }
            let mut shown = shown.lock().unwrap();
            shown.parser.process(&buffer[..length]);
            shown.raw.extend_from_slice(&buffer[..length]);
        }
    });
}
