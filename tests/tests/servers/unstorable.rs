//! A recomputation whose result a store cannot hold removes the old value.

use std::time::Duration;

use cachier::testing::Clock;
use cachier_tests::list::{DEEP, List};
use serde::{Deserialize, Serialize};

use crate::gated::{Function, functions};
use crate::store::Subject;

crate::on_every_store! {
    an_unfaithful_overwrite_removes_the_value
    an_unfaithful_refresh_removes_the_value
    an_unserializable_overwrite_removes_the_value
    an_unserializable_refresh_removes_the_value
    a_deep_overwrite_removes_the_value
    a_deep_refresh_removes_the_value
}

/// Only the first variant comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Price {
    Cents(u64),
    Euros(u64),
}

fn unfaithful_later(run: u64) -> Price {
    match run {
        1 => Price::Cents(run),
        _ => Price::Euros(run),
    }
}

fn unserializable_later(run: u64) -> Vec<Option<Option<u64>>> {
    vec![Some((run == 1).then_some(run))]
}

fn deep_later(run: u64) -> List {
    List::of(if run == 1 { 1 } else { DEEP })
}

// A function for each, as functions of one name in one place would be one.
macro_rules! unstorable {
    ($($overwrite:ident $refresh:ident: $value:ident => $returned:ty;)*) => {$(
        fn $overwrite(subject: &Subject) {
            overwrite_removes(functions!(subject, [] 0, $value => $returned));
        }

        fn $refresh(subject: &Subject) {
            refresh_removes(functions!(
                subject, [stale_after = "1m", next_time] 0, $value => $returned
            ));
        }
    )*};
}

unstorable! {
    an_unfaithful_overwrite_removes_the_value an_unfaithful_refresh_removes_the_value:
        unfaithful_later => Price;
    an_unserializable_overwrite_removes_the_value an_unserializable_refresh_removes_the_value:
        unserializable_later => Vec<Option<Option<u64>>>;
    a_deep_overwrite_removes_the_value a_deep_refresh_removes_the_value:
        deep_later => List;
}

fn overwrite_removes<R: Send + 'static, S>(functions: [Function<R, S>; 2]) {
    for count in functions {
        drop(count.value());
        assert!(count.peek().is_some());
        drop(count.begin_to_overwrite().values());
        assert!(count.peek().is_none(), "the old value is there still");
    }
}

fn refresh_removes<R: Send + 'static, S>(functions: [Function<R, S>; 2]) {
    for count in functions {
        drop(count.value());
        Clock::advance(Duration::from_secs(120));
        drop(count.value());
        cachier::flush();
        assert!(count.peek().is_none(), "the old value is there still");
    }
}
