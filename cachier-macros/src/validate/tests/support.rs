//! Validation of written arguments and functions.

use crate::diagnostics::Errors;
use crate::model::Arguments;
use crate::surroundings::Surroundings;

pub(super) fn faults(arguments: &str, function: &str) -> Vec<(String, String)> {
    faults_within(Surroundings::default(), arguments, function)
}

pub(super) fn faults_within(
    surroundings: Surroundings,
    arguments: &str,
    function: &str,
) -> Vec<(String, String)> {
    let mut errors = Errors::default();
    let written = crate::parse::arguments(arguments.parse().unwrap(), &mut errors);
    let arguments = Arguments::new(&written, &mut errors);
    let mut function = crate::parse::function(function.parse().unwrap()).unwrap();
    function.surroundings = surroundings;
    crate::validate::validate(&arguments, &function, &mut errors);
    errors.described()
}

#[track_caller]
pub(super) fn fine(arguments: &str, function: &str) {
    assert_eq!(faults(arguments, function), []);
}

#[track_caller]
pub(super) fn refused(arguments: &str, function: &str, start: &str, place: &str) {
    let faults = faults(arguments, function);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].0.starts_with(start), "{faults:?}");
    assert_eq!(faults[0].1, place);
}

/// A function that every argument suits.
pub(super) const F: &str = "fn f(a: u8, b: &str) -> u8 { 0 }";
