//! How much the program has to do in the background.

use once_cell::race::OnceBox;

static PROBE: OnceBox<fn() -> u64> = OnceBox::new();

/// Has `probe` tell how many tasks are under way or in line. It must not wait.
#[doc(hidden)]
pub fn set_background_probe(probe: fn() -> u64) {
    PROBE.get_or_init(|| Box::new(probe));
}

/// How many there are; `None` without a probe.
pub(crate) fn background_tasks() -> Option<u64> {
    PROBE.get().map(|probe| probe())
}
