//! A thread for each source, which reads it again and again.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;

use crate::detail::Detail;
use crate::figures::Figures;
use crate::source::{Source, Window};

/// What to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) window: Window,
    /// The function whose details are shown, and the number of its source, if it is of one alone.
    pub(crate) function: Option<(String, Option<usize>)>,
}

/// What a source has answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) source: usize,
    pub(crate) wanted: Wanted,
    pub(crate) figures: Result<Figures, String>,
    /// The details of the wanted function, if this source has been asked for them.
    pub(crate) detail: Option<Result<Detail, String>>,
}

/// The threads, which end when this is dropped.
pub(crate) struct Pollers(Vec<Sender<Wanted>>);

impl Pollers {
    /// Calls `tell` with each answer, until it returns false.
    pub(crate) fn start(
        sources: Vec<Box<dyn Source>>,
        wanted: &Wanted,
        tell: impl Fn(Answer) -> bool + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let tell = Arc::new(tell);
        let start = |(number, source): (usize, Box<dyn Source>)| {
            let (sender, receiver) = channel();
            let (tell, wanted) = (Arc::clone(&tell), wanted.clone());
            let thread = thread::Builder::new().name(format!("poll {number}"));
            thread.spawn(move || poll(number, &*source, wanted, &receiver, &*tell))?;
            Ok(sender)
        };
        let started = sources.into_iter().enumerate().map(start);
        Ok(Self(started.collect::<io::Result<_>>()?))
    }

    /// Changes what is read, and reads it at once.
    pub(crate) fn ask(&self, wanted: &Wanted) {
        for sender in &self.0 {
            // A poller whose thread has ended needs no message.
            let _ = sender.send(wanted.clone());
        }
    }
}

fn poll(
    number: usize,
    source: &dyn Source,
    mut wanted: Wanted,
    changes: &Receiver<Wanted>,
    tell: &(impl Fn(Answer) -> bool + ?Sized),
) {
    loop {
        let figures = source.figures(wanted.window);
        let detail = match &wanted.function {
            Some((function, of)) if figures.is_ok() && of.is_none_or(|of| of == number) => {
                Some(source.detail(function, wanted.window))
            }
            _ => None,
        };
        let answer = Answer {
            source: number,
            wanted: wanted.clone(),
            figures,
            detail,
        };
        if !tell(answer) {
            return;
        }
        match changes.recv_timeout(source.interval()) {
            Ok(change) => wanted = changes.try_iter().last().unwrap_or(change),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
