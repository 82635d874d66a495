//! Conformance, end-to-end and compile-fail tests of cachier.
