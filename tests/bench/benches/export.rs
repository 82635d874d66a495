//! The cost of exporting: 500 functions in use, scraped and flushed, and a hit while its program is scraped. Runs only when asked
//! for with
//! `--features exporters --bench export`.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use cachier::metrics::{Operation, Outcome, Reason};
use cachier::{
    EmfExporter, MetricsExporter, OtlpExporter, PrometheusExporter, StatsdDialect, StatsdExporter,
    cachier,
};
use cachier_bench::machine;
use cachier_metrics::{CacheMetrics, ComputeResult, MetricsOptions, Sampled};
use rustix::time::{ClockId, clock_gettime};

const FUNCTIONS: u64 = 500;
const REPETITIONS: usize = 15;

/// A function that has recorded what one on a server does, in all outcomes, over some magnitudes of time.
fn in_use(number: u64) -> &'static CacheMetrics {
    let name = format!("shop::module_{}::function_{number}", number % 20);
    let metrics = CacheMetrics::create(MetricsOptions::new(name, "redis"));
    for outcome in Outcome::ALL {
        for age in [1_000_000, 1_000_000_000, 1_000_000_000_000] {
            let call = metrics.start_call(Some(Sampled::ONE), None);
            for operation in Operation::ALL {
                drop(call.operation(*operation));
            }
            call.stored(age / 1000);
            call.finish(*outcome, Some(age), Some(age));
        }
    }
    metrics
        .start_compute(Reason::Absent)
        .finish(ComputeResult::Value);
    metrics
}

/// The median of what a piece of work takes.
fn median(work: impl Fn() -> Duration) -> Duration {
    let mut all: Vec<_> = (0..REPETITIONS).map(|_| work()).collect();
    all.sort_unstable();
    all[REPETITIONS / 2]
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

/// Asks the endpoint; how many bytes it answers.
fn get(address: SocketAddr, path: &str, accept: &str) -> usize {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    answer.len()
}

/// A receiver of OTLP that takes everything.
fn collector() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 64 << 10];
            loop {
                let length = client.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..length]);
                let head = request.windows(4).position(|four| four == b"\r\n\r\n");
                let Some(head) = head else { continue };
                let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
                let length = text.split("content-length: ").nth(1).unwrap();
                let length: usize = length.lines().next().unwrap().parse().unwrap();
                if request.len() >= head + 4 + length {
                    break;
                }
            }
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    endpoint
}

/// The time until it is done, other threads included.
fn of_all(work: &dyn Fn()) -> Duration {
    timed(work)
}

/// The time of this thread alone, as others use the machine, too.
fn of_this_thread(work: &dyn Fn()) -> Duration {
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let started = now();
    work();
    now() - started
}

/// The first flush of an exporter, which has everything to send, on its thread.
fn flush<E: MetricsExporter>(
    functions: &[&'static CacheMetrics],
    build: impl Fn() -> E,
    meter: fn(&dyn Fn()) -> Duration,
) -> Duration {
    median(|| {
        let exporter = build();
        exporter
            .register_functions(functions.iter().copied())
            .unwrap();
        meter(&|| exporter.flush().unwrap())
    })
}

#[cachier(backend = "memory", enable_metrics)]
fn double(number: u64) -> u64 {
    2 * number
}

/// Nanoseconds of a hit, alone and while the program is scraped ten times a second, in turns.
fn hit(address: SocketAddr) -> (f64, f64) {
    const HITS: u32 = 200_000;
    let is_scraping = AtomicBool::new(false);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Relaxed) {
                if is_scraping.load(Relaxed) {
                    get(address, "/metrics", "text/plain");
                }
                thread::sleep(Duration::from_millis(100));
            }
        });
        let turn = |scraped: bool| {
            is_scraping.store(scraped, Relaxed);
            let until = Instant::now() + Duration::from_millis(500);
            let mut all = Vec::new();
            while Instant::now() < until {
                let took = timed(|| (0..HITS).for_each(|_| _ = black_box(double(black_box(7)))));
                all.push(took.as_nanos() as f64 / f64::from(HITS));
            }
            all
        };
        let (mut alone, mut scraped) = (Vec::new(), Vec::new());
        for _ in 0..10 {
            alone.extend(turn(false));
            scraped.extend(turn(true));
        }
        is_over.store(true, Relaxed);
        let median = |mut all: Vec<f64>| {
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        (median(alone), median(scraped))
    })
}

/// The share of a core that the page costs, by the requests that it makes in a minute: the list each two seconds, and a plot
/// for each of thirty lines each ten.
fn page(address: SocketAddr) -> f64 {
    let of_thread = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap();
    let cost = |path: &str| {
        median(|| {
            let before = of_thread();
            get(address, path, "application/json");
            of_thread() - before
        })
    };
    let list = cost("/stats.json?window=minute").as_secs_f64();
    let plot = cost("/stats.json?function=shop::module_7::function_7&series=minute").as_secs_f64();
    list / 2.0 + plot * 3.0
}

/// A row of the report: what, how much, and the limit.
type Row = (&'static str, String, &'static str);

fn millis(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}

fn scrapes(address: SocketAddr) -> [Row; 3] {
    let scrape = |accept| millis(median(|| timed(|| _ = get(address, "/metrics", accept))));
    [
        (
            "scrape, OpenMetrics",
            scrape("application/openmetrics-text"),
            "50 ms",
        ),
        ("scrape, classic text", scrape("text/plain"), "50 ms"),
        (
            "scrape, protobuf with native histograms",
            scrape(
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
            ),
            "30 ms",
        ),
    ]
}

fn flushes(functions: &[&'static CacheMetrics]) -> [Row; 3] {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    let daemon = daemon.local_addr().unwrap().to_string();
    let (folder, endpoint) = (tempfile::tempdir().unwrap(), collector());
    let otlp = || {
        let builder = OtlpExporter::builder().endpoint(endpoint.clone());
        builder.max_series(usize::MAX).build().unwrap()
    };
    let dog_statsd = || {
        let builder = StatsdExporter::builder().address(daemon.clone());
        let builder = builder.dialect(StatsdDialect::DogStatsd);
        builder.max_series(usize::MAX).build().unwrap()
    };
    let emf = || {
        let builder = EmfExporter::builder().file(folder.path().join("emf.log"));
        builder.max_series(usize::MAX).build().unwrap()
    };
    [
        // With its sending, which is on another thread.
        (
            "flush to OTLP",
            millis(flush(functions, otlp, of_all)),
            "100 ms",
        ),
        (
            "flush to DogStatsD",
            millis(flush(functions, dog_statsd, of_this_thread)),
            "100 ms",
        ),
        (
            "flush in EMF",
            millis(flush(functions, emf, of_this_thread)),
            "100 ms",
        ),
    ]
}

fn main() {
    let functions: Vec<_> = (0..FUNCTIONS).map(in_use).collect();
    let builder = PrometheusExporter::builder().port(0).max_series(usize::MAX);
    let exporter = builder.build().unwrap();
    exporter
        .register_functions(functions.iter().copied())
        .unwrap();
    exporter.register_function(double::metrics()).unwrap();
    exporter.start().unwrap();
    let address = exporter.local_addr().unwrap();
    double(7);
    let (alone, scraped) = hit(address);
    let mut rows = vec![(
        "hit while scraped ten times a second : without",
        format!("{:.3} ({alone:.1} ns)", scraped / alone),
        "1.05",
    )];
    rows.extend(scrapes(address));
    rows.extend(flushes(&functions));
    let page = format!("{:.2} % of a core", 100.0 * page(address));
    rows.push(("the live page, open", page, "1 %"));
    let load = machine::load().map_or(String::new(), |load| format!(", load {load:.1}"));
    let mut text = format!(
        "# Exporting {FUNCTIONS} functions in use\n\n{}{load}\n\n| | measured | at most |\n|---|--:|--:|\n",
        machine::describe()
    );
    for (what, measured, at_most) in rows {
        let _ = writeln!(text, "| {what} | {measured} | {at_most} |");
    }
    println!("{text}");
    if std::env::var_os("CACHIER_BENCH_KEEP").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/results/export.md");
        std::fs::write(path, text).unwrap();
    }
}
