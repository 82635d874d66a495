//! How soon a waiter in another process gets a result.

use std::io::{BufRead, BufReader, Write, stdin};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cachier::{RedisBackend, SqlBackend, cachier};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use crate::compare::Effort;

/// The argument that makes a process a waiter.
pub(crate) const ROLE: &str = "--wait-on";

/// The waiting times with one store, sorted.
pub(crate) struct Waits {
    pub(crate) store: &'static str,
    sorted: Vec<Duration>,
}

impl Waits {
    pub(crate) fn count(&self) -> usize {
        self.sorted.len()
    }

    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let rank = (share * self.sorted.len() as f64).ceil() as usize;
        self.sorted[rank.clamp(1, self.sorted.len()) - 1]
    }
}

static BEGUN: Notify = Notify::const_new();
/// When the last computation of this process ended, in nanoseconds since 1970.
static ENDED: AtomicU64 = AtomicU64::new(0);

/// Takes a while, and returns the process that computed.
#[cachier(backend = registered("waiting"))]
async fn computed(_id: u64) -> u64 {
    BEGUN.notify_one();
    tokio::time::sleep(Duration::from_millis(10)).await;
    ENDED.store(now(), Ordering::Relaxed);
    u64::from(std::process::id())
}

/// Lets another process wait for computations of this one, repeatedly.
pub(crate) fn rows(is_wanted: impl Fn(&str) -> bool, effort: Effort) -> Vec<Waits> {
    let mut all = Vec::new();
    if is_wanted("redis")
        && let Some(server) = cachier_servers::redis::start()
    {
        all.push(waits("redis", server.url(), effort));
    }
    if is_wanted("postgres")
        && let Some(server) = cachier_servers::postgres::start()
    {
        all.push(waits("postgres", server.url(), effort));
    }
    all
}

fn waits(store: &'static str, url: &str, effort: Effort) -> Waits {
    register(url);
    let runtime = runtime();
    let mut waiter = Waiter::start(url);
    // Existing stores may hold the values of an earlier run.
    let first = now();
    let count = effort.calls as u64 / 4;
    let mut sorted: Vec<_> = (0..count)
        .map(|number| wait(&runtime, &mut waiter, first + number))
        // The first ones connect.
        .skip(5)
        .collect();
    sorted.sort();
    Waits { store, sorted }
}

/// Computes once; returns the time from its end until the waiter has the result.
fn wait(runtime: &Runtime, waiter: &mut Waiter, id: u64) -> Duration {
    let call = runtime.spawn(computed(id));
    runtime.block_on(BEGUN.notified());
    let learned = waiter.call(id);
    let computed = runtime.block_on(call).expect("it ends");
    assert_eq!(computed, u64::from(std::process::id()));
    Duration::from_nanos(learned.saturating_sub(ENDED.load(Ordering::Relaxed)))
}

/// A process that calls the function on request.
struct Waiter {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Waiter {
    fn start(url: &str) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        command.args([ROLE, url]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the waiter starts");
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, answers }
    }

    /// When the waiter's call returned.
    fn call(&mut self, id: u64) -> u64 {
        let questions = self.child.stdin.as_mut().expect("it is piped");
        writeln!(questions, "{id}").expect("the waiter listens");
        let mut answer = String::new();
        let read = self.answers.read_line(&mut answer);
        read.expect("the waiter answers");
        let (moment, by) = answer.trim().split_once(' ').expect("two numbers");
        let by: u32 = by.parse().expect("a number");
        assert_eq!(by, std::process::id(), "the waiter computed by itself");
        moment.parse().expect("a number")
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        // It ends when its input ends.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The waiter: calls the function, and tells when the call returned and who computed.
#[expect(clippy::print_stdout, reason = "the answer")]
pub(crate) fn answer(url: &str) {
    register(url);
    let runtime = runtime();
    for question in stdin().lines() {
        let question = question.expect("a line");
        let id = question.parse().expect("a number");
        let by = runtime.block_on(computed(id));
        println!("{} {by}", now());
    }
}

fn register(url: &str) {
    if url.starts_with("redis") {
        let backend = RedisBackend::from_url(url).expect("the address is a URL");
        cachier::register_backend("waiting", backend).expect("it is registered");
    } else {
        let backend = SqlBackend::from_url(url).expect("the address is a URL");
        cachier::register_backend("waiting", backend).expect("it is registered");
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime can be had")
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = since.expect("it is after 1970").as_nanos();
    u64::try_from(nanos).expect("it is before 2554")
}
