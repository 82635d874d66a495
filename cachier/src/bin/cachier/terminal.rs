//! The terminal: keys, signals and answers go in, the screen comes out.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use crate::arguments::Show;
use crate::poll::{Answer, Pollers};
use crate::screen::Theme;
use crate::source::Source;
use crate::state::{Flow, State};
use crate::view::draw;

/// How often the screen is drawn when nothing happens: ages grow.
const REDRAW_INTERVAL: Duration = Duration::from_secs(1);

enum Happened {
    Input(Event),
    Answer(Box<Answer>),
    /// The process must end, or the terminal is gone.
    End,
}

/// Shows the figures until the user quits. Restores the terminal at the end, even after a panic or a signal.
pub(crate) fn run(sources: Vec<Box<dyn Source>>, wanted: &Show) -> io::Result<()> {
    let names = sources.iter().map(|source| source.name().to_owned());
    let mut state = State::new(wanted.options.clone(), names);
    let (sender, receiver) = channel();
    end_by_signals(sender.clone())?;
    let answers = sender.clone();
    let tell = move |answer| answers.send(Happened::Answer(Box::new(answer))).is_ok();
    let mut terminal = ratatui::try_init()?;
    let shown = Pollers::start(sources, &state.wanted(), tell).and_then(|pollers| {
        read_input(sender)?;
        show(&mut terminal, &mut state, &pollers, || {
            receiver.recv_timeout(REDRAW_INTERVAL)
        })
    });
    let restored = ratatui::try_restore();
    shown.and(restored)
}

fn show(
    terminal: &mut DefaultTerminal,
    state: &mut State,
    pollers: &Pollers,
    next: impl Fn() -> Result<Happened, RecvTimeoutError>,
) -> io::Result<()> {
    let (started, theme) = (Instant::now(), theme());
    loop {
        state.now = started.elapsed();
        terminal.draw(|frame| draw(frame, state, theme))?;
        match next() {
            Ok(Happened::Input(Event::Key(key))) if key.kind != KeyEventKind::Release => {
                match state.pressed(key) {
                    Flow::Stay => {}
                    Flow::Ask => pollers.ask(&state.wanted()),
                    Flow::Quit => return Ok(()),
                }
            }
            Ok(Happened::Answer(answer)) => {
                state.now = started.elapsed();
                state.answered(*answer);
            }
            // The size of the terminal is asked for whenever it is drawn.
            Ok(Happened::Input(_)) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Happened::End) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

fn theme() -> Theme {
    let without = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match without {
        true => Theme::Plain,
        false => Theme::Colours,
    }
}

/// In a thread that ends with the process.
fn read_input(sender: Sender<Happened>) -> io::Result<()> {
    let read = move || {
        loop {
            let happened = event::read().map_or(Happened::End, Happened::Input);
            let is_end = matches!(happened, Happened::End);
            if sender.send(happened).is_err() || is_end {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("input".to_owned())
        .spawn(read)
        .map(drop)
}

#[cfg(unix)]
fn end_by_signals(sender: Sender<Happened>) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let wait = move || {
        for _ in signals.forever() {
            if sender.send(Happened::End).is_err() {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(wait)
        .map(drop)
}

#[cfg(not(unix))]
fn end_by_signals(_: Sender<Happened>) -> io::Result<()> {
    Ok(())
}
