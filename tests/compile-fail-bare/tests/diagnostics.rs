//! What the attribute says without the feature `memory`.
//!
//! After a deliberate change of a message: `TRYBUILD=overwrite cargo test -p cachier-compile-fail-bare`, and read the
//! difference.

#[test]
fn what_needs_a_feature_that_is_off_names_it() {
    trybuild::TestCases::new().compile_fail("cases/*.rs");
}
