//! Schedules of loads and changes: what was loaded before a change of which the tier hears is not near after it.

use shuttle::thread;

use cachier_backends::Change;

use super::change_log::NearKey;
use super::near::tests::{computed_at, function, hash};
use super::near::{Near, near_copy};
use crate::function::Function;
use crate::options::Options;
use crate::sync::{Arc, Mutex, lock};

const SCHEDULES: usize = 2_000;
const KEY: u8 = 1;

/// When a load asks for the state of the tier.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    BeforeTheLoad,
    AfterTheLoad,
}

fn load_during_a_change(asks: Asks) {
    let function: &'static Function = Box::leak(Box::new(function(Options::new())));
    let near = Arc::new(Near::<u8, u64>::open(function));
    let source = Arc::new(Mutex::new(0_u64));
    let (of_load, read) = (Arc::clone(&near), Arc::clone(&source));
    let loading = thread::spawn(move || load(function, &of_load, &read, asks));
    *lock(&source) = 1;
    near.changed(&Change::Entry(hash(KEY)));
    loading.join().unwrap();
    let kept = near.get(&KEY, function);
    assert!(
        kept.is_none_or(|value| value == 1),
        "an outdated copy is near"
    );
}

fn load(function: &Function, near: &Near<u8, u64>, source: &Mutex<u64>, asks: Asks) {
    let before = near.epoch();
    let value = *lock(source);
    thread::yield_now();
    let epoch = match asks {
        Asks::BeforeTheLoad => before,
        Asks::AfterTheLoad => near.epoch(),
    };
    let key = NearKey {
        key: KEY,
        hash: hash(KEY),
    };
    let stamp = computed_at(function.context.clock.now());
    if let Some(copy) = near_copy(function, &value, stamp, None) {
        near.insert_loaded(function, epoch, &key, copy);
    }
}

#[test]
fn outdated_loads_are_not_near() {
    shuttle::check_random(|| load_during_a_change(Asks::BeforeTheLoad), SCHEDULES);
}

#[test]
#[should_panic(expected = "an outdated copy is near")]
fn a_load_that_asks_too_late_is_found() {
    shuttle::check_random(|| load_during_a_change(Asks::AfterTheLoad), SCHEDULES);
}
