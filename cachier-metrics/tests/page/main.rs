//! The live page in a real browser, used as a person would.
#![cfg(all(feature = "prometheus", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use cachier_metrics::*;
use cachier_servers::{chromedriver, free_port};
use serde_json::Value;

mod browser;
#[allow(dead_code, reason = "not all tests need all of it")]
#[path = "../support/client.rs"]
mod client;
mod pictures;
mod shown;

use browser::{Device, Page, with_page};

/// The age of the functions.
const SECONDS: u32 = 20;

/// A program with this many functions, each called a little more often than the one before.
fn program(functions: u64) -> (PrometheusExporter, String) {
    let builder = PrometheusExporter::builder().port(free_port());
    // Else the last of many functions would share one name.
    let exporter = builder.max_series(usize::MAX).build().unwrap();
    for number in 0..functions {
        exporter.register_function(function(number)).unwrap();
    }
    exporter.start().unwrap();
    let origin = format!("http://{}", exporter.local_addr().unwrap());
    (exporter, origin)
}

fn function(number: u64) -> &'static CacheMetrics {
    let name = format!("shop::module_{}::price_{number:03}", number % 7);
    let backend = ["memory", "redis", "file"][number as usize % 3];
    let options = MetricsOptions::new(name, backend);
    let settings = vec![
        ("stale_after", "600s".to_owned()),
        ("capacity", "1000".to_owned()),
    ];
    let clock = Clock::manual();
    let metrics = CacheMetrics::create(options.settings(settings).clock(clock.clone()));
    let holding = Holding::new(Some(number), Some(number * 1000));
    metrics.set_gauges(Box::new(move || {
        let mut gauges = Gauges::default();
        let shared = Shared::new(holding, None);
        (gauges.shared, gauges.capacity_entries) =
            ([("store".to_owned(), shared)].into(), Some(1000));
        gauges
    }));
    let call = |outcome| {
        let call = metrics.start_call(Some(Sampled::ONE), None);
        clock.advance(Duration::from_micros(70 + number));
        call.finish(outcome, Some(1_000_000), Some(2_000_000));
    };
    (0..number).for_each(|_| call(Outcome::Hit));
    (0..3).for_each(|_| call(Outcome::Miss));
    let computation = metrics.start_compute(Reason::Absent);
    clock.advance(Duration::from_millis(30));
    computation.finish(ComputeResult::Value);
    if number % 10 == 9 {
        metrics.backend_error(Operation::Load, ErrorLabel::Timeout);
    }
    // From now on the clock stands still, so that a figure is the same whoever asks.
    for _ in 0..SECONDS {
        clock.advance(Duration::from_secs(1));
        metrics.tick();
    }
    metrics
}

/// The figures of each function on the page are those of the program.
async fn the_list_is_what_the_program_says(page: &Page, exporter: &PrometheusExporter) {
    let address = exporter.local_addr().unwrap();
    let said = client::get(address, "/stats.json?window=minute", "").json();
    let functions = said["functions"].as_array().unwrap();
    let names = page.column("Function").await;
    assert_eq!(names.len(), functions.len());
    for (column, text) in shown::COLUMNS {
        let shown = page.column(column).await;
        let expected = names.iter().map(|name| {
            let of = |function: &&Value| function["function"] == **name;
            text(functions.iter().find(of).unwrap())
        });
        assert_eq!(shown, expected.collect::<Vec<_>>(), "{column}");
    }
}

/// All that is on the page of a function is what the program says of it.
async fn a_function_is_what_the_program_says(page: &Page, address: SocketAddr, name: &str) {
    let said = |query: &str| {
        let path = format!("/stats.json?function={name}&{query}");
        client::get(address, &path, "").json()
    };
    let summary = &said("window=minute")["functions"][0];
    let columns = shown::COLUMNS.iter();
    // The backend is in the words above.
    let columns = columns.filter(|(column, _)| *column != "Backend");
    let expected = columns.map(|(column, text)| (column.to_string(), text(summary)));
    assert_eq!(
        page.pairs("#one-sums").await,
        expected.collect::<BTreeMap<_, _>>()
    );
    let settings = summary["settings"].as_object().unwrap().iter();
    let settings = settings.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
    assert_eq!(
        page.pairs("#settings").await,
        settings.collect::<BTreeMap<_, _>>()
    );
    let all = said("series=minute");
    let points = all["series"][0]["points"].as_array().unwrap();
    let points = points
        .iter()
        .rev()
        .map(|point| shown::calls_of_point(point).unwrap_or_else(|| "0/s".to_owned()));
    let plotted = page
        .texts("#plots figure:first-child tbody td:last-child")
        .await;
    assert_eq!(plotted, points.collect::<Vec<_>>());
    the_counters_are_what_the_program_says(page, &all).await;
}

async fn the_counters_are_what_the_program_says(page: &Page, said: &Value) {
    let metrics = said["metrics"].as_array().unwrap();
    let samples = |name: &str| {
        let metric = metrics
            .iter()
            .find(|metric| metric["name"] == name)
            .unwrap();
        metric["samples"].as_array().unwrap().iter()
    };
    for (title, metric, labels) in [
        (
            "Errors of the store",
            "cachier_backend_errors_total",
            &["operation", "kind"][..],
        ),
        (
            "Computations, by reason",
            "cachier_recalculations_total",
            &["reason"],
        ),
        (
            "Entries removed, by cause",
            "cachier_removals_total",
            &["cause"],
        ),
    ] {
        let counted = samples(metric).filter(|sample| sample["value"].as_f64() > Some(0.0));
        let expected = counted.map(|sample| {
            let labels = labels
                .iter()
                .map(|label| sample["labels"][label].as_str().unwrap());
            let labels = labels.collect::<Vec<_>>().join(", ");
            format!("{labels}{}", shown::count(sample["value"].as_f64()))
        });
        let rows = page
            .texts(&format!("#counts table[aria-label='{title}'] tr"))
            .await;
        assert_eq!(rows, expected.collect::<Vec<_>>(), "{title}");
    }
    let calls = samples("cachier_call_duration_seconds");
    let calls: f64 = calls
        .map(|sample| sample["histogram"]["count"].as_f64().unwrap())
        .sum();
    let words = page.text("#distributions figure:first-child > p").await;
    assert!(
        words.starts_with(&format!("{}, from", shown::count(Some(calls)))),
        "{words}"
    );
}

#[test]
fn the_list_shows_what_the_program_says() {
    let (exporter, origin) = program(60);
    with_page(&origin, Device::Desktop, async |page| {
        page.click("[data-window=minute]").await;
        page.until(
            "is of a minute",
            "return location.hash === '#window=minute'",
        )
        .await;
        the_list_is_what_the_program_says(&page, &exporter).await;
        page.click("[data-key=function] button").await;
        let mut names = page.column("Function").await;
        assert!(names.is_sorted() && names.len() == 60);
        page.click("[data-key=function] button").await;
        names.reverse();
        assert_eq!(page.column("Function").await, names);
        page.click("[data-key=hit] button").await;
        assert_eq!(
            page.column("Function").await[0],
            "shop::module_3::price_059"
        );
        page.write("#search", "module_3 redis").await;
        let found = page.column("Function").await;
        assert!(!found.is_empty() && found.iter().all(|name| name.contains("module_3")));
        assert_eq!(page.text("#shown").await, format!("{} of 60", found.len()));
        page.write("#search", "").await;
        page.script("const group = document.getElementById('group'); group.value = 'module'; group.dispatchEvent(new Event('change'))").await;
        assert_eq!(page.column("Function").await.len(), 67);
        page.picture("groups").await;
        page.asked_its_own_server_alone().await;
        assert_eq!(page.console().await, [""; 0]);
        page
    });
}

#[test]
fn a_function_has_a_page_of_its_own() {
    let (exporter, origin) = program(12);
    let address = exporter.local_addr().unwrap();
    with_page(&origin, Device::Desktop, async |page| {
        page.click("[data-window=minute]").await;
        page.click("tr[data-function='shop::module_2::price_009'] a")
            .await;
        page.until(
            "shows the function",
            "return !document.getElementById('one').hidden",
        )
        .await;
        assert_eq!(page.text("#one-title").await, "shop::module_2::price_009");
        page.until(
            "has the focus",
            "return document.activeElement.id === 'one-title'",
        )
        .await;
        a_function_is_what_the_program_says(&page, address, "shop::module_2::price_009").await;
        assert_eq!(page.pairs("#settings").await["stale_after"], "600s");
        assert_eq!(page.texts("#plots figure figcaption").await.len(), 4);
        page.click("[data-window=day]").await;
        page.until("is of a day", "return document.querySelector('[data-window=day]').getAttribute('aria-pressed') === 'true'").await;
        page.picture("function").await;
        page.script("history.go(-2)").await;
        page.until("goes back", "return !document.getElementById('all').hidden")
            .await;
        page.asked_its_own_server_alone().await;
        assert_eq!(page.console().await, [""; 0]);
        page
    });
}

#[test]
fn both_themes_are_usable_by_all() {
    let Some(axe) = chromedriver::axe() else {
        return;
    };
    let (_exporter, origin) = program(20);
    for device in [Device::Desktop, Device::Phone] {
        with_page(&origin, device, async |page| {
            let width = page.script("return innerWidth").await;
            for _ in 0..2 {
                let theme = page.text("#theme").await;
                assert_eq!(
                    page.obstacles(&axe).await,
                    [""; 0],
                    "{width}, before {theme}"
                );
                page.picture(&format!("list-{width}-before-{theme}")).await;
                page.click("#theme").await;
                assert_ne!(page.text("#theme").await, theme);
            }
            page.click("#functions tbody a").await;
            page.until(
                "shows a function",
                "return document.querySelectorAll('#plots svg').length > 0",
            )
            .await;
            assert_eq!(page.obstacles(&axe).await, [""; 0], "a function, {width}");
            page.picture(&format!("function-{width}")).await;
            let overflows = "return document.documentElement.scrollWidth > innerWidth";
            assert_eq!(page.script(overflows).await, false, "{width}");
            page
        });
    }
}

#[test]
fn the_page_outlives_its_endpoint() {
    let (exporter, origin) = program(5);
    with_page(&origin, Device::Desktop, async |page| {
        let hidden =
            |is: bool| format!("return document.getElementById('trouble').hidden === {is}");
        page.click("[data-window=minute]").await;
        exporter.stop();
        page.until("says that nobody answers", &hidden(false)).await;
        let trouble = page.text("#trouble").await;
        assert!(
            trouble.contains("does not answer") && trouble.contains("The figures are those of"),
            "{trouble}"
        );
        page.picture("trouble").await;
        assert_eq!(
            page.column("Function").await.len(),
            5,
            "what was shown stays"
        );
        exporter.start().unwrap();
        page.until("has recovered", &hidden(true)).await;
        page
    });
}

#[test]
fn many_functions_are_shown_at_little_cost() {
    let (exporter, origin) = program(500);
    with_page(&origin, Device::Desktop, async |page| {
        page.click("[data-window=minute]").await;
        page.until(
            "is of a minute",
            "return location.hash === '#window=minute'",
        )
        .await;
        page.until(
            "shows all",
            "return document.querySelectorAll('#functions tbody tr').length === 500",
        )
        .await;
        page.picture("many").await;
        // Unoptimized code in a crowd of tests takes many times as long as a program does: the bench `export` has the figure.
        let asked = || page.script("return performance.getEntriesByType('resource').length");
        let before = asked().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let requests = asked().await.as_u64().unwrap() - before.as_u64().unwrap();
        assert!(requests < 40, "{requests} requests in three seconds");
        assert_eq!(page.console().await, [""; 0]);
        page
    });
    drop(exporter);
}
