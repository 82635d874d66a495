//! Operations by name before the first call of a process.

use cachier::cachier;
use cachier_tests::sandbox::in_another_process;
use cachier_tests::{double, triple};
use futures_lite::future::block_on;

use crate::store::Subject;

crate::on_every_store! {
    expected_functions_are_found_by_name
}

double!(
    backend = registered("store"),
    name = "expected double",
    operation_timeout = "60s"
);

triple!(
    backend = registered("store"),
    name = "expected triple",
    operation_timeout = "60s"
);

#[cachier(backend = registered("store"), name = "expected square", operation_timeout = "60s", key = |number| number)]
fn square(number: u64) -> u64 {
    number * number
}

fn expected_functions_are_found_by_name(subject: &Subject) {
    assert_eq!((double(2), block_on(triple(2)), square(3)), (4, 6, 9));
    in_another_process(|| {
        subject.register();
        assert!(cachier::function("expected double").is_none());
        cachier::expect([double::handle(), triple::handle(), square::handle()]);
        for name in ["expected double", "expected triple", "expected square"] {
            let known = cachier::function(name).unwrap();
            assert_eq!(known.name(), name);
            assert_eq!(known.usage().unwrap().entries.unwrap_or(1), 1, "{name}");
            known.clear_being_calculated().unwrap();
            known.clear_cache().unwrap();
            let usage = block_on(known.usage_async()).unwrap();
            assert_eq!(usage.entries.unwrap_or(0), 0, "{name}");
        }
        assert_eq!(double::peek(2).unwrap(), None);
        assert_eq!(block_on(triple::peek(2)).unwrap(), None);
        assert_eq!(square::peek(3).unwrap(), None);
    });
}
