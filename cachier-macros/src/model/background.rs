//! Recomputation in the background, and what asks for it.

use syn::Ident;

use super::arguments::Arguments;
use super::refresh_after::RefreshAfter;
use super::values::Switch;

impl Arguments {
    /// The name of the argument that has values recomputed in the background, or lets the program's parameters decide that.
    pub(crate) fn recomputes_by(&self) -> Option<&Ident> {
        let next_time = self.next_time.as_ref();
        let next_time = next_time.filter(|switch| switch.value != Switch::Never);
        let refresh_after = self.refresh_after.as_ref();
        let refresh_after =
            refresh_after.filter(|after| !matches!(after.value, RefreshAfter::Never));
        let next_time = next_time.map(|switch| &switch.name);
        next_time.or(refresh_after.map(|after| &after.name))
    }
}
