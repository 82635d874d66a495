//! A process that forks with near copies of what others change.

use std::fs;
use std::path::Path;
use std::process::id;
use std::time::Instant;

use cachier::{CallOptions, Tier, cachier};
use cachier_tests::forked::Forked;
use cachier_tests::wait::until;

use crate::forks::{PROMPT_LIMIT, in_own_process};
use crate::store::Subject;

crate::on_every_store! {
    a_child_drops_inherited_near_copies
}
mod notifying {
    use super::a_child_hears_what_others_invalidate;

    crate::on_stores!([redis: Redis, postgres: Postgres] { a_child_hears_what_others_invalidate });
}

/// Which process computed the value that is near.
#[cachier(backend = registered("store"), operation_timeout = "10s", near_cache = 100, near_stale_after = "1d")]
fn near(_key: u32) -> u32 {
    id()
}

fn a_child_drops_inherited_near_copies(subject: &Subject) {
    in_own_process(subject, || {
        after_invalidation(|ready| fs::write(ready, "").unwrap())
    });
}

fn a_child_hears_what_others_invalidate(subject: &Subject) {
    in_own_process(subject, || {
        after_invalidation(|ready| {
            until("what was inherited is gone", || !is_near());
            until("it is near again", is_near);
            fs::write(ready, "").unwrap();
        });
    });
}

/// Forks with a value near, which the parent invalidates then, and waits until the child has noticed. What the child does
/// before, it says to have done by the file that it is shown.
fn after_invalidation(before: fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let [ready, invalidated] = ["ready", "invalidated"].map(|name| folder.path().join(name));
    let parent = id();
    until("it is near", is_near);
    let child = Forked::start(|| {
        before(&ready);
        until("it is invalidated", || invalidated.exists());
        let called = Instant::now();
        until("the child has noticed", || near(0) != parent);
        assert!(called.elapsed() < PROMPT_LIMIT, "{:?}", called.elapsed());
    });
    until("the child is ready", || ready.exists());
    assert!(near::invalidate(0).unwrap());
    fs::write(&invalidated, "").unwrap();
    child.finish();
}

fn is_near() -> bool {
    near::call_detailed(CallOptions::new(), 0).tier == Some(Tier::Near)
}
