//! Redis, and the near tier in front of it.

use std::hint::black_box;

use cachier::{RedisBackend, cachier};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use tokio::runtime::{Builder, Runtime};

use crate::compare::{Compared, Effort, Row, compare, keys, one_task, one_thread, runtime};
use crate::value::{Report, cached, stored};

cached!("redis", of_task, of_thread);

pub(crate) fn rows(effort: Effort) -> Vec<Row> {
    let Some(server) = cachier_servers::redis::start() else {
        return Vec::new();
    };
    let backend = RedisBackend::from_url(server.url()).expect("the address is a URL");
    cachier::register_backend("redis", backend).expect("it is registered");
    vec![
        Row {
            what: "redis, async, one caller : bare client, GET and decode",
            at_most: 1.2,
            compared: by_task(server.url(), effort),
        },
        Row {
            what: "redis, sync : bare sync client, GET and decode",
            at_most: 1.2,
            compared: by_thread(server.url(), effort),
        },
        Row {
            what: "redis, 64 concurrent tasks : bare multiplexed client",
            at_most: 1.2,
            compared: by_many_tasks(server.url(), effort, effort.affinity.timed(two_threads)),
        },
        Row {
            what: "the same, callers also where the server is",
            at_most: 1.2,
            compared: by_many_tasks(server.url(), effort, effort.affinity.anywhere(two_threads)),
        },
        Row {
            what: "near tier over redis : memory",
            at_most: 1.1,
            compared: near(effort),
        },
    ]
}

async fn connected(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).expect("the address is a URL");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("the server is there");
    for (id, bytes) in stored() {
        let _: () = connection.set(id, bytes).await.expect("it is stored");
    }
    connection
}

fn by_task(url: &str, effort: Effort) -> Compared {
    let runtime = runtime();
    let mut connection = runtime.block_on(connected(url));
    one_task(&runtime, effort, of_task, async |id| {
        connection.get(id).await.expect("it is there")
    })
}

fn by_thread(url: &str, effort: Effort) -> Compared {
    let client = redis::Client::open(url).expect("the address is a URL");
    let mut connection = client.get_connection().expect("the server is there");
    one_thread(effort, of_thread, |id| {
        let get = redis::cmd("GET").arg(id).query(&mut connection);
        get.expect("it is there")
    })
}

/// A runtime with two caller threads.
fn two_threads() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build();
    runtime.expect("a runtime can be had")
}

fn by_many_tasks(url: &str, effort: Effort, runtime: Runtime) -> Compared {
    const TASKS: usize = 64;
    let connection = runtime.block_on(connected(url));
    let all = |tasks: Vec<tokio::task::JoinHandle<()>>| {
        runtime.block_on(async {
            for task in tasks {
                task.await.expect("it ends");
            }
        });
    };
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
            all((0..TASKS).map(task).collect());
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
            all((0..TASKS).map(task).collect());
        },
    )
}

fn near(effort: Effort) -> Compared {
    #[cachier(
        backend = registered("redis"),
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
