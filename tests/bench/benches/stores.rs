//! A hit on a server, beside the bare client that reads the same bytes over a connection of the same kind, and decodes them.
#![allow(missing_docs)]

use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use cachier::{RedisBackend, cachier};
use cachier_bench::case::Mode;
use cachier_bench::machine;
use cachier_bench::report::{Verdict, publish, verdicts};
use redis::AsyncCommands;
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

fn main() {
    let mode = Mode::chosen();
    let Some(server) = cachier_servers::redis::start() else {
        return;
    };
    let backend = RedisBackend::from_url(server.url()).expect("the address is a URL");
    cachier::register_backend("redis", backend).expect("it is registered");
    let effort = match mode {
        Mode::Full => Effort {
            rounds: 41,
            calls: 2_000,
        },
        Mode::Quick => Effort {
            rounds: 5,
            calls: 200,
        },
    };
    let rows = [
        (
            "redis, async, one caller : bare client, GET and decode",
            1.2,
            one_task(server.url(), effort),
        ),
        (
            "redis, sync : bare sync client, GET and decode",
            1.2,
            one_thread(server.url(), effort),
        ),
        (
            "redis, 64 concurrent tasks : bare multiplexed client",
            1.2,
            many_tasks(server.url(), effort),
        ),
        ("near tier over redis : memory", 1.1, near(effort)),
    ];
    publish("stores", &report(&rows), mode);
}

#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    calls: usize,
}

/// Nanoseconds for a call of ours and of theirs, and the middle one of the ratios.
struct Compared {
    ours: f64,
    theirs: f64,
    ratio: f64,
}

type Row = (&'static str, f64, Compared);

fn report(rows: &[Row]) -> String {
    let mut text = format!(
        "# What a hit on a server costs\n\nWritten by `cargo bench -p cachier-bench --features stores --bench stores` on {}. \
         Ours and the bare client take turns in one process, on a private server on the loopback interface. Values of \
         some 250 bytes; metrics on at rate 0.1.\n\n",
        machine::describe()
    );
    let verdict = |(what, at_most, compared): &Row| Verdict {
        what: (*what).to_owned(),
        at_most: *at_most,
        measured: compared.ratio,
    };
    text.push_str(&verdicts(&rows.iter().map(verdict).collect::<Vec<_>>()));
    text.push_str("\n| | ours, µs | bare, µs |\n|---|--:|--:|\n");
    for (what, _, Compared { ours, theirs, .. }) in rows {
        let _ = writeln!(text, "| {what} | {:.2} | {:.2} |", ours / 1e3, theirs / 1e3);
    }
    text
}

/// Times both in turns; each is told how many calls to make.
fn compare(effort: Effort, mut ours: impl FnMut(usize), mut theirs: impl FnMut(usize)) -> Compared {
    let mut timings = Vec::new();
    ours(effort.calls);
    theirs(effort.calls);
    for round in 0..effort.rounds {
        let (a, b) = if round % 2 == 0 {
            (
                time(&mut ours, effort.calls),
                time(&mut theirs, effort.calls),
            )
        } else {
            let b = time(&mut theirs, effort.calls);
            (time(&mut ours, effort.calls), b)
        };
        timings.push((a, b, a / b));
    }
    let middle = |part: fn(&(f64, f64, f64)) -> f64| {
        let mut parts: Vec<f64> = timings.iter().map(part).collect();
        parts.sort_by(f64::total_cmp);
        parts[parts.len() / 2]
    };
    Compared {
        ours: middle(|timing| timing.0),
        theirs: middle(|timing| timing.1),
        ratio: middle(|timing| timing.2),
    }
}

fn time(run: &mut impl FnMut(usize), calls: usize) -> f64 {
    let started = Instant::now();
    run(calls);
    started.elapsed().as_nanos() as f64 / calls as f64
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Report {
    id: u64,
    title: String,
    words: Vec<u32>,
}

impl Report {
    fn new(id: u64) -> Self {
        Self {
            id,
            title: format!(
                "Report {id} on the state of the shores of the northern lakes in autumn"
            ),
            words: (0..40).map(|word| word * 977 % 65_000).collect(),
        }
    }

    fn encoded(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(self, &mut bytes).expect("it is serialized");
        bytes
    }

    fn decoded(bytes: &[u8]) -> Self {
        ciborium::from_reader(bytes).expect("it is what was stored")
    }
}

const KEYS: u64 = 100;

#[cachier(backend = "redis", enable_metrics, sampling_rate = 0.1)]
async fn of_task(id: u64) -> Report {
    Report::new(id)
}

#[cachier(backend = "redis", enable_metrics, sampling_rate = 0.1)]
fn of_thread(id: u64) -> Report {
    Report::new(id)
}

fn keys(calls: usize) -> impl Iterator<Item = u64> {
    (0..calls as u64).map(|call| call % KEYS)
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be had")
}

async fn connected(url: &str) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(url).expect("the address is a URL");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("the server is there");
    for id in 0..KEYS {
        let _: () = connection
            .set(id, Report::new(id).encoded())
            .await
            .expect("it is stored");
    }
    connection
}

fn one_task(url: &str, effort: Effort) -> Compared {
    let runtime = runtime();
    let mut connection = runtime.block_on(connected(url));
    compare(
        effort,
        |calls| {
            runtime.block_on(async {
                for id in keys(calls) {
                    black_box(of_task(id).await);
                }
            });
        },
        |calls| {
            runtime.block_on(async {
                for id in keys(calls) {
                    let bytes: Vec<u8> = connection.get(id).await.expect("it is there");
                    black_box(Report::decoded(&bytes));
                }
            });
        },
    )
}

fn one_thread(url: &str, effort: Effort) -> Compared {
    let client = redis::Client::open(url).expect("the address is a URL");
    let mut connection = client.get_connection().expect("the server is there");
    compare(
        effort,
        |calls| {
            for id in keys(calls) {
                black_box(of_thread(id));
            }
        },
        |calls| {
            for id in keys(calls) {
                let bytes: Vec<u8> = redis::cmd("GET")
                    .arg(id)
                    .query(&mut connection)
                    .expect("it is there");
                black_box(Report::decoded(&bytes));
            }
        },
    )
}

fn many_tasks(url: &str, effort: Effort) -> Compared {
    const TASKS: usize = 64;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be had");
    let connection = runtime.block_on(connected(url));
    compare(
        effort,
        |calls| {
            let task = |_| {
                runtime.spawn(async move {
                    for id in keys(calls / TASKS) {
                        black_box(of_task(id).await);
                    }
                })
            };
            let tasks: Vec<_> = (0..TASKS).map(task).collect();
            runtime.block_on(async {
                for task in tasks {
                    task.await.expect("it ends");
                }
            });
        },
        |calls| {
            let task = |_| {
                let mut connection = connection.clone();
                runtime.spawn(async move {
                    for id in keys(calls / TASKS) {
                        let bytes: Vec<u8> = connection.get(id).await.expect("it is there");
                        black_box(Report::decoded(&bytes));
                    }
                })
            };
            let tasks: Vec<_> = (0..TASKS).map(task).collect();
            runtime.block_on(async {
                for task in tasks {
                    task.await.expect("it ends");
                }
            });
        },
    )
}

fn near(effort: Effort) -> Compared {
    #[cachier(
        backend = "redis",
        near_cache = 1000,
        near_stale_after = "1d",
        enable_metrics,
        sampling_rate = 0.1
    )]
    fn near(id: u64) -> u64 {
        id * 3
    }

    #[cachier(
        backend = "memory",
        stale_after = "1d",
        enable_metrics,
        sampling_rate = 0.1
    )]
    fn memory(id: u64) -> u64 {
        id * 3
    }

    let effort = Effort {
        calls: effort.calls * 50,
        ..effort
    };
    compare(
        effort,
        |calls| {
            keys(calls).for_each(|id| {
                black_box(near(id));
            })
        },
        |calls| {
            keys(calls).for_each(|id| {
                black_box(memory(id));
            })
        },
    )
}
