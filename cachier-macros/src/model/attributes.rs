//! Other attributes on the function: to which of the generated functions each of them goes.

use syn::{Attribute, Meta, Path};

use crate::parse::unconditional;

/// Where an attribute goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Destination {
    /// On the function that is called, which looks values up.
    Outer,
    /// On the function with the body, which runs when there is no value.
    Body,
    /// On both.
    Both,
    /// Nowhere, and why.
    Refused(&'static str),
}

impl Destination {
    /// The destination of an attribute below `#[cachier]`; those above have been applied already. Under a condition it is that
    /// of the attribute which is there if the condition holds.
    pub(crate) fn of(attribute: &Attribute) -> Self {
        let path = path_of(attribute);
        let is = |names: &[&str]| names.iter().any(|name| path.is_ident(name));
        let last = path.segments.last().map(|last| last.ident.to_string());
        if let Some((_, why)) = REFUSED.iter().find(|(name, _)| path.is_ident(name)) {
            return Self::Refused(why);
        }
        match (path.segments.first(), last.as_deref()) {
            (_, Some("test" | "bench")) => Self::Refused(TEST),
            (Some(tool), _) if TOOLS.iter().any(|name| tool.ident == name) => Self::Outer,
            (Some(tool), _) if tool.ident == "clippy" => Self::Both,
            _ if is(LINTS) || is(GENERATION) => Self::Both,
            _ if is(OUTER) => Self::Outer,
            // An attribute macro wraps what stands below it.
            _ => Self::Body,
        }
    }
}

/// The path of an attribute, within `unsafe(..)` and under a condition as well.
pub(crate) fn path_of(attribute: &Attribute) -> Path {
    match unconditional(&attribute.meta) {
        Meta::List(list) if list.path.is_ident("unsafe") => list
            .parse_args::<Meta>()
            .map_or_else(|_| list.path.clone(), |inner| inner.path().clone()),
        meta => meta.path().clone(),
    }
}

/// The levels of lints.
pub(crate) const LINTS: &[&str] = &["allow", "expect", "warn", "deny", "forbid"];

/// The language's own attributes that speak of the function as others see and call it; `cfg_attr` where it adds none.
const OUTER: &[&str] = &[
    "cfg",
    "cfg_attr",
    "cold",
    "deprecated",
    "doc",
    "inline",
    "must_use",
];

/// The language's own attributes that speak of the code made of a function.
const GENERATION: &[&str] = &["coverage", "no_sanitize", "optimize", "sanitize"];

/// Tools whose attributes wrap nothing.
const TOOLS: &[&str] = &["diagnostic", "miri", "rust_analyzer", "rustfmt"];

const TEST: &str =
    "a test that is cached does not run while its result is kept; cache a function that it calls";

const SYMBOL: &str = "a cached function cannot be called by its symbol; put this attribute on a function that calls the cached one";

/// Attributes that a cached function cannot keep.
const REFUSED: [(&str, &str); 12] = [
    (
        "track_caller",
        "the body of a cached function is not called by the function's caller, whose location it cannot tell; leave \
         `#[track_caller]` out, or put it on a function that calls this one",
    ),
    (
        "target_feature",
        "a cached function is called where nobody has checked for the features of the processor; put `#[target_feature]` on \
         a function that this one calls after `is_x86_feature_detected!` or the like",
    ),
    ("no_mangle", SYMBOL),
    ("export_name", SYMBOL),
    ("link_section", SYMBOL),
    ("linkage", SYMBOL),
    (
        "naked",
        "a naked function cannot be cached; cache a function that calls it",
    ),
    ("panic_handler", SYMBOL),
    ("proc_macro", SYMBOL),
    ("proc_macro_attribute", SYMBOL),
    ("should_panic", TEST),
    ("ignore", TEST),
];
