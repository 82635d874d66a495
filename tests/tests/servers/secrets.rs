//! Credentials are never shown: not in errors, logs or metrics.

use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};

use cachier::{Backend, CallOptions, Error, PrometheusExporter, S3Backend};
use cachier_servers::free_port;
use cachier_tests::callers::runtime;
use cachier_tests::listener::Listener;
use cachier_tests::{double, triple};

use crate::store::{Store, Subject, runs_in_a_process};

crate::on_stores!([redis: Redis, postgres: Postgres, mariadb: MariaDb, mongo: Mongo, s3: S3] {
    if runs_in_a_process: credentials_are_never_shown
});

/// Part of all secrets.
const SECRET: &str = "s3cr3t";

/// A URL-encoded one.
const WRITTEN: &str = "s3cr3t%2Fpass";

/// Unencoded ones: the part before the mark may pass as host and port.
const RAW: [&str; 6] = [
    "s3cr3t/pass",
    "pa/s3cr3t",
    "6/s3cr3t",
    "6?s3cr3t",
    "6#s3cr3t",
    "6/1?s3cr3t@s3cr3t",
];

double!(backend = registered("store"), enable_metrics);

triple!(backend = registered("store"), enable_metrics);

fn credentials_are_never_shown(subject: &Subject) {
    let shown = Shown::default();
    let all = shown.clone();
    // The log of all libraries.
    let log = Listener::new(|_| true, move |_, text| all.add(text));
    tracing::subscriber::set_global_default(log).unwrap();
    for address in addresses(subject) {
        match connect(subject.store, &address) {
            Ok(backend) => {
                shown.add(backend.store_name());
                subject.register_backend(backend);
                use_it(&shown);
            }
            Err(error) => shown.error(&error),
        }
    }
    let text = shown.0.lock().unwrap_or_else(PoisonError::into_inner);
    let is_logged = ["kind=Connect", "kind=Timeout"].map(|kind| text.contains(kind));
    assert!(is_logged.contains(&true), "nothing was logged: {text}");
    let shows = text.lines().find(|line| line.contains(SECRET));
    assert_eq!(shows, None);
}

fn connect(store: Store, address: &str) -> Result<Arc<dyn Backend>, Error> {
    if store != Store::S3 {
        return store.try_connect(address);
    }
    let backend = S3Backend::new("bucket").endpoint(address);
    Ok(Arc::new(backend.credentials("somebody", WRITTEN)))
}

/// Addresses with credentials: of an unknown user, of this server, and invalid ones.
fn addresses(subject: &Subject) -> Vec<String> {
    let user = format!("somebody:{WRITTEN}@");
    let with_user = |address: &str| {
        let (scheme, rest) = address.split_once("://").unwrap();
        let server = rest.split_once('@').map_or(rest, |(_, server)| server);
        format!("{scheme}://{user}{server}")
    };
    let nowhere = with_user(&subject.at(free_port()));
    let scheme = nowhere.split_once("://").unwrap().0;
    let mut addresses = vec![
        nowhere.clone(),
        with_user(&subject.address),
        format!("{scheme}://{user}"),
        format!("{scheme}://{user}127.0.0.1:port/x"),
        format!("{scheme}://{user}[::1/x"),
        format!("oracle://{user}127.0.0.1/x"),
        format!("{scheme}:{user}127.0.0.1/x"),
    ];
    let raw = |secret: &&str| nowhere.replace(WRITTEN, secret);
    addresses.extend(RAW.iter().map(raw));
    if subject.store == Store::Redis {
        let servers = format!("{user}127.0.0.1:{}", free_port());
        addresses.push(format!("redis+sentinel://{servers}/main"));
        addresses.push(format!("redis+cluster://{servers}"));
        addresses.push(format!("rediss://{servers}"));
        for secret in RAW {
            let servers = servers.replace(WRITTEN, secret);
            addresses.push(format!("redis+sentinel://{servers}/main"));
            addresses.push(format!("redis+cluster://{servers}"));
        }
    }
    if subject.store == Store::Postgres {
        addresses.push(format!("{}?password={}", subject.at(free_port()), WRITTEN));
        addresses.push(format!("{nowhere}?sslmode={}", WRITTEN));
    }
    addresses
}

/// Shows everything there is to show about a store.
fn use_it(shown: &Shown) {
    let call = double::call_detailed(CallOptions::new(), 1);
    shown.add(format!("{call} {call:?}"));
    call.backend_error
        .iter()
        .for_each(|error| shown.error(error));
    let call = runtime().block_on(triple::call_detailed(CallOptions::new(), 1));
    shown.add(format!("{call} {call:?}"));
    call.backend_error
        .iter()
        .for_each(|error| shown.error(error));
    let failed = double::clear_cache().err();
    failed.iter().for_each(|error| shown.error(error));
    shown.add(format!("{:?}", cachier::check()));
    let exporter = PrometheusExporter::builder().port(0).build().unwrap();
    exporter.register_function(double::metrics()).unwrap();
    shown.add(exporter.render());
    shown.add(format!(
        "{:?} {}",
        double::metrics().snapshot(),
        double::metrics().stats()
    ));
}

/// Everything shown so far.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<String>>);

impl Shown {
    fn add(&self, text: String) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push_str(&text);
        all.push('\n');
    }

    fn error(&self, error: &Error) {
        self.add(format!("{error} {error:#} {error:?} {error:#?}"));
        let mut cause = error.source();
        while let Some(error) = cause {
            self.add(format!("{error} {error:?}"));
            cause = error.source();
        }
    }
}
