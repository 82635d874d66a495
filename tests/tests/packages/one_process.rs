//! Functions of the same name from two packages in one process.

use cachier::{CallOptions, Outcome, cachier};
use cachier_tests::sandbox::{in_another_process, in_folder};

/// The runtime, as seen by a package named `another`.
mod another {
    pub(crate) use cachier::*;

    macro_rules! site {
        (fn $name:ident(): $type:ty = $new:path, $package:tt, $($rest:tt)*) => {
            ::cachier::__site! { fn $name(): $type = $new, ["another"], $($rest)* }
        };
    }
    pub(crate) use site as __site;
}

#[cachier(backend = "file", name = "price", version = none)]
fn price(number: u64) -> u64 {
    number
}

#[cachier(backend = "file", name = "price", version = none, crate = crate::one_process::another)]
fn price_of_another(number: u64) -> u64 {
    number + 100
}

#[test]
fn equal_names_in_two_packages_are_cached() {
    let calls = || {
        let one = price::call_detailed(CallOptions::new(), 1);
        let other = price_of_another::call_detailed(CallOptions::new(), 1);
        [(one.value, one.outcome), (other.value, other.outcome)]
    };
    in_folder(|_| {
        assert_eq!(calls(), [(1, Outcome::Miss), (101, Outcome::Miss)]);
        assert_eq!(calls(), [(1, Outcome::Hit), (101, Outcome::Hit)]);
        let hits = in_another_process(calls);
        assert_eq!(hits, [(1, Outcome::Hit), (101, Outcome::Hit)]);
        // The displayed name does not contain the package.
        let names: Vec<_> = cachier::functions()
            .iter()
            .map(|known| known.name())
            .collect();
        assert_eq!(names, ["price"; 2]);
        assert!(cachier::function("price").is_some());
        assert_eq!(price::clear_cache().unwrap(), Some(1));
        assert_eq!(price_of_another::peek(1).unwrap(), Some(101));
    });
}
