//! Tests of code that uses cached functions: `cargo test -p cachier-examples --bin testing`.
//!
//! `cargo run --release --bin testing` walks through one of them.
#![expect(clippy::print_stdout, reason = "a program that tells what it does")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cachier::testing::{Clock, isolated};
use cachier::{CallOptions, cachier};

/// The price of an item: at most an hour old, or a day while the supplier is unreachable.
#[cachier(
    backend = "memory",
    stale_after = "1h",
    stale_on_error = "1d",
    skip(supplier),
    enable_metrics
)]
fn price(item: &str, supplier: &Supplier) -> Result<usize, OutOfReach> {
    supplier.ask(item)
}

/// What the cache is for: a supplier that is slow, and sometimes unreachable.
struct Supplier {
    is_reachable: AtomicBool,
}

/// The supplier did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OutOfReach;

impl Supplier {
    fn new() -> Self {
        Self {
            is_reachable: AtomicBool::new(true),
        }
    }

    fn ask(&self, item: &str) -> Result<usize, OutOfReach> {
        match self.is_reachable.load(Ordering::Relaxed) {
            true => Ok(100 * item.len()),
            false => Err(OutOfReach),
        }
    }

    fn disappear(&self) {
        self.is_reachable.store(false, Ordering::Relaxed);
    }
}

fn main() {
    let supplier = Supplier::new();
    let tell = |when| {
        let call = price::call_detailed(CallOptions::new(), "tea", &supplier);
        println!("{when:<38} {call} -> {:?}", call.value);
    };
    isolated(|| {
        tell("the first call");
        tell("the second call");
        Clock::advance(HOUR * 2);
        tell("two hours later");
        supplier.disappear();
        Clock::advance(HOUR * 2);
        tell("again, the supplier out of reach");
        Clock::advance(HOUR * 24);
        tell("and a day after that");
    });
    println!(
        "\noutside, nothing of this was seen: {} calls",
        price::metrics().stats().calls
    );
}

const HOUR: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use cachier::Outcome;

    use super::*;

    fn outcome(item: &str, supplier: &Supplier) -> Outcome {
        price::call_detailed(CallOptions::new(), item, supplier).outcome
    }

    #[test]
    fn a_price_is_asked_for_once_an_hour() {
        let supplier = Supplier::new();
        isolated(|| {
            assert_eq!(outcome("tea", &supplier), Outcome::Miss);
            Clock::advance(HOUR);
            assert_eq!(outcome("tea", &supplier), Outcome::Hit);
            Clock::advance(Duration::from_millis(1));
            assert_eq!(outcome("tea", &supplier), Outcome::Miss);
        });
    }

    #[test]
    fn the_old_price_is_served_during_outages() {
        let supplier = Supplier::new();
        isolated(|| {
            assert_eq!(price("tea", &supplier), Ok(300));
            supplier.disappear();
            Clock::advance(HOUR * 25);
            assert_eq!(outcome("tea", &supplier), Outcome::Stale);
            Clock::advance(HOUR);
            assert_eq!(price("tea", &supplier), Err(OutOfReach));
        });
    }

    #[test]
    fn tests_do_not_see_each_other() {
        let supplier = Supplier::new();
        let count = || price::metrics().stats().calls;
        isolated(|| {
            assert_eq!(outcome("tea", &supplier), Outcome::Miss);
            isolated(|| assert_eq!(outcome("tea", &supplier), Outcome::Miss));
            assert_eq!((outcome("tea", &supplier), count()), (Outcome::Hit, 2));
        });
    }

    #[test]
    fn a_test_can_prepare_the_cache() {
        let supplier = Supplier::new();
        supplier.disappear();
        isolated(|| {
            price::precache_value("tea", &supplier, 42).expect("memory takes every value");
            assert_eq!(price("tea", &supplier), Ok(42));
        });
    }

    /// On the file backend, in a folder of the test.
    #[cachier(backend = "file", version = none)]
    fn doubled(number: u64) -> u64 {
        number * 2
    }

    #[test]
    fn files_go_to_a_folder_of_the_test() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        isolated(|| {
            cachier::set_global_params(cachier::global_params().cache_dir(folder.path()));
            assert_eq!(doubled(4), 8);
            assert_eq!(doubled::peek(4).expect("the folder is there"), Some(8));
            assert!(doubled::cache_dir().starts_with(folder.path()));
        });
    }
}
