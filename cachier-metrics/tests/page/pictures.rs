//! Pictures of the page, for the documentation: of a program whose figures are the same each time.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use cachier_metrics::*;
use cachier_servers::free_port;

use crate::browser::{Device, Page, with_page};

/// Set to the folder that the pictures are written to.
const PICTURES_VARIABLE: &str = "CACHIER_WRITE_PICTURES";
/// Of a file: the documentation has all of it in its text.
const MAX_BYTES: usize = 200 << 10;

/// A function: how often it is called, how often that computes, and how long each takes.
struct Traffic {
    name: &'static str,
    backend: &'static str,
    calls_per_second: u64,
    /// One in this many calls computes.
    miss_each: u64,
    hit: Duration,
    compute: Duration,
    entries: u64,
}

const fn traffic(
    (name, backend): (&'static str, &'static str),
    (calls_per_second, miss_each): (u64, u64),
    (hit_micros, compute_millis): (u64, u64),
    entries: u64,
) -> Traffic {
    Traffic {
        name,
        backend,
        calls_per_second,
        miss_each,
        hit: Duration::from_micros(hit_micros),
        compute: Duration::from_millis(compute_millis),
        entries,
    }
}

const PROGRAM: [Traffic; 8] = [
    traffic(("shop::price", "redis"), (90, 40), (240, 30), 12_400),
    traffic(("shop::stock", "redis"), (60, 3), (260, 12), 8_100),
    traffic(("shop::recommended", "redis"), (24, 12), (310, 180), 3_900),
    traffic(("search::suggestions", "memory"), (140, 25), (2, 8), 50_000),
    traffic(
        ("accounts::permissions", "memory"),
        (160, 80),
        (1, 4),
        6_300,
    ),
    traffic(("images::thumbnail", "s3"), (9, 30), (9_000, 420), 71_000),
    traffic(("reports::of_a_month", "file"), (1, 20), (700, 900), 48),
    traffic(("mail::greeting", "file"), (3, 1), (500, 2), 190),
];

impl Traffic {
    /// A minute of it, with a wave in the middle.
    fn play(&self) -> &'static CacheMetrics {
        let clock = Clock::manual();
        let settings = vec![
            ("stale_after", "600s".to_owned()),
            ("next_time", "true".to_owned()),
        ];
        let options = MetricsOptions::new(self.name, self.backend).settings(settings);
        let metrics = CacheMetrics::create(options.clock(clock.clone()));
        let holding = Holding::new(Some(self.entries), Some(self.entries * 840));
        metrics.set_gauges(Box::new(move || {
            let mut gauges = Gauges::default();
            gauges.shared = [("store".to_owned(), Shared::new(holding, None))].into();
            gauges
        }));
        let mut number = 0;
        for second in 0..60 {
            let begun = clock.now();
            let wave = 4 + 3 * u64::from((20..35).contains(&second));
            for _ in 0..self.calls_per_second * wave / 4 {
                number += 1;
                self.call(metrics, &clock, number);
            }
            if self.name == "shop::stock" && second % 20 == 7 {
                metrics.backend_error(Operation::Load, ErrorLabel::Timeout);
            }
            let passed = Duration::from_nanos(clock.now() - begun);
            clock.advance(Duration::from_secs(1).saturating_sub(passed));
            metrics.tick();
        }
        metrics
    }

    fn call(&self, metrics: &'static CacheMetrics, clock: &Clock, number: u64) {
        // No two take the same time; the clock has the rest of the second.
        let around = |duration: Duration| duration / 50 * (30 + (number * 7 % 43) as u32);
        let call = metrics.start_call(Some(Sampled::ONE), None);
        if number.is_multiple_of(self.miss_each) {
            let computation = metrics.start_compute(Reason::Absent);
            clock.advance(around(self.compute));
            computation.finish(ComputeResult::Value);
            call.finish(Outcome::Miss, None, None);
        } else {
            clock.advance(around(self.hit));
            let compute = u64::try_from(self.compute.as_nanos()).unwrap();
            call.finish(Outcome::Hit, Some(compute), Some(compute));
        }
    }
}

/// Those of the program, which work.
fn stores() -> StoreSource {
    StoreSource::listed(|| {
        let all = [
            ("redis", "cache.internal:6379"),
            ("s3", "shop-images"),
            ("file", "/var/cache/shop"),
        ];
        let figures = all.map(|(backend, store)| {
            let mut figures = StoreFigures::new(backend, store);
            figures.round_trips = [(Operation::Load, 11_900), (Operation::Store, 1_900)].into();
            if backend == "redis" {
                (figures.idle_connections, figures.busy_connections) = (Some(3), Some(1));
                figures.max_connections = Some(4);
            }
            figures
        });
        figures.into()
    })
}

#[test]
fn the_page_has_pictures() {
    let _stores = stores();
    let builder = PrometheusExporter::builder().port(free_port());
    let exporter = builder.constant_label("service", "shop").build().unwrap();
    for traffic in &PROGRAM {
        exporter.register_function(traffic.play()).unwrap();
    }
    exporter.start().unwrap();
    let origin = format!("http://{}", exporter.local_addr().unwrap());
    with_page(&origin, Device::Desktop, async |page| {
        page.resize(1400, 920).await;
        page.click("[data-window=minute]").await;
        let are_drawn = format!(
            "return document.querySelectorAll('#functions svg.spark').length === {}",
            PROGRAM.len()
        );
        page.until("has drawn all calls", &are_drawn).await;
        keep(
            &page,
            "page",
            "The live page: a line for each function, with its verdict",
        )
        .await;
        page.click("tr[data-function='shop::price'] a").await;
        page.until(
            "shows the function",
            "return document.querySelectorAll('#distributions svg').length > 1",
        )
        .await;
        keep(
            &page,
            "page_function",
            "The page of one function: figures, and plots of the last minute",
        )
        .await;
        page
    });
}

/// Writes what is to be seen where it is asked for: as a file, and for documentation that has no files.
async fn keep(page: &Page, name: &str, words: &str) {
    let picture = page.screenshot().await;
    assert!(picture.len() < MAX_BYTES, "{name}: {} bytes", picture.len());
    if let Some(folder) = std::env::var_os(PICTURES_VARIABLE) {
        let folder = Path::new(&folder);
        let data = BASE64_STANDARD.encode(&picture);
        let html = format!("<img alt=\"{words}\" src=\"data:image/png;base64,{data}\">\n");
        std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
        std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
    }
}
