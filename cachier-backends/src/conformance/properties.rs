//! The list of all properties.

use std::future::Future;
use std::pin::Pin;

use super::subject::Subject;
use super::{entries, leases, limits};
use crate::backend::Capability;

/// A required behaviour of backends.
///
/// ```
/// use cachier_backends::conformance::{PROPERTIES, Property};
///
/// let (name, ready): (&str, Property) = PROPERTIES[0];
/// println!("{name}");
/// # let _ = ready;
/// ```
pub type Property = for<'a> fn(&'a Subject) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Calls a macro with its own arguments and the names of all properties, with what a backend must be capable of.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_conformance_property {
    ($callback:path, $($argument:tt)*) => {
        $callback! { ($($argument)*)
            entries: absent_entries_are_none,
            entries: entries_come_back_as_they_were,
            entries: large_entries_come_back_or_are_refused,
            entries: a_store_replaces_the_entry,
            entries: a_version_is_that_of_one_entry,
            entries: keys_do_not_meet,
            entries: names_of_every_kind_are_told_apart,
            entries: remove_says_whether_there_was_an_entry,
            entries: clear_removes_one_function_in_all_versions,
            entries: the_store_is_ready,
            leases: one_lease_at_a_time if Leases,
            leases: leases_on_other_keys_are_free,
            leases: a_released_lease_is_free,
            leases: an_unattended_lease_ends,
            leases: a_renewed_lease_stays,
            leases: a_lease_leaves_the_entry_alone,
            leases: a_store_consumes_its_lease,
            leases: an_oversized_store_ends_its_lease if Leases,
            leases: a_lease_is_granted_for_what_was_seen if Leases,
            leases: remove_ends_the_lease if Leases,
            leases: clear_ends_the_leases if Leases,
            leases: clear_leases_ends_the_leases_alone if Leases,
            leases: a_newer_entry_is_not_overwritten if Leases,
            leases: others_may_store_under_a_lease if Leases,
            leases: a_forgotten_value_is_not_stored_by_others if Leases,
            leases: whoever_takes_over_is_the_owner if Leases,
            leases: a_forgotten_value_is_not_stored_after_takeover if Leases,
            leases: an_overtaken_lease_can_be_released,
            leases: a_vacated_entry_keeps_its_lease,
            leases: an_entry_may_be_vacated_repeatedly,
            leases: nothing_newer_is_vacated if Leases,
            leases: of_many_requests_one_gets_the_lease if Leases,
            leases: a_former_owner_stores_and_releases_nothing if Leases,
            leases: whoever_waits_learns_of_the_entry,
            limits: the_oldest_go_when_it_is_full if Capacity,
            limits: what_exceeds_the_capacity_is_refused if Capacity,
            limits: cleanup_removes_the_old_ones if Cleanup,
            limits: cleanup_ends_no_lease if Cleanup & Leases,
            limits: usage_follows_what_happens if Usage,
        }
    };
}

/// Generates a test for each property, run by a function `fn(Property)`; see [`conformance`](mod@crate::conformance).
#[macro_export]
macro_rules! conformance_tests {
    ($run:path) => {
        $crate::for_each_conformance_property!($crate::conformance_tests_of, $run);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests_of {
    (($run:path) $($module:ident: $property:ident $(if $($capability:ident)&+)?,)*) => {$(
        #[test]
        fn $property() {
            $run($crate::conformance::property(stringify!($property)));
        }
    )*};
}

macro_rules! list {
    (() $($module:ident: $property:ident $(if $($capability:ident)&+)?,)*) => {
        /// All properties, with their names.
        ///
        /// ```
        /// use cachier_backends::conformance::PROPERTIES;
        ///
        /// for (name, _) in PROPERTIES {
        ///     println!("{name}");
        /// }
        /// ```
        pub const PROPERTIES: &[(&str, Property)] = &[
            $((stringify!($property), |subject| Box::pin(async move {
                if true $($(&& subject.has(Capability::$capability))+)? {
                    $module::$property(subject).await;
                }
            })),)*
        ];
    };
}

crate::for_each_conformance_property!(list,);

/// The property of this name.
///
/// ```
/// use cachier_backends::conformance::property;
///
/// let the_store_is_ready = property("the_store_is_ready");
/// # let _ = the_store_is_ready;
/// ```
///
/// # Panics
/// If there is none of this name.
#[must_use]
pub fn property(name: &str) -> Property {
    let found = PROPERTIES.iter().find(|(of, _)| *of == name);
    found.map_or_else(|| panic!("no property `{name}`"), |(_, property)| *property)
}
