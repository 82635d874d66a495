//! Several processes with one cache, and one view of what all of them did.
//!
//! ```sh
//! cargo run -p cachier-examples --bin cluster
//! ```
//!
//! The processes share files here. With `publish_metrics("redis", …)` they may be on many machines, and nothing else changes.
#![expect(clippy::print_stdout, reason = "a program that tells what it does")]

use std::env;
use std::error::Error;
use std::io::{BufRead as _, BufReader, stdin};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cachier::{cachier, cluster_stats, flush, publish_metrics};

const INTERVAL: Duration = Duration::from_millis(500);

/// How many steps of `n → n/2` or `3n+1` lead to 1.
#[cachier(backend = "file", enable_metrics)]
fn steps(start: u64) -> u64 {
    let mut numbers = std::iter::successors(Some(start), |n| {
        Some(if n % 2 == 0 { n / 2 } else { 3 * n + 1 })
    });
    numbers.position(|n| n == 1).map_or(0, |steps| steps as u64)
}

fn main() -> Result<(), Box<dyn Error>> {
    publish_metrics("file", INTERVAL)?;
    match env::args().nth(1) {
        Some(worker) => work(worker.parse()?),
        None => watch(),
    }
}

/// One of the processes: half of what it asks for, its neighbour asks for, too.
fn work(worker: u64) -> Result<(), Box<dyn Error>> {
    let first = 1 + worker * 100;
    let longest = (first..first + 200).max_by_key(|start| steps(*start));
    flush(); // publishes once more
    println!("process {worker}: the longest way begins at {longest:?}");
    // Lives until the one who watches is done.
    stdin().read_line(&mut String::new())?;
    Ok(())
}

/// The one who watches them all.
fn watch() -> Result<(), Box<dyn Error>> {
    let mut workers = (0..4).map(start).collect::<Result<Vec<_>, _>>()?;
    for worker in &mut workers {
        let told = worker.stdout.take().ok_or("it is piped")?;
        let mut line = String::new();
        BufReader::new(told).read_line(&mut line)?;
        print!("{line}");
    }
    // This process is an instance, too, and may have looked a moment ago.
    let cluster = loop {
        let cluster = cluster_stats()?;
        if cluster.total().calls >= 800 {
            break cluster;
        }
        std::thread::sleep(INTERVAL / 5);
    };
    println!("\n{cluster}");
    for instance in &cluster.instances {
        println!(
            "instance {} is alive: {}",
            &instance.id[..8],
            instance.is_live
        );
    }
    for worker in &mut workers {
        drop(worker.stdin.take());
        worker.wait()?;
    }
    Ok(())
}

fn start(worker: u64) -> std::io::Result<Child> {
    let mut command = Command::new(env::current_exe()?);
    command.arg(worker.to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
}
