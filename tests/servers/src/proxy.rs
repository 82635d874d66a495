//! A loopback proxy that simulates network faults.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Forwards between clients and a server, slowly and unreliably on demand.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    delay_millis: AtomicU64,
    is_hung: AtomicBool,
    refuses: AtomicBool,
    is_mute: AtomicBool,
    /// Breaks a connection with one piece in this many; 0 is never.
    break_one_in: AtomicU64,
    pieces: AtomicU64,
    broken: AtomicU64,
    round_trips: AtomicU64,
    own_answer: Mutex<Option<OwnAnswer>>,
    /// The words of the request to hang in; empty for none.
    hangs_within: Mutex<Vec<String>>,
    is_closed: AtomicBool,
    /// How many connections were made, and how many of the first ones are lost, or held up.
    made: AtomicU64,
    lost: AtomicU64,
    held_up: AtomicU64,
    /// The word of the requests to hold up, and whether there is one.
    held_word: Mutex<Option<String>>,
    holds_request: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

/// The proxy's own answer to a request that contains these words.
#[derive(Debug)]
struct OwnAnswer {
    to: Vec<String>,
    answer: String,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaker {
    Client,
    Server,
}

impl Proxy {
    /// A proxy for the local server at this port.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let state = Arc::<State>::default();
        let of_listener = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if of_listener.is_closed.load(Ordering::Relaxed) {
                    return;
                }
                if of_listener.refuses.load(Ordering::Relaxed) {
                    continue;
                }
                // Without a server, the client's connection is closed, too.
                let _ = of_listener.connect(client, server);
            }
        });
        Self { port, state }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Delays every piece, in either direction.
    pub fn delay(&self, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.state.delay_millis.store(millis, Ordering::Relaxed);
    }

    /// Stalls all traffic while set, like a stopped server.
    pub fn hang(&self, hang: bool) {
        self.state.is_hung.store(hang, Ordering::Relaxed);
    }

    /// Drops the server's answers while set.
    pub fn mute(&self, mute: bool) {
        self.state.is_mute.store(mute, Ordering::Relaxed);
    }

    /// Loses all existing connections silently: they stay open, but nothing comes through. New ones work.
    pub fn lose_all(&self) {
        let made = self.state.made.load(Ordering::SeqCst);
        self.state.lost.store(made, Ordering::SeqCst);
    }

    /// Holds up what comes through all existing connections, until [`deliver`](Self::deliver) is called. New ones work.
    pub fn hold_all(&self) {
        let made = self.state.made.load(Ordering::SeqCst);
        self.state.held_up.store(made, Ordering::SeqCst);
    }

    /// Holds up requests that contain this word, and what follows on their connections, until [`deliver`](Self::deliver) is
    /// called. Others come through.
    pub fn hold_requests(&self, word: &str) {
        self.state.holds_request.store(false, Ordering::SeqCst);
        *self.state.held_word() = Some(word.to_owned());
    }

    /// Whether it holds up such a request.
    #[must_use]
    pub fn holds_request(&self) -> bool {
        self.state.holds_request.load(Ordering::SeqCst)
    }

    /// Delivers what was held up, even if its sender has closed the connection.
    pub fn deliver(&self) {
        *self.state.held_word() = None;
        self.state.held_up.store(0, Ordering::SeqCst);
    }

    /// Hangs in the next request that contains all of these words: the server gets half of it, and then nothing comes
    /// through until [`hang`](Self::hang) is called. No words cancel it.
    pub fn hang_within_request(&self, words: &[&str]) {
        *self.state.hangs_within() = words.iter().map(|word| (*word).to_owned()).collect();
    }

    /// Answers the next request that contains all of these words itself, and closes the connection; the server never
    /// sees it.
    pub fn answer_once(&self, to: &[&str], answer: &str) {
        *self.state.own_answer() = Some(OwnAnswer {
            to: to.iter().map(|word| (*word).to_owned()).collect(),
            answer: answer.to_owned(),
        });
    }

    /// Whether it has given that answer.
    #[must_use]
    pub fn has_answered(&self) -> bool {
        self.state.own_answer().is_none()
    }

    /// Breaks all connections and refuses new ones while set, like a server that is gone.
    pub fn refuse(&self, refuse: bool) {
        self.state.refuses.store(refuse, Ordering::Relaxed);
        if refuse {
            self.break_all();
        }
    }

    /// Breaks a connection with one piece in this many, pseudo-randomly but reproducibly; 0 is never.
    pub fn break_one_in(&self, pieces: u64) {
        self.state.break_one_in.store(pieces, Ordering::Relaxed);
    }

    /// How many connections it has broken so.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.state.broken.load(Ordering::Relaxed)
    }

    /// How often a client spoke after the server: the requests of a client that waits for each answer.
    #[must_use]
    pub fn round_trips(&self) -> u64 {
        self.state.round_trips.load(Ordering::SeqCst)
    }

    /// Breaks all existing connections.
    pub fn break_all(&self) {
        let mut connections = self
            .state
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for connection in connections.drain(..) {
            // It may be broken already.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.is_closed.store(true, Ordering::Relaxed);
        self.break_all();
        // Wakes the listener, which then stops.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl State {
    fn connect(self: &Arc<Self>, client: TcpStream, server: u16) -> io::Result<()> {
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let mut connections = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        connections.extend([client.try_clone()?, server.try_clone()?]);
        drop(connections);
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        let last = Arc::new(Mutex::new(Speaker::Server));
        let upwards = (client.try_clone()?, server.try_clone()?, Speaker::Client);
        for (from, to, speaker) in [upwards, (server, client, Speaker::Server)] {
            let (state, last) = (Arc::clone(self), Arc::clone(&last));
            thread::spawn(move || {
                let was_held_up = Cell::new(false);
                let passes = |piece: &[u8]| {
                    if number < state.lost.load(Ordering::SeqCst) {
                        return false;
                    }
                    if state.hold_up(number, piece) {
                        was_held_up.set(true);
                    }
                    state.note(&last, speaker);
                    match speaker {
                        Speaker::Client => !state.answers(piece, &from),
                        Speaker::Server => !state.is_mute.load(Ordering::Relaxed),
                    }
                };
                let _ = state.pass_on(speaker, &from, &to, passes);
                // What was late is carried out: servers drop what they are doing for a client who has gone.
                if !was_held_up.get() {
                    let _ = to.shutdown(Shutdown::Both);
                }
                let _ = from.shutdown(Shutdown::Both);
            });
        }
        Ok(())
    }

    /// Holds up a piece that comes through the connection of this number, as long as that or its request is held up; whether it
    /// was.
    fn hold_up(&self, number: u64, piece: &[u8]) -> bool {
        let held_word = self.held_word().clone();
        let has_word = held_word.is_some_and(|word| String::from_utf8_lossy(piece).contains(&word));
        if has_word {
            self.holds_request.store(true, Ordering::SeqCst);
        }
        let is_held_up = || {
            let is_old = number < self.held_up.load(Ordering::SeqCst);
            is_old || (has_word && self.held_word().is_some())
        };
        let was_held_up = is_held_up();
        while is_held_up() {
            thread::sleep(Duration::from_millis(5));
        }
        was_held_up
    }

    fn held_word(&self) -> MutexGuard<'_, Option<String>> {
        self.held_word
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Records who speaks now, and who spoke last.
    fn note(&self, last: &Mutex<Speaker>, speaker: Speaker) {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *last, speaker);
        if (before, speaker) == (Speaker::Server, Speaker::Client) {
            self.round_trips.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Whether it answers this piece of a request itself. The rest of the request is then read and dropped.
    fn answers(&self, piece: &[u8], mut client: &TcpStream) -> bool {
        let request = String::from_utf8_lossy(piece);
        let answers_it = |own: &mut OwnAnswer| own.to.iter().all(|word| request.contains(word));
        let Some(own) = self.own_answer().take_if(answers_it) else {
            return false;
        };
        let answered = client.write_all(own.answer.as_bytes());
        let _ = answered.and_then(|()| io::copy(&mut client, &mut io::sink()));
        true
    }

    /// Whether it hangs in this piece, from now on.
    fn hangs_now(&self, speaker: Speaker, piece: &[u8]) -> bool {
        let mut words = self.hangs_within();
        if speaker == Speaker::Server || words.is_empty() {
            return false;
        }
        let request = String::from_utf8_lossy(piece);
        if !words.iter().all(|word| request.contains(word)) {
            return false;
        }
        words.clear();
        self.is_hung.store(true, Ordering::Relaxed);
        true
    }

    fn hangs_within(&self) -> MutexGuard<'_, Vec<String>> {
        self.hangs_within
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn own_answer(&self) -> MutexGuard<'_, Option<OwnAnswer>> {
        self.own_answer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether to break the connection at this piece.
    fn is_to_break(&self) -> bool {
        let one_in = self.break_one_in.load(Ordering::Relaxed);
        if one_in == 0 {
            return false;
        }
        let piece = self.pieces.fetch_add(1, Ordering::Relaxed);
        // The upper bits of a multiple of the golden ratio are evenly spread, without a period that a client could
        // match.
        let spread = piece.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (spread ^ (spread >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32;
        mixed.is_multiple_of(one_in)
    }

    fn pass_on(
        &self,
        speaker: Speaker,
        mut from: &TcpStream,
        mut to: &TcpStream,
        passes: impl Fn(&[u8]) -> bool,
    ) -> io::Result<()> {
        let mut piece = vec![0; 64 * 1024];
        loop {
            let length = from.read(&mut piece)?;
            if length == 0 {
                return Ok(());
            }
            if !passes(&piece[..length]) {
                continue;
            }
            let delay = self.delay_millis.load(Ordering::Relaxed) / 2;
            if delay > 0 {
                thread::sleep(Duration::from_millis(delay));
            }
            let mut rest = &piece[..length];
            if self.hangs_now(speaker, rest) {
                let (half, other) = rest.split_at(length / 2);
                to.write_all(half)?;
                rest = other;
            }
            while self.is_hung.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(5));
            }
            if self.is_to_break() {
                self.broken.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            to.write_all(rest)?;
        }
    }
}
