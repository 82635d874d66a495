//! What the attribute says when it is used wrongly, pinned with the place of each message.
//!
//! After a deliberate change of a message: `TRYBUILD=overwrite cargo test -p cachier-compile-fail`, and read the difference.

#[test]
fn every_diagnostic_says_what_to_write_instead() {
    trybuild::TestCases::new().compile_fail("cases/*.rs");
}
