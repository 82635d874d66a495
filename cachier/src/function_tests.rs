use super::*;
use crate::context;
use crate::options::EarlyRefresh;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: u64 = 60_000_000_000;

fn function(options: Options) -> Function {
    let spec = FunctionSpec {
        identity: "counted".to_owned(),
        path: "counted".to_owned(),
        package: Package::named("app"),
        options,
    };
    Function::new(spec, context::current(), None)
}

#[test]
fn a_clear_forgets_the_slowest_computation() {
    let early = function(Options {
        backend: BackendName::Memory,
        stale_after: Some(HOUR),
        refresh_after: EarlyRefresh::After(RefreshAfter::Early),
        ..Options::new()
    });
    let served_fast = || early.fresh_nanos() + 1;
    assert_eq!(served_fast(), 60 * MINUTE);
    early.note_compute(MINUTE);
    assert_eq!(served_fast(), 53 * MINUTE);
    early.forget_computes();
    assert_eq!(served_fast(), 60 * MINUTE);
    early.note_compute(MINUTE / 7);
    assert!((58 * MINUTE..60 * MINUTE).contains(&served_fast()));
}
