//! The table of arguments: one row each, with name, aliases and type of value.

use proc_macro2::Span;
use syn::Ident;

use super::choices::{Backend, OnBackendError};
use super::refresh_after::RefreshAfter;
use super::unknown::unknown_argument;
use super::values::{
    Age, ArgumentValue, Companion, Count, CratePath, Flag, Folder, KeyClosure, Name, Percentage,
    Predicate, Rate, Size, Skipped, Switch, Time, Version,
};
use crate::diagnostics::Errors;
use crate::parse::ParsedArgument;

/// An argument in use.
pub(crate) struct Argument<T> {
    /// The name as written.
    pub(crate) name: Ident,
    pub(crate) value: T,
}

impl<T> Argument<T> {
    pub(crate) fn span(&self) -> Span {
        self.name.span()
    }
}

/// Declares [`Arguments`] from rows of `field: ArgumentValue = "name" | "alias";`.
macro_rules! arguments {
    ($($field:ident: $kind:ty = $name:literal $(| $alias:literal)*;)*) => {
        /// The arguments of an attribute, each `None` if absent.
        #[derive(Default)]
        pub(crate) struct Arguments {
            $(pub(crate) $field: Option<Argument<$kind>>,)*
        }

        /// The names of all arguments.
        pub(super) const NAMES: &[&str] = &[$($name,)*];

        impl Arguments {
            /// Stores a parsed argument in its field.
            fn accept(&mut self, parsed: &ParsedArgument, errors: &mut Errors) {
                match parsed.name.to_string().as_str() {
                    $($name $(| $alias)* => set(&mut self.$field, parsed, errors),)*
                    unknown => errors.at(parsed.name.span(), unknown_argument(unknown, NAMES)),
                }
            }
        }
    };
}

arguments! {
    backend: Backend = "backend";
    stale_after: Age = "stale_after";
    jitter: Percentage = "jitter";
    refresh_after: RefreshAfter = "refresh_after";
    next_time: Switch = "next_time";
    max_stale: Time = "max_stale";
    stale_on_error: Time = "stale_on_error";
    retry_after: Time = "retry_after";
    wait_for_calc_timeout: Time = "wait_for_calc_timeout";
    allow_none: Flag = "allow_none";
    cache_if: Predicate = "cache_if";
    entry_size_limit: Size = "entry_size_limit";
    cleanup_stale: Flag = "cleanup_stale";
    cleanup_interval: Time = "cleanup_interval";
    capacity: Count = "capacity";
    capacity_bytes: Size = "capacity_bytes";
    near_cache: Count = "near_cache";
    near_stale_after: Time = "near_stale_after";
    cache_dir: Folder = "cache_dir";
    key: KeyClosure = "key";
    skip: Skipped = "skip";
    version: Version = "version";
    verify: Flag = "verify";
    name: Name = "name";
    policy: Name = "policy";
    enable_metrics: Flag = "enable_metrics";
    sampling_rate: Rate = "sampling_rate" | "metrics_sampling_rate";
    operation_timeout: Time = "operation_timeout";
    on_backend_error: OnBackendError = "on_backend_error";
    in_impl: Flag = "in_impl";
    companion: Companion = "companion";
    krate: CratePath = "crate";
}

impl Arguments {
    /// Interprets parsed arguments; errors are collected.
    pub(crate) fn new(written: &[ParsedArgument], errors: &mut Errors) -> Self {
        let mut arguments = Self::default();
        for argument in written {
            arguments.accept(argument, errors);
        }
        arguments
    }
}

fn set<T: ArgumentValue>(
    argument: &mut Option<Argument<T>>,
    parsed: &ParsedArgument,
    errors: &mut Errors,
) {
    let name = &parsed.name;
    if let Some(first) = argument {
        let message = match *name == first.name {
            true => format!("`{name}` is given twice"),
            false => format!(
                "`{name}` is another name of `{}`, which is given already",
                first.name
            ),
        };
        return errors.at(name.span(), message);
    }
    if let Some(value) = errors.note(T::parse(parsed)) {
        *argument = Some(Argument {
            name: name.clone(),
            value,
        });
    }
}
