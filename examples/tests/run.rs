//! Every example runs to its end, with the expected output.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

/// The output of an example, which must succeed.
#[track_caller]
fn output(program: &str, arguments: &[&str], cache: &Path) -> String {
    output_in(program, arguments, cache, &[])
}

/// The same with environment variables.
#[track_caller]
fn output_in(
    program: &str,
    arguments: &[&str],
    cache: &Path,
    environment: &[(&str, &str)],
) -> String {
    let output = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .env("CACHIER_CACHE_DIR", cache)
        .env_remove("CACHIER_BACKEND")
        .env_remove("CACHIER_DISABLED")
        .env_remove("CACHIER_METRICS_ADDR")
        .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {text}{errors}");
    text
}

#[track_caller]
fn shows(program: &str, expected: &[&str]) {
    let cache = tempfile::tempdir().unwrap();
    let text = output(program, &[], cache.path());
    for expected in expected {
        assert!(text.contains(expected), "no `{expected}` in {text}");
    }
}

#[test]
fn the_dashboard_says_where_its_page_is() {
    let cache = tempfile::tempdir().unwrap();
    let text = output(env!("CARGO_BIN_EXE_dashboard"), &["1"], cache.path());
    assert!(text.contains("the page is at http://127.0.0.1:"), "{text}");
}

#[test]
fn the_second_quickstart_is_served_from_disk() {
    let (cache, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("one.txt", "a cache remembers");
    write("two.txt", "what a memory forgets");
    let run = |arguments: &[&str]| {
        let folder = folder.path().to_str().unwrap();
        let arguments = [arguments, &[folder]].concat();
        output(env!("CARGO_BIN_EXE_quickstart"), &arguments, cache.path())
    };
    let expect = |text: String, expected: &str| assert!(text.contains(expected), "{text}");
    expect(run(&[]), "COMPUTED 2 analyses");
    expect(run(&["--all"]), "SERVED FROM DISK: 2 of 2 analyses");
    write("two.txt", "what a memory keeps");
    expect(run(&[]), "SERVED FROM DISK: 1 of 2 analyses");
    expect(run(&["--fresh"]), "COMPUTED 2 analyses");
}

#[test]
fn the_quickstart_runs_without_a_cache() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file.txt");
    std::fs::write(&file, "a file is no folder").unwrap();
    let arguments = [folder.path().to_str().unwrap()];
    let text = output(env!("CARGO_BIN_EXE_quickstart"), &arguments, &file);
    assert!(text.contains("THE CACHE COULD NOT BE USED"), "{text}");
}

#[test]
fn metrics() {
    shows(
        env!("CARGO_BIN_EXE_metrics"),
        &["hit rate", "== Windows", "within Some("],
    );
}

#[test]
fn prometheus() {
    let counted =
        "cachier_calls_total{function=\"prometheus::factors\",backend=\"memory\",outcome=\"hit\"}";
    shows(
        env!("CARGO_BIN_EXE_prometheus"),
        &["360: [2,2,2,3,3,5]", "HTTP/1.1 200 OK", counted],
    );
}

#[cfg(feature = "otel")]
#[test]
fn otel() {
    if cachier_servers::rotel::Rotel::start().is_some() {
        shows(
            env!("CARGO_BIN_EXE_otel"),
            &[
                "most steps: Some(6171)",
                "-> service.name: Str(collatz)",
                "-> Name: cachier.calls",
                "-> outcome: Str(hit)",
            ],
        );
    }
}

#[test]
fn statsd() {
    let expected = [
        "871 takes 178 steps",
        "cachier.calls.example.statsd__steps.memory.miss:2228|c\n",
        "cachier.compute_duration.example.statsd__steps.memory:",
    ];
    shows(env!("CARGO_BIN_EXE_statsd"), &expected);
    let cache = tempfile::tempdir().unwrap();
    let text = output(env!("CARGO_BIN_EXE_statsd"), &["--dogstatsd"], cache.path());
    let line = "cachier.calls:2228|c|#service:example,function:statsd::steps,backend:memory,outcome:miss\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn cloudwatch() {
    let cache = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_cloudwatch");
    let text = output(program, &[], cache.path());
    let counted = |text: &str, outcome: &str| {
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let of_outcome = lines.filter(|line: &serde_json::Value| line["Outcome"] == outcome);
        of_outcome
            .filter_map(|line| {
                assert_eq!(
                    (&line["Function"], &line["Service"]),
                    (&"cloudwatch::partitions".into(), &"partitions".into())
                );
                line["Calls"].as_f64()
            })
            .collect::<Vec<_>>()
    };
    // The third call hits, and computes nothing.
    assert_eq!(counted(&text, "miss").len(), 2);
    assert_eq!(counted(&text, "hit").last(), Some(&1.0));
    let file = cache.path().join("metrics.log");
    let told = output(program, &[file.to_str().unwrap()], cache.path());
    assert!(told.contains("60 has 966467 partitions"), "{told}");
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(counted(&written, "miss"), counted(&text, "miss"));
}

#[cfg(feature = "cloudwatch")]
#[test]
fn cloudwatch_api() {
    if cachier_servers::s3::start_moto().is_some() {
        shows(
            env!("CARGO_BIN_EXE_cloudwatch_api"),
            &[
                "60 has 966467 partitions",
                "CloudWatch has taken the figures, in 1 request(s)",
            ],
        );
    }
}

#[test]
fn the_cluster_has_one_view() {
    let expected = [
        "process 3: the longest",
        "instances: 5 live, 0 silent",
        "cluster::steps",
    ];
    shows(env!("CARGO_BIN_EXE_cluster"), &expected);
}

#[test]
fn json_lines_hold_the_figures() {
    let cache = tempfile::tempdir().unwrap();
    let file = cache.path().join("figures.jsonl");
    let path = file.to_str().unwrap();
    output(env!("CARGO_BIN_EXE_json_lines"), &[path], cache.path());
    let lines = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let value = |name: &str, outcome: Option<&str>| {
        let mut of_name = lines.iter().filter(|line| line["name"] == name);
        let found = of_name.find(|line| line["labels"]["outcome"].as_str() == outcome);
        let found = found.unwrap_or_else(|| panic!("no {name} of {outcome:?} in {lines:?}"));
        assert_eq!(found["labels"]["service"], "example");
        found["value"].clone()
    };
    let calls = |outcome| value("cachier_calls_total", Some(outcome)).as_u64();
    assert_eq!((calls("miss"), calls("hit")), (Some(10_000), Some(9_999)));
    let computed = value("cachier_compute_duration_seconds", None);
    assert_eq!(computed["count"], 10_000);
    let sum = computed["sum"].as_f64().unwrap();
    assert!(0.0 < sum && sum < 600.0, "in seconds: {sum}");
}

#[test]
fn async_axum() {
    let expected = [
        "1 computed",
        "/weather/Oslo: HTTP/1.1 200 OK",
        "404 Not Found",
    ];
    shows(env!("CARGO_BIN_EXE_async_axum"), &expected);
}

#[test]
fn methods() {
    let expected = [
        "share it: 1 hit, 2 misses",
        "3 misses, one for each type",
        "of Ada Some(\"Welcome, Ada\"), cleared Some(1)",
        "stored Some(\"Hello, Bob\")",
    ];
    shows(env!("CARGO_BIN_EXE_methods"), &expected);
}

#[test]
fn own_backend() {
    shows(
        env!("CARGO_BIN_EXE_own_backend"),
        &[
            "cachier/2/default/cachier-examples:own_backend::anagram/1/",
            "found no fault",
        ],
    );
}

#[test]
fn testing() {
    let expected = [
        "the first call                         miss",
        "again, the supplier out of reach       stale",
    ];
    shows(env!("CARGO_BIN_EXE_testing"), &expected);
}

#[cfg(feature = "sql")]
#[test]
fn sql() {
    let cache = tempfile::tempdir().unwrap();
    let run = || output(env!("CARGO_BIN_EXE_sql"), &[], cache.path());
    assert!(run().contains("2024: 366 days — miss"));
    let again = run();
    assert!(
        again.contains("2025: 365 days — hit") && !again.contains("miss after"),
        "{again}"
    );
}

#[cfg(feature = "sql")]
#[test]
fn shared_computation() {
    let cache = tempfile::tempdir().unwrap();
    let text = output(env!("CARGO_BIN_EXE_shared_computation"), &[], cache.path());
    assert_eq!(text.matches("COMPUTING").count(), 1, "{text}");
    assert_eq!(text.matches("has 42").count(), 6, "{text}");
}

#[cfg(feature = "redis")]
#[test]
fn redis() {
    if cachier_servers::redis::start().is_some() {
        shows(
            env!("CARGO_BIN_EXE_redis"),
            &["2 computations in all", "hit rate"],
        );
    }
}

#[cfg(feature = "mongo")]
#[test]
fn mongo() {
    if cachier_servers::mongo::start().is_some() {
        shows(
            env!("CARGO_BIN_EXE_mongo"),
            &["Some(1) entries", "hit rate"],
        );
    }
}

#[cfg(feature = "s3")]
#[test]
fn s3() {
    let Some(server) = cachier_servers::s3::start() else {
        return;
    };
    shows(
        env!("CARGO_BIN_EXE_s3"),
        &["307200 bytes — miss", "307200 bytes — hit", "hit rate"],
    );
    // Once more, on a server named by the environment.
    let (cache, place) = (tempfile::tempdir().unwrap(), server.place());
    let run = || {
        let environment = [
            ("CACHIER_S3_BUCKET", place.bucket.as_str()),
            ("CACHIER_S3_PREFIX", "of/examples"),
            ("CACHIER_S3_ENDPOINT", &place.endpoint),
            ("AWS_ACCESS_KEY_ID", &place.access_key),
            ("AWS_SECRET_ACCESS_KEY", &place.secret),
        ];
        output_in(env!("CARGO_BIN_EXE_s3"), &[], cache.path(), &environment)
    };
    assert!(run().contains("307200 bytes — miss"));
    let again = run();
    assert!(!again.contains("307200 bytes — miss"), "{again}");
}
