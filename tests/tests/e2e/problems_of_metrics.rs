//! Problems with figures as a person sees them: of the folder that keeps them, and of exporters.

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use cachier_tests::identity;
use cachier_tests::listener::Listener;
use cachier_tests::process::{Process, part, say};
use tracing::Level;

use crate::problems::lines_of;

identity!(in_memory, backend = "memory");

#[test]
fn an_unusable_folder_of_figures_is_told() {
    if let Some(part) = part() {
        if part == "parameter" {
            cachier::set_global_params(cachier::global_params().metrics_dir("~nobody/x"));
        }
        in_memory(1);
        (0..2).for_each(|_| cachier::flush());
        let shown = cachier::check()
            .into_iter()
            .map(|health| health.to_string());
        return say(shown.collect::<Vec<_>>().join(" | "));
    }
    let test = "problems_of_metrics::an_unusable_folder_of_figures_is_told";
    for (part, variable, shown) in [
        (
            "environment",
            "~nobody/x",
            "environment (CACHIER_METRICS_DIR): ",
        ),
        ("parameter", "", "metrics (~nobody/x): "),
    ] {
        let prepare = |command: &mut Command| _ = command.env("CACHIER_METRICS_DIR", variable);
        let lines = lines_of(test, part, prepare);
        let [line] = &lines[..] else {
            panic!("{part}: {lines:?}")
        };
        assert!(
            line.contains("figures cannot be kept over restarts"),
            "{line}"
        );
        let checked = Process::start(test, part, prepare).line();
        assert!(
            checked.starts_with(shown) && !checked.contains('|'),
            "{checked}"
        );
    }
}

#[test]
fn one_unusable_folder_for_both_is_two_lines() {
    identity!(in_files, backend = "file");

    if part().is_some() {
        let params = cachier::global_params().metrics_dir("~nobody/x");
        cachier::set_global_params(params.cache_dir("~nobody/x"));
        in_files(1);
        let shown = cachier::check().into_iter().map(|health| health.name);
        return say(shown.collect::<Vec<_>>().join(" "));
    }
    let test = "problems_of_metrics::one_unusable_folder_for_both_is_two_lines";
    assert_eq!(
        Process::start(test, "check", |_| {}).last_line(),
        "metrics file"
    );
}

/// No event of a call tells of them.
#[test]
fn a_subscriber_is_told_of_figures_and_exporters() {
    if part().is_some() {
        static EVENTS: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let listener = Listener::new(
            |metadata| metadata.is_event() && *metadata.level() == Level::WARN,
            |_, text| EVENTS.lock().unwrap().push(text),
        );
        tracing::subscriber::set_global_default(listener).unwrap();
        let build = || {
            drop(
                cachier::OtlpExporter::builder()
                    .endpoint("http://127.0.0.1:1")
                    .build(),
            )
        };
        build();
        cachier::set_global_params(cachier::global_params().metrics_dir("~nobody/x"));
        in_memory(1);
        (0..2).for_each(|_| cachier::flush());
        build();
        let events = EVENTS.lock().unwrap();
        let told = |what| events.iter().filter(|event| event.contains(what)).count();
        say(format!(
            "{} {}",
            told("OTEL_METRIC_EXPORT_INTERVAL"),
            told("figures cannot be kept")
        ));
        return;
    }
    let test = "problems_of_metrics::a_subscriber_is_told_of_figures_and_exporters";
    let prepare =
        |command: &mut Command| _ = command.env("OTEL_METRIC_EXPORT_INTERVAL", "nonsense");
    assert_eq!(lines_of(test, "call", prepare), Vec::<String>::new());
    assert_eq!(Process::start(test, "call", prepare).last_line(), "1 1");
}

#[test]
fn exporters_before_any_call_are_quiet_too() {
    if let Some(part) = part() {
        static HEARD: AtomicUsize = AtomicUsize::new(0);
        if part == "listen" {
            cachier::on_problem(|_| _ = HEARD.fetch_add(1, Ordering::SeqCst));
        }
        let _ = cachier::OtlpExporter::builder()
            .endpoint("http://127.0.0.1:1")
            .build();
        let heard = HEARD.load(Ordering::SeqCst);
        assert_eq!(heard, usize::from(part == "listen"));
        return;
    }
    for (part, quiet, written) in [("build", "0", 1), ("build", "1", 0), ("listen", "0", 0)] {
        let test = "problems_of_metrics::exporters_before_any_call_are_quiet_too";
        let lines = lines_of(test, part, |command| {
            command.env("OTEL_METRIC_EXPORT_INTERVAL", "nonsense");
            command.env("CACHIER_QUIET", quiet);
        });
        assert_eq!(lines.len(), written, "{part} {quiet}: {lines:?}");
    }
}
