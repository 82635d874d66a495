//! The Prometheus exporter: pages other than the metrics, and who may see them.
#![cfg(all(feature = "prometheus", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::net::TcpStream;

use cachier_metrics::*;

#[allow(dead_code, reason = "not all tests need all of it")]
#[path = "support/busy.rs"]
mod busy;
#[allow(dead_code, reason = "not all tests need all of it")]
#[path = "support/client.rs"]
mod client;

use busy::{metrics, store};
use client::{Answer, get, serving};

#[test]
fn a_token_guards_all_but_health() {
    let (exporter, address) = serving(PrometheusExporter::builder().bearer_token("s3cret"));
    let status = |path, headers| get(address, path, headers).status();
    for path in ["/", "/metrics", "/stats.json", "/other"] {
        assert_eq!(status(path, ""), 401, "{path}");
        assert_eq!(
            status(path, "Authorization: Bearer s3cre\r\n"),
            401,
            "{path}"
        );
    }
    let denied = get(address, "/metrics", "");
    assert!(
        denied.head.contains("www-authenticate: Bearer"),
        "{}",
        denied.head
    );
    assert!(!denied.text().contains("cachier_"));
    let token = "Authorization: Bearer s3cret\r\n";
    assert_eq!(
        ["/metrics", "/stats.json"].map(|path| status(path, token)),
        [200, 200]
    );
    assert_eq!(status("/other", token), 404);
    assert_eq!(
        ["/health", "/ready"].map(|path| status(path, "")),
        [200, 200]
    );
    assert!(!format!("{exporter:?}").contains("s3cret"));
    let builder = PrometheusExporter::builder().bearer_token("two words");
    assert!(!format!("{builder:?}").contains("words"));
    let error = builder.build().unwrap_err().to_string();
    assert!(
        error.contains("the bearer token") && !error.contains("words"),
        "{error}"
    );
}

#[test]
fn the_page_runs_its_own_script_alone() {
    let (_exporter, address) = serving(PrometheusExporter::builder());
    let page = get(address, "/", "");
    assert_eq!(page.status(), 200);
    assert!(page.text().starts_with("<!doctype html>"));
    assert!(
        page.head.contains("content-type: text/html"),
        "{}",
        page.head
    );
    for allowed in [
        "default-src 'none'",
        "script-src 'sha256-",
        "connect-src 'self'",
    ] {
        assert!(page.head.contains(allowed), "{}", page.head);
    }
    let zipped = get(address, "/", "Accept-Encoding: gzip\r\n");
    assert!(
        zipped
            .head
            .contains("content-security-policy: default-src 'none'")
    );
    // Whoever has the metrics there has no page.
    let (_exporter, address) = serving(PrometheusExporter::builder().path("/"));
    let metrics = get(address, "/", "");
    assert!(metrics.text().starts_with("# HELP"), "{}", metrics.text());
    assert!(!metrics.head.contains("content-security-policy"));
}

#[test]
fn other_machines_see_all_figures_only_by_will() {
    let everywhere = || PrometheusExporter::builder().host("0.0.0.0");
    for (builder, headers, expected) in [
        (everywhere(), "", 403),
        (everywhere().page(true), "", 200),
        (
            everywhere().bearer_token("t"),
            "Authorization: Bearer t\r\n",
            200,
        ),
        (PrometheusExporter::builder(), "", 200),
    ] {
        let (_exporter, address) = serving(builder);
        let answer = get(address, "/stats.json", headers);
        assert_eq!(answer.status(), expected, "{}", answer.text());
        assert!(
            expected == 200 || answer.text().contains(".page(true)"),
            "{}",
            answer.text()
        );
        assert!(!answer.head.contains("access-control"), "{}", answer.head);
    }
}

#[test]
fn pages_are_for_get_and_head() {
    let (_exporter, address) = serving(PrometheusExporter::builder());
    for path in ["/metrics", "/stats.json", "/health", "/ready"] {
        for (method, status) in [("GET", 200), ("HEAD", 200), ("POST", 405), ("DELETE", 405)] {
            let request =
                format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
            let answer = Answer::of(TcpStream::connect(address).unwrap(), &request);
            assert_eq!(answer.status(), status, "{method} {path}");
            assert!(method == "GET" || answer.body.is_empty(), "{method} {path}");
        }
    }
    assert_eq!(get(address, "/health", "").text(), "ok\n");
    let path = PrometheusExporter::builder().path("/health").build();
    assert!(
        path.unwrap_err()
            .to_string()
            .contains("is that of another page")
    );
}

#[test]
fn two_exporters_stand_side_by_side() {
    let (one, two) = (metrics("first").0, metrics("second").0);
    let (first, at_first) = serving(PrometheusExporter::builder());
    let (second, at_second) = serving(PrometheusExporter::builder().prefix("shop"));
    first.register_function(one).unwrap();
    second.register_functions([one, two]).unwrap();
    let calls = |address, name: &str| get(address, "/metrics", "").text().matches(name).count();
    assert_eq!(calls(at_first, "\ncachier_calls_total{"), 6);
    assert_eq!(calls(at_second, "\nshop_calls_total{"), 12);
    first.stop();
    assert_eq!(calls(at_second, "\nshop_calls_total{"), 12);
    // Its port is free again.
    drop(std::net::TcpListener::bind(at_first).unwrap());
}

/// Alone in its process, as it asks about all stores: the other tests have none but for one that works.
#[test]
fn readiness_is_asked_rarely() {
    let (_exporter, address) = serving(PrometheusExporter::builder());
    let (_works, ready) = (store(), get(address, "/ready", ""));
    assert_eq!(
        (ready.status(), &ready.json()["status"]),
        (200, &"ready".into())
    );
    // Another exporter has an answer of its own.
    let (_exporter, other) = serving(PrometheusExporter::builder());
    let broken = StoreSource::listed(|| {
        let mut figures = StoreFigures::new("redis", "redis.internal:6379");
        figures.breaker_open = true;
        vec![figures]
    });
    let degraded = get(other, "/ready", "");
    assert_eq!(degraded.status(), 200);
    let degraded = degraded.json();
    assert_eq!(degraded["status"], "degraded");
    let stores = degraded["stores"].as_array().unwrap();
    let broken_store = stores
        .iter()
        .find(|store| store["state"] == "degraded")
        .unwrap();
    assert_eq!(broken_store["name"], "redis");
    assert_eq!(broken_store["store"], "redis.internal:6379");
    assert_eq!(broken_store["error"], "breaker_open");
    assert_eq!(get(other, "/ready?strict", "").status(), 503);
    // For five seconds the answers hold, whatever becomes of the stores.
    drop(broken);
    assert_eq!(get(other, "/ready", "").json()["status"], "degraded");
    assert_eq!(get(address, "/ready", "").json()["status"], "ready");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;

    use super::*;

    fn at(path: &Path) -> PrometheusExporter {
        let builder = PrometheusExporter::builder().unix_socket(path);
        builder.build().unwrap()
    }

    fn asked(path: &Path) -> Answer {
        let request = "GET /stats.json HTTP/1.1\r\nHost: any.name\r\n\r\n";
        Answer::of(UnixStream::connect(path).unwrap(), request)
    }

    #[test]
    fn a_unix_socket_serves_until_it_stops() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.sock");
        let exporter = at(&path);
        exporter.start().unwrap();
        assert_eq!((exporter.local_addr(), asked(&path).status()), (None, 200));
        let taken = at(&path).start().unwrap_err().to_string();
        assert!(
            taken.starts_with(&format!("cannot serve metrics at {}: ", path.display())),
            "{taken}"
        );
        assert_eq!(asked(&path).status(), 200, "another's socket stays");
        exporter.stop();
        assert!(!path.exists());
    }

    #[test]
    fn a_killed_process_leaves_a_reusable_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.sock");
        drop(UnixListener::bind(&path).unwrap());
        let exporter = at(&path);
        exporter.start().unwrap();
        assert_eq!(asked(&path).status(), 200);
    }

    #[test]
    fn a_file_is_not_taken_for_a_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figures.txt");
        std::fs::write(&path, "precious").unwrap();
        assert!(at(&path).start().is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }
}

#[cfg(feature = "axum")]
#[test]
fn the_pages_can_be_mounted_in_another_server() {
    let builder = PrometheusExporter::builder().bearer_token("t");
    let exporter = builder.build().unwrap();
    exporter.register_function(metrics("mounted").0).unwrap();
    let app = axum::Router::new().nest("/cachier", exporter.router());
    let app = app.route("/", axum::routing::get(|| async { "the app's own" }));
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    // It serves as long as the test runs.
    std::thread::spawn(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await
        })
    });
    let close = "Connection: close\r\n";
    let status = |path, headers: &str| get(address, path, &format!("{headers}{close}")).status();
    let token = "Authorization: Bearer t\r\n";
    for path in ["/cachier", "/cachier/metrics", "/cachier/stats.json"] {
        assert_eq!(
            (status(path, token), status(path, "")),
            (200, 401),
            "{path}"
        );
    }
    assert_eq!(
        (status("/cachier/health", ""), status("/cachier/ready", "")),
        (200, 200)
    );
    assert_eq!(
        (status("/cachier/other", token), status("/", "")),
        (404, 200)
    );
    let text = get(address, "/cachier/metrics", &format!("{token}{close}"));
    assert!(text.text().contains("function=\"mounted\""));
    // By what names it may be asked is for the other server to say.
    for host in ["app.example", "app.example:8443"] {
        let request =
            format!("GET /cachier/metrics HTTP/1.1\r\nHost: {host}\r\n{token}{close}\r\n");
        let answer = Answer::of(TcpStream::connect(address).unwrap(), &request);
        assert_eq!(answer.status(), 200, "{host}");
    }
}
